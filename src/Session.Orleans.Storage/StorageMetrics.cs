using System.Diagnostics;
using System.Diagnostics.Metrics;
using StackExchange.Redis;

namespace Session.Orleans.Storage;

/// <summary>Metrics of the store: what its operations take, and what all of it holds. No tag ever holds an account or a message hash.</summary>
public sealed class StorageMetrics
{
    /// <summary>Name of the meter, which is the assembly's.</summary>
    public const string MeterName = "Session.Orleans.Storage";

    /// <summary>Tag: the operation, by the name of its span, for example <see cref="StorageTelemetry.Append"/>.</summary>
    public const string OperationTag = "session.operation";

    // An operation of the embedded store takes some 50 µs, and a client waits 5 s.
    private static readonly double[] Boundaries = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

    private readonly Histogram<double> _durations;
    private readonly KindCounter _failures;

    /// <summary>Makes the instruments.</summary>
    /// <param name="meters">Where the meter comes from.</param>
    /// <param name="connection">Asked about its state when metrics are collected; null leaves that out.</param>
    /// <param name="census">Asked about its latest result when metrics are collected; null leaves that out.</param>
    public StorageMetrics(IMeterFactory meters, IConnectionMultiplexer? connection = null, StoreCensus? census = null)
    {
        ArgumentNullException.ThrowIfNull(meters);
        var meter = meters.Create(MeterName);
        _durations = meter.CreateHistogram("db.client.operation.duration", "s", "Operations of the store, from the call to its confirmation or failure",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = Boundaries });
        _failures = new(meter, "session.store.failures", "{operation}", "Operations that the store did not confirm",
            StorageTelemetry.ErrorTag, "timeout", "connection", "server", "cancelled", "other");
        if (connection is not null)
        {
            _ = meter.CreateObservableGauge("session.store.connected", () => connection.IsConnected ? 1 : 0, "{connection}", "1 while the process is connected with the store");
            _ = meter.CreateObservableGauge("session.store.outstanding", () => connection.GetCounters().TotalOutstanding, "{operation}", "Commands sent or waiting to be sent, without an answer yet");
        }

        if (census is null)
            return;
        _ = Observe("session.mailbox.mailboxes", "{mailbox}", "Accounts with messages", count => count.Held.Mailboxes);
        _ = Observe("session.mailbox.live", "{message}", "Messages that have not expired", count => count.Held.Messages);
        _ = Observe("session.files.live", "{file}", "Files of the file server that have not expired", count => count.Files);
        _ = Observe("session.files.size", "By", "Bytes of those files", count => count.FileBytes);
        _ = Observe("session.community.rooms", "{room}", "Rooms of the community server", count => count.Rooms);
        _ = Observe("session.names.registered", "{name}", "Names that were ever bought", count => count.Names);
        _ = Observe("session.store.keys", "{key}", "Keys in the store", count => count.Keys);

        ObservableGauge<long> Observe(string name, string unit, string description, Func<StoreCount, long> value) => meter.CreateObservableGauge(
            name, () => census.Latest is { } latest ? [new Measurement<long>(value(latest))] : Array.Empty<Measurement<long>>(), unit, description);
    }

    internal bool IsTimed => _durations.Enabled;

    internal void Ended(string operation, string command, long startedAt) => _durations.Record(
        Stopwatch.GetElapsedTime(startedAt).TotalSeconds, new(OperationTag, operation), new(StorageTelemetry.OperationTag, command),
        new(StorageTelemetry.SystemTag, StorageTelemetry.Redis));

    internal void Failed(string kind) => _failures.Add(kind);
}

/// <summary>One operation of the store on its way: its span and its time.</summary>
internal readonly struct StoreCall : IDisposable
{
    private readonly StorageMetrics? _metrics;
    private readonly Activity? _activity;
    private readonly string _operation;
    private readonly string _command;
    private readonly long _startedAt;

    private StoreCall(StorageMetrics? metrics, string operation, string command, int batchSize)
    {
        (_metrics, _operation, _command) = (metrics is { IsTimed: true } ? metrics : null, operation, command);
        _startedAt = _metrics is null ? 0 : Stopwatch.GetTimestamp();
        // Part of a request that is traced, or nothing: what the store does for nobody in particular would be a trace of its own each time.
        if (Activity.Current is not { IsAllDataRequested: true })
            return;
        _activity = StorageTelemetry.Source.StartActivity(operation, ActivityKind.Client);
        if (_activity is not { IsAllDataRequested: true })
            return;
        _activity.SetTag(StorageTelemetry.SystemTag, StorageTelemetry.Redis).SetTag(StorageTelemetry.OperationTag, command);
        if (batchSize > 1)
            _activity.SetTag(StorageTelemetry.BatchSizeTag, batchSize);
    }

    public static StoreCall Start(StorageMetrics? metrics, string operation, string command, int batchSize = 0) =>
        new(metrics, operation, command, batchSize);

    /// <summary>Marks the operation as failed.</summary>
    /// <param name="kind">See <see cref="StorageTelemetry.ErrorTag"/>.</param>
    public void Fail(string kind)
    {
        _activity?.SetStatus(ActivityStatusCode.Error).SetTag(StorageTelemetry.ErrorTag, kind);
        _metrics?.Failed(kind);
    }

    public void Dispose()
    {
        _metrics?.Ended(_operation, _command, _startedAt); // before the span ends, so that the figure can point to it
        _activity?.Dispose();
    }
}
