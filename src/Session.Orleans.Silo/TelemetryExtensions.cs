using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using Session.Orleans.Gateway;
using Session.Orleans.Gateway.Admin;
using Session.Orleans.Grains;
using Session.Orleans.Storage;
using StackExchange.Redis;

namespace Session.Orleans.Silo;

/// <summary>Logs, traces and where they go.</summary>
internal static class TelemetryExtensions
{
    private const string Endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";
    private const string Format = "Logging:Format";
    private const string JsonFormat = "Json";
    private const string KestrelMeter = "Microsoft.AspNetCore.Server.Kestrel";

    // Not the port: there is one for each node, five hundred at most.
    private static readonly string[] KestrelTags = ["network.protocol.version", "tls.protocol.version", "error.type"];

    /// <summary>Console logs. Libraries speak up at Warning, this project at the level of <c>Logging:LogLevel:Session.Orleans</c>.</summary>
    public static void AddSessionLogging(this WebApplicationBuilder builder)
    {
        builder.Logging.ClearProviders();
        if (builder.Configuration[Format] is { } format && format.Equals(JsonFormat, StringComparison.OrdinalIgnoreCase))
        {
            // For containers: logs are all that there is on standard output, one JSON object a line.
            builder.Logging.AddConsole(console => console.FormatterName = JsonLogFormatter.FormatterName).AddConsoleFormatter<JsonLogFormatter, ConsoleFormatterOptions>();
        }
        else
        {
            builder.Logging.AddTextConsole();
        }

        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        // ASP.NET Core makes an activity per request while this category is on; the gateway makes its own.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);
        // Orleans' retries of its own table: what they can't mend, Orleans says itself.
        builder.Logging.AddFilter("Polly", LogLevel.Critical);
    }

    /// <summary>Lines for people, on standard error: standard output is for what a command has to say.</summary>
    public static ILoggingBuilder AddTextConsole(this ILoggingBuilder logging) => logging.AddConsole(console =>
    {
        console.FormatterName = TextLogFormatter.FormatterName;
        console.LogToStandardErrorThreshold = LogLevel.Trace;
    }).AddConsoleFormatter<TextLogFormatter, ConsoleFormatterOptions>();

    /// <summary>
    /// Metrics at <c>/metrics</c> of the admin port, and the census behind some of them. Traces, metrics and logs leave over OTLP when an endpoint is
    /// set; <c>OTEL_TRACES_EXPORTER</c>, <c>OTEL_METRICS_EXPORTER</c> and <c>OTEL_LOGS_EXPORTER</c> keep each of them here with <c>none</c>.
    /// </summary>
    public static void AddSessionTelemetry(this WebApplicationBuilder builder, SiloOptions silo, string serviceId)
    {
        var options = builder.Configuration.GetSection(TelemetryOptions.Section).Get<TelemetryOptions>() ?? new();
        builder.Services.AddSingleton(services => new StoreCensus(
            services.GetRequiredService<IConnectionMultiplexer>(), services.GetRequiredService<TimeProvider>(), $"{serviceId}/state/name/", services.GetRequiredService<KeyWalk>()));
        builder.Services.AddSingleton(services => new StorageMetrics(
            services.GetRequiredService<IMeterFactory>(), services.GetRequiredService<IConnectionMultiplexer>(), services.GetRequiredService<StoreCensus>()));
        var telemetry = builder.Services.AddOpenTelemetry().ConfigureResource(resource => resource
            .AddService(
                serviceId, serviceVersion: typeof(TelemetryExtensions).Assembly.GetName().Version?.ToString(3),
                serviceInstanceId: silo.Name ?? Environment.MachineName)
            .AddAttributes([new("session.role", silo.Role.ToString())]));
        if (options.Metrics)
        {
            telemetry.WithMetrics(metrics =>
            {
                metrics.AddMeter(GatewayTelemetry.SourceName, GrainsMetrics.MeterName, StorageMetrics.MeterName)
                    .AddMeter("Microsoft.Orleans", "System.Runtime", "Microsoft.AspNetCore.Hosting", KestrelMeter)
                    .AddView(static instrument => instrument.Meter.Name is KestrelMeter ? new() { TagKeys = KestrelTags } : null)
                    .SetExemplarFilter(ExemplarFilterType.TraceBased)
                    .AddPrometheusExporter();
                if (Sends(builder, "METRICS"))
                    metrics.AddOtlpExporter();
            });
            builder.Services.AddSingleton(new AdminRoutes(routes => routes.MapPrometheusScrapingEndpoint()));
            if (options.CensusInterval > TimeSpan.Zero)
                builder.Services.AddHostedService<CensusService>();
        }

        if (Sends(builder, "TRACES"))
        {
            telemetry.WithTracing(tracing => tracing
                .AddSource(GatewayTelemetry.SourceName, GrainsTelemetry.SourceName, StorageTelemetry.SourceName)
                .SetSampler(new RequestSampler(options.SamplingRatio))
                .AddOtlpExporter());
        }

        if (Sends(builder, "LOGS"))
        {
            telemetry.WithLogging(
                logs => logs.AddProcessor(new KeyShortening()).AddOtlpExporter(),
                logs => logs.IncludeFormattedMessage = true);
        }
    }

    private static bool Sends(WebApplicationBuilder builder, string signal) =>
        !string.IsNullOrEmpty(builder.Configuration[Endpoint])
        && !"none".Equals(builder.Configuration[$"OTEL_{signal}_EXPORTER"], StringComparison.OrdinalIgnoreCase);
}
