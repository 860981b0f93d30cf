using Session.Orleans.Chain.Nodes;

namespace Session.Orleans.Chain.PeerTests;

/// <summary>
/// The tests of one block, by time. Made from the block's hash and the state after it alone, so that it can be made again after a restart.
/// </summary>
internal sealed class PeerTestPlan
{
    // The reference looks every 200 ms whether a test is due.
    private const int LeastWait = 200;

    // Twelve 16-bit numbers: their sum is nearly normal, with this mean and a standard deviation of 2^16. All in integers, because
    // logarithms and cosines differ in their last bits between machines.
    private const long MeanOfTwelve = 12 * 65535 / 2;

    private readonly NodeRegistry _nodes;
    private readonly ChainRules _rules;
    private readonly MersenneTwister64 _random;
    private readonly List<PeerTest> _tests;
    private readonly List<(Node Tester, TestRound Round)> _rounds;

    private PeerTestPlan(NodeRegistry nodes, ChainRules rules, long height, Bytes32 hash)
    {
        (_nodes, _rules, _random) = (nodes, rules, ChainRandom.ForPeerTests(hash));
        _rounds = new(nodes.Active.Length);
        _tests = new((int)Math.Min(1 << 16, nodes.Active.Length * (PeerTest.TicksPerBlock / (long)rules.TestInterval + 1)));
        foreach (var tester in nodes.Active)
        {
            _rounds.Add((tester, PlanRound(tester)));
            PlanRetests(tester, height);
        }

        var order = new long[_tests.Count];
        for (var i = 0; i < order.Length; i++)
            order[i] = ((long)_tests[i].Tick << 32) | (uint)i;
        Array.Sort(order);
        Tests = [.. order.Select(key => _tests[(int)(uint)key])];
    }

    /// <summary>By tick; of the same tick in order of the tester's primary key.</summary>
    public ImmutableArray<PeerTest> Tests { get; }

    public static PeerTestPlan Make(NodeRegistry nodes, ChainRules rules, long height, Bytes32 hash) => new(nodes, rules, height, hash);

    /// <summary>Moves the testers' lists to where they are when the block is over.</summary>
    public void Finish()
    {
        foreach (var (tester, round) in _rounds)
            tester.Round = round;
    }

    private TestRound PlanRound(Node tester)
    {
        var round = tester.Round;
        // A new tester begins somewhere in its first interval, or all nodes of a new network would test at the same instants.
        if (round.Bits == 0)
            round = round with { DueTick = _random.NextBelow(_rules.TestInterval) };
        while (round.DueTick < PeerTest.TicksPerBlock)
        {
            if (NextTarget(tester, ref round) is not { } testee)
                return round with { DueTick = 0 };
            _tests.Add(new(tester.Index, testee.Index, round.DueTick, IsRetest: false));
            round = round with { DueTick = round.DueTick + Wait(_rules.TestInterval) };
        }

        return round with { DueTick = round.DueTick - PeerTest.TicksPerBlock };
    }

    // Null if a whole new list has nobody to test.
    private Node? NextTarget(Node tester, ref TestRound round)
    {
        var refilled = false;
        while (true)
        {
            if (round.IsDone)
            {
                if (refilled)
                    return null;
                refilled = true;
                round = TestRound.Start(_random.Next(), _nodes.SlotCount, round.DueTick);
            }

            var slot = round.CurrentSlot;
            round = round with { Position = round.Position + 1 };
            if (slot != tester.Slot && _nodes.InSlot(slot) is { IsFunded: true } testee && !tester.Failures.ContainsKey(slot))
                return testee;
        }
    }

    // As if the node went on failing. After a passed test the rest of the block's retests confirm it, which does no harm.
    private void PlanRetests(Node tester, long height)
    {
        foreach (var (slot, failure) in tester.Failures)
        {
            var testee = _nodes.InSlot(slot)!;
            var count = (long)failure.Count;
            // What should have happened before this block happens at its start.
            var at = (failure.LastHeight - height) * PeerTest.TicksPerBlock + failure.LastTick;
            at = Math.Max(0, at + RetestWait(count));
            while (at < PeerTest.TicksPerBlock)
            {
                _tests.Add(new(tester.Index, testee.Index, (int)at, IsRetest: true));
                at += RetestWait(++count);
            }
        }
    }

    private long RetestWait(long failures) => Math.Min(_rules.RetestMax, failures * _rules.RetestStep + Wait(_rules.TestInterval));

    private int Wait(int mean)
    {
        long sum = 0;
        for (var word = 0; word < 3; word++)
        {
            var bits = _random.Next();
            sum += (long)((bits & 0xffff) + ((bits >> 16) & 0xffff) + ((bits >> 32) & 0xffff) + (bits >> 48));
        }

        return (int)Math.Clamp(mean + (sum - MeanOfTwelve) * _rules.TestIntervalDeviation / (1 << 16), LeastWait, int.MaxValue / 2);
    }
}
