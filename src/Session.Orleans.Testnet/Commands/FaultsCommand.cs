using System.CommandLine;
using System.CommandLine.Completions;
using Session.Orleans.Gateway.Admin;
using Session.Orleans.Load;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet faults</c>: makes things go wrong in the running network, and well again.</summary>
internal static class FaultsCommand
{
    private static readonly Option<string> Data = CommonOptions.Data();
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();

    private static readonly Option<string[]> Nodes = CommonOptions.Nodes("--node", "At these nodes, by index (3, 5-7), by 8 or more hex digits of the Ed25519 key or by label");
    private static readonly Option<string[]> Swarms = CommonOptions.List("--swarm", "At all members of these swarms", "ID,...");
    private static readonly Option<string[]> To = CommonOptions.Nodes("--to", "Only on the links from there to these nodes; the other direction is a fault of its own");
    private static readonly Option<string[]> ToSwarms = CommonOptions.List("--to-swarm", "Only on the links from there to all members of these swarms", "ID,...");

    private static readonly Option<bool> Offline = new("--offline") { Description = "No answer, as from a machine that is off" };
    private static readonly Option<bool> Refuse = new("--refuse") { Description = "Connections are refused at once" };
    private static readonly Option<TimeSpan?> Latency = CommonOptions.Duration("--latency", "Requests arrive this much later");
    private static readonly Option<double?> Loss = CommonOptions.Share("--loss", "This share of the requests gets lost");
    private static readonly Option<long?> Bandwidth = CommonOptions.Bandwidth("--bandwidth", "Requests arrive at this many bytes per second");
    private static readonly Option<bool> CorruptLayer = new("--corrupt-layer") { Description = "The node damages the onion layers that it passes on" };
    private static readonly Option<bool> CorruptReply = new("--corrupt-reply") { Description = "The node's answers are damaged" };
    private static readonly Option<bool> WrongSignature = new("--wrong-signature") { Description = "The node's signatures in replies of its swarm are wrong" };
    private static readonly Option<bool> Stale = new("--stale") { Description = "The node returns no messages that are newer than the fault" };
    private static readonly Option<TimeSpan?> Skew = CommonOptions.Duration("--skew", "The node's clock is this much ahead, or behind: -10m", signed: true);
    private static readonly Option<TimeSpan?> SlowStorage = CommonOptions.Duration("--slow-storage", "The node's storage answers this much later");

    private static readonly Option<TimeSpan?> Spread = CommonOptions.Duration("--spread", "Delays of --latency and --slow-storage differ by this much");
    private static readonly Option<string?> Distribution = new Option<string?>("--distribution") { Description = "How delays are spread (default uniform)", HelpName = "uniform|normal" }.AcceptOnlyFromAmong("uniform", "normal");
    private static readonly Option<double?> Probability = CommonOptions.Share("--probability", "The faults meet this share of the requests instead of all");
    private static readonly Option<TimeSpan?> For = CommonOptions.Duration("--for", "The faults end by themselves after this time");
    private static readonly Option<string?> Label = new("--label") { Description = "A word by which the faults can be cleared together", HelpName = "NAME" };

    private static readonly Argument<string[]> Names = new("ID|LABEL")
    {
        Description = "Faults to end, by id or label",
        Arity = ArgumentArity.ZeroOrMore,
        DefaultValueFactory = _ => [],
    };

    private static readonly Option<bool> All = new("--all") { Description = "End all faults" };

    public static Command Create()
    {
        foreach (var nodes in (Option[])[Nodes, To])
            nodes.CompletionSources.Add(context => CommonOptions.NodeIndices(context.ParseResult, Data).Select(index => new CompletionItem(index)));
        foreach (var swarms in (Option[])[Swarms, ToSwarms])
            swarms.CompletionSources.Add(context => CommonOptions.SwarmIds(context.ParseResult, Data).Select(id => new CompletionItem(id)));
        Names.CompletionSources.Add(context => CommonOptions.FaultNames(context.ParseResult, Data).Select(name => new CompletionItem(name)));

        var add = new Command("add", "Begins faults at nodes or on the links between them: all that are named, or none")
        {
            Nodes, Swarms, To, ToSwarms,
            Offline, Refuse, Latency, Loss, Bandwidth, CorruptLayer, CorruptReply, WrongSignature, Stale, Skew, SlowStorage,
            Spread, Distribution, Probability, For, Label, Data, Output,
        };
        add.SetAction(AddAsync);
        var list = new Command("list", "Shows the faults in force") { Data, Output };
        list.SetAction(ListAsync);
        var clear = new Command("clear", "Ends faults") { Names, All, Data, Output };
        clear.SetAction(ClearAsync);
        return new Command("faults", "Makes things go wrong in the running network: latency, loss, corruption, wrong clocks") { add, list, clear };
    }

    private static async Task<int> AddAsync(ParseResult options, CancellationToken cancellationToken)
    {
        var faults = new FaultSet
        {
            Offline = options.GetValue(Offline),
            Refuse = options.GetValue(Refuse),
            Latency = options.GetValue(Latency),
            Loss = options.GetValue(Loss),
            Bandwidth = options.GetValue(Bandwidth),
            CorruptLayer = options.GetValue(CorruptLayer),
            CorruptReply = options.GetValue(CorruptReply),
            WrongSignature = options.GetValue(WrongSignature),
            Stale = options.GetValue(Stale),
            Skew = options.GetValue(Skew),
            SlowStorage = options.GetValue(SlowStorage),
            Spread = options.GetValue(Spread),
            Distribution = options.GetValue(Distribution),
            Probability = options.GetValue(Probability),
            For = options.GetValue(For),
            Label = options.GetValue(Label),
        };
        string[] nodes = options.GetValue(Nodes)!, swarms = options.GetValue(Swarms)!;
        if (nodes.Length + swarms.Length == 0)
            throw new CommandException(ExitCodes.Usage, "Say where with --node or --swarm.");
        if (faults.Problem(name => $"--{name}") is { } problem)
            throw new CommandException(ExitCodes.Usage, problem);

        using var admin = AdminClient.Open(options.GetValue(Data)!);
        var added = await admin.AddFaultsAsync(
            faults.ToOrders(nodes, swarms, options.GetValue(To), options.GetValue(ToSwarms)), cancellationToken);
        Print(added, options.GetValue(Output), "");
        return ExitCodes.Ok;
    }

    private static async Task<int> ListAsync(ParseResult options, CancellationToken cancellationToken)
    {
        using var admin = AdminClient.Open(options.GetValue(Data)!);
        Print(await admin.GetFaultsAsync(cancellationToken), options.GetValue(Output), "no faults");
        return ExitCodes.Ok;
    }

    private static async Task<int> ClearAsync(ParseResult options, CancellationToken cancellationToken)
    {
        var names = options.GetValue(Names)!;
        if (names.Length > 0 == options.GetValue(All))
            throw new CommandException(ExitCodes.Usage, "Name faults by id or label, or say --all.");
        using var admin = AdminClient.Open(options.GetValue(Data)!);
        var ended = await admin.RemoveFaultsAsync(names, cancellationToken);
        if (options.GetValue(Output) is OutputFormat.Json)
            Console.WriteLine(ended.Json);
        else
            Console.WriteLine(ended.Value.Count == 0 ? "no faults" : $"ended: {string.Join(", ", ended.Value.Select(fault => fault.Id))}");
        return ExitCodes.Ok;
    }

    private static void Print(AdminReply<IReadOnlyList<FaultReport>> faults, OutputFormat format, string none)
    {
        if (format is OutputFormat.Json)
        {
            Console.WriteLine(faults.Json);
            return;
        }

        if (faults.Value.Count == 0)
        {
            Console.WriteLine(none);
            return;
        }

        var now = DateTimeOffset.UtcNow;
        var table = Tables.Create("=id", "fault", "=nodes", "=ends", "label");
        foreach (var fault in faults.Value)
        {
            var left = fault.Until is not { } until ? "" : until > now ? $"in {Quantities.Format(TimeSpan.FromSeconds(Math.Ceiling((until - now).TotalSeconds)))}" : "now";
            table.AddPlainRow(fault.Id, Tables.Describe(fault), Tables.DescribePlace(fault), left, fault.Label ?? "");
        }

        Tables.Print(table);
    }
}
