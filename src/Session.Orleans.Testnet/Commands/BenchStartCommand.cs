using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Session.Orleans.Grains.Network;
using Session.Orleans.Testnet.Bench;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet bench start</c>: how long a network takes to get ready, and what it holds then.</summary>
internal static class BenchStartCommand
{
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(2);

    private static readonly Option<int> Nodes = new("--nodes") { Description = "Service nodes, 1..500", DefaultValueFactory = _ => BenchNetwork.DefaultNodes };
    private static readonly Option<int> Rounds = new("--rounds") { Description = "How many networks to start, one after another", DefaultValueFactory = _ => 5 };
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();

    public static Command Create()
    {
        var command = new Command("start", "Measures the time from process start to 'testnet ready', and the memory two seconds later") { Nodes, Rounds, Output };
        command.SetAction((options, _) => StopOrder.CancelsAsync(stop => RunAsync(options, stop)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult options, CancellationToken cancellationToken)
    {
        int nodes = options.GetValue(Nodes), rounds = options.GetValue(Rounds);
        if (nodes is < 1 or > NetworkOptions.MaxNodes || rounds < 1)
            throw new CommandException(ExitCodes.Usage, $"--nodes must be between 1 and {NetworkOptions.MaxNodes}, and --rounds at least 1.");

        var (seconds, megabytes) = (new List<double>(), new List<double>());
        for (var round = 1; round <= rounds; round++)
        {
            await Console.Error.WriteLineAsync($"round {round} of {rounds}");
            await using var network = await BenchNetwork.StartAsync(durable: false, cancellationToken, nodes);
            await Task.Delay(Rest, cancellationToken);
            seconds.Add(network.ReadyAfter!.Value.TotalSeconds);
            megabytes.Add(network.WorkingSet / 1e6);
        }

        var (ready, memory) = (seconds.Order().ElementAt(rounds / 2), megabytes.Order().ElementAt(rounds / 2));
        Console.WriteLine(options.GetValue(Output) is OutputFormat.Json
            ? new JsonObject { ["nodes"] = nodes, ["rounds"] = rounds, ["readySeconds"] = ready, ["mostReadySeconds"] = seconds.Max(), ["workingSetMegabytes"] = memory }.ToJsonString()
            : string.Create(CultureInfo.InvariantCulture, $"{nodes} nodes: ready after {ready:0.0} s (median of {rounds}, at most {seconds.Max():0.0} s), {memory:0} MB"));
        return ExitCodes.Ok;
    }
}
