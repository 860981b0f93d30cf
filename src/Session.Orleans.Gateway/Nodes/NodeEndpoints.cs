using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;
using Session.Orleans.Gateway.Hosting;
using Session.Orleans.Grains;
using Session.Orleans.Grains.Faults;
using Session.Orleans.Grains.Network;
using Session.Orleans.Grains.ServiceNodes;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.Gateway.Nodes;

/// <summary>The HTTP surface of a service node (storage-rpc.md, 14; onion-requests.md, 2). The request's path is relative to the node.</summary>
internal sealed partial class NodeEndpoints(
    NetworkViewSource views, ServiceNodeCalls nodes, RequestGate gate, BodyMemory memory, ClientRateLimiter limiter, NodeReadiness readiness, FaultDoor door, GatewayMetrics metrics, IOptions<LimitOptions> limits,
    ILogger<NodeEndpoints> logger)
{
    private const string OnionRoute = "/onion_req/v2", RpcRoute = "/storage_rpc/v1";

    private readonly int _maxBody = limits.Value.RequestBytes;

    public Task HandleAsync(HttpContext context, ServiceNode? node, PathString path)
    {
        if (node is null)
        {
            // Before the first view nobody knows which nodes there are.
            return views.Current is null
                ? HttpReplies.WriteTextAsync(context, 503, "Service node is not ready: not done syncing\n")
                : HttpReplies.WriteNotFoundAsync(context);
        }

        return views.Current?.Faults is { } faults ? HandleThroughFaultsAsync(context, node, path, faults) : HandleAsync(context, node, path.Value);
    }

    private async Task HandleThroughFaultsAsync(HttpContext context, ServiceNode node, PathString path, FaultTable faults)
    {
        if (await door.TryEnterAsync(context, faults, node))
            await HandleAsync(context, node, path.Value);
        else
            metrics.Refused(GatewayMetrics.Refusal.Fault);
    }

    private Task HandleAsync(HttpContext context, ServiceNode node, string? path)
    {
        var request = context.Request;
        if (HttpMethods.IsPost(request.Method))
        {
            if (path is OnionRoute)
                return ServeAsync(context, node, isOnion: true);
            if (path is RpcRoute)
                return ServeAsync(context, node, isOnion: false);
            if (path is "/ping_test/v1")
            {
                context.Response.Headers["X-Oxen-Snode-Pubkey"] = node.PingHeader;
                return HttpReplies.WriteTextAsync(context, 200, "");
            }
        }
        else if (HttpMethods.IsGet(request.Method) && path is "/get_stats/v1")
        {
            return HttpReplies.WriteJsonAsync(context, Stats);
        }

        return HttpReplies.WriteNotFoundAsync(context);
    }

    private static ReadOnlyMemory<byte> Stats { get; } = """{"version":"2.8.0"}"""u8.ToArray();

    private async Task ServeAsync(HttpContext context, ServiceNode node, bool isOnion)
    {
        if (context.Request.ContentLength > _maxBody)
        {
            metrics.Refused(GatewayMetrics.Refusal.TooLarge);
            await HttpReplies.WriteTextAndCloseAsync(context, 413, "Request body too large");
            return;
        }

        if (readiness.WhyNotReady(node, views.Current) is { } reasons)
        {
            metrics.Refused(GatewayMetrics.Refusal.NotReady);
            await HttpReplies.WriteTextAsync(context, 503, $"Service node is not ready: {reasons}\n");
            return;
        }

        if (!StringValues.IsNullOrEmpty(context.Request.Headers["X-Loki-Long-Poll"]))
        {
            await HttpReplies.WriteTextAsync(context, 410, "long polling is no longer supported, client upgrade required");
            return;
        }

        if (!isOnion && !limiter.TryTake(context.Connection.RemoteIpAddress))
        {
            metrics.Refused(GatewayMetrics.Refusal.RateLimited);
            await HttpReplies.WriteTextAsync(context, 429, "Too Many Requests\n");
            return;
        }

        if (!gate.TryEnter())
        {
            metrics.Refused(GatewayMetrics.Refusal.Busy);
            await HttpReplies.WriteTextAsync(context, 503, "Server busy, try again later");
            return;
        }

        using var activity = StartActivity(context, node, isOnion);
        var (startedAt, answered) = (metrics.Now, (int?)null);
        try
        {
            if (await RequestBody.ReadAsync(context, _maxBody, memory) is not { } body)
            {
                metrics.Refused(GatewayMetrics.Refusal.TooLarge);
                await HttpReplies.WriteTextAndCloseAsync(context, 413, "Request body too large");
                return;
            }

            var reply = isOnion ? await RelayAsync(node, body, context.RequestAborted)
                : await nodes.StorageRpcAsync(node, body, context.RequestAborted);
            if (reply.Status >= 500)
                activity?.SetStatus(ActivityStatusCode.Error);
            if (views.Current?.Faults?.At(node.Index) is { } faults && faults.Strikes(FaultKind.CorruptReply))
                reply = reply with { Body = Damage.Bytes(reply.Body.Span) };
            await HttpReplies.WriteAsync(context, reply);
            reply.Release();
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client is gone: nobody is left to answer, and the cancelled work has been told.
            answered = 0;
            LogClientLeft();
        }
        catch (MemoryBudgetException)
        {
            metrics.Refused(GatewayMetrics.Refusal.Busy);
            await HttpReplies.WriteTextAndCloseAsync(context, 503, "Server busy, try again later");
        }
        catch (BadHttpRequestException exception)
        {
            answered = exception.StatusCode; // by the server, once this has passed it
            throw;
        }
        catch (Exception exception) when (exception is TimeoutException or OrleansMessageRejectionException or SiloUnavailableException)
        {
            // The silo that ran the node is overloaded or gone; a client takes this as a reason to try another path.
            activity?.SetStatus(ActivityStatusCode.Error).SetTag("error.type", exception.GetType().Name);
            LogNodeUnavailable(exception);
            await HttpReplies.WriteTextAsync(context, 504, "Request time out");
        }
        catch (Exception exception) when (!context.Response.HasStarted)
        {
            activity?.SetStatus(ActivityStatusCode.Error).SetTag("error.type", exception.GetType().Name);
            LogFailed(exception);
            await HttpReplies.WriteTextAsync(context, 500, "Internal Server Error\n");
        }
        finally
        {
            gate.Leave();
            var status = answered ?? context.Response.StatusCode;
            if (status != 0 && activity is { IsAllDataRequested: true })
                activity.SetTag(GatewayTelemetry.HttpStatus, status);
            // Before the span ends, so that the figure can point to it.
            metrics.Request(GatewayMetrics.Door.Node, isOnion ? OnionRoute : RpcRoute, status, startedAt);
        }
    }

    private ValueTask<NodeReply> RelayAsync(ServiceNode node, ReadOnlyMemory<byte> body, CancellationToken cancellationToken) =>
        OnionEnvelope.TryParse(body, out var envelope, out var error)
            ? nodes.RelayAsync(node, new(envelope.Ciphertext, envelope.EphemeralKey, envelope.Cipher, envelope.HopNumber, IsGuard: true), cancellationToken)
            : new(NodeReply.Text(400, OnionEnvelope.ErrorPrefix + error));

    private static Activity? StartActivity(HttpContext context, ServiceNode node, bool isOnion)
    {
        if (!GatewayTelemetry.Source.HasListeners())
            return null;
        var route = isOnion ? OnionRoute : RpcRoute;
        var headers = context.Request.Headers;
        _ = ActivityContext.TryParse(headers.TraceParent, headers.TraceState, isRemote: true, out var parent);
        var activity = GatewayTelemetry.Source.StartActivity(isOnion ? GatewayTelemetry.OnionSpan : GatewayTelemetry.RpcSpan, ActivityKind.Server, parent).Carry();
        return activity is not { IsAllDataRequested: true } ? activity
            : activity.SetTag("http.request.method", "POST").SetTag(GatewayTelemetry.Route, route).SetTag(GatewayTelemetry.NodeIndex, node.Index);
    }

    [LoggerMessage(EventId = 3001, Level = LogLevel.Debug, Message = "The client hung up")]
    private partial void LogClientLeft();

    [LoggerMessage(EventId = 3002, Level = LogLevel.Warning, Message = "A service node did not answer")]
    private partial void LogNodeUnavailable(Exception exception);

    [LoggerMessage(EventId = 3003, Level = LogLevel.Error, Message = "A request failed")]
    private partial void LogFailed(Exception exception);
}
