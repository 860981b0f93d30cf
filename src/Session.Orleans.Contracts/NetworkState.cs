using System.Collections.Immutable;

namespace Session.Orleans.Contracts;

/// <summary>
/// The whole network at one block: what the chain daemon would tell a storage server. Pushed to every silo on each change.
/// </summary>
/// <param name="Version">Grows by at least one with every change; a higher version replaces a lower one.</param>
/// <param name="Height">Height of the top block.</param>
/// <param name="BlockHash">Hash of the top block (32 bytes).</param>
/// <param name="HardForkMajor">Hard fork, first member of <c>hf</c>.</param>
/// <param name="HardForkRevision">Service node revision, second member of <c>hf</c>.</param>
/// <param name="TableVersion">Version at which <paramref name="Nodes"/> last changed.</param>
/// <param name="Nodes">All registered nodes in ascending order of their index.</param>
/// <param name="Faults">What is made to go wrong.</param>
/// <param name="Lagging">Nodes that have not caught up with their swarms; those not listed have, at this block.</param>
/// <param name="Lives">The rest of what the chain knows, one per element of <paramref name="Nodes"/> and in the same order.</param>
/// <param name="IsPaused">True while no block comes by itself.</param>
/// <param name="BlockTime">Time from block to block.</param>
/// <param name="StoreEpoch">Changes when all mailboxes have been replaced in the store: what a silo remembers of them is of no use then.</param>
/// <param name="Labels">Labels of nodes, in ascending order of node and label.</param>
[GenerateSerializer, Immutable, Alias("session.NetworkState")]
public sealed record NetworkState(
    [property: Id(0)] long Version,
    [property: Id(1)] long Height,
    [property: Id(2)] ImmutableArray<byte> BlockHash,
    [property: Id(3)] int HardForkMajor,
    [property: Id(4)] int HardForkRevision,
    [property: Id(5)] long TableVersion,
    [property: Id(6)] ImmutableArray<NodeRecord> Nodes,
    [property: Id(7)] ImmutableArray<Fault> Faults,
    [property: Id(8)] ImmutableArray<NodeLag> Lagging,
    [property: Id(9)] ImmutableArray<NodeLife> Lives,
    [property: Id(10)] bool IsPaused,
    [property: Id(11)] TimeSpan BlockTime,
    [property: Id(12)] long StoreEpoch,
    [property: Id(13)] ImmutableArray<NodeLabel> Labels);

/// <summary>One service node in the registry.</summary>
/// <param name="Index">Number from which the node's keys are derived, together with the network secret.</param>
/// <param name="PublicKey">Ed25519 public key, 64 lower-case hex digits; lets a silo notice that its secret is another one.</param>
/// <param name="State">Place in the life cycle.</param>
/// <param name="SwarmId">The node's swarm; all ones while it is in none.</param>
/// <param name="RegistrationHeight">Height at which the node was registered.</param>
/// <param name="StateHeight">Height at which <paramref name="State"/> last changed.</param>
[GenerateSerializer, Immutable, Alias("session.NodeRecord")]
public sealed record NodeRecord(
    [property: Id(0)] int Index,
    [property: Id(1)] string PublicKey,
    [property: Id(2)] NodeState State,
    [property: Id(3)] ulong SwarmId,
    [property: Id(4)] long RegistrationHeight,
    [property: Id(5)] long StateHeight)
{
    /// <summary>Funded nodes take part in onion requests, decommissioned ones included.</summary>
    public bool IsFunded => State is not NodeState.Awaiting;
}
