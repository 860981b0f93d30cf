using System.Text.Json;
using Session.Orleans.Conformance.Harness;

namespace Session.Orleans.Conformance.Rules;

/// <summary>Deleting messages.</summary>
[Section("storage-rpc.md", "10")]
public sealed class DeleteRules(Networks networks) : RuleSet(networks)
{
    [Theory, Everywhere]
    public async Task Delete_ListsThoseFoundSortedAndSigned(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        string[] stored = [await mailbox.StoreAsync("one"), await mailbox.StoreAsync("two", 5), await mailbox.StoreAsync("three", -42)];
        var kept = await mailbox.StoreAsync("kept");
        string[] requested = [.. Text.Sorted(stored).Reverse(), mailbox.Account.HashOf("unknown"u8)];

        var answer = await mailbox.CallAsync("delete", mailbox.DeleteOf(requested));

        var own = mailbox.CheckSwarm(answer, entry => mailbox.Account.Hex + string.Concat(requested) + string.Concat(entry.GetProperty("deleted").Strings()));
        Assert.Equal(Text.Sorted(stored), own.GetProperty("deleted").Strings());
        Assert.Equal([kept], await mailbox.HashesAsync());
        Assert.Empty(await mailbox.HashesAsync(5));
        Assert.Empty(await mailbox.HashesAsync(-42));
    }

    [Theory, Everywhere]
    public async Task Delete_OfNothing_Is200AndWithRequired404(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        string[] hashes = [mailbox.Account.HashOf("unknown"u8)];
        byte[] Signed(JsonElement entry) => Mailbox.Bytes(mailbox.Account.Hex + hashes[0]);

        Assert.Empty(mailbox.CheckSwarm(await mailbox.CallAsync("delete", mailbox.DeleteOf(hashes)), Signed).GetProperty("deleted").Strings());
        mailbox.CheckSwarm(await mailbox.CallAsync("delete", mailbox.DeleteOf(hashes).With("required", false)), Signed);
        mailbox.CheckSwarm(await mailbox.CallAsync("delete", mailbox.DeleteOf(hashes).With("required", true)), Signed, status: 404);
    }

    [Theory, Everywhere]
    public async Task Delete_OfSomethingWithRequired_Is200(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var hash = await mailbox.StoreAsync("x");

        await mailbox.CallOkAsync("delete", mailbox.DeleteOf([hash, mailbox.Account.HashOf("unknown"u8)]).With("required", true));
    }

    [Theory, Everywhere]
    public async Task Delete_OfAnothersMessage_FindsNothing(Store store, Transport via)
    {
        var mailbox = await GroupAsync(store, via);
        var other = new Mailbox(mailbox.Network, via, mailbox.Account.WithPrefix(0x25));
        var hash = await other.StoreAsync("x");

        Assert.Empty((await mailbox.CallOkAsync("delete", mailbox.DeleteOf([hash]))).GetProperty("swarm").GetProperty(mailbox.Node.Ed25519Hex).GetProperty("deleted").Strings());
        Assert.Equal([hash], await other.HashesAsync());
    }

    [Theory, Everywhere]
    public async Task Delete_WithoutHashes_IsRefused(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync("delete", mailbox.DeleteOf([]))).ShouldBeInvalid("messages does not contain any message hashes");
    }

    [Theory, Everywhere]
    public async Task Delete_SignatureCoversTheHashesInRequestOrder(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        string[] hashes = [mailbox.Account.HashOf("a"u8), mailbox.Account.HashOf("b"u8)];

        (await mailbox.CallAsync("delete", mailbox.DeleteOf(hashes).With("messages", Mailbox.List([hashes[1], hashes[0]]))))
            .ShouldBe(401, "delete_msgs signature verification failed");
    }

    [Theory, Everywhere]
    public async Task Delete_ThenStoreAgain_IsANewMessageAtTheEnd(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var first = await mailbox.StoreAsync("first");
        var second = await mailbox.StoreAsync("second");
        await mailbox.CallOkAsync("delete", mailbox.DeleteOf([first]));

        var again = await mailbox.CallAsync("store", mailbox.StoreOf("first"));

        Assert.False(mailbox.CheckSwarm(again, _ => first).TryGetProperty("already", out _));
        Assert.Equal([second, first], await mailbox.HashesAsync());
    }

    [Theory]
    [Everywhere("default")]
    [Everywhere("0")]
    [Everywhere("5")]
    [Everywhere("-42")]
    public async Task DeleteAll_OfOneNamespace_ListsItSortedAndSigned(Store store, Transport via, string scope)
    {
        var (mailbox, all) = await FilledAsync(store, via);
        var time = mailbox.Now;
        var @namespace = scope is "default" ? 0 : int.Parse(scope, System.Globalization.CultureInfo.InvariantCulture);

        var answer = await mailbox.CallAsync("delete_all", mailbox.AllOf("delete_all", time, scope is "default" ? null : scope));

        var own = mailbox.CheckSwarm(answer, entry => mailbox.Account.Hex + Text.Number(time) + string.Concat(entry.GetProperty("deleted").Strings()));
        Assert.Equal(Text.Sorted(all[@namespace]), own.GetProperty("deleted").Strings());
        foreach (var (other, hashes) in all)
            Assert.Equal(other == @namespace ? [] : hashes, await mailbox.HashesAsync(other));
    }

    [Theory, Everywhere]
    public async Task DeleteAll_OfAll_ListsByNamespaceAndSignsInOneOrder(Store store, Transport via)
    {
        var (mailbox, all) = await FilledAsync(store, via);
        var time = mailbox.Now;

        var answer = await mailbox.CallAsync("delete_all", mailbox.AllOf("delete_all", time, "all"));

        AssertByNamespace(mailbox.CheckSwarm(answer, _ => mailbox.Account.Hex + Text.Number(time) + InOneOrder(all)).GetProperty("deleted"), all);
        foreach (var @namespace in all.Keys)
            Assert.Empty(await mailbox.HashesAsync(@namespace));
    }

    [Theory, Everywhere]
    public async Task DeleteAll_OfNothing_HasAnEmptyListOrObject(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var time = mailbox.Now;
        string Signed(JsonElement entry) => mailbox.Account.Hex + Text.Number(time);

        Assert.Equal("[]", mailbox.CheckSwarm(await mailbox.CallAsync("delete_all", mailbox.AllOf("delete_all", time)), Signed).GetProperty("deleted").GetRawText());
        Assert.Equal("{}", mailbox.CheckSwarm(await mailbox.CallAsync("delete_all", mailbox.AllOf("delete_all", time, "all")), Signed).GetProperty("deleted").GetRawText());
    }

    [Theory]
    [Everywhere(-75, false)]
    [Everywhere(-45, true)]
    [Everywhere(45, true)]
    [Everywhere(75, false)]
    public async Task DeleteAll_TimeMayBe60SecondsOff_AndIsCheckedBeforeTheSignature(Store store, Transport via, int seconds, bool isAccepted)
    {
        var mailbox = await MailboxAsync(store, via);
        var parameters = mailbox.AllOf("delete_all", mailbox.Now + (seconds * Mailbox.Second));

        var answer = await mailbox.CallAsync("delete_all", parameters);
        if (isAccepted)
            answer.ShouldBeJson();
        else
            answer.ShouldBe(406, "delete_all timestamp too far from current time");
        (await mailbox.CallAsync("delete_all", parameters.With("signature", mailbox.Account.Sign(""))))
            .ShouldBe(isAccepted ? 401 : 406, isAccepted ? "delete_all signature verification failed" : "delete_all timestamp too far from current time");
    }

    [Theory]
    [Everywhere("delete_all")]
    [Everywhere("delete_before")]
    [Everywhere("expire_all")]
    public async Task Signature_CoversTheNamespace(Store store, Transport via, string method)
    {
        var mailbox = await MailboxAsync(store, via);
        var time = mailbox.Now;

        foreach (var (signed, sent) in ((string?, string?)[])[(null, "5"), ("5", null), ("all", null), (null, "all"), ("5", "all"), ("-5", "5")])
        {
            (await mailbox.CallAsync(method, mailbox.AllOf(method, time, sent).With("signature", mailbox.AllOf(method, time, signed)["signature"]!.GetValue<string>())))
                .ShouldBe(401, method + " signature verification failed");
        }

        // Namespace 0 is empty in the text, whether it is given or not.
        (await mailbox.CallAsync(method, mailbox.AllOf(method, time, "0").With("signature", mailbox.Account.Sign(method + "0" + Text.Number(time)))))
            .ShouldBe(401, method + " signature verification failed");
    }

    [Theory, Everywhere]
    public async Task DeleteBefore_TakesTheTimeItselfAndEarlier(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var time = mailbox.Now - 5000;
        var earlier = await mailbox.StoreAsync(mailbox.StoreOf("earlier"u8, timestamp: time - 1));
        var same = await mailbox.StoreAsync(mailbox.StoreOf("same"u8, timestamp: time));
        var later = await mailbox.StoreAsync(mailbox.StoreOf("later"u8, timestamp: time + 1));
        await mailbox.StoreAsync(mailbox.StoreOf("elsewhere"u8, 5, time));

        var answer = await mailbox.CallAsync("delete_before", mailbox.AllOf("delete_before", time));

        var own = mailbox.CheckSwarm(answer, entry => mailbox.Account.Hex + Text.Number(time) + string.Concat(entry.GetProperty("deleted").Strings()));
        Assert.Equal(Text.Sorted([earlier, same]), own.GetProperty("deleted").Strings());
        Assert.Equal([later], await mailbox.HashesAsync());
        Assert.Single(await mailbox.HashesAsync(5));
    }

    [Theory, Everywhere]
    public async Task DeleteBefore_OfAll_ListsByNamespaceAndSignsInOneOrder(Store store, Transport via)
    {
        var (mailbox, all) = await FilledAsync(store, via);
        var time = mailbox.Now + 5000;

        var answer = await mailbox.CallAsync("delete_before", mailbox.AllOf("delete_before", time, "all"));

        AssertByNamespace(mailbox.CheckSwarm(answer, _ => mailbox.Account.Hex + Text.Number(time) + InOneOrder(all)).GetProperty("deleted"), all);
    }

    [Theory, Everywhere]
    public async Task DeleteBefore_UpTo60SecondsAhead_IsAcceptedAndMoreIs401(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        await mailbox.CallOkAsync("delete_before", mailbox.AllOf("delete_before", mailbox.Now + 45_000));
        await mailbox.CallOkAsync("delete_before", mailbox.AllOf("delete_before", 1_000_000_000));
        (await mailbox.CallAsync("delete_before", mailbox.AllOf("delete_before", mailbox.Now + 75_000))).ShouldBe(401, "delete_before timestamp too far in the future");
        (await mailbox.CallAsync("delete_before", mailbox.AllOf("delete_before", mailbox.Now + 75_000).With("signature", mailbox.Account.Sign(""))))
            .ShouldBe(401, "delete_before timestamp too far in the future");
        (await mailbox.CallAsync("delete_before", mailbox.AllOf("delete_before", mailbox.Now).With("signature", mailbox.Account.Sign(""))))
            .ShouldBe(401, "delete_before signature verification failed");
    }

    [Theory, Everywhere]
    public async Task MembersSign_TheAccountInLowerCase(Store store, Transport via)
    {
        var mailbox = await GroupAsync(store, via);
        var time = mailbox.Now;

        mailbox.CheckSwarm(await mailbox.CallAsync("delete_all", mailbox.AllOf("delete_all", time).With("pubkey", mailbox.Account.Hex.ToUpperInvariant())),
            _ => mailbox.Account.Hex + Text.Number(time));
    }

    internal static string InOneOrder(Dictionary<int, string[]> all) => string.Concat(Text.Sorted(all.Values.SelectMany(hashes => hashes)));

    internal static void AssertByNamespace(JsonElement listed, Dictionary<int, string[]> all)
    {
        Assert.Equal(Text.Sorted(all.Keys.Select(@namespace => Text.Number(@namespace))), listed.Names());
        foreach (var (@namespace, hashes) in all)
            Assert.Equal(Text.Sorted(hashes), listed.GetProperty(Text.Number(@namespace)).Strings());
    }

    // Three messages in each of four namespaces; the hashes of one namespace lie between those of the others.
    private async Task<(Mailbox Mailbox, Dictionary<int, string[]> Hashes)> FilledAsync(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var all = new Dictionary<int, string[]>();
        foreach (var @namespace in (int[])[0, 5, -42, 10])
            all[@namespace] = [await mailbox.StoreAsync("one", @namespace), await mailbox.StoreAsync("two", @namespace), await mailbox.StoreAsync("three", @namespace)];
        return (mailbox, all);
    }
}
