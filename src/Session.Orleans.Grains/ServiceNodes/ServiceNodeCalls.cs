using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using Session.Orleans.Grains.Network;

namespace Session.Orleans.Grains.ServiceNodes;

/// <summary>
/// The way to a service node. Where its grain lives is Orleans' decision; if that is this silo, the activation is called as the object it
/// is. That is safe because it is reentrant and holds nothing that changes, and it saves a message, two turns of the scheduler and, on a
/// machine with little to do, the waking of two threads per hop.
/// </summary>
public sealed class ServiceNodeCalls(IOptions<ServiceNodeOptions> options)
{
    private readonly ConcurrentDictionary<Ed25519PublicKey, IServiceNodeGrain> _active = new();
    private readonly bool _direct = options.Value.DirectLocalCalls;

    /// <summary>The node's activation if it is on this silo, else a reference to its grain.</summary>
    public IServiceNodeGrain To(ServiceNode node) =>
        _direct && _active.TryGetValue(node.PublicKey, out var activation) ? activation : node.Grain;

    internal void Activated(Ed25519PublicKey key, IServiceNodeGrain activation) => _active[key] = activation;

    // The one that goes must not take its successor out.
    internal void Deactivated(Ed25519PublicKey key, IServiceNodeGrain activation) => _active.TryRemove(new(key, activation));
}
