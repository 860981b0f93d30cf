namespace Session.Orleans.Testnet.Scenarios;

/// <summary>The figures that assertions are about.</summary>
internal sealed class ScenarioFigures(
    IEnumerable<TrafficSample> samples, IReadOnlyDictionary<string, (TimeSpan Begin, TimeSpan End)> windows, TrafficLedger ledger)
{
    private readonly TrafficSample[] _samples = [.. samples];

    public AssertionReport Check(ScenarioAssertion assertion)
    {
        var metric = ScenarioMetrics.Find(assertion.Metric)!;
        var figure = Figure(metric.Name, [.. _samples.Where(sample => IsMeant(assertion, sample))]);
        return new(
            assertion.Describe(), ScenarioMetrics.FormatWanted(assertion),
            double.IsNaN(figure) ? null : ScenarioMetrics.Format(metric.Unit, figure), assertion.Holds(figure));
    }

    public TrafficReport Report(int accounts, int acknowledged, int polled, IReadOnlyDictionary<string, int> failedAttempts)
    {
        return new(
            accounts, _samples.Count(sample => sample.IsStore), acknowledged, polled, _samples.Count(sample => !sample.IsStore), (int)Figure("failed", _samples),
            ledger.Lost, ledger.Duplicated, ledger.Corrupted, (int)Figure("bad_confirmations", _samples),
            OrNull(Figure("success_rate", _samples)), OrNull(Figure("p50", _samples)), OrNull(Figure("p99", _samples)), failedAttempts);

        static double? OrNull(double figure) => double.IsNaN(figure) ? null : Math.Round(figure, 4);
    }

    private bool IsMeant(ScenarioAssertion assertion, TrafficSample sample) =>
        assertion.During is { } during ? sample.Begin >= windows[during].Begin && sample.Begin < windows[during].End
        : assertion.After is not { } after || sample.Begin >= windows[after].End;

    private double Figure(string metric, TrafficSample[] of) => metric switch
    {
        "lost" => ledger.Lost,
        "duplicated" => ledger.Duplicated,
        "corrupted" => ledger.Corrupted,
        "stored" => of.Count(sample => sample is { IsStore: true, Succeeded: true }),
        "failed" => of.Count(sample => !sample.Succeeded),
        "bad_confirmations" => of.Sum(sample => sample.BadConfirmations),
        "success_rate" => of.Length == 0 ? double.NaN : (double)of.Count(sample => sample.Succeeded) / of.Length,
        "p50" => Percentile(of, 0.5),
        "p95" => Percentile(of, 0.95),
        "p99" => Percentile(of, 0.99),
        _ => Percentile(of, 1),
    };

    // Of those that succeeded: how long a failure takes is the timeout's business.
    private static double Percentile(TrafficSample[] of, double share)
    {
        double[] times = [.. of.Where(sample => sample.Succeeded).Select(sample => sample.Took.TotalMilliseconds).Order()];
        return times.Length == 0 ? double.NaN : times[Math.Clamp((int)Math.Ceiling(share * times.Length) - 1, 0, times.Length - 1)];
    }
}
