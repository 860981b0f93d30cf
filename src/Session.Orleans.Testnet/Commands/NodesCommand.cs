using System.CommandLine;
using System.CommandLine.Completions;
using Session.Orleans.Gateway.Admin;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet nodes</c>: the service nodes of the running network.</summary>
internal static class NodesCommand
{
    private const int ShortKey = 8;

    private static readonly Option<string> Data = CommonOptions.Data();
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();
    private static readonly Argument<string> Node = new("NODE") { Description = "Index, or 8 or more hex digits of the Ed25519 key" };

    public static Command Create()
    {
        Node.CompletionSources.Add(context => CommonOptions.NodeIndices(context.ParseResult, Data).Select(index => new CompletionItem(index)));
        var list = new Command("list", "Shows all service nodes") { Data, Output };
        list.SetAction(ListAsync);
        var show = new Command("show", "Shows one service node") { Node, Data, Output };
        show.SetAction(ShowAsync);
        var nodes = new Command("nodes", "Shows the service nodes of the running network and gives them orders") { list, show };
        foreach (var order in NodeOrderCommands.Create().Concat(LabelCommands.Create()))
            nodes.Add(order);
        return nodes;
    }

    /// <summary>A table of nodes that fits 80 columns.</summary>
    public static void PrintTable(IEnumerable<NodeReport> nodes)
    {
        // Most networks have no labels, and then no column for them.
        var all = nodes.ToArray();
        var labelled = all.Any(node => node.Labels.Count > 0);
        var table = Tables.Create([">node", "key", "state", "swarm", ">port", "faults", .. labelled ? ["labels"] : Array.Empty<string>()]);
        foreach (var node in all)
        {
            string[] row = [$"{node.Index}", node.Ed25519[..ShortKey], node.State, node.Swarm ?? "", $"{node.HttpsPort}", string.Join(' ', node.Faults)];
            table.AddPlainRow(labelled ? [.. row, string.Join(' ', node.Labels)] : row);
        }

        Tables.Print(table);
    }

    private static async Task<int> ListAsync(ParseResult options, CancellationToken cancellationToken)
    {
        using var admin = AdminClient.Open(options.GetValue(Data)!);
        var nodes = await admin.GetNodesAsync(cancellationToken);
        if (options.GetValue(Output) is OutputFormat.Json)
            Console.WriteLine(nodes.Json);
        else
            PrintTable(nodes.Value);
        return ExitCodes.Ok;
    }

    private static async Task<int> ShowAsync(ParseResult options, CancellationToken cancellationToken)
    {
        using var admin = AdminClient.Open(options.GetValue(Data)!);
        var reply = await admin.GetNodeAsync(options.GetValue(Node)!, cancellationToken);
        if (options.GetValue(Output) is OutputFormat.Json)
        {
            Console.WriteLine(reply.Json);
            return ExitCodes.Ok;
        }

        var node = reply.Value;
        var faults = (await admin.GetFaultsAsync(cancellationToken)).Value.Where(fault => node.Faults.Contains(fault.Id));
        // No border: with one, a key would not fit 80 columns.
        Say("node", $"{node.Index}");
        Say("Ed25519", node.Ed25519);
        Say("X25519", node.X25519);
        Say("state", $"{node.State} since block {node.StateHeight}, registered at block {node.RegistrationHeight}");
        Say("swarm", node.Swarm is { } swarm ? $"{swarm}, caught up with it at block {node.SyncedAt}" : "none");
        Say("address", $"{node.Ip}:{node.HttpsPort}");
        Say("credit", $"{node.DowntimeCredit} blocks of downtime; decommissioned {node.DecommissionCount} times so far");
        if (node.FailingSince is { } failing)
            Say("tests", $"found failing by peers since block {failing}");
        if (node.Labels.Count > 0)
            Say("labels", string.Join(' ', node.Labels));
        if (node.RequestedUnlockHeight > 0)
            Say("leaves", $"at block {node.RequestedUnlockHeight}");
        var title = "faults";
        foreach (var fault in faults.Select(fault => $"{fault.Id}: {Tables.Describe(fault)}").DefaultIfEmpty("none"))
        {
            Say(title, fault);
            title = "";
        }

        return ExitCodes.Ok;
    }

    private static void Say(string what, string text) => Console.WriteLine($"{what,-10}{text}");
}
