using System.CommandLine;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using Session.Orleans.Protocol.Onion;
using Session.Orleans.Testnet.Bench;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet bench latency</c>: how steady the answers are at a share of what the server can do.</summary>
internal static class BenchLatencyCommand
{
    private const int WarmUpRequests = 12_000;
    private const int Saturating = 64; // in flight
    private const int SaturationRequests = 10_000;
    private const int ConnectionsPerNode = 16;
    private const string CompilationTime = "dotnet_jit_compilation_time_seconds_total";
    private const double CompilationShare = 0.02; // of one processor
    private const int MostWarmUpSteps = 12;
    private static readonly TimeSpan WarmUpStep = TimeSpan.FromSeconds(4);

    private static readonly Option<double?> Share = CommonOptions.Share("--share", "Rate of the measurement, as a share of the rate with 64 requests in flight (default 60%)");
    private static readonly Option<TimeSpan?> Duration = CommonOptions.Duration("--duration", "How long to send requests at that rate (default 20s)");
    private static readonly Option<string> Kind = CreateKind();
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();

    public static Command Create()
    {
        var command = new Command("latency", "Measures latency in an open loop: requests come at random moments, whether or not earlier ones have been answered") { Kind, Share, Duration, Output };
        command.SetAction((options, _) => StopOrder.CancelsAsync(stop => RunAsync(options, stop)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult options, CancellationToken cancellationToken)
    {
        var (share, duration) = (options.GetValue(Share) ?? 0.6, options.GetValue(Duration) ?? TimeSpan.FromSeconds(20));
        if (share is <= 0 or > 1 || duration <= TimeSpan.Zero)
            throw new CommandException(ExitCodes.Usage, "--share must be above 0 and at most 100%, and --duration above 0.");
        await using var network = await BenchNetwork.StartAsync(durable: false, cancellationToken);
        using var driver = new LoadDriver(network, ConnectionsPerNode);
        var workload = Workload.Create(options.GetValue(Kind)!, new(network.Description), OnionCipher.XChaCha20);
        Say("warming up");
        _ = await driver.WarmUpAsync(workload, Saturating, WarmUpRequests, cancellationToken);
        await WarmUpAsync(network, () => driver.RunAsync(workload, Saturating, SaturationRequests, cancellationToken), cancellationToken);
        Say("measuring the rate at saturation");
        var saturation = (await driver.RunAsync(workload, Saturating, SaturationRequests, cancellationToken)).RequestsPerSecond;
        var rate = share * saturation;
        await driver.OpenConnectionsAsync(workload, ConnectionsPerNode, cancellationToken);
        Say(string.Create(CultureInfo.InvariantCulture, $"warming up: {rate:0} requests per second"));
        await WarmUpAsync(network, () => driver.RunOpenAsync(workload, rate, WarmUpStep, cancellationToken), cancellationToken);
        Say("measuring");
        await driver.OpenConnectionsAsync(workload, ConnectionsPerNode, cancellationToken);
        var result = await driver.RunOpenAsync(workload, rate, duration, cancellationToken);
        var cpu = (result.ServerCpu + result.ClientCpu).TotalMicroseconds / result.Requests;
        Say("measuring the same work without a network");
        var floor = await new LatencyFloor().MeasureAsync(cpu, rate, duration, cancellationToken);

        double p50 = Percentile(50), p99 = Percentile(99), p999 = Percentile(99.9), floorP50 = FloorPercentile(50), floorP99 = FloorPercentile(99);
        var report = new BenchLatencyReport(
            DateTimeOffset.UtcNow, typeof(BenchCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "",
            Machine.ReadCpuModel(), Environment.ProcessorCount, workload.Name, saturation, rate, result.Requests, p50, p99, p999, p99 / p50,
            cpu, floorP50, floorP99, floorP99 / floorP50);
        Console.WriteLine(options.GetValue(Output) is OutputFormat.Json
            ? JsonSerializer.Serialize(report, BenchJsonContext.Default.BenchLatencyReport)
            : string.Create(CultureInfo.InvariantCulture,
                $"""
                {workload.Name}: {rate:0} requests/s of {saturation:0}: p50 {p50:0.00} ms, p99 {p99:0.00} ms, p99.9 {p999:0.00} ms; p99 / p50 {p99 / p50:0.0}
                {cpu:0} us of work as often in one process: p50 {floorP50:0.00} ms, p99 {floorP99:0.00} ms; p99 / p50 {floorP99 / floorP50:0.0}
                """));
        return ExitCodes.Ok;

        double Percentile(double percentile) => result.Latency.GetValueAtPercentile(percentile) / 1000.0;

        double FloorPercentile(double percentile) => floor.GetValueAtPercentile(percentile) / 1000.0;
    }

    /// <summary>Repeats a step until the server hardly compiles any more: a processor that compiles for some milliseconds delays all that comes meanwhile.</summary>
    private static async Task WarmUpAsync(BenchNetwork network, Func<Task<DriverResult>> step, CancellationToken cancellationToken)
    {
        for (var steps = 0; steps < MostWarmUpSteps; steps++)
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

    private static void Say(string text) => Console.Error.WriteLine(text);
}
