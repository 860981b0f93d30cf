using System.Collections.Immutable;
using Session.Orleans.Grains.Network;
using Session.Orleans.Protocol.Swarms;
using Session.Orleans.Storage;

namespace Session.Orleans.ConsolePage.Model;

/// <summary>Everything a page shows, at one moment.</summary>
/// <param name="View">The network; null before this silo knows it.</param>
/// <param name="Traffic">Requests of all silos, one point for every reading, oldest first.</param>
/// <param name="Doors">Requests per second by the door they came in by.</param>
/// <param name="Mailboxes">What the mailboxes hold; null before they have been counted.</param>
/// <param name="Silos">All silos of the cluster, by name.</param>
/// <param name="Requests">Requests that were traced, newest first.</param>
/// <param name="At">When the silos were asked.</param>
public sealed record ConsoleState(
    NetworkView? View,
    ImmutableArray<TrafficPoint> Traffic,
    ImmutableArray<DoorRate> Doors,
    MailboxFigures? Mailboxes,
    ImmutableArray<SiloState> Silos,
    ImmutableArray<RequestTrace> Requests,
    DateTimeOffset At)
{
    /// <summary>Before anything is known.</summary>
    public static readonly ConsoleState Empty = new(null, [], [], null, [], [], default);
}

/// <summary>Requests of all silos over a short time.</summary>
/// <param name="PerSecond">Requests per second, since the point before.</param>
/// <param name="FailedPerSecond">Those answered with a status of 500 or more, since the point before.</param>
/// <param name="RefusedPerSecond">Those turned away at the door, which count in nothing else, since the point before.</param>
/// <param name="Median">Half of the last ten seconds' requests took less; null if there were none.</param>
/// <param name="P99">99 of 100 of the last ten seconds' requests took less; null if there were none.</param>
public sealed record TrafficPoint(double PerSecond, double FailedPerSecond, double RefusedPerSecond, TimeSpan? Median, TimeSpan? P99);

/// <summary>Requests by one door.</summary>
/// <param name="Door">node, omq, seed, files or community.</param>
/// <param name="PerSecond">Requests per second.</param>
public sealed record DoorRate(string Door, double PerSecond);

/// <summary>What the mailboxes hold.</summary>
/// <param name="All">All together.</param>
/// <param name="BySwarm">By the swarm that keeps them.</param>
/// <param name="At">When they were counted.</param>
public sealed record MailboxFigures(MailboxCount All, ImmutableDictionary<SwarmId, MailboxCount> BySwarm, DateTimeOffset At);

/// <summary>One silo.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Role">all, gateway or silo; empty if it has not said so yet.</param>
/// <param name="Status">Its place in the cluster: active, joining and others.</param>
/// <param name="IsHere">True for the one that serves this page.</param>
/// <param name="Load">Its figures; null if it did not answer.</param>
public sealed record SiloState(string Name, string Role, string Status, bool IsHere, SiloLoad? Load);

/// <summary>Figures of a silo.</summary>
/// <param name="Started">When its process started.</param>
/// <param name="CpuShare">Share of the machine's processors that it has taken since the reading before; null at first.</param>
/// <param name="MemoryBytes">Memory that it holds.</param>
/// <param name="Activations">Grains that live there; null if unknown.</param>
/// <param name="PerSecond">Requests per second.</param>
/// <param name="IsViewCurrent">False if its view of the network is older than another silo's.</param>
public sealed record SiloLoad(
    DateTimeOffset Started, double? CpuShare, long MemoryBytes, long? Activations, double PerSecond, bool IsViewCurrent);
