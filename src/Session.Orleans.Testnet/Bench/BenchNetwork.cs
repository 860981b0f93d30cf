using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Session.Orleans.Testnet.Bench;

/// <summary>The network under test: a process of its own that this one starts and ends, or one that runs already.</summary>
internal sealed class BenchNetwork : IAsyncDisposable
{
    /// <summary>Nodes of a network of our own, unless asked for others.</summary>
    public const int DefaultNodes = 32;

    private const int OmqOffset = 500; // a node's OxenMQ port lies this far above its own
    private const int SiloPorts = 80; // of `up --silos`
    private const int OtherPorts = 3 + SiloPorts;
    private const int SigTerm = 15;
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan MetricsCache = TimeSpan.FromMilliseconds(500); // the server answers for 300 ms with what it said before
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(60); // gateways of several processes drain

    private readonly Process _process;
    private readonly string? _directory;
    private readonly ConcurrentQueue<string> _errors = new();
    private readonly int _storePort;
    private (int Process, ProcessClock Clock)[]? _clocks;

    private BenchNetwork(Process process, string? directory, int storePort = 0)
    {
        _process = process;
        _directory = directory;
        _storePort = storePort;
    }

    public TestnetDescription Description { get; private set; } = null!;

    /// <summary>From the start of a network of our own to its line <c>testnet ready</c>.</summary>
    public TimeSpan? ReadyAfter { get; private set; }

    /// <summary>Where the embedded store of a network of our own listens, if that was asked for.</summary>
    public string StoreAddress => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{_storePort}");

    /// <summary>Number of the server's process, of the first one if there are several.</summary>
    public int ProcessId => _process.Id;

    /// <summary>CPU time so far of the server's process, or of all its processes together.</summary>
    public TimeSpan CpuTime
    {
        get
        {
            _clocks ??= [(_process.Id, new(_process)), .. (Description.Processes ?? []).Select(each => (each.ProcessId, new ProcessClock(Process.GetProcessById(each.ProcessId))))];
            return _clocks.Aggregate(TimeSpan.Zero, (sum, each) => sum + each.Clock.Elapsed);
        }
    }

    /// <summary>Makes sure that the processes whose time was counted are those that worked.</summary>
    /// <exception cref="CommandException">One has ended, and another one stands in its place.</exception>
    public void RequireSameProcesses()
    {
        if (_directory is not null && TestnetDescription.Load(_directory).Processes is { } now && !now.SequenceEqual(Description.Processes ?? []))
            throw new CommandException(ExitCodes.CheckFailed, $"A process of the network has ended meanwhile. {Complaints}");
    }

    /// <summary>Memory that the server's process holds, in bytes.</summary>
    public long WorkingSet
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }
    }

    /// <summary>
    /// Managed memory that the server has allocated so far, in bytes, as its metrics tell; null if it makes none. Some kilobytes at most are not counted yet, in
    /// each of its threads' current share.
    /// </summary>
    public Task<double?> GetAllocatedBytesAsync(CancellationToken cancellationToken) => GetMetricAsync("dotnet_gc_heap_total_allocated_bytes_total", cancellationToken);

    /// <summary>Sum of a metric of the server over all its labels; null if it makes no metrics.</summary>
    /// <param name="name">As Prometheus knows it.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <param name="label">Only those that have this label, <c>name="value"</c>.</param>
    public async Task<double?> GetMetricAsync(string name, CancellationToken cancellationToken, string? label = null)
    {
        await Task.Delay(MetricsCache, cancellationToken);
        using var http = new HttpClient { BaseAddress = new(Description.AdminUrl) };
        using var response = await http.GetAsync(new Uri("/metrics", UriKind.Relative), cancellationToken);
        if (!response.IsSuccessStatusCode)
            return null;
        double? sum = null;
        foreach (var line in (await response.Content.ReadAsStringAsync(cancellationToken)).Split('\n'))
        {
            // name{labels} value [time]
            if (!line.StartsWith(name, StringComparison.Ordinal) || line.Length == name.Length || line[name.Length] is not ('{' or ' '))
                continue;
            var end = line.IndexOf('}', StringComparison.Ordinal);
            if ((label is null || line[..(end + 1)].Contains(label, StringComparison.Ordinal))
                && (end < 0 ? line[name.Length..] : line[(end + 1)..]).Trim().Split(' ') is [var value, ..])
                sum = (sum ?? 0) + double.Parse(value, CultureInfo.InvariantCulture);
        }

        return sum;
    }

    /// <summary>The last lines that a network of our own wrote to standard error.</summary>
    public string Complaints => string.Join(Environment.NewLine, _errors);

    /// <summary>The network that runs on <paramref name="directory"/>; it stays up.</summary>
    public static BenchNetwork Attach(string directory)
    {
        var description = TestnetDescription.Load(directory);
        try
        {
            return new(Process.GetProcessById(description.ProcessId), directory: null) { Description = description };
        }
        catch (ArgumentException)
        {
            throw new CommandException(ExitCodes.NotRunning, $"The testnet on '{directory}' has ended: there is no process {description.ProcessId}.");
        }
    }

    /// <summary>Starts a network and waits until it is ready.</summary>
    /// <param name="durable">Keep messages on disk instead of in memory.</param>
    /// <param name="cancellationToken">Ends the wait, and the network.</param>
    /// <param name="nodes">Service nodes.</param>
    /// <param name="environment">Further environment variables of its process.</param>
    /// <param name="program">Another build's <c>session-testnet</c>; null for this one.</param>
    /// <param name="arguments">Further options of <c>up</c>.</param>
    /// <param name="openStore">Have the embedded store listen at <see cref="StoreAddress"/>.</param>
    public static async Task<BenchNetwork> StartAsync(
        bool durable, CancellationToken cancellationToken, int nodes = DefaultNodes, IReadOnlyDictionary<string, string>? environment = null,
        string? program = null, IReadOnlyList<string>? arguments = null, bool openStore = false)
    {
        var directory = Directory.CreateTempSubdirectory("session-bench-").FullName;
        var ports = FindPorts(OtherPorts + OmqOffset + nodes);
        var start = CreateStartInfo(directory, durable, nodes, environment, program, ports);
        var storePort = ports + 2;
        if (openStore)
            arguments = [.. arguments ?? [], "--store-port", storePort.ToString(CultureInfo.InvariantCulture)];
        foreach (var argument in arguments ?? [])
            start.ArgumentList.Add(argument);
        var network = new BenchNetwork(new() { StartInfo = start }, directory, storePort);
        try
        {
            await network.WaitUntilReadyAsync(cancellationToken);
            network.Description = TestnetDescription.Load(directory);
            return network;
        }
        catch
        {
            await network.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_directory is not null)
        {
            await StopAsync();
            Directory.Delete(_directory, recursive: true);
        }

        _process.Dispose();
    }

    private static ProcessStartInfo CreateStartInfo(
        string directory, bool durable, int nodes, IReadOnlyDictionary<string, string>? environment, string? program, int ports)
    {
        var start = new ProcessStartInfo(program ?? Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
            start.Environment[name] = value;
        // Started as "dotnet session-testnet.dll", this process is the runtime's, which takes the program as its first argument.
        if (program is null && Path.GetFileNameWithoutExtension(Environment.ProcessPath) is "dotnet")
            start.ArgumentList.Add(Assembly.GetEntryAssembly()!.Location);
        start.ArgumentList.Add("up");
        Add("--data", directory);
        Add("--nodes", Text(nodes));
        Add("--seed-port", Text(ports));
        Add("--admin-port", Text(ports + 1));
        Add("--silo-port", Text(ports + 3));
        Add("--node-port-base", Text(ports + OtherPorts));
        start.ArgumentList.Add("--no-files");
        start.ArgumentList.Add("--no-communities");
        if (!durable)
            start.ArgumentList.Add("--ephemeral");
        return start;

        void Add(string option, string value)
        {
            start.ArgumentList.Add(option);
            start.ArgumentList.Add(value);
        }

        static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
    }

    private static int FindPorts(int count)
    {
        // Below the ports that systems hand out to outgoing connections.
        const int From = 20_000, To = 32_000;
        for (var attempt = 0; attempt < 100; attempt++)
        {
            var first = Random.Shared.Next(From, To - count);
            if (Enumerable.Range(first, count).All(IsFree))
                return first;
        }

        throw new CommandException(ExitCodes.Failed, $"There are no {count} neighbouring free ports between {From} and {To}.");

        static bool IsFree(int port)
        {
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return true;
            }
            catch (SocketException)
            {
                return false;
            }
        }
    }

    private async Task WaitUntilReadyAsync(CancellationToken cancellationToken)
    {
        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _process.OutputDataReceived += (_, line) =>
        {
            if (line.Data?.StartsWith("testnet ready:", StringComparison.Ordinal) is true)
                ready.TrySetResult();
        };
        _process.ErrorDataReceived += (_, line) =>
        {
            if (line.Data is not { } text)
                return;
            _errors.Enqueue(text);
            if (_errors.Count > 10)
                _ = _errors.TryDequeue(out string? _);
        };
        var started = Stopwatch.GetTimestamp();
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(StartLimit);
        var ended = _process.WaitForExitAsync(limit.Token);
        if (await Task.WhenAny(ready.Task, ended) == ready.Task)
        {
            ReadyAfter = Stopwatch.GetElapsedTime(started);
            return;
        }

        cancellationToken.ThrowIfCancellationRequested();
        throw new CommandException(ExitCodes.Failed,
            $"The network under test {(_process.HasExited ? $"ended with {_process.ExitCode}" : "did not get ready")}. {Complaints}");
    }

    // SIGTERM lets it delete its temporary store; Windows has no such signal.
    private async Task StopAsync()
    {
        try
        {
            if (!OperatingSystem.IsWindows() && Kill(_process.Id, SigTerm) == 0)
            {
                using var limit = new CancellationTokenSource(StopLimit);
                await _process.WaitForExitAsync(limit.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // It does not stop by itself.
        }
        catch (InvalidOperationException)
        {
            return; // it was never started
        }

        _process.Kill();
        await _process.WaitForExitAsync(CancellationToken.None);
    }

    [DllImport("libc", EntryPoint = "kill"), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Kill(int process, int signal);
}
