using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Session.Orleans.Testing;

/// <summary>A real <c>session-testnet up</c> in a process and a folder of its own, on free ports.</summary>
internal sealed class TestnetProcess : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);


    /// <summary>Ports of a network before its nodes'.</summary>
    public const int OtherPorts = 4;

    private const string FileName = "session-testnet.dll";

    private readonly ConcurrentQueue<string> _log = new();
    private readonly TaskCompletionSource<string> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Process _process;

    private readonly TemporaryFolder? _folder;

    private TestnetProcess(
        TemporaryFolder? folder, string directory, int firstPort, string arguments, IReadOnlyDictionary<string, string>? environment, string? release)
    {
        _folder = folder;
        Directory = directory;
        FirstPort = firstPort;
        _process = new Process { StartInfo = Command(arguments, environment, release) };
        _process.OutputDataReceived += (_, line) => OnLine(line.Data);
        _process.ErrorDataReceived += (_, line) => OnLine(line.Data);
    }

    /// <summary>The program as the build made it: for <c>dotnet</c> to run.</summary>
    public static string ProgramFile { get; } = Path.Combine(
        typeof(TestnetProcess).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(attribute => attribute.Key == "Program").Value!, FileName);

    public string Directory { get; }

    /// <summary>First of the ports it was given; a restart with the same one is a restart at the same addresses.</summary>
    public int FirstPort { get; }

    public JsonElement Description { get; private set; }

    /// <summary>Time from process start to the ready line.</summary>
    public TimeSpan ReadyAfter { get; private set; }

    public string ReadyLine { get; private set; } = "";

    public Uri Seed => new(Description.GetProperty("seedUrl").GetString()!);

    public Uri Admin => new(Description.GetProperty("adminUrl").GetString()!);

    public Process Process => _process;

    /// <summary>The path of <c>testnet.json</c>.</summary>
    public string DescriptionFile => Path.Combine(Directory, "testnet.json");

    /// <summary>Everything the process has printed so far, on both channels.</summary>
    public string Log => string.Join('\n', _log);

    /// <summary>Fails if the process has logged anything of severity Error or worse, and shows it with what follows it.</summary>
    public void AssertNoErrors()
    {
        const int Following = 12;
        var lines = _log.ToArray();
        var first = Array.FindIndex(lines, line => line.Contains(" fail: ", StringComparison.Ordinal) || line.Contains(" crit: ", StringComparison.Ordinal)
            || line.Contains("Unhandled exception", StringComparison.OrdinalIgnoreCase));
        Assert.True(first < 0, first < 0 ? "" : string.Join('\n', lines.Skip(first).Take(1 + Following)));
    }

    /// <summary>Starts a network and waits until it says that it is ready.</summary>
    /// <param name="directory">Data folder to continue on, or null for a new one that is gone afterwards.</param>
    /// <param name="options">Further options of <c>up</c>.</param>
    /// <param name="nodes">Number of service nodes.</param>
    /// <param name="environment">Further environment variables of the process.</param>
    /// <param name="firstPort">First of <paramref name="nodes"/> + <see cref="OtherPorts"/> ports, or 0 for free ones.</param>
    /// <param name="filePort">Port of the file server, or null for the last one before the nodes'.</param>
    /// <param name="siloPort">Port for other silos, or null for the third one before the nodes'.</param>
    /// <param name="release">Folder of the program, or null for the one that was built with the test.</param>
    public static async Task<TestnetProcess> StartAsync(
        string? directory = null, string options = "", int nodes = 32, IReadOnlyDictionary<string, string>? environment = null, int firstPort = 0,
        int? filePort = null, int? siloPort = null, string? release = null)
    {
        var folder = directory is null ? new TemporaryFolder() : null;
        directory ??= folder!.Path;
        var ports = firstPort == 0 ? Ports.Find(nodes + OtherPorts) : firstPort;
        var testnet = new TestnetProcess(folder, directory, ports, UpArguments(directory, ports, nodes, filePort, siloPort) + " " + options, environment, release);
        try
        {
            await testnet.WaitUntilReadyAsync();
            return testnet;
        }
        catch
        {
            await testnet.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// The arguments of <c>up</c> for a network on <paramref name="directory"/>. The community server takes the port above the seed's in the upper
    /// half, which no OxenMQ port takes.
    /// </summary>
    public static string UpArguments(string directory, int firstPort, int nodes = 32, int? filePort = null, int? siloPort = null) => string.Create(CultureInfo.InvariantCulture,
        $"up --data \"{directory}\" --nodes {nodes} --seed-port {firstPort} --admin-port {firstPort + 1} --silo-port {siloPort ?? firstPort + 2} --file-port {filePort ?? firstPort + 3} --community-port {firstPort + Ports.OmqOffset} --node-port-base {firstPort + OtherPorts}");

    /// <summary>Runs a command of <c>session-testnet</c> to its end.</summary>
    /// <param name="arguments">What stands behind the program's name.</param>
    /// <param name="limit">How long it may take; a minute by default.</param>
    public static async Task<CommandResult> RunAsync(string arguments, TimeSpan? limit = null, IReadOnlyDictionary<string, string>? environment = null)
    {
        using var process = Process.Start(Command(arguments, environment, null))!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        try
        {
            await process.WaitForExitAsync().WaitAsync(limit ?? StartLimit);
        }
        catch (TimeoutException)
        {
            process.Kill();
            throw new TimeoutException($"'{arguments}' did not end:\n{await output}\n{await error}");
        }

        return new(process.ExitCode, await output, await error);
    }

    /// <summary>Sends SIGTERM, or another signal, and waits for the end.</summary>
    public async Task<(int ExitCode, TimeSpan Took)> StopAsync(int signal = Signals.Terminate)
    {
        var watch = Stopwatch.StartNew();
        Signals.Send(_process.Id, signal);
        await _process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30));
        return (_process.ExitCode, watch.Elapsed);
    }

    /// <summary>Sends SIGKILL: nothing in the process gets a chance to finish.</summary>
    public async Task KillAsync()
    {
        Signals.Send(_process.Id, Signals.Kill);
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
        _folder?.Dispose();
    }

    private static ProcessStartInfo Command(string arguments, IReadOnlyDictionary<string, string>? environment, string? release)
    {
        // A shell that runs the tests in the background has its children ignore SIGINT; env gives the signal its meaning back and becomes dotnet.
        var command = new ProcessStartInfo("env", $"--default-signal=INT dotnet \"{(release is null ? ProgramFile : Path.Combine(release, FileName))}\" {arguments}")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        // Profiling, and compiling a second time what is called often, pay off only in processes that live for minutes.
        command.Environment["DOTNET_TieredPGO"] = "0";
        command.Environment["DOTNET_TC_CallCountingDelayMs"] = "4E20"; // 20 s without anything new
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
            command.Environment[name] = value;
        return command;
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
        Description = JsonDocument.Parse(await File.ReadAllTextAsync(DescriptionFile)).RootElement.Clone();
    }

    private void OnLine(string? line)
    {
        if (line is null)
            return;
        _log.Enqueue(line);
        if (line.StartsWith("testnet ready:", StringComparison.Ordinal))
            _ready.TrySetResult(line);
    }
}

/// <summary>How a command ended and what it printed.</summary>
internal sealed record CommandResult(int ExitCode, string Output, string Error);

/// <summary>Numbers of the signals that tests send.</summary>
internal static partial class Signals
{
    public const int Interrupt = 2;
    public const int Kill = 9;
    public const int Terminate = 15;
    public const int Continue = 18;
    public const int Stop = 19;

    /// <summary>Sends a signal to a process.</summary>
    public static void Send(int process, int signal) => Assert.Equal(0, SendSignal(process, signal));

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int SendSignal(int process, int signal);
}

/// <summary>A folder that is gone after the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("testnet-").FullName;

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
