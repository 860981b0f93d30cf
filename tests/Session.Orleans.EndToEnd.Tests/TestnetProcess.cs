using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>A real <c>session-testnet up</c> in a process and a folder of its own, on free ports.</summary>
internal sealed partial class TestnetProcess : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);
    private static int _nextPortBase = 24_000 + (Environment.ProcessId % 100 * 300);

    private readonly ConcurrentQueue<string> _log = new();
    private readonly TaskCompletionSource<string> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Process _process;

    private TestnetProcess(string directory, string arguments)
    {
        Directory = directory;
        _process = new Process
        {
            StartInfo = new("dotnet", $"\"{Path.Combine(AppContext.BaseDirectory, "session-testnet.dll")}\" {arguments}")
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            },
        };
        _process.OutputDataReceived += (_, line) => OnLine(line.Data);
        _process.ErrorDataReceived += (_, line) => OnLine(line.Data);
    }

    public string Directory { get; }

    public JsonElement Description { get; private set; }

    /// <summary>Time from process start to the ready line.</summary>
    public TimeSpan ReadyAfter { get; private set; }

    public string ReadyLine { get; private set; } = "";

    public Uri Seed => new(Description.GetProperty("seedUrl").GetString()!);

    public Uri Admin => new(Description.GetProperty("adminUrl").GetString()!);

    public Process Process => _process;

    public string Log => string.Join('\n', _log);

    /// <summary>Starts a network and waits until it says that it is ready.</summary>
    /// <param name="directory">Data folder to continue on, or null for a new one.</param>
    /// <param name="options">Further options of <c>up</c>.</param>
    public static async Task<TestnetProcess> StartAsync(string? directory = null, string options = "", int nodes = 32)
    {
        directory ??= System.IO.Directory.CreateTempSubdirectory("testnet-").FullName;
        var ports = FindPorts(nodes + 3);
        var arguments = string.Create(CultureInfo.InvariantCulture,
            $"up --data \"{directory}\" --nodes {nodes} --seed-port {ports} --admin-port {ports + 1} --silo-port {ports + 2} --node-port-base {ports + 3} {options}");
        var testnet = new TestnetProcess(directory, arguments);
        await testnet.WaitUntilReadyAsync();
        return testnet;
    }

    /// <summary>Runs a command of <c>session-testnet</c> to its end.</summary>
    public static async Task<(int ExitCode, string Output, string Error)> RunAsync(string arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", $"\"{Path.Combine(AppContext.BaseDirectory, "session-testnet.dll")}\" {arguments}")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync().WaitAsync(StartLimit);
        return (process.ExitCode, await output, await error);
    }

    /// <summary>Sends SIGTERM and waits for the end.</summary>
    public async Task<(int ExitCode, TimeSpan Took)> StopAsync()
    {
        var watch = Stopwatch.StartNew();
        Assert.Equal(0, Kill(_process.Id, 15));
        await _process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30));
        return (_process.ExitCode, watch.Elapsed);
    }

    /// <summary>Sends SIGKILL: nothing in the process gets a chance to finish.</summary>
    public async Task KillAsync()
    {
        Assert.Equal(0, Kill(_process.Id, 9));
        await _process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30));
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
    }

    /// <summary>First of <paramref name="count"/> neighbouring free ports, never the same ones twice in this process.</summary>
    public static int FindPorts(int count)
    {
        while (true)
        {
            var first = Interlocked.Add(ref _nextPortBase, count + 10) - count - 10;
            if (first + count > 60_000)
                throw new InvalidOperationException("No free range of ports.");
            if (Enumerable.Range(first, count).All(IsFree))
                return first;
        }

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

    private async Task WaitUntilReadyAsync()
    {
        var watch = Stopwatch.StartNew();
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        var ended = _process.WaitForExitAsync();
        var first = await Task.WhenAny(_ready.Task, ended, Task.Delay(StartLimit));
        if (first != _ready.Task)
            throw new InvalidOperationException($"The testnet {(first == ended ? $"ended with {_process.ExitCode}" : "did not get ready")}:\n{Log}");
        ReadyAfter = watch.Elapsed;
        ReadyLine = await _ready.Task;
        Description = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(Directory, "testnet.json"))).RootElement.Clone();
    }

    private void OnLine(string? line)
    {
        if (line is null)
            return;
        _log.Enqueue(line);
        if (line.StartsWith("testnet ready:", StringComparison.Ordinal))
            _ready.TrySetResult(line);
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}
