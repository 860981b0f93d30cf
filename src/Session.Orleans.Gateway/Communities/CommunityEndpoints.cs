using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Session.Orleans.Gateway.Hosting;
using Session.Orleans.Grains;
using Session.Orleans.Grains.Communities;

namespace Session.Orleans.Gateway.Communities;

/// <summary>The community server's door for HTTP, and for what comes out of onions: body, authentication, routes, answer.</summary>
internal sealed partial class CommunityEndpoints(
    CommunityServer server, CommunityUsers users, RequestGate gate, BodyMemory memory, GatewayMetrics metrics, IOptions<CommunityOptions> options, ILogger<CommunityEndpoints> logger)
{
    private static readonly string[] Routes = ["/batch", "/sequence", "/room", "/rooms", "/capabilities", "/inbox", "/outbox", "/user"];

    private readonly int _maxBody = options.Value.MaxBodyBytes;

    public async Task HandleAsync(HttpContext context)
    {
        if (!gate.TryEnter())
        {
            metrics.Refused(GatewayMetrics.Refusal.Busy);
            await WriteAsync(context, CommunityResponse.Text(503, "Server busy, try again later"));
            return;
        }

        using var span = GatewayTelemetry.Source.StartActivity("community.request", ActivityKind.Server).Carry();
        var (startedAt, left) = (metrics.Now, false);
        try
        {
            await WriteAsync(context, await AnswerAsync(context, span));
            span?.SetTag(GatewayTelemetry.HttpStatus, context.Response.StatusCode);
        }
        catch (MemoryBudgetException)
        {
            metrics.Refused(GatewayMetrics.Refusal.Busy);
            await HttpReplies.WriteTextAndCloseAsync(context, 503, "Server busy, try again later");
        }
        catch (Exception exception) when (context.RequestAborted.IsCancellationRequested && exception is OperationCanceledException or IOException)
        {
            // The client hung up, and the cancelled work has been told.
            left = true;
        }
        catch (BadHttpRequestException exception) when (!context.Response.HasStarted)
        {
            // The body broke the protocol, or came too slowly.
            await HttpReplies.WriteTextAndCloseAsync(context, exception.StatusCode, "Bad request");
        }
        finally
        {
            gate.Leave();
            metrics.Request(GatewayMetrics.Door.Community, RouteOf(context.Request.Path.Value ?? ""), left ? 0 : context.Response.StatusCode, startedAt);
        }
    }

    /// <summary>The route's first part, of a closed set; rooms and users are left out.</summary>
    private static string RouteOf(string path)
    {
        foreach (var route in Routes)
        {
            if (path.StartsWith(route, StringComparison.Ordinal) && (path.Length == route.Length || path[route.Length] == '/'))
                return route;
        }

        return "other";
    }

    private async ValueTask<CommunityResponse> AnswerAsync(HttpContext context, Activity? span)
    {
        if (await RequestBody.ReadAsync(context, _maxBody, memory) is not { } body)
            return CommunityResponse.Text(413, "Request body too large");
        try
        {
            var request = CommunityRequest.Of(context, body);
            var (caller, error) = await users.AuthenticateAsync(request.Headers, request.Method, request.Path, request.Query, body, context.RequestAborted);
            return error is not null ? CommunityResponse.Text(error.Status, error.Text) : await server.HandleAsync(request, caller, context.RequestAborted);
        }
        catch (Exception exception) when (!context.RequestAborted.IsCancellationRequested)
        {
            span?.SetStatus(ActivityStatusCode.Error);
            LogFailed(exception);
            return CommunityResponse.Text(500, "Internal Server Error");
        }
    }

    private static Task WriteAsync(HttpContext context, CommunityResponse reply)
    {
        var response = context.Response;
        response.StatusCode = reply.Status;
        if (reply.ContentType is { } type)
            response.ContentType = type;
        foreach (var (name, value) in reply.Headers ?? new Dictionary<string, string>())
            response.Headers[name] = value;
        if (reply.Status is 304)
            return Task.CompletedTask;
        response.ContentLength = reply.Body.Length;
        return reply.Body.IsEmpty ? Task.CompletedTask : response.BodyWriter.WriteAsync(reply.Body, context.RequestAborted).AsTask();
    }

    [LoggerMessage(EventId = 3201, Level = LogLevel.Error, Message = "A request to the community server failed")]
    private partial void LogFailed(Exception exception);
}
