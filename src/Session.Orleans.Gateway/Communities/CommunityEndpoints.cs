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
    CommunityServer server, CommunityUsers users, RequestGate gate, IOptions<CommunityOptions> options, ILogger<CommunityEndpoints> logger)
{
    // A batch may carry a file in base64 besides other requests.
    private readonly int _maxBody = options.Value.FileBytes + (options.Value.FileBytes / 2) + (1024 * 1024);

    public async Task HandleAsync(HttpContext context)
    {
        if (!gate.TryEnter())
        {
            await WriteAsync(context, CommunityResponse.Text(503, "Server busy, try again later"));
            return;
        }

        try
        {
            await WriteAsync(context, await AnswerAsync(context));
        }
        catch (Exception exception) when (context.RequestAborted.IsCancellationRequested && exception is OperationCanceledException or IOException)
        {
            // The client hung up, and the cancelled work has been told.
        }
        finally
        {
            gate.Leave();
        }
    }

    private async ValueTask<CommunityResponse> AnswerAsync(HttpContext context)
    {
        using var span = GatewayTelemetry.Source.StartActivity("community.request", ActivityKind.Server).Carry();
        if (await RequestBody.ReadAsync(context, _maxBody) is not { } body)
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
