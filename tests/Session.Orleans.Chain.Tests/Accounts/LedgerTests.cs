namespace Session.Orleans.Chain.Tests.Accounts;

public sealed class LedgerTests
{
    private static readonly WalletAddress Alice = new("alice"), Bob = new("bob");

    [Fact]
    public void MintAndTransfer_MoveCoins()
    {
        var network = TestNetwork.Create(0);
        var result = network.Block(new Mint(Alice, 100), new Transfer(Alice, Bob, 40), new Transfer(Bob, Bob, 40));
        Assert.Equal((60, 40), (network.Chain.BalanceOf(Alice), network.Chain.BalanceOf(Bob)));
        Assert.Equal(BlockChanges.Ledger, result.Changes);
        Assert.Empty(network.Events<OperationRejected>());
    }

    [Fact]
    public void Mint_MoreThanCanBeCounted_IsRejected()
    {
        var network = TestNetwork.Create(3);
        Assert.Equal("more coins than a ledger can count would exist", network.Rejection(new Mint(Alice, long.MaxValue)));
        // Up to the last coin, and then the reward ends instead of overflowing.
        _ = network.Block(new Mint(Alice, long.MaxValue - network.Chain.Totals.Minted - network.Chain.Rules.RewardPerBlock - 1));
        Assert.Empty(network.Events<OperationRejected>());
        _ = network.Block();
        Assert.Equal(1, Assert.Single(network.Events<RewardPaid>()).Amount);
        _ = network.Block();
        Assert.Empty(network.Events<RewardPaid>());
        Assert.Equal(long.MaxValue, network.Chain.Totals.Minted);
        Invariants.Hold(network.Chain);
    }

    public static TheoryData<ChainOperation, string> Impossible => new()
    {
        { new Mint(Alice, 0), "more than 0" },
        { new Mint(default, 5), "wallet address is missing" },
        { new Transfer(Alice, Bob, 1), "alice has 0 atomic units, 1 are needed" },
        { new Transfer(TestNetwork.Bank, Bob, -1), "more than 0" },
        { new Transfer(TestNetwork.Bank, default, 1), "wallet address is missing" },
        { new Transfer(default, Bob, 1), "wallet address is missing" },
        { new Register(-1, TestNetwork.Key(99), [new(TestNetwork.Bank, 1)]), "not negative" },
        { new Register(0, TestNetwork.Key(99), [new(TestNetwork.Bank, 1)]), "node 0 is already registered" },
        { new Register(99, TestNetwork.Key(0), [new(TestNetwork.Bank, 1)]), "the key" },
        { new Register(99, TestNetwork.Key(99), []), "own contribution is missing" },
        { new Register(99, TestNetwork.Key(99), default), "own contribution is missing" },
        { new Register(99, TestNetwork.Key(99), [new(TestNetwork.Bank, 1), new(TestNetwork.Bank, 1)]), "bank contributes twice" },
        { new Register(99, TestNetwork.Key(99), [new(TestNetwork.Bank, 1)], -1), "fee" },
        { new Register(99, TestNetwork.Key(99), [new(TestNetwork.Bank, 1)], 1_000_001), "fee" },
        { new Register(99, TestNetwork.Key(99), [new(TestNetwork.Bank, 15_000_000_000_001)]), "the stake is" },
        { new Register(99, TestNetwork.Key(99), [new(Alice, 1)]), "alice has 0" },
        { new Register(99, TestNetwork.Key(99), [.. Enumerable.Range(0, 11).Select(i => new Contribution(new($"w{i}"), 1))]), "at most 10" },
        { new Contribute(0, TestNetwork.Bank, 1), "fully staked" },
        { new Contribute(77, TestNetwork.Bank, 1), "there is no node 77" },
        { new Contribute(20, TestNetwork.Bank, 15_000_000_000_000), "lacks only" },
        { new Contribute(20, Alice, 1), "alice has 0" },
        { new RequestUnlock(0, Alice), "has no stake" },
        { new RequestUnlock(77, Alice), "there is no node 77" },
        { new RequestUnlock(1, TestNetwork.Owner(1)), "leaves at height" },
        { new Decommission(20), "still awaiting its stake" },
        { new Decommission(2), "is decommissioned" },
        { new Decommission(77), "there is no node 77" },
        { new Recommission(0), "is active" },
        { new Recommission(77), "there is no node 77" },
        { new Deregister(20), "still awaiting its stake" },
        { new Deregister(77), "there is no node 77" },
        { new Unheard(), "no operation" },
    };

    [Theory, MemberData(nameof(Impossible), DisableDiscoveryEnumeration = true)]
    public void ImpossibleOperation_IsRejectedWithAReasonAndChangesNothing(ChainOperation operation, string reason)
    {
        var (with, without) = (Prepare(), Prepare());
        Assert.Contains(reason, with.Rejection(operation), StringComparison.Ordinal);
        _ = without.Block();
        Assert.Equal(without.Chain.TakeSnapshot().ToJson(), with.Chain.TakeSnapshot().ToJson());
    }

    [Fact]
    public void Contribute_TenContributorsAlready_OnlyTheyMayAdd()
    {
        var network = TestNetwork.Create(0);
        var wallets = Enumerable.Range(0, 10).Select(i => new WalletAddress($"w{i}")).ToList();
        _ = network.Block([.. wallets.Select(wallet => new Mint(wallet, 100)),
            new Register(0, TestNetwork.Key(0), [.. wallets.Select(wallet => new Contribution(wallet, 1))])]);
        Assert.Contains("10 contributors already", network.Rejection(new Contribute(0, TestNetwork.Bank, 1)), StringComparison.Ordinal);
        _ = network.Block(new Contribute(0, wallets[9], 99));
        Assert.Equal(100, network.Node(0).Contributions[9].Amount);
    }

    [Theory]
    [InlineData("")]
    [InlineData("with space")]
    [InlineData("ümlaut")]
    [InlineData(null)]
    public void WalletAddress_OtherText_IsRefused(string? text)
    {
        Assert.False(WalletAddress.TryParse(text, out _));
        Assert.Throws<FormatException>(() => new WalletAddress(text!));
    }

    [Fact]
    public void WalletAddress_HasALongestLength()
    {
        Assert.True(WalletAddress.TryParse(new string('a', 128), out _));
        Assert.False(WalletAddress.TryParse(new string('a', 129), out _));
    }

    private static TestNetwork Prepare()
    {
        var network = TestNetwork.Create(5);
        _ = network.Block(new Register(20, TestNetwork.Key(20), [new(TestNetwork.Bank, 1000)]),
            new RequestUnlock(1, TestNetwork.Owner(1)), new Decommission(2));
        return network;
    }

    private sealed record Unheard : ChainOperation;
}
