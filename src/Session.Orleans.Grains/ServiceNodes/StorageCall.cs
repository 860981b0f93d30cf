using Session.Orleans.Grains.Network;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Grains.ServiceNodes;

/// <summary>What every step of one storage RPC needs.</summary>
/// <param name="Self">The node that was asked.</param>
/// <param name="View">The network as this silo sees it.</param>
/// <param name="TrueClock">The time.</param>
/// <param name="CancellationToken">Cancelled when the client hangs up.</param>
internal sealed record StorageCall(ServiceNode Self, NetworkView View, ServerClock TrueClock, CancellationToken CancellationToken)
{
    /// <summary>The node's own faults, if it has any.</summary>
    public NodeFaults? Faults { get; } = View.Faults?.At(Self.Index);

    /// <summary>The time as the node believes it to be.</summary>
    public ServerClock Clock => Faults is { ClockSkew: var skew } ? TrueClock.Ahead(skew) : TrueClock;

    /// <summary>The node's view of its mailboxes.</summary>
    public MemberSight Sight => new(Self.Index, View.SyncedAt(Self.Index), Faults?.StaleSince);
}
