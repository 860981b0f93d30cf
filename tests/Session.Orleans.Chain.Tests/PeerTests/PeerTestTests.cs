namespace Session.Orleans.Chain.Tests.PeerTests;

public sealed class PeerTestTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(500)]
    public void Round_PassesEverySlotOnce(int slots)
    {
        for (ulong seed = 0; seed < 50; seed++)
        {
            var seen = new List<int>();
            for (var round = TestRound.Start(seed * 0x9e3779b97f4a7c15, slots, 0); !round.IsDone; round = round with { Position = round.Position + 1 })
                seen.Add(round.CurrentSlot);
            Assert.Equal(Enumerable.Range(0, seen.Count), seen.Order());
            Assert.InRange(seen.Count, slots, Math.Max(2, 2 * slots - 2));
        }
    }

    [Fact]
    public void Round_AnyPlaceAndAnyOrderIsAboutAsLikely()
    {
        // Which slot comes first, and is slot 7 before slot 8? Over 8,000 shuffles of 16.
        var first = new int[16];
        var before = 0;
        for (ulong seed = 1; seed <= 8000; seed++)
        {
            var start = TestRound.Start(unchecked(seed * 0xd1342543de82ef95), 16, 0);
            var order = Enumerable.Range(0, 16).Select(position => (start with { Position = position }).CurrentSlot).ToList();
            first[order[0]]++;
            before += order.IndexOf(7) < order.IndexOf(8) ? 1 : 0;
        }

        Assert.All(first, count => Assert.InRange(count, 400, 600));
        Assert.InRange(before, 3700, 4300);
    }

    [Fact]
    public void Plan_EveryNodeTestsEveryOtherOnceBeforeItRepeats()
    {
        var network = TestNetwork.Create(40);
        var tests = new List<PeerTest>();
        for (var block = 0; block < 13; block++)
        {
            tests.AddRange(network.Chain.PlanPeerTests());
            _ = network.Block();
        }

        foreach (var tester in tests.GroupBy(test => test.Tester))
        {
            Assert.DoesNotContain(tester, test => test.Testee == test.Tester);
            var testees = tester.Select(test => test.Testee).ToList();
            Assert.InRange(testees.Count, 130, 180); // 13 blocks of twelve tests
            for (var round = 0; round < 3; round++)
                Assert.Equal(39, testees.Skip(round * 39).Take(39).Distinct().Count());
        }
    }

    [Fact]
    public void Plan_TimesBetweenTests_AreNormalWithTenAndThreeSeconds()
    {
        var network = TestNetwork.Create(10);
        var times = new List<long>();
        for (var block = 0; block < 500; block++)
        {
            var tests = network.Chain.PlanPeerTests();
            Assert.Equal(tests.OrderBy(test => test.Tick), tests);
            Assert.All(tests, test => Assert.InRange(test.Tick, 0, PeerTest.TicksPerBlock - 1));
            times.AddRange(tests.Where(test => test.Tester == 4).Select(test => block * (long)PeerTest.TicksPerBlock + test.Tick));
            _ = network.Block();
        }

        var waits = times.Zip(times.Skip(1), (a, b) => (double)(b - a)).ToList();
        var mean = waits.Average();
        Assert.InRange(mean, 9_850, 10_150);
        Assert.InRange(Math.Sqrt(waits.Average(wait => (wait - mean) * (wait - mean))), 2_850, 3_150);
    }

    [Fact]
    public void FailingNode_IsRetestedMoreAndMoreSlowlyUntilItPasses()
    {
        // Without variation: the n-th failure is followed by a wait of n + 1 times 10 s, two minutes at most.
        var network = TestNetwork.Create(5, ChainRules.Network with { TestIntervalDeviation = 0 });
        _ = network.Down.Add(2);
        var times = new List<long>();
        for (var block = 0; block < 14; block++)
        {
            var tests = network.Chain.PlanPeerTests().Where(test => test is { Tester: 0, Testee: 2 }).ToList();
            // Once it is known to fail, the general list passes it over.
            Assert.True(block == 0 || tests.All(test => test.IsRetest));
            times.AddRange(tests.Where(test => test.IsRetest).Select(test => block * (long)PeerTest.TicksPerBlock + test.Tick));
            _ = network.Block();
        }

        var failure = network.Chain.FindFailure(0, 2)!.Value;
        Assert.Equal(1, failure.FirstHeight);
        Assert.Equal(network.Chain.Height - 1, failure.LastHeight);
        Assert.True(failure.Count > times.Count);
        var waits = times.Zip(times.Skip(1), (a, b) => b - a).ToList();
        Assert.All(waits, wait => Assert.InRange(wait, 20_000, 120_000));
        Assert.Equal(waits.Order(), waits);
        Assert.All(waits[^5..], wait => Assert.Equal(120_000, wait));

        _ = network.Down.Remove(2);
        network.Blocks(2);
        Assert.Null(network.Chain.FindFailure(0, 2));
        Assert.DoesNotContain(network.Chain.PlanPeerTests(), test => test.IsRetest);
    }

    [Theory]
    [InlineData(32, 1, false)]
    [InlineData(33, 1, true)]
    [InlineData(33, 2, true)]
    [InlineData(33, 3, false)]
    public void Unreachable_FailuresBeganLongAgoAndTheLastIsRecent(long sinceFirst, long sinceLast, bool expected) =>
        Assert.Equal(expected, new PeerFailure(1000 - sinceFirst, 1000 - sinceLast, 0, 9).IsUnreachable(ChainRules.Network, 1000));

    [Fact]
    public void Results_OfStrangersOrAboutThem_SayNothing()
    {
        var network = TestNetwork.Create(5);
        _ = network.Block(new Decommission(4));
        _ = network.Chain.AddBlock(new(3, TestNetwork.Hash(3))
        {
            PeerTestResults = [Failed(77, 0), Failed(0, 77), Failed(4, 0), Failed(1, 1), Failed(0, 4)],
            StorageTestResults = [new(77, StorageTestOutcome.Ok)],
            UptimeProofs = [new(77, "10.0.0.77")],
        });
        Assert.Equal(1, network.Chain.TakeSnapshot().Nodes.Sum(node => node.Failures?.Length ?? 0));
        Assert.NotNull(network.Chain.FindFailure(0, 4));
    }

    [Fact]
    public void RemovedNode_LeavesNoFailureToTheNextInItsSlot()
    {
        var network = TestNetwork.Create(5);
        _ = network.Down.Add(4);
        network.Blocks(5);
        Assert.NotNull(network.Chain.FindFailure(0, 4));
        _ = network.Block([new Deregister(4), .. TestNetwork.Join(9, network.Chain.Rules)]);
        Assert.Null(network.Chain.FindFailure(0, 9));
        Assert.Equal(5, network.Chain.TakeSnapshot().SlotCount);
    }

    [Fact]
    public void StorageTests_PairAsTheProtocolSays()
    {
        var network = TestNetwork.Create(30);
        network.Blocks(3);
        Assert.Empty(network.Chain.PlanStorageTests()); // there is no block 4 below the tip
        network.Blocks(30);
        var tests = network.Chain.PlanStorageTests();
        Assert.Equal(network.Chain.Swarms, tests.Select(test => test.Swarm));
        foreach (var test in tests)
        {
            var members = network.Chain.MembersOf(test.Swarm).Select(TestNetwork.Key).ToList();
            Assert.Equal(members.Order(), members);
            Assert.True(StorageTestPair.TryChoose(members, TestNetwork.Hash(network.Chain.Height - 4).AsSpan(), out var tester, out var testee));
            Assert.Equal((tester, testee), (TestNetwork.Key(test.Tester), TestNetwork.Key(test.Testee)));
        }

        _ = network.Chain.AddBlock(new(network.Chain.Height + 1, TestNetwork.Hash(0))
        {
            StorageTestResults = [new(1, StorageTestOutcome.Ok), new(1, StorageTestOutcome.Mismatch), new(1, StorageTestOutcome.Ok),
                new(1, StorageTestOutcome.Rejected), new(1, StorageTestOutcome.Other)],
        });
        Assert.Equal(new StorageTestCounts(2, 1, 1, 1), network.Node(1).StorageTests);
    }

    private static PeerTestResult Failed(int tester, int testee) => new(new(tester, testee, 0, false), Passed: false);
}
