using System.Collections.Frozen;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using Session.Orleans.Gateway.Hosting;
using Session.Orleans.Storage;

namespace Session.Orleans.Gateway;

/// <summary>Metrics of the gateway's doors. Tags come from closed sets: doors, routes, status codes, reasons.</summary>
internal sealed class GatewayMetrics
{
    /// <summary>Name of the meter, which is the assembly's.</summary>
    public const string MeterName = GatewayTelemetry.SourceName;

    // A poll takes less than a millisecond; a node waits 30 s for the next one.
    private static readonly double[] Boundaries = [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

    // Exit nodes pass the codes of other servers on: those that nobody here gives are told by their hundred.
    private static readonly FrozenDictionary<int, string> StatusNames =
        ((int[])[200, 201, 204, 206, 304, 400, 401, 403, 404, 405, 406, 408, 410, 413, 415, 421, 429, 500, 502, 503, 504])
            .ToFrozenDictionary(status => status, status => status.ToString(CultureInfo.InvariantCulture));

    private readonly Histogram<double> _requests;
    private readonly KindCounter _refused;
    private readonly KindCounter _bytes;
    private long _transfers;
    private long _connections;

    public GatewayMetrics(IMeterFactory meters, RequestGate gate)
    {
        var meter = meters.Create(MeterName);
        _requests = meter.CreateHistogram(GatewayTelemetry.RequestDuration, "s", "Requests of clients, from their first byte to the last byte of the answer",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = Boundaries });
        _refused = new(meter, GatewayTelemetry.Refused, "{request}", "Requests that were turned away at the door",
            "session.reason", Refusal.Busy, Refusal.RateLimited, Refusal.NotReady, Refusal.TooLarge, Refusal.Fault);
        _bytes = new(meter, "session.files.transferred", "By", "Bytes of files on their way from and to clients", "session.direction", "up", "down");
        _ = meter.CreateObservableUpDownCounter("session.files.transfers", () => Volatile.Read(ref _transfers), "{transfer}", "Requests to the file server in progress");
        _ = meter.CreateObservableUpDownCounter("session.omq.connections", () => Volatile.Read(ref _connections), "{connection}", "OxenMQ connections");
        _ = meter.CreateObservableUpDownCounter("session.gateway.requests.active", () => gate.InProgress, "{request}", "Requests in progress");
        _ = meter.CreateObservableGauge("session.gateway.requests.limit", () => gate.Limit, "{request}", "Requests that may be in progress at once");
    }

    /// <summary>Now, for a duration that is told later; zero while nobody wants to know.</summary>
    public long Now => _requests.Enabled ? Stopwatch.GetTimestamp() : 0;

    /// <summary>A request was answered, or its client left.</summary>
    /// <param name="door">One of <see cref="Door"/>.</param>
    /// <param name="route">A route's pattern, never a path.</param>
    /// <param name="status">Status of the answer; 0 if there was none.</param>
    /// <param name="startedAt">See <see cref="Now"/>.</param>
    public void Request(string door, string route, int status, long startedAt)
    {
        if (startedAt != 0)
            _requests.Record(Stopwatch.GetElapsedTime(startedAt).TotalSeconds, new(GatewayTelemetry.Door, door), new(GatewayTelemetry.Route, route), new(GatewayTelemetry.HttpStatus, NameOf(status)));
    }

    /// <summary>A request was turned away: one of <see cref="Refusal"/>.</summary>
    public void Refused(string reason) => _refused.Add(reason);

    /// <summary>Bytes of a file have come from a client.</summary>
    public void Uploaded(long bytes) => _bytes.Add("up", bytes);

    /// <summary>Bytes of a file have gone to a client.</summary>
    public void Downloaded(long bytes) => _bytes.Add("down", bytes);

    /// <summary>A request to the file server has begun (1) or ended (-1).</summary>
    public void Transfer(int change) => Interlocked.Add(ref _transfers, change);

    /// <summary>An OxenMQ connection has begun (1) or ended (-1).</summary>
    public void Connection(int change) => Interlocked.Add(ref _connections, change);

    private static string NameOf(int status) =>
        StatusNames.TryGetValue(status, out var name) ? name : status switch
        {
            < 200 => "none",
            < 300 => "2xx",
            < 400 => "3xx",
            < 500 => "4xx",
            _ => "5xx",
        };

    /// <summary>The gateway's doors.</summary>
    public static class Door
    {
        public const string Node = "node", Omq = "omq", Seed = "seed", Files = "files", Community = "community";
    }

    /// <summary>Why requests are turned away.</summary>
    public static class Refusal
    {
        public const string Busy = "busy", RateLimited = "rate_limited", NotReady = "not_ready", TooLarge = "too_large", Fault = "fault";
    }
}
