namespace Session.Orleans.Chain.Accounts;

/// <summary>Where all coins are, in atomic units. After every block <c>Minted = Balances + Stakes + Locked</c>.</summary>
/// <param name="Minted">Everything ever made, by the faucet or as reward.</param>
/// <param name="Balances">Free to be spent.</param>
/// <param name="Stakes">In the stakes of registered nodes.</param>
/// <param name="Locked">Stakes of deregistered nodes that are not released yet.</param>
public readonly record struct LedgerTotals(long Minted, long Balances, long Stakes, long Locked)
{
    /// <summary>True if no coin was lost or made out of nothing.</summary>
    public bool IsBalanced => Minted == (Int128)Balances + Stakes + Locked;
}
