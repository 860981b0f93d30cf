namespace Session.Orleans.Chain.Tests.Nodes;

public sealed class RewardQueueTests
{
    [Fact]
    public void NewNodes_QueueInTheOrderOfTheirOperations()
    {
        var network = TestNetwork.Create(5);
        Assert.Equal([0, 1, 2, 3, 4], network.Chain.RewardQueue);
        Assert.Equal(new RewardPlace(1, 2), network.Node(0).RewardPlace); // after the bank's coins and its own
    }

    [Fact]
    public void Reward_GoesToWhoHasWaitedLongest()
    {
        var network = TestNetwork.Create(5);
        for (var block = 0; block < 20; block++)
        {
            _ = network.Block();
            Assert.Equal(block % 5, Assert.Single(network.Events<RewardPaid>()).Node);
        }

        Assert.All(Enumerable.Range(0, 5), node => Assert.Equal(4 * 16_500_000_000, network.Chain.BalanceOf(TestNetwork.Owner(node))));
        Assert.Equal(new RewardPlace(21, RewardPlace.AtEnd), network.Node(4).RewardPlace);
    }

    [Fact]
    public void Reward_IsDividedByStakeAfterTheOperatorsFee()
    {
        var rules = ChainRules.Network with { StakingRequirement = 100, RewardPerBlock = 1001 };
        WalletAddress alice = new("alice"), bob = new("bob"), carol = new("carol");
        var network = TestNetwork.Create(0, rules);
        _ = network.Block(new Mint(alice, 50), new Mint(bob, 30), new Mint(carol, 20),
            new Register(0, TestNetwork.Key(0), [new(alice, 50), new(bob, 30), new(carol, 20)], OperatorFee: 100_000));
        _ = network.Block();
        // 100.1 -> 100 fee; 901 are shared: 270.3 and 180.2, rounded down; the operator has the rest.
        Assert.Equal((551, 270, 180), (network.Chain.BalanceOf(alice), network.Chain.BalanceOf(bob), network.Chain.BalanceOf(carol)));
    }

    [Fact]
    public void Reward_NoActiveNode_MintsNothing()
    {
        var network = TestNetwork.Create(0);
        var minted = network.Chain.Totals.Minted;
        network.Blocks(3);
        Assert.Equal(minted, network.Chain.Totals.Minted);
    }

    [Fact]
    public void Recommission_GoesToTheEndBehindTheRewardedAndTheNew()
    {
        var network = TestNetwork.Create(5);
        _ = network.Block(new Decommission(2));
        _ = network.Block([new Recommission(2), .. TestNetwork.Join(7, network.Chain.Rules)]);
        // Height 3 rewarded node 1; of places (3, end) the lower key comes first, and node 7 is at (3, 2).
        Assert.Equal([3, 4, 0, 7], network.Chain.RewardQueue[..4]);
        Assert.Equal([1, 2], network.Chain.RewardQueue[4..].Order());
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(720, true)]
    [InlineData(721, false)]
    public void SecondAddress_WithinADay_CostsThePlaceAndNothingElse(int blocksLater, bool loses)
    {
        // Nobody is examined, so that the node may be silent for a day.
        var rules = ChainRules.Network with { TestedMinimum = 0, TestedPercent = 0, RewardPerBlock = 0 };
        var chain = TestNetwork.Create(5, rules).Chain;
        ImmutableArray<ChainEvent> Block(params UptimeProof[] proofs) =>
            chain.AddBlock(new(chain.Height + 1, TestNetwork.Hash(chain.Height + 1)) { UptimeProofs = proofs }).Events;

        Assert.False(Assert.IsType<IpChanged>(Assert.Single(Block(new UptimeProof(1, "10.0.0.1")))).LostRewardPlace);
        for (var i = 1; i < blocksLater; i++)
            _ = Block();
        var changed = Assert.IsType<IpChanged>(Assert.Single(Block(new UptimeProof(1, "10.0.0.2"))));
        Assert.Equal(new IpChanged(1, "10.0.0.2", loses), changed);
        Assert.Equal(loses ? [0, 2, 3, 4, 1] : [0, 1, 2, 3, 4], chain.RewardQueue);
        Assert.Equal((NodeStatus.Active, "10.0.0.2"), (chain.FindNode(1)!.Status, chain.FindNode(1)!.PublicIp));
        Assert.Empty(Block(new UptimeProof(1, "10.0.0.2"), new UptimeProof(1, null)));
    }
}
