using Session.Orleans.Chain.Quorums;

namespace Session.Orleans.Chain.Tests.Quorums;

public sealed class QuorumTests
{
    private const int Ill = 3;

    [Theory]
    [InlineData(10, 7)]
    [InlineData(9, 7)]
    [InlineData(8, 6)]
    [InlineData(5, 4)]
    [InlineData(3, 3)]
    [InlineData(2, 2)]
    [InlineData(1, 1)]
    public void NeededVotes_AreSevenTenthsRoundedUp(int electorate, int expected) =>
        Assert.Equal(expected, Examination.NeededVotes(ChainRules.Network, electorate));

    [Fact]
    public void LargeNetwork_TenValidatorsExamineFiftyOthers()
    {
        var network = TestNetwork.Create(120);
        var validated = new HashSet<int>();
        var examined = new HashSet<int>();
        for (var block = 0; block < 60; block++)
        {
            var quorum = network.Block().Quorum;
            Assert.Equal((10, 50), (quorum.Validators.Distinct().Count(), quorum.Tested.Distinct().Count()));
            Assert.Empty(quorum.Validators.Intersect(quorum.Tested));
            validated.UnionWith(quorum.Validators);
            examined.UnionWith(quorum.Tested);
        }

        // 120 (1 - 10/120)^60 is less than one node that never validates.
        Assert.InRange(validated.Count, 110, 120);
        Assert.Equal(120, examined.Count);
    }

    [Fact]
    public void VeryLargeNetwork_ExaminesAShareOfIt()
    {
        var network = TestNetwork.Create(120, ChainRules.Network with { TestedMinimum = 5, TestedPercent = 25 });
        Assert.Equal(30, network.Block().Quorum.Tested.Length);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(6)]
    [InlineData(10)]
    [InlineData(30)]
    public void SmallNetwork_EverybodyIsExamined(int nodes)
    {
        var quorum = TestNetwork.Create(nodes).Block().Quorum;
        Assert.Equal(Math.Min(10, nodes), quorum.Validators.Distinct().Count());
        Assert.Equal(Enumerable.Range(0, nodes), quorum.Tested.Order());
    }

    [Fact]
    public void DecommissionedNodes_AreExaminedAndDoNotValidate()
    {
        var network = TestNetwork.Create(15);
        _ = network.Block(new Decommission(Ill));
        for (var block = 0; block < 20; block++)
        {
            var quorum = network.Block().Quorum;
            Assert.DoesNotContain(Ill, quorum.Validators);
            Assert.Contains(Ill, quorum.Tested);
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(9)]
    public void TinyNetwork_StillLosesADownNode(int nodes)
    {
        var network = TestNetwork.Create(nodes);
        _ = network.Down.Add(0);
        _ = network.BlocksUntil(n => n.Status(0) is not NodeStatus.Active, most: 60);
    }

    [Fact]
    public void LoneNode_JudgesNeitherItselfNorIsJudged()
    {
        var network = TestNetwork.Create(1);
        _ = network.Down.Add(0);
        network.Blocks(200);
        Assert.Equal(NodeStatus.Active, network.Status(0));
    }

    // 11 nodes: the one in question and ten that test it, all of whom validate whenever it does not.
    [Theory]
    [InlineData(6, false)]
    [InlineData(10, true)]
    public void EachValidatorVotesByItsOwnTests(int testersThatFail, bool falls)
    {
        var chain = TestNetwork.Create(11).Chain;
        HashSet<int> blind = [.. Enumerable.Range(0, 11).Where(node => node != Ill).Take(testersThatFail)];
        for (var block = 0; block < 60 && chain.FindNode(Ill)!.Status is NodeStatus.Active; block++)
        {
            _ = chain.AddBlock(new(chain.Height + 1, TestNetwork.Hash(chain.Height + 1))
            {
                PeerTestResults = [.. chain.PlanPeerTests().Select(test => new PeerTestResult(test, test.Testee != Ill || !blind.Contains(test.Tester)))],
            });
        }

        Assert.Equal(falls, chain.FindNode(Ill)!.LastDecommissionReasonsAny.HasFlag(DecommissionReasons.StorageUnreachable));
        Assert.Equal(testersThatFail, blind.Count(tester => falls || chain.FindFailure(tester, Ill) is { } failure && failure.IsUnreachable(chain.Rules, chain.Height)));
    }

    [Fact]
    public void ReasonsAll_AreWhatEveryVoterHad()
    {
        // Proofs end for all to see; only some testers also fail to reach the node.
        var chain = TestNetwork.Create(11).Chain;
        while (chain.FindNode(Ill)!.Status is NodeStatus.Active)
        {
            var height = chain.Height + 1;
            _ = chain.AddBlock(new(height, TestNetwork.Hash(height))
            {
                PeerTestResults = [.. chain.PlanPeerTests().Select(test => new PeerTestResult(test, test.Testee != Ill || test.Tester > 5))],
                UptimeProofs = [.. Enumerable.Range(0, 11).Where(node => node != Ill).Select(node => new UptimeProof(node, null))],
            });
        }

        var node = chain.FindNode(Ill)!;
        Assert.Equal(DecommissionReasons.UptimeProof, node.LastDecommissionReasonsAll);
        Assert.Equal(DecommissionReasons.UptimeProof | DecommissionReasons.StorageUnreachable, node.LastDecommissionReasonsAny);
    }

    [Fact]
    public void SilentValidators_CanKeepAVoteFromPassing()
    {
        // Four of ten are silent, so six votes remain.
        var rules = ChainRules.Network with { ProofMaxAge = 3 };
        var chain = TestNetwork.Create(10, rules).Chain;
        void Block(params int[] silent) => chain.AddBlock(new(chain.Height + 1, TestNetwork.Hash(chain.Height + 1))
        {
            UptimeProofs = [.. Enumerable.Range(0, 10).Where(node => node != Ill).Select(node => new UptimeProof(node, null))],
            SilentNodes = silent.ToHashSet(),
        });
        for (var block = 0; block < 20; block++)
            Block(5, 6, 7, 8);
        Assert.Equal(NodeStatus.Active, chain.FindNode(Ill)!.Status);
        Block(5, 6);
        Assert.Equal(NodeStatus.Decommissioned, chain.FindNode(Ill)!.Status);
    }
}
