using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Options;
using Session.Orleans.Grains.Network;

namespace Session.Orleans.Gateway.Admin;

/// <summary>The part of the admin API that looks at the network and makes things go wrong in it.</summary>
internal static class NetworkEndpoints
{
    public static void Map(RouteGroupBuilder api)
    {
        var network = api.MapGroup("").AddEndpointFilter(ExplainAsync);
        network.MapGet("/nodes", (NetworkViewSource views) =>
            TypedResults.Ok<IReadOnlyList<NodeReport>>([.. View(views).Nodes.Select(node => NodeReport.Of(node, View(views)))]))
            .WithName("ListNodes").WithSummary("All service nodes");
        network.MapGet("/nodes/{node}", (string node, NetworkViewSource views) =>
            TypedResults.Ok(NodeReport.Of(NetworkSelectors.Node(View(views), node), View(views))))
            .WithName("ShowNode").WithSummary("One service node, by index or Ed25519 key");
        network.MapGet("/swarms", (NetworkViewSource views) =>
            TypedResults.Ok<IReadOnlyList<SwarmReport>>([.. View(views).Swarms.Select(SwarmReport.Of)]))
            .WithName("ListSwarms").WithSummary("All swarms");
        network.MapGet("/swarms/{swarm}", (string swarm, NetworkViewSource views) =>
            TypedResults.Ok(SwarmReport.Of(NetworkSelectors.Swarm(View(views), swarm))))
            .WithName("ShowSwarm").WithSummary("One swarm, by id");
        network.MapGet("/accounts/{account}/swarm", (string account, NetworkViewSource views) =>
            AccountId.TryParse(account, out var id)
                ? TypedResults.Ok(View(views).SwarmOf(id) is { } swarm ? SwarmReport.Of(swarm) : throw new NetworkOrderException("There is no swarm at all."))
                : throw new NetworkOrderException("An account is 66 hex digits: network prefix and public key."))
            .WithName("MapAccount").WithSummary("The swarm that keeps an account's messages");
        network.MapGet("/faults", (NetworkViewSource views) => TypedResults.Ok<IReadOnlyList<FaultReport>>(
            [.. View(views).State.Faults.Select(FaultReport.Of)]))
            .WithName("ListFaults").WithSummary("What is made to go wrong");
        network.MapPost("/faults", AddFaultAsync).WithName("AddFault").WithSummary("Makes something go wrong");
        network.MapDelete("/faults", (IGrainFactory grains, IOptions<NetworkOptions> options) => RemoveAsync(grains, options, []))
            .WithName("ClearFaults").WithSummary("Ends all faults");
        network.MapDelete("/faults/{name}", async (string name, IGrainFactory grains, IOptions<NetworkOptions> options) =>
        {
            var removed = await RemoveAsync(grains, options, name);
            return removed.Value!.Count > 0 ? removed : throw new NetworkOrderException($"There is no fault '{name}'.");
        }).WithName("RemoveFault").WithSummary("Ends the faults with this id or label");
    }

    private static async Task<IResult> AddFaultAsync(
        FaultOrder order, NetworkViewSource views, IGrainFactory grains, IOptions<NetworkOptions> options, TimeProvider time)
    {
        var view = View(views);
        if (string.IsNullOrEmpty(order.Kind) || !AdminText.TryParse<FaultKind>(order.Kind, out var kind))
            throw new NetworkOrderException($"There is no fault of kind '{order.Kind}'; there are {AdminText.All<FaultKind>()}.");
        var distribution = order.SpreadMs > 0 ? DelayDistribution.Uniform : DelayDistribution.Fixed;
        if (order.Distribution is { Length: > 0 } name && !AdminText.TryParse(name, out distribution))
            throw new NetworkOrderException($"There is no distribution '{name}'; there are {AdminText.All<DelayDistribution>()}.");
        if (order.ForSeconds is not (null or (> 0 and <= 31_536_000)))
            throw new NetworkOrderException("A fault lasts more than 0 seconds and at most a year.");

        var fault = new Fault
        {
            Kind = kind,
            Nodes = NetworkSelectors.Indices(view, order.Nodes, order.Swarms),
            Peers = NetworkSelectors.Indices(view, order.To, order.ToSwarms),
            Probability = order.Probability,
            Delay = Milliseconds(order.DelayMs),
            Spread = Milliseconds(order.SpreadMs),
            Distribution = distribution,
            BytesPerSecond = order.BytesPerSecond,
            Until = order.ForSeconds is { } seconds ? time.GetUtcNow() + TimeSpan.FromSeconds(seconds) : null,
            Label = order.Label,
        };
        var added = await Network(grains, options).AddFaultsAsync([fault]);
        return TypedResults.Created($"/v1/faults/{added[0].Id}", FaultReport.Of(added[0]));
    }

    private static async Task<Microsoft.AspNetCore.Http.HttpResults.Ok<IReadOnlyList<FaultReport>>> RemoveAsync(
        IGrainFactory grains, IOptions<NetworkOptions> options, params string[] names)
    {
        var removed = await Network(grains, options).RemoveFaultsAsync([.. names]);
        return TypedResults.Ok<IReadOnlyList<FaultReport>>([.. removed.Select(FaultReport.Of)]);
    }

    private static TimeSpan Milliseconds(double value) =>
        double.IsFinite(value) && Math.Abs(value) < 1e11 ? TimeSpan.FromMilliseconds(value)
            : throw new NetworkOrderException("A time in milliseconds is out of range.");

    private static INetworkGrain Network(IGrainFactory grains, IOptions<NetworkOptions> options) =>
        grains.GetGrain<INetworkGrain>(options.Value.Name);

    private static NetworkView View(NetworkViewSource views) =>
        views.Current ?? throw new NetworkOrderException("The network has not started yet.");

    private static async ValueTask<object?> ExplainAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        try
        {
            return await next(context);
        }
        catch (NetworkOrderException exception)
        {
            return TypedResults.Problem(exception.Message, statusCode: 400);
        }
    }
}
