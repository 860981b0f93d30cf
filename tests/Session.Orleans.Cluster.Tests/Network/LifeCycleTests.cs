using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Session.Orleans.Grains.Network;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Cluster.Tests.Network;

/// <summary>Nodes that come and go, on a network of its own whose blocks come only when the test wants them.</summary>
public sealed class LifeCycleTests : IAsyncLifetime
{
    private EmbeddedStore.EmbeddedStore _store = null!;
    private TestSilo _silo = null!;

    private INetworkGrain Network => _silo.Grains.GetGrain<INetworkGrain>("testnet");

    public async ValueTask InitializeAsync()
    {
        _store = EmbeddedStore.EmbeddedStore.Start(new() { Port = 0 });
        _silo = await TestSilo.StartAsync("life-cycle", _store.ConnectionString);
        await SeenAsync(await Network.SetClockAsync(runs: false));
    }

    public async ValueTask DisposeAsync()
    {
        await _silo.StopAsync();
        await _silo.DisposeAsync();
        await _store.DisposeAsync();
    }

    [Fact]
    public async Task OfflineNode_IsDecommissionedByItsPeers_AndComesBackWhenHealed()
    {
        var height = _silo.View.Height;
        await Network.AddFaultsAsync([new() { Kind = FaultKind.Offline, Nodes = [3] }]);
        await StepUntilAsync(state => state.Nodes[3].State is NodeState.Decommissioned, "node 3 is decommissioned");
        var down = _silo.View.Height - height;
        Assert.InRange(down, 33, 60); // unreachable for 65 min of the real network are 33 blocks
        Assert.True(_silo.View.TryGetNode(3, out var node) && !node.IsInSwarm);
        Assert.All(_silo.View.Swarms, swarm => Assert.DoesNotContain(swarm.Members, member => member.Index == 3));

        await Network.RemoveFaultsAsync([]);
        await StepUntilAsync(state => state.Nodes[3].State is NodeState.Active, "node 3 is recommissioned");
        Assert.True(_silo.View.TryGetNode(3, out node) && node.IsInSwarm);
        Assert.Equal(1, _silo.View.LifeOf(node).DecommissionCount);
        await AssertBalancedAsync();
    }

    [Fact]
    public async Task ClientThatPollsThroughChurn_LosesNothing_AndSeesNothingTwice()
    {
        var account = Ed25519KeyPair.Generate();
        var sent = new List<string>();
        var received = new List<string>();
        MessageHash? last = null;
        var random = new Random(20_26);
        for (var round = 0; round < 40; round++)
        {
            var index = random.Next(TestSilo.Nodes);
            if (_silo.View.TryGetNode(index, out var node))
            {
                var order = node.IsActive ? random.Next(3) is 0 ? NodeOrderKind.Deregister : NodeOrderKind.Decommission : NodeOrderKind.Recommission;
                await SeenAsync(await Network.OrderAsync(order, [index]));
            }
            else
            {
                await SeenAsync(await Network.OrderAsync(NodeOrderKind.Register, [index]));
            }

            // A client that asks the seed for its nodes after every change.
            using var client = await TestClient.CreateAsync(_silo.Seed, TimeProvider.System);
            var text = round.ToString(CultureInfo.InvariantCulture);
            await client.StoreAsync(account.SessionId, text);
            sent.Add(text);
            if (round % 3 == 0)
            {
                (var texts, last) = await client.RetrieveAfterAsync(account, last);
                received.AddRange(texts);
            }
        }

        using var reader = await TestClient.CreateAsync(_silo.Seed, TimeProvider.System);
        received.AddRange((await reader.RetrieveAfterAsync(account, last)).Texts);
        Assert.Equal(sent, received);
        await AssertBalancedAsync();
    }

    [Fact]
    public async Task ImpossibleOrders_AreRefused_AndChangeNothing()
    {
        var before = _silo.View.State;
        await Assert.ThrowsAsync<NetworkOrderException>(() => Network.OrderAsync(NodeOrderKind.Register, [2]));
        await Assert.ThrowsAsync<NetworkOrderException>(() => Network.OrderAsync(NodeOrderKind.Recommission, [2]));
        await Assert.ThrowsAsync<NetworkOrderException>(() => Network.OrderAsync(NodeOrderKind.Decommission, [1, 400]));
        await Assert.ThrowsAsync<NetworkOrderException>(() => Network.OrderAsync(NodeOrderKind.Deregister, [-1]));
        await Assert.ThrowsAsync<NetworkOrderException>(() => Network.StepAsync(0));
        var after = await Network.StepAsync(1);
        Assert.Equal(before.Height + 1, after.Height);
        Assert.Equal(before.Nodes.Select(node => node), after.Nodes.Select(node => node));
    }

    [Fact]
    public async Task Step_MakesAsManyBlocks_AndPausedMeansThatNoneComeByThemselves()
    {
        var before = _silo.View.Height;
        await SeenAsync(await Network.StepAsync(25));
        Assert.Equal(before + 25, _silo.View.Height);
        await SeenAsync(await Network.SetClockAsync(runs: true));
        await Wait.UntilAsync(() => _silo.View.Height > before + 27, "the clock runs again");
    }

    private async Task AssertBalancedAsync()
    {
        var ledger = await Network.GetLedgerAsync();
        Assert.Equal(ledger.Minted, ledger.Balances + ledger.Stakes + ledger.Locked);
        Assert.True(ledger.Stakes > 0);
    }

    private async Task StepUntilAsync(Func<NetworkState, bool> condition, string what)
    {
        for (var i = 0; i < 300; i++)
        {
            var state = await Network.StepAsync(1);
            await SeenAsync(state);
            if (condition(state))
                return;
        }

        Assert.Fail($"It did not happen within 300 blocks: {what}.");
    }

    private async Task SeenAsync(NetworkState state) => await Wait.UntilAsync(() => _silo.View.State.Version >= state.Version, "the silo sees the block");
}
