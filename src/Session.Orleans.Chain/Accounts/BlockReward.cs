using Session.Orleans.Chain.Blocks;
using Session.Orleans.Chain.Nodes;
using Session.Orleans.Chain.Operations;

namespace Session.Orleans.Chain.Accounts;

/// <summary>
/// Pays the head of the reward queue: the operator's fee first, the rest by stake, rounded down, and what rounding leaves to the operator.
/// Without an active node, or when no more coins can be counted, nothing is minted.
/// </summary>
internal static class BlockReward
{
    public static void Pay(ChainState chain)
    {
        var reward = Math.Min(chain.Rules.RewardPerBlock, long.MaxValue - chain.Ledger.Totals.Minted);
        if (reward <= 0 || chain.RewardQueue.Head is not { } node)
            return;

        var shared = reward - Part(reward, node.OperatorFee, Register.WholeFee);
        var stake = node.TotalContributed;
        var left = reward;
        foreach (var (wallet, amount) in node.Contributions.Skip(1))
        {
            var share = Part(shared, amount, stake);
            left -= share;
            if (share > 0)
                _ = chain.Ledger.Mint(wallet, share);
        }

        if (left > 0)
            _ = chain.Ledger.Mint(node.Operator, left);
        chain.RewardQueue.Move(node, new(chain.Height, RewardPlace.AtEnd));
        chain.Events.Add(new RewardPaid(node.Index, reward));
    }

    private static long Part(long amount, long numerator, long denominator) => (long)((Int128)amount * numerator / denominator);
}
