using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using Session.Orleans.Conformance.Harness;

namespace Session.Orleans.Conformance.Rules;

/// <summary>Reading messages.</summary>
[Section("storage-rpc.md", "9")]
public sealed class RetrieveRules(Networks networks) : RuleSet(networks)
{
    private const string BadTime = "retrieve timestamp too far from current time", BadSignature = "retrieve signature verification failed";

    [Theory, Everywhere]
    public async Task Reply_HasDataExpirationHashAndTimestamp(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var time = mailbox.Now - 5000;
        var hash = await mailbox.StoreAsync(mailbox.StoreOf("hello"u8, timestamp: time));

        var json = await mailbox.CallOkAsync("retrieve", mailbox.RetrieveOf());

        Assert.Equal(["hf", "messages", "more", "t"], json.Names());
        Assert.False(json.GetProperty("more").GetBoolean());
        var message = Assert.Single(json.GetProperty("messages").EnumerateArray());
        Assert.Equal(["data", "expiration", "hash", "timestamp"], message.Names());
        Assert.Equal(("aGVsbG8=", time + Mailbox.Hour, hash, time),
            (message.GetProperty("data").GetString(), message.GetProperty("expiration").GetInt64(), message.GetProperty("hash").GetString(), message.GetProperty("timestamp").GetInt64()));
    }

    [Theory, Everywhere]
    public async Task UnknownAccount_HasAnEmptyList(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var json = await mailbox.CallOkAsync("retrieve", mailbox.RetrieveOf());

        Assert.Equal((0, false), (json.GetProperty("messages").GetArrayLength(), json.GetProperty("more").GetBoolean()));
    }

    [Theory, Everywhere]
    public async Task Anonymous_WithoutNamespace_Is401(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync("retrieve", mailbox.Anonymous())).ShouldBe(401, "retrieve: request signature required");
    }

    [Theory]
    [Everywhere("timestamp")]
    [Everywhere("pubkey_ed25519")]
    public async Task OneSignatureField_MakesTheRequestAuthenticated(Store store, Transport via, string field)
    {
        var mailbox = await MailboxAsync(store, via);
        var parameters = mailbox.Anonymous().With("namespace", -10);

        (await mailbox.CallAsync("retrieve", parameters.With(field, field is "timestamp" ? JsonValue.Create(mailbox.Now) : mailbox.Account.SigningKeyHex)))
            .ShouldBeInvalid("Required field 'signature' missing");
    }

    [Theory, Everywhere]
    public async Task SignatureWithoutTimestamp_IsRefused(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync("retrieve", mailbox.RetrieveOf(-10).Without("timestamp"))).ShouldBeInvalid("Required field 'timestamp' missing");
    }

    [Theory, Everywhere]
    public async Task Signature_IsVerifiedEvenWhereNoneIsNeeded(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        await mailbox.CallOkAsync("retrieve", mailbox.RetrieveOf(-10));
        (await mailbox.CallAsync("retrieve", mailbox.RetrieveOf(-10).With("signature", mailbox.Account.Sign("")))).ShouldBe(401, BadSignature);
    }

    [Theory]
    [Everywhere(-75, false)]
    [Everywhere(-45, true)]
    [Everywhere(45, true)]
    [Everywhere(75, false)]
    public async Task Timestamp_MayBe60SecondsOff(Store store, Transport via, int seconds, bool isAccepted)
    {
        var mailbox = await MailboxAsync(store, via);

        var answer = await mailbox.CallAsync("retrieve", mailbox.RetrieveOf(timestamp: mailbox.Now + (seconds * Mailbox.Second)));

        if (isAccepted)
            answer.ShouldBeJson();
        else
            answer.ShouldBe(406, BadTime);
    }

    [Theory, Everywhere]
    public async Task Time_IsCheckedBeforeTheSignature(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync("retrieve", mailbox.RetrieveOf(timestamp: mailbox.Now - 75_000).With("signature", mailbox.Account.Sign("")))).ShouldBe(406, BadTime);
    }

    [Theory, Everywhere]
    public async Task Messages_ComeInTheOrderOfArrival(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var sent = new List<string>();
        for (var i = 0; i < 5; i++)
            sent.Add(await mailbox.StoreAsync(mailbox.StoreOf(Mailbox.Bytes($"message {i}"), timestamp: mailbox.Now - (i * 1000))));

        Assert.Equal(sent, await mailbox.HashesAsync());
    }

    [Theory]
    [Everywhere("last_hash")]
    [Everywhere("lastHash")]
    public async Task LastHash_OfAStoredMessage_GivesLaterOnesOnly(Store store, Transport via, string name)
    {
        var (mailbox, hashes) = await FilledAsync(store, via, 3);

        for (var i = 0; i < hashes.Length; i++)
            Assert.Equal(hashes[(i + 1)..], await PageAsync(mailbox, mailbox.RetrieveOf().With(name, hashes[i])));
    }

    [Theory, Everywhere]
    public async Task LastHash_Unknown_GivesAll(Store store, Transport via)
    {
        var (mailbox, hashes) = await FilledAsync(store, via, 3);
        var elsewhere = await mailbox.StoreAsync("in another namespace", 1);
        await mailbox.CallOkAsync("delete", mailbox.DeleteOf([hashes[1]]));
        string[] left = [hashes[0], hashes[2]];

        foreach (var last in (string[])[elsewhere, hashes[1], mailbox.Account.HashOf("never stored"u8), ""])
            Assert.Equal(left, await PageAsync(mailbox, mailbox.RetrieveOf().With("last_hash", last)));
    }

    [Theory]
    [Everywhere("abc", "Invalid last_hash: expected base64 (43 chars)")]
    [Everywhere("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "Invalid last_hash: expected base64 (43 chars)")]
    [Everywhere("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-_", "Invalid last_hash: not base64")]
    public async Task LastHash_OfAnotherForm_IsRefused(Store store, Transport via, string last, string text)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync("retrieve", mailbox.RetrieveOf().With("last_hash", last))).ShouldBeInvalid(text);
        (await mailbox.CallAsync("retrieve", mailbox.RetrieveOf().With("lastHash", last))).ShouldBeInvalid(text);
    }

    [Theory, Everywhere]
    public async Task LastHash_UnderBothNames_IsRefused(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync("retrieve", mailbox.RetrieveOf().With("last_hash", "").With("lastHash", ""))).ShouldBeInvalid("Cannot specify both 'last_hash' and 'lastHash'");
    }

    [Theory]
    [Everywhere(1, 1, true)]
    [Everywhere(4, 4, true)]
    [Everywhere(5, 5, false)]
    [Everywhere(6, 5, false)]
    [Everywhere(0, 5, false)]
    public async Task MaxCount_LimitsTheMessages(Store store, Transport via, int count, int expected, bool more)
    {
        var (mailbox, hashes) = await FilledAsync(store, via, 5);

        var json = await mailbox.CallOkAsync("retrieve", mailbox.RetrieveOf().With("max_count", count));

        Assert.Equal(hashes[..expected], json.GetProperty("messages").EnumerateArray().Select(message => message.GetProperty("hash").GetString()!));
        Assert.Equal(more, json.GetProperty("more").GetBoolean());
    }

    [Theory]
    [Everywhere(1, 1)] // the first one always
    [Everywhere(182, 1)]
    [Everywhere(183, 1)]
    [Everywhere(365, 1)]
    [Everywhere(366, 2)]
    [Everywhere(548, 2)]
    [Everywhere(549, 3)]
    [Everywhere(0, 3)]
    [Everywhere(10_000_000, 3)]
    public async Task MaxSize_LimitsTheSumOf143AndFourThirdsOfTheData(Store store, Transport via, int size, int expected)
    {
        var mailbox = await MailboxAsync(store, via);
        for (var i = 0; i < 3; i++)
            await mailbox.StoreAsync($"a message of thirty letters: {i}"[..30].Replace(':', (char)('0' + i)));

        var json = await mailbox.CallOkAsync("retrieve", mailbox.RetrieveOf().With("max_size", size));

        Assert.Equal(expected, json.GetProperty("messages").GetArrayLength()); // 100 + 43 + 40 each
        Assert.Equal(expected < 3, json.GetProperty("more").GetBoolean());
    }

    [Theory, Everywhere]
    public async Task MaxSize_RoundsTheDataDown(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        await mailbox.StoreAsync("ab"); // 100 + 43 + floor(8 / 3) = 145
        await mailbox.StoreAsync("cd");

        Assert.Single(await PageAsync(mailbox, mailbox.RetrieveOf().With("max_size", 289)));
        Assert.Equal(2, (await PageAsync(mailbox, mailbox.RetrieveOf().With("max_size", 290))).Length);
    }

    [Theory, Everywhere]
    public async Task MaxCountAndMaxSize_HoldBoth(Store store, Transport via)
    {
        var (mailbox, hashes) = await FilledAsync(store, via, 5);

        Assert.Equal(hashes[..2], await PageAsync(mailbox, mailbox.RetrieveOf().With("max_count", 2).With("max_size", -1)));
        Assert.Equal(hashes[..1], await PageAsync(mailbox, mailbox.RetrieveOf().With("max_count", 2).With("max_size", 1)));
    }

    [Theory]
    [Everywhere(null, null, 16)] // neither: a fifth of the largest reply
    [Everywhere(0, 0, 16)]
    [Everywhere(null, -5, 16)]
    [Everywhere(null, -3, 27)]
    [Everywhere(null, -1, 83)]
    [Everywhere(null, 7_800_000, 83)]
    [Everywhere(null, 2_000_000_000, 83)]
    [Everywhere(1000, null, 83)] // with max_count alone the largest reply
    [Everywhere(null, -2_147_483_648, 1)]
    public async Task MaxSize_Negative_IsAFractionOfTheLargestReply(Store store, Transport via, int? count, int? size, int expected)
    {
        var mailbox = await LargeMailboxAsync(store, via);

        var json = await mailbox.CallOkAsync("retrieve", mailbox.RetrieveOf().With("max_count", count).With("max_size", size));

        Assert.Equal((expected, true), (json.GetProperty("messages").GetArrayLength(), json.GetProperty("more").GetBoolean()));
    }

    [Theory, Everywhere]
    public async Task Paging_WithLastHash_GivesEveryMessageOnce(Store store, Transport via)
    {
        var (mailbox, hashes) = await FilledAsync(store, via, 7);
        var received = new List<string>();
        for (var more = true; more;)
        {
            var json = await mailbox.CallOkAsync("retrieve", mailbox.RetrieveOf().With("max_count", 3).With("last_hash", received.LastOrDefault()));
            received.AddRange(json.GetProperty("messages").EnumerateArray().Select(message => message.GetProperty("hash").GetString()!));
            more = json.GetProperty("more").GetBoolean();
        }

        Assert.Equal(hashes, received);
    }

    private static readonly ConcurrentDictionary<Store, Lazy<Task<Account>>> LargeMailboxes = new();

    // 85 messages of 70000 bytes, 93476 each by the formula; made once per store.
    private async Task<Mailbox> LargeMailboxAsync(Store store, Transport via)
    {
        var network = await NetworkAsync(store);
        var account = await LargeMailboxes.GetOrAdd(store, _ => new(async () =>
        {
            var mailbox = new Mailbox(network, Transport.Direct, Account.Session());
            var data = new byte[70_000];
            await Parallel.ForAsync(0, 85, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (i, _) =>
                await mailbox.StoreAsync(mailbox.StoreOf((byte[])[(byte)i, .. data[1..]])));
            return mailbox.Account;
        })).Value;
        return new(network, via, account);
    }

    private async Task<(Mailbox Mailbox, string[] Hashes)> FilledAsync(Store store, Transport via, int count)
    {
        var mailbox = await MailboxAsync(store, via);
        var hashes = new string[count];
        for (var i = 0; i < count; i++)
            hashes[i] = await mailbox.StoreAsync($"message {i}");
        return (mailbox, hashes);
    }

    private static async Task<string[]> PageAsync(Mailbox mailbox, JsonObject parameters) =>
        [.. (await mailbox.CallOkAsync("retrieve", parameters)).GetProperty("messages").EnumerateArray().Select(message => message.GetProperty("hash").GetString()!)];
}

/// <summary>Asking when messages expire.</summary>
[Section("storage-rpc.md", "9")]
public sealed class GetExpiriesRules(Networks networks) : RuleSet(networks)
{
    [Theory, Everywhere]
    public async Task Reply_HasTheKnownOnesOfAnyNamespace(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var now = mailbox.Now;
        var inbox = await mailbox.StoreAsync(mailbox.StoreOf("x"u8, 0, now));
        var own = await mailbox.StoreAsync(mailbox.StoreOf("x"u8, 5, now, ttl: 2 * Mailbox.Hour));

        var json = await mailbox.CallOkAsync("get_expiries", mailbox.GetExpiriesOf([own, mailbox.Account.HashOf("unknown"u8), inbox]));

        Assert.Equal(["expiries"], json.Names());
        Assert.Equal(Text.Sorted([inbox, own]), json.GetProperty("expiries").Names());
        Assert.Equal((now + Mailbox.Hour, now + (2 * Mailbox.Hour)), (json.GetProperty("expiries").GetProperty(inbox).GetInt64(), json.GetProperty("expiries").GetProperty(own).GetInt64()));
    }

    [Theory, Everywhere]
    public async Task MessagesOfAnotherAccount_AreUnknown(Store store, Transport via)
    {
        var mailbox = await GroupAsync(store, via);
        var hash = await new Mailbox(mailbox.Network, via, mailbox.Account.WithPrefix(0x25)).StoreAsync("x");

        Assert.Empty(await mailbox.ExpiriesAsync(hash));
    }

    [Theory]
    [Everywhere("not a hash")]
    [Everywhere("all")]
    [Everywhere("")]
    public async Task Hashes_OfAnyForm_AreMerelyUnknown(Store store, Transport via, string hash) =>
        Assert.Empty(await (await MailboxAsync(store, via)).ExpiriesAsync(hash));

    [Theory, Everywhere]
    public async Task Messages_Empty_IsRefused(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync("get_expiries", mailbox.GetExpiriesOf([]))).ShouldBeInvalid("messages does not contain any message hashes");
    }

    [Theory]
    [Everywhere(-75, false)]
    [Everywhere(-45, true)]
    [Everywhere(45, true)]
    [Everywhere(75, false)]
    public async Task Timestamp_MayBe60SecondsOff_AndIsCheckedBeforeTheSignature(Store store, Transport via, int seconds, bool isAccepted)
    {
        var mailbox = await MailboxAsync(store, via);
        var parameters = mailbox.GetExpiriesOf(["x"], mailbox.Now + (seconds * Mailbox.Second));

        var answer = await mailbox.CallAsync("get_expiries", parameters);
        if (isAccepted)
        {
            answer.ShouldBeJson();
            (await mailbox.CallAsync("get_expiries", parameters.With("signature", mailbox.Account.Sign("")))).ShouldBe(401, "get_expiries signature verification failed");
        }
        else
        {
            answer.ShouldBe(406, "get_expiries timestamp too far from current time");
            (await mailbox.CallAsync("get_expiries", parameters.With("signature", mailbox.Account.Sign("")))).ShouldBe(406, "get_expiries timestamp too far from current time");
        }
    }

    [Theory, Everywhere]
    public async Task Signature_CoversTheHashesInRequestOrder(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync("get_expiries", mailbox.GetExpiriesOf(["a", "b"]).With("messages", Mailbox.List(["b", "a"]))))
            .ShouldBe(401, "get_expiries signature verification failed");
    }
}
