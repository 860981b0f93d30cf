namespace Session.Orleans.Chain.Tests;

/// <summary>What is true after every block.</summary>
internal static class Invariants
{
    public static void Hold(ServiceNodeChain chain)
    {
        var nodes = chain.Nodes;
        Coins(chain, nodes);
        Swarms(chain, nodes);
        foreach (var node in nodes)
        {
            Assert.True(node.EarnedDowntimeBlocks <= chain.Rules.CreditCap, "credit above the cap");
            Assert.Equal(node.TotalContributed == chain.Rules.StakingRequirement, node.IsFunded);
            Assert.True(node.StateHeight <= chain.Height && node.RegistrationHeight <= node.StateHeight);
            Assert.True(node.RequestedUnlockHeight == 0 || node.RequestedUnlockHeight > chain.Height, "overdue unlock");
        }

        Assert.Equal(nodes.Where(node => node.Status is NodeStatus.Active).Select(node => node.Index), chain.RewardQueue.Order());
        Assert.Equal(chain.RewardQueue.Select(index => chain.FindNode(index)!.RewardPlace).Order(), chain.RewardQueue.Select(index => chain.FindNode(index)!.RewardPlace));
    }

    // Counted anew, not believed.
    private static void Coins(ServiceNodeChain chain, ImmutableArray<ServiceNodeRecord> nodes)
    {
        var ledger = chain.TakeSnapshot().Ledger;
        Assert.All(ledger.Balances.Values, balance => Assert.True(balance > 0));
        var counted = new LedgerTotals(ledger.Minted, ledger.Balances.Values.Sum(),
            nodes.Sum(node => node.TotalContributed), chain.LockedStakes.Sum(stake => stake.Amount));
        Assert.Equal(counted, chain.Totals);
        Assert.True(counted.IsBalanced);
        Assert.All(chain.LockedStakes, stake => Assert.True(stake.ReleaseHeight > chain.Height, "overdue stake"));
    }

    private static void Swarms(ServiceNodeChain chain, ImmutableArray<ServiceNodeRecord> nodes)
    {
        var members = chain.Swarms.SelectMany(swarm => chain.MembersOf(swarm).Select(node => (node, swarm))).ToList();
        Assert.Equal(nodes.Where(node => node.Status is NodeStatus.Active).Select(node => node.Index), members.Select(pair => pair.node).Order());
        Assert.All(members, pair => Assert.Equal(pair.swarm, chain.FindNode(pair.node)!.SwarmId));
        Assert.All(nodes.Where(node => node.Status is not NodeStatus.Active), node => Assert.Equal(SwarmId.Unassigned, node.SwarmId));
        Composition([.. chain.Swarms.Select(swarm => chain.MembersOf(swarm).Length)], chain.Rules.Swarms);
        Assert.DoesNotContain(SwarmId.Unassigned, chain.Swarms);
    }

    /// <summary>Section 4: no swarm below the minimum unless it is the only one, and none left to split off.</summary>
    public static void Composition(int[] sizes, SwarmRules rules)
    {
        Assert.All(sizes, size => Assert.True(size > 0));
        if (sizes.Length > 1)
            Assert.All(sizes, size => Assert.True(size >= rules.Minimum, $"a swarm of {size}"));
        if (sizes.Length > 0)
            Assert.True(sizes.Sum() - rules.Minimum * sizes.Length < rules.Ideal + rules.Margin * sizes.Length, "a swarm was not split off");
    }
}
