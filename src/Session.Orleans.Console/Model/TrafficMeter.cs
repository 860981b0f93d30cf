using System.Collections.Immutable;
using Session.Orleans.ConsolePage.Watch;

namespace Session.Orleans.ConsolePage.Model;

/// <summary>Makes rates and percentiles of what silos have counted from one reading to the next.</summary>
internal sealed class TrafficMeter
{
    /// <summary>Points that are kept: two minutes.</summary>
    public const int Points = 60;

    // Readings over which percentiles go: ten seconds.
    private const int Window = 5;

    private readonly Dictionary<SiloAddress, SiloReading> _last = [];
    private readonly Queue<long[]> _window = new();

    /// <summary>One point for each reading, oldest first.</summary>
    public ImmutableArray<TrafficPoint> Traffic { get; private set; } = [];

    /// <summary>Rates by door, since the reading before.</summary>
    public ImmutableArray<DoorRate> Doors { get; private set; } = [];

    /// <summary>What each silo has done since the reading before: requests per second, and the share of its machine's processors it took.</summary>
    public ImmutableDictionary<SiloAddress, (double PerSecond, double? CpuShare)> Silos { get; private set; } =
        ImmutableDictionary<SiloAddress, (double, double?)>.Empty;

    /// <summary>The reading before of a silo; null if there is none.</summary>
    public SiloReading? LastOf(SiloAddress silo) => _last.GetValueOrDefault(silo);

    /// <summary>Adds the readings of all silos that have answered.</summary>
    public void Add(IReadOnlyDictionary<SiloAddress, SiloReading> readings)
    {
        var buckets = new long[LatencyBuckets.Count];
        var (failed, refused) = (0.0, 0.0);
        var doors = new SortedDictionary<string, double>(StringComparer.Ordinal);
        var silos = ImmutableDictionary.CreateBuilder<SiloAddress, (double, double?)>();
        foreach (var (silo, now) in readings)
        {
            if (_last.GetValueOrDefault(silo) is not { } before || before.Epoch != now.Epoch || now.Elapsed <= before.Elapsed)
            {
                silos.Add(silo, (0, null));
                continue;
            }

            var seconds = (now.Elapsed - before.Elapsed).TotalSeconds;
            var ofSilo = 0.0;
            foreach (var (door, old) in now.Doors.Zip(before.Doors))
            {
                var requests = 0L;
                for (var i = 0; i < buckets.Length; i++)
                {
                    var count = door.Buckets[i] - old.Buckets[i];
                    buckets[i] += count;
                    requests += count;
                }

                failed += (door.Failed - old.Failed) / seconds;
                doors[door.Door] = doors.GetValueOrDefault(door.Door) + requests / seconds;
                ofSilo += requests / seconds;
            }

            refused += Math.Max(now.Refused - before.Refused, 0) / seconds;
            silos.Add(silo, (ofSilo, (now.CpuTime - before.CpuTime).TotalSeconds / seconds / now.Processors));
        }

        _last.Clear();
        foreach (var (silo, now) in readings)
            _last.Add(silo, now);
        _window.Enqueue(buckets);
        if (_window.Count > Window)
            _window.Dequeue();
        var recent = new long[LatencyBuckets.Count];
        foreach (var part in _window)
        {
            for (var i = 0; i < recent.Length; i++)
                recent[i] += part[i];
        }

        Silos = silos.ToImmutable();
        Doors = [.. doors.Select(door => new DoorRate(door.Key, door.Value))];
        Traffic =
        [
            .. Traffic.Skip(Traffic.Length - Points + 1),
            new(doors.Values.Sum(), failed, refused, LatencyBuckets.Percentile(recent, 0.5), LatencyBuckets.Percentile(recent, 0.99)),
        ];
    }

    /// <summary>Forgets what came before a time in which nobody looked.</summary>
    public void Reset()
    {
        _last.Clear();
        _window.Clear();
        Traffic = [];
    }
}
