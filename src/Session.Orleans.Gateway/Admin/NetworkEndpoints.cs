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
        var network = api.MapGroup("").AddEndpointFilter(ExplainAsync).ProducesProblem(400).ProducesProblem(401).ProducesProblem(503);
        network.MapGet("/nodes", (NetworkViewSource views) =>
            TypedResults.Ok<IReadOnlyList<NodeReport>>([.. View(views).Nodes.Select(node => NodeReport.Of(node, View(views)))]))
            .WithName("ListNodes").WithSummary("All service nodes");
        network.MapGet("/nodes/{node}", (string node, NetworkViewSource views) =>
            TypedResults.Ok(NodeReport.Of(NetworkSelectors.Node(View(views), node), View(views))))
            .WithName("ShowNode").WithSummary("One service node, by index or Ed25519 key").ProducesProblem(404);
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
            }).WithName(order + "Node").WithSummary(summary).ProducesProblem(404);
        }

        network.MapPut("/labels/{label}", (string label, LabelOrder order, NetworkViewSource views, IGrainFactory grains, IOptions<NetworkOptions> options) =>
            LabelAsync(label, order.Nodes, isSet: true, views, grains, options))
            .WithName("AddLabel").WithSummary("Gives nodes a label, by which faults find them").ProducesProblem(404);
        network.MapDelete("/labels/{label}", (string label, string[]? node, NetworkViewSource views, IGrainFactory grains, IOptions<NetworkOptions> options) =>
            LabelAsync(label, node ?? [], isSet: false, views, grains, options))
            .WithName("RemoveLabel").WithSummary("Takes a label from these nodes, or from all if none is named").ProducesProblem(404);
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
            .WithName("ShowSwarm").WithSummary("One swarm, by id").ProducesProblem(404);
        network.MapGet("/accounts/{account}/swarm", (string account, NetworkViewSource views) =>
            AccountId.TryParse(account, out var id)
                ? TypedResults.Ok(View(views).SwarmOf(id) is { } swarm ? SwarmReport.Of(swarm) : throw new NotInNetworkException("There is no swarm at all."))
                : throw new NetworkOrderException("An account is 66 hex digits: network prefix and public key."))
            .WithName("MapAccount").WithSummary("The swarm that keeps an account's messages");
        network.MapGet("/faults", (NetworkViewSource views) => TypedResults.Ok<IReadOnlyList<FaultReport>>([.. View(views).State.Faults.Select(FaultReport.Of)]))
            .WithName("ListFaults").WithSummary("What is made to go wrong");
        network.MapPost("/faults", AddFaultsAsync).WithName("AddFaults").WithSummary("Makes things go wrong: all that are listed, or none")
            .ProducesProblem(404);
        network.MapDelete("/faults", (string[]? name, FaultOrders faults) => RemoveAsync(faults, name ?? []))
            .WithName("ClearFaults").WithSummary("Ends the faults with these ids or labels, or all if none is named").ProducesProblem(404);
        network.MapDelete("/faults/{name}", (string name, FaultOrders faults) => RemoveAsync(faults, [name]))
            .WithName("RemoveFault").WithSummary("Ends the faults with this id or label").ProducesProblem(404);
    }

    private static async Task<Created<IReadOnlyList<FaultReport>>> AddFaultsAsync(
        IReadOnlyList<FaultOrder> orders, NetworkViewSource views, FaultOrders faults) =>
        TypedResults.Created("/v1/faults", await faults.AddAsync(View(views), orders));

    private static async Task<Ok<IReadOnlyList<FaultReport>>> RemoveAsync(FaultOrders faults, string[] names) =>
        TypedResults.Ok(await faults.RemoveAsync(names));

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

    private static async Task<Ok<LabelReport>> LabelAsync(
        string label, IReadOnlyList<string> selectors, bool isSet, NetworkViewSource views, IGrainFactory grains, IOptions<NetworkOptions> options)
    {
        var nodes = NetworkSelectors.Indices(View(views), selectors, []);
        if (isSet && nodes.IsEmpty)
            throw new NetworkOrderException("A label needs at least one node.");
        if (!isSet && !View(views).Labelled(label).Any())
            throw new NotInNetworkException($"No node has the label '{label}'.");
        var state = await Network(grains, options).SetLabelAsync(label, nodes, isSet);
        return TypedResults.Ok(new LabelReport(label, [.. state.Labels.Where(each => each.Label == label).Select(each => each.Index)]));
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

    private static INetworkGrain Network(IGrainFactory grains, IOptions<NetworkOptions> options) =>
        grains.GetGrain<INetworkGrain>(options.Value.Name);

    private static NetworkView View(NetworkViewSource views) =>
        views.Current ?? throw new NotStartedException("The network has not started yet.");

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
        catch (NotInNetworkException exception)
        {
            return TypedResults.Problem(exception.Message, statusCode: 404);
        }
        catch (NotStartedException exception)
        {
            return TypedResults.Problem(exception.Message, statusCode: 503);
        }
    }

    private sealed class NotStartedException(string message) : Exception(message);
}
