using System.Collections.Immutable;
using System.Globalization;
using Session.Orleans.Grains.Network;
using Session.Orleans.Protocol.Swarms;

namespace Session.Orleans.ConsolePage.Model;

/// <summary>Places of swarms and nodes on a drawing of 600 by 600: each swarm is an arc, its members are marks inside it. Nodes without a swarm come last.</summary>
/// <param name="Arcs">The swarms.</param>
/// <param name="Marks">The nodes.</param>
/// <param name="MarkRadius">Half of a mark's width.</param>
public sealed record RingLayout(ImmutableArray<RingArc> Arcs, ImmutableArray<RingMark> Marks, double MarkRadius)
{
    /// <summary>Side of the drawing, and its middle.</summary>
    public const double Size = 600, Centre = Size / 2;

    private const double MarkRing = 212, ArcRing = 246, LabelRing = 270, Gap = 0.045;

    // With more nodes than fit side by side they stand in three rows.
    private const int OneRow = 110, Rows = 3;

    /// <summary>Draws <paramref name="view"/>.</summary>
    public static RingLayout Of(NetworkView view)
    {
        var groups = view.Swarms.Select(swarm => ((SwarmId?)swarm.Id, Nodes: swarm.Members))
            .Append((null, [.. view.Nodes.Where(node => !node.IsInSwarm)])).Where(group => group.Nodes.Length > 0).ToArray();
        var total = groups.Sum(group => group.Nodes.Length);
        if (total == 0)
            return new([], [], 0);
        var gap = Math.Min(Gap, Math.PI / groups.Length / 3);
        var step = (2 * Math.PI - gap * groups.Length) / total;
        var rows = total > OneRow ? Rows : 1;
        var radius = Math.Clamp(step * MarkRing * rows * 0.36, 3.2, 11);
        var arcs = ImmutableArray.CreateBuilder<RingArc>(groups.Length);
        var marks = ImmutableArray.CreateBuilder<RingMark>(total);
        var angle = gap / 2;
        foreach (var (id, nodes) in groups)
        {
            var end = angle + step * nodes.Length;
            var middle = (angle + end) / 2;
            var (x, y) = At(middle, LabelRing);
            arcs.Add(new(id, id is { } known ? Figures.Short(known) : "none", Path(angle, end), x, y, nodes.Length));
            var where = id is { } swarm ? "swarm " + Figures.Short(swarm) : "no swarm";
            foreach (var (i, node) in nodes.Index())
            {
                var (markX, markY) = At(angle + step * (i + 0.5), MarkRing - i % rows * 2.3 * radius);
                var condition = NodeCondition.Of(node, view);
                marks.Add(new(node.Index, node.ShortId, markX, markY, condition.Look, $"Node {node.Index} {node.ShortId}, {where}: {condition.Text}"));
            }

            angle = end + gap;
        }

        return new(arcs.DrainToImmutable(), marks.DrainToImmutable(), radius);

        static string Path(double from, double to)
        {
            var ((x1, y1), (x2, y2)) = (At(from, ArcRing), At(to, ArcRing));
            return string.Create(CultureInfo.InvariantCulture, $"M{x1:F1} {y1:F1}A{ArcRing} {ArcRing} 0 {(to - from > Math.PI ? 1 : 0)} 1 {x2:F1} {y2:F1}");
        }
    }

    /// <summary><paramref name="next"/>, with those parts of this one that look the same.</summary>
    internal RingLayout Become(RingLayout next) => next with
    {
        Arcs = next.Arcs.SequenceEqual(Arcs) ? Arcs : next.Arcs,
        Marks = next.Marks.SequenceEqual(Marks) ? Marks : next.Marks,
    };

    /// <summary>A point on a circle around the middle; angles go clockwise from the top.</summary>
    private static (double X, double Y) At(double angle, double radius) =>
        (Centre + Math.Sin(angle) * radius, Centre - Math.Cos(angle) * radius);
}

/// <summary>A swarm on the ring.</summary>
/// <param name="Id">Its id; null for the nodes that have no swarm.</param>
/// <param name="Label">The id, shortened.</param>
/// <param name="Path">The arc, as SVG draws it.</param>
/// <param name="X">Where the label is.</param>
/// <param name="Y">Where the label is.</param>
/// <param name="Members">Number of its nodes.</param>
public sealed record RingArc(SwarmId? Id, string Label, string Path, double X, double Y, int Members);

/// <summary>A node on the ring.</summary>
/// <param name="Index">The node's index.</param>
/// <param name="ShortId">First eight hex digits of its key.</param>
/// <param name="X">Where it is.</param>
/// <param name="Y">Where it is.</param>
/// <param name="Look">How it is, for eyes.</param>
/// <param name="Description">Which node it is, and how, in words.</param>
public sealed record RingMark(int Index, string ShortId, double X, double Y, NodeLook Look, string Description);

/// <summary>How a node is. Each look has a shape and a word of its own.</summary>
public enum NodeLook
{
    /// <summary>Active, nothing is wrong with it: a dot.</summary>
    Active,

    /// <summary>Active, with faults: a diamond.</summary>
    Faulty,

    /// <summary>Nothing reaches it: a cross.</summary>
    CutOff,

    /// <summary>Out of its swarm for failing its peers' tests: a hollow square.</summary>
    Decommissioned,

    /// <summary>Not fully staked yet: a hollow dot.</summary>
    Awaiting,
}

/// <summary>How a node is, for eyes and for words.</summary>
/// <param name="Look">The shape.</param>
/// <param name="Text">In words: state, what its peers find, its faults.</param>
internal sealed record NodeCondition(NodeLook Look, string Text)
{
    /// <summary>The node as it is in <paramref name="view"/>.</summary>
    public static NodeCondition Of(ServiceNode node, NetworkView view)
    {
        var faults = view.Faults?.At(node.Index);
        var look = faults is { CutsOff: true } ? NodeLook.CutOff
            : node.Record.State is NodeState.Awaiting ? NodeLook.Awaiting
            : node.Record.State is NodeState.Decommissioned ? NodeLook.Decommissioned
            : view.Faults?.Mentions(node.Index) ?? false ? NodeLook.Faulty
            : NodeLook.Active;
        var text = node.Record.State.ToString().ToLowerInvariant();
        if (view.LifeOf(node).FailingSince is not null)
            text += ", fails its peers' tests";
        if (faults is not null)
            text += $", {(faults.CutsOff ? "cut off: " : "")}{string.Join(", ", view.State.Faults.Where(fault => fault.Peers.IsEmpty && fault.Nodes.Contains(node.Index)).Select(fault => FaultText.Of(fault.Kind)).Distinct())}";
        else if (look is NodeLook.Faulty)
            text += ", faults on links to it";
        return new(look, text);
    }
}
