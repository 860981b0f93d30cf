namespace Session.Orleans.Chain.Tests.Swarms;

/// <summary>
/// Joins and leaves at random, one a block and now and then many at once, on a network that grows and shrinks between 0 and 500 nodes.
/// After every block it checks the rules of section 4 and which accounts changed swarm.
/// </summary>
/// <remarks>
/// What a block may move follows from the ring (section 3): an account belongs to the nearest id, so it stays unless its swarm is gone or a new one
/// is nearer. A new swarm in the middle of a gap g takes the middle half of it: g/2. A dissolved swarm between the neighbours l and r had
/// (r - l)/2, which the two inherit. Nothing else moves, whatever the nodes do.
/// </remarks>
internal sealed class SwarmChurn
{
    private const int MostNodes = 500;
    private const int MostNodesAtOnce = 30;

    // Only swarms matter here: nobody is examined, hardly anybody tests, stakes come back at once.
    private static readonly ChainRules Rules = ChainRules.Network with
    {
        TestedMinimum = 0, TestedPercent = 0, TestInterval = int.MaxValue, TestIntervalDeviation = 0, RewardPerBlock = 0, StakingRequirement = 1,
        DeregistrationLock = 1,
    };

    private readonly Random _random;
    private readonly ulong[] _positions;
    private readonly ServiceNodeChain _chain = ServiceNodeChain.Create(Rules, new(0, default));
    private readonly List<int> _active = [];
    private readonly List<int> _decommissioned = [];
    private int _serial;
    private int _target = MostNodes;
    private SwarmId[] _ids = [];
    private readonly SwarmId[] _swarmOf;

    public SwarmChurn(int seed, int accounts = 2000)
    {
        _random = new(seed);
        _positions = [.. Enumerable.Range(0, accounts).Select(_ => (ulong)_random.NextInt64() ^ ((ulong)_random.NextInt64() << 1))];
        _swarmOf = new SwarmId[accounts];
    }

    public ChurnReport Report { get; } = new();

    public void Run(int events)
    {
        while (Report.Events < events)
        {
            // Long ways up and down, so that swarms split off and dissolve at every size, and a while at each end.
            if (Math.Abs(_active.Count - _target) <= 3 && _random.Next(100) == 0)
                _target = _random.Next(MostNodes + 1);
            var count = _random.Next(200) == 0 ? _random.Next(2, MostNodesAtOnce + 1) : 1;
            var operations = new List<ChainOperation>();
            var joins = 0;
            for (var i = 0; i < count; i++)
                joins += Event(operations) ? 1 : 0;
            var result = _chain.AddBlock(new(_chain.Height + 1, TestNetwork.Hash(_chain.Height + 1, world: 7)) { Operations = operations });
            Assert.DoesNotContain(result.Events, happened => happened is OperationRejected);
            Check(result, count, joins == 1);
        }
    }

    // A random node joins or leaves; every fourth time it is one that comes back, or only goes out of service. True for a join.
    private bool Event(List<ChainOperation> operations)
    {
        Report.Events++;
        var join = _active.Count == 0 || _random.Next(100) < (_active.Count < _target ? 70 : 30);
        var (from, detour) = join ? (_decommissioned, _decommissioned.Count > 0 && _random.Next(4) == 0) : (_active, _random.Next(4) == 0);
        if (join && !detour)
        {
            var owner = new WalletAddress("owner");
            operations.AddRange([new Mint(owner, 1), new Register(_serial, TestNetwork.Key(_serial), [new(owner, 1)])]);
            _active.Add(_serial++);
            return true;
        }

        var at = _random.Next(from.Count);
        var node = from[at];
        from.RemoveAt(at);
        if (detour)
            (join ? _active : _decommissioned).Add(node);
        operations.Add(join ? new Recommission(node) : detour ? new Decommission(node) : new Deregister(node));
        return join;
    }

    private void Check(BlockResult result, int events, bool join)
    {
        var swarms = _chain.State.Swarms.Members;
        SwarmId[] ids = [.. swarms.Keys];

        // Every active node in exactly one swarm, nobody else in any, each swarm in order and of legal size.
        Assert.Equal(_active.Count, swarms.Values.Sum(members => members.Length));
        var seen = new HashSet<int>();
        foreach (var (id, members) in swarms)
        {
            Assert.NotEqual(SwarmId.Unassigned, id);
            for (var i = 0; i < members.Length; i++)
            {
                Assert.True(seen.Add(members[i].Index) && members[i].Status is NodeStatus.Active && members[i].Swarm == id);
                Assert.True(i == 0 || members[i - 1].PublicKey < members[i].PublicKey);
            }
        }

        Assert.All(_chain.State.Nodes.Decommissioned, node => Assert.Equal(SwarmId.Unassigned, node.Swarm));
        Invariants.Composition([.. swarms.Values.Select(members => members.Length)], Rules.Swarms);

        SwarmId[] created = [.. ids.Except(_ids)], dissolved = [.. _ids.Except(ids)];
        Assert.Equal(created.Order(), result.Events.OfType<SwarmCreated>().Select(swarm => swarm.Swarm).Order());
        Assert.Equal(dissolved.Order(), result.Events.OfType<SwarmDissolved>().Select(swarm => swarm.Swarm).Order());
        var nodesMoved = result.Events.OfType<NodeMoved>().Count();
        if (events == 1)
            CheckOneEvent(join, created, dissolved, nodesMoved);
        Report.Add(events > 1 ? ChurnKind.Burst : join ? ChurnKind.Join : ChurnKind.Leave, ids.Length, nodesMoved, CheckAccounts(ids, created, dissolved));
        _ids = ids;
    }

    // A single node makes or ends at most one swarm, and moves few others.
    private void CheckOneEvent(bool join, SwarmId[] created, SwarmId[] dissolved, int nodesMoved)
    {
        if (join)
        {
            Assert.Empty(dissolved);
            Assert.True(created.Length <= 1);
            // The newcomer, and the members drawn for a new swarm, of whom it may be one.
            Assert.InRange(nodesMoved, 1, created.Length == 0 ? 1 : 1 + Rules.Swarms.Ideal);
            if (created is [var id])
                Assert.Equal(SwarmComposition.NewSwarmId(_ids), id);
            return;
        }

        Assert.Empty(created);
        Assert.True(dissolved.Length <= 1);
        // One is stolen for the swarm that the node left, or the rest of that swarm moves on; the last swarm just ends.
        Assert.InRange(nodesMoved, 0, dissolved.Length == 0 ? 1 : Rules.Swarms.Minimum - 1);
    }

    // The share of accounts that moved.
    private double CheckAccounts(SwarmId[] ids, SwarmId[] created, SwarmId[] dissolved)
    {
        if (created.Length == 0 && dissolved.Length == 0)
            return 0;
        var ring = new SwarmRing(ids);
        var hadSwarms = _ids.Length > 0;
        var moved = 0;
        for (var i = 0; i < _positions.Length; i++)
        {
            if (!ring.TryFind(_positions[i], out var now))
                continue;
            var before = _swarmOf[i];
            _swarmOf[i] = now;
            if (!hadSwarms || now == before)
                continue;
            moved++;
            Assert.True(created.Contains(now) || dissolved.Contains(before), "an account moved although its swarm remained and no new one is nearer");
            if (created.Length + dissolved.Length == 1)
            {
                // The arc that changes hands is the territory of the one swarm that is new or gone.
                var (swarm, others) = created.Length == 1 ? (created[0], _ids) : (dissolved[0], ids);
                Assert.True(IsInTerritory(_positions[i], swarm, others), "an account outside the arc moved");
                if (dissolved.Length == 1)
                    Assert.Contains(now, Neighbours(swarm, others));
            }
        }

        if (!hadSwarms || ids.Length == 0)
            return 0;
        var share = (double)moved / _positions.Length;
        if (created.Length + dissolved.Length == 1)
        {
            var (swarm, others) = created.Length == 1 ? (created[0], _ids) : (dissolved[0], ids);
            var arc = Territory(swarm, others);
            Report.AddArc(arc, created.Length == 1, Math.Max(_ids.Length, ids.Length));
            // The sample may differ from the arc by chance: six standard deviations, and a little for tiny arcs.
            Assert.InRange(share, arc - Spread(arc), arc + Spread(arc));
            if (created.Length == 1)
                Assert.True(arc <= WidestGap(_ids) / 2 + 1e-15, "a new swarm took more than half of the widest gap");
        }

        return share;
    }

    private double Spread(double share) => 6 * Math.Sqrt(share * (1 - share) / _positions.Length) + 1.0 / _positions.Length;

    private static SwarmId[] Neighbours(SwarmId swarm, SwarmId[] others)
    {
        var next = Array.FindIndex(others, other => other > swarm);
        return next < 0 ? [others[^1], others[0]] : [others[(next + others.Length - 1) % others.Length], others[next]];
    }

    private static bool IsInTerritory(ulong position, SwarmId swarm, SwarmId[] others)
    {
        var around = Neighbours(swarm, others);
        var (up, down) = (unchecked(position - swarm.Value), unchecked(swarm.Value - position));
        return up <= unchecked(around[1].Value - swarm.Value) / 2 + 1 || down <= unchecked(swarm.Value - around[0].Value) / 2 + 1;
    }

    // Half of the way to each neighbour, as a share of the ring. With a single other swarm that is half of the ring.
    private static double Territory(SwarmId swarm, SwarmId[] others)
    {
        var around = Neighbours(swarm, others);
        return (unchecked(around[1].Value - swarm.Value) / 2 + unchecked(swarm.Value - around[0].Value) / 2) / Math.Pow(2, 64);
    }

    private static double WidestGap(SwarmId[] ids) => ids.Length == 1 ? 1
        : ids.Select((id, i) => unchecked(ids[(i + 1) % ids.Length].Value - id.Value)).Max() / Math.Pow(2, 64);
}
