using System.Text.Json;
using Session.Orleans.Conformance.Harness;

namespace Session.Orleans.Conformance.Rules;

/// <summary>Storing messages.</summary>
[Section("storage-rpc.md", "8")]
public sealed class StoreRules(Networks networks) : RuleSet(networks)
{
    private const string BadLifetime = "Provided expiry/TTL is not valid.", BadClock = "Timestamp error: check your clock",
        BadSignatureTime = "store signature timestamp too far from current time", BadSignature = "store signature verification failed";

    [Theory]
    [Everywhere(0)]
    [Everywhere(5)]
    [Everywhere(-42)]
    public async Task Reply_HasHashExpiryAndSignatureOfEveryMember(Store store, Transport via, int @namespace)
    {
        var mailbox = await MailboxAsync(store, via);
        var now = mailbox.Now;
        var hash = mailbox.Account.HashOf("hello"u8, @namespace);

        var answer = await mailbox.CallAsync("store", mailbox.StoreOf("hello"u8, @namespace, now));

        var own = mailbox.CheckSwarm(answer, _ => hash);
        Assert.Equal(["hash", "hf", "swarm", "t"], answer.ShouldBeJson().Names());
        Assert.Equal(hash, answer.ShouldBeJson().GetProperty("hash").GetString());
        foreach (var entry in answer.ShouldBeJson().GetProperty("swarm").EnumerateObject())
        {
            Assert.Equal(hash, entry.Value.GetProperty("hash").GetString());
            Assert.Equal(now + Mailbox.Hour, entry.Value.GetProperty("expiry").GetInt64());
            answer.Should(!entry.Value.TryGetProperty("already", out _), "no 'already' for a new message");
        }

        answer.Should(own.TryGetProperty("t", out _), "'t' in the entry of the node that answers");
    }

    [Theory]
    [Everywhere("05", 0)]
    [Everywhere("03", 12)]
    [Everywhere("03", -11)]
    public async Task Hash_IsBlake2bOfPrefixKeyNamespaceAndData(Store store, Transport via, string prefix, int @namespace)
    {
        var mailbox = prefix is "05" ? await MailboxAsync(store, via) : await GroupAsync(store, via);
        var data = new byte[1000];
        Random.Shared.NextBytes(data);

        Assert.Equal(mailbox.Account.HashOf(data, @namespace), await mailbox.StoreAsync(mailbox.StoreOf(data, @namespace)));
    }

    [Theory, Everywhere]
    public async Task Hash_DoesNotDependOnTimes(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var hash = await mailbox.StoreAsync("x");

        Assert.Equal(hash, await mailbox.StoreAsync(mailbox.StoreOf("x"u8, timestamp: mailbox.Now - 5000, ttl: Mailbox.Day)));
    }

    [Theory, Everywhere]
    public async Task Hash_WithoutSeparators_MakesCollidingStoresDuplicates(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var first = await mailbox.StoreAsync("0abc", 1);

        var answer = await mailbox.CallAsync("store", mailbox.StoreOf("abc", 10));

        Assert.Equal(first, answer.ShouldBeJson().GetProperty("hash").GetString());
        answer.Should(mailbox.CheckSwarm(answer, _ => first).GetProperty("already").GetBoolean(), "\"already\":true");
        Assert.Equal([first], await mailbox.HashesAsync(1));
        Assert.Empty(await mailbox.HashesAsync(10));
    }

    [Theory, Everywhere]
    public async Task Expiry_MayBeGivenInsteadOfTtl(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var expiry = mailbox.Now + 123_456;
        var hash = await mailbox.StoreAsync(mailbox.StoreOf("x").Without("ttl").With("expiry", expiry));

        Assert.Equal(expiry, (await mailbox.ExpiriesAsync(hash))[hash]);
    }

    [Theory, Everywhere]
    public async Task Duplicate_KeepsTheLaterExpiryTheOriginalTimestampAndItsPlace(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var now = mailbox.Now;
        var first = await mailbox.StoreAsync(mailbox.StoreOf("first"u8, timestamp: now));
        var second = await mailbox.StoreAsync(mailbox.StoreOf("second"u8, timestamp: now));

        var shorter = await mailbox.CallAsync("store", mailbox.StoreOf("first"u8, timestamp: now - 5000, ttl: 60_000));
        Assert.Equal(now + Mailbox.Hour, mailbox.CheckSwarm(shorter, _ => first).GetProperty("expiry").GetInt64());
        var longer = await mailbox.CallAsync("store", mailbox.StoreOf("first"u8, timestamp: now - 5000, ttl: Mailbox.Day));
        var entry = mailbox.CheckSwarm(longer, _ => first);
        Assert.Equal(now - 5000 + Mailbox.Day, entry.GetProperty("expiry").GetInt64());
        Assert.True(entry.GetProperty("already").GetBoolean());

        var messages = (await mailbox.CallOkAsync("retrieve", mailbox.RetrieveOf())).GetProperty("messages");
        Assert.Equal([first, second], messages.EnumerateArray().Select(message => message.GetProperty("hash").GetString()!));
        Assert.Equal((now, now - 5000 + Mailbox.Day), (messages[0].GetProperty("timestamp").GetInt64(), messages[0].GetProperty("expiration").GetInt64()));
    }

    [Theory, Everywhere]
    public async Task Data_Empty_IsLegal(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        await mailbox.StoreAsync("");

        Assert.Equal("", (await mailbox.CallOkAsync("retrieve", mailbox.RetrieveOf())).GetProperty("messages")[0].GetProperty("data").GetString());
    }

    [Theory, Everywhere]
    public async Task Data_Of76800Bytes_IsAcceptedAndOneMoreRefused(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var data = new byte[76_801];
        Random.Shared.NextBytes(data);

        await mailbox.StoreAsync(mailbox.StoreOf(data.AsSpan(1)));
        Assert.Equal(Convert.ToBase64String(data.AsSpan(1)), (await mailbox.CallOkAsync("retrieve", mailbox.RetrieveOf())).GetProperty("messages")[0].GetProperty("data").GetString());
        (await mailbox.CallAsync("store", mailbox.StoreOf(data))).ShouldBeInvalid("Message body exceeds maximum allowed length of 76800 bytes");
    }

    [Theory, Everywhere]
    public async Task Data_NotBase64AndTooLong_IsNotBase64First(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync("store", mailbox.StoreOf("").With("data", new string('*', 110_000)))).ShouldBeInvalid("Invalid 'data' value: not base64 encoded");
    }

    [Theory, Everywhere]
    public async Task Lifetime_Of10Seconds_IsAcceptedAndLessRefused(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        await mailbox.StoreAsync(mailbox.StoreOf("x"u8, ttl: 10_000));
        (await mailbox.CallAsync("store", mailbox.StoreOf("y"u8, ttl: 9_999))).ShouldBe(403, BadLifetime);
        (await mailbox.CallAsync("store", mailbox.StoreOf("y"u8, ttl: 0))).ShouldBe(403, BadLifetime);
        var now = mailbox.Now;
        (await mailbox.CallAsync("store", mailbox.StoreOf("y"u8, timestamp: now).Without("ttl").With("expiry", now - 1))).ShouldBe(403, BadLifetime);
        (await mailbox.CallAsync("store", mailbox.StoreOf("y"u8).WithJson("ttl", "18446744073709551615"))).ShouldBe(403, BadLifetime);
    }

    [Theory, Everywhere]
    public async Task Timestamp_UpTo10SecondsAhead_IsAcceptedAndMoreRefused(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        await mailbox.StoreAsync(mailbox.StoreOf("x"u8, timestamp: mailbox.Now + 5000));
        (await mailbox.CallAsync("store", mailbox.StoreOf("y"u8, timestamp: mailbox.Now + 60_000))).ShouldBe(406, BadClock);
    }

    [Theory, Everywhere]
    public async Task Timestamp_OfLongAgo_IsAcceptedIfTheExpiryIsNot(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        await mailbox.StoreAsync(mailbox.StoreOf("x"u8, timestamp: mailbox.Now - (13 * Mailbox.Day), ttl: 14 * Mailbox.Day));
    }

    [Theory, Everywhere]
    public async Task Expiry_UpTo10SecondsAgo_IsAcceptedAndMoreRefused(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        await mailbox.StoreAsync(mailbox.StoreOf("x"u8, timestamp: mailbox.Now - 60_000, ttl: 59_500));
        (await mailbox.CallAsync("store", mailbox.StoreOf("y"u8, timestamp: mailbox.Now - 60_000, ttl: 40_000))).ShouldBe(406, BadClock);
    }

    [Theory, Everywhere]
    public async Task Checks_ComeInTheirOrder_LifetimeClockSignature(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var late = mailbox.Now + 75_000;

        (await mailbox.CallAsync("store", mailbox.StoreOf("x"u8, 1, late, ttl: 5000).With("signature", mailbox.Account.Sign("")))).ShouldBe(403, BadLifetime);
        (await mailbox.CallAsync("store", mailbox.StoreOf("x"u8, 1, late).With("signature", mailbox.Account.Sign("")))).ShouldBe(406, BadClock);
        (await mailbox.CallAsync("store", mailbox.StoreOf("x"u8, 1, late).Without("signature"))).ShouldBe(406, BadClock);
        (await mailbox.CallAsync("store", mailbox.StoreOf("x"u8, 1, mailbox.Now - 75_000).Without("signature"))).ShouldBe(401, "store: signature required to store to namespace 1");
        (await mailbox.CallAsync("store", mailbox.StoreOf("x"u8, 1, mailbox.Now - 75_000).With("signature", mailbox.Account.Sign("")))).ShouldBe(406, BadSignatureTime);
        (await mailbox.CallAsync("store", mailbox.StoreOf("x"u8, 1).With("signature", mailbox.Account.Sign("")))).ShouldBe(401, BadSignature);
    }

    [Theory]
    [Everywhere(-75, false)]
    [Everywhere(-45, true)]
    [Everywhere(45, true)]
    [Everywhere(75, false)]
    public async Task SigTimestamp_IsWhatIsSignedAndMayBe60SecondsOff(Store store, Transport via, int seconds, bool isAccepted)
    {
        var mailbox = await MailboxAsync(store, via);
        var time = mailbox.Now + (seconds * Mailbox.Second);
        var parameters = mailbox.StoreOf("x"u8, 2, mailbox.Now).With("sig_timestamp", time).With("signature", mailbox.Account.Sign($"store2{Text.Number(time)}"));

        var answer = await mailbox.CallAsync("store", parameters);

        if (isAccepted)
            answer.ShouldBeJson();
        else
            answer.ShouldBe(406, BadSignatureTime);
    }

    [Theory, Everywhere]
    public async Task SigTimestamp_AllowsOldTimestampsInPrivateNamespaces(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var time = mailbox.Now;

        await mailbox.StoreAsync(mailbox.StoreOf("x"u8, 2, time - Mailbox.Hour, ttl: Mailbox.Day).With("sig_timestamp", time)
            .With("signature", mailbox.Account.Sign($"store2{Text.Number(time)}")));
    }

    [Theory, Everywhere]
    public async Task Signature_IsOverMethodNamespaceAndTime(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var time = mailbox.Now;

        foreach (var text in (string[])[$"store{Text.Number(time)}", $"store3{Text.Number(time)}", $"2{Text.Number(time)}", $"store2{Text.Number(time + 1)}"])
            (await mailbox.CallAsync("store", mailbox.StoreOf("x"u8, 2, time).With("signature", mailbox.Account.Sign(text)))).ShouldBe(401, BadSignature);
        Assert.Empty(await mailbox.HashesAsync(2));
    }

    [Theory, Everywhere]
    public async Task PublicInbox_SignatureSent_MustBeWellFormedButIsNotVerified(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync("store", mailbox.StoreOf("x").With("signature", "nonsense"))).ShouldBeInvalid("invalid signature: expected base64 encoded Ed25519 signature");
        await mailbox.StoreAsync(mailbox.StoreOf("x").With("signature", Convert.ToBase64String(new byte[64])));
        await mailbox.StoreAsync(mailbox.StoreOf("y").With("signature", Convert.ToBase64String(new byte[64])).With("sig_timestamp", 1_000_000_000_000));
    }

    [Theory, Everywhere]
    public async Task SignatureFields_WithoutASignature_AreIgnored(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        await mailbox.StoreAsync(mailbox.StoreOf("x").With("pubkey_ed25519", "zz").With("subaccount", "nonsense").With("subaccount_sig", "!"));
    }

    [Theory, Everywhere]
    public async Task ParseErrors_ComeInTheirOrder(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var wrong = mailbox.StoreOf("x").With("data", "*").With("signature", "?").With("pubkey", "zz").Without("ttl").Without("timestamp");

        (await mailbox.CallAsync("store", wrong)).ShouldBeInvalid("Required field 'timestamp' missing");
        (await mailbox.CallAsync("store", wrong.With("timestamp", mailbox.Now))).ShouldBeInvalid("Required field 'expiry' or 'ttl' missing");
        (await mailbox.CallAsync("store", wrong.With("ttl", 60_000))).ShouldBeInvalid("Pubkey must be 66 hex digits (33 bytes) long");
        (await mailbox.CallAsync("store", wrong.With("pubkey", mailbox.Account.Hex))).ShouldBeInvalid("invalid signature: expected base64 encoded Ed25519 signature");
        (await mailbox.CallAsync("store", wrong.Without("signature").Without("data"))).ShouldBeInvalid("Required field 'data' missing");
        (await mailbox.CallAsync("store", wrong.With("data", "*"))).ShouldBeInvalid("Invalid 'data' value: not base64 encoded");
    }

    [Theory, Everywhere]
    public async Task Store_InParallel_KeepsEveryMessageOnce(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        var hashes = await Task.WhenAll(Enumerable.Range(0, 12).Select(i => mailbox.StoreAsync($"message {i % 6}")));

        Assert.Equal(6, hashes.Distinct().Count());
        Assert.Equal(Text.Sorted(hashes.Distinct()), Text.Sorted(await mailbox.HashesAsync()));
    }
}
