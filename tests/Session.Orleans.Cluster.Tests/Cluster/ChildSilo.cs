using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;

namespace Session.Orleans.Cluster.Tests;

/// <summary>A silo in a process of its own, which can be killed.</summary>
internal sealed class ChildSilo : IAsyncDisposable
{
    private readonly ConcurrentQueue<string> _log = new();
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Process _process;
    private readonly string _directory = Directory.CreateTempSubdirectory("silo-").FullName;

    private ChildSilo(string clusterId, string redis)
    {
        var ports = Ports.Find(4 + TestSilo.Nodes);
        Seed = new($"https://127.0.0.1:{ports.ToString(CultureInfo.InvariantCulture)}");
        string[] arguments =
        [
            Path.Combine(AppContext.BaseDirectory, "session-testnet.dll"), "up", "--data", _directory, "--redis", redis,
            "--network-secret", TestSilo.Secret, "--nodes", Text(TestSilo.Nodes), "--swarm-size", Text(TestSilo.SwarmSize),
            "--block-time", TestSilo.BlockTime.TotalSeconds.ToString(CultureInfo.InvariantCulture),
            "--seed-port", Text(ports), "--admin-port", Text(ports + 1), "--silo-port", Text(ports + 2), "--node-port-base", Text(ports + 3), "--no-omq",
            "--no-communities", "--file-port", Text(ports + 3 + TestSilo.Nodes),
        ];
        _process = new Process
        {
            StartInfo = new("dotnet", arguments)
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                Environment = { ["SESSION_Silo__ClusterId"] = clusterId },
            },
        };
        _process.OutputDataReceived += (_, line) => OnLine(line.Data);
        _process.ErrorDataReceived += (_, line) => OnLine(line.Data);
    }

    public Uri Seed { get; }

    public static async Task<ChildSilo> StartAsync(string clusterId, string redis)
    {
        var silo = new ChildSilo(clusterId, redis);
        silo._process.Start();
        silo._process.BeginOutputReadLine();
        silo._process.BeginErrorReadLine();
        var first = await Task.WhenAny(silo._ready.Task, silo._process.WaitForExitAsync(), Task.Delay(Wait.Limit));
        Assert.True(first == silo._ready.Task, $"The silo did not get ready:\n{string.Join('\n', silo._log)}");
        return silo;
    }

    /// <summary>Ends the process on the spot: nothing in it gets a chance to finish.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync().WaitAsync(Wait.Limit);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            await KillAsync();
        _process.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private void OnLine(string? line)
    {
        if (line is null)
            return;
        _log.Enqueue(line);
        if (line.StartsWith("testnet ready:", StringComparison.Ordinal))
            _ready.TrySetResult();
    }
}
