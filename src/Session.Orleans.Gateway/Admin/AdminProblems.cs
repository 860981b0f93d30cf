using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Logging;

namespace Session.Orleans.Gateway.Admin;

/// <summary>Gives every error of the admin port the same form, problem details in JSON, and asks for the token before anything is read.</summary>
internal sealed partial class AdminProblems(AdminToken token, ILogger<AdminProblems> log)
{
    /// <summary>What comes after it in the pipeline, with errors explained.</summary>
    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        // Before the endpoint: whoever has no token learns nothing of what a request with one would have met.
        if (context.Request.Path.StartsWithSegments("/v1", StringComparison.OrdinalIgnoreCase) && !token.IsPresentedBy(context.Request))
        {
            context.Response.Headers.WWWAuthenticate = "Bearer";
            await Problem("The admin API wants 'Authorization: Bearer' and the admin token.", 401).ExecuteAsync(context);
            return;
        }

        try
        {
            await next(context);
        }
        catch (BadHttpRequestException exception) when (!context.Response.HasStarted)
        {
            await Problem(Explain(exception), exception.StatusCode).ExecuteAsync(context);
            return;
        }
        catch (Exception exception) when (!context.Response.HasStarted && exception is not OperationCanceledException)
        {
            LogFailure(exception, context.Request.Method, context.Request.Path);
            await Problem("The request failed; the log of the network says why.", 500).ExecuteAsync(context);
            return;
        }

        // Answers of the framework itself, for unknown paths and methods, have no body. Health checks answer 503 without one, as those who ask expect.
        if (context.Response is { HasStarted: false, StatusCode: 404 or 405 or 415, ContentType: null } response)
        {
            var detail = response.StatusCode is 415
                ? context.Request.Path.StartsWithSegments(SnapshotEndpoints.Path, StringComparison.OrdinalIgnoreCase)
                    ? $"The body must be a snapshot, with 'Content-Type: {SnapshotEndpoints.ContentType}'."
                    : "The body must be JSON, with 'Content-Type: application/json'."
                : $"There is no {context.Request.Method} {context.Request.Path}; /openapi/v1.json lists what there is.";
            await Problem(detail, response.StatusCode).ExecuteAsync(context);
        }
    }

    private static ProblemHttpResult Problem(string detail, int status) => TypedResults.Problem(detail, statusCode: status);

    private static string Explain(BadHttpRequestException exception)
    {
        if (exception.InnerException is not JsonException json)
            return exception.Message.Contains("no body was provided", StringComparison.Ordinal) ? "The request needs a body in JSON." : exception.Message;
        // The position follows in a form for people.
        var message = json.Message.Split(" Path: ", 2)[0];
        message = message.StartsWith("The JSON value could not be converted", StringComparison.Ordinal) ? "a value has another type than is expected here"
            : message.Contains("could not be mapped", StringComparison.Ordinal) ? "there is no such property"
            : message.Replace(" Change the reader options.", "", StringComparison.Ordinal).TrimEnd('.');
        var where = json.Path is { Length: > 1 } path ? $"at {path}, " : "";
        return $"The body can't be read: {where}line {(json.LineNumber ?? 0) + 1}, byte {(json.BytePositionInLine ?? 0) + 1}: {message}.";
    }

    [LoggerMessage(EventId = 3101, Level = LogLevel.Error, Message = "The admin API failed at {Method} {Path}")]
    private partial void LogFailure(Exception exception, string method, string path);
}

/// <summary>An order names something that the network does not have.</summary>
public sealed class NotInNetworkException(string message) : Exception(message);
