using Microsoft.Extensions.Options;
using Session.Orleans.Grains.Network;

namespace Session.Orleans.Grains.ServiceNodes;

/// <summary>The way to a service node: directly if its grain is active on this silo, else by message.</summary>
public sealed class ServiceNodeCalls(IOptions<LocalCallOptions> options)
{
    /// <summary>The nodes that are active on this silo. They are reentrant and hold nothing that changes.</summary>
    internal LocalActivations<Ed25519PublicKey, IServiceNodeGrain> Local { get; } = new(options.Value.Direct);

    /// <summary>The node's activation if it is on this silo, else a reference to its grain.</summary>
    public IServiceNodeGrain To(ServiceNode node) => Local.TryGet(node.PublicKey, out var activation) ? activation : node.Grain;
}
