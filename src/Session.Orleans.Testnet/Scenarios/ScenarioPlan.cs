using System.Collections.Immutable;
using Session.Orleans.Gateway.Admin;
using Session.Orleans.Load;

namespace Session.Orleans.Testnet.Scenarios;

/// <summary>The nodes and swarms that a scenario's selections are drawn from.</summary>
/// <param name="Nodes">Indices, Ed25519 keys and labels.</param>
/// <param name="Swarms">Ids and members.</param>
internal sealed record ScenarioNetwork(IReadOnlyList<(int Index, string Ed25519, IReadOnlyList<string> Labels)> Nodes, IReadOnlyList<SwarmReport> Swarms)
{
    public static ScenarioNetwork Of(IEnumerable<NodeReport> nodes, IReadOnlyList<SwarmReport> swarms) =>
        new([.. nodes.Select(node => (node.Index, node.Ed25519, node.Labels))], swarms);
}

/// <summary>What happens when: phases with all repetitions, nodes drawn, times divided by the speed. The same scenario, network and seed make the same plan.</summary>
/// <param name="Events">In the order in which they happen.</param>
/// <param name="Windows">From when until when each phase lasts.</param>
/// <param name="Groups">The drawn groups.</param>
/// <param name="Duration">How long the traffic runs.</param>
internal sealed record ScenarioPlan(
    ImmutableArray<ScenarioEvent> Events, IReadOnlyDictionary<string, (TimeSpan Begin, TimeSpan End)> Windows,
    IReadOnlyDictionary<string, ImmutableArray<int>> Groups, TimeSpan Duration)
{
    private const int MostEvents = 10_000;

    /// <summary>Draws the nodes and lays the phases out in time.</summary>
    /// <exception cref="CommandException">The network lacks nodes that the scenario needs.</exception>
    public static ScenarioPlan Create(Scenario scenario, ScenarioNetwork network, double speed)
    {
        var draw = new Draw(scenario, network);
        var events = new List<ScenarioEvent>();
        foreach (var phase in scenario.Phases)
        {
            var turns = new Dictionary<ScenarioAction, int>(ReferenceEqualityComparer.Instance);
            for (var begin = phase.At; begin == phase.At || begin < phase.At + phase.For; begin += phase.Every!.Value)
            {
                var at = begin;
                foreach (var action in phase.Actions)
                {
                    if (action is WaitAction wait)
                        at += wait.Time;
                    else if (action is FaultAction fault)
                        events.Add(Begin(at / speed, phase, fault, speed, draw, turns));
                    else
                        events.Add(new(at / speed, phase.Name, ScenarioEventKind.Clear) { Labels = ((ClearAction)action).Labels });
                }

                if (events.Count > MostEvents)
                    throw new CommandException(ExitCodes.Usage, $"The scenario has more than {MostEvents} events; '{phase.Name}' repeats too often.");
                if (phase.Every is null)
                    break;
            }

            if (phase.For is { } length)
                events.Add(new((phase.At + length) / speed, phase.Name, ScenarioEventKind.EndOfPhase));
        }

        var last = events.Select(one => one.At + (one.Faults?.For ?? TimeSpan.Zero)).DefaultIfEmpty(TimeSpan.Zero).Max();
        var duration = scenario.Duration / speed ?? last;
        // What would come after the end does not happen: faults that are left then are ended anyway.
        return new(
            [.. events.Where(one => one.At <= duration).OrderBy(one => one.At)],
            scenario.Phases.ToDictionary(phase => phase.Name, phase => (phase.At / speed, Min((phase.At + phase.For) / speed ?? duration, duration))),
            draw.Groups, duration);
    }

    private static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other;

    private static ScenarioEvent Begin(TimeSpan at, ScenarioPhase phase, FaultAction action, double speed, Draw draw, Dictionary<ScenarioAction, int> turns)
    {
        var turn = turns[action] = turns.GetValueOrDefault(action, -1) + 1;
        return new(at, phase.Name, ScenarioEventKind.Fault)
        {
            On = draw.Choose(action.On, turn),
            To = action.To is null ? [] : draw.Choose(action.To, turn),
            Faults = action.Faults with { Label = action.Faults.Label ?? phase.Name, For = action.Faults.For / speed },
        };
    }

    private sealed class Draw
    {
        private readonly ScenarioNetwork _network;
        private readonly Random _random;

        public Draw(Scenario scenario, ScenarioNetwork network)
        {
            _network = network;
            _random = new(scenario.Seed);
            foreach (var (name, selection) in scenario.Groups)
                Groups[name] = Choose(selection, 0);
        }

        public Dictionary<string, ImmutableArray<int>> Groups { get; } = [];

        public ImmutableArray<int> Choose(NodeSelection selection, int turn)
        {
            var candidates = Candidates(selection);
            if ((selection.Pick ?? selection.Next) is not { } wanted)
                return candidates;
            if (wanted > candidates.Length)
                throw new CommandException(ExitCodes.Failed, $"The scenario needs {wanted} nodes where the network has {candidates.Length} ({selection}).");
            if (selection.Next is not null)
                return [.. Enumerable.Range(0, wanted).Select(i => candidates[((turn * wanted) + i) % candidates.Length]).Order()];
            var drawn = candidates.ToArray();
            _random.Shuffle(drawn);
            return [.. drawn.Take(wanted).Order()];
        }

        private ImmutableArray<int> Candidates(NodeSelection selection)
        {
            if (selection is { Nodes.Count: 0, Swarm: null, Group: null })
                return [.. _network.Nodes.Select(node => node.Index).Order()];
            var swarm = selection.Swarm is null ? [] : Swarm(selection.Swarm).Members;
            var group = selection.Group is null ? [] : Groups[selection.Group];
            return [.. selection.Nodes.SelectMany(Named).Concat(swarm).Concat(group).Distinct().Order()];
        }

        private SwarmReport Swarm(string id)
        {
            if (_network.Swarms.Count == 0)
                throw new CommandException(ExitCodes.Failed, "The network has no swarm.");
            if (id is NodeSelection.RandomSwarm)
                return _network.Swarms.OrderBy(swarm => swarm.Id, StringComparer.Ordinal).ElementAt(_random.Next(_network.Swarms.Count));
            return _network.Swarms.FirstOrDefault(swarm => swarm.Id == id) ?? throw new CommandException(ExitCodes.Failed, $"There is no swarm '{id}'.");
        }

        private int[] Named(string name)
        {
            var labelled = _network.Nodes.Where(node => node.Labels.Contains(name)).Select(node => node.Index).ToArray();
            return labelled.Length > 0 ? labelled : [Node(name)];
        }

        private int Node(string name)
        {
            var found = _network.Nodes.Where(node => FormattableString.Invariant($"{node.Index}") == name
                || (name.Length >= 8 && node.Ed25519.StartsWith(name, StringComparison.OrdinalIgnoreCase))).ToArray();
            return found.Length == 1 ? found[0].Index : throw new CommandException(ExitCodes.Failed, $"There is no node '{name}'.");
        }
    }
}

/// <summary>One thing that happens.</summary>
/// <param name="At">When, from the beginning.</param>
/// <param name="Phase">The phase it belongs to.</param>
/// <param name="Kind">What.</param>
internal sealed record ScenarioEvent(TimeSpan At, string Phase, ScenarioEventKind Kind)
{
    public ImmutableArray<int> On { get; init; } = [];

    public ImmutableArray<int> To { get; init; } = [];

    /// <summary>With the phase's name as label where they have none of their own.</summary>
    public FaultSet? Faults { get; init; }

    /// <summary>Labels to clear; empty for all.</summary>
    public IReadOnlyList<string> Labels { get; init; } = [];

    /// <summary>The orders for the admin API.</summary>
    public IReadOnlyList<FaultOrder> ToOrders() => Faults!.ToOrders([.. On.Select(Text)], to: To.IsEmpty ? null : [.. To.Select(Text)]);

    /// <summary>For people.</summary>
    public string Describe() => Kind switch
    {
        ScenarioEventKind.Fault => $"{string.Join(" + ", ToReports().Select(Tables.Describe))} at {Tables.Ranges(On)}"
            + (To.IsEmpty ? "" : $" → {Tables.Ranges(To)}") + (Faults!.For is { } length ? $" for {Quantities.Format(length)}" : ""),
        ScenarioEventKind.Clear => Labels.Count == 0 ? "clear all" : $"clear {string.Join(", ", Labels)}",
        _ => "end of phase",
    };

    private IEnumerable<FaultReport> ToReports() => ToOrders().Select(order => new FaultReport(
        "", order.Kind, On, To, order.Probability, order.DelayMs, order.SpreadMs, order.Distribution ?? "uniform", order.BytesPerSecond, default, null, order.Label));

    private static string Text(int index) => FormattableString.Invariant($"{index}");
}

/// <summary>What happens.</summary>
internal enum ScenarioEventKind
{
    Fault,
    Clear,
    EndOfPhase,
}
