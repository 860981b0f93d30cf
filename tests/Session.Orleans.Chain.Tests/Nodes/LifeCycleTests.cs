namespace Session.Orleans.Chain.Tests.Nodes;

/// <summary>The states of section 6 with the deployed network's numbers.</summary>
public sealed class LifeCycleTests
{
    private const int Ill = 3;

    [Fact]
    public void Register_FullStake_IsActiveInASwarmWithTwoHoursOfCredit()
    {
        var network = TestNetwork.Create(12);
        var node = network.Node(Ill);
        Assert.Equal((NodeStatus.Active, 1, 60), (node.Status, node.StateHeight, node.EarnedDowntimeBlocks));
        Assert.NotEqual(SwarmId.Unassigned, node.SwarmId);
    }

    [Fact]
    public void Register_PartOfTheStake_AwaitsTheRest()
    {
        var network = TestNetwork.Create(12);
        var requirement = network.Chain.Rules.StakingRequirement;
        _ = network.Block(new Register(50, TestNetwork.Key(50), [new(TestNetwork.Bank, requirement - 10)]));
        Assert.Equal(NodeStatus.Awaiting, network.Status(50));
        Assert.Equal(SwarmId.Unassigned, network.Node(50).SwarmId);
        Assert.DoesNotContain(network.Chain.PlanPeerTests(), test => test.Testee == 50 || test.Tester == 50);

        network.Blocks(100);
        _ = network.Block(new Contribute(50, TestNetwork.Bank, 10));
        Assert.Equal(NodeStatus.Active, network.Status(50));
        // Its credit begins now, not with the registration.
        Assert.Equal(60, network.Node(50).EarnedDowntimeBlocks);
        Assert.Equal(network.Chain.Height, network.Node(50).StateHeight);
    }

    [Theory]
    [InlineData(0, 60)]
    [InlineData(29, 60)]
    [InlineData(30, 61)]
    [InlineData(720, 84)]
    [InlineData(41_399, 1439)]
    [InlineData(41_400, 1440)]
    [InlineData(1_000_000, 1440)]
    public void Credit_WhileActive_GrowsByADayUpToTwoDays(long blocksUp, long expected) =>
        Assert.Equal(expected, DowntimeCredit.WhileActive(ChainRules.Network, 60, blocksUp));

    [Theory]
    [InlineData(100, 0, 100)]
    [InlineData(100, 50, 0)]
    [InlineData(100, 49, 2)]
    [InlineData(100, 90, 0)]
    public void Credit_AtRecommission_CostsTwoForEveryBlockOut(long before, long blocksOut, long expected) =>
        Assert.Equal(expected, DowntimeCredit.AtRecommission(ChainRules.Network, before, blocksOut));

    [Fact]
    public void DownNode_StaysInItsSwarmForMoreThanAnHourThenIsDecommissioned()
    {
        var network = TestNetwork.Create(20);
        network.Blocks(100);
        _ = network.Down.Add(Ill);
        // 65 min are 32.5 blocks: at 32 everybody still is a member.
        network.Blocks(32);
        Assert.Equal(NodeStatus.Active, network.Status(Ill));
        var more = network.BlocksUntil(n => n.Status(Ill) is not NodeStatus.Active);
        Assert.InRange(more, 1, 6);

        var node = network.Node(Ill);
        Assert.Equal((NodeStatus.Decommissioned, SwarmId.Unassigned, 1), (node.Status, node.SwarmId, node.DecommissionCount));
        Assert.Equal(DecommissionReasons.StorageUnreachable, node.LastDecommissionReasonsAll);
        Assert.Equal(DecommissionReasons.StorageUnreachable, node.LastDecommissionReasonsAny);
        Assert.Equal(60 + (network.Chain.Height - 1) * 24 / 720, node.EarnedDowntimeBlocks);
        Assert.DoesNotContain(Ill, network.Chain.RewardQueue);
        Assert.True(network.Last.Changes.HasFlag(BlockChanges.Nodes | BlockChanges.Swarms));
    }

    [Fact]
    public void DownNodes_FiveHundredNodes_FallOneByOneWithinThreeHours()
    {
        // Each tester comes to a given node every 42 blocks, and each node is examined every tenth block.
        var network = TestNetwork.Create(500);
        network.Blocks(40);
        network.Down.UnionWith(Enumerable.Range(0, 20));
        var died = network.Chain.Height;
        var after = new List<long>();
        while (after.Count < 20)
        {
            _ = network.Block();
            after.AddRange(network.Events<NodeDecommissioned>().Select(_ => network.Chain.Height - died));
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"after {string.Join(' ', after)} blocks");
        Assert.InRange(after[0], 33, 70);
        Assert.InRange(after[^1], 34, 110);
        Assert.All(Enumerable.Range(20, 480), node => Assert.Equal(NodeStatus.Active, network.Status(node)));
    }

    [Fact]
    public void NodeWithoutProofs_FailsAfterTwoHoursAndFiveMinutes()
    {
        var network = TestNetwork.Create(20);
        network.Blocks(100);
        var last = network.Node(Ill).LastProofHeight!.Value;
        _ = network.Mute.Add(Ill);
        _ = network.BlocksUntil(n => n.Status(Ill) is not NodeStatus.Active);
        // 62.5 blocks: 62 pass.
        Assert.Equal(63, network.Chain.Height - last);
        Assert.Equal(DecommissionReasons.UptimeProof, network.Node(Ill).LastDecommissionReasonsAll);
    }

    [Fact]
    public void NodeThatNeverSentAProof_HasTheSameTimeForItsFirst()
    {
        var network = TestNetwork.Create(20);
        _ = network.Mute.Add(Ill);
        network.Blocks(62);
        Assert.Equal(NodeStatus.Active, network.Status(Ill));
        network.Blocks(1);
        Assert.Equal(NodeStatus.Decommissioned, network.Status(Ill));
    }

    [Fact]
    public void DecommissionedNode_PassesItsTests_ComesBackWithItsCreditReduced()
    {
        var network = TestNetwork.Create(20);
        network.Blocks(720);
        _ = network.Down.Add(Ill);
        _ = network.BlocksUntil(n => n.Status(Ill) is not NodeStatus.Active);
        var (height, credit) = (network.Chain.Height, network.Node(Ill).EarnedDowntimeBlocks);
        network.Blocks(10);
        Assert.Equal(credit - 10, network.Node(Ill).EarnedDowntimeBlocks);

        _ = network.Down.Remove(Ill);
        _ = network.BlocksUntil(n => n.Status(Ill) is NodeStatus.Active);
        var blocksOut = network.Chain.Height - height;
        // Its last proof may be too old by now, and proofs come every 30 blocks.
        Assert.InRange(blocksOut, 11, 42);
        Assert.Equal(Math.Max(0, credit - 2 * blocksOut), network.Node(Ill).EarnedDowntimeBlocks);
        // At the end, where the node that was rewarded in the same block is too.
        Assert.Contains(Ill, network.Chain.RewardQueue[^2..]);
        Assert.NotEqual(SwarmId.Unassigned, network.Node(Ill).SwarmId);
    }

    [Fact]
    public void DecommissionedNode_StaysDown_IsDeregisteredWhenItsCreditIsBelowZero()
    {
        var network = TestNetwork.Create(20);
        _ = network.Down.Add(Ill);
        _ = network.BlocksUntil(n => n.Status(Ill) is not NodeStatus.Active);
        var credit = network.Node(Ill).EarnedDowntimeBlocks;
        network.Blocks(credit);
        Assert.Equal(0, network.Node(Ill).EarnedDowntimeBlocks);
        network.Blocks(1);
        Assert.Null(network.Status(Ill));
        var gone = Assert.Single(network.Events<NodeDeregistered>());
        Assert.Equal(network.Chain.Height + 30 * 720, gone.ReleaseHeight);
        Assert.False(gone.ByOperator);
        Assert.True(gone.ReasonsAny.HasFlag(DecommissionReasons.StorageUnreachable));
    }

    [Fact]
    public void FailingNode_WithLessThanTwoHoursOfCredit_IsDeregisteredAtOnce()
    {
        var network = TestNetwork.Create(20);
        _ = network.Block(new Decommission(Ill));
        network.Blocks(5);
        _ = network.Block(new Recommission(Ill));
        Assert.InRange(network.Node(Ill).EarnedDowntimeBlocks, 0, 59);
        _ = network.Down.Add(Ill);
        _ = network.BlocksUntil(n => n.Status(Ill) is not NodeStatus.Active);
        Assert.Null(network.Status(Ill));
        Assert.Equal(network.Chain.Rules.StakingRequirement, network.Chain.Totals.Locked);
    }

    [Fact]
    public void DeregisteredStake_ReturnsAfterThirtyDays()
    {
        var network = TestNetwork.Create(1, ChainRules.Network with { RewardPerBlock = 0 });
        _ = network.Block(new Deregister(0));
        Assert.Equal(0, network.Chain.BalanceOf(TestNetwork.Owner(0)));
        network.Blocks(30 * 720 - 1);
        Assert.Equal(0, network.Chain.BalanceOf(TestNetwork.Owner(0)));
        network.Blocks(1);
        Assert.Equal(network.Chain.Rules.StakingRequirement, network.Chain.BalanceOf(TestNetwork.Owner(0)));
        Assert.Empty(network.Chain.LockedStakes);
        _ = Assert.Single(network.Events<StakeReleased>());
    }

    [Fact]
    public void OperatorsDecommission_LastsUntilTheOperatorEndsIt()
    {
        var network = TestNetwork.Create(20);
        _ = network.Block(new Decommission(Ill));
        Assert.True(network.Node(Ill).IsHeld);
        // Also without credit: the node passes its tests.
        network.Blocks(100);
        Assert.Equal(NodeStatus.Decommissioned, network.Status(Ill));
        Assert.True(network.Node(Ill).EarnedDowntimeBlocks < 0);
        _ = network.Block(new Recommission(Ill));
        Assert.Equal((NodeStatus.Active, 0L, false), (network.Status(Ill), network.Node(Ill).EarnedDowntimeBlocks, network.Node(Ill).IsHeld));
    }

    [Fact]
    public void RequestUnlock_LeavesAfterFifteenDaysWithItsStake()
    {
        var network = TestNetwork.Create(12, ChainRules.Network with { RewardPerBlock = 0 });
        _ = network.Block(new RequestUnlock(Ill, TestNetwork.Owner(Ill)));
        Assert.Equal(2 + 15 * 720, network.Node(Ill).RequestedUnlockHeight);
        network.Blocks(15 * 720 - 1);
        Assert.Equal(NodeStatus.Active, network.Status(Ill));
        network.Blocks(1);
        Assert.Null(network.Status(Ill));
        Assert.Equal(network.Chain.Rules.StakingRequirement, network.Chain.BalanceOf(TestNetwork.Owner(Ill)));
    }

    [Fact]
    public void RequestUnlock_ThenDeregistration_LocksTheStake()
    {
        var network = TestNetwork.Create(12);
        _ = network.Block(new RequestUnlock(Ill, TestNetwork.Owner(Ill)), new Deregister(Ill));
        Assert.Null(network.Status(Ill));
        Assert.Equal(network.Chain.Rules.StakingRequirement, network.Chain.Totals.Locked);
    }

    [Fact]
    public void RequestUnlock_NodeStillAwaitingItsStake_LeavesAtOnce()
    {
        var network = TestNetwork.Create(3);
        _ = network.Block(new Register(50, TestNetwork.Key(50), [new(TestNetwork.Bank, 10)]));
        var before = network.Chain.BalanceOf(TestNetwork.Bank);
        _ = network.Block(new RequestUnlock(50, TestNetwork.Bank));
        Assert.Null(network.Status(50));
        Assert.Equal(before + 10, network.Chain.BalanceOf(TestNetwork.Bank));
    }

    [Fact]
    public void RemovedNode_MayComeBackUnderItsNumberAndKey()
    {
        var network = TestNetwork.Create(12);
        _ = network.Block(new Deregister(Ill));
        _ = network.Block(TestNetwork.Join(Ill, network.Chain.Rules));
        Assert.Equal(NodeStatus.Active, network.Status(Ill));
        Assert.Equal(0, network.Node(Ill).DecommissionCount);
    }
}
