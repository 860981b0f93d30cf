using System.Diagnostics.Metrics;

namespace Session.Orleans.Grains.Network;

/// <summary>The network as this silo sees it, read off its view when metrics are collected.</summary>
internal sealed class NetworkMetrics
{
    /// <summary>Swarms with more members are counted as having this many.</summary>
    private const int LargestSwarm = 20;

    private readonly NetworkViewSource _views;
    private long _changes;
    private long _failures;

    public NetworkMetrics(IMeterFactory meters, NetworkViewSource views)
    {
        _views = views;
        var meter = meters.Create(GrainsMetrics.MeterName);
        _ = meter.CreateObservableCounter("session.network.view.changes", () => Volatile.Read(ref _changes), "{change}", "Views of the network that this silo has taken over");
        _ = meter.CreateObservableCounter("session.network.view.failures", () => Volatile.Read(ref _failures), "{attempt}", "Times that the network grain did not answer this silo");
        _ = meter.CreateObservableGauge("session.network.view.version", () => One(view => view.State.Version), "{version}", "Version of this silo's view of the network");
        _ = meter.CreateObservableGauge("session.network.height", () => One(view => view.Height), "{block}", "Height of the top block");
        _ = meter.CreateObservableGauge("session.network.block.interval", () => One(view => view.State.IsPaused ? 0 : view.State.BlockTime.TotalSeconds), "s", "Time from block to block; 0 while no block comes by itself");
        _ = meter.CreateObservableGauge("session.network.nodes", Nodes, "{node}", "Service nodes by state");
        _ = meter.CreateObservableGauge("session.network.swarms", Swarms, "{swarm}", "Swarms by their number of members");
        _ = meter.CreateObservableGauge("session.network.members.behind", () => One(view => (long)(view.State.Lagging.IsDefault ? 0 : view.State.Lagging.Length)), "{member}", "Swarm members that have not caught up with their swarm");
        _ = meter.CreateObservableGauge("session.network.faults", Faults, "{fault}", "Faults in force by kind");
    }

    /// <summary>A new view was taken over.</summary>
    public void Changed() => Interlocked.Increment(ref _changes);

    /// <summary>The network grain did not answer.</summary>
    public void Failed() => Interlocked.Increment(ref _failures);

    private Measurement<T>[] One<T>(Func<NetworkView, T> value)
        where T : struct => _views.TryGet(out var view) ? [new Measurement<T>(value(view))] : [];

    private IEnumerable<Measurement<long>> Nodes()
    {
        if (!_views.TryGet(out var view))
            return [];
        return Enum.GetValues<NodeState>().Select(state => new Measurement<long>(
            view.Nodes.Count(node => node.Record.State == state), new KeyValuePair<string, object?>("session.state", state switch
            {
                NodeState.Awaiting => "awaiting",
                NodeState.Active => "active",
                _ => "decommissioned",
            })));
    }

    private IEnumerable<Measurement<long>> Swarms() => !_views.TryGet(out var view) ? []
        : view.Swarms.GroupBy(swarm => Math.Min(swarm.Members.Length, LargestSwarm))
            .Select(group => new Measurement<long>(group.Count(), new KeyValuePair<string, object?>("session.members", group.Key)));

    // Kinds without a fault are told as well: an absent figure and a zero look alike, but not to an alert.
    private IEnumerable<Measurement<long>> Faults() => !_views.TryGet(out var view) ? []
        : Enum.GetValues<FaultKind>().Select(kind => new Measurement<long>(
            view.State.Faults.IsDefault ? 0 : view.State.Faults.Count(fault => fault.Kind == kind), new KeyValuePair<string, object?>("session.kind", NameOf(kind))));

    private static string NameOf(FaultKind kind)
    {
        var name = kind.ToString();
        return char.ToLowerInvariant(name[0]) + name[1..];
    }
}
