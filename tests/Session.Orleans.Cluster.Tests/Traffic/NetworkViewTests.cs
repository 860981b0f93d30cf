using System.Collections.Concurrent;
using Session.Orleans.Grains.Network;

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
            // The bound is in blocks, and between silos: a slow machine slows the chain as well, and this test.
            long[] heights = [];
            await Wait.UntilAsync(() => (heights = [.. cluster.Silos.Select(silo => silo.View.Height)]).All(seen => seen >= height), "the block everywhere");
            Assert.InRange(heights.Max() - heights.Min(), 0, 4);
        }
    }

    [Fact]
    public async Task NodeTable_OfOneVersion_IsTheSameOnEverySilo()
    {
        // Blocks change the table meanwhile, and silos learn of it one after another.
        NetworkView[] views = [];
        await Wait.UntilAsync(
            () => (views = [.. cluster.Silos.Select(silo => silo.View)]).Select(view => view.State.TableVersion).Distinct().Count() == 1,
            "all silos at one version of the table");
        var first = views[0];
        Assert.Equal(TestSilo.Nodes, first.Nodes.Length);
        foreach (var view in views.Skip(1))
        {
            Assert.Equal(first.State.Nodes, view.State.Nodes);
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
