using System.CommandLine;
using System.CommandLine.Completions;
using Session.Orleans.Gateway.Admin;

namespace Session.Orleans.Testnet.Commands;

/// <summary>The orders among the commands of <c>session-testnet nodes</c>. Each makes a block at once, so its effect is there when it returns.</summary>
internal static class NodeOrderCommands
{
    private static readonly Option<string> Data = CommonOptions.Data();
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();
    private static readonly Option<int> Count = new("--count") { Description = "How many nodes to register, at the lowest free indices", DefaultValueFactory = _ => 1 };
    private static readonly Argument<string> Node = new("NODE") { Description = "Index, or 8 or more hex digits of the Ed25519 key" };

    public static IEnumerable<Command> Create()
    {
        Node.CompletionSources.Add(context => CommonOptions.NodeIndices(context.ParseResult, Data).Select(index => new CompletionItem(index)));
        var add = new Command("add", "Registers nodes; there must be ports for them (up --max-nodes)") { Count, Data, Output };
        add.SetAction((options, cancellationToken) => RunAsync(
            options, admin => admin.RegisterNodesAsync(new(Count: options.GetValue(Count)), cancellationToken)));
        yield return add;
        yield return Order("decommission", "Takes a node out of its swarm until it is recommissioned");
        yield return Order("recommission", "Brings a decommissioned node back");
        yield return Order("leave", "Lets a node leave by itself, after the 15 days of the chain (divided by --chain-speed)");
        var remove = Order("remove", "Removes a node at once and locks its stake", "deregister");
        remove.Aliases.Add("deregister");
        yield return remove;
    }

    private static Command Order(string name, string description, string? verb = null)
    {
        var command = new Command(name, description) { Node, Data, Output };
        command.SetAction((options, cancellationToken) => RunAsync(
            options, admin => admin.OrderNodeAsync(options.GetValue(Node)!, verb ?? name, cancellationToken)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult options, Func<AdminClient, Task<AdminReply<NodeOrderReport>>> order)
    {
        using var admin = AdminClient.Open(options.GetValue(Data)!);
        var reply = await order(admin);
        if (options.GetValue(Output) is OutputFormat.Json)
        {
            Console.WriteLine(reply.Json);
            return ExitCodes.Ok;
        }

        foreach (var node in reply.Value.Nodes)
            Console.WriteLine($"node {node.Index} is {node.State ?? "gone"} since block {reply.Value.Height}");
        return ExitCodes.Ok;
    }
}
