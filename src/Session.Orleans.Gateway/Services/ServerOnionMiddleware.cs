using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Session.Orleans.Gateway.Hosting;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.Gateway.Services;

/// <summary>How a service takes onion requests.</summary>
public sealed class ServerOnionOptions
{
    /// <summary>What is put before the endpoint of a v3 request that does not begin with a slash: <c>/</c>, or <c>/legacy/</c> in communities.</summary>
    public string V3Prefix { get; init; } = "/";

    /// <summary>
    /// Bytes of requests and replies that may be in memory at once; what goes beyond is answered 503. They are encrypted as a whole, so they
    /// can't be streamed; this bounds what all of them together take (a few times as much, with plaintexts and ciphertexts).
    /// </summary>
    public long MaxBytesInMemory { get; init; } = 256L * 1024 * 1024;
}

/// <summary>Lets a service be reached through the network.</summary>
public static class ServerOnionExtensions
{
    /// <summary>
    /// Opens requests to <c>/oxen/v4/lsrpc</c>, <c>/oxen/v3/lsrpc</c> and <c>/loki/v3/lsrpc</c>, runs what is inside through the rest of the
    /// pipeline and seals the answer (file-server.md, 2). Everything else goes on as it is. What follows in the pipeline is the service; its
    /// routes find it with <see cref="ServicePipeline.Of"/>.
    /// </summary>
    /// <param name="app">The service's branch.</param>
    /// <param name="keys">The server's key pair.</param>
    /// <param name="options">Null takes the defaults.</param>
    public static IApplicationBuilder UseServerOnions(this IApplicationBuilder app, X25519KeyPair keys, ServerOnionOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(keys);
        var logger = app.ApplicationServices.GetRequiredService<ILogger<ServerOnionMiddleware>>();
        return app.Use(next =>
        {
            var onions = new ServerOnionMiddleware(new(next), keys, options ?? new(), logger);
            return onions.InvokeAsync;
        });
    }
}

/// <summary>See <see cref="ServerOnionExtensions.UseServerOnions"/>.</summary>
internal sealed partial class ServerOnionMiddleware(
    ServicePipeline service, X25519KeyPair keys, ServerOnionOptions options, ILogger<ServerOnionMiddleware> logger)
{
    private static readonly IReadOnlyDictionary<string, string> TextHeaders = OnionV4Response.Malformed.Headers;

    private readonly MemoryBudget _memory = new(options.MaxBytesInMemory);

    public Task InvokeAsync(HttpContext context) =>
        ServerOnion.TryGetVersion(context.Request.Path.Value, out var version)
            ? HttpMethods.IsPost(context.Request.Method) ? ServeAsync(context, version) : HttpReplies.WriteTextAsync(context, 405, "Method Not Allowed")
            : service.InvokeAsync(context);

    private async Task ServeAsync(HttpContext context, ServerOnionVersion version)
    {
        var announced = context.Request.ContentLength ?? ServerOnion.MaxBodyLength;
        if (announced > ServerOnion.MaxBodyLength)
        {
            await HttpReplies.WriteTextAndCloseAsync(context, 400, "Invalid onion request");
            return;
        }

        if (!_memory.TryTake(announced))
        {
            await HttpReplies.WriteTextAndCloseAsync(context, 503, "Server busy, try again later");
            return;
        }

        try
        {
            if (await RequestBody.ReadAsync(context, ServerOnion.MaxBodyLength) is not { } body)
                await HttpReplies.WriteTextAndCloseAsync(context, 400, "Invalid onion request");
            else if (!ServerOnion.TryOpen(keys, version, body, out var onion))
                await HttpReplies.WriteTextAsync(context, 400, "Invalid onion request");
            else
                await ReplyAsync(context, version, await AnswerAsync(context, onion));
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            // The exit node is gone, and the cancelled work has been told.
            LogRelayLeft();
        }
        catch (BadHttpRequestException exception) when (!context.Response.HasStarted)
        {
            // The body broke the protocol, or came too slowly.
            await HttpReplies.WriteTextAndCloseAsync(context, exception.StatusCode, "Invalid onion request");
        }
        finally
        {
            _memory.Return(announced);
        }
    }

    private async ValueTask<byte[]> AnswerAsync(HttpContext context, ServerOnion onion)
    {
        if (onion.Request is not { } request)
            return onion.SealMalformed();
        var v3 = onion.Version == ServerOnionVersion.V3;
        var target = v3 && !request.Endpoint.StartsWith('/') ? options.V3Prefix + request.Endpoint : request.Endpoint;
        var headers = v3 ? AsJson(request.Headers) : request.Headers;
        try
        {
            using var body = new BudgetedStream(_memory);
            var reply = await service.RunAsync(context, new(request.Method, target, headers, request.Body), body);
            return onion.Seal(reply.Status, reply.Headers, reply.Body.Span);
        }
        catch (MemoryBudgetException)
        {
            return onion.Seal(503, TextHeaders, "Server busy, try again later"u8);
        }
        catch (Exception exception) when (!context.RequestAborted.IsCancellationRequested)
        {
            // Told inside the encryption: a status outside would be taken for a failure of the path.
            Activity.Current?.SetStatus(ActivityStatusCode.Error);
            LogFailed(exception);
            return onion.Seal(500, TextHeaders, "Internal Server Error"u8);
        }
    }

    private static Dictionary<string, string> AsJson(IReadOnlyDictionary<string, string> headers) =>
        new(headers, StringComparer.OrdinalIgnoreCase) { ["Content-Type"] = "application/json" };

    private static async Task ReplyAsync(HttpContext context, ServerOnionVersion version, byte[] body)
    {
        context.Response.ContentType = version == ServerOnionVersion.V4 ? "application/octet-stream" : "text/plain; charset=utf-8";
        context.Response.ContentLength = body.Length;
        await context.Response.BodyWriter.WriteAsync(body, context.RequestAborted);
    }

    [LoggerMessage(EventId = 3101, Level = LogLevel.Debug, Message = "The exit node hung up")]
    private partial void LogRelayLeft();

    [LoggerMessage(EventId = 3102, Level = LogLevel.Error, Message = "A request inside an onion failed")]
    private partial void LogFailed(Exception exception);
}
