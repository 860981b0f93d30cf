using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Session.Orleans.Gateway.Hosting;
using Session.Orleans.Grains.Network;
using Session.Orleans.Grains.Snapshots;
using Session.Orleans.Storage;
using Session.Orleans.Storage.Blobs;
using Session.Orleans.Storage.Communities;
using Session.Orleans.Storage.Snapshots;

namespace Session.Orleans.Gateway.Admin;

/// <summary>Saving and restoring the whole network.</summary>
internal static partial class SnapshotEndpoints
{
    /// <summary>Where the snapshot is got and put.</summary>
    public const string Path = "/v1/snapshot";

    /// <summary>What a snapshot is sent as.</summary>
    public const string ContentType = "application/octet-stream";

    public static void Map(RouteGroupBuilder api)
    {
        api.MapGet("/snapshot", SaveAsync).WithName("SaveSnapshot").WithSummary("The whole network in one file")
            .Produces(200, contentType: ContentType).ProducesProblem(401).ProducesProblem(503);
        api.MapPut("/snapshot", RestoreAsync).WithName("RestoreSnapshot").WithSummary("Makes the network what it was when the snapshot in the body was saved")
            .Accepts<Stream>(ContentType).ProducesProblem(400).ProducesProblem(401).ProducesProblem(503);
    }

    private static async Task<Results<EmptyHttpResult, ProblemHttpResult>> SaveAsync(
        HttpContext context, NetworkViewSource views, NetworkSnapshots snapshots, ILoggerFactory logs)
    {
        if (!views.TryGet(out _))
            return NotStarted();
        context.Response.ContentType = ContentType;
        try
        {
            await snapshots.SaveAsync(context.Response.Body, context.RequestAborted);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            // What has been sent is without its end, by which whoever reads it knows.
            LogSaveFailed(logs.CreateLogger(typeof(SnapshotEndpoints)), exception);
            context.Abort();
        }

        return TypedResults.Empty;
    }

    private static async Task<Results<Ok<SnapshotReport>, ProblemHttpResult>> RestoreAsync(
        HttpContext context, NetworkViewSource views, NetworkSnapshots snapshots, IOptions<GatewayOptions> gateway)
    {
        if (!views.TryGet(out _))
            return NotStarted();
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = null; // as large as all mailboxes together
        // Nothing may change before the last byte has been seen.
        await using var file = new FileStream(System.IO.Path.GetTempFileName(), new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.ReadWrite,
            Options = FileOptions.DeleteOnClose | FileOptions.Asynchronous,
        });
        await context.Request.Body.CopyToAsync(file, context.RequestAborted);
        try
        {
            // From here on it is the network's own work: whoever asked may go away.
            return TypedResults.Ok(SnapshotReport.Of(file.Length, await snapshots.RestoreAsync(file, gateway.Value.NodePorts, CancellationToken.None)));
        }
        catch (Exception exception) when (exception is SnapshotException or NetworkOrderException)
        {
            return TypedResults.Problem(exception.Message, statusCode: 400);
        }
        catch (Exception exception) when (exception is MailboxStoreException or CommunityStoreException or BlobScheduleException)
        {
            return TypedResults.Problem($"The store failed; a part of the network may have been restored. Restore again. {exception.Message}", statusCode: 503);
        }
    }

    private static ProblemHttpResult NotStarted() => TypedResults.Problem("The network has not started yet.", statusCode: 503);

    [LoggerMessage(EventId = 3102, Level = LogLevel.Error, Message = "A snapshot could not be saved")]
    private static partial void LogSaveFailed(ILogger logger, Exception exception);
}

/// <summary>What is in a snapshot.</summary>
/// <param name="Bytes">Length of the file.</param>
/// <param name="Height">Height of the top block.</param>
/// <param name="Nodes">Registered service nodes.</param>
/// <param name="Mailboxes">Accounts with messages or revocations.</param>
/// <param name="Messages">Messages; those that have expired since are not restored.</param>
/// <param name="Names">Names that have or had an owner.</param>
/// <param name="Rooms">Rooms of the community server.</param>
/// <param name="Posts">Messages of all rooms, deleted ones included.</param>
/// <param name="Files">Files of the file server; those of rooms are with their rooms.</param>
public sealed record SnapshotReport(long Bytes, long Height, long Nodes, long Mailboxes, long Messages, long Names, long Rooms, long Posts, long Files)
{
    /// <summary>From the figures of the parts, which are 0 where the snapshot lacks the part.</summary>
    public static SnapshotReport Of(long bytes, IReadOnlyDictionary<string, IReadOnlyDictionary<string, long>> figures)
    {
        return new(bytes, Figure("network", "height"), Figure("network", "nodes"), Figure("mailboxes", "mailboxes"), Figure("mailboxes", "messages"),
            Figure("names", "names"), Figure("communities", "rooms"), Figure("communities", "posts"), Figure("files", "files"));
        long Figure(string part, string name) => figures.TryGetValue(part, out var all) ? all.GetValueOrDefault(name) : 0;
    }
}
