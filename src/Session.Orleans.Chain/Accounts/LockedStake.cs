namespace Session.Orleans.Chain.Accounts;

/// <summary>A stake of a deregistered node that its owner doesn't get back yet (network.md, 6).</summary>
/// <param name="Wallet">The account to which it returns.</param>
/// <param name="Amount">Atomic units.</param>
/// <param name="ReleaseHeight">Height of the block that returns it.</param>
/// <param name="Node">Index of the node that was deregistered.</param>
public readonly record struct LockedStake(WalletAddress Wallet, long Amount, long ReleaseHeight, int Node);
