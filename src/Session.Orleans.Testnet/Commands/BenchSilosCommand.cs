using System.CommandLine;
using System.Globalization;
using Session.Orleans.Protocol.Onion;
using Session.Orleans.Testnet.Bench;
using Session.Orleans.Testnet.Cluster;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet bench silos</c>: what a request costs more where several silos share the work.</summary>
internal static class BenchSilosCommand
{
    private const double Goal = 1.35;

    private static readonly Option<int> Silos = new("--silos") { Description = "Silos of the larger cluster", DefaultValueFactory = _ => 3 };
    private static readonly Option<string[]> Kinds = CreateKinds();
    private static readonly Option<int> Rounds = new("--rounds") { Description = "Rounds of each network, in turns", DefaultValueFactory = _ => 20 };
    private static readonly Option<int> Requests = new("--requests") { Description = "Requests in a round", DefaultValueFactory = _ => 1000 };
    private static readonly Option<int> Concurrency = new("--concurrency") { Description = "Requests in flight", DefaultValueFactory = _ => 16 };
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();

    public static Command Create()
    {
        var command = new Command("silos", $"Compares requests to a cluster of several silos on this machine with those to one silo, each behind a gateway, in turns; goal: at most {Goal.ToString(CultureInfo.InvariantCulture)} times the CPU of all processes together. Also shows a network that is one process")
        {
            Silos, Kinds, Rounds, Requests, Concurrency, Output,
        };
        command.SetAction((options, _) => StopOrder.CancelsAsync(stop => RunAsync(options, stop)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult options, CancellationToken cancellationToken)
    {
        var silos = options.GetValue(Silos);
        var rounds = new PairedRounds(options.GetValue(Rounds), options.GetValue(Requests), options.GetValue(Concurrency));
        if (silos is < 2 or > ClusterPlan.MaxSilos)
            throw new CommandException(ExitCodes.Usage, $"--silos must be between 2 and {ClusterPlan.MaxSilos}.");
        if (rounds.Count < 1 || rounds.Requests < 1 || rounds.Concurrency is < 1 or > 10_000)
            throw new CommandException(ExitCodes.Usage, "--rounds, --requests and --concurrency must be at least 1.");

        var kinds = options.GetValue(Kinds)!.Distinct().ToArray();
        var subjects = new List<Subject>();
        var rows = new List<BenchScaleRow>();
        try
        {
            foreach (var count in (int[])[1, silos, 0])
            {
                Say(count == 0 ? "starting one process" : string.Create(CultureInfo.InvariantCulture, $"starting {count} silos"));
                subjects.Add(await Subject.StartAsync(count, kinds, cancellationToken));
            }

            foreach (var subject in subjects)
            {
                Say("warming up");
                foreach (var workload in subject.Workloads)
                    _ = await subject.Driver.WarmUpAsync(workload, rounds.Concurrency, rounds.WarmUp, cancellationToken);
            }

            foreach (var subject in subjects)
                _ = await BenchCommand.WaitUntilIdleAsync(subject.Network, cancellationToken);
            for (var kind = 0; kind < kinds.Length; kind++)
            {
                var each = kind;
                var results = await rounds.RunAsync(kinds[kind], [.. subjects.Select(subject =>
                    (Func<int, Task<DriverResult>>)(_ => subject.Driver.RunAsync(subject.Workloads[each], rounds.Concurrency, rounds.Requests, cancellationToken)))]);
                rows.Add(PairedRounds.CompareCpu(kinds[kind], results[0], results[1], Goal));
                rows.Add(PairedRounds.CompareMedian(kinds[kind], results[0], results[1], goal: null));
                rows.Add(PairedRounds.CompareCpu(kinds[kind] + " of one process", results[0], results[2], goal: null));
            }

            foreach (var subject in subjects)
                subject.Network.RequireSameProcesses();
        }
        finally
        {
            foreach (var subject in subjects)
                await subject.DisposeAsync();
        }

        BenchScaleReport.Create(
            "silos", "1 silo", string.Create(CultureInfo.InvariantCulture, $"{silos} silos"),
            new Dictionary<string, int> { ["silos"] = silos, ["rounds"] = rounds.Count, ["requests"] = rounds.Requests, ["concurrency"] = rounds.Concurrency },
            rows).Print(options.GetValue(Output));
        return ExitCodes.Ok;
    }

    private static Option<string[]> CreateKinds()
    {
        var option = BenchCommand.CreateKinds();
        option.DefaultValueFactory = _ => ["poll", "store"];
        return option;
    }

    private static void Say(string text) => Console.Error.WriteLine(text);

    private sealed class Subject(BenchNetwork network, string[] kinds) : IAsyncDisposable
    {
        public BenchNetwork Network => network;

        public Workload[] Workloads { get; } = [.. kinds.Select(kind => Workload.Create(kind, new(network.Description), OnionCipher.XChaCha20))];

        public LoadDriver Driver { get; } = new(network);

        public static async Task<Subject> StartAsync(int silos, string[] kinds, CancellationToken cancellationToken) => new(
            await BenchNetwork.StartAsync(
                durable: false, cancellationToken, arguments: silos == 0 ? [] : ["--silos", silos.ToString(CultureInfo.InvariantCulture)]),
            kinds);

        public async ValueTask DisposeAsync()
        {
            Driver.Dispose();
            await network.DisposeAsync();
        }
    }
}
