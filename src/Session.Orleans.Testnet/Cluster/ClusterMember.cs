using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using Session.Orleans.Grains.Placement;

namespace Session.Orleans.Testnet.Cluster;

/// <summary>One process of a cluster, <c>session-testnet serve</c>. It stops in good order when its input is closed, so also when this process dies.</summary>
internal sealed class ClusterMember : IDisposable
{
    private static readonly TimeSpan ReadyLimit = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan AskPeriod = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(40);
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(2) };

    private readonly Process _process;
    private readonly Uri _ready;
    private volatile bool _stopping;
    private volatile string? _lastLine;

    private ClusterMember(string name, SiloRole role, int slot, int healthPort, Process process)
    {
        (Name, Role, Slot, HealthPort, _process) = (name, role, slot, healthPort, process);
        _ready = new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{healthPort}/health/ready"));
    }

    /// <summary>Role and slot: <c>silo-1</c>.</summary>
    public string Name { get; }

    /// <summary>What it does.</summary>
    public SiloRole Role { get; }

    /// <summary>Which of the plan's ports are its own.</summary>
    public int Slot { get; }

    /// <summary>Its own admin port.</summary>
    public int HealthPort { get; }

    /// <summary>Its process id.</summary>
    public int ProcessId { get; private set; }

    /// <summary>Ends when the process has ended, with its exit code.</summary>
    public Task<int> Ended { get; private set; } = Task.FromResult(0);

    /// <summary>True if it was told to stop.</summary>
    public bool IsStopping => _stopping;

    /// <summary>The last thing it said.</summary>
    public string? LastLine => _lastLine;

    /// <summary>Starts the process.</summary>
    /// <param name="plan">The cluster's.</param>
    /// <param name="role">What it is to do.</param>
    /// <param name="slot">Which ports it gets.</param>
    /// <param name="log">Takes each line it says.</param>
    public static ClusterMember Start(ClusterPlan plan, SiloRole role, int slot, Action<string> log)
    {
        var name = ClusterPlan.NameOf(role, slot);
        var program = Environment.ProcessPath!;
        var start = new ProcessStartInfo(program)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        if (Path.GetFileNameWithoutExtension(program) is "dotnet")
            start.ArgumentList.Add(Assembly.GetEntryAssembly()!.Location);
        start.ArgumentList.Add("serve");
        start.ArgumentList.Add("--until-input-ends");
        foreach (var (key, value) in plan.EnvironmentOf(name, role, slot))
            start.Environment[key] = value;

        var process = new Process { StartInfo = start };
        var member = new ClusterMember(name, role, slot, plan.HealthPort(slot), process);
        process.OutputDataReceived += (_, line) => member.OnLine(line.Data, log);
        process.ErrorDataReceived += (_, line) => member.OnLine(line.Data, log);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        member.ProcessId = process.Id;
        member.Ended = WaitForEndAsync(process);
        return member;
    }

    /// <summary>Returns when it serves.</summary>
    /// <exception cref="CommandException">It ended instead, or took too long.</exception>
    public async Task WaitUntilReadyAsync(CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(ReadyLimit);
        var ended = Ended;
        try
        {
            while (!await IsReadyAsync(limit.Token))
            {
                if (await Task.WhenAny(ended, Task.Delay(AskPeriod, limit.Token)) == ended)
                    throw new CommandException(ExitCodes.Failed, $"{Name} ended with exit code {await ended} before it was ready{(LastLine is { } last ? ": " + last : ".")}");
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CommandException(ExitCodes.Failed, $"{Name} was not ready after {ReadyLimit.TotalSeconds} s{(LastLine is { } last ? ": " + last : ".")}");
        }
    }

    /// <summary>True if it says that it serves.</summary>
    public async Task<bool> IsReadyAsync(CancellationToken cancellationToken)
    {
        try
        {
            using var response = await Http.GetAsync(_ready, cancellationToken);
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false; // not listening yet
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false; // frozen, or busy
        }
    }

    /// <summary>Lets it finish what it does and hand over; ends it if that takes too long.</summary>
    public async Task StopAsync()
    {
        _stopping = true;
        _process.StandardInput.Close();
        using var limit = new CancellationTokenSource(StopLimit);
        try
        {
            await Ended.WaitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill();
            await Ended;
        }
    }

    public void Dispose() => _process.Dispose();

    private static async Task<int> WaitForEndAsync(Process process)
    {
        await process.WaitForExitAsync();
        return process.ExitCode;
    }

    private void OnLine(string? line, Action<string> log)
    {
        if (string.IsNullOrEmpty(line))
            return;
        _lastLine = line;
        log($"{Name}: {line}");
    }
}
