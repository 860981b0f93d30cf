using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Core.Internal;
using Session.Orleans.Grains;
using Session.Orleans.Grains.ServiceNodes;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Cluster.Tests.ServiceNodes;

/// <summary>Nodes on the caller's silo are called directly, all others by message.</summary>
public sealed class ServiceNodeCallsTests(TestCluster cluster)
{
    [Fact]
    public async Task To_IsTheActivationOnItsSilo_AndAReferenceOnTheOthers()
    {
        await ActivateAllAsync();
        var places = await cluster.PlacesOfAsync("service-node");
        Assert.Equal(TestSilo.Nodes, places.Count);
        foreach (var silo in cluster.Silos)
        {
            var calls = silo.Services.GetRequiredService<ServiceNodeCalls>();
            foreach (var node in silo.View.Nodes)
                Assert.Equal(places[node.PublicKey.ToString()].Equals(silo.Address), calls.To(node) is not GrainReference);
        }
    }

    [Fact]
    public async Task To_AfterDeactivation_ReachesTheNextActivation()
    {
        await ActivateAllAsync();
        var places = await cluster.PlacesOfAsync("service-node");
        var silo = cluster.Silos.First(candidate => places.ContainsValue(candidate.Address));
        var node = silo.View.Nodes.First(candidate => places[candidate.PublicKey.ToString()].Equals(silo.Address));
        var calls = silo.Services.GetRequiredService<ServiceNodeCalls>();
        var before = calls.To(node);

        await node.Grain.Cast<IGrainManagementExtension>().DeactivateOnIdle();
        await Wait.UntilAsync(() => !ReferenceEquals(calls.To(node), before), "the activation is gone");

        var reply = await calls.To(node).StorageRpcAsync("""{"method":"info","params":{}}"""u8.ToArray());
        Assert.Equal(200, reply.Status);
    }

    [Fact]
    public async Task Traffic_WithDirectCallsOff_IsTheSame()
    {
        await using var store = EmbeddedStore.EmbeddedStore.Start(new() { Port = 0 });
        await using var silo = await TestSilo.StartAsync("by-message", store.ConnectionString, builder =>
            builder.Services.Configure<LocalCallOptions>(options => options.Direct = false));
        var calls = silo.Services.GetRequiredService<ServiceNodeCalls>();
        using var client = await TestClient.CreateAsync(silo.Seed, TimeProvider.System);
        var account = Ed25519KeyPair.Generate();
        var receipt = await client.StoreAsync(account.SessionId, "by message");
        Assert.All(receipt.Members, member => Assert.True(member.IsValid));
        Assert.Equal(["by message"], await client.RetrieveAllAsync(account));
        Assert.All(silo.View.Nodes, node => Assert.Same(node.Grain, calls.To(node)));
    }

    private async Task ActivateAllAsync()
    {
        foreach (var node in cluster.Silos[0].View.Nodes)
            await node.Grain.StorageRpcAsync("""{"method":"info","params":{}}"""u8.ToArray());
    }
}
