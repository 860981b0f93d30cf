namespace Session.Orleans.ConsolePage.Watch;

/// <summary>
/// Classes of durations, four to every doubling: from 50 µs, below which nothing crosses a network, to 64 s, above which nobody waits. Each is 19 %
/// wide, which is what a figure on a page needs.
/// </summary>
internal static class LatencyBuckets
{
    private const double First = 50e-6, PerDoubling = 4;

    /// <summary>Number of classes.</summary>
    public const int Count = 83;

    /// <summary>The class of a duration in seconds.</summary>
    public static int IndexOf(double seconds) =>
        seconds > First ? (int)Math.Min(Math.Log2(seconds / First) * PerDoubling + 1, Count - 1) : 0;

    /// <summary>The duration below which <paramref name="share"/> of the counted ones are, to the nearest class; null if none are counted.</summary>
    /// <param name="counts">Durations by class.</param>
    /// <param name="share">Above 0 and up to 1.</param>
    public static TimeSpan? Percentile(ReadOnlySpan<long> counts, double share)
    {
        var total = 0L;
        foreach (var count in counts)
            total += count;
        var wanted = (long)Math.Ceiling(total * share);
        for (var i = 0; i < counts.Length; i++)
        {
            wanted -= counts[i];
            if (wanted <= 0 && total > 0)
                return TimeSpan.FromSeconds(First * Math.Pow(2, (i - 0.5) / PerDoubling)); // the middle of the class
        }

        return null;
    }
}
