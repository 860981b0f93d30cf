namespace Session.Orleans.Chain.Tests;

public sealed class ChainRulesTests
{
    [Fact]
    public void ForTestnet_NoSpeed_IsTheNetworksLifeInBlocks() => Assert.Equal(ChainRules.Network, ChainRules.ForTestnet());

    [Fact]
    public void ForTestnet_Faster_DividesEveryDuration()
    {
        var rules = ChainRules.ForTestnet(10);
        Assert.Equal((7, 3, 4, 6, 144, 6, 2160, 1080, 72), (rules.ProofMaxAge, rules.ProofInterval, rules.UnreachableAfter, rules.CreditStart,
            rules.CreditCap, rules.CreditToDecommission, rules.DeregistrationLock, rules.UnlockDelay, rules.IpChangeWindow));
        Assert.Equal((2, 24, 720, 10), (rules.FailureStaleAfter, rules.CreditPerDay, rules.BlocksPerDay, rules.QuorumSize));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(30)]
    public void ForTestnet_AnySpeed_HealthyNodesStayAndDownNodesGo(int speed)
    {
        var network = TestNetwork.Create(12, ChainRules.ForTestnet(speed));
        network.Blocks(100);
        Assert.All(network.Chain.Nodes, node => Assert.Equal(NodeStatus.Active, node.Status));
        _ = network.Down.Add(3);
        _ = network.BlocksUntil(n => n.Status(3) is not NodeStatus.Active, most: 33 / speed + 6);
        _ = network.BlocksUntil(n => n.Status(3) is null, most: 100);
    }

    [Fact]
    public void QuietBlocks_ChangeTheLedgerAlone()
    {
        var network = TestNetwork.Create(100);
        network.Blocks(100); // every node has told its address
        for (var block = 0; block < 200; block++)
            Assert.Equal(BlockChanges.Ledger, network.Block().Changes);
    }

    [Fact]
    public void Validate_OutOfRange_NamesTheRule()
    {
        foreach (var (rules, name) in new (ChainRules, string)[]
        {
            (new() { QuorumVotes = 5 }, "QuorumVotes"), (new() { QuorumVotes = 11 }, "QuorumVotes"), (new() { BlocksPerDay = 0 }, "BlocksPerDay"),
            (new() { CreditCap = 59 }, "CreditCap"), (new() { TestInterval = 0 }, "TestInterval"), (new() { DeregistrationLock = -1 }, "DeregistrationLock"),
            (new() { StakingRequirement = 0 }, "StakingRequirement"), (new() { UnlockDelay = long.MaxValue }, "UnlockDelay"),
            (new() { Swarms = new(0, 1) }, "Minimum"),
        })
        {
            var error = Assert.Throws<ArgumentOutOfRangeException>(() => ServiceNodeChain.Create(rules, new(0, default)));
            Assert.Contains(name, error.ParamName, StringComparison.Ordinal);
        }
    }
}
