using System.Collections.Immutable;
using Orleans.Services;

namespace Session.Orleans.ConsolePage.Watch;

/// <summary>
/// What a silo tells open console pages about itself. It counts and traces only while it is asked: the first question begins it, and it ends when
/// none has come for <see cref="SiloWatch.Lease"/>.
/// </summary>
[Alias("session.console.ISiloWatch")]
internal interface ISiloWatch : IGrainService
{
    /// <summary>The silo's figures now, and the spans that have ended since <paramref name="afterSpan"/>.</summary>
    /// <param name="epoch">The watch that the caller has read before, or 0; spans of another one are told from their beginning.</param>
    /// <param name="afterSpan">Number of the last span that the caller has.</param>
    [Alias("Read"), ResponseTimeout("00:00:02")]
    Task<SiloReading> ReadAsync(long epoch, long afterSpan);
}

/// <summary>Figures of one silo. Counts are since the watch began, unless they say otherwise.</summary>
/// <param name="Epoch">Differs from watch to watch: counts of different ones can't be compared.</param>
/// <param name="Elapsed">Time since the watch began.</param>
/// <param name="Started">When the process started.</param>
/// <param name="CpuTime">Processor time of the process since it started.</param>
/// <param name="Processors">Processors it may use.</param>
/// <param name="MemoryBytes">Memory that it holds.</param>
/// <param name="Activations">Grains that live there; null if Orleans does not say.</param>
/// <param name="ViewVersion">Version of its view of the network; 0 before the first.</param>
/// <param name="Doors">Requests by the door they came in by.</param>
/// <param name="LastSpan">Number of the newest span.</param>
/// <param name="Spans">Spans that have ended since the caller's last reading, oldest first, and at most <see cref="SiloWatch.MaxSpans"/>.</param>
/// <param name="Refused">Requests that were turned away at the door since the process started.</param>
[GenerateSerializer, Immutable, Alias("session.console.SiloReading")]
internal sealed record SiloReading(
    [property: Id(0)] long Epoch,
    [property: Id(1)] TimeSpan Elapsed,
    [property: Id(2)] DateTimeOffset Started,
    [property: Id(3)] TimeSpan CpuTime,
    [property: Id(4)] int Processors,
    [property: Id(5)] long MemoryBytes,
    [property: Id(6)] long? Activations,
    [property: Id(7)] long ViewVersion,
    [property: Id(8)] ImmutableArray<DoorReading> Doors,
    [property: Id(9)] long LastSpan,
    [property: Id(10)] ImmutableArray<SpanReading> Spans,
    [property: Id(11)] long Refused);

/// <summary>Requests that came in by one door.</summary>
/// <param name="Door">node, omq, seed, files or community.</param>
/// <param name="Failed">How many were answered with a status of 500 or more.</param>
/// <param name="Buckets">How many took how long, by <see cref="LatencyBuckets"/>.</param>
[GenerateSerializer, Immutable, Alias("session.console.DoorReading")]
internal sealed record DoorReading(
    [property: Id(0)] string Door, [property: Id(1)] long Failed, [property: Id(2)] ImmutableArray<long> Buckets);

/// <summary>A span that has ended: a step of a request. Of its tags only those that name neither accounts nor messages.</summary>
/// <param name="TraceId">The request, 32 hex digits.</param>
/// <param name="SpanId">The step, 16 hex digits.</param>
/// <param name="ParentId">The step that asked for it; all zero if none did.</param>
/// <param name="IsDoor">True for the first step, at the gateway.</param>
/// <param name="Name">What the step is.</param>
/// <param name="Start">When it began, by the clock of its silo.</param>
/// <param name="Duration">How long it took.</param>
/// <param name="Failed">True if it ended with an error.</param>
/// <param name="Tags">Tags by name.</param>
[GenerateSerializer, Immutable, Alias("session.console.SpanReading")]
internal sealed record SpanReading(
    [property: Id(0)] string TraceId,
    [property: Id(1)] string SpanId,
    [property: Id(2)] string ParentId,
    [property: Id(3)] bool IsDoor,
    [property: Id(4)] string Name,
    [property: Id(5)] DateTime Start,
    [property: Id(6)] TimeSpan Duration,
    [property: Id(7)] bool Failed,
    [property: Id(8)] ImmutableArray<KeyValuePair<string, string>> Tags);
