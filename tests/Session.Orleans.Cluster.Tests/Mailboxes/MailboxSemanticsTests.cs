using System.Text;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Cluster.Tests.Mailboxes;

/// <summary>The storage RPC through onion requests, from any gateway to any silo.</summary>
public sealed class MailboxSemanticsTests(TestCluster cluster)
{
    private readonly Ed25519KeyPair _keys = Ed25519KeyPair.Generate();

    private AccountId Account => _keys.SessionId;

    [Fact]
    public async Task PublicOutbox_KeepsTheLastMessageAndIsReadByAnyone()
    {
        await StoreAsync("one", -1);
        await StoreAsync("two", -1);
        await StoreAsync("elsewhere", -21);
        var anonymous = await cluster.AnyClient.SendAsync(Account, new RetrieveRequest { Account = Account, Namespace = -1 });
        Assert.Equal(["two"], anonymous.Messages);

        // Storing the kept one again changes nothing, and the replaced one counts as new.
        Assert.All((await StoreAsync("two", -1)).Members, member => Assert.True(RpcReply.IsTrue(member, "already")));
        Assert.All((await StoreAsync("one", -1)).Members, member => Assert.False(RpcReply.IsTrue(member, "already")));
        Assert.Equal(["one"], await RetrieveAsync(-1));
        Assert.Equal(["elsewhere"], await RetrieveAsync(-21));
    }

    [Fact]
    public async Task ExpiredMessage_DisappearsAtTheSweepAndNotBefore()
    {
        await StoreAsync("stays");
        using var held = cluster.Clock.Hold();
        // Expires in the middle between two sweeps.
        var expiry = (cluster.Clock.NowMs / 10_000 * 10_000) + 25_000;
        await StoreAsync("goes", expiry: expiry);
        Assert.Equal(["stays", "goes"], await RetrieveAsync());

        cluster.Clock.MoveTo(expiry + 4_999);
        Assert.Equal(["stays", "goes"], await RetrieveAsync());
        Assert.Equal(2, (await FindAsync("stays", "goes")).Count);

        cluster.Clock.MoveTo(expiry + 5_000);
        Assert.Equal(["stays"], await RetrieveAsync());
        Assert.Equal([HashOf("stays")], (await FindAsync("stays", "goes")).Keys);

        // It is a new message when it is stored again.
        Assert.All((await StoreAsync("goes")).Members, member => Assert.False(RpcReply.IsTrue(member, "already")));
        Assert.Equal(["stays", "goes"], await RetrieveAsync());
    }

    [Fact]
    public async Task DuplicateStore_KeepsPlaceAndTimestampAndTheLaterExpiry()
    {
        using var held = cluster.Clock.Hold();
        var now = cluster.Clock.NowMs;
        await StoreAsync("one", expiry: now + 3_600_000);
        await StoreAsync("two");
        cluster.Clock.MoveTo(now + 1_000);
        var again = await StoreAsync("one", expiry: now + 7_200_000);
        Assert.Equal(now + 7_200_000, again.Agreed("expiry").GetInt64());
        Assert.Equal(now + 7_200_000, (await StoreAsync("one", expiry: now + 100_000)).Agreed("expiry").GetInt64());
        var reply = await SendAsync(new RetrieveRequest { Account = Account, Timestamp = cluster.Clock.NowMs });
        Assert.Equal(["one", "two"], reply.Messages);
        var first = reply.Json.GetProperty("messages")[0];
        Assert.Equal(now, first.GetProperty("timestamp").GetInt64());
        Assert.Equal(now + 7_200_000, first.GetProperty("expiration").GetInt64());
    }

    [Fact]
    public async Task RevokedToken_GivesAccessToUnrevocableNamespacesOnly()
    {
        var group = new AccountId(AccountId.GroupPrefix, _keys.PublicKey.Value);
        var member = Ed25519KeyPair.Generate();
        var credential = SubaccountCredential.Issue(_keys, new(AccountId.GroupPrefix, SubaccountFlags.Read | SubaccountFlags.Write, member.PublicKey));
        async Task<int> StoreAsMemberAsync(short @namespace, string text) =>
            (await cluster.AnyClient.SendAsync(StoreRequest(group, text, @namespace), member, credential)).Status;
        async Task<RpcReply> ReadAsMemberAsync(short @namespace) => await cluster.AnyClient.SendAsync(
            new RetrieveRequest { Account = group, Namespace = @namespace, Timestamp = cluster.Clock.NowMs }, member, credential);

        Assert.Equal(200, await StoreAsMemberAsync(11, "one"));
        Assert.Equal(200, await StoreAsMemberAsync(-11, "farewell"));
        Assert.Equal(["one"], (await ReadAsMemberAsync(11)).Messages);

        var revoked = await cluster.AnyClient.SendAsync(
            new RevokeSubaccountRequest { Account = group, Tokens = [credential.Token], Timestamp = cluster.Clock.NowMs }, _keys);
        Assert.All(revoked.Members, entry => Assert.True(entry.TryGetProperty("signature", out _)));
        Assert.Equal(401, await StoreAsMemberAsync(11, "two"));
        Assert.Equal(401, await StoreAsMemberAsync(-11, "two"));
        Assert.Equal(new RpcReply(401, "retrieve signature verification failed"), await ReadAsMemberAsync(11));
        Assert.Equal(["farewell"], (await ReadAsMemberAsync(-11)).Messages);

        var unrevoked = await cluster.AnyClient.SendAsync(
            new UnrevokeSubaccountRequest { Account = group, Tokens = [credential.Token], Timestamp = cluster.Clock.NowMs }, _keys);
        Assert.Equal(1, unrevoked.Agreed("count").GetInt32());
        Assert.Equal(200, await StoreAsMemberAsync(11, "two"));
        Assert.Equal(["one", "two"], (await ReadAsMemberAsync(11)).Messages);
    }

    [Fact]
    public async Task Delete_OfSomeKnownMessages_ReturnsThoseFound()
    {
        await StoreAllAsync(("one", 0), ("two", 2), ("three", 0));
        var request = new DeleteRequest { Account = Account, Messages = Texts(HashOf("one"), HashOf("two", 2), HashOf("never")) };
        Assert.Equal(Sorted(HashOf("one"), HashOf("two", 2)), (await SendAsync(request)).AgreedHashes("deleted"));
        Assert.Empty((await SendAsync(request)).AgreedHashes("deleted"));
        Assert.Equal(404, (await SendAsync(request with { Required = true })).Status);
        Assert.Equal(["three"], await RetrieveAsync());
        Assert.Empty(await RetrieveAsync(2));
    }

    [Fact]
    public async Task DeleteAll_OfOneNamespaceOrAll_ReturnsWhatWasThere()
    {
        await StoreAllAsync(("one", 0), ("two", 0), ("three", 2), ("four", 5));
        var one = await SendAsync(new DeleteAllRequest { Account = Account, Timestamp = cluster.Clock.NowMs, Namespace = NamespaceSelector.Of(0) });
        Assert.Equal(Sorted(HashOf("one"), HashOf("two")), one.AgreedHashes("deleted"));
        var all = await SendAsync(new DeleteAllRequest { Account = Account, Timestamp = cluster.Clock.NowMs, Namespace = NamespaceSelector.All });
        var byNamespace = all.Agreed("deleted").EnumerateObject().ToDictionary(one => one.Name, one => one.Value[0].GetString());
        Assert.Equal(["2", "5"], byNamespace.Keys.Order());
        Assert.Equal(HashOf("three", 2), byNamespace["2"]);
        Assert.Equal(HashOf("four", 5), byNamespace["5"]);
        Assert.Empty(await RetrieveAsync(5));
    }

    [Fact]
    public async Task DeleteBefore_TakesTheTimestampItselfToo()
    {
        using var held = cluster.Clock.Hold();
        var now = cluster.Clock.NowMs;
        await StoreAsync("one");
        cluster.Clock.MoveTo(now + 10);
        await StoreAsync("two");
        await StoreAsync("other", 2);
        cluster.Clock.MoveTo(now + 20);
        await StoreAsync("three");
        var reply = await SendAsync(new DeleteBeforeRequest { Account = Account, Before = now + 10, Namespace = NamespaceSelector.Of(0) });
        Assert.Equal(Sorted(HashOf("one"), HashOf("two")), reply.AgreedHashes("deleted"));
        Assert.Equal(["three"], await RetrieveAsync());
        Assert.Equal(["other"], await RetrieveAsync(2));
    }

    [Fact]
    public async Task Expire_SetShortenExtend_ReportUpdatedAndUnchanged()
    {
        using var held = cluster.Clock.Hold();
        var now = cluster.Clock.NowMs;
        await StoreAsync("short", expiry: now + 100_000);
        await StoreAsync("long", expiry: now + 900_000);
        var request = new ExpireRequest { Account = Account, Messages = Texts(HashOf("short"), HashOf("long"), HashOf("never")), Expiries = [now + 500_000] };

        var shortened = await SendAsync(request with { Shorten = true });
        Assert.Equal([HashOf("long")], shortened.AgreedHashes("updated"));
        Assert.Equal(now + 100_000, shortened.Agreed("unchanged").GetProperty(HashOf("short")).GetInt64());

        var extended = await SendAsync(request with { Extend = true });
        Assert.Equal([HashOf("short")], extended.AgreedHashes("updated"));
        Assert.Equal(now + 500_000, extended.Agreed("unchanged").GetProperty(HashOf("long")).GetInt64());

        var set = await SendAsync(request with { Expiries = [now + 600_000, now + 700_000, now + 800_000] });
        Assert.Equal(Sorted(HashOf("short"), HashOf("long")), set.AgreedHashes("updated"));
        Assert.All(set.Members, member => Assert.False(member.TryGetProperty("unchanged", out _)));
        var found = await FindAsync("short", "long");
        Assert.Equal(now + 600_000, found[HashOf("short")]);
        Assert.Equal(now + 700_000, found[HashOf("long")]);
    }

    [Fact]
    public async Task ExpireAll_OnlyShortens()
    {
        using var held = cluster.Clock.Hold();
        var now = cluster.Clock.NowMs;
        await StoreAsync("short", expiry: now + 100_000);
        await StoreAsync("long", expiry: now + 900_000);
        await StoreAsync("other", 2, expiry: now + 900_000);
        var reply = await SendAsync(new ExpireAllRequest { Account = Account, Expiry = now + 500_000, Namespace = NamespaceSelector.All });
        Assert.Equal(["0", "2"], reply.Agreed("updated").EnumerateObject().Select(one => one.Name).Order());
        var found = await FindAsync("short", "long");
        Assert.Equal(now + 100_000, found[HashOf("short")]);
        Assert.Equal(now + 500_000, found[HashOf("long")]);
    }

    [Fact]
    public async Task MailboxOfManyMessages_IsReadPageByPageInOrder()
    {
        const int Count = 300;
        for (var i = 0; i < Count; i += 20)
        {
            var requests = Enumerable.Range(i, 20).Select(n => (StorageRequest)StoreRequest(Account, $"message {n}", 0));
            var reply = await cluster.AnyClient.SendAsync(Account, new SequenceRequest { Requests = [.. requests] });
            Assert.All(reply.Json.GetProperty("results").EnumerateArray(), result => Assert.Equal(200, result.GetProperty("code").GetInt32()));
        }

        List<string> read = [];
        MessageHash? last = null;
        for (var more = true; more;)
        {
            var reply = await SendAsync(new RetrieveRequest { Account = Account, LastHash = last, MaxCount = 70, Timestamp = cluster.Clock.NowMs });
            read.AddRange(reply.Messages);
            more = reply.Json.GetProperty("more").GetBoolean();
            Assert.True(MessageHash.TryParse(Encoding.ASCII.GetBytes(HashOf(read[^1])), out var hash));
            last = hash;
        }

        Assert.Equal(Enumerable.Range(0, Count).Select(i => $"message {i}"), read);
    }

    [Fact]
    public async Task StoreThatRefuses_FailsAtEveryMemberAndAcknowledgesNothing()
    {
        await StoreAsync("before");
        using (cluster.Store.Fail(Account, StoreFault.Refuse))
        {
            var stored = await StoreUncheckedAsync("lost");
            Assert.Equal(200, stored.Status);
            Assert.Equal(cluster.Silos[0].View.SwarmOf(Account)!.Members.Length, stored.Members.Length);
            Assert.All(stored.Members, member =>
            {
                Assert.True(RpcReply.IsTrue(member, "failed") && RpcReply.IsTrue(member, "query_failure"), member.GetRawText());
                Assert.False(member.TryGetProperty("signature", out _));
            });
            Assert.False(stored.Json.TryGetProperty("hash", out _));

            var read = await SendAsync(new RetrieveRequest { Account = Account, Timestamp = cluster.Clock.NowMs });
            Assert.Equal(500, read.Status);
            Assert.StartsWith("Internal Server Error. Could not retrieve messages for ", read.Text, StringComparison.Ordinal);
            Assert.DoesNotContain(Account.ToString(), read.Text, StringComparison.Ordinal);

            var deleted = await SendAsync(new DeleteRequest { Account = Account, Messages = Texts(HashOf("before")) });
            Assert.All(deleted.Members, member => Assert.True(RpcReply.IsTrue(member, "failed")));
            var expired = await SendAsync(new ExpireAllRequest { Account = Account, Expiry = cluster.Clock.NowMs });
            Assert.All(expired.Members, member => Assert.True(RpcReply.IsTrue(member, "failed")));
        }

        Assert.Equal(["before"], await RetrieveAsync());
        Assert.All((await StoreAsync("lost")).Members, member => Assert.False(RpcReply.IsTrue(member, "already")));
        Assert.Equal(["before", "lost"], await RetrieveAsync());
    }

    [Fact]
    public async Task StoreThatRefusesFromTheBeginning_IsAskedAgainByTheNextRequest()
    {
        using (cluster.Store.Fail(Account, StoreFault.Refuse))
        {
            Assert.Equal(500, (await SendAsync(new RetrieveRequest { Account = Account, Timestamp = cluster.Clock.NowMs })).Status);
            Assert.Equal(500, (await SendAsync(new RetrieveRequest { Account = Account, Timestamp = cluster.Clock.NowMs })).Status);
        }

        await StoreAsync("after");
        Assert.Equal(["after"], await RetrieveAsync());
    }

    [Fact]
    public async Task StoreWhoseReplyIsLost_AcknowledgesNothingAndTheRetryIsADuplicate()
    {
        await StoreAsync("before");
        using (cluster.Store.Fail(Account, StoreFault.LoseReply))
        {
            var stored = await StoreUncheckedAsync("uncertain");
            Assert.All(stored.Members, member => Assert.True(RpcReply.IsTrue(member, "query_failure")));
            Assert.False(stored.Json.TryGetProperty("hash", out _));
        }

        Assert.All((await StoreAsync("uncertain")).Members, member => Assert.False(RpcReply.IsTrue(member, "failed")));
        Assert.Equal(["before", "uncertain"], await RetrieveAsync());
    }

    private StoreRequest StoreRequest(AccountId account, string text, short @namespace, long? expiry = null)
    {
        var now = cluster.Clock.NowMs;
        return new()
        {
            Account = account, Namespace = @namespace, Timestamp = now, Expiry = expiry ?? now + (long)TestClient.Day.TotalMilliseconds,
            Data = Encoding.UTF8.GetBytes(text),
        };
    }

    private async Task<RpcReply> StoreAsync(string text, short @namespace = 0, long? expiry = null)
    {
        var reply = await StoreUncheckedAsync(text, @namespace, expiry);
        Assert.Equal(HashOf(text, @namespace), reply.Agreed("hash").GetString());
        Assert.Equal(HashOf(text, @namespace), reply.Json.GetProperty("hash").GetString());
        return reply;
    }

    private Task<RpcReply> StoreUncheckedAsync(string text, short @namespace = 0, long? expiry = null) =>
        SendAsync(StoreRequest(Account, text, @namespace, expiry));

    private async Task StoreAllAsync(params (string Text, short Namespace)[] messages)
    {
        foreach (var (text, @namespace) in messages)
            await StoreAsync(text, @namespace);
    }

    private async Task<string[]> RetrieveAsync(short @namespace = 0) => (await SendAsync(
        new RetrieveRequest { Account = Account, Namespace = @namespace, Timestamp = cluster.Clock.NowMs })).Messages;

    /// <summary>Expiries of messages of namespace 0, by hash.</summary>
    private async Task<Dictionary<string, long>> FindAsync(params string[] texts)
    {
        var reply = await SendAsync(new GetExpiriesRequest
        {
            Account = Account, Messages = Texts([.. texts.Select(text => HashOf(text))]), Timestamp = cluster.Clock.NowMs,
        });
        return reply.Json.GetProperty("expiries").EnumerateObject().ToDictionary(one => one.Name, one => one.Value.GetInt64());
    }

    private Task<RpcReply> SendAsync(AccountRequest request) => cluster.AnyClient.SendAsync(request, _keys);

    private string HashOf(string text, short @namespace = 0) => MessageHash.Compute(Account, @namespace, Encoding.UTF8.GetBytes(text)).ToString();

    private static System.Collections.Immutable.ImmutableArray<MessageHashText> Texts(params string[] hashes) =>
        [.. hashes.Select(hash => new MessageHashText(Encoding.ASCII.GetBytes(hash)))];

    private static string[] Sorted(params string[] hashes)
    {
        Array.Sort(hashes, StringComparer.Ordinal);
        return hashes;
    }
}
