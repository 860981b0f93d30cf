using System.Text.Json;
using Session.Orleans.Chain.Snapshots;

namespace Session.Orleans.Chain.Tests.Snapshots;

public sealed class SnapshotTests
{
    [Fact]
    public void Snapshot_RoundTripThroughJson_IsTheSame()
    {
        var chain = Eventful().Chain;
        var json = chain.TakeSnapshot().ToJson();
        var restored = ServiceNodeChain.Restore(ChainSnapshot.FromJson(json));
        Assert.Equal(json, restored.TakeSnapshot().ToJson());
        Assert.Equal(chain.Rules, restored.Rules);
        Assert.Equal(chain.PlanPeerTests(), restored.PlanPeerTests());
        Assert.Equal(chain.PlanStorageTests(), restored.PlanStorageTests());
        Assert.Equal(chain.RewardQueue, restored.RewardQueue);
        Assert.Equal(chain.Swarms, restored.Swarms);
    }

    [Fact]
    public void Restored_ContinuesIdentically()
    {
        var network = Eventful();
        var other = new TestNetwork(ServiceNodeChain.Restore(ChainSnapshot.FromJson(network.Chain.TakeSnapshot().ToJson())));
        other.Down.UnionWith(network.Down);
        for (var block = 0; block < 120; block++)
        {
            var (left, right) = (network.Block(), other.Block());
            Assert.Equal(left.Events, right.Events);
            Assert.Equal(left.Quorum.Validators, right.Quorum.Validators);
            Assert.Equal(left.Quorum.Tested, right.Quorum.Tested);
            Assert.Equal(network.Chain.TakeSnapshot().ToJson(), other.Chain.TakeSnapshot().ToJson());
        }
    }

    [Fact]
    public void Snapshot_FiveHundredNodes_IsSmall()
    {
        var network = TestNetwork.Create(500);
        network.Blocks(60);
        Assert.InRange(network.Chain.TakeSnapshot().ToJson().Length, 1, 300_000);
    }

    [Fact]
    public void Damaged_IsRefused()
    {
        var good = Eventful().Chain.TakeSnapshot();
        var node = good.Nodes[0];
        ChainSnapshot With(NodeSnapshot changed) => good with { Nodes = good.Nodes.SetItem(0, changed) };
        foreach (var bad in new ChainSnapshot[]
        {
            good with { Format = 2 }, good with { Height = -1 }, good with { Hashes = [] }, good with { Hashes = ["00"] }, good with { SlotCount = 3 },
            good with { Ledger = good.Ledger with { Minted = 5 } }, good with { Nodes = good.Nodes.Add(node) }, good with { Nodes = default },
            good with { Rules = good.Rules with { QuorumSize = 0 } },
            With(node with { PublicKey = "zz" }), With(node with { Slot = 1 }), With(node with { Slot = -1 }), With(node with { Swarm = null }),
            With(node with { StateHeight = 1_000_000 }), With(node with { Contributions = [] }), With(node with { Status = (NodeStatus)9 }),
            With(node with { Failures = [new(node.Slot, default)] }), With(node with { Round = new TestRound(1, 31, 0, 0) }),
            With(node with { Contributions = [new("not a wallet", 5)] }), With(node with { Contributions = [new("bank", 5)] }),
            With(node with { Failures = [new(1, new(5, 4, 0, 1))] }), With(node with { Failures = [new(1, new(1, 1, 0, 0))] }),
            With(node with { LastProofHeight = 1_000_000 }), With(node with { OperatorFee = -1 }), With(node with { Status = NodeStatus.Awaiting }),
        })
        {
            Assert.ThrowsAny<ArgumentException>(() => ServiceNodeChain.Restore(bad));
        }

        Assert.Throws<JsonException>(() => ChainSnapshot.FromJson("{}"u8));
        Assert.Throws<JsonException>(() => ChainSnapshot.FromJson("null"u8));
        _ = ServiceNodeChain.Restore(good);
    }

    // A bit of everything: awaiting, leaving, held, decommissioned and deregistered nodes, failures, results, odd hashes.
    private static TestNetwork Eventful()
    {
        var network = TestNetwork.Create(40, ChainRules.ForTestnet(2));
        network.Blocks(50);
        network.Down.UnionWith([5, 6, 7]);
        network.Blocks(30);
        _ = network.Block(new Deregister(9), new Decommission(10), new RequestUnlock(11, TestNetwork.Owner(11)),
            new Register(60, TestNetwork.Key(60), [new(TestNetwork.Bank, 7)], 1000));
        network.Down.UnionWith([12]);
        network.Blocks(10);
        _ = network.Chain.AddBlock(new(network.Chain.Height + 1, TestNetwork.Hash(0)) { StorageTestResults = [new(2, StorageTestOutcome.Rejected)] });
        Assert.Contains(network.Chain.Nodes, node => node.Status is NodeStatus.Decommissioned && !node.IsHeld);
        return network;
    }
}
