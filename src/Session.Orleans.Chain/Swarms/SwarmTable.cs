using Session.Orleans.Chain.Blocks;
using Session.Orleans.Chain.Nodes;
using Session.Orleans.Chain.StorageTests;

namespace Session.Orleans.Chain.Swarms;

/// <summary>The swarms and their members, composed anew when the set of active nodes changed (network.md, 4).</summary>
internal sealed class SwarmTable
{
    private SortedDictionary<SwarmId, Node[]> _swarms = [];

    /// <summary>Members of each swarm in ascending order of primary key.</summary>
    public IReadOnlyDictionary<SwarmId, Node[]> Members => _swarms;

    /// <summary>Takes over the swarms that the nodes of a snapshot are in.</summary>
    public void Restore(NodeRegistry nodes)
    {
        foreach (var node in nodes.All)
        {
            if (node.Status is NodeStatus.Active == (node.Swarm == SwarmId.Unassigned))
                throw new ArgumentException($"The snapshot is damaged: node {node.Index} is {node.Status} and in swarm {node.Swarm}.");
        }

        _swarms = GroupActive(nodes);
    }

    /// <summary>Composes the swarms of a block; true if any membership changed.</summary>
    public bool Recompose(NodeRegistry nodes, Bytes32 hash, SwarmRules rules, List<ChainEvent> events)
    {
        var previous = _swarms;
        var before = GroupActive(nodes).ToDictionary(
            swarm => swarm.Key, swarm => (IReadOnlyList<Ed25519PublicKey>)[.. swarm.Value.Select(node => node.PublicKey)]);
        var byKey = nodes.Active.ToDictionary(node => node.PublicKey);
        var moves = new List<ChainEvent>();
        foreach (var (id, members) in SwarmComposition.Update(before, hash.AsSpan(), rules))
        {
            if (!previous.ContainsKey(id))
                events.Add(new SwarmCreated(id));
            foreach (var key in members)
            {
                var node = byKey[key];
                if (node.Swarm == id)
                    continue;
                moves.Add(new NodeMoved(node.Index, node.Swarm, id));
                node.Swarm = id;
            }
        }

        _swarms = GroupActive(nodes);
        events.AddRange(previous.Keys.Where(id => !_swarms.ContainsKey(id)).Select(id => new SwarmDissolved(id)));
        events.AddRange(moves);
        return moves.Count > 0 || !SameMembers(previous, _swarms);
    }

    /// <summary>The storage test of every swarm with at least two members, chosen by the hash of the block four below the tip (section 8).</summary>
    public ImmutableArray<StorageTest> PlanStorageTests(Bytes32 hash)
    {
        var tests = ImmutableArray.CreateBuilder<StorageTest>(_swarms.Count);
        foreach (var (id, members) in _swarms)
        {
            Ed25519PublicKey[] keys = [.. members.Select(node => node.PublicKey)];
            if (StorageTestPair.TryChoose(keys, hash.AsSpan(), out var tester, out var testee))
                tests.Add(new(id, members[Array.IndexOf(keys, tester)].Index, members[Array.IndexOf(keys, testee)].Index));
        }

        return tests.DrainToImmutable();
    }

    // The active nodes come in ascending order of key, and so do the members.
    private static SortedDictionary<SwarmId, Node[]> GroupActive(NodeRegistry nodes) =>
        new(nodes.Active.GroupBy(node => node.Swarm).ToDictionary(swarm => swarm.Key, swarm => swarm.ToArray()));

    private static bool SameMembers(SortedDictionary<SwarmId, Node[]> left, SortedDictionary<SwarmId, Node[]> right) =>
        left.Count == right.Count && left.All(swarm => right.TryGetValue(swarm.Key, out var members) && members.AsSpan().SequenceEqual(swarm.Value));
}
