using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Session.Orleans.Testnet.Scenarios;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet scenario</c>: experiments from files.</summary>
internal static class ScenarioCommand
{
    private static readonly Argument<string> File = new("FILE") { Description = "The scenario, YAML; docs/scenario.schema.json describes it" };
    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Only show what would happen when, and to which nodes" };
    private static readonly Option<double> Speed = new("--speed") { Description = "Divide all times of the scenario by this factor", HelpName = "FACTOR", DefaultValueFactory = _ => 1 };
    private static readonly Option<string> Data = CommonOptions.Data();
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();

    public static Command Create()
    {
        Speed.Validators.Add(CheckSpeed);
        var run = new Command("run", "Carries an experiment out on the running network and checks what must hold") { File, DryRun, Speed, Data, Output };
        run.SetAction((options, _) => RunAsync(options));
        return new Command("scenario", "Experiments from files: traffic, faults in phases, assertions") { run };
    }

    private static async Task<int> RunAsync(ParseResult options)
    {
        var scenario = PlanFile.Read(options.GetValue(File)!, ScenarioReader.Read);
        var speed = options.GetValue(Speed);
        using var admin = AdminClient.Open(options.GetValue(Data)!);
        if (options.GetValue(DryRun))
        {
            var network = ScenarioNetwork.Of((await admin.GetNodesAsync(CancellationToken.None)).Value, (await admin.GetSwarmsAsync(CancellationToken.None)).Value);
            Print(ScenarioReport.Of(scenario, ScenarioPlan.Create(scenario, network, speed), speed), options.GetValue(Output));
            return ExitCodes.Ok;
        }

        // The faults have to be ended also when this process is told to stop.
        using var stop = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stop.Cancel();
        }

        var report = await new ScenarioRunner(admin, speed, Console.Error.WriteLine).RunAsync(scenario, stop.Token);
        Print(report, options.GetValue(Output));
        var failed = report.Assertions.Where(assertion => assertion.Passed is false).ToArray();
        return failed.Length == 0 ? ExitCodes.Ok : throw new CommandException(ExitCodes.CheckFailed, string.Create(CultureInfo.InvariantCulture,
            $"{failed.Length} of {report.Assertions.Count} assertions failed: {string.Join("; ", failed.Select(one => $"{one.Metric} was {one.Figure ?? "not measured"}, wanted {one.Wanted}"))}."));
    }

    private static void CheckSpeed(OptionResult option)
    {
        if (option.Tokens is [var token] && !(double.TryParse(token.Value, CultureInfo.InvariantCulture, out var speed) && speed is > 0 and <= 1000))
            option.AddError($"--speed takes a number above 0 and at most 1000, not '{token.Value}'.");
    }

    private static void Print(ScenarioReport report, OutputFormat format)
    {
        if (format is OutputFormat.Json)
        {
            Console.WriteLine(JsonSerializer.Serialize(report, ScenarioJsonContext.Default.ScenarioReport));
            return;
        }

        var culture = CultureInfo.InvariantCulture;
        if (report.Passed is null)
        {
            Console.WriteLine(string.Create(culture, $"plan of {report.Scenario}: {report.DurationSeconds:0.#} s, seed {report.Seed}"));
            foreach (var (name, nodes) in report.Groups)
                Console.WriteLine($"group {name}: {Tables.Ranges(nodes)}");
            var plan = Tables.Create(">at", "phase", "what");
            foreach (var one in report.Events)
                plan.AddPlainRow(string.Create(culture, $"{one.AtSeconds:0.##}s"), one.Phase, one.What);
            Tables.Print(plan);
        }

        if (report.Traffic is { } traffic)
        {
            Console.WriteLine(string.Create(culture, $"traffic   {traffic.Accounts} accounts, {traffic.Stores} stores, {traffic.Polls} polls, {traffic.Failed} of them failed"));
            if (traffic.FailedAttempts.Count > 0)
                Console.WriteLine($"attempts  failed: {string.Join(", ", traffic.FailedAttempts.OrderBy(reason => reason.Key).Select(reason => $"{reason.Value} x {reason.Key}"))}");
            Console.WriteLine(string.Create(culture,
                $"ledger    {traffic.Acknowledged} acknowledged, {traffic.CameBackInPolls} came back in polls, {traffic.Acknowledged - traffic.Lost} are there at the end"));
        }

        if (report.Assertions.Count == 0)
            return;
        var isPlan = report.Passed is null;
        var table = isPlan ? Tables.Create("assertion", "wanted") : Tables.Create("assertion", "wanted", ">figure", "result");
        foreach (var assertion in report.Assertions)
        {
            string[] cells = [assertion.Metric, assertion.Wanted, assertion.Figure ?? "none", assertion.Passed is true ? "pass" : "FAIL"];
            table.AddPlainRow(isPlan ? cells[..2] : cells);
        }

        Tables.Print(table);
    }
}
