using System.Diagnostics;

namespace Session.Orleans.Chain.Tests;

/// <summary>A block must not cost more than a small part of the time to the next one.</summary>
public sealed class SpeedTests
{
    [Fact]
    public void QuietBlock_FiveHundredNodes_TakesUnderFiveMilliseconds()
    {
        var network = TestNetwork.Create(500);
        network.Blocks(20);
        var chain = network.Chain;
        // The faster tenth, because the machine has other work; the plan of tests is part of the block.
        var times = new List<double>();
        for (var block = 0; block < 200; block++)
        {
            var start = Stopwatch.GetTimestamp();
            var result = chain.AddBlock(new(chain.Height + 1, TestNetwork.Hash(chain.Height + 1))
            {
                PeerTestResults = [.. chain.PlanPeerTests().Select(test => new PeerTestResult(test, Passed: true))],
                UptimeProofs = [.. Enumerable.Range(0, 500).Where(node => chain.Rules.IsProofDue(node, chain.Height + 1)).Select(node => new UptimeProof(node, null))],
            });
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            Assert.Equal(BlockChanges.Ledger, result.Changes);
        }

        times.Sort();
        var (typical, median) = (times[times.Count / 10], times[times.Count / 2]);
        TestContext.Current.TestOutputHelper!.WriteLine($"tenth {typical:0.00} ms, median {median:0.00} ms, slowest {times[^1]:0.00} ms");
        Assert.True(typical < 5, $"{typical} ms");
    }

    [Fact]
    public void TroubledBlock_HundredOfFiveHundredNodesDown_StaysFarBelowTheTimeToTheNext()
    {
        var network = TestNetwork.Create(500, ChainRules.Network with { UnreachableAfter = 10_000, ProofMaxAge = 10_000 });
        network.Down.UnionWith(Enumerable.Range(0, 100));
        // Every other node has found each of them failing.
        _ = network.Chain.AddBlock(new(2, TestNetwork.Hash(2))
        {
            PeerTestResults = [.. Enumerable.Range(100, 400).SelectMany(tester => Enumerable.Range(0, 100)
                .Select(testee => new PeerTestResult(new(tester, testee, 0, IsRetest: false), Passed: false)))],
        });
        network.Blocks(10);
        var times = new List<double>();
        for (var block = 0; block < 15; block++)
        {
            var start = Stopwatch.GetTimestamp();
            _ = network.Block();
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }

        times.Sort();
        var failures = network.Chain.TakeSnapshot().Nodes.Sum(node => node.Failures?.Length ?? 0);
        TestContext.Current.TestOutputHelper!.WriteLine(
            $"tenth {times[1]:0.0} ms with {failures} failures; snapshot {network.Chain.TakeSnapshot().ToJson().Length} bytes");
        Assert.True(times[1] < 250, $"{times[1]} ms");
    }
}
