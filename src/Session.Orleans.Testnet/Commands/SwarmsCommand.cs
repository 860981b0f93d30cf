using System.CommandLine;
using System.CommandLine.Completions;
using Session.Orleans.Gateway.Admin;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet swarms</c>: the swarms of the running network, and whose messages they keep.</summary>
internal static class SwarmsCommand
{
    private static readonly Option<string> Data = CommonOptions.Data();
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();
    private static readonly Argument<string> Id = new("ID") { Description = "Swarm id in hex" };
    private static readonly Argument<string> Account = new("PUBKEY") { Description = "Session ID or other account: 66 hex digits" };

    public static Command Create()
    {
        Id.CompletionSources.Add(context => CommonOptions.SwarmIds(context.ParseResult, Data).Select(id => new CompletionItem(id)));
        var list = new Command("list", "Shows all swarms") { Data, Output };
        list.SetAction(ListAsync);
        var show = new Command("show", "Shows the members of a swarm") { Id, Data, Output };
        show.SetAction((options, cancellationToken) => ShowAsync(options, admin => admin.GetSwarmAsync(options.GetValue(Id)!, cancellationToken), cancellationToken));
        var map = new Command("map", "Shows the swarm that keeps an account's messages") { Account, Data, Output };
        map.SetAction((options, cancellationToken) =>
        {
            var account = options.GetValue(Account)!;
            if (!AccountId.TryParse(account, out _))
                throw new CommandException(ExitCodes.Usage, $"An account is 66 hex digits, network prefix and public key, not '{account}'.");
            return ShowAsync(options, admin => admin.MapAccountAsync(account, cancellationToken), cancellationToken);
        });
        return new Command("swarms", "Shows the swarms of the running network") { list, show, map };
    }

    private static async Task<int> ListAsync(ParseResult options, CancellationToken cancellationToken)
    {
        using var admin = AdminClient.Open(options.GetValue(Data)!);
        var swarms = await admin.GetSwarmsAsync(cancellationToken);
        if (options.GetValue(Output) is OutputFormat.Json)
        {
            Console.WriteLine(swarms.Json);
            return ExitCodes.Ok;
        }

        var table = Tables.Create("swarm", ">size", "members");
        foreach (var swarm in swarms.Value)
            table.AddPlainRow(swarm.Id, $"{swarm.Members.Count}", Tables.RangesInLines(swarm.Members));
        Tables.Print(table);
        return ExitCodes.Ok;
    }

    private static async Task<int> ShowAsync(
        ParseResult options, Func<AdminClient, Task<AdminReply<SwarmReport>>> find, CancellationToken cancellationToken)
    {
        using var admin = AdminClient.Open(options.GetValue(Data)!);
        var swarm = await find(admin);
        if (options.GetValue(Output) is OutputFormat.Json)
        {
            Console.WriteLine(swarm.Json);
            return ExitCodes.Ok;
        }

        Console.WriteLine($"swarm {swarm.Value.Id}, {swarm.Value.Members.Count} members");
        var nodes = await admin.GetNodesAsync(cancellationToken);
        NodesCommand.PrintTable(nodes.Value.Where(node => swarm.Value.Members.Contains(node.Index)));
        return ExitCodes.Ok;
    }
}
