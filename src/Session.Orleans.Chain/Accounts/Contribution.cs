namespace Session.Orleans.Chain.Accounts;

/// <summary>What one account has put into a node's stake.</summary>
/// <param name="Wallet">The account, to which the stake returns.</param>
/// <param name="Amount">Atomic units, more than 0.</param>
public readonly record struct Contribution(WalletAddress Wallet, long Amount);
