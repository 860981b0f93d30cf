namespace Session.Orleans.Contracts;

/// <summary>What the chain keeps about a node besides its place in the network; changes at nearly every block (network.md, 2 and 6).</summary>
/// <param name="Index">The node.</param>
/// <param name="RequestedUnlockHeight">Height at which it leaves on request; 0 if nobody asked.</param>
/// <param name="EarnedDowntimeBlocks">Downtime credit in blocks.</param>
/// <param name="DecommissionCount">How often it was decommissioned.</param>
/// <param name="ReasonsAll">Reasons for the last decommission that all votes named, as bits.</param>
/// <param name="ReasonsAny">Reasons that any vote named.</param>
/// <param name="LastRewardHeight">Its place in the reward queue: the height.</param>
/// <param name="LastRewardIndex">Its place in the reward queue: the position within the block.</param>
/// <param name="LastProofHeight">Height of its last uptime proof; null before the first.</param>
/// <param name="FailingSince">Height at which peers began to find it failing; null if none does.</param>
/// <param name="TotalContributed">Its stake, in atomic units.</param>
[GenerateSerializer, Immutable, Alias("session.NodeLife")]
public readonly record struct NodeLife(
    [property: Id(0)] int Index,
    [property: Id(1)] long RequestedUnlockHeight,
    [property: Id(2)] long EarnedDowntimeBlocks,
    [property: Id(3)] int DecommissionCount,
    [property: Id(4)] int ReasonsAll,
    [property: Id(5)] int ReasonsAny,
    [property: Id(6)] long LastRewardHeight,
    [property: Id(7)] uint LastRewardIndex,
    [property: Id(8)] long? LastProofHeight,
    [property: Id(9)] long? FailingSince,
    [property: Id(10)] long TotalContributed);

/// <summary>What an operator may ask of a node.</summary>
public enum NodeOrderKind
{
    /// <summary>Register it, with its full stake from the faucet.</summary>
    Register = 0,

    /// <summary>Take it out of its swarm until it is recommissioned.</summary>
    Decommission = 1,

    /// <summary>Bring it back.</summary>
    Recommission = 2,

    /// <summary>Remove it and lock its stake.</summary>
    Deregister = 3,

    /// <summary>Let it leave by itself, after the time the chain sets for that.</summary>
    Leave = 4,
}

/// <summary>Where all coins are, in atomic units: minted = balances + stakes + locked.</summary>
/// <param name="Minted">Everything ever made.</param>
/// <param name="Balances">Free to be spent.</param>
/// <param name="Stakes">In the stakes of registered nodes.</param>
/// <param name="Locked">In the stakes of deregistered nodes.</param>
[GenerateSerializer, Immutable, Alias("session.LedgerState")]
public readonly record struct LedgerState(
    [property: Id(0)] long Minted, [property: Id(1)] long Balances, [property: Id(2)] long Stakes, [property: Id(3)] long Locked);
