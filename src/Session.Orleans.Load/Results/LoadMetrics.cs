using System.Diagnostics.Metrics;

namespace Session.Orleans.Load.Results;

/// <summary>The metrics of a load process while it runs.</summary>
internal sealed class LoadMetrics : IDisposable
{
    /// <summary>Name of the meter.</summary>
    public const string MeterName = "Session.Orleans.Load";

    /// <summary>Buckets of durations, seconds.</summary>
    public static readonly double[] Boundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

    private readonly Meter _meter = new(MeterName);
    private readonly Histogram<double> _durations;

    /// <summary>Makes the instruments.</summary>
    public LoadMetrics()
    {
        _durations = _meter.CreateHistogram("session.load.operation.duration", "s", "Messages, posts, polls, names and files, from when they were due, with all attempts",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = Boundaries });
        _ = _meter.CreateObservableGauge("session.load.users", () => Status?.Online ?? 0, "{user}", "Users that poll");
        _ = _meter.CreateObservableGauge("session.load.operations.active", () => Status?.InFlight ?? 0, "{operation}", "Operations under way");
        _ = _meter.CreateObservableCounter("session.load.messages", Messages, "{message}", "Deliveries by what became of them; outstanding ones are not known yet");
    }

    /// <summary>How the run stands.</summary>
    public RunStatus? Status { get; set; }

    /// <summary>An operation has ended.</summary>
    public void Observe(Operation operation, TimeSpan took, string? error) =>
        _durations.Record(took.TotalSeconds, new("operation", OperationResult.NameOf(operation)), new("error.type", error ?? ""));

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();

    private IEnumerable<Measurement<long>> Messages()
    {
        if (Status?.Ledger is not { } ledger)
            yield break;
        yield return Of(ledger.Expected, "expected");
        yield return Of(ledger.Delivered, "delivered");
        yield return Of(ledger.Duplicated, "duplicated");
        yield return Of(ledger.Late, "late");
        yield return Of(ledger.Corrupted, "corrupted");
        yield return Of(ledger.Refused, "refused");
        yield return Of(ledger.Unconfirmed, "unconfirmed");

        static Measurement<long> Of(long value, string outcome) => new(value, new KeyValuePair<string, object?>("outcome", outcome));
    }
}
