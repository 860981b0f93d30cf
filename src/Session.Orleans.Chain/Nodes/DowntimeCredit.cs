namespace Session.Orleans.Chain.Nodes;

/// <summary>
/// How long a node may be out before it is deregistered, in blocks (network.md, 6). Computed from the credit at the last change of state
/// and the blocks since, so that a block in which nothing happens has nothing to update.
/// </summary>
public static class DowntimeCredit
{
    /// <summary>Credit of a node that has been active for <paramref name="blocksUp"/> blocks: grows by the day, up to the cap.</summary>
    /// <param name="rules">Rate and cap.</param>
    /// <param name="atStart">Credit when it became active.</param>
    /// <param name="blocksUp">Blocks since.</param>
    public static long WhileActive(ChainRules rules, long atStart, long blocksUp) =>
        Math.Min(rules.CreditCap, atStart + blocksUp * rules.CreditPerDay / rules.BlocksPerDay);

    /// <summary>Credit of a node that has been decommissioned for <paramref name="blocksOut"/> blocks: falls by 1 a block, also below 0.</summary>
    public static long WhileDecommissioned(long atDecommission, long blocksOut) => atDecommission - blocksOut;

    /// <summary>Credit with which a node comes back.</summary>
    public static long AtRecommission(ChainRules rules, long atDecommission, long blocksOut) =>
        Math.Max(0, atDecommission - rules.CreditPerBlockOut * blocksOut);
}
