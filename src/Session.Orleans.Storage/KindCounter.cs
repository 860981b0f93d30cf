using System.Diagnostics.Metrics;

namespace Session.Orleans.Storage;

/// <summary>
/// Counts what seldom happens, by kind. Every kind is told from the beginning, as zero: an alert or a panel can tell "never" from "not there".
/// </summary>
public sealed class KindCounter
{
    private readonly string[] _kinds;
    private readonly long[] _counts;

    /// <summary>Makes the instrument.</summary>
    /// <param name="meter">Its meter.</param>
    /// <param name="name">Its name.</param>
    /// <param name="unit">What is counted, in UCUM's braces.</param>
    /// <param name="description">A sentence for people.</param>
    /// <param name="tag">Name of the tag.</param>
    /// <param name="kinds">All values of the tag; the last one stands for any other.</param>
    public KindCounter(Meter meter, string name, string unit, string description, string tag, params string[] kinds)
    {
        ArgumentNullException.ThrowIfNull(meter);
        ArgumentNullException.ThrowIfNull(kinds);
        ArgumentOutOfRangeException.ThrowIfZero(kinds.Length);
        (_kinds, _counts) = (kinds, new long[kinds.Length]);
        _ = meter.CreateObservableCounter(
            name, () => _kinds.Select((kind, i) => new Measurement<long>(Volatile.Read(ref _counts[i]), new KeyValuePair<string, object?>(tag, kind))), unit, description);
    }

    /// <summary>Adds to a kind.</summary>
    public void Add(string kind, long count = 1)
    {
        var place = Array.IndexOf(_kinds, kind);
        Interlocked.Add(ref _counts[place < 0 ? ^1 : place], count);
    }
}
