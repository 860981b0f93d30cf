using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Session.Orleans.Load;
using Session.Orleans.Load.Network;
using Session.Orleans.Load.Watch;
using Session.Orleans.Testnet.LoadTests;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet watch</c>: a canary for networks that run for long.</summary>
internal static class WatchCommand
{
    private static readonly TimeSpan DefaultPause = TimeSpan.FromSeconds(10);

    private static readonly Option<TimeSpan?> Every = CommonOptions.Duration("--every", "Pause between two checks (default 10s)");
    private static readonly Option<TimeSpan?> For = CommonOptions.Duration("--for", "End after this time; by default it goes on until Ctrl-C or SIGTERM");
    private static readonly Option<int?> Count = new("--count") { Description = "End after so many checks", HelpName = "N" };
    private static readonly Option<int> Tolerate = new("--tolerate") { Description = "So many failed checks are no reason for exit code 4", HelpName = "N", DefaultValueFactory = _ => 0 };
    private static readonly Option<int?> GiveUp = new("--give-up-after") { Description = "End with exit code 4 after so many failed checks in a row", HelpName = "N" };
    private static readonly Option<int> Attempts = new("--attempts") { Description = "Attempts of each request, each on another path; clients make 3", HelpName = "N", DefaultValueFactory = _ => 3 };
    private static readonly Option<TimeSpan?> ReadLimit = CommonOptions.Duration("--read-limit", "How long members of the swarm may take until all have the message (default 10s)");
    private static readonly Option<int?> MetricsPort = MetricsEndpoint.Port();
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();
    private static readonly TargetOptions Target = new();

    public static Command Create()
    {
        var command = new Command("watch", "Checks the network again and again: writes a message, reads it at every member of the swarm, verifies, deletes; each request over another path")
        {
            Every, For, Count, Tolerate, GiveUp, Attempts, ReadLimit, MetricsPort, Output,
        };
        Target.AddTo(command);
        command.SetAction((options, _) => RunAsync(options));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult options)
    {
        if (options.GetValue(Count) is < 1 || options.GetValue(GiveUp) is < 1 || options.GetValue(Attempts) < 1 || options.GetValue(Tolerate) < 0)
            throw new CommandException(ExitCodes.Usage, "--count, --give-up-after and --attempts must be at least 1, and --tolerate at least 0.");
        using var stop = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stop.Cancel();
        }

        if (options.GetValue(For) is { } length)
            stop.CancelAfter(length);
        var target = Target.Read(options);
        await using var endpoint = await MetricsEndpoint.StartAsync(options.GetValue(MetricsPort), stop.Token);
        using var network = await LoadNetwork.ConnectAsync(target, TimeProvider.System, stop.Token);
        using var watch = new NetworkWatch(network, TimeProvider.System, options.GetValue(ReadLimit) ?? TimeSpan.FromSeconds(10), options.GetValue(Attempts));
        var (checks, failed, inARow) = (0, 0, 0);
        try
        {
            while (true)
            {
                var check = await watch.CheckAsync(stop.Token);
                checks++;
                inARow = check.Failed is null ? 0 : inARow + 1;
                failed += check.Failed is null ? 0 : 1;
                Print(check, options.GetValue(Output));
                if (checks == options.GetValue(Count) || (options.GetValue(GiveUp) is { } most && inARow >= most))
                    break;
                await Task.Delay(options.GetValue(Every) ?? DefaultPause, stop.Token);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Told to end, or the time is over: what was found counts.
        }

        await Console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{checks} checks, {failed} failed"));
        var isGivenUp = options.GetValue(GiveUp) is { } limit && inARow >= limit;
        return failed > options.GetValue(Tolerate) || isGivenUp ? ExitCodes.CheckFailed : ExitCodes.Ok;
    }

    private static void Print(WatchCheck check, OutputFormat format)
    {
        var culture = CultureInfo.InvariantCulture;
        if (format is OutputFormat.Json)
        {
            var json = new JsonObject
            {
                ["at"] = check.At.ToString("o", culture),
                ["ok"] = check.Failed is null,
                ["failed"] = check.Failed is { } step ? NetworkWatch.NameOf(step) : null,
                ["problem"] = check.Problem,
                ["retries"] = check.Retries,
                ["milliseconds"] = new JsonObject(check.Times.Select(time => KeyValuePair.Create(NetworkWatch.NameOf(time.Key), (JsonNode?)Math.Round(time.Value.TotalMilliseconds, 3)))),
            };
            Console.WriteLine(json.ToJsonString());
            return;
        }

        var times = string.Join(", ", check.Times.Select(time => $"{NetworkWatch.NameOf(time.Key)} {Quantities.Format(time.Value)}"));
        var retries = check.Retries > 0 ? string.Create(culture, $", {check.Retries} requests repeated") : "";
        Console.WriteLine(string.Create(culture, $"{check.At:yyyy-MM-dd HH:mm:ss} {(check.Failed is { } failed ? $"FAIL at {NetworkWatch.NameOf(failed)}: {check.Problem}" : "ok")} ({times}{retries})"));
    }
}
