using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Session.Orleans.Grains.Network;
using Session.Orleans.Storage;

namespace Session.Orleans.Gateway.Admin;

/// <summary>Health checks, open to everyone who reaches the port, and the admin API, which wants the token.</summary>
internal static class AdminEndpoints
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        // Liveness is local only: it never asks the store and never calls a grain.
        var health = routes.MapGroup("/health").WithTags("health");
        health.MapGet("/live", () => TypedResults.Text("live")).WithName("Live").WithSummary("The process runs");
        health.MapGet("/startup", Started).WithName("Startup").WithSummary("It knows the network");
        health.MapGet("/ready", Ready).WithName("Ready").WithSummary("It serves requests, and is not about to stop");
        routes.MapOpenApi("/openapi/{documentName}.json"); // says what can be asked, not what is there: no token

        var api = routes.MapGroup("/v1").WithTags("network"); // AdminProblems asks for the token
        api.MapGet("/status", StatusAsync).WithName("Status").WithSummary("Height, nodes, swarms and live messages").ProducesProblem(401);
        NetworkEndpoints.Map(api);
        CommunityAdminEndpoints.Map(routes.MapGroup("/v1").WithTags("communities"));
        SnapshotEndpoints.Map(api);
        foreach (var more in routes.ServiceProvider.GetServices<AdminRoutes>())
            more.Map(routes);
    }

    private static Results<ContentHttpResult, StatusCodeHttpResult> Started(NetworkViewSource views) =>
        views.Current is not null ? TypedResults.Text("started") : TypedResults.StatusCode(503);

    private static Results<ContentHttpResult, StatusCodeHttpResult> Ready(NetworkViewSource views, IHostApplicationLifetime lifetime) =>
        views.Current is not null && !lifetime.ApplicationStopping.IsCancellationRequested
            ? TypedResults.Text("ready")
            : TypedResults.StatusCode(503);

    private static async Task<Results<Ok<NetworkStatus>, ProblemHttpResult>> StatusAsync(
        NetworkViewSource views, MailboxCensus mailboxes, CancellationToken cancellationToken)
    {
        if (!views.TryGet(out var view))
            return TypedResults.Problem("The network has not started yet.", statusCode: 503);
        var count = await mailboxes.CountAsync(cancellationToken);
        return TypedResults.Ok(new NetworkStatus(
            view.Height, view.BlockHash, $"{view.HardFork.Major}.{view.HardFork.Minor}", view.Nodes.Length,
            view.Nodes.Count(node => node.IsActive),
            [.. view.Swarms.Select(swarm => new SwarmStatus(swarm.Id.ToString(), swarm.Members.Length))],
            count.Mailboxes, count.Messages));
    }
}

/// <summary>Routes that the host adds to the admin port. What is not below <c>/v1</c> needs no token.</summary>
/// <param name="Map">Adds them.</param>
public sealed record AdminRoutes(Action<IEndpointRouteBuilder> Map);

/// <summary>The network at a glance.</summary>
/// <param name="Height">Height of the top block.</param>
/// <param name="BlockHash">Hash of the top block, in hex.</param>
/// <param name="HardFork">Hard fork and revision, for example 19.4.</param>
/// <param name="Nodes">Registered service nodes.</param>
/// <param name="ActiveNodes">Those of them that are active.</param>
/// <param name="Swarms">All swarms.</param>
/// <param name="Mailboxes">Accounts with at least one live message.</param>
/// <param name="LiveMessages">Stored messages that have not expired.</param>
public sealed record NetworkStatus(
    long Height, string BlockHash, string HardFork, int Nodes, int ActiveNodes, IReadOnlyList<SwarmStatus> Swarms, long Mailboxes, long LiveMessages);

/// <summary>One swarm.</summary>
/// <param name="Id">Swarm id in hex.</param>
/// <param name="Members">Number of members.</param>
public sealed record SwarmStatus(string Id, int Members);

/// <summary>JSON of the admin API.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(NetworkStatus))]
[JsonSerializable(typeof(IReadOnlyList<NodeReport>))]
[JsonSerializable(typeof(IReadOnlyList<SwarmReport>))]
[JsonSerializable(typeof(IReadOnlyList<FaultReport>))]
[JsonSerializable(typeof(IReadOnlyList<FaultOrder>))]
[JsonSerializable(typeof(ChainReport))]
[JsonSerializable(typeof(RegistrationOrder))]
[JsonSerializable(typeof(NodeOrderReport))]
[JsonSerializable(typeof(CommunitiesReport))]
[JsonSerializable(typeof(CommunityReport))]
[JsonSerializable(typeof(RoomOrder))]
[JsonSerializable(typeof(GrantOrder))]
[JsonSerializable(typeof(BanOrder))]
[JsonSerializable(typeof(LabelOrder))]
[JsonSerializable(typeof(LabelReport))]
[JsonSerializable(typeof(SnapshotReport))]
[JsonSerializable(typeof(Microsoft.AspNetCore.Mvc.ProblemDetails))]
public sealed partial class AdminJsonContext : JsonSerializerContext;
