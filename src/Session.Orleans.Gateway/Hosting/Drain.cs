using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Session.Orleans.Gateway.Hosting;

/// <summary>How a process leaves.</summary>
public sealed class DrainOptions
{
    /// <summary>How long it goes on serving after it was told to stop, while it says that it is not ready.</summary>
    public TimeSpan Delay { get; set; }
}

/// <summary>
/// The first step of an orderly end: the process says that it is not ready and goes on serving, until those who send it clients have noticed.
/// Clients that are connected are asked, with each answer, to connect anew.
/// </summary>
internal sealed partial class Drain(
    IOptions<DrainOptions> options, IHostApplicationLifetime lifetime, TimeProvider time, ILogger<Drain> logger) : IHostedLifecycleService
{
    private volatile bool _isOver;

    /// <summary>True from the order to stop on: no new clients, please.</summary>
    public bool HasBegun => lifetime.ApplicationStopping.IsCancellationRequested;

    /// <summary>True when requests are refused, because the silo stops.</summary>
    public bool IsOver => _isOver;

    /// <summary>Asks the client, if the process is leaving, to use this connection no more.</summary>
    public void OnRequest(HttpContext context)
    {
        if (!HasBegun)
            return;
        if (HttpProtocol.IsHttp11(context.Request.Protocol))
            context.Response.Headers.Connection = "close";
        else
            context.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose(); // GOAWAY, and streams that are open end well
    }

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        if (options.Value.Delay > TimeSpan.Zero)
        {
            LogDraining(options.Value.Delay.TotalSeconds);
            await Task.Delay(options.Value.Delay, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>
    /// Comes after the end of HTTP, whose ports close first and whose last requests are answered, and before that of the silo: services stop in the
    /// reverse order of their start.
    /// </summary>
    public Task StopAsync(CancellationToken cancellationToken)
    {
        _isOver = true;
        return Task.CompletedTask;
    }

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(EventId = 3001, Level = LogLevel.Information, Message = "Stopping: not ready from now on, serving for {Seconds} s more")]
    private partial void LogDraining(double seconds);
}
