using Session.Orleans.Chain.Accounts;
using Session.Orleans.Chain.Operations;

namespace Session.Orleans.Chain.Blocks;

/// <summary>An operation could not be done and changed nothing.</summary>
/// <param name="Position">Its place among the block's operations, from 0.</param>
/// <param name="Operation">The operation.</param>
/// <param name="Reason">Why, for the person who asked.</param>
public sealed record OperationRejected(int Position, ChainOperation Operation, string Reason) : ChainEvent
{
    /// <inheritdoc/>
    public override BlockChanges Changes => BlockChanges.None;
}

/// <summary>The faucet made coins.</summary>
/// <param name="To">Account that got them.</param>
/// <param name="Amount">Atomic units.</param>
public sealed record CoinsMinted(WalletAddress To, long Amount) : ChainEvent
{
    /// <inheritdoc/>
    public override BlockChanges Changes => BlockChanges.Ledger;
}

/// <summary>Coins changed hands.</summary>
/// <param name="From">Account that paid.</param>
/// <param name="To">Account that got them.</param>
/// <param name="Amount">Atomic units.</param>
public sealed record CoinsTransferred(WalletAddress From, WalletAddress To, long Amount) : ChainEvent
{
    /// <inheritdoc/>
    public override BlockChanges Changes => BlockChanges.Ledger;
}

/// <summary>The head of the reward queue was paid, and is now its end.</summary>
/// <param name="Node">Index of the node.</param>
/// <param name="Amount">New coins, in atomic units, divided among its contributors.</param>
public sealed record RewardPaid(int Node, long Amount) : ChainEvent
{
    /// <inheritdoc/>
    public override BlockChanges Changes => BlockChanges.Ledger;
}

/// <summary>A locked stake returned to its account.</summary>
/// <param name="Stake">The stake.</param>
public sealed record StakeReleased(LockedStake Stake) : ChainEvent
{
    /// <inheritdoc/>
    public override BlockChanges Changes => BlockChanges.Ledger;
}
