using System.Collections.Immutable;

namespace Session.Orleans.Contracts;

/// <summary>What a fault does. A node's faults meet everybody who comes to it; those of a link only what goes from one node to another.</summary>
public enum FaultKind
{
    /// <summary>No answer, as from a machine that is off: whoever asks waits until his own limit.</summary>
    Offline = 0,

    /// <summary>The connection is refused at once, as by a machine on which nothing listens.</summary>
    Refuse = 1,

    /// <summary>Requests arrive later.</summary>
    Latency = 2,

    /// <summary>Requests get lost; to the asker it looks like <see cref="Offline"/>.</summary>
    Loss = 3,

    /// <summary>Requests arrive at a limited number of bytes per second.</summary>
    Bandwidth = 4,

    /// <summary>The node changes the layers that it passes on; the next hop can't decrypt them.</summary>
    CorruptLayer = 5,

    /// <summary>The node's answers are damaged.</summary>
    CorruptReply = 6,

    /// <summary>The node's signatures in swarm-wide replies are wrong.</summary>
    WrongSignature = 7,

    /// <summary>The node does not return messages that are newer than the fault.</summary>
    StaleData = 8,

    /// <summary>The node's clock is wrong, in its replies and in its checks.</summary>
    ClockSkew = 9,

    /// <summary>The node's storage answers later.</summary>
    SlowStorage = 10,
}

/// <summary>How a fault's delays are spread around <see cref="Fault.Delay"/>.</summary>
public enum DelayDistribution
{
    /// <summary>Always the same.</summary>
    Fixed = 0,

    /// <summary>Evenly, up to <see cref="Fault.Spread"/> more or less.</summary>
    Uniform = 1,

    /// <summary>Normally, with <see cref="Fault.Spread"/> as standard deviation; never below zero.</summary>
    Normal = 2,
}

/// <summary>Something that is made to go wrong. Several faults of a node or a link add up.</summary>
[GenerateSerializer, Immutable, Alias("session.Fault")]
public sealed record Fault
{
    /// <summary>Name by which it is removed; given by the network.</summary>
    [Id(0)]
    public string Id { get; init; } = "";

    /// <summary>What goes wrong.</summary>
    [Id(1)]
    public required FaultKind Kind { get; init; }

    /// <summary>Indices of the nodes it is at; with <see cref="Peers"/> the ends from which the links go out.</summary>
    [Id(2)]
    public required ImmutableArray<int> Nodes { get; init; }

    /// <summary>Indices of the nodes to which the links go; empty if the fault is the nodes' own.</summary>
    [Id(3)]
    public ImmutableArray<int> Peers { get; init; } = [];

    /// <summary>Share of the requests it meets, above 0 and up to 1.</summary>
    [Id(4)]
    public double Probability { get; init; } = 1;

    /// <summary>Of <see cref="FaultKind.Latency"/> and <see cref="FaultKind.SlowStorage"/>: the delay. Of <see cref="FaultKind.ClockSkew"/>: how far the clock is ahead, negative if it is behind.</summary>
    [Id(5)]
    public TimeSpan Delay { get; init; }

    /// <summary>How much delays differ, see <see cref="Distribution"/>.</summary>
    [Id(6)]
    public TimeSpan Spread { get; init; }

    /// <summary>How delays are spread.</summary>
    [Id(7)]
    public DelayDistribution Distribution { get; init; }

    /// <summary>Of <see cref="FaultKind.Bandwidth"/>: bytes per second.</summary>
    [Id(8)]
    public long BytesPerSecond { get; init; }

    /// <summary>When it began.</summary>
    [Id(9)]
    public DateTimeOffset Since { get; init; }

    /// <summary>When it ends by itself; null if it stays until it is removed.</summary>
    [Id(10)]
    public DateTimeOffset? Until { get; init; }

    /// <summary>A word of the operator's, by which several faults can be removed together.</summary>
    [Id(11)]
    public string? Label { get; init; }

    /// <summary>True for faults that may be a link's.</summary>
    public static bool CanBeOnLink(FaultKind kind) =>
        kind is FaultKind.Offline or FaultKind.Refuse or FaultKind.Latency or FaultKind.Loss or FaultKind.Bandwidth;

    /// <summary>What is wrong with this fault as an order; null if nothing is.</summary>
    public string? Problem()
    {
        if (Nodes.IsDefaultOrEmpty)
            return "A fault needs at least one node.";
        if (!Peers.IsDefaultOrEmpty && !CanBeOnLink(Kind))
            return $"{Kind} is a node's own fault and can't be on a link.";
        if (Probability is not (> 0 and <= 1))
            return "The probability must be above 0 and at most 1.";
        if (Spread < TimeSpan.Zero || (Distribution is DelayDistribution.Fixed && Spread != TimeSpan.Zero))
            return "The spread must not be negative, and needs a uniform or normal distribution.";
        return Kind switch
        {
            FaultKind.Latency or FaultKind.SlowStorage when Delay <= TimeSpan.Zero || Delay > TimeSpan.FromMinutes(5) =>
                $"{Kind} needs a delay of more than 0 and at most 5 minutes.",
            FaultKind.ClockSkew when Delay == TimeSpan.Zero || Delay.Duration() > TimeSpan.FromDays(365) =>
                "ClockSkew needs a deviation, of at most a year.",
            FaultKind.Bandwidth when BytesPerSecond < 1 => "Bandwidth needs at least 1 byte per second.",
            _ when Until <= Since => "The fault would end before it begins.",
            _ => null,
        };
    }
}

/// <summary>A node that has not caught up with its swarm.</summary>
/// <param name="Index">The node.</param>
/// <param name="SyncedAt">Height of the last block at which it could hear all of its swarm.</param>
[GenerateSerializer, Immutable, Alias("session.NodeLag")]
public readonly record struct NodeLag([property: Id(0)] int Index, [property: Id(1)] long SyncedAt);

/// <summary>An order to the network that can't be carried out; nothing has changed.</summary>
[GenerateSerializer, Alias("session.NetworkOrderException")]
public sealed class NetworkOrderException : Exception
{
    /// <summary>With the default message.</summary>
    public NetworkOrderException()
    {
    }

    /// <summary>With a message for the operator.</summary>
    public NetworkOrderException(string message)
        : base(message)
    {
    }

    /// <summary>With a message for the operator and the cause.</summary>
    public NetworkOrderException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
