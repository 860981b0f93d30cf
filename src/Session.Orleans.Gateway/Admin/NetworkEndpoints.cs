using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Options;
using Session.Orleans.Gateway.Hosting;
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
        network.MapPost("/nodes", RegisterAsync).WithName("RegisterNodes").WithSummary("Registers nodes, with their full stake");
        foreach (var (verb, order, summary) in (ReadOnlySpan<(string, NodeOrderKind, string)>)[
            ("decommission", NodeOrderKind.Decommission, "Takes a node out of its swarm until it is recommissioned"),
            ("recommission", NodeOrderKind.Recommission, "Brings a decommissioned node back"),
            ("deregister", NodeOrderKind.Deregister, "Removes a node and locks its stake"),
            ("leave", NodeOrderKind.Leave, "Lets a node leave by itself after the time the chain sets")])
        {
            network.MapPost("/nodes/{node}/" + verb, async (string node, NetworkViewSource views, IGrainFactory grains, IOptions<NetworkOptions> options) =>
            {
                var index = NetworkSelectors.Node(View(views), node).Index;
                return Report(await Network(grains, options).OrderAsync(order, [index]), [index]);
            }).WithName(order + "Node").WithSummary(summary);
        }

        network.MapGet("/chain", ChainAsync).WithName("Chain").WithSummary("Height, clock and ledger");
        network.MapPost("/chain/step", async (int? blocks, IGrainFactory grains, IOptions<NetworkOptions> options) =>
            Report(await Network(grains, options).StepAsync(blocks ?? 1), await Network(grains, options).GetLedgerAsync()))
            .WithName("StepChain").WithSummary("Makes blocks at once");
        network.MapPost("/chain/pause", async (IGrainFactory grains, IOptions<NetworkOptions> options) =>
            Report(await Network(grains, options).SetClockAsync(runs: false), await Network(grains, options).GetLedgerAsync()))
            .WithName("PauseChain").WithSummary("Stops blocks from coming by themselves");
        network.MapPost("/chain/resume", async (IGrainFactory grains, IOptions<NetworkOptions> options) =>
            Report(await Network(grains, options).SetClockAsync(runs: true), await Network(grains, options).GetLedgerAsync()))
            .WithName("ResumeChain").WithSummary("Lets blocks come by themselves");
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

    private static async Task<Ok<IReadOnlyList<FaultReport>>> RemoveAsync(
        IGrainFactory grains, IOptions<NetworkOptions> options, params string[] names)
    {
        var removed = await Network(grains, options).RemoveFaultsAsync([.. names]);
        return TypedResults.Ok<IReadOnlyList<FaultReport>>([.. removed.Select(FaultReport.Of)]);
    }

    private static async Task<Ok<NodeOrderReport>> RegisterAsync(
        RegistrationOrder order, NetworkViewSource views, IGrainFactory grains, IOptions<NetworkOptions> options, IOptions<GatewayOptions> gateway)
    {
        var view = View(views);
        if (order.Count is < 1 or > NetworkOptions.MaxNodes)
            throw new NetworkOrderException($"Between 1 and {NetworkOptions.MaxNodes} nodes can be registered at once.");
        // Only where a port is open do clients find the node.
        var ports = gateway.Value.NodePorts;
        var indices = order.Nodes is { Count: > 0 } named ? [.. named]
            : Enumerable.Range(0, ports).Where(index => !view.TryGetNode(index, out _)).Take(order.Count).ToArray();
        if (indices.Length == 0 || (order.Nodes is null && indices.Length < order.Count) || indices.Any(index => index >= ports))
            throw new NetworkOrderException($"There are ports for {ports} nodes, 0 to {ports - 1}; start the network with more of them (Gateway:NodePorts).");
        return Report(await Network(grains, options).OrderAsync(NodeOrderKind.Register, [.. indices]), indices);
    }

    private static Ok<NodeOrderReport> Report(NetworkState state, IReadOnlyCollection<int> indices) => TypedResults.Ok(new NodeOrderReport(
        state.Height,
        [.. indices.Select(index => new NodeOrderEffect(
            index, state.Nodes.FirstOrDefault(node => node.Index == index) is { } node ? AdminText.Of(node.State) : null))]));

    private static async Task<Ok<ChainReport>> ChainAsync(NetworkViewSource views, IGrainFactory grains, IOptions<NetworkOptions> options) =>
        Report(View(views).State, await Network(grains, options).GetLedgerAsync());

    private static Ok<ChainReport> Report(NetworkState state, LedgerState ledger) => TypedResults.Ok(new ChainReport(
        state.Height, Convert.ToHexStringLower(state.BlockHash.AsSpan()), state.BlockTime.TotalSeconds, state.IsPaused,
        ledger.Minted, ledger.Balances, ledger.Stakes, ledger.Locked));

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
