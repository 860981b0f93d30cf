using Session.Orleans.Chain.Accounts;

namespace Session.Orleans.Chain.Operations;

/// <summary>Registers a node. With the full stake it is active in the same block, otherwise it awaits contributions (network.md, 6).</summary>
/// <param name="Node">Number of the node, not negative and not in use.</param>
/// <param name="PublicKey">Primary key, not in use.</param>
/// <param name="Contributions">First stakes, the operator's own first; each account once, together at most the requirement.</param>
/// <param name="OperatorFee">The operator's share of the reward before it is divided by stake, in parts of a million.</param>
public sealed record Register(int Node, Ed25519PublicKey PublicKey, ImmutableArray<Contribution> Contributions, int OperatorFee = 0) : ChainOperation
{
    /// <summary>All of a million.</summary>
    public const int WholeFee = 1_000_000;
}

/// <summary>Adds to the stake of a node that awaits it.</summary>
/// <param name="Node">Index of the node.</param>
/// <param name="From">Account that pays.</param>
/// <param name="Amount">Atomic units, more than 0 and not more than is missing.</param>
public sealed record Contribute(int Node, WalletAddress From, long Amount) : ChainOperation;

/// <summary>
/// Asks that a node leave and its stake return: a funded one after <see cref="ChainRules.UnlockDelay"/>, one that still awaits its stake at once.
/// </summary>
/// <param name="Node">Index of the node.</param>
/// <param name="By">One of the node's contributors.</param>
public sealed record RequestUnlock(int Node, WalletAddress By) : ChainOperation;

/// <summary>
/// An operator of the network decommissions an active node, whatever its credit. Validators leave it so until <see cref="Recommission"/>;
/// its credit runs as always, and a failing node without credit is deregistered.
/// </summary>
/// <param name="Node">Index of the node.</param>
public sealed record Decommission(int Node) : ChainOperation;

/// <summary>An operator of the network brings a decommissioned node back, at the price in credit that a vote would have.</summary>
/// <param name="Node">Index of the node.</param>
public sealed record Recommission(int Node) : ChainOperation;

/// <summary>An operator of the network removes a funded node and locks its stake.</summary>
/// <param name="Node">Index of the node.</param>
public sealed record Deregister(int Node) : ChainOperation;
