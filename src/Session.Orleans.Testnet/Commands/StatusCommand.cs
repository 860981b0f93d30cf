using System.CommandLine;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet status</c>: the running network at a glance.</summary>
internal static class StatusCommand
{
    private static readonly Option<string> Data = CommonOptions.Data();
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();

    public static Command Create()
    {
        var command = new Command("status", "Shows height, nodes, swarms and live messages of the running network") { Data, Output };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult options, CancellationToken cancellationToken)
    {
        var network = TestnetDescription.Load(options.GetValue(Data)!);
        using var admin = AdminClient.Open(network);
        var reply = await admin.GetStatusAsync(cancellationToken);
        if (options.GetValue(Output) is OutputFormat.Json)
        {
            Console.WriteLine(reply.Json);
            return ExitCodes.Ok;
        }

        var status = reply.Value;
        var table = Tables.Create("network", network.SeedUrl);
        table.AddPlainRow("height", $"{status.Height}  ({status.BlockHash[..16]}…)");
        table.AddPlainRow("hard fork", status.HardFork);
        table.AddPlainRow("service nodes", $"{status.ActiveNodes} active of {status.Nodes}");
        table.AddPlainRow("swarms", string.Join("\n", status.Swarms.Select(swarm => $"{swarm.Id,-16}  {swarm.Members} members")));
        table.AddPlainRow("mailboxes", $"{status.Mailboxes}");
        table.AddPlainRow("live messages", $"{status.LiveMessages}");
        Tables.Print(table);
        return ExitCodes.Ok;
    }
}
