using System.Diagnostics;
using System.Net;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Session.Orleans.Client;
using Session.Orleans.Grains.Network;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Cluster.Tests.Faults;

/// <summary>What clients see of faults, on a network of three silos.</summary>
public sealed class FaultTests(TestCluster cluster) : IAsyncLifetime
{
    private readonly Ed25519KeyPair _account = Ed25519KeyPair.Generate();

    private NetworkView View => cluster.Silos[0].View;

    private ServiceNode[] Swarm => [.. View.SwarmOf(_account.SessionId)!.Members];

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await Network.RemoveFaultsAsync([]);
        await UntilEverySiloAsync(view => view.Faults is null && view.State.Lagging.IsEmpty, "faults are over");
    }

    [Fact]
    public async Task OfflineMember_TimesOutInTheReply_AndTheStoreTakesTheFiveSecondsOfTheRealNetwork()
    {
        await AddAsync(FaultKind.Offline, Swarm[0]);
        var watch = Stopwatch.StartNew();
        var receipt = await StoreAsync(Swarm[1], "one");
        Assert.True(watch.Elapsed >= TimeSpan.FromSeconds(4.9), $"The reply came after {watch.Elapsed}.");
        var entry = Entry(receipt, Swarm[0]);
        Assert.True(entry.GetProperty("failed").GetBoolean());
        Assert.True(entry.GetProperty("timeout").GetBoolean());
        Assert.All(Swarm[1..], member => Assert.True(Entry(receipt, member).TryGetProperty("signature", out _)));
    }

    [Fact]
    public async Task MemberCutOffFromItsSwarm_LacksTheMessage_AndCatchesUpAtABlock()
    {
        await AddAsync(FaultKind.Refuse, Swarm[1..], [Swarm[0]]);
        var receipt = await StoreAsync(Swarm[1], "missed");
        Assert.True(Entry(receipt, Swarm[0]).GetProperty("timeout").GetBoolean());
        Assert.Equal(["missed"], await RetrieveAsync(Swarm[2]));
        Assert.Empty(await RetrieveAsync(Swarm[0]));
        var height = View.Height;
        await UntilEverySiloAsync(view => view.Height > height + 1, "two blocks pass");
        Assert.Empty(await RetrieveAsync(Swarm[0]));

        await Network.RemoveFaultsAsync([]);
        await UntilEverySiloAsync(view => view.Faults is null && view.State.Lagging.IsEmpty, "a block lets it catch up");
        Assert.Equal(["missed"], await RetrieveAsync(Swarm[0]));
    }

    [Fact]
    public async Task StoredAgain_ReachesTheMemberThatMissedIt()
    {
        await AddAsync(FaultKind.Refuse, Swarm[1..], [Swarm[0]]);
        var first = await StoreAsync(Swarm[1], "twice");
        Assert.Empty(await RetrieveAsync(Swarm[0]));
        var second = await StoreAsync(Swarm[0], "twice"); // through the member itself, from which no link is cut
        Assert.Equal(first.Json.GetProperty("hash").GetString(), second.Json.GetProperty("hash").GetString());
        Assert.Equal(["twice"], await RetrieveAsync(Swarm[0]));
    }

    [Fact]
    public async Task WrongSignature_IsWrongForThatMemberAlone()
    {
        await AddAsync(FaultKind.WrongSignature, Swarm[2]);
        var receipt = await cluster.AnyClient.StoreAsync(_account.SessionId, "signed");
        Assert.Equal(
            Swarm.Select(member => (member.PublicKey, IsValid: member != Swarm[2])).ToHashSet(),
            receipt.Members.Select(member => (member.Node, member.IsValid)).ToHashSet());
    }

    [Fact]
    public async Task SkewedMember_RefusesForItsClock_AndShowsItsTime()
    {
        await AddAsync(FaultKind.ClockSkew, Swarm[3], TimeSpan.FromDays(-2));
        var receipt = await StoreAsync(Swarm[1], "late");
        var entry = Entry(receipt, Swarm[3]);
        Assert.Equal("406", entry.GetProperty("code").GetString());
        Assert.Equal("Timestamp error: check your clock", entry.GetProperty("reason").GetString());
        var info = await DirectAsync(Swarm[3], """{"method":"info","params":{}}""");
        var behind = cluster.Clock.NowMs - info.Json.GetProperty("t").GetInt64();
        Assert.InRange(behind, TimeSpan.FromDays(1.9).TotalMilliseconds, TimeSpan.FromDays(2.1).TotalMilliseconds);
    }

    [Fact]
    public async Task StaleMember_HidesWhatIsNewerThanTheFault()
    {
        await StoreAsync(Swarm[0], "old");
        await AddAsync(FaultKind.StaleData, Swarm[0]);
        await StoreAsync(Swarm[0], "new");
        Assert.Equal(["old"], await RetrieveAsync(Swarm[0]));
        Assert.Equal(["old", "new"], await RetrieveAsync(Swarm[1]));
    }

    [Fact]
    public async Task FaultyHops_AnswerAsTheSpecificationSays()
    {
        var outside = View.Nodes.Where(node => !Swarm.Contains(node)).Take(3).ToArray();
        await AddAsync(FaultKind.Refuse, outside[1]);
        Assert.Equal((504, "Request time out"), await ThroughAsync(outside));
        await ReplaceAsync(FaultKind.CorruptLayer, outside[1]);
        Assert.Equal((400, "Invalid ciphertext"), await ThroughAsync(outside));
        await ReplaceAsync(FaultKind.CorruptReply, outside[1]);
        Assert.Equal((500, "Invalid response from snode"), await ThroughAsync(outside));
        await ReplaceAsync(FaultKind.Latency, outside[1], TimeSpan.FromMilliseconds(400));
        var watch = Stopwatch.StartNew();
        Assert.Equal(200, (await ThroughAsync(outside)).Status);
        Assert.True(watch.Elapsed >= TimeSpan.FromMilliseconds(390), $"The reply came after {watch.Elapsed}.");
    }

    [Fact]
    public async Task RefusingNode_EndsTheClientsConnection()
    {
        await AddAsync(FaultKind.Refuse, Swarm[0]);
        await Assert.ThrowsAsync<HttpRequestException>(() => DirectAsync(Swarm[0], """{"method":"info","params":{}}"""));
        Assert.Equal(HttpStatusCode.OK, (await DirectAsync(Swarm[1], """{"method":"info","params":{}}""")).Status);
    }

    [Fact]
    public async Task Fault_EndsByItself_OnEverySilo()
    {
        await Network.AddFaultsAsync([new() { Kind = FaultKind.Loss, Nodes = [1], Until = cluster.Clock.GetUtcNow() + TimeSpan.FromSeconds(1) }]);
        await UntilEverySiloAsync(view => view.Faults is not null, "the fault begins");
        await UntilEverySiloAsync(view => view.Faults is null, "the fault ends");
    }

    [Fact]
    public async Task ImpossibleFaults_AreRefused_AndNoneOfThemBegins()
    {
        var good = new Fault { Kind = FaultKind.Offline, Nodes = [1] };
        foreach (var bad in (Fault[])[
            good with { Nodes = [] }, good with { Nodes = [9999] }, good with { Probability = 0 }, good with { Probability = double.NaN },
            good with { Kind = FaultKind.Latency }, good with { Kind = FaultKind.ClockSkew, Delay = TimeSpan.FromDays(1), Peers = [2] },
            good with { Spread = TimeSpan.FromSeconds(-1) }, good with { Kind = FaultKind.Bandwidth },
            good with { Until = DateTimeOffset.UnixEpoch }])
        {
            await Assert.ThrowsAsync<NetworkOrderException>(() => Network.AddFaultsAsync([good, bad]));
        }

        Assert.Empty((await Network.RemoveFaultsAsync([])).ToArray());
    }

    private INetworkGrain Network => cluster.Silos[0].Grains.GetGrain<INetworkGrain>("testnet");

    private Task AddAsync(FaultKind kind, ServiceNode node, TimeSpan delay = default) => AddAsync(kind, [node], [], delay);

    private async Task AddAsync(FaultKind kind, ServiceNode[] nodes, ServiceNode[] peers, TimeSpan delay = default)
    {
        var added = await Network.AddFaultsAsync([new()
        {
            Kind = kind, Nodes = [.. nodes.Select(node => node.Index)], Peers = [.. peers.Select(node => node.Index)], Delay = delay,
        }]);
        await UntilEverySiloAsync(view => view.State.Faults.Any(fault => fault.Id == added[0].Id), "every silo knows the fault");
    }

    private async Task ReplaceAsync(FaultKind kind, ServiceNode node, TimeSpan delay = default)
    {
        await Network.RemoveFaultsAsync([]);
        await AddAsync(kind, node, delay);
    }

    private async Task UntilEverySiloAsync(Func<NetworkView, bool> condition, string what)
    {
        foreach (var silo in cluster.Silos)
            await Wait.UntilAsync(() => condition(silo.View), what);
    }

    private async Task<DirectReply> StoreAsync(ServiceNode node, string text)
    {
        var now = cluster.Clock.NowMs;
        var data = Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
        return await DirectAsync(node,
            $$"""{"method":"store","params":{"pubkey":"{{_account.SessionId}}","timestamp":{{now}},"ttl":86400000,"data":"{{data}}"} }""");
    }

    private async Task<string[]> RetrieveAsync(ServiceNode node)
    {
        var now = cluster.Clock.NowMs;
        var signature = Convert.ToBase64String(Sign($"retrieve{now}"));
        var reply = await DirectAsync(node,
            $$"""{"method":"retrieve","params":{"pubkey":"{{_account.SessionId}}","pubkey_ed25519":"{{_account.PublicKey}}","timestamp":{{now}},"signature":"{{signature}}"} }""");
        return [.. reply.Json.GetProperty("messages").EnumerateArray()
            .Select(message => Encoding.UTF8.GetString(message.GetProperty("data").GetBytesFromBase64()))];
    }

    private byte[] Sign(string text)
    {
        var signature = new byte[64];
        _account.Sign(Encoding.UTF8.GetBytes(text), signature);
        return signature;
    }

    private async Task<DirectReply> DirectAsync(ServiceNode node, string json)
    {
        using var content = new StringContent(json);
        using var response = await cluster.Clients[0].Http.PostAsync(
            new Uri($"https://127.0.0.1:{cluster.Clients[0].Pool.Single(one => one.Ed25519 == node.PublicKey).Port}/storage_rpc/v1"), content);
        return new(response.StatusCode, System.Text.Json.JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement);
    }

    private async Task<(int Status, string Body)> ThroughAsync(ServiceNode[] hops)
    {
        var client = cluster.Clients[0];
        SnodeAddress Address(ServiceNode node) => client.Pool.Single(one => one.Ed25519 == node.PublicKey);
        try
        {
            await client.Storage.StoreAsync(
                new OnionPath([.. hops.Select(Address)]), Address(Swarm[0]), _account.SessionId,
                "through"u8.ToArray(), TestClient.Day, CancellationToken.None);
            return (200, "");
        }
        catch (SessionClientException exception)
        {
            return (exception.Status, exception.Message.Split(": ", 2)[^1]);
        }
    }

    private static System.Text.Json.JsonElement Entry(DirectReply reply, ServiceNode member) =>
        reply.Json.GetProperty("swarm").GetProperty(member.PublicKey.ToString());

    private sealed record DirectReply(HttpStatusCode Status, System.Text.Json.JsonElement Json);
}
