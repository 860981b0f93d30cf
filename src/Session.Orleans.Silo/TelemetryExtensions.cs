using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using Session.Orleans.Gateway;
using Session.Orleans.Grains;
using Session.Orleans.Storage;

namespace Session.Orleans.Silo;

/// <summary>Logs, traces and where they go.</summary>
internal static class TelemetryExtensions
{
    private const string Endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";

    /// <summary>Console logs. Libraries speak up at Warning, this project at the level of <c>Logging:LogLevel:Session.Orleans</c>.</summary>
    public static void AddSessionLogging(this WebApplicationBuilder builder)
    {
        builder.Logging.ClearProviders();
        builder.Logging.AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.TimestampFormat = "HH:mm:ss.fff ";
            console.UseUtcTimestamp = true;
        });
        // Standard output is for what a command has to say; logs go to standard error.
        builder.Services.Configure<Microsoft.Extensions.Logging.Console.ConsoleLoggerOptions>(
            console => console.LogToStandardErrorThreshold = LogLevel.Trace);
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        // ASP.NET Core makes an activity per request while this category is on; the gateway makes its own.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);
    }

    /// <summary>Spans of the gateway, the hops, the mailboxes and the store leave over OTLP when an endpoint is set.</summary>
    public static void AddSessionTelemetry(this WebApplicationBuilder builder)
    {
        if (string.IsNullOrEmpty(builder.Configuration[Endpoint]))
            return;
        builder.Services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService("session-orleans"))
            .WithTracing(tracing => tracing
                .AddSource(GatewayTelemetry.SourceName, GrainsTelemetry.SourceName, StorageTelemetry.SourceName)
                .AddOtlpExporter());
    }
}
