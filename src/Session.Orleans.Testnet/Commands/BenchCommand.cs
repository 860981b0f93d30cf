using System.CommandLine;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Session.Orleans.Protocol.Onion;
using Session.Orleans.Testnet.Bench;
using Spectre.Console;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet bench</c>: what a request costs the whole server, and what it would cost if there were only cryptography.</summary>
internal static class BenchCommand
{
    // Twice: what the first round compiled with counters is compiled for good in the second.
    private static readonly int[] WarmUpConcurrencies = [16, 1];
    private static readonly string[] AllKinds = ["poll", "store", "direct-poll"];
    private const int ConnectRequests = 4; // per worker
    private const int MaxIdleWindows = 15;
    private const double QuietCpu = 60; // ms of processor time per second
    private static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(2);

    private static readonly Option<string?> Data = new("--data") { Description = "Measure the network that runs on this folder (it gets messages for made-up accounts); by default the benchmark starts and ends one of its own", HelpName = "DIR" };
    private static readonly Option<bool> Durable = new("--durable") { Description = "Keep the own network's messages on disk instead of in memory" };
    private static readonly Option<string> Cipher = CreateCipher();
    private static readonly Option<int[]> Concurrency = new("--concurrency") { Description = "Requests in flight, a level each", HelpName = "N,N...", DefaultValueFactory = _ => [1, 16, 64], CustomParser = argument => ParseLevels(argument) };
    private static readonly Option<int> Requests = new("--requests") { Description = "Requests per kind and level", DefaultValueFactory = _ => 5000 };
    private static readonly Option<int> WarmUp = new("--warm-up") { Description = "Least number of requests per kind before anything is measured", DefaultValueFactory = _ => 4000 };
    private static readonly Option<string[]> Kinds = CreateKinds();
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();

    public static Command Create()
    {
        var command = new Command("bench", "Measures throughput, latency and CPU time per request against the cost of the cryptography alone")
        {
            Data, Durable, Cipher, Concurrency, Requests, WarmUp, Kinds, Output,
        };
        command.SetAction((options, _) => RunAsync(options));
        command.Add(BenchFaultsCommand.Create());
        command.Add(BenchStartCommand.Create());
        return command;
    }

    private static async Task<int> RunAsync(ParseResult options)
    {
        if (options.GetValue(Data) is not null && options.GetValue(Durable))
            throw new CommandException(ExitCodes.Usage, "--durable is for the benchmark's own network; leave it out with --data.");
        if (options.GetValue(Requests) < 1 || options.GetValue(WarmUp) < 1)
            throw new CommandException(ExitCodes.Usage, "--requests and --warm-up must be at least 1.");

        // The own network has to be ended also when this process is told to stop.
        using var stop = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stop.Cancel();
        }

        var report = await MeasureAsync(options, stop.Token);
        if (options.GetValue(Output) is OutputFormat.Json)
            Console.WriteLine(JsonSerializer.Serialize(report, BenchJsonContext.Default.BenchReport));
        else
            Print(report);
        return ExitCodes.Ok;
    }

    private static async Task<BenchReport> MeasureAsync(ParseResult options, CancellationToken cancellationToken)
    {
        var (date, load) = (DateTimeOffset.UtcNow, Machine.ReadLoad());
        Say("measuring cryptography");
        var costs = CryptoCosts.Measure();

        await using var network = options.GetValue(Data) is { } directory
            ? BenchNetwork.Attach(directory)
            : await BenchNetwork.StartAsync(options.GetValue(Durable), cancellationToken);
        var map = new NetworkMap(network.Description);
        var cipher = options.GetValue(Cipher)!;
        if (!OnionCiphers.TryParse(Encoding.ASCII.GetBytes(cipher), out var onionCipher))
            throw new CommandException(ExitCodes.Usage, $"--cipher {cipher} is unknown.");

        using var driver = new LoadDriver(network);
        var workloads = options.GetValue(Kinds)!.Distinct().Select(kind => Create(kind, map, onionCipher)).ToArray();
        var idle = 0.0;
        foreach (var concurrency in WarmUpConcurrencies)
        {
            foreach (var workload in workloads)
            {
                Say($"warming up: {workload.Name}, {concurrency} at a time");
                _ = await driver.WarmUpAsync(workload, concurrency, options.GetValue(WarmUp), cancellationToken);
            }

            Say("waiting until the server is quiet");
            idle = await WaitUntilIdleAsync(network, cancellationToken);
        }

        var loads = new List<(Workload Workload, int Concurrency, LoadResult Result)>();
        foreach (var workload in workloads)
        {
            foreach (var concurrency in options.GetValue(Concurrency)!)
            {
                // Clients keep their connections: opening the level's own is not what is measured.
                _ = await driver.RunAsync(workload, concurrency, ConnectRequests * concurrency, cancellationToken);
                Say($"measuring: {workload.Name}, {concurrency} at a time");
                loads.Add((workload, concurrency, await driver.RunAsync(workload, concurrency, options.GetValue(Requests), cancellationToken)));
            }
        }

        costs = costs.Best(CryptoCosts.Measure());
        var floors = loads.DistinctBy(load => load.Workload)
            .ToDictionary(load => load.Workload, load => load.Workload.MeasureFloor(costs, load.Result.ReplyLength));

        var circumstances = new BenchCircumstances(
            date, typeof(BenchCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "",
            Machine.ReadCpuModel(), Environment.ProcessorCount, load, RuntimeInformation.OSDescription, RuntimeInformation.FrameworkDescription,
            network.Description.Store, cipher, map.Nodes.Length, map.Swarms.Length, map.AverageSwarmSize, idle,
            network.ReadyAfter?.TotalSeconds);
        return new(
            circumstances, ToDictionary(costs),
            [.. loads.Select(load => ToResult(load.Workload.Name, load.Concurrency, load.Result, floors[load.Workload]))]);
    }

    private static Workload Create(string kind, NetworkMap map, OnionCipher cipher) => kind switch
    {
        "poll" => new PollWorkload(map, cipher),
        "store" => new StoreWorkload(map, cipher),
        _ => new DirectPollWorkload(map),
    };

    // After the warm-up the runtime goes on compiling hot methods for seconds; measured too early, that would count as the requests' cost.
    private static async Task<double> WaitUntilIdleAsync(BenchNetwork network, CancellationToken cancellationToken)
    {
        for (var window = 1; ; window++)
        {
            var before = network.CpuTime;
            await Task.Delay(IdleTime, cancellationToken);
            var idle = (network.CpuTime - before).TotalMilliseconds / IdleTime.TotalSeconds;
            if (idle < QuietCpu || window == MaxIdleWindows)
                return idle;
        }
    }

    private static BenchResult ToResult(string kind, int concurrency, LoadResult load, double floor) => new(
        kind, concurrency, load.Requests, load.Requests / load.Elapsed.TotalSeconds,
        load.Latency.GetValueAtPercentile(50) / 1000.0, load.Latency.GetValueAtPercentile(99) / 1000.0,
        load.ServerCpuMicroseconds, floor, load.ServerCpuMicroseconds / floor, load.ClientCpu.TotalMicroseconds / load.Requests);

    private static Dictionary<string, double> ToDictionary(CryptoCosts costs) => new()
    {
        ["x25519"] = costs.X25519,
        ["x25519Base"] = costs.X25519Base,
        ["ed25519Sign"] = costs.Ed25519Sign,
        ["ed25519Verify"] = costs.Ed25519Verify,
        ["ed25519ToX25519"] = costs.Ed25519ToX25519,
        ["aes256Gcm2KiB"] = costs.Aes256Gcm2KiB,
        ["xChaCha20Poly1305_2KiB"] = costs.XChaCha20Poly1305With2KiB,
        ["blake2b1KiB"] = costs.Blake2bOf1KiB,
        ["messageHash1KiB"] = costs.MessageHash,
    };

    private static void Print(BenchReport report)
    {
        var about = report.Circumstances;
        var culture = CultureInfo.InvariantCulture;
        Say($"{about.Date:yyyy-MM-dd HH:mm} UTC, session-testnet {about.Version}, {about.Runtime}, {about.Os}");
        Say(string.Create(culture, $"{about.Cpu}, {about.Cores} logical processors shared by client and server, load before {about.LoadBefore:0.0}"));
        Say(string.Create(culture,
            $"{about.Nodes} nodes, {about.Swarms} swarms of {about.AverageSwarmSize:0.#}, store {about.Store}, cipher {about.Cipher}, idle {about.IdleCpuMillisecondsPerSecond:0} ms CPU per s"));
        if (about.ReadySeconds is { } ready)
            Say(string.Create(culture, $"ready {ready:0.0} s after the start of its process"));
        Say("crypto, us: " + string.Join(", ", report.CryptoMicroseconds.Select(cost => string.Create(culture, $"{cost.Key} {cost.Value:0.0}"))));

        var table = new Table { Border = TableBorder.Rounded };
        Say("CPU, floor and client: microseconds of processor time per request, of the server, of its cryptography alone and of this process");
        table.AddColumn(new TableColumn("request").NoWrap());
        foreach (var title in (string[])["flight", "req/s", "p50 ms", "p99 ms", "CPU", "floor", "ratio", "client"])
            table.AddColumn(new TableColumn(title).RightAligned().NoWrap());
        foreach (var row in report.Results)
        {
            table.AddRow(
                row.Kind, row.Concurrency.ToString(culture), row.RequestsPerSecond.ToString("0", culture),
                row.P50Milliseconds.ToString("0.00", culture), row.P99Milliseconds.ToString("0.00", culture),
                row.ServerCpuMicroseconds.ToString("0", culture), row.FloorMicroseconds.ToString("0", culture),
                row.CpuOverFloor.ToString("0.00", culture), row.ClientCpuMicroseconds.ToString("0", culture));
        }

        if (Console.IsOutputRedirected)
            AnsiConsole.Profile.Width = 120; // a file has no width, and 80 cuts the heads of the columns
        AnsiConsole.Write(table);
    }

    private static void Say(string text) => Console.Error.WriteLine(text);

    private static int[]? ParseLevels(System.CommandLine.Parsing.ArgumentResult argument)
    {
        var levels = new List<int>();
        foreach (var part in argument.Tokens.SelectMany(token => token.Value.Split(',')))
        {
            if (!int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var level) || level is < 1 or > 10_000)
            {
                argument.AddError($"--concurrency takes numbers from 1 to 10000 with commas between them, not '{part}'.");
                return null;
            }

            levels.Add(level);
        }

        return [.. levels];
    }

    private static Option<string> CreateCipher()
    {
        var option = new Option<string>("--cipher")
        {
            Description = "Cipher of the onion layers",
            HelpName = "xchacha20|aes-gcm",
            DefaultValueFactory = _ => OnionCiphers.Name(OnionCipher.XChaCha20),
        };
        return option.AcceptOnlyFromAmong(OnionCiphers.Name(OnionCipher.XChaCha20), OnionCiphers.Name(OnionCipher.AesGcm));
    }

    private static Option<string[]> CreateKinds()
    {
        var option = new Option<string[]>("--kinds")
        {
            Description = "Requests to measure",
            HelpName = string.Join('|', AllKinds),
            AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = _ => AllKinds,
        };
        return option.AcceptOnlyFromAmong(AllKinds);
    }
}
