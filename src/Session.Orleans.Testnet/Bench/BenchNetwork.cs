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
    private const int OtherPorts = 3;
    private const int SigTerm = 15;
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(15);

    private readonly Process _process;
    private readonly string? _directory;
    private readonly ConcurrentQueue<string> _errors = new();

    private BenchNetwork(Process process, string? directory)
    {
        _process = process;
        _directory = directory;
    }

    public TestnetDescription Description { get; private set; } = null!;

    /// <summary>From the start of a network of our own to its line <c>testnet ready</c>.</summary>
    public TimeSpan? ReadyAfter { get; private set; }

    /// <summary>CPU time of the server's process so far.</summary>
    public TimeSpan CpuTime
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
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
    public static async Task<BenchNetwork> StartAsync(bool durable, CancellationToken cancellationToken, int nodes = DefaultNodes)
    {
        var directory = Directory.CreateTempSubdirectory("session-bench-").FullName;
        var network = new BenchNetwork(new() { StartInfo = CreateStartInfo(directory, durable, nodes) }, directory);
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

    private static ProcessStartInfo CreateStartInfo(string directory, bool durable, int nodes)
    {
        var ports = FindPorts(OtherPorts + OmqOffset + nodes);
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardError = true };
        // Started as "dotnet session-testnet.dll", this process is the runtime's, which takes the program as its first argument.
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) is "dotnet")
            start.ArgumentList.Add(Assembly.GetEntryAssembly()!.Location);
        start.ArgumentList.Add("up");
        Add("--data", directory);
        Add("--nodes", Text(nodes));
        Add("--seed-port", Text(ports));
        Add("--admin-port", Text(ports + 1));
        Add("--silo-port", Text(ports + 2));
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
