using Session.Orleans.Chain.Accounts;
using Session.Orleans.Chain.Nodes;

namespace Session.Orleans.Chain.Blocks;

/// <summary>Something that happened to a node.</summary>
/// <param name="Node">Index of the node.</param>
public abstract record NodeEvent(int Node) : ChainEvent
{
    /// <inheritdoc/>
    public override BlockChanges Changes => BlockChanges.Nodes;
}

/// <summary>A node was registered.</summary>
/// <param name="Node">Index of the node.</param>
public sealed record NodeRegistered(int Node) : NodeEvent(Node);

/// <summary>An account added to a node's stake.</summary>
/// <param name="Node">Index of the node.</param>
/// <param name="Wallet">The account.</param>
/// <param name="Amount">Atomic units.</param>
public sealed record StakeAdded(int Node, WalletAddress Wallet, long Amount) : NodeEvent(Node)
{
    /// <inheritdoc/>
    public override BlockChanges Changes => BlockChanges.Nodes | BlockChanges.Ledger;
}

/// <summary>A node's stake is complete: it became active.</summary>
/// <param name="Node">Index of the node.</param>
public sealed record NodeActivated(int Node) : NodeEvent(Node);

/// <summary>A node was decommissioned.</summary>
/// <param name="Node">Index of the node.</param>
/// <param name="ByOperator">True if an operator of the network did it, false if validators did.</param>
/// <param name="ReasonsAll">Reasons that all voting validators had.</param>
/// <param name="ReasonsAny">Reasons that any of them had.</param>
/// <param name="Credit">Its credit, in blocks.</param>
public sealed record NodeDecommissioned(
    int Node, bool ByOperator, DecommissionReasons ReasonsAll, DecommissionReasons ReasonsAny, long Credit) : NodeEvent(Node);

/// <summary>A decommissioned node became active again.</summary>
/// <param name="Node">Index of the node.</param>
/// <param name="ByOperator">True if an operator of the network did it, false if validators did.</param>
/// <param name="Credit">The credit it came back with, in blocks.</param>
public sealed record NodeRecommissioned(int Node, bool ByOperator, long Credit) : NodeEvent(Node);

/// <summary>A node was removed and its stake locked.</summary>
/// <param name="Node">Index of the node.</param>
/// <param name="ByOperator">True if an operator of the network did it, false if validators did.</param>
/// <param name="ReasonsAll">Reasons that all voting validators had.</param>
/// <param name="ReasonsAny">Reasons that any of them had.</param>
/// <param name="ReleaseHeight">Height at which the stake returns.</param>
public sealed record NodeDeregistered(
    int Node, bool ByOperator, DecommissionReasons ReasonsAll, DecommissionReasons ReasonsAny, long ReleaseHeight) : NodeEvent(Node)
{
    /// <inheritdoc/>
    public override BlockChanges Changes => BlockChanges.Nodes | BlockChanges.Ledger;
}

/// <summary>A contributor asked that the node leave.</summary>
/// <param name="Node">Index of the node.</param>
/// <param name="UnlockHeight">Height at which it leaves.</param>
public sealed record UnlockRequested(int Node, long UnlockHeight) : NodeEvent(Node);

/// <summary>A node left as asked, and its stake returned.</summary>
/// <param name="Node">Index of the node.</param>
public sealed record NodeLeft(int Node) : NodeEvent(Node)
{
    /// <inheritdoc/>
    public override BlockChanges Changes => BlockChanges.Nodes | BlockChanges.Ledger;
}

/// <summary>A proof named another address than the one before.</summary>
/// <param name="Node">Index of the node.</param>
/// <param name="PublicIp">The new address.</param>
/// <param name="LostRewardPlace">True if the old one was in use too shortly before, so that the node went to the end of the reward queue.</param>
public sealed record IpChanged(int Node, string PublicIp, bool LostRewardPlace) : NodeEvent(Node);
