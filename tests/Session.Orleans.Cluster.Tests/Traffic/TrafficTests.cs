using System.Text;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Cluster.Tests.Traffic;

public sealed class TrafficTests(TestCluster cluster)
{
    private static readonly ParallelOptions Parallelism = new() { MaxDegreeOfParallelism = 8 };

    [Fact]
    public async Task Store_ThroughOneGateway_IsRetrievedThroughTheOthers()
    {
        await Parallel.ForEachAsync(Enumerable.Range(0, 60), Parallelism, async (i, cancellationToken) =>
        {
            var account = Ed25519KeyPair.Generate();
            var text = $"message {i}";
            var receipt = await cluster.Clients[i % 3].StoreAsync(account.SessionId, text, cancellationToken);
            Assert.All(receipt.Members, member => Assert.True(member.IsValid));
            Assert.Equal([text], await cluster.Clients[(i + 1) % 3].RetrieveAllAsync(account));
            Assert.Equal([text], await cluster.Clients[(i + 2) % 3].RetrieveAllAsync(account));
        });
    }

    [Fact]
    public async Task MailboxesAndNodes_UnderTrafficFromEverywhere_LiveOnEverySilo()
    {
        var accounts = new List<string>();
        for (var round = 0; round < 5; round++)
        {
            foreach (var client in cluster.Clients)
            {
                var account = Ed25519KeyPair.Generate().SessionId;
                await client.StoreAsync(account, "anything");
                accounts.Add(account.ToString());
            }
        }

        var mailboxes = await cluster.PlacesOfAsync("mailbox");
        var places = accounts.Select(account => mailboxes[account]).ToArray();
        var nodes = (await cluster.PlacesOfAsync("service-node")).Values;
        TestContext.Current.TestOutputHelper!.WriteLine(
            $"mailboxes {Counts(places)}; service nodes {Counts(nodes)}");
        Assert.True(places.Distinct().Count() > 1, "All mailboxes live on one silo.");
        Assert.True(nodes.Distinct().Count() > 1, "All service nodes live on one silo.");

        static string Counts(IEnumerable<SiloAddress> all) => string.Join("/", all.CountBy(one => one).Select(pair => pair.Value));
    }

    [Fact]
    public async Task Store_ThroughEveryGateway_IsSignedByTheSameMembers()
    {
        var account = Ed25519KeyPair.Generate();
        var expected = cluster.Silos[0].View.SwarmOf(account.SessionId)!.Members.Select(member => member.PublicKey).ToArray();
        for (var i = 0; i < cluster.Clients.Count; i++)
        {
            var receipt = await cluster.Clients[i].StoreAsync(account.SessionId, $"message {i}");
            Assert.All(receipt.Members, member => Assert.True(member.IsValid));
            Assert.Equal(expected, receipt.Members.Select(member => member.Node).Order());
        }

        Assert.Equal(["message 0", "message 1", "message 2"], await cluster.AnyClient.RetrieveAllAsync(account));
    }

    [Fact]
    public async Task Store_SameMessageThroughEveryGatewayAtOnce_IsKeptOnce()
    {
        var account = Ed25519KeyPair.Generate();
        var receipts = await Task.WhenAll(cluster.Clients.Select(client => client.StoreAsync(account.SessionId, "same")));
        Assert.Single(receipts.Select(receipt => receipt.Hash).Distinct());
        Assert.Equal(["same"], await cluster.AnyClient.RetrieveAllAsync(account));
    }

    [Fact]
    public async Task Batch_ThroughEveryGateway_AnswersAllInOrder()
    {
        var account = Ed25519KeyPair.Generate();
        foreach (var client in cluster.Clients)
        {
            var text = $"by {client.Pool[0].Port}";
            var reply = await client.SendAsync(account.SessionId, new BatchRequest
            {
                Requests = [Store(account, client, 0, text), Store(account, client, 2, text), Retrieve(account, client, 5), new InfoRequest()],
            });
            var results = reply.Json.GetProperty("results").EnumerateArray().ToArray();
            Assert.All(results, result => Assert.Equal(200, result.GetProperty("code").GetInt32()));
            Assert.Equal(Hash(account, 0, text), results[0].GetProperty("body").GetProperty("hash").GetString());
            Assert.Equal(Hash(account, 2, text), results[1].GetProperty("body").GetProperty("hash").GetString());
            Assert.Empty(RpcReply.TextsOf(results[2].GetProperty("body")));
            Assert.Equal(2, results[3].GetProperty("body").GetProperty("version")[0].GetInt32());
        }

        var all = await cluster.AnyClient.SendAsync(Unsigned(account, cluster.AnyClient, 2), account);
        Assert.Equal(cluster.Clients.Select(client => $"by {client.Pool[0].Port}"), all.Messages);
    }

    [Fact]
    public async Task Sequence_OfStoreAndRetrieve_SeesItsOwnMessageAndStopsAtTheFirstError()
    {
        var account = Ed25519KeyPair.Generate();
        var client = cluster.AnyClient;
        var notSigned = Unsigned(account, client, 2);
        var reply = await client.SendAsync(account.SessionId, new SequenceRequest
        {
            Requests = [Store(account, client, 2, "one"), Retrieve(account, client, 2), notSigned with { Authentication = Foreign() }, Store(account, client, 2, "two")],
        });
        var results = reply.Json.GetProperty("results").EnumerateArray().ToArray();
        Assert.Equal([200, 200, 401], results.Select(result => result.GetProperty("code").GetInt32()));
        Assert.Equal(["one"], RpcReply.TextsOf(results[1].GetProperty("body")));
        Assert.Equal(["one"], (await cluster.AnyClient.SendAsync(Unsigned(account, client, 2), account)).Messages);

        RequestAuthentication Foreign()
        {
            var other = Ed25519KeyPair.Generate();
            return new(Unsigned(other, client, 2).SignWith(other).Authentication!.Signature, account.PublicKey);
        }
    }

    private static string Hash(Ed25519KeyPair account, short @namespace, string text) =>
        MessageHash.Compute(account.SessionId, @namespace, Encoding.UTF8.GetBytes(text)).ToString();

    private static AccountRequest Store(Ed25519KeyPair account, TestClient client, short @namespace, string text)
    {
        var now = client.NowMs;
        return new StoreRequest
        {
            Account = account.SessionId, Namespace = @namespace, Timestamp = now, Expiry = now + (long)TestClient.Day.TotalMilliseconds,
            Data = Encoding.UTF8.GetBytes(text),
        }.SignWith(account);
    }

    private static RetrieveRequest Unsigned(Ed25519KeyPair account, TestClient client, short @namespace) =>
        new() { Account = account.SessionId, Namespace = @namespace, Timestamp = client.NowMs };

    private static AccountRequest Retrieve(Ed25519KeyPair account, TestClient client, short @namespace) =>
        Unsigned(account, client, @namespace).SignWith(account);
}
