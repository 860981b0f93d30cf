using System.Collections.Concurrent;
using System.Net;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Session.Orleans.Observability.Tests.Otlp;

/// <summary>A collector: takes spans, logs and metrics over OTLP (http/protobuf) and keeps the first two.</summary>
internal sealed class OtlpReceiver : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<Span> _spans = new();
    private readonly ConcurrentQueue<OtlpLog> _logs = new();
    private int _metrics;

    private OtlpReceiver(WebApplication app) => _app = app;

    public Uri Address { get; private set; } = null!;

    public IReadOnlyList<Span> Spans => [.. _spans];

    public IReadOnlyList<OtlpLog> Logs => [.. _logs];

    /// <summary>Exports of metrics that came.</summary>
    public int MetricExports => Volatile.Read(ref _metrics);

    /// <summary>What makes a process send here.</summary>
    public Dictionary<string, string> Environment => new()
    {
        ["OTEL_EXPORTER_OTLP_ENDPOINT"] = Address.ToString(),
        ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
        ["OTEL_BSP_SCHEDULE_DELAY"] = "100",
        ["OTEL_BLRP_SCHEDULE_DELAY"] = "100",
        ["OTEL_METRIC_EXPORT_INTERVAL"] = "1000",
    };

    public static async Task<OtlpReceiver> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var receiver = new OtlpReceiver(app);
        app.MapPost("/v1/traces", receiver.TakeTracesAsync);
        app.MapPost("/v1/logs", receiver.TakeLogsAsync);
        app.MapPost("/v1/metrics", receiver.TakeMetrics);
        await app.StartAsync();
        receiver.Address = new(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        return receiver;
    }

    /// <summary>The spans of a trace as soon as they are as <paramref name="complete"/> wants them.</summary>
    public async Task<IReadOnlyList<Span>> WaitForAsync(Func<IReadOnlyList<Span>, bool> complete, string what)
    {
        IReadOnlyList<Span> spans = [];
        await Wait.UntilAsync(() => complete(spans = Spans), what, () => string.Join('\n', spans.Select(span => span.ToString())));
        return spans;
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private async Task TakeTracesAsync(HttpContext context)
    {
        var export = TraceExport.Parser.ParseFrom(await ReadAsync(context));
        foreach (var resource in export.ResourceSpans)
        {
            foreach (var scope in resource.ScopeSpans)
            {
                foreach (var span in scope.Spans)
                    _spans.Enqueue(new(scope.Scope.Name, span));
            }
        }
    }

    private async Task TakeLogsAsync(HttpContext context)
    {
        foreach (var log in LogExport.Parser.ParseFrom(await ReadAsync(context)).ResourceLogs.SelectMany(resource => resource.ScopeLogs).SelectMany(scope => scope.LogRecords))
            _logs.Enqueue(log);
    }

    private void TakeMetrics() => Interlocked.Increment(ref _metrics);

    private static async Task<byte[]> ReadAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        context.Response.ContentType = "application/x-protobuf";
        return body.ToArray();
    }
}

/// <summary>A span as it came.</summary>
internal sealed class Span(string scope, OtlpSpan span)
{
    private readonly Dictionary<string, AnyValue> _attributes = span.Attributes.ToDictionary(each => each.Key, each => each.Value);

    public string Scope { get; } = scope;

    public string Name { get; } = span.Name;

    /// <summary>2 server, 3 client, 1 internal.</summary>
    public int Kind { get; } = span.Kind;

    public string Trace { get; } = Hex(span.TraceId);

    public string Id { get; } = Hex(span.SpanId);

    /// <summary>Empty for a root.</summary>
    public string Parent { get; } = Hex(span.ParentSpanId);

    public ulong Start { get; } = span.StartTimeUnixNano;

    public ulong End { get; } = span.EndTimeUnixNano;

    public bool HasFailed { get; } = span.Status?.Code == 2;

    /// <summary>Trace and span each.</summary>
    public IReadOnlyList<(string Trace, string Span)> Links { get; } = [.. span.Links.Select(link => (Hex(link.TraceId), Hex(link.SpanId)))];

    public IReadOnlyCollection<string> AttributeNames => _attributes.Keys;

    /// <summary>The attribute as text; null if it is not there.</summary>
    public string? this[string name] => !_attributes.TryGetValue(name, out var value) ? null : value.ValueCase switch
    {
        AnyValue.ValueOneofCase.StringValue => value.StringValue,
        AnyValue.ValueOneofCase.IntValue => value.IntValue.ToString(System.Globalization.CultureInfo.InvariantCulture),
        AnyValue.ValueOneofCase.BoolValue => value.BoolValue ? "true" : "false",
        _ => value.DoubleValue.ToString(System.Globalization.CultureInfo.InvariantCulture),
    };

    public override string ToString() =>
        $"{Name} {Trace[..8]}/{Id} in {Parent}: " + string.Join(' ', _attributes.Keys.Order(StringComparer.Ordinal).Select(name => $"{name}={this[name]}"));

    private static string Hex(ByteString bytes) => Convert.ToHexStringLower(bytes.Span);
}
