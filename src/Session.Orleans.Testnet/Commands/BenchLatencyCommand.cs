using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using HdrHistogram;
using Session.Orleans.Protocol.Onion;
using Session.Orleans.Testnet.Bench;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet bench latency</c>: how steady the answers are at a share of what the server can do.</summary>
internal static class BenchLatencyCommand
{
    private const int Saturating = 64; // in flight
    private const int SaturationRequests = 5_000;
    private const int ConnectionsPerNode = 16;
    private const string CompilationTime = "dotnet_jit_compilation_time_seconds_total";
    private const double CompilationShare = 0.02; // of one processor
    private static readonly TimeSpan WarmUpStep = TimeSpan.FromSeconds(4);

    private static readonly Option<double?> Share = CommonOptions.Share("--share", "Rate of the measurement, as a share of the rate with 64 requests in flight (default 60%)");
    private static readonly Option<TimeSpan?> Duration = CommonOptions.Duration("--duration", "How long to send requests at that rate in each round (default 3s)");
    private static readonly Option<int> Rounds = new("--rounds") { Description = "Rounds of the rate with 64 in flight, the latency at a share of it and the same work alone, in turns", DefaultValueFactory = _ => 10 };
    private static readonly Option<TimeSpan?> WarmUp = CommonOptions.Duration("--warm-up", "Longest time to send requests that are not measured; it ends before if the server compiles hardly anything any more (default 2m)");
    private static readonly Option<string> Kind = CreateKind();
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();

    public static Command Create()
    {
        var command = new Command("latency", "Measures latency in an open loop: requests come at random moments, whether or not earlier ones have been answered") { Kind, Share, Duration, Rounds, WarmUp, Output };
        command.SetAction((options, _) => StopOrder.CancelsAsync(stop => RunAsync(options, stop)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult options, CancellationToken cancellationToken)
    {
        var (share, duration, rounds) = (options.GetValue(Share) ?? 0.6, options.GetValue(Duration) ?? TimeSpan.FromSeconds(3), options.GetValue(Rounds));
        if (share is <= 0 or > 1 || duration <= TimeSpan.Zero || rounds < 1)
            throw new CommandException(ExitCodes.Usage, "--share must be above 0 and at most 100%, --duration above 0, and --rounds at least 1.");
        await using var network = await BenchNetwork.StartAsync(durable: false, cancellationToken);
        using var driver = new LoadDriver(network, ConnectionsPerNode);
        var workload = Workload.Create(options.GetValue(Kind)!, new(network.Description), OnionCipher.XChaCha20);
        Say("warming up");
        var warmUp = options.GetValue(WarmUp) ?? TimeSpan.FromMinutes(2);
        await WarmUpAsync(network, warmUp / 2, SaturateAsync, cancellationToken);
        var rate = share * (await SaturateAsync()).RequestsPerSecond;
        await driver.OpenConnectionsAsync(workload, ConnectionsPerNode, cancellationToken);
        await WarmUpAsync(network, warmUp / 2, () => driver.RunOpenAsync(workload, rate, WarmUpStep, cancellationToken), cancellationToken);

        var measured = new List<Round>();
        for (var round = 1; round <= rounds; round++)
        {
            Say($"round {round} of {rounds}");
            var saturated = await SaturateAsync();
            rate = share * saturated.RequestsPerSecond;
            await driver.OpenConnectionsAsync(workload, ConnectionsPerNode, cancellationToken); // those that an earlier round has closed
            var result = await driver.RunOpenAsync(workload, rate, duration, cancellationToken);
            var cpu = (result.ServerCpu + result.ClientCpu).TotalMicroseconds / result.Requests;
            measured.Add(new(saturated, rate, result, cpu, await new LatencyFloor().MeasureAsync(cpu, rate, duration, cancellationToken)));
        }

        Print(options.GetValue(Output), workload.Name, measured);
        return ExitCodes.Ok;

        Task<DriverResult> SaturateAsync() => driver.RunAsync(workload, Saturating, SaturationRequests, cancellationToken);
    }

    private static void Print(OutputFormat format, string kind, List<Round> rounds)
    {
        var report = new BenchLatencyReport(
            DateTimeOffset.UtcNow, typeof(BenchCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "",
            Machine.ReadCpuModel(), Environment.ProcessorCount, kind, rounds.Count, Median(round => round.Saturated.RequestsPerSecond), Median(round => round.Rate),
            rounds.Sum(round => round.Result.Requests), Latency(round => round.Result.Latency), Median(round => round.Saturated.ServerCpuMicroseconds),
            Median(round => round.Result.ServerCpuMicroseconds), Median(round => round.Cpu), Latency(round => round.Floor));
        Console.WriteLine(format is OutputFormat.Json
            ? JsonSerializer.Serialize(report, BenchJsonContext.Default.BenchLatencyReport)
            : string.Create(CultureInfo.InvariantCulture,
                $"""
                medians of {report.Rounds} rounds: {kind}, {report.RatePerSecond:0} requests/s of {report.SaturationPerSecond:0}, server CPU {report.ServerCpuMicroseconds:0} us ({report.SaturatedServerCpuMicroseconds:0} at saturation)
                  the network       {Text(report.Latency)}
                  the same CPU work {Text(report.Floor)}, {report.CpuMicroseconds:0} us each in one process, no network
                """));

        double Median(Func<Round, double> figure) => Figures.Median(rounds.Select(figure));

        BenchLatencyFigures Latency(Func<Round, LongHistogram> histogram)
        {
            double Milliseconds(Round round, double percentile) => histogram(round).GetValueAtPercentile(percentile) / 1000.0;
            double Ratio(Round round) => Milliseconds(round, 99) / Milliseconds(round, 50);
            return new(
                Median(round => Milliseconds(round, 50)), Median(round => Milliseconds(round, 99)), Median(round => Milliseconds(round, 99.9)), Median(Ratio),
                rounds.Min(Ratio), rounds.Max(Ratio));
        }

        static string Text(BenchLatencyFigures figures) => string.Create(CultureInfo.InvariantCulture,
            $"p50 {figures.P50Milliseconds:0.00} ms, p99 {figures.P99Milliseconds:0.00} ms, p99.9 {figures.P999Milliseconds:0.00} ms, p99 / p50 {figures.P99OverP50:0.0} ({figures.LeastP99OverP50:0.0} to {figures.MostP99OverP50:0.0})");
    }

    /// <summary>Repeats a step until the server hardly compiles any more: a processor that compiles for some milliseconds delays all that comes meanwhile.</summary>
    private static async Task WarmUpAsync(BenchNetwork network, TimeSpan limit, Func<Task<DriverResult>> step, CancellationToken cancellationToken)
    {
        var start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < limit)
        {
            var before = await network.GetMetricAsync(CompilationTime, cancellationToken);
            var took = (await step()).Elapsed.TotalSeconds;
            if (await network.GetMetricAsync(CompilationTime, cancellationToken) - before is not { } compiled || compiled <= took * CompilationShare)
                return;
        }
    }

    private static Option<string> CreateKind()
    {
        var option = new Option<string>("--kind") { Description = "What is requested", HelpName = string.Join('|', Workload.Kinds), DefaultValueFactory = _ => Workload.Kinds[0] };
        return option.AcceptOnlyFromAmong(Workload.Kinds);
    }

    /// <summary>What one round measured.</summary>
    /// <param name="Saturated">With <see cref="Saturating"/> requests in flight.</param>
    /// <param name="Rate">Requests per second of the open loop.</param>
    /// <param name="Result">The open loop.</param>
    /// <param name="Cpu">CPU time of server and client per request in it, in microseconds.</param>
    /// <param name="Floor">Latencies of the same work alone, in microseconds.</param>
    private sealed record Round(DriverResult Saturated, double Rate, DriverResult Result, double Cpu, LongHistogram Floor);

    private static void Say(string text) => Console.Error.WriteLine(text);
}
