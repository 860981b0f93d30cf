using System.CommandLine;
using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.Json;
using Session.Orleans.Protocol.Onion;
using Session.Orleans.Testnet.Bench;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet bench versus</c>: whether a change helps, from rounds in turns of this program and another one.</summary>
internal static class BenchVersusCommand
{
    private const int WarmUpRequests = 8000;

    private static readonly Option<string?> Program = new("--program") { Description = "The other session-testnet, an earlier build for example; by default this one, for --set", HelpName = "FILE" };
    private static readonly Option<string[]> Set = new("--set") { Description = "An environment variable of this program's network only: DOTNET_gcServer=0, SESSION_Telemetry__Metrics=false", HelpName = "NAME=VALUE", DefaultValueFactory = _ => [] };
    private static readonly Option<string[]> Kinds = BenchCommand.CreateKinds();
    private static readonly Option<string> Cipher = BenchCommand.CreateCipher();
    private static readonly Option<bool> Durable = new("--durable") { Description = "Keep messages on disk instead of in memory" };
    private static readonly Option<int[]> Concurrency = new("--concurrency") { Description = "Requests in flight, a level each", HelpName = "N,N...", DefaultValueFactory = _ => [16], CustomParser = argument => BenchCommand.ParseLevels(argument) };
    private static readonly Option<int> Rounds = new("--rounds") { Description = "Rounds of each network, in turns", DefaultValueFactory = _ => 20 };
    private static readonly Option<int> Requests = new("--requests") { Description = "Requests in a round", DefaultValueFactory = _ => 1000 };
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();

    public static Command Create()
    {
        var command = new Command("versus", "Compares this program's network with another build's, or with one of other settings, in turns") { Program, Set, Kinds, Cipher, Durable, Concurrency, Rounds, Requests, Output };
        command.SetAction((options, _) => StopOrder.CancelsAsync(stop => RunAsync(options, stop)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult options, CancellationToken cancellationToken)
    {
        int rounds = options.GetValue(Rounds), requests = options.GetValue(Requests);
        var (program, settings) = (options.GetValue(Program), options.GetValue(Set)!);
        if (rounds < 1 || requests < 1)
            throw new CommandException(ExitCodes.Usage, "--rounds and --requests must be at least 1.");
        if (program is null && settings.Length == 0)
            throw new CommandException(ExitCodes.Usage, "Nothing differs: name another --program, or --set something.");
        if (program is not null && !File.Exists(program))
            throw new CommandException(ExitCodes.Usage, $"--program {program} is no file.");
        var environment = new Dictionary<string, string>();
        foreach (var setting in settings)
        {
            if (setting.Split('=', 2) is not [{ Length: > 0 } name, var value])
                throw new CommandException(ExitCodes.Usage, $"--set takes NAME=VALUE, not '{setting}'.");
            environment[name] = value;
        }

        _ = OnionCiphers.TryParse(Encoding.ASCII.GetBytes(options.GetValue(Cipher)!), out var cipher);
        var (kinds, levels) = (options.GetValue(Kinds)!.Distinct().ToArray(), options.GetValue(Concurrency)!);
        var subjects = new List<Subject>();
        var results = new List<BenchVersusResult>();
        try
        {
            foreach (var other in (bool[])[true, false])
            {
                Say(other ? "starting the other one" : "starting this one");
                subjects.Add(new(
                    await BenchNetwork.StartAsync(options.GetValue(Durable), cancellationToken, environment: other ? null : environment, program: other ? program : null),
                    kinds, cipher));
            }

            // Twice and in turns: what the first pass compiled with counters is compiled for good in the second, and neither may have more time for that.
            for (var pass = 0; pass < 2; pass++)
            {
                foreach (var subject in subjects)
                {
                    Say(subject == subjects[0] ? "warming up the other one" : "warming up this one");
                    foreach (var workload in subject.Workloads)
                    {
                        foreach (var level in levels)
                            _ = await subject.Driver.WarmUpAsync(workload, level, WarmUpRequests, cancellationToken);
                    }
                }

                foreach (var subject in subjects)
                    _ = await BenchCommand.WaitUntilIdleAsync(subject.Network, cancellationToken);
            }

            for (var kind = 0; kind < kinds.Length; kind++)
            {
                foreach (var level in levels)
                    results.Add(await CompareAsync(subjects, kind, level, rounds, requests, cancellationToken));
            }
        }
        finally
        {
            foreach (var subject in subjects)
                await subject.DisposeAsync();
        }

        var report = new BenchVersusReport(
            DateTimeOffset.UtcNow, typeof(BenchCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "",
            Machine.ReadCpuModel(), Environment.ProcessorCount, string.Join(' ', [program ?? "this program without", .. settings]), rounds, requests, results);
        if (options.GetValue(Output) is OutputFormat.Json)
        {
            Console.WriteLine(JsonSerializer.Serialize(report, BenchJsonContext.Default.BenchVersusReport));
            return ExitCodes.Ok;
        }

        foreach (var row in results)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{row.Kind,-11} {row.Concurrency,3} in flight: {row.OtherCpuMicroseconds,4:0} us CPU of the other, {row.CpuMicroseconds,4:0} us of this one; ratio {row.CpuRatio:0.000}, throughput {row.ThroughputRatio:0.000}; {row.OtherAllocatedBytes / 1024:0.0} and {row.AllocatedBytes / 1024:0.0} KiB allocated"));
        }

        return ExitCodes.Ok;
    }

    private static async Task<BenchVersusResult> CompareAsync(
        List<Subject> subjects, int kind, int concurrency, int rounds, int requests, CancellationToken cancellationToken)
    {
        var taken = subjects.Select(_ => new List<DriverResult>()).ToArray();
        var before = new double?[subjects.Count];
        for (var i = 0; i < subjects.Count; i++)
            before[i] = await subjects[i].Network.GetAllocatedBytesAsync(cancellationToken);
        // In turns, because a machine that others use changes from minute to minute; and who comes first changes as well.
        for (var round = 0; round < rounds; round++)
        {
            Say($"{subjects[0].Workloads[kind].Name}, {concurrency} in flight: round {round + 1} of {rounds}");
            for (var i = 0; i < subjects.Count; i++)
            {
                var turn = (round + i) % subjects.Count;
                taken[turn].Add(await subjects[turn].Driver.RunAsync(subjects[turn].Workloads[kind], concurrency, requests, cancellationToken));
            }
        }

        var allocated = new double?[subjects.Count];
        for (var i = 0; i < subjects.Count; i++)
            allocated[i] = (await subjects[i].Network.GetAllocatedBytesAsync(cancellationToken) - before[i]) / ((double)rounds * requests);
        return new(
            subjects[0].Workloads[kind].Name, concurrency, Cpu(taken[0]), Cpu(taken[1]),
            Figures.Middle([.. taken[1].Zip(taken[0], (now, other) => now.ServerCpuMicroseconds / other.ServerCpuMicroseconds)]),
            Figures.Middle([.. taken[1].Zip(taken[0], (now, other) => now.RequestsPerSecond / other.RequestsPerSecond)]), allocated[0], allocated[1]);

        static double Cpu(List<DriverResult> results) => Figures.Middle([.. results.Select(result => result.ServerCpuMicroseconds)]);
    }

    private static void Say(string text) => Console.Error.WriteLine(text);

    private sealed class Subject(BenchNetwork network, string[] kinds, OnionCipher cipher) : IAsyncDisposable
    {
        public BenchNetwork Network => network;

        public Workload[] Workloads { get; } = [.. kinds.Select(kind => Workload.Create(kind, new(network.Description), cipher))];

        public LoadDriver Driver { get; } = new(network);

        public async ValueTask DisposeAsync()
        {
            Driver.Dispose();
            await network.DisposeAsync();
        }
    }
}
