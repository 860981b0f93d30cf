using System.Text.Json;
using System.Text.Json.Serialization;
using HdrHistogram;
using Session.Orleans.Load.Ledger;

namespace Session.Orleans.Load.Results;

/// <summary>A run, or a shard of one, as it is written to a file. Times are in milliseconds unless their name says otherwise.</summary>
internal sealed record LoadResult
{
    /// <summary>Version of the format.</summary>
    public const int CurrentFormat = 1;

    /// <summary>Version of the format that it has.</summary>
    public int Format { get; init; } = CurrentFormat;

    /// <summary>Name of the plan.</summary>
    public required string Name { get; init; }

    /// <summary>When the first user began, UTC.</summary>
    public required DateTimeOffset Started { get; init; }

    /// <summary>Why it ended early; null if it did not.</summary>
    public string? Interrupted { get; init; }

    /// <summary>What was asked for, in words.</summary>
    public required PlanSummary Plan { get; init; }

    /// <summary>What one needs to know to compare it with another run.</summary>
    public required RunCircumstances Circumstances { get; init; }

    /// <summary>What became of the messages.</summary>
    public required LedgerTotals Ledger { get; init; }

    /// <summary>One per kind of operation that there was.</summary>
    public required IReadOnlyList<OperationResult> Operations { get; init; }

    /// <summary>Failed requests by class, whether or not another attempt succeeded.</summary>
    public required IReadOnlyDictionary<string, long> FailedAttempts { get; init; }

    /// <summary>Length of a step of <see cref="Series"/>, in seconds.</summary>
    public required double StepSeconds { get; init; }

    /// <summary>The run step by step.</summary>
    public required IReadOnlyList<SeriesPoint> Series { get; init; }

    /// <summary>The first operations that failed.</summary>
    public IReadOnlyList<FailedRequest> Failures { get; init; } = [];

    /// <summary>How many requests were traced; null if the network's spans were not asked for.</summary>
    public TracedRequests? Traced { get; init; }

    /// <summary>Where traced requests spent their time, in the order in which a request gets there; empty if the network told of none.</summary>
    public IReadOnlyList<HopTimes> Hops { get; init; } = [];

    /// <summary>What had to hold.</summary>
    public IReadOnlyList<ThresholdResult> Thresholds { get; init; } = [];

    /// <summary>True unless a threshold was crossed.</summary>
    public bool Passed => Thresholds.All(threshold => !threshold.Failed);

    /// <summary>The figure that a threshold is about; NaN if nothing was measured.</summary>
    public double Figure(string metric)
    {
        if (metric.Split('.') is [var operation, var inner])
        {
            var one = Operations.FirstOrDefault(result => result.Name == operation);
            return one is null ? inner is "errors" ? 0 : double.NaN : one.Figure(inner, Circumstances.MeasuredSeconds);
        }

        return metric switch
        {
            "lost" => Ledger.Lost,
            "duplicated" => Ledger.Duplicated,
            "late" => Ledger.Late,
            "corrupted" => Ledger.Corrupted,
            "refused" => Ledger.Refused,
            "unconfirmed" => Ledger.Unconfirmed,
            "delivered" => Ledger.Delivered,
            _ => All().Figure(metric, Circumstances.MeasuredSeconds),
        };
    }

    /// <summary>Messages, their copies, posts, and polls of mailboxes and rooms together.</summary>
    public OperationResult All()
    {
        var times = new LongHistogram(1, Recorder.MaxMicroseconds, 3);
        var errors = new SortedDictionary<string, long>();
        foreach (var operation in Operations.Where(operation => operation.Name is "send" or "sync" or "poll" or "post" or "rooms"))
        {
            Histograms.AddTo(times, operation.Histogram);
            foreach (var (error, count) in operation.Errors)
                errors[error] = errors.GetValueOrDefault(error) + count;
        }

        return OperationResult.Of("all", times, errors, TimeSpan.FromSeconds(Circumstances.MeasuredSeconds));
    }

    /// <summary>The same with these thresholds checked.</summary>
    public LoadResult Check(IEnumerable<Threshold> thresholds) => this with
    {
        Thresholds = [.. thresholds.Select(threshold =>
        {
            var figure = Figure(threshold.Metric);
            return new ThresholdResult(threshold.Text, threshold.Format(figure), threshold.IsMet(figure));
        })],
    };

    /// <summary>Reads a file that <see cref="Save"/> wrote.</summary>
    /// <exception cref="LoadException">It is none.</exception>
    public static LoadResult Read(string file)
    {
        try
        {
            using var stream = File.OpenRead(file);
            var result = JsonSerializer.Deserialize(stream, ResultJsonContext.Default.LoadResult);
            if (result is not { Format: CurrentFormat })
                throw new LoadException(LoadFailure.Usage, $"{file} is a result of another version.");
            foreach (var histogram in result.Operations.Select(operation => operation.Histogram).Concat(result.Hops.Select(hop => hop.Histogram)))
                _ = Histograms.Decode(histogram);
            return result;
        }
        catch (JsonException exception)
        {
            // Its message is about our types. Where it goes wrong is what helps; a file that merely lacks something has no such place.
            var line = exception.LineNumber is > 0 and var number ? string.Create(System.Globalization.CultureInfo.InvariantCulture, $", or it is damaged in line {number + 1}") : "";
            throw new LoadException(LoadFailure.Usage, $"{file} is no result of a load run{line}.");
        }
        catch (FormatException)
        {
            throw new LoadException(LoadFailure.Usage, $"{file} is no result of a load run: its times can't be read.");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new LoadException(LoadFailure.Usage, exception.Message);
        }
    }

    /// <summary>As JSON.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, ResultJsonContext.Default.LoadResult);

    /// <summary>Writes a file.</summary>
    /// <exception cref="LoadException">It can't be written.</exception>
    public void Save(string file)
    {
        try
        {
            File.WriteAllText(file, ToJson());
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new LoadException(LoadFailure.Failed, $"The result can't be written: {exception.Message}");
        }
    }
}

/// <summary>A plan in words.</summary>
/// <param name="Mode">open (messages arrive at a rate), closed (users wait for answers) or prebuilt.</param>
/// <param name="Users">Most active users, of all shards.</param>
/// <param name="Seed">Of all random draws.</param>
/// <param name="Shard">Which part this is, as i/n; all parts after a merge.</param>
/// <param name="Stages">What was to happen, in words.</param>
/// <param name="WarmUpSeconds">What was left out at the beginning.</param>
internal sealed record PlanSummary(string Mode, int Users, int Seed, string Shard, IReadOnlyList<string> Stages, double WarmUpSeconds);

/// <summary>Machine, versions and the process's own expense.</summary>
/// <param name="Target">Seed of the network.</param>
/// <param name="Nodes">Service nodes that it named.</param>
/// <param name="Version">Version of this program.</param>
/// <param name="Cpu">Model of the processor that the users ran on.</param>
/// <param name="Cores">Its logical processors.</param>
/// <param name="Os">Operating system.</param>
/// <param name="Runtime">.NET runtime.</param>
/// <param name="Processes">Load processes: 1, or the shards that were merged.</param>
/// <param name="MeasuredSeconds">Length without the warm-up.</param>
/// <param name="CpuSeconds">Processor time that the load processes took, the warm-up included.</param>
/// <param name="Requests">Onion requests that they sent, the warm-up included.</param>
/// <param name="PeakMegabytes">Most memory of one process, in MB.</param>
/// <param name="MaxLagMilliseconds">Most that the process was behind its own schedule. It is part of the times above.</param>
internal sealed record RunCircumstances(
    string Target, int Nodes, string Version, string Cpu, int Cores, string Os, string Runtime, int Processes, double MeasuredSeconds, double CpuSeconds,
    long Requests, double PeakMegabytes, double MaxLagMilliseconds);

/// <summary>One kind of operation.</summary>
/// <param name="Name">send, sync, poll, post, rooms, join, resolve, swarm, upload, download or delivery.</param>
/// <param name="Count">How many ended well.</param>
/// <param name="PerSecond">How many that is a second.</param>
/// <param name="Failed">How many did not.</param>
/// <param name="Errors">Those by class.</param>
/// <param name="P50">Median.</param>
/// <param name="P90">90th percentile.</param>
/// <param name="P95">95th percentile.</param>
/// <param name="P99">99th percentile.</param>
/// <param name="P999">99.9th percentile.</param>
/// <param name="Max">Longest.</param>
/// <param name="Mean">Average.</param>
/// <param name="Histogram">All times (<see cref="Histograms"/>), so that results can be merged.</param>
internal sealed record OperationResult(
    string Name, long Count, double PerSecond, long Failed, IReadOnlyDictionary<string, long> Errors, double? P50, double? P90, double? P95, double? P99, double? P999,
    double? Max, double? Mean, string Histogram)
{
    /// <summary>Sums up what was recorded.</summary>
    public static OperationResult Of(Operation operation, LongHistogram times, IReadOnlyDictionary<string, long> errors, TimeSpan measured) =>
        Of(NameOf(operation), times, errors, measured);

    /// <summary>Sums up what was recorded.</summary>
    public static OperationResult Of(string name, LongHistogram times, IReadOnlyDictionary<string, long> errors, TimeSpan measured)
    {
        return new(
            name, times.TotalCount, Math.Round(times.TotalCount / Math.Max(1e-9, measured.TotalSeconds), 3), errors.Values.Sum(), errors,
            At(50), At(90), At(95), At(99), At(99.9), At(100), times.TotalCount == 0 ? null : Math.Round(times.GetMean() / 1000, 3), Histograms.Encode(times));

        double? At(double percentile) => times.TotalCount == 0 ? null : Math.Round(times.GetValueAtPercentile(percentile) / 1000.0, 3);
    }

    /// <summary>Name of an operation in results and metrics.</summary>
    public static string NameOf(Operation operation) => operation switch
    {
        Operation.Send => "send",
        Operation.Sync => "sync",
        Operation.Poll => "poll",
        Operation.Post => "post",
        Operation.Rooms => "rooms",
        Operation.Join => "join",
        Operation.Resolve => "resolve",
        Operation.Swarm => "swarm",
        Operation.Upload => "upload",
        Operation.Download => "download",
        _ => "delivery",
    };

    /// <summary>A figure by its name in thresholds; NaN if nothing was measured.</summary>
    public double Figure(string name, double seconds) => name switch
    {
        "p50" => P50 ?? double.NaN,
        "p90" => P90 ?? double.NaN,
        "p95" => P95 ?? double.NaN,
        "p99" => P99 ?? double.NaN,
        "p999" => P999 ?? double.NaN,
        "max" => Max ?? double.NaN,
        "rate" => Count / Math.Max(1e-9, seconds),
        _ => Count + Failed == 0 ? double.NaN : (double)Failed / (Count + Failed),
    };
}

/// <summary>A step of the run. Times are of messages and polls that were due in it.</summary>
/// <param name="Second">When it began, from the beginning of the run.</param>
/// <param name="Sends">Messages, copies and posts confirmed.</param>
/// <param name="Polls">Rounds of polling answered, of mailboxes and rooms.</param>
/// <param name="Deliveries">Messages and posts found.</param>
/// <param name="Failed">Operations failed.</param>
/// <param name="P50">Median; null if there was nothing.</param>
/// <param name="P90">90th percentile.</param>
/// <param name="P99">99th percentile.</param>
/// <param name="Max">Longest.</param>
/// <param name="Errors">Failed operations by class.</param>
/// <param name="Slowest">The slowest traced operation.</param>
/// <param name="Histogram">All times, so that results can be merged.</param>
internal sealed record SeriesPoint(
    double Second, long Sends, long Polls, long Deliveries, long Failed, double? P50, double? P90, double? P99, double? Max,
    IReadOnlyDictionary<string, long>? Errors, Exemplar? Slowest, string? Histogram);

/// <summary>An operation that can be looked up where traces are kept.</summary>
/// <param name="Operation">What it was.</param>
/// <param name="Second">When it was due.</param>
/// <param name="Milliseconds">How long it took.</param>
/// <param name="Trace">Its trace id, 32 hex digits.</param>
internal sealed record Exemplar(Operation Operation, double Second, double Milliseconds, string Trace);

/// <summary>An operation that failed.</summary>
/// <param name="Operation">What it was.</param>
/// <param name="At">When it was due, from the beginning of the run.</param>
/// <param name="Error">Class of the failure.</param>
/// <param name="Trace">Trace id of its last request, if that was traced.</param>
internal sealed record FailedRequest(Operation Operation, TimeSpan At, string Error, string? Trace);

/// <summary>Requests with a trace context.</summary>
/// <param name="Sent">All of them, without the warm-up.</param>
/// <param name="Seen">Those of which the network told.</param>
internal sealed record TracedRequests(long Sent, long Seen);

/// <summary>A part of traced requests. Times are its own, without the parts inside it.</summary>
/// <param name="Part">The load process, the connection, the gateway's request, a hop, the destination, or what happens behind it.</param>
/// <param name="Count">How often it was seen.</param>
/// <param name="Mean">Average.</param>
/// <param name="P50">Median.</param>
/// <param name="P99">99th percentile.</param>
/// <param name="Max">Longest.</param>
/// <param name="Histogram">All times (<see cref="Histograms"/>), so that results can be merged.</param>
internal sealed record HopTimes(string Part, long Count, double Mean, double P50, double P99, double Max, string Histogram)
{
    /// <summary>Time of all requests in this part together, in ms.</summary>
    public double Total => Count * Mean;

    /// <summary>Sums up what was recorded.</summary>
    public static HopTimes Of(string part, LongHistogram times)
    {
        return new(part, times.TotalCount, Math.Round(times.GetMean() / 1000, 3), At(50), At(99), At(100), Histograms.Encode(times));

        double At(double percentile) => Math.Round(times.GetValueAtPercentile(percentile) / 1000.0, 3);
    }
}

/// <summary>A threshold and its figure.</summary>
/// <param name="Condition">As it was written: if it holds, the run has failed.</param>
/// <param name="Figure">What was measured.</param>
/// <param name="Failed">Whether it holds.</param>
internal sealed record ThresholdResult(string Condition, string Figure, bool Failed);

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(LoadResult))]
internal sealed partial class ResultJsonContext : JsonSerializerContext;
