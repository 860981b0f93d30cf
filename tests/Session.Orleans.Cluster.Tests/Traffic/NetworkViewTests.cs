using System.Collections.Concurrent;

namespace Session.Orleans.Cluster.Tests.Traffic;

public sealed class NetworkViewTests(TestCluster cluster)
{
    [Fact]
    public async Task Height_Advances_OnEverySiloToTheSameBlocks()
    {
        var seen = cluster.Silos.Select(_ => new ConcurrentDictionary<long, string>()).ToArray();
        var start = cluster.Silos.Max(silo => silo.View.Height);
        await Wait.UntilAsync(
            () =>
            {
                for (var i = 0; i < seen.Length; i++)
                {
                    var view = cluster.Silos[i].View;
                    seen[i][view.Height] = view.BlockHash;
                }

                return seen.All(blocks => blocks.Keys.Max() >= start + 3);
            },
            "three more blocks everywhere");
        foreach (var height in seen.SelectMany(blocks => blocks.Keys).Distinct())
            Assert.Single(seen.Where(blocks => blocks.ContainsKey(height)).Select(blocks => blocks[height]).Distinct());
        Assert.Equal(seen[0].Count, seen[0].Values.Distinct().Count());
    }

    [Fact]
    public async Task Block_OnOneSilo_ReachesTheOthersBeforeTheNextOneButOne()
    {
        for (var i = 0; i < 3; i++)
        {
            var height = cluster.Silos[i].View.Height + 1;
            await Wait.UntilAsync(() => cluster.Silos[i].View.Height >= height, "the next block");
            // The bound is in blocks, not in time: a slow machine slows the chain as well.
            await Wait.UntilAsync(() => cluster.Silos.All(silo => silo.View.Height >= height), "the block everywhere");
            Assert.All(cluster.Silos, silo => Assert.InRange(silo.View.Height, height, height + 4));
        }
    }

    [Fact]
    public void NodeTable_IsTheSameOnEverySilo()
    {
        var first = cluster.Silos[0].View;
        Assert.Equal(TestSilo.Nodes, first.Nodes.Length);
        foreach (var view in cluster.Silos.Skip(1).Select(silo => silo.View))
        {
            Assert.Equal(first.State.Nodes, view.State.Nodes);
            Assert.Equal(first.State.TableVersion, view.State.TableVersion);
            Assert.Equal(first.Swarms.Select(swarm => swarm.Id), view.Swarms.Select(swarm => swarm.Id));
            Assert.Equal(
                first.Swarms.SelectMany(swarm => swarm.Members).Select(member => member.PublicKey),
                view.Swarms.SelectMany(swarm => swarm.Members).Select(member => member.PublicKey));
        }
    }

    [Fact]
    public void ServiceNodes_FromEverySeed_AreTheSame()
    {
        var first = cluster.Clients[0].Pool.Select(node => (node.Ed25519, node.X25519)).ToArray();
        Assert.All(cluster.Clients, client => Assert.Equal(first, client.Pool.Select(node => (node.Ed25519, node.X25519))));
    }
}
