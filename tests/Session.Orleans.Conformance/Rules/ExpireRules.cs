using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Session.Orleans.Conformance.Harness;

namespace Session.Orleans.Conformance.Rules;

/// <summary>Changing when messages expire.</summary>
[Section("storage-rpc.md", "11")]
public sealed class ExpireRules(Networks networks) : RuleSet(networks)
{
    private const string TooEarly = "expire: timestamp should be >= current time", BadSignature = "expire: signature verification failed";

    [Theory, Everywhere]
    public async Task Expire_Plain_SetsBothWaysAndReportsEveryMessageFound(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var now = mailbox.Now;
        var expiry = now + Mailbox.Hour;
        var shorter = await mailbox.StoreAsync(mailbox.StoreOf("shorter"u8, 0, now, 60_000));
        var longer = await mailbox.StoreAsync(mailbox.StoreOf("longer"u8, 5, now, Mailbox.Day));
        var same = await mailbox.StoreAsync(mailbox.StoreOf("same"u8, 0, now));
        string[] requested = [same, mailbox.Account.HashOf("unknown"u8), longer, shorter];

        var own = await ExpireAsync(mailbox, requested, "", expiry);

        Assert.Equal(["expiry", "signature", "updated"], own.Names());
        Assert.Equal(Text.Sorted([shorter, longer, same]), own.GetProperty("updated").Strings());
        Assert.Equal(expiry, own.GetProperty("expiry").GetInt64());
        Assert.All(await mailbox.ExpiriesAsync(shorter, longer, same), entry => Assert.Equal(expiry, entry.Value));
    }

    [Theory]
    [Everywhere("shorten")]
    [Everywhere("extend")]
    public async Task Expire_ShortenOrExtend_LeavesOthersAndReportsThemUnchanged(Store store, Transport via, string mode)
    {
        var mailbox = await MailboxAsync(store, via);
        var now = mailbox.Now;
        var expiry = now + Mailbox.Hour;
        var early = await mailbox.StoreAsync(mailbox.StoreOf("early"u8, timestamp: now, ttl: 60_000));
        var late = await mailbox.StoreAsync(mailbox.StoreOf("late"u8, timestamp: now, ttl: Mailbox.Day));
        var same = await mailbox.StoreAsync(mailbox.StoreOf("same"u8, timestamp: now));
        var (updated, unchanged) = mode is "shorten" ? (late, early) : (early, late);

        var own = await ExpireAsync(mailbox, [same, late, early], mode, expiry);

        Assert.Equal([updated], own.GetProperty("updated").Strings());
        Assert.Equal(Text.Sorted([unchanged, same]), own.GetProperty("unchanged").Names());
        Assert.Equal((expiry, mode is "shorten" ? now + 60_000 : now + Mailbox.Day),
            (own.GetProperty("unchanged").GetProperty(same).GetInt64(), own.GetProperty("unchanged").GetProperty(unchanged).GetInt64()));
        var stored = await mailbox.ExpiriesAsync(early, late, same);
        Assert.Equal((expiry, expiry), (stored[updated], stored[same]));
        Assert.Equal(mode is "shorten" ? now + 60_000 : now + Mailbox.Day, stored[unchanged]);
    }

    [Theory, Everywhere]
    public async Task Expire_WithAModeAndNothingUnchanged_ReportsAnEmptyObject(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var hash = await mailbox.StoreAsync("x");

        Assert.Equal("{}", (await ExpireAsync(mailbox, [hash], "extend", mailbox.Now + Mailbox.Day)).GetProperty("unchanged").GetRawText());
        Assert.Equal("{}", (await ExpireAsync(mailbox, [mailbox.Account.HashOf("unknown"u8)], "shorten", mailbox.Now + Mailbox.Day)).GetProperty("unchanged").GetRawText());
    }

    [Theory, Everywhere]
    public async Task Expire_WithAModeThatIsFalse_IsPlainAndSignedAsPlain(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var hash = await mailbox.StoreAsync("x");
        var entry = (await mailbox.CallOkAsync("expire", mailbox.ExpireOf([hash], "", mailbox.Now + 60_000).With("shorten", false).With("extend", false)))
            .GetProperty("swarm").GetProperty(mailbox.Node.Ed25519Hex);

        Assert.False(entry.TryGetProperty("unchanged", out _));
        Assert.Equal([hash], entry.GetProperty("updated").Strings());
    }

    [Theory, Everywhere]
    public async Task Expire_OfNothingFound_StillReportsTheExpiry(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var expiry = mailbox.Now + Mailbox.Hour;

        var own = await ExpireAsync(mailbox, [mailbox.Account.HashOf("unknown"u8)], "", expiry);

        Assert.Empty(own.GetProperty("updated").Strings());
        Assert.Equal(expiry, own.GetProperty("expiry").GetInt64());
    }

    [Theory, Everywhere]
    public async Task Expire_Beyond30Days_IsClampedForUseAndReport(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var hash = await mailbox.StoreAsync("x");
        var before = mailbox.Now;

        var own = await ExpireAsync(mailbox, [hash], "", mailbox.Now + (400 * Mailbox.Day));

        var reported = own.GetProperty("expiry").GetInt64();
        Assert.InRange(reported, before + (30 * Mailbox.Day) - 5000, mailbox.Now + (30 * Mailbox.Day) + 5000);
        Assert.Equal(reported, (await mailbox.ExpiriesAsync(hash))[hash]);
    }

    [Theory, Everywhere]
    public async Task Expire_WithOneExpiryPerMessage_SetsEachAndReportsThoseUpdated(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        RequireFork(mailbox);
        var now = mailbox.Now;
        string[] hashes = [await mailbox.StoreAsync("one"), await mailbox.StoreAsync("two"), mailbox.Account.HashOf("unknown"u8), await mailbox.StoreAsync("three")];
        long[] expiries = [now + 100_000, now + 200_000, now + 300_000, now + 400_000];

        var own = await ExpireAsync(mailbox, hashes, "", expiries);

        string[] updated = Text.Sorted([hashes[0], hashes[1], hashes[3]]);
        Assert.Equal(updated, own.GetProperty("updated").Strings());
        Assert.Equal(updated.Select(hash => expiries[Array.IndexOf(hashes, hash)]), own.GetProperty("expiry").EnumerateArray().Select(expiry => expiry.GetInt64()));
        var stored = await mailbox.ExpiriesAsync(hashes);
        Assert.All(updated, hash => Assert.Equal(expiries[Array.IndexOf(hashes, hash)], stored[hash]));
    }

    [Theory, Everywhere]
    public async Task Expire_WithOneExpiryPerMessageAndAMode_SignsTheReportedOnesOnly(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        RequireFork(mailbox);
        var now = mailbox.Now;
        string[] hashes = [await mailbox.StoreAsync(mailbox.StoreOf("one"u8, timestamp: now)), await mailbox.StoreAsync(mailbox.StoreOf("two"u8, timestamp: now))];

        var own = await ExpireAsync(mailbox, hashes, "extend", now + 100_000, now + Mailbox.Day);

        Assert.Equal([hashes[1]], own.GetProperty("updated").Strings());
        Assert.Equal([now + Mailbox.Day], own.GetProperty("expiry").EnumerateArray().Select(expiry => expiry.GetInt64()));
        Assert.Equal(now + Mailbox.Hour, own.GetProperty("unchanged").GetProperty(hashes[0]).GetInt64());
    }

    [Theory, Everywhere]
    public async Task Expire_OfOneMessageWithAListOfOneExpiry_ReportsANumber(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var hash = await mailbox.StoreAsync("x");
        var expiry = mailbox.Now + Mailbox.Day;

        var json = await mailbox.CallOkAsync("expire", mailbox.ExpireOf([hash], "", expiry).With("expiry", new JsonArray(expiry)));

        Assert.Equal(expiry, json.GetProperty("swarm").GetProperty(mailbox.Node.Ed25519Hex).GetProperty("expiry").GetInt64());
    }

    [Theory]
    [Everywhere("expiry", "[]", "'expiry' does not contain any expiration timestamps")]
    [Everywhere("messages", "[]", "messages does not contain any message hashes")]
    [Everywhere("shorten", "true", "cannot specify both 'shorten' and 'extend'")]
    [Everywhere("expiry", "[1900000000000,1900000000000]", "'expiry' must be a single expiry, or the same length as 'messages'")]
    public async Task Expire_Malformed_IsNamed(Store store, Transport via, string field, string value, string text)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync("expire", mailbox.ExpireOf([mailbox.Account.HashOf("x"u8)], "extend", mailbox.Now + Mailbox.Hour).WithJson(field, value))).ShouldBeInvalid(text);
    }

    [Theory, Everywhere]
    public async Task Expire_MoreThan60SecondsInThePast_Is401BeforeTheSignatureIsLookedAt(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        string[] hashes = [mailbox.Account.HashOf("x"u8)];

        await mailbox.CallOkAsync("expire", mailbox.ExpireOf(hashes, "", mailbox.Now - 45_000));
        (await mailbox.CallAsync("expire", mailbox.ExpireOf(hashes, "", mailbox.Now - 75_000))).ShouldBe(401, TooEarly);
        (await mailbox.CallAsync("expire", mailbox.ExpireOf(hashes, "", mailbox.Now - 75_000).With("signature", mailbox.Account.Sign("")))).ShouldBe(401, TooEarly);
        (await mailbox.CallAsync("expire", mailbox.ExpireOf([hashes[0], hashes[0]], "", mailbox.Now + 60_000, mailbox.Now - 75_000))).ShouldBe(401, TooEarly);
    }

    [Theory, Everywhere]
    public async Task Expire_SignatureCoversModeExpiriesAndHashes(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        string[] hashes = [mailbox.Account.HashOf("a"u8), mailbox.Account.HashOf("b"u8)];
        var expiry = mailbox.Now + Mailbox.Hour;
        var signature = mailbox.ExpireOf(hashes, "", expiry)["signature"]!.GetValue<string>();

        (await mailbox.CallAsync("expire", mailbox.ExpireOf(hashes, "extend", expiry).With("signature", signature))).ShouldBe(401, BadSignature);
        (await mailbox.CallAsync("expire", mailbox.ExpireOf(hashes, "shorten", expiry).With("signature", signature))).ShouldBe(401, BadSignature);
        (await mailbox.CallAsync("expire", mailbox.ExpireOf(hashes, "", expiry + 1).With("signature", signature))).ShouldBe(401, BadSignature);
        (await mailbox.CallAsync("expire", mailbox.ExpireOf([hashes[1], hashes[0]], "", expiry).With("signature", signature))).ShouldBe(401, BadSignature);
        await mailbox.CallOkAsync("expire", mailbox.ExpireOf(hashes, "", expiry));
    }

    [Theory, Everywhere]
    public async Task Expire_BySubaccountWithoutDelete_OnlyExtends(Store store, Transport via)
    {
        var mailbox = await GroupAsync(store, via);
        var token = new Subaccount(mailbox.Account, Subaccount.Write);
        var now = mailbox.Now;
        var hash = await mailbox.StoreAsync(mailbox.StoreOf("x"u8, timestamp: now));

        (await mailbox.CallAsync("expire", mailbox.ExpireOf([hash], "shorten", token, now + 60_000)))
            .ShouldBe(400, "expire: shorten parameter cannot be used with this subaccount token (missing delete access)");
        var entry = (await mailbox.CallOkAsync("expire", mailbox.ExpireOf([hash], "", token, now + 60_000))).GetProperty("swarm").GetProperty(mailbox.Node.Ed25519Hex);
        Assert.Empty(entry.GetProperty("updated").Strings());
        Assert.False(entry.TryGetProperty("unchanged", out _)); // neither flag was in the request
        Assert.Equal(now + Mailbox.Hour, (await mailbox.ExpiriesAsync(hash))[hash]);
        await mailbox.CallOkAsync("expire", mailbox.ExpireOf([hash], "", token, now + Mailbox.Day));
        Assert.Equal(now + Mailbox.Day, (await mailbox.ExpiriesAsync(hash))[hash]);
    }

    [Theory, Everywhere]
    public async Task Expire_BySubaccountWithDelete_ShortensToo(Store store, Transport via)
    {
        var mailbox = await GroupAsync(store, via);
        var token = new Subaccount(mailbox.Account, Subaccount.Write | Subaccount.Delete);
        var now = mailbox.Now;
        var hash = await mailbox.StoreAsync("x");

        await mailbox.CallOkAsync("expire", mailbox.ExpireOf([hash], "shorten", token, now + 60_000));
        Assert.Equal(now + 60_000, (await mailbox.ExpiriesAsync(hash))[hash]);
    }

    [Theory, Everywhere]
    public async Task Expire_BySubaccount_WithABadSignatureAndShorten_Is401First(Store store, Transport via)
    {
        var mailbox = await GroupAsync(store, via);
        var token = new Subaccount(mailbox.Account, Subaccount.Write);

        (await mailbox.CallAsync("expire", mailbox.ExpireOf([mailbox.Account.HashOf("x"u8)], "shorten", token, mailbox.Now + 60_000).With("signature", mailbox.Account.Sign(""))))
            .ShouldBe(401, BadSignature);
    }

    [Theory]
    [Everywhere("default")]
    [Everywhere("0")]
    [Everywhere("5")]
    [Everywhere("-42")]
    public async Task ExpireAll_OfOneNamespace_OnlyShortensAndListsThose(Store store, Transport via, string scope)
    {
        var mailbox = await MailboxAsync(store, via);
        var @namespace = scope is "default" ? 0 : int.Parse(scope, CultureInfo.InvariantCulture);
        var now = mailbox.Now;
        var early = await mailbox.StoreAsync(mailbox.StoreOf("early"u8, @namespace, now, 60_000));
        var same = await mailbox.StoreAsync(mailbox.StoreOf("same"u8, @namespace, now, 90_000));
        var late = await mailbox.StoreAsync(mailbox.StoreOf("late"u8, @namespace, now));
        var later = await mailbox.StoreAsync(mailbox.StoreOf("later"u8, @namespace, now));
        var elsewhere = await mailbox.StoreAsync(mailbox.StoreOf("elsewhere"u8, 7, now));

        var answer = await mailbox.CallAsync("expire_all", mailbox.AllOf("expire_all", now + 90_000, scope is "default" ? null : scope));

        var own = mailbox.CheckSwarm(answer, entry => mailbox.Account.Hex + Text.Number(now + 90_000) + string.Concat(entry.GetProperty("updated").Strings()));
        Assert.Equal(Text.Sorted([late, later]), own.GetProperty("updated").Strings());
        var stored = await mailbox.ExpiriesAsync(early, same, late, later, elsewhere);
        Assert.Equal((now + 60_000, now + 90_000, now + 90_000, now + 90_000, now + Mailbox.Hour), (stored[early], stored[same], stored[late], stored[later], stored[elsewhere]));
    }

    [Theory, Everywhere]
    public async Task ExpireAll_OfAll_ListsByNamespaceAndSignsInOneOrder(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var all = new Dictionary<int, string[]>();
        foreach (var @namespace in (int[])[0, 5, -42])
            all[@namespace] = [await mailbox.StoreAsync("one", @namespace), await mailbox.StoreAsync("two", @namespace)];
        var expiry = mailbox.Now + 60_000;

        var answer = await mailbox.CallAsync("expire_all", mailbox.AllOf("expire_all", expiry, "all"));

        var own = mailbox.CheckSwarm(answer, _ => mailbox.Account.Hex + Text.Number(expiry) + DeleteRules.InOneOrder(all));
        DeleteRules.AssertByNamespace(own.GetProperty("updated"), all);
        var again = await mailbox.CallAsync("expire_all", mailbox.AllOf("expire_all", expiry, "all"));
        Assert.Equal("{}", mailbox.CheckSwarm(again, _ => mailbox.Account.Hex + Text.Number(expiry)).GetProperty("updated").GetRawText());
    }

    [Theory, Everywhere]
    public async Task ExpireAll_MoreThan60SecondsInThePast_Is406BeforeTheSignatureIsLookedAt(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        const string Text406 = "expire_all timestamp should be >= current time";

        await mailbox.CallOkAsync("expire_all", mailbox.AllOf("expire_all", mailbox.Now - 45_000));
        (await mailbox.CallAsync("expire_all", mailbox.AllOf("expire_all", mailbox.Now - 75_000))).ShouldBe(406, Text406);
        (await mailbox.CallAsync("expire_all", mailbox.AllOf("expire_all", mailbox.Now - 75_000).With("signature", mailbox.Account.Sign("")))).ShouldBe(406, Text406);
        (await mailbox.CallAsync("expire_all", mailbox.AllOf("expire_all", mailbox.Now).With("signature", mailbox.Account.Sign("")))).ShouldBe(401, "expire_all signature verification failed");
    }

    /// <summary>Sends it, and checks every member's signature over the text of section 11.</summary>
    private static async Task<JsonElement> ExpireAsync(Mailbox mailbox, string[] hashes, string mode, params long[] expiries)
    {
        var answer = await mailbox.CallAsync("expire", mailbox.ExpireOf(hashes, mode, expiries));
        return mailbox.CheckSwarm(answer, entry =>
        {
            var expiry = entry.GetProperty("expiry");
            var times = expiry.ValueKind is JsonValueKind.Array ? expiry.EnumerateArray().Select(time => time.GetInt64()) : [expiry.GetInt64()];
            var unchanged = entry.TryGetProperty("unchanged", out var found)
                ? found.EnumerateObject().OrderBy(member => member.Name, StringComparer.Ordinal).Select(member => member.Name + Text.Number(member.Value.GetInt64())) : [];
            return mailbox.Account.Hex + string.Concat(times.Select(Text.Number)) + string.Concat(hashes)
                + string.Concat(entry.GetProperty("updated").Strings()) + string.Concat(unchanged);
        });
    }

    private static void RequireFork(Mailbox mailbox) =>
        Assert.SkipWhen(mailbox.Network.HardFork.CompareTo((19, 4)) < 0, "Several expiries in one request need hard fork 19.4.");
}

/// <summary>What happens to messages whose time has come: the waits of all rules run at the same time.</summary>
[Section("storage-rpc.md", "9, 15")]
public sealed class SweepRules(Networks networks) : RuleSet(networks)
{
    private static readonly TimeSpan SweepLimit = TimeSpan.FromSeconds(45); // a sweep every 10 s, generously

    [Theory, OnEveryStore]
    public async Task ExpiredMessages_AreSweptAndTheOthersStay(Store store)
    {
        // However a message came to expire: by its own lifetime, by expire, by expire_all, by a duplicate that did not extend it.
        var mailboxes = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => MailboxAsync(store, Transport.Direct)));
        var waits = new List<Task>();
        foreach (var (i, mailbox) in mailboxes.Index())
        {
            var now = mailbox.Now;
            var stays = await mailbox.StoreAsync("stays");
            var goes = await mailbox.StoreAsync(i is 1 or 2 or 3 ? mailbox.StoreOf("goes") : mailbox.StoreOf("goes"u8, timestamp: now - 9000, ttl: 10_000));
            var last = stays;
            switch (i)
            {
                case 1:
                    await mailbox.CallOkAsync("expire", mailbox.ExpireOf([goes], "", now - 30_000));
                    break;
                case 2:
                    await mailbox.CallOkAsync("expire", mailbox.ExpireOf([goes], "shorten", now + 1000));
                    break;
                case 3:
                    last = await mailbox.StoreAsync("stays", 5);
                    await mailbox.CallOkAsync("expire_all", mailbox.AllOf("expire_all", now));
                    break;
                case 4: // extended in time: it is the rest that goes
                    await mailbox.CallOkAsync("expire", mailbox.ExpireOf([stays], "extend", now + Mailbox.Day));
                    break;
                case 5:
                    await mailbox.StoreAsync(mailbox.StoreOf("goes"u8, timestamp: now - 9500, ttl: 10_000));
                    break;
                default:
                    break;
            }

            var (inbox, other) = i == 3 ? (Array.Empty<string>(), 5) : ([stays], 0);
            waits.Add(Network.WaitAsync($"mailbox {i} is swept", SweepLimit, async () =>
                (await mailbox.HashesAsync()).SequenceEqual(inbox) && (await mailbox.HashesAsync(other)).SequenceEqual([last])));
            waits.Add(Network.WaitAsync($"get_expiries forgets in mailbox {i}", SweepLimit, async () => !(await mailbox.ExpiriesAsync(goes)).ContainsKey(goes)));
        }

        await Task.WhenAll(waits);

        // A swept message can be stored again as a new one; a last_hash that was swept starts from the beginning.
        var first = mailboxes[0];
        var again = await first.CallAsync("store", first.StoreOf("goes"));
        Assert.False(first.CheckSwarm(again, _ => first.Account.HashOf("goes"u8)).TryGetProperty("already", out _));
        var second = mailboxes[1];
        var page = await second.CallOkAsync("retrieve", second.RetrieveOf().With("last_hash", second.Account.HashOf("goes"u8)));
        Assert.Equal(1, page.GetProperty("messages").GetArrayLength());
    }
}
