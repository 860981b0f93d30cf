using System.CommandLine;
using System.Globalization;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Session.Orleans.Load.Traces;

namespace Session.Orleans.Testnet.LoadTests;

/// <summary>Takes the network's spans over OTLP/HTTP while a load runs, from the network itself or from a collector that it sends them to.</summary>
internal sealed class TraceEndpoint : IAsyncDisposable
{
    private const string ProtobufType = "application/x-protobuf";

    private readonly WebApplication _app;

    private TraceEndpoint(WebApplication app) => _app = app;

    /// <summary><c>--trace-port</c>.</summary>
    public static Option<int?> Port() => new("--trace-port")
    {
        Description = "With --trace: take the network's spans at this port, and report where traced requests spent their time. The network sends them if it was started with OTEL_EXPORTER_OTLP_ENDPOINT=http://HOST:PORT and OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
        HelpName = "PORT",
    };

    /// <summary>Begins to take spans.</summary>
    /// <param name="port">Where.</param>
    /// <param name="collector">Gets them.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="CommandException">The port is taken.</exception>
    public static async Task<TraceEndpoint> StartAsync(int port, TraceCollector collector, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenAnyIP(port));
        builder.Services.AddRequestDecompression(); // collectors compress what they send
        var app = builder.Build();
        app.UseRequestDecompression();
        app.MapPost("/v1/traces", context => TakeAsync(context, collector));
        try
        {
            await app.StartAsync(cancellationToken);
            return new(app);
        }
        catch (IOException exception)
        {
            await app.DisposeAsync();
            throw new CommandException(ExitCodes.Failed, string.Create(CultureInfo.InvariantCulture, $"--trace-port {port}: {exception.Message}"));
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
    }

    private static async Task TakeAsync(HttpContext context, TraceCollector collector)
    {
        if (context.Request.ContentType?.StartsWith(ProtobufType, StringComparison.OrdinalIgnoreCase) is not true)
        {
            context.Response.StatusCode = StatusCodes.Status415UnsupportedMediaType;
            return;
        }

        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        try
        {
            foreach (var span in OtlpTraces.Read(body.ToArray()))
                collector.Receive(span);
        }
        catch (InvalidProtocolBufferException)
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            return;
        }

        // The answer to a request that was taken as a whole is an empty message.
        context.Response.ContentType = ProtobufType;
    }
}
