using Microsoft.Extensions.DependencyInjection;
using Session.Orleans.Grains.Snapshots;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Cluster.Tests.Network;

/// <summary>A snapshot taken through one silo and restored through another, under silos that keep mailboxes in memory.</summary>
public sealed class SnapshotTests(TestCluster cluster)
{
    [Fact]
    public async Task Restored_EverySiloForgetsWhatItKnew()
    {
        // Mailboxes are placed by hash: with a few accounts, every silo keeps some in memory.
        var accounts = Enumerable.Range(0, 12).Select(_ => Ed25519KeyPair.Generate()).ToArray();
        foreach (var account in accounts)
            await cluster.AnyClient.StoreAsync(account.SessionId, "before");
        var network = cluster.Silos[0].Grains.GetGrain<INetworkGrain>("testnet");
        await network.SetLabelAsync("before", [1, 2], isSet: true);
        using var file = new MemoryStream();
        await Snapshots(0).SaveAsync(file, TestContext.Current.CancellationToken);

        foreach (var account in accounts)
        {
            await cluster.AnyClient.StoreAsync(account.SessionId, "after");
            Assert.Equal(["before", "after"], await cluster.AnyClient.RetrieveAllAsync(account));
        }

        await network.SetLabelAsync("before", [1], isSet: false);
        await network.SetLabelAsync("after", [3], isSet: true);

        var figures = await Snapshots(2).RestoreAsync(file, TestSilo.Nodes, TestContext.Current.CancellationToken);

        Assert.Equal(TestSilo.Nodes, figures["network"]["nodes"]);
        Assert.InRange(figures["mailboxes"]["messages"], accounts.Length, long.MaxValue);
        foreach (var account in accounts)
        {
            foreach (var client in cluster.Clients)
                Assert.Equal(["before"], await client.RetrieveAllAsync(account));
        }

        await cluster.AnyClient.StoreAsync(accounts[0].SessionId, "later");
        Assert.Equal(["before", "later"], await cluster.AnyClient.RetrieveAllAsync(accounts[0]));
        await Wait.UntilAsync(
            () => cluster.Silos.All(silo => silo.View.State.Labels.SequenceEqual([new(1, "before"), new(2, "before")])), "the labels everywhere");
        await network.SetLabelAsync("before", [], isSet: false);
        await Wait.UntilAsync(() => cluster.Silos.All(silo => silo.View.State.Labels.IsEmpty), "no labels everywhere");
    }

    [Fact]
    public async Task ForFewerPorts_IsRefusedAndChangesNothing()
    {
        var account = Ed25519KeyPair.Generate();
        using var file = new MemoryStream();
        await Snapshots(0).SaveAsync(file, TestContext.Current.CancellationToken);
        await cluster.AnyClient.StoreAsync(account.SessionId, "kept");

        var refusal = await Assert.ThrowsAsync<Storage.Snapshots.SnapshotException>(
            () => Snapshots(0).RestoreAsync(file, TestSilo.Nodes - 1, TestContext.Current.CancellationToken));

        Assert.Contains($"need {TestSilo.Nodes} ports", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(["kept"], await cluster.AnyClient.RetrieveAllAsync(account));
    }

    private NetworkSnapshots Snapshots(int silo) => cluster.Silos[silo].Services.GetRequiredService<NetworkSnapshots>();
}
