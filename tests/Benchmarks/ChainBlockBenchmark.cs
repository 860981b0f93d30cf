using BenchmarkDotNet.Attributes;
using Session.Orleans.Chain.Tests;

namespace Session.Orleans.Benchmarks;

/// <summary>
/// A block in a network of 500 nodes, the plan of the tests included. A new block comes every few seconds, and its cost must stay a small part of that time:
/// when nothing happens, and when every node keeps failures of a hundred others that are down.
/// </summary>
[Config(typeof(ShortRunInProcess))]
public class ChainBlockBenchmark
{
    private const int Nodes = 500;

    private TestNetwork _network = null!;

    /// <summary>Nodes that are down, found failing by every other node.</summary>
    [Params(0, 100)]
    public int Down { get; set; }

    /// <summary>Makes the chain.</summary>
    [GlobalSetup]
    public void Setup()
    {
        // So that the nodes that are down stay where they are, and the work for them too.
        _network = TestNetwork.Create(Nodes, ChainRules.Network with { UnreachableAfter = 1_000_000_000, ProofMaxAge = 1_000_000_000 });
        _network.Down.UnionWith(Enumerable.Range(0, Down));
        _ = _network.Chain.AddBlock(new(2, TestNetwork.Hash(2))
        {
            PeerTestResults = [.. Enumerable.Range(Down, Nodes - Down).SelectMany(tester => Enumerable.Range(0, Down)
                .Select(testee => new PeerTestResult(new(tester, testee, 0, IsRetest: false), Passed: false)))],
        });
        _network.Blocks(20);
    }

    /// <summary>The next block, with the proofs and test results that are due.</summary>
    [Benchmark]
    public void Block() => _network.Block();
}
