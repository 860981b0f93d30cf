using System.Collections.Frozen;
using System.Collections.Immutable;

namespace Session.Orleans.Grains.Faults;

/// <summary>The faults in force, arranged for the questions that requests ask. A view without faults has none of it.</summary>
public sealed class FaultTable
{
    private readonly NodeFaults?[] _nodes;
    private readonly FrozenDictionary<(int From, int To), NodeFaults> _links;

    private FaultTable(ImmutableArray<Fault> faults)
    {
        _nodes = new NodeFaults?[faults.Max(fault => fault.Nodes.Max()) + 1];
        var own = faults.Where(fault => fault.Peers.IsEmpty).SelectMany(fault => fault.Nodes.Distinct().Select(index => (index, fault)));
        foreach (var node in own.GroupBy(pair => pair.index, pair => pair.fault))
            _nodes[node.Key] = new(node);
        _links = faults.Where(fault => !fault.Peers.IsEmpty)
            .SelectMany(fault => from a in fault.Nodes.Distinct() from b in fault.Peers.Distinct() where a != b select ((a, b), fault))
            .GroupBy(pair => pair.Item1, pair => pair.fault)
            .ToFrozenDictionary(link => link.Key, link => new NodeFaults(link));
    }

    /// <summary>A table of <paramref name="faults"/>; null if there are none.</summary>
    public static FaultTable? Create(ImmutableArray<Fault> faults) => faults.IsDefaultOrEmpty ? null : new(faults);

    /// <summary>The node's own faults, if it has any.</summary>
    public NodeFaults? At(int node) => (uint)node < (uint)_nodes.Length ? _nodes[node] : null;

    /// <summary>True if the node has faults of its own or links with faults go to it.</summary>
    public bool Mentions(int node) => At(node) is not null || _links.Keys.Any(link => link.To == node);

    /// <summary>How a request of <paramref name="bytes"/> arrives.</summary>
    /// <param name="from">The node that sends it; null for a client.</param>
    /// <param name="to">The node that shall get it.</param>
    /// <param name="bytes">Its length.</param>
    public Arrival Arrive(int? from, int to, int bytes)
    {
        var arrival = At(to) is { } own ? own.Arrive(bytes) : default;
        if (!arrival.Arrives || _links.Count == 0 || from is not { } sender || !_links.TryGetValue((sender, to), out var link))
            return arrival;
        var onLink = link.Arrive(bytes);
        return onLink with { Delay = onLink.Delay + arrival.Delay };
    }

    /// <summary>True if nothing that <paramref name="from"/> sends can arrive at <paramref name="to"/>.</summary>
    public bool CutsOff(int from, int to) =>
        At(from) is { CutsOff: true } || At(to) is { CutsOff: true } || (_links.TryGetValue((from, to), out var link) && link.CutsOff);
}
