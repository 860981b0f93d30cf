using System.Collections.Concurrent;
using HdrHistogram;

namespace Session.Orleans.Load.Results;

/// <summary>What users do that takes time.</summary>
internal enum Operation
{
    /// <summary>A message, from the moment it was due until its swarm confirmed it, with all attempts.</summary>
    Send,

    /// <summary>The copy of a message for the sender's other devices, with all attempts.</summary>
    Sync,

    /// <summary>A round of polling, with all attempts.</summary>
    Poll,

    /// <summary>A post in a room, from the moment it was due until the server had it, with all attempts.</summary>
    Post,

    /// <summary>A round of polling of a user's rooms at a community server, with all attempts.</summary>
    Rooms,

    /// <summary>Joining a room, with all attempts; part of the first round of polling.</summary>
    Join,

    /// <summary>Asking three nodes for a name, with all attempts; part of the send that needed it.</summary>
    Resolve,

    /// <summary>Asking for an account's swarm, with all attempts; part of the send or poll that needed it.</summary>
    Swarm,

    /// <summary>A file on its way to the file server, with all attempts.</summary>
    Upload,

    /// <summary>A file on its way back.</summary>
    Download,

    /// <summary>From the moment a message or post was due until a reader had it.</summary>
    Delivery,
}

/// <summary>Takes down times and failures while a run goes on. Safe for concurrent use.</summary>
internal sealed class Recorder
{
    /// <summary>Longest time that is told apart, in microseconds; longer ones count as this.</summary>
    public const long MaxMicroseconds = 3_600_000_000;

    private const int Digits = 3;
    private const int SeriesDigits = 2;
    private const int MaxFailures = 50;
    private const int LeastBuckets = 60;
    private const int MostBuckets = 300;

    // What users wait for, and what a percentile without an operation's name is of.
    private static readonly Operation[] Requests = [Operation.Send, Operation.Sync, Operation.Post, Operation.Poll, Operation.Rooms];

    private readonly OperationRecord[] _operations;
    private readonly ConcurrentDictionary<string, long> _attempts = new();
    private readonly ConcurrentDictionary<int, Bucket> _buckets = new();
    private readonly ConcurrentQueue<FailedRequest> _failures = new();
    private readonly TimeSpan _warmUp;
    private readonly Action<Operation, TimeSpan, string?>? _observe;

    /// <summary>A recorder for a run of this length.</summary>
    /// <param name="duration">Length of the run.</param>
    /// <param name="warmUp">What begins before is not recorded.</param>
    /// <param name="observe">Told of everything, the warm-up as well: for metrics.</param>
    public Recorder(TimeSpan duration, TimeSpan warmUp, Action<Operation, TimeSpan, string?>? observe = null)
    {
        _warmUp = warmUp;
        _observe = observe;
        _operations = [.. Enum.GetValues<Operation>().Select(_ => new OperationRecord(new LongHistogram(1, MaxMicroseconds, Digits)))];
        var seconds = duration.TotalSeconds;
        BucketLength = TimeSpan.FromSeconds(seconds <= LeastBuckets ? 1 : Math.Ceiling(seconds / MostBuckets));
    }

    /// <summary>Length of a step of the series.</summary>
    public TimeSpan BucketLength { get; }

    /// <summary>An operation has ended.</summary>
    /// <param name="operation">Which.</param>
    /// <param name="intended">When it was due, from the beginning of the run.</param>
    /// <param name="end">When it ended.</param>
    /// <param name="error">Class of its failure; null if it succeeded.</param>
    /// <param name="trace">Trace id of its last request, if that is traced.</param>
    public void Done(Operation operation, TimeSpan intended, TimeSpan end, string? error = null, string? trace = null)
    {
        var took = end > intended ? end - intended : TimeSpan.Zero;
        _observe?.Invoke(operation, took, error);
        if (intended < _warmUp)
            return;
        var microseconds = Math.Clamp((long)took.TotalMicroseconds, 1, MaxMicroseconds);
        var record = _operations[(int)operation];
        lock (record)
        {
            if (error is null)
                record.Times.RecordValue(microseconds);
            else
                record.Errors[error] = record.Errors.GetValueOrDefault(error) + 1;
        }

        if (operation is Operation.Swarm or Operation.Resolve or Operation.Join)
            return; // parts of others
        var bucket = _buckets.GetOrAdd((int)(intended / BucketLength), static _ => new());
        lock (bucket)
            bucket.Add(operation, microseconds, error, trace, intended);
        if (error is not null && _failures.Count < MaxFailures)
            _failures.Enqueue(new(operation, intended, error, trace));
    }

    /// <summary>One request failed; the operation may still succeed with another.</summary>
    public void AttemptFailed(string error, TimeSpan at)
    {
        if (at >= _warmUp)
            _attempts.AddOrUpdate(error, 1, static (_, count) => count + 1);
    }

    /// <summary>The figures so far, for people who watch.</summary>
    public Progress Look()
    {
        var (count, errors) = (0L, 0L);
        var times = new LongHistogram(1, MaxMicroseconds, Digits);
        foreach (var operation in Requests)
        {
            var record = _operations[(int)operation];
            lock (record)
            {
                times.Add(record.Times);
                count += record.Times.TotalCount;
                errors += record.Errors.Values.Sum();
            }
        }

        return new(count + errors, errors, Percentile(times, 50), Percentile(times, 99), new Dictionary<string, long>(_attempts));
    }

    /// <summary>Everything that was recorded of an operation.</summary>
    public OperationResult Result(Operation operation, TimeSpan measured)
    {
        var record = _operations[(int)operation];
        lock (record)
            return OperationResult.Of(operation, record.Times, new SortedDictionary<string, long>(record.Errors), measured);
    }

    /// <summary>Failed requests by class, whether or not another attempt succeeded.</summary>
    public IReadOnlyDictionary<string, long> FailedAttempts => new SortedDictionary<string, long>(_attempts);

    /// <summary>The first operations that failed.</summary>
    public IReadOnlyList<FailedRequest> Failures => [.. _failures];

    /// <summary>The run step by step.</summary>
    public IReadOnlyList<SeriesPoint> Series() => [.. _buckets.OrderBy(bucket => bucket.Key).Select(bucket =>
    {
        lock (bucket.Value)
            return bucket.Value.ToPoint(bucket.Key * BucketLength.TotalSeconds);
    })];

    private static double Percentile(HistogramBase times, double percent) => times.TotalCount == 0 ? double.NaN : times.GetValueAtPercentile(percent) / 1000.0;

    private sealed class OperationRecord(LongHistogram times)
    {
        public LongHistogram Times { get; } = times;

        public Dictionary<string, long> Errors { get; } = [];
    }

    private sealed class Bucket
    {
        private readonly IntHistogram _times = new(1, MaxMicroseconds, SeriesDigits);
        private readonly long[] _counts = new long[Enum.GetValues<Operation>().Length];
        private Dictionary<string, long>? _errors;
        private Exemplar? _slowest;

        public void Add(Operation operation, long microseconds, string? error, string? trace, TimeSpan at)
        {
            if (error is not null)
            {
                _errors ??= [];
                _errors[error] = _errors.GetValueOrDefault(error) + 1;
                return;
            }

            _counts[(int)operation]++;
            if (Requests.Contains(operation))
                _times.RecordValue(microseconds);
            if (trace is not null && (_slowest is null || microseconds / 1000.0 > _slowest.Milliseconds))
                _slowest = new(operation, Math.Round(at.TotalSeconds, 3), microseconds / 1000.0, trace);
        }

        public SeriesPoint ToPoint(double second) => new(
            second, _counts[(int)Operation.Send] + _counts[(int)Operation.Sync] + _counts[(int)Operation.Post],
            _counts[(int)Operation.Poll] + _counts[(int)Operation.Rooms], _counts[(int)Operation.Delivery], _errors?.Values.Sum() ?? 0,
            Round(Percentile(_times, 50)), Round(Percentile(_times, 90)), Round(Percentile(_times, 99)), Round(Percentile(_times, 100)),
            _errors is null ? null : new SortedDictionary<string, long>(_errors), _slowest, _times.TotalCount == 0 ? null : Histograms.Encode(_times));

        private static double? Round(double milliseconds) => double.IsNaN(milliseconds) ? null : Math.Round(milliseconds, 3);
    }
}

/// <summary>Figures of a run that goes on.</summary>
/// <param name="Operations">Messages, posts and polls so far.</param>
/// <param name="Failed">Of them failed.</param>
/// <param name="P50">Median in ms; NaN before the first.</param>
/// <param name="P99">99th percentile in ms.</param>
/// <param name="FailedAttempts">Failed requests by class.</param>
internal sealed record Progress(long Operations, long Failed, double P50, double P99, IReadOnlyDictionary<string, long> FailedAttempts);
