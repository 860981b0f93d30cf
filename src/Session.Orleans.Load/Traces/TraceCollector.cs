using System.Collections.Concurrent;
using System.Globalization;
using Session.Orleans.Load.Results;
using LongHistogram = HdrHistogram.LongHistogram;

namespace Session.Orleans.Load.Traces;

/// <summary>
/// Puts together what the network tells of the run's own traced requests, and what the load process knows of them, to where their time was spent:
/// each part's own time is what it took without the parts inside it. Spans come late and in any order, from several processes. Safe for concurrent use.
/// </summary>
/// <param name="time">The clock.</param>
internal sealed class TraceCollector(TimeProvider time)
{
    /// <summary>Part of a request in the load process: its cryptography, before it is sent and after it is answered.</summary>
    public const string LoadProcessPart = "load process";

    /// <summary>Part of a request between the load process and the gateway: connection, TLS and HTTP, on both sides.</summary>
    public const string ConnectionPart = "connection";

    private const int MostWaiting = 50_000;
    private const int MostSpans = 256;
    private const int MostParts = 100;
    private const int MostDepth = 64;
    private static readonly TimeSpan FoldAge = TimeSpan.FromSeconds(30); // processes send their spans every five seconds, and repeat what fails
    private static readonly TimeSpan FoldPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan WaitPause = TimeSpan.FromMilliseconds(100);

    private readonly ConcurrentDictionary<UInt128, Trace> _waiting = new();
    private readonly Dictionary<string, Part> _parts = [];
    private readonly Lock _foldLock = new();
    private long _nextFold;
    private long _begun, _seen;

    /// <summary>Requests that were traced.</summary>
    public long Begun => Interlocked.Read(ref _begun);

    /// <summary>Of them those of which the network has told.</summary>
    public long Seen => Interlocked.Read(ref _seen) + _waiting.Values.Count(trace => trace.HasSpans);

    /// <summary>A request is about to be sent with this trace id.</summary>
    public void Begin(UInt128 trace)
    {
        if (_waiting.Count >= MostWaiting)
            return;
        if (_waiting.TryAdd(trace, new(time.GetTimestamp())))
            _ = Interlocked.Increment(ref _begun);
    }

    /// <summary>A request was answered.</summary>
    /// <param name="traceParent">Its trace context; null if it was not traced.</param>
    /// <param name="inProcess">What making the request and opening the answer took.</param>
    /// <param name="outside">From sending to the last byte of the answer.</param>
    public void Answered(string? traceParent, TimeSpan inProcess, TimeSpan outside)
    {
        if (traceParent is null || !TryReadContext(traceParent, out var id, out var parent) || !_waiting.TryGetValue(id, out var trace))
            return;
        lock (trace)
            (trace.InProcess, trace.Outside, trace.Parent) = (inProcess, outside, parent);
    }

    /// <summary>The network tells of a span. Those of other requests are passed over.</summary>
    public void Receive(in TraceSpan span)
    {
        if (_waiting.TryGetValue(span.Trace, out var trace))
        {
            lock (trace)
            {
                if (trace.Spans.Count < MostSpans)
                    trace.Spans.Add(span);
            }
        }

        var now = time.GetTimestamp();
        var next = Interlocked.Read(ref _nextFold);
        if (now >= next && Interlocked.CompareExchange(ref _nextFold, now + Ticks(FoldPause), next) == next)
            Fold(now - Ticks(FoldAge));
    }

    /// <summary>Waits until all requests are told of as a whole, or the time is over.</summary>
    public async Task WaitAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        var start = time.GetTimestamp();
        while (!_waiting.Values.All(trace => trace.IsWhole) && time.GetElapsedTime(start) < limit && !cancellationToken.IsCancellationRequested)
            await Task.Delay(WaitPause, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Where time was spent, in the order in which a request gets to the parts. Nothing is told of a request of which the network has told nothing.</summary>
    public IReadOnlyList<HopTimes> Results()
    {
        Fold(long.MaxValue);
        lock (_foldLock)
        {
            return [.. _parts.OrderBy(part => part.Value.Depth / part.Value.Times.TotalCount).ThenBy(part => part.Key, StringComparer.Ordinal)
                .Select(part => HopTimes.Of(part.Key, part.Value.Times))];
        }
    }

    /// <summary>Takes up the traces that were begun before a time: of them nothing more is awaited.</summary>
    private void Fold(long before)
    {
        lock (_foldLock)
        {
            foreach (var (id, trace) in _waiting)
            {
                if (trace.Begun >= before || !_waiting.TryRemove(id, out _))
                    continue;
                lock (trace)
                    Fold(trace);
            }
        }
    }

    private void Fold(Trace trace)
    {
        if (trace.Spans.Count == 0)
            return;
        _ = Interlocked.Increment(ref _seen);
        var children = trace.Spans.ToLookup(span => span.Parent);
        foreach (var span in trace.Spans)
            Add(span.Part, span.Length - Covered(children[span.Id]), DepthOf(span, trace.Spans));
        if (trace.Root is not { } root || trace.Parent == 0)
            return;
        // Around the first span of the network.
        Add(LoadProcessPart, Nanoseconds(trace.InProcess), -2);
        Add(ConnectionPart, Nanoseconds(trace.Outside) - root.Length, -1);
    }

    /// <summary>How many spans are around one, as far as they are known.</summary>
    private static int DepthOf(TraceSpan span, List<TraceSpan> spans)
    {
        // What comes from outside may be a circle.
        var depth = 0;
        for (var at = spans.FindIndex(one => one.Id == span.Parent); at >= 0 && depth < MostDepth; depth++)
        {
            var parent = spans[at].Parent;
            at = spans.FindIndex(one => one.Id == parent);
        }

        return depth;
    }

    private void Add(string name, long nanoseconds, int depth)
    {
        if (!_parts.TryGetValue(name, out var part))
        {
            if (_parts.Count >= MostParts)
                return;
            _parts[name] = part = new();
        }

        part.Times.RecordValue(Math.Clamp(nanoseconds / 1000, 1, Recorder.MaxMicroseconds));
        part.Depth += depth;
    }

    /// <summary>How much time the spans cover together; some may have gone on at the same time.</summary>
    private static long Covered(IEnumerable<TraceSpan> spans)
    {
        var (covered, until) = (0L, long.MinValue);
        foreach (var span in spans.OrderBy(span => span.Start))
        {
            if (span.End <= until)
                continue;
            covered += span.End - Math.Max(span.Start, until);
            until = span.End;
        }

        return covered;
    }

    private static bool TryReadContext(string traceParent, out UInt128 trace, out ulong span)
    {
        var (hex, invariant) = (NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        span = 0;
        return UInt128.TryParse(traceParent.AsSpan(3, 32), hex, invariant, out trace) && ulong.TryParse(traceParent.AsSpan(36, 16), hex, invariant, out span);
    }

    private static long Nanoseconds(TimeSpan span) => (long)span.TotalNanoseconds;

    private long Ticks(TimeSpan span) => (long)(span.TotalSeconds * time.TimestampFrequency);

    private sealed class Part
    {
        public LongHistogram Times { get; } = new(1, Recorder.MaxMicroseconds, 3);

        /// <summary>How many spans were around it, all together: only for the order.</summary>
        public double Depth { get; set; }
    }

    private sealed class Trace(long begun)
    {
        public long Begun { get; } = begun;

        public List<TraceSpan> Spans { get; } = [];

        public TimeSpan InProcess { get; set; }

        public TimeSpan Outside { get; set; }

        /// <summary>The span id that the load process gave; 0 while there is no answer.</summary>
        public ulong Parent { get; set; }

        public bool HasSpans
        {
            get
            {
                lock (this)
                    return Spans.Count > 0;
            }
        }

        /// <summary>The gateway's span.</summary>
        public TraceSpan? Root => Spans.Where(span => span.Parent == Parent).Select(span => (TraceSpan?)span).FirstOrDefault();

        /// <summary>True once the gateway, whoever carried the request out, and all between them have told of it.</summary>
        public bool IsWhole
        {
            get
            {
                lock (this)
                {
                    return Parent != 0 && Root is not null && Spans.Any(span => span.EndsPath)
                        && Spans.All(span => span.Parent == Parent || Spans.Any(other => other.Id == span.Parent));
                }
            }
        }
    }
}
