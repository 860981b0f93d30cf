using System.Collections.Immutable;
using Session.Orleans.ConsolePage.Watch;

namespace Session.Orleans.ConsolePage.Model;

/// <summary>Joins the spans of all silos to requests, and forgets the oldest.</summary>
internal sealed class TraceBook
{
    /// <summary>Requests that are kept.</summary>
    public const int Capacity = 200;

    private readonly Dictionary<string, List<SpanReading>> _spans = [];
    private readonly Queue<string> _order = new();
    private readonly Dictionary<string, RequestTrace> _traces = [];

    // Requests whose gaps the next reading may fill: steps of other processes may be told later than the first one.
    private HashSet<string> _waiting = [];

    /// <summary>Requests whose first step has ended, newest first.</summary>
    public ImmutableArray<RequestTrace> Requests { get; private set; } = [];

    /// <summary>Adds what silos have told since the last time.</summary>
    public void Add(IEnumerable<SpanReading> spans)
    {
        var waited = _waiting;
        var changed = new HashSet<string>(waited);
        foreach (var span in spans)
        {
            if (!_spans.TryGetValue(span.TraceId, out var known))
            {
                _spans.Add(span.TraceId, known = []);
                _order.Enqueue(span.TraceId);
            }

            // A silo whose watch began anew while another page looked on tells some of them twice.
            if (known.Exists(other => other.SpanId == span.SpanId))
                continue;
            known.Add(span);
            changed.Add(span.TraceId);
        }

        if (changed.Count == 0)
            return;
        _waiting = [];
        foreach (var id in changed)
        {
            if (RequestTrace.Of(_spans[id]) is not { } trace)
                continue;
            var isLate = waited.Contains(id) || _traces.GetValueOrDefault(id) is { IsIncomplete: true };
            if (trace.HasGaps && !isLate)
                _waiting.Add(id);
            _traces[id] = trace with { IsIncomplete = trace.HasGaps && isLate };
        }

        while (_order.Count > Capacity)
        {
            var oldest = _order.Dequeue();
            _spans.Remove(oldest);
            _traces.Remove(oldest);
            _waiting.Remove(oldest);
        }

        Requests = [.. _traces.Values.OrderByDescending(trace => trace.At)];
    }
}
