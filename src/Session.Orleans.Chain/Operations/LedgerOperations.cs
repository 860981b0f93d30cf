using Session.Orleans.Chain.Accounts;

namespace Session.Orleans.Chain.Operations;

/// <summary>The faucet: makes new coins.</summary>
/// <param name="To">Account that gets them.</param>
/// <param name="Amount">Atomic units, more than 0.</param>
public sealed record Mint(WalletAddress To, long Amount) : ChainOperation;

/// <summary>Moves coins from one account to another.</summary>
/// <param name="From">Account that pays.</param>
/// <param name="To">Account that gets them; may be the same.</param>
/// <param name="Amount">Atomic units, more than 0.</param>
public sealed record Transfer(WalletAddress From, WalletAddress To, long Amount) : ChainOperation;
