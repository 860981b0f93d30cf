using System.Collections.Immutable;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using Session.Orleans.Gateway;
using Session.Orleans.Grains;
using Session.Orleans.Storage;

namespace Session.Orleans.ConsolePage.Watch;

/// <summary>
/// Listens to this silo's request durations and to a few of its traces, as long as it lives. Most requests pay one counter for it and are asked
/// about once; the spans of at most <see cref="TracesPerSecond"/> requests per second are made.
/// </summary>
internal sealed class SiloTap : IDisposable
{
    /// <summary>Requests per second that are traced, once the first <see cref="TraceBurst"/> are.</summary>
    public const int TracesPerSecond = 5;

    /// <summary>Requests that are traced however fast they come.</summary>
    public const int TraceBurst = 40;

    private const int RingSize = 2048; // spans; a dozen per request
    private const string OrleansMeter = "Microsoft.Orleans", OrleansActivations = "orleans-catalog-activations";

    // What the page shows of a step. No name on it carries an account or a message.
    private static readonly ImmutableArray<string> Tags =
    [
        GatewayTelemetry.NodeIndex, GrainsTelemetry.HopNumber, GrainsTelemetry.Node, GrainsTelemetry.Fault, GrainsTelemetry.Swarm, GrainsTelemetry.Method,
        GrainsTelemetry.Instruction, GrainsTelemetry.Status, GatewayTelemetry.HttpStatus, GatewayTelemetry.RpcStatus, StorageTelemetry.OperationTag, StorageTelemetry.ErrorTag,
    ];

    private static long _lastEpoch;

    private readonly MeterListener _meters = new();
    private readonly ActivityListener _activities;
    private readonly TimeProvider _time;
    private readonly long _began;
    private readonly DoorCounter[] _doors = [new("node"), new("omq"), new("seed"), new("files"), new("community")];
    private readonly Activity?[] _ring = new Activity?[RingSize];
    private readonly Lock _ringLock = new();
    private readonly Lock _observing = new();
    private long _lastSpan;
    private long? _activations;
    private long _refused;
    private double _budget = TraceBurst;
    private long _budgetAt;
    private long _nextTraceAt;

    /// <summary>Begins to listen.</summary>
    public SiloTap(TimeProvider time)
    {
        _time = time;
        _began = _budgetAt = time.GetTimestamp();
        // Of the clock, so that no other process and no later tap has the same.
        Epoch = InterlockedMax(ref _lastEpoch, time.GetUtcNow().Ticks);
        _meters.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument is { Meter.Name: GatewayTelemetry.SourceName, Name: GatewayTelemetry.RequestDuration or GatewayTelemetry.Refused }
                or { Meter.Name: OrleansMeter, Name: OrleansActivations })
                listener.EnableMeasurementEvents(instrument);
        };
        _meters.SetMeasurementEventCallback<double>(OnDuration);
        _meters.SetMeasurementEventCallback<long>((instrument, value, _, _) => OnCount(instrument, value));
        _meters.SetMeasurementEventCallback<int>((instrument, value, _, _) => OnCount(instrument, value));
        _meters.Start();
        _activities = new()
        {
            ShouldListenTo = static source => source.Name is GatewayTelemetry.SourceName or GrainsTelemetry.SourceName or StorageTelemetry.SourceName,
            Sample = Sample,
            ActivityStopped = OnStopped,
        };
        ActivitySource.AddActivityListener(_activities);
    }

    /// <summary>Tells this tap from others.</summary>
    public long Epoch { get; }

    /// <summary>Time since it began.</summary>
    public TimeSpan Elapsed => _time.GetElapsedTime(_began);

    /// <summary>
    /// Grains on this silo, as Orleans counts them now (null if it does not), and requests that were turned away since the process started.
    /// </summary>
    public (long? Activations, long Refused) Observe()
    {
        lock (_observing) // two pages' processes may ask at once
        {
            (_activations, _refused) = (null, 0);
            _meters.RecordObservableInstruments(); // one measurement for each kind of grain, and for each reason
            return (_activations, _refused);
        }
    }

    /// <summary>Requests so far.</summary>
    public ImmutableArray<DoorReading> ReadDoors() => [.. _doors.Select(door => door.Read())];

    /// <summary>Number of the newest span.</summary>
    public long LastSpan => Volatile.Read(ref _lastSpan);

    /// <summary>Spans with higher numbers than <paramref name="after"/>, oldest first: the newest <paramref name="limit"/> of those that are kept.</summary>
    public (long Last, ImmutableArray<SpanReading> Spans) ReadSpans(long after, int limit)
    {
        Activity[] spans;
        long last;
        lock (_ringLock)
        {
            last = _lastSpan;
            var first = Math.Max(Math.Max(after, last - RingSize), last - limit) + 1;
            spans = new Activity[Math.Max(last - first + 1, 0)];
            for (var i = 0; i < spans.Length; i++)
                spans[i] = _ring[(first + i) % RingSize]!;
        }

        return (last, [.. spans.Select(Describe)]);
    }

    /// <summary>Ends it.</summary>
    public void Dispose()
    {
        _meters.Dispose();
        _activities.Dispose();
    }

    private static long InterlockedMax(ref long last, long candidate)
    {
        while (true)
        {
            var seen = Volatile.Read(ref last);
            var next = Math.Max(seen + 1, candidate);
            if (Interlocked.CompareExchange(ref last, next, seen) == seen)
                return next;
        }
    }

    // Of every request: no lock, nothing made, and strings are mostly the same ones.
    private void OnDuration(Instrument instrument, double seconds, ReadOnlySpan<KeyValuePair<string, object?>> tags, object? state)
    {
        DoorCounter? counter = null;
        var failed = false;
        foreach (var (name, value) in tags)
        {
            if (name == GatewayTelemetry.Door)
            {
                foreach (var candidate in _doors)
                {
                    if (candidate.Door.Equals(value))
                    {
                        counter = candidate;
                        break;
                    }
                }
            }
            else if (name == GatewayTelemetry.HttpStatus)
            {
                failed = value is string and ['5', ..];
            }
        }

        counter?.Count(seconds, failed);
    }

    private void OnCount(Instrument instrument, long value)
    {
        if (instrument.Name == OrleansActivations)
            _activations = value + (_activations ?? 0);
        else
            _refused += value;
    }

    /// <summary>
    /// The gateway begins a request's trace; what follows, on this silo or another, is traced if it has been begun. Traces are not marked as recorded:
    /// that would send them to the collector that the operator has chosen a ratio for.
    /// </summary>
    private ActivitySamplingResult Sample(ref ActivityCreationOptions<ActivityContext> options) =>
        options.Source.Name == GatewayTelemetry.SourceName ? TakeFromBudget() ? ActivitySamplingResult.AllData : ActivitySamplingResult.None
        : options.Parent.TraceId != default ? ActivitySamplingResult.AllData
        : ActivitySamplingResult.None;

    private bool TakeFromBudget()
    {
        var now = _time.GetTimestamp();
        if (now < Volatile.Read(ref _nextTraceAt))
            return false; // as of most requests of a busy silo, without a lock
        lock (_ringLock)
        {
            _budget = Math.Min(_budget + _time.GetElapsedTime(_budgetAt, now).TotalSeconds * TracesPerSecond, TraceBurst);
            _budgetAt = Math.Max(now, _budgetAt);
            if (_budget < 1)
            {
                Volatile.Write(ref _nextTraceAt, now + (long)((1 - _budget) / TracesPerSecond * _time.TimestampFrequency));
                return false;
            }

            _budget--;
            return true;
        }
    }

    private void OnStopped(Activity activity)
    {
        if (!activity.IsAllDataRequested)
            return;
        lock (_ringLock)
            _ring[++_lastSpan % RingSize] = activity;
    }

    private static SpanReading Describe(Activity activity)
    {
        var tags = ImmutableArray.CreateBuilder<KeyValuePair<string, string>>();
        foreach (var (name, value) in activity.EnumerateTagObjects())
        {
            if (value is not null && Tags.Contains(name))
                tags.Add(new(name, Convert.ToString(value, CultureInfo.InvariantCulture) ?? ""));
        }

        return new(
            activity.TraceId.ToHexString(), activity.SpanId.ToHexString(), activity.ParentSpanId.ToHexString(),
            activity.Source.Name == GatewayTelemetry.SourceName, activity.OperationName, activity.StartTimeUtc, activity.Duration,
            activity.Status is ActivityStatusCode.Error, tags.DrainToImmutable());
    }

    private sealed class DoorCounter(string door)
    {
        private readonly long[] _buckets = new long[LatencyBuckets.Count];
        private long _failed;

        public string Door => door;

        public void Count(double seconds, bool failed)
        {
            Interlocked.Increment(ref _buckets[LatencyBuckets.IndexOf(seconds)]);
            if (failed)
                Interlocked.Increment(ref _failed);
        }

        public DoorReading Read() => new(door, Volatile.Read(ref _failed), [.. _buckets]);
    }
}
