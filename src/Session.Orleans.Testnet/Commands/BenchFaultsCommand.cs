using System.CommandLine;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using Session.Orleans.Gateway.Admin;
using Session.Orleans.Protocol.Onion;
using Session.Orleans.Testnet.Bench;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet bench faults</c>: what faults cost the requests that meet none of them.</summary>
internal static class BenchFaultsCommand
{
    // Nodes that carry the faults; the other 24 are enough for every path.
    private const int Faulty = 8;
    private const int WarmUpRequests = 10_000;

    private static readonly Option<int> Count = new("--count") { Description = "Faults in force in every second round", DefaultValueFactory = _ => 50 };
    private static readonly Option<int> Rounds = new("--rounds") { Description = "Rounds with and as many without them", DefaultValueFactory = _ => 50 };
    private static readonly Option<int> Requests = new("--requests") { Description = "Polls in a round", DefaultValueFactory = _ => 2000 };
    private static readonly Option<int> Concurrency = new("--concurrency") { Description = "Requests in flight", DefaultValueFactory = _ => 16 };
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();

    public static Command Create()
    {
        var command = new Command("faults", "Compares polls with and without faults on nodes that they do not meet, in turns on one network") { Count, Rounds, Requests, Concurrency, Output };
        command.SetAction((options, _) => StopOrder.CancelsAsync(stop => RunAsync(options, stop)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult options, CancellationToken cancellationToken)
    {
        int count = options.GetValue(Count), rounds = options.GetValue(Rounds), requests = options.GetValue(Requests), concurrency = options.GetValue(Concurrency);
        if (count < 1 || rounds < 1 || requests < 1 || concurrency is < 1 or > 10_000)
            throw new CommandException(ExitCodes.Usage, "--count, --rounds, --requests and --concurrency must be at least 1.");

        await using var network = await BenchNetwork.StartAsync(durable: false, cancellationToken);
        using var admin = AdminClient.Open(network.Description);
        var faulty = network.Description.Nodes.Select(node => node.Index).Order().TakeLast(Faulty).ToHashSet();
        var workload = new PollWorkload(new(network.Description, faulty), OnionCipher.XChaCha20);
        using var driver = new LoadDriver(network);
        Say("warming up");
        _ = await driver.WarmUpAsync(workload, concurrency, WarmUpRequests, cancellationToken);

        // In turns, because a machine that others use changes from minute to minute; and which comes first changes as well.
        var (without, with) = (new List<DriverResult>(), new List<DriverResult>());
        for (var round = 0; round < rounds; round++)
        {
            foreach (var faults in round % 2 == 0 ? (bool[])[false, true] : [true, false])
            {
                if (faults)
                    await admin.AddFaultsAsync([.. Orders(faulty, count)], cancellationToken);
                Say($"round {round + 1} of {rounds}, {(faults ? count : 0)} faults");
                (faults ? with : without).Add(await driver.RunAsync(workload, concurrency, requests, cancellationToken));
                if (faults)
                    await admin.RemoveFaultsAsync([], cancellationToken);
            }
        }

        var report = new BenchFaultsReport(
            DateTimeOffset.UtcNow, typeof(BenchCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "",
            Machine.ReadCpuModel(), Environment.ProcessorCount, count, concurrency, rounds, requests,
            Figures.Median(without.Select(result => result.ServerCpuMicroseconds)), Figures.Median(with.Select(result => result.ServerCpuMicroseconds)),
            Figures.Median(with.Zip(without, (faults, none) => faults.ServerCpuMicroseconds / none.ServerCpuMicroseconds)),
            Figures.Median(with.Zip(without, (faults, none) => none.Elapsed / faults.Elapsed)));
        Console.WriteLine(options.GetValue(Output) is OutputFormat.Json
            ? JsonSerializer.Serialize(report, BenchJsonContext.Default.BenchFaultsReport)
            : string.Create(CultureInfo.InvariantCulture,
                $"poll, {concurrency} in flight, {rounds} x {requests} requests: {report.CpuMicroseconds:0} us CPU without faults, {report.CpuMicrosecondsWithFaults:0} us with {count} faults on other nodes; ratio {report.CpuRatio:0.000}, throughput {report.ThroughputRatio:0.000}"));
        return ExitCodes.Ok;
    }

    /// <summary>Faults of several kinds, none of which takes its node out of the network.</summary>
    private static IEnumerable<FaultOrder> Orders(HashSet<int> nodes, int count)
    {
        var names = nodes.Order().Select(index => index.ToString(CultureInfo.InvariantCulture)).ToArray();
        for (var i = 0; i < count; i++)
        {
            string[] at = [names[i % names.Length]];
            yield return (i / names.Length % 5) switch
            {
                0 => new("latency", at, DelayMs: 5, SpreadMs: 2),
                1 => new("loss", at, Probability: 0.01),
                2 => new("bandwidth", at, BytesPerSecond: 1_000_000),
                3 => new("slowStorage", at, DelayMs: 5),
                _ => new("latency", at, To: [names[(i + 1) % names.Length]], DelayMs: 5),
            };
        }
    }

    private static void Say(string text) => Console.Error.WriteLine(text);
}
