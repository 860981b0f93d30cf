using System.CommandLine;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using Session.Orleans.Load.Results;

namespace Session.Orleans.Testnet.LoadTests;

/// <summary>The metrics of a load process or a watch: at <c>/metrics</c> for Prometheus, and over OTLP where an endpoint is set.</summary>
internal sealed class MetricsEndpoint : IAsyncDisposable
{
    private const string OtlpEndpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";

    private readonly WebApplication? _app;
    private readonly MeterProvider? _sender;

    private MetricsEndpoint(WebApplication? app, MeterProvider? sender = null) => (_app, _sender) = (app, sender);

    /// <summary><c>--metrics-port</c>.</summary>
    public static Option<int?> Port() => new("--metrics-port")
    {
        Description = $"Serve metrics for Prometheus at this port, path /metrics; over OTLP they leave when {OtlpEndpoint} is set",
        HelpName = "PORT",
    };

    /// <summary>Begins to serve and to send what is asked for.</summary>
    /// <exception cref="CommandException">The port is taken.</exception>
    public static async Task<MetricsEndpoint> StartAsync(int? port, CancellationToken cancellationToken)
    {
        var sends = !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(OtlpEndpoint));
        if (port is null)
            return new(null, sends ? Build(OpenTelemetry.Sdk.CreateMeterProviderBuilder()).AddOtlpExporter().Build() : null);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenAnyIP(port.Value));
        builder.Services.AddOpenTelemetry().WithMetrics(metrics =>
        {
            Build(metrics).AddPrometheusExporter();
            if (sends)
                metrics.AddOtlpExporter();
        });
        var app = builder.Build();
        app.MapPrometheusScrapingEndpoint();
        try
        {
            await app.StartAsync(cancellationToken);
            return new(app);
        }
        catch (IOException exception)
        {
            await app.DisposeAsync();
            throw new CommandException(ExitCodes.Failed, $"--metrics-port: {exception.Message}");
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _sender?.Dispose(); // sends the last figures
        if (_app is null)
            return;
        await _app.StopAsync(CancellationToken.None); // and so does this
        await _app.DisposeAsync();
    }

    private static MeterProviderBuilder Build(MeterProviderBuilder metrics) =>
        metrics.ConfigureResource(resource => resource.AddService("session-load")).AddMeter(LoadMetrics.MeterName);
}
