namespace Session.Orleans.Testnet.Scenarios;

/// <summary>An experiment with a network: traffic, phases in which things go wrong, and what must hold. Read from a file by <see cref="ScenarioReader"/>.</summary>
internal sealed record Scenario
{
    public required string Name { get; init; }

    public string? Description { get; init; }

    /// <summary>Of all random draws: the same seed draws the same nodes on the same network.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>How long the traffic runs; null for as long as the phases last.</summary>
    public TimeSpan? Duration { get; init; }

    /// <summary>How long after its last fault the network may take to give every message back.</summary>
    public TimeSpan Settle { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Nodes with a name, drawn once before the first phase, in the file's order.</summary>
    public IReadOnlyList<KeyValuePair<string, NodeSelection>> Groups { get; init; } = [];

    public TrafficSettings? Traffic { get; init; }

    public IReadOnlyList<ScenarioPhase> Phases { get; init; } = [];

    public IReadOnlyList<ScenarioAssertion> Assertions { get; init; } = [];
}

/// <summary>Some nodes of the network.</summary>
internal sealed record NodeSelection
{
    /// <summary>The swarm that is drawn anew.</summary>
    public const string RandomSwarm = "random";

    /// <summary>By index or the beginning of the Ed25519 key.</summary>
    public IReadOnlyList<string> Nodes { get; init; } = [];

    /// <summary>All members of the swarm with this id, or <see cref="RandomSwarm"/>.</summary>
    public string? Swarm { get; init; }

    /// <summary>All nodes of this group.</summary>
    public string? Group { get; init; }

    /// <summary>Only so many of them, drawn at random.</summary>
    public int? Pick { get; init; }

    /// <summary>Only so many of them: at each repetition the ones that follow those of the last.</summary>
    public int? Next { get; init; }

    /// <summary>For people.</summary>
    public override string ToString()
    {
        string[] from =
        [
            .. Nodes.Count > 0 ? [$"nodes {string.Join(',', Nodes)}"] : Array.Empty<string>(),
            .. Swarm is not null ? [$"swarm {Swarm}"] : Array.Empty<string>(),
            .. Group is not null ? [$"group {Group}"] : Array.Empty<string>(),
        ];
        var candidates = from.Length == 0 ? "all nodes" : string.Join(" and ", from);
        return Pick is { } pick ? $"{pick} random of {candidates}" : Next is { } next ? $"next {next} of {candidates}" : candidates;
    }
}

/// <summary>Clients that store and poll through onion paths while the scenario runs.</summary>
internal sealed record TrafficSettings
{
    /// <summary>Mailboxes, spread evenly over the swarms.</summary>
    public int Accounts { get; init; } = 20;

    /// <summary>Messages stored per second, over all accounts.</summary>
    public double Stores { get; init; } = 10;

    /// <summary>Polls per second, over all accounts.</summary>
    public double Polls { get; init; } = 10;

    /// <summary>Bytes of a message.</summary>
    public int Size { get; init; } = 500;

    /// <summary>Limit of one attempt; Session clients use 10 s.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Attempts, each on a path of its own, before a store or poll counts as failed.</summary>
    public int Attempts { get; init; } = 3;
}

/// <summary>A part of the experiment. Its faults that are still in force when it ends, end with it.</summary>
/// <param name="Name">For reports and assertions.</param>
/// <param name="At">When it begins.</param>
/// <param name="Every">After which time it does its actions again; null for once.</param>
/// <param name="For">How long it lasts; null until the scenario ends.</param>
/// <param name="Actions">What it does, one after another.</param>
internal sealed record ScenarioPhase(string Name, TimeSpan At, TimeSpan? Every, TimeSpan? For, IReadOnlyList<ScenarioAction> Actions);

/// <summary>Something that a phase does.</summary>
internal abstract record ScenarioAction;

/// <summary>Begins faults at nodes, or on the links from them.</summary>
internal sealed record FaultAction(NodeSelection On, NodeSelection? To, FaultSet Faults) : ScenarioAction;

/// <summary>Ends the scenario's faults with one of these labels, or all of them if there is none.</summary>
internal sealed record ClearAction(IReadOnlyList<string> Labels) : ScenarioAction;

/// <summary>Lets time pass before the next action.</summary>
internal sealed record WaitAction(TimeSpan Time) : ScenarioAction;

/// <summary>What must hold.</summary>
/// <param name="Metric">The figure, see <see cref="ScenarioMetrics"/>.</param>
/// <param name="Comparison">How it has to compare.</param>
/// <param name="Limit">With what: a number, a share, or milliseconds.</param>
/// <param name="During">Only what began in this phase; null for all.</param>
/// <param name="After">Only what began after this phase.</param>
internal sealed record ScenarioAssertion(string Metric, Comparison Comparison, double Limit, string? During, string? After)
{
    /// <summary>True if <paramref name="figure"/> is as wanted. A figure that nothing was measured for is not.</summary>
    public bool Holds(double figure) => Comparison switch
    {
        Comparison.Less => figure < Limit,
        Comparison.AtMost => figure <= Limit,
        Comparison.More => figure > Limit,
        Comparison.AtLeast => figure >= Limit,
        _ => figure == Limit,
    };

    /// <summary>The metric with its window.</summary>
    public string Describe() => Metric + (During is not null ? $" during {During}" : After is not null ? $" after {After}" : "");
}

/// <summary>How a figure compares.</summary>
internal enum Comparison
{
    Equal,
    Less,
    AtMost,
    More,
    AtLeast,
}
