namespace Session.Orleans.Chain.Tests;

public sealed class BadInputTests
{
    [Fact]
    public void Block_OutOfRange_IsRefusedAndChangesNothing()
    {
        var network = TestNetwork.Create(8);
        network.Blocks(10);
        var before = network.Chain.TakeSnapshot().ToJson();
        foreach (var input in new BlockInput[]
        {
            new(11, default), new(13, default), new(-1, default),
            new(12, default) { Operations = [new Mint(TestNetwork.Bank, 1), null!] }, new(12, default) { Operations = null! },
            new(12, default) { PeerTestResults = [new(new(0, 1, PeerTest.TicksPerBlock, false), false)] },
            new(12, default) { PeerTestResults = [new(new(0, 1, -1, false), false)] }, new(12, default) { UptimeProofs = null! },
            new(12, default) { UptimeProofs = [new(0, "")] }, new(12, default) { UptimeProofs = [new(0, new string('1', 46))] },
        })
        {
            Assert.ThrowsAny<ArgumentException>(() => network.Chain.AddBlock(input));
            Assert.Equal(before, network.Chain.TakeSnapshot().ToJson());
        }
    }

    [Fact]
    public void Block_WrongHeight_SaysWhichIsRight()
    {
        var error = Assert.Throws<ArgumentException>(() => TestNetwork.Create(1).Chain.AddBlock(new(5, default)));
        Assert.Contains("The next block has height 2, this one has 5.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Genesis_ImpossibleOperation_IsRefused()
    {
        var error = Assert.Throws<ArgumentException>(() => ServiceNodeChain.Create(ChainRules.Network, new(0, default)
        {
            Operations = [new Mint(TestNetwork.Bank, 1), new Register(0, TestNetwork.Key(0), [new(TestNetwork.Bank, 2)])],
        }));
        Assert.Contains("Operation 1 of the genesis can't be done: bank has 1 atomic units, 2 are needed.", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => ServiceNodeChain.Create(ChainRules.Network, new(-1, default)));
    }
}
