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
    private const int Rounds = 10; // of each row, with the cryptography alone between them
    private const int FloorRequests = 400;
    private const int MeasureAgain = 2; // times, a row that looks slower than the baseline
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
    private static readonly Option<string?> Baseline = new("--baseline") { Description = "Compare with a result that --output json has printed, and end with exit code 9 if a row's CPU over floor is more than --tolerance above it", HelpName = "FILE" };
    private static readonly Option<double?> Tolerance = CommonOptions.Share("--tolerance", "How much slower than the baseline a row may be (default 10%)");
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();

    public static Command Create()
    {
        var command = new Command("bench", "Measures throughput, latency and CPU time per request against the cost of the cryptography alone")
        {
            Data, Durable, Cipher, Concurrency, Requests, WarmUp, Kinds, Baseline, Tolerance, Output,
        };
        // The own network has to be ended also when this process is told to stop.
        command.SetAction((options, _) => StopOrder.CancelsAsync(stop => RunAsync(options, stop)));
        command.Add(BenchFaultsCommand.Create());
        command.Add(BenchTracingCommand.Create());
        command.Add(BenchVersusCommand.Create());
        command.Add(BenchLatencyCommand.Create());
        command.Add(BenchStartCommand.Create());
        command.Add(BenchClientCommand.Create());
        command.Add(BenchMailboxesCommand.Create());
        command.Add(BenchDepthCommand.Create());
        command.Add(BenchMemoryCommand.Create());
        command.Add(BenchSilosCommand.Create());
        return command;
    }

    private static async Task<int> RunAsync(ParseResult options, CancellationToken cancellationToken)
    {
        if (options.GetValue(Data) is not null && options.GetValue(Durable))
            throw new CommandException(ExitCodes.Usage, "--durable is for the benchmark's own network; leave it out with --data.");
        if (options.GetValue(Requests) < 1 || options.GetValue(WarmUp) < 1)
            throw new CommandException(ExitCodes.Usage, "--requests and --warm-up must be at least 1.");

        var baseline = options.GetValue(Baseline) is { } file ? BenchBaseline.Read(file, options.GetValue(Tolerance) ?? BenchBaseline.DefaultTolerance) : null;
        var report = await MeasureAsync(options, baseline, cancellationToken);
        if (options.GetValue(Output) is OutputFormat.Json)
            Console.WriteLine(JsonSerializer.Serialize(report, BenchJsonContext.Default.BenchReport));
        else
            Print(report);
        return baseline?.Judge(report, Say) ?? ExitCodes.Ok;
    }

    private static async Task<BenchReport> MeasureAsync(ParseResult options, BenchBaseline? baseline, CancellationToken cancellationToken)
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

        baseline?.RequireSame(network.Description.Store, cipher, map.Nodes.Length, map.Swarms.Length);
        using var driver = new LoadDriver(network);
        var workloads = options.GetValue(Kinds)!.Distinct().Select(kind => Workload.Create(kind, map, onionCipher)).ToArray();
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

        var rows = new List<BenchResult>();
        foreach (var workload in workloads)
        {
            ServerFloor? floor = null;
            foreach (var concurrency in options.GetValue(Concurrency)!)
            {
                // Clients keep their connections: opening the level's own is not what is measured.
                var first = await driver.RunAsync(workload, concurrency, ConnectRequests * concurrency, cancellationToken);
                if (floor is null)
                {
                    floor = workload.CreateFloor(first.ReplyLength);
                    _ = floor.Measure(FloorRequests * Rounds, concurrency); // compiles
                }

                var row = await MeasureRowAsync();
                for (var again = 0; again < MeasureAgain && baseline?.IsSlower(row) is true; again++)
                {
                    Say("slower than the baseline: once more");
                    var next = await MeasureRowAsync();
                    row = next.CpuOverFloor < row.CpuOverFloor ? next : row;
                }

                rows.Add(row);

                Task<BenchResult> MeasureRowAsync()
                {
                    Say($"measuring: {workload.Name}, {concurrency} at a time");
                    return MeasureAsync(network, driver, workload, floor, concurrency, options.GetValue(Requests), cancellationToken);
                }
            }
        }

        costs = costs.Best(CryptoCosts.Measure());
        var circumstances = new BenchCircumstances(
            date, typeof(BenchCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "",
            Machine.ReadCpuModel(), Environment.ProcessorCount, load, RuntimeInformation.OSDescription, RuntimeInformation.FrameworkDescription,
            network.Description.Store, cipher, map.Nodes.Length, map.Swarms.Length, map.AverageSwarmSize, idle,
            network.ReadyAfter?.TotalSeconds);
        return new(circumstances, ToDictionary(costs), rows);
    }

    /// <summary>
    /// A row, in rounds with its cryptography alone between them: the speed of a machine changes from minute to minute, and with how many of its processors are
    /// busy, so only figures of the same moments can be compared.
    /// </summary>
    private static async Task<BenchResult> MeasureAsync(
        BenchNetwork network, LoadDriver driver, Workload workload, ServerFloor floor, int concurrency, int requests, CancellationToken cancellationToken)
    {
        var (rounds, floors, ratios) = (new List<DriverResult>(), new List<double>(), new List<double>());
        var allocated = await network.GetAllocatedBytesAsync(cancellationToken);
        var last = floor.Measure(FloorRequests, concurrency);
        for (var (round, left) = (0, requests); left > 0; round++)
        {
            var count = Math.Min(left, Math.Max(1, requests / Rounds));
            rounds.Add(await driver.RunAsync(workload, concurrency, count, cancellationToken));
            left -= count;
            var next = floor.Measure(FloorRequests, concurrency);
            floors.Add((last + next) / 2);
            ratios.Add(rounds[round].ServerCpuMicroseconds / floors[round]);
            last = next;
        }

        allocated = await network.GetAllocatedBytesAsync(cancellationToken) - allocated;
        var whole = DriverResult.Join(rounds);
        return new(
            workload.Name, concurrency, whole.Requests, whole.RequestsPerSecond,
            whole.Latency.GetValueAtPercentile(50) / 1000.0, whole.Latency.GetValueAtPercentile(99) / 1000.0,
            Figures.Middle([.. rounds.Select(round => round.ServerCpuMicroseconds)]), Figures.Middle(floors), Figures.Middle(ratios),
            whole.ClientCpu.TotalMicroseconds / whole.Requests, allocated / whole.Requests);
    }

    /// <summary>
    /// Waits until the server takes next to no processor time, and returns what it takes, in milliseconds per second. After the warm-up the runtime goes on
    /// compiling hot methods for seconds; measured too early, that would count as the requests' cost.
    /// </summary>
    internal static async Task<double> WaitUntilIdleAsync(BenchNetwork network, CancellationToken cancellationToken)
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
        Say("CPU, floor and client: microseconds of processor time per request, of the server, of its cryptography alone and of this process; KiB: allocated by the server per request");
        table.AddColumn(new TableColumn("request").NoWrap());
        foreach (var title in (string[])["flight", "req/s", "p50 ms", "p99 ms", "CPU", "floor", "ratio", "client", "KiB"])
            table.AddColumn(new TableColumn(title).RightAligned().NoWrap());
        foreach (var row in report.Results)
        {
            table.AddRow(
                row.Kind, row.Concurrency.ToString(culture), row.RequestsPerSecond.ToString("0", culture),
                row.P50Milliseconds.ToString("0.00", culture), row.P99Milliseconds.ToString("0.00", culture),
                row.ServerCpuMicroseconds.ToString("0", culture), row.FloorMicroseconds.ToString("0", culture),
                row.CpuOverFloor.ToString("0.00", culture), row.ClientCpuMicroseconds.ToString("0", culture),
                (row.AllocatedBytes / 1024)?.ToString("0.0", culture) ?? "");
        }

        if (Console.IsOutputRedirected)
            AnsiConsole.Profile.Width = 120; // a file has no width, and 80 cuts the heads of the columns
        AnsiConsole.Write(table);
    }

    private static void Say(string text) => Console.Error.WriteLine(text);

    /// <summary>Concurrencies with commas between them.</summary>
    internal static int[]? ParseLevels(System.CommandLine.Parsing.ArgumentResult argument)
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

    /// <summary><c>--cipher</c>.</summary>
    internal static Option<string> CreateCipher()
    {
        var option = new Option<string>("--cipher")
        {
            Description = "Cipher of the onion layers",
            HelpName = "xchacha20|aes-gcm",
            DefaultValueFactory = _ => OnionCiphers.Name(OnionCipher.XChaCha20),
        };
        return option.AcceptOnlyFromAmong(OnionCiphers.Name(OnionCipher.XChaCha20), OnionCiphers.Name(OnionCipher.AesGcm));
    }

    /// <summary><c>--kinds</c>.</summary>
    internal static Option<string[]> CreateKinds()
    {
        var option = new Option<string[]>("--kinds")
        {
            Description = "Requests to measure",
            HelpName = string.Join('|', Workload.Kinds),
            AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = _ => Workload.Kinds,
        };
        return option.AcceptOnlyFromAmong(Workload.Kinds);
    }
}
