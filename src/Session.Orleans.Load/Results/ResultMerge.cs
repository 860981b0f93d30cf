using HdrHistogram;
using Session.Orleans.Load.Ledger;

namespace Session.Orleans.Load.Results;

/// <summary>Joins the results of the shards of one run.</summary>
internal static class ResultMerge
{
    private const int MostFailures = 50;

    /// <summary>The whole run. Counts are added; percentiles are computed anew, because those of parts can't be added.</summary>
    /// <param name="parts">At least one.</param>
    /// <exception cref="LoadException">They are not the parts of one run.</exception>
    public static LoadResult Merge(IReadOnlyList<LoadResult> parts)
    {
        var first = parts[0];
        foreach (var part in parts)
        {
            if (part.Name != first.Name || part.Plan with { Shard = "", Stages = [] } != first.Plan with { Shard = "", Stages = [] }
                || !part.Plan.Stages.SequenceEqual(first.Plan.Stages) || part.StepSeconds != first.StepSeconds)
                throw new LoadException(LoadFailure.Usage, $"'{part.Name}' (shard {part.Plan.Shard}) and '{first.Name}' (shard {first.Plan.Shard}) are not parts of one run: their plans differ.");
        }

        var shards = parts.Select(part => part.Plan.Shard).ToArray();
        if (shards.Distinct().Count() != shards.Length)
            throw new LoadException(LoadFailure.Usage, $"A shard is there twice: {string.Join(", ", shards.GroupBy(shard => shard).Where(group => group.Count() > 1).Select(group => group.Key))}.");
        if (shards.Select(shard => shard.Split('/')[^1]).Distinct().Count() > 1)
            throw new LoadException(LoadFailure.Usage, $"The shards {string.Join(", ", shards)} are of runs with different numbers of shards.");
        var measured = parts.Max(part => part.Circumstances.MeasuredSeconds);
        return first with
        {
            Started = parts.Min(part => part.Started),
            Interrupted = parts.Select(part => part.Interrupted).FirstOrDefault(reason => reason is not null),
            Plan = first.Plan with { Shard = string.Join(" ", shards.Order(StringComparer.Ordinal)) },
            Circumstances = first.Circumstances with
            {
                Processes = parts.Sum(part => part.Circumstances.Processes),
                MeasuredSeconds = measured,
                CpuSeconds = parts.Sum(part => part.Circumstances.CpuSeconds),
                Requests = parts.Sum(part => part.Circumstances.Requests),
                PeakMegabytes = parts.Max(part => part.Circumstances.PeakMegabytes),
                MaxLagMilliseconds = parts.Max(part => part.Circumstances.MaxLagMilliseconds),
            },
            Ledger = parts.Aggregate(LedgerTotals.Empty, (sum, part) => sum + part.Ledger),
            Operations = [.. parts.SelectMany(part => part.Operations).GroupBy(operation => operation.Name).Select(group =>
                OperationResult.Of(group.Key, Add(group.Select(operation => operation.Histogram)), AddUp(group.Select(operation => operation.Errors)), TimeSpan.FromSeconds(measured)))],
            FailedAttempts = AddUp(parts.Select(part => part.FailedAttempts)),
            Series = [.. parts.SelectMany(part => part.Series).GroupBy(point => point.Second).OrderBy(group => group.Key).Select(MergePoints)],
            Failures = [.. parts.SelectMany(part => part.Failures).OrderBy(failure => failure.At).Take(MostFailures)],
            Traced = parts.Any(part => part.Traced is not null) ? new(parts.Sum(part => part.Traced?.Sent ?? 0), parts.Sum(part => part.Traced?.Seen ?? 0)) : null,
            // Parts of the first shard first, which keeps their order.
            Hops = [.. parts.SelectMany(part => part.Hops).GroupBy(hop => hop.Part).Select(group => HopTimes.Of(group.Key, Add(group.Select(hop => hop.Histogram))))],
            Thresholds = [],
        };
    }

    private static SeriesPoint MergePoints(IGrouping<double, SeriesPoint> points)
    {
        var times = Add(points.Select(point => point.Histogram));
        var errors = AddUp(points.Select(point => point.Errors ?? new Dictionary<string, long>()));
        return new(
            points.Key, points.Sum(point => point.Sends), points.Sum(point => point.Polls), points.Sum(point => point.Deliveries), points.Sum(point => point.Failed),
            At(50), At(90), At(99), At(100), errors.Count == 0 ? null : errors, points.Select(point => point.Slowest).OfType<Exemplar>().MaxBy(slowest => slowest.Milliseconds),
            times.TotalCount == 0 ? null : Histograms.Encode(times));

        double? At(double percentile) => times.TotalCount == 0 ? null : Math.Round(times.GetValueAtPercentile(percentile) / 1000.0, 3);
    }

    private static LongHistogram Add(IEnumerable<string?> histograms)
    {
        var sum = Histograms.Decode(null);
        foreach (var histogram in histograms.OfType<string>())
            Histograms.AddTo(sum, histogram);
        return sum;
    }

    private static SortedDictionary<string, long> AddUp(IEnumerable<IReadOnlyDictionary<string, long>> counts)
    {
        var sum = new SortedDictionary<string, long>();
        foreach (var (name, count) in counts.SelectMany(count => count))
            sum[name] = sum.GetValueOrDefault(name) + count;
        return sum;
    }
}
