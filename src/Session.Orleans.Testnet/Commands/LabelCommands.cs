using System.CommandLine;
using System.CommandLine.Completions;
using Session.Orleans.Gateway.Admin;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet nodes label</c> and <c>unlabel</c>: words for nodes, by which faults and scenarios find them.</summary>
internal static class LabelCommands
{
    private static readonly Option<string> Data = CommonOptions.Data();
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();
    private static readonly Argument<string> Label = new("LABEL") { Description = "1 to 32 of a-z, 0-9, '-', '_' and '.', the first one a letter" };
    private static readonly Argument<string[]> Nodes = CommonOptions.NodeArguments("NODE", "Nodes by index (3, 5-7), by 8 or more hex digits of the Ed25519 key, or by another label", ArgumentArity.OneOrMore);
    private static readonly Argument<string[]> SomeNodes = CommonOptions.NodeArguments("NODE", "Nodes to take it from; all that have it, if none is named", ArgumentArity.ZeroOrMore);

    public static IEnumerable<Command> Create()
    {
        foreach (var nodes in (Argument[])[Nodes, SomeNodes])
            nodes.CompletionSources.Add(context => CommonOptions.NodeIndices(context.ParseResult, Data).Select(index => new CompletionItem(index)));
        var label = new Command("label", "Gives nodes a label, by which 'faults add --node LABEL' and scenarios find them") { Label, Nodes, Data, Output };
        label.SetAction((options, cancellationToken) => RunAsync(
            options, admin => admin.AddLabelAsync(options.GetValue(Label)!, options.GetValue(Nodes)!, cancellationToken)));
        yield return label;
        var unlabel = new Command("unlabel", "Takes a label from nodes") { Label, SomeNodes, Data, Output };
        unlabel.SetAction((options, cancellationToken) => RunAsync(
            options, admin => admin.RemoveLabelAsync(options.GetValue(Label)!, options.GetValue(SomeNodes)!, cancellationToken)));
        yield return unlabel;
    }

    private static async Task<int> RunAsync(ParseResult options, Func<AdminClient, Task<AdminReply<LabelReport>>> order)
    {
        using var admin = AdminClient.Open(options.GetValue(Data)!);
        var reply = await order(admin);
        var nodes = reply.Value.Nodes;
        Console.WriteLine(options.GetValue(Output) is OutputFormat.Json ? reply.Json
            : nodes.Count == 0 ? $"no node has the label {reply.Value.Label}"
            : $"{reply.Value.Label}: node{(nodes.Count == 1 ? "" : "s")} {string.Join(", ", nodes)}");
        return ExitCodes.Ok;
    }
}
