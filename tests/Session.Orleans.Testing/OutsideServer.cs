using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Session.Orleans.Testing;

/// <summary>A plain HTTP server outside the network. Each test gives it a path of its own.</summary>
internal sealed class OutsideServer : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, Func<HttpContext, byte[], Task>> _handlers = new();
    private readonly WebApplication _app;

    private OutsideServer(WebApplication app) => _app = app;

    public int Port => new Uri(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()).Port;

    /// <summary>Number of requests that no handler was there for.</summary>
    public int Strays { get; private set; }

    public static async Task<OutsideServer> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var server = new OutsideServer(builder.Build());
        server._app.Run(server.AnswerAsync);
        await server._app.StartAsync();
        return server;
    }

    /// <summary>An allowed target, by default a new one, that <paramref name="handler"/> answers; it gets the request's body.</summary>
    public string Serve(Func<HttpContext, byte[], Task> handler, string? target = null)
    {
        target ??= $"/oxen/{Guid.NewGuid():N}/lsrpc";
        _handlers[target] = handler;
        return target;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        if (_handlers.TryGetValue(context.Request.Path, out var handler))
        {
            await handler(context, body.ToArray());
            return;
        }

        Strays++;
        context.Response.StatusCode = 418;
    }
}
