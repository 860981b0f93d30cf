using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Runtime.InteropServices;
using Session.Orleans.Load;
using Session.Orleans.Load.Plan;
using Session.Orleans.Load.Results;
using Session.Orleans.Load.Traces;
using Session.Orleans.Protocol.Communities;
using Session.Orleans.Testnet.Bench;
using Session.Orleans.Testnet.LoadTests;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet load</c>: virtual users, and what became of every message they sent.</summary>
internal static class LoadCommand
{
    private static readonly Option<string?> Scenario = new("--scenario") { Description = "What to do, from a YAML file; docs/load.schema.json describes it, examples/load has some", HelpName = "FILE" };
    private static readonly Option<double?> Rate = CreateRate();
    private static readonly Option<int?> Users = new("--users") { Description = "Without a file: accounts that poll (default 100); without --rate each sends when its last message is answered and a pause is over (closed loop)", HelpName = "N" };
    private static readonly Option<TimeSpan?> Duration = CommonOptions.Duration("--duration", "Without a file: how long (default 1m)");
    private static readonly Option<TimeSpan?> WarmUp = CommonOptions.Duration("--warm-up", "Leave the beginning out of all times; the ledger has it all the same");
    private static readonly Option<TimeSpan?> PollInterval = CommonOptions.Duration("--poll-interval", "Pause between a user's rounds of polling (default 5s, as clients)");
    private static readonly Option<int?> RandomSeed = new("--random-seed") { Description = "Of accounts, contacts, sizes and times: the same number makes the same load (default 1)", HelpName = "N" };
    private static readonly Option<double> Speed = new("--speed") { Description = "Divide the lengths of all stages by this factor", HelpName = "FACTOR", DefaultValueFactory = _ => 1 };
    private static readonly Option<double> Scale = new("--scale") { Description = "Multiply all rates and numbers of users by this factor", HelpName = "FACTOR", DefaultValueFactory = _ => 1 };
    private static readonly Option<string?> ShardOption = new("--shard") { Description = "Do one part of the run: i/n, or auto/n in an indexed Kubernetes job. User u is in shard u mod n and writes to users of its shard only, so each process has the whole ledger of its own; 'load merge' joins the results", HelpName = "i/n" };
    private static readonly Option<string[]> FailIf = new("--fail-if") { Description = $"End with exit code 4 if this holds; may be repeated: {Threshold.Form}", HelpName = "CONDITION", DefaultValueFactory = _ => [] };
    private static readonly Option<string?> Result = new("--result") { Description = "Write the result to this JSON file", HelpName = "FILE" };
    private static readonly Option<string?> Report = new("--report") { Description = "Write a report to this HTML file, which needs nothing else", HelpName = "FILE" };
    private static readonly Option<double?> Traces = CommonOptions.Share("--trace", "Share of the requests with a trace context, to be looked up where the network keeps its traces (default 0)");
    private static readonly Option<int?> TracePort = TraceEndpoint.Port();
    private static readonly Option<bool> PreBuilt = new("--pre-built") { Description = "Measure the server alone: polls are made before and opened after they are sent, in rounds; needs --rate, requests per second" };
    private static readonly Option<int?> MetricsPort = MetricsEndpoint.Port();
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();
    private static readonly TargetOptions Target = new(withFiles: true);

    public static Command Create()
    {
        Speed.Validators.Add(CheckFactor);
        Scale.Validators.Add(CheckFactor);
        var command = new Command("load", "Virtual users that behave like clients, and a ledger of every message they send")
        {
            Scenario, Rate, Users, Duration, WarmUp, PollInterval, RandomSeed, Speed, Scale, ShardOption, FailIf, Result, Report, Traces, TracePort, PreBuilt, MetricsPort, Output,
        };
        Target.AddTo(command);
        command.SetAction((options, _) => RunAsync(options));
        command.Add(LoadCompareCommand.Create());
        command.Add(LoadMergeCommand.Create());
        return command;
    }

    /// <summary>A condition of the command line.</summary>
    public static Threshold[] ReadThresholds(IEnumerable<string> texts) => [.. texts.Select(text =>
        Threshold.TryParse(text, out var threshold) ? threshold! : throw new CommandException(ExitCodes.Usage, $"--fail-if takes {Threshold.Form}; not '{text}'."))];

    /// <summary>Writes what was asked for, and fails if a threshold was crossed.</summary>
    public static int Finish(LoadResult result, string? resultFile, string? reportFile, OutputFormat output)
    {
        if (resultFile is not null)
            result.Save(resultFile);
        if (reportFile is not null)
            HtmlReport.Save(reportFile, result);
        if (output is OutputFormat.Json)
            Console.WriteLine(result.ToJson());
        else
            LoadSummary.Print(result);
        var failed = result.Thresholds.Where(threshold => threshold.Failed).ToArray();
        return failed.Length == 0 ? ExitCodes.Ok : throw new CommandException(ExitCodes.CheckFailed, string.Create(CultureInfo.InvariantCulture,
            $"{failed.Length} of {result.Thresholds.Count} thresholds crossed: {string.Join("; ", failed.Select(one => $"{one.Condition}: {one.Figure}"))}."));
    }

    private static async Task<int> RunAsync(ParseResult options)
    {
        var plan = ReadPlan(options);
        var target = Target.Read(options);
        var shard = Shard.Whole;
        if (options.GetValue(ShardOption) is { } text && !Shard.TryParse(text, Environment.GetEnvironmentVariable(Shard.IndexVariable), out shard))
            throw new CommandException(ExitCodes.Usage, $"--shard takes {Shard.Form}; not '{text}'.");

        if (options.GetValue(TracePort) is not null && options.GetValue(Traces) is not > 0)
            throw new CommandException(ExitCodes.Usage, "--trace-port needs --trace: without it no request is traced.");

        // The first signal ends the load and lets what was sent be read; the second ends that too. Either way there is a report.
        using var stop = new CancellationTokenSource();
        using var abort = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            (stop.IsCancellationRequested ? abort : stop).Cancel();
        }

        using var metrics = new LoadMetrics();
        await using var endpoint = await MetricsEndpoint.StartAsync(options.GetValue(MetricsPort), stop.Token);
        var traces = options.GetValue(TracePort) is null ? null : new TraceCollector(TimeProvider.System);
        await using var tracing = traces is null ? null : await TraceEndpoint.StartAsync(options.GetValue(TracePort)!.Value, traces, stop.Token);
        var result = await LoadView.ShowAsync(plan, shard, watch =>
        {
            var circumstances = new LoadOptions
            {
                Shard = shard,
                TraceShare = options.GetValue(Traces) ?? 0,
                Traces = traces,
                MakeRooms = Target.Describe(options) is { } network ? (tokens, cancellation) => MakeRoomsAsync(network, tokens, cancellation) : null,
                Watch = status =>
                {
                    metrics.Status = status;
                    watch(status);
                },
                Observe = metrics.Observe,
                Cpu = Machine.ReadCpuModel(),
            };
            return options.GetValue(PreBuilt) ? PreBuiltRun.RunAsync(plan, target, circumstances, stop.Token) : LoadRun.RunAsync(plan, target, circumstances, stop.Token, abort.Token);
        });
        return Finish(result, options.GetValue(Result), options.GetValue(Report), options.GetValue(Output));
    }

    /// <summary>Makes rooms by the admin API, unless an earlier run has made them.</summary>
    private static async Task<IReadOnlyList<CommunityUrl>> MakeRoomsAsync(TestnetDescription network, IReadOnlyList<string> tokens, CancellationToken cancellationToken)
    {
        using var admin = AdminClient.Open(network);
        var known = (await admin.GetCommunitiesAsync(cancellationToken)).Value.Rooms.ToDictionary(room => room.Token, StringComparer.OrdinalIgnoreCase);
        var urls = new List<CommunityUrl>(tokens.Count);
        foreach (var token in tokens)
        {
            var room = known.TryGetValue(token, out var there) ? there
                : (await admin.CreateCommunityAsync(new(token, Name: null, "Made for a load run"), cancellationToken)).Value;
            urls.Add(CommunityUrl.TryParse(room.JoinUrl, out var url) ? url
                : throw new CommandException(ExitCodes.Failed, "The plan makes rooms, but the network runs no community server (--no-communities)."));
        }

        return urls;
    }

    private static LoadPlan ReadPlan(ParseResult options)
    {
        LoadPlan plan;
        if (options.GetValue(Scenario) is { } file)
        {
            if (options.GetValue(Rate) is not null || options.GetValue(Users) is not null || options.GetValue(Duration) is not null)
                throw new CommandException(ExitCodes.Usage, "--rate, --users and --duration are for runs without a file; change a scenario with --scale and --speed.");
            plan = PlanFile.Read(file, LoadPlanReader.Read);
        }
        else
        {
            var users = options.GetValue(Users) ?? new LoadPlan().Users;
            if (users is < 1 or > LoadPlanReader.MaxUsers)
                throw new CommandException(ExitCodes.Usage, $"--users must be from 1 to {LoadPlanReader.MaxUsers}.");
            var length = options.GetValue(Duration) ?? TimeSpan.FromMinutes(1);
            if (length <= TimeSpan.Zero)
                throw new CommandException(ExitCodes.Usage, "--duration must be more than 0.");
            plan = new() { Users = users, Stages = [new(length) { Rate = options.GetValue(Rate) }] };
        }

        plan = plan.Scaled(options.GetValue(Speed), options.GetValue(Scale));
        plan = plan with
        {
            Seed = options.GetValue(RandomSeed) ?? plan.Seed,
            WarmUp = options.GetValue(WarmUp) ?? plan.WarmUp,
            Poll = options.GetValue(PollInterval) is { } interval ? plan.Poll with { Interval = Distribution.Fixed(interval.TotalSeconds) } : plan.Poll,
            FailIf = [.. plan.FailIf, .. ReadThresholds(options.GetValue(FailIf)!)],
        };
        if (plan.WarmUp >= plan.Duration)
            throw new CommandException(ExitCodes.Usage, $"--warm-up must be shorter than the run, {Quantities.Format(plan.Duration)}.");
        if (options.GetValue(PreBuilt) && !plan.IsOpen)
            throw new CommandException(ExitCodes.Usage, "--pre-built needs a --rate.");
        return plan;
    }

    private static void CheckFactor(OptionResult option)
    {
        if (option.Tokens is [var token] && !(double.TryParse(token.Value, CultureInfo.InvariantCulture, out var factor) && factor is > 0 and <= 10_000))
            option.AddError($"{option.Option.Name} takes a number above 0 and at most 10000, not '{token.Value}'.");
    }

    private static Option<double?> CreateRate() => new("--rate")
    {
        Description = "Without a file: messages sent per second over all users, whatever the answers take; times count from when each was due (open loop)",
        HelpName = "RATE",
        CustomParser = argument =>
        {
            if (Quantities.TryParseRate(argument.Tokens[0].Value, out var rate))
                return rate;
            argument.AddError($"--rate takes a rate such as 50/s or 30/m, not '{argument.Tokens[0].Value}'.");
            return null;
        },
    };
}
