using System.Globalization;
using Session.Orleans.Grains.Placement;

namespace Session.Orleans.Testnet.Cluster;

/// <summary>
/// Keeps a cluster of processes on this machine as it is wanted: starts them, starts again those that die, replaces one after another without
/// a gap, makes them more or fewer.
/// </summary>
/// <param name="plan">How many to begin with, and where they listen.</param>
/// <param name="log">Takes each line that a process says.</param>
internal sealed class Supervisor(ClusterPlan plan, Action<string> log) : IAsyncDisposable
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private readonly List<ClusterMember> _members = [];
    private readonly SortedSet<int> _taken = [];
    private readonly SemaphoreSlim _turn = new(1, 1); // scaling and restarts, one at a time
    private readonly CancellationTokenSource _end = new();
    private readonly List<Task> _watches = [];

    /// <summary>Raised after the list of processes has changed.</summary>
    public event Action? Changed;

    /// <summary>The processes, by role and slot.</summary>
    public IReadOnlyList<ClusterMember> Members
    {
        get
        {
            lock (_lock)
                return [.. _members.OrderBy(member => member.Role is SiloRole.Gateway).ThenBy(member => member.Slot)];
        }
    }

    /// <summary>Starts all, and returns when they serve.</summary>
    /// <exception cref="CommandException">One of them did not get ready.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        SiloRole[] roles = [.. Enumerable.Repeat(SiloRole.Silo, plan.Silos), .. Enumerable.Repeat(SiloRole.Gateway, plan.Gateways)];
        await Task.WhenAll(roles.Select(role => AddAsync(role, cancellationToken)));
    }

    /// <summary>Makes the silos, without gateways, as many as wanted. The last ones go first.</summary>
    /// <exception cref="CommandException">A new one did not get ready.</exception>
    public async Task ScaleAsync(int silos, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            if (silos is < 1 or > ClusterPlan.MaxSilos)
                throw new CommandException(ExitCodes.Usage, $"Between 1 and {ClusterPlan.MaxSilos} silos can run here.");
            var present = Members.Where(member => member.Role is SiloRole.Silo).ToArray();
            await Task.WhenAll(Enumerable.Range(0, Math.Max(0, silos - present.Length)).Select(_ => AddAsync(SiloRole.Silo, cancellationToken)));
            foreach (var member in present.Skip(silos).Reverse())
                await RemoveAsync(member);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Replaces every process, one after another: the new one serves before the old one is told to go.</summary>
    /// <exception cref="CommandException">A new one did not get ready; the old one stays.</exception>
    public async Task RestartAsync(CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            foreach (var member in Members)
            {
                await AddAsync(member.Role, cancellationToken);
                await RemoveAsync(member);
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Stops the gateways, then the silos, each in good order.</summary>
    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await Task.WhenAll(Members.Where(member => member.Role is SiloRole.Gateway).Select(StopAsync));
        await Task.WhenAll(Members.Where(member => member.Role is not SiloRole.Gateway).Select(StopAsync));
        Task[] watches;
        lock (_lock)
            watches = [.. _watches];
        await Task.WhenAll(watches);
        foreach (var member in Members)
            member.Dispose();
        _end.Dispose();
        _turn.Dispose();
    }

    private static async Task StopAsync(ClusterMember member)
    {
        if (!member.Ended.IsCompleted)
            await member.StopAsync();
    }

    private async Task AddAsync(SiloRole role, CancellationToken cancellationToken)
    {
        var member = Launch(role, TakeSlot(role));
        try
        {
            await member.WaitUntilReadyAsync(cancellationToken);
        }
        catch
        {
            await RemoveAsync(member);
            throw;
        }

        lock (_lock)
        {
            _watches.RemoveAll(watch => watch.IsCompleted);
            _watches.Add(WatchAsync(member));
        }

        Changed?.Invoke();
    }

    private ClusterMember Launch(SiloRole role, int slot)
    {
        var member = ClusterMember.Start(plan, role, slot, log);
        lock (_lock)
            _members.Add(member);
        return member;
    }

    private async Task RemoveAsync(ClusterMember member)
    {
        // The one that stands in its slot now, if it died and was started again meanwhile.
        if (Members.FirstOrDefault(candidate => candidate.Slot == member.Slot) is not { } present)
            return;
        await StopAsync(present);
        lock (_lock)
        {
            _members.Remove(present);
            _taken.Remove(present.Slot);
        }

        Changed?.Invoke();
    }

    /// <summary>Starts a process again that ended without being told to, with longer and longer pauses if it never gets ready.</summary>
    private async Task WatchAsync(ClusterMember member)
    {
        var pause = FirstPause;
        while (true)
        {
            var exitCode = await member.Ended;
            if (member.IsStopping || _end.IsCancellationRequested)
                return;
            log(string.Create(CultureInfo.InvariantCulture, $"{member.Name} ended with exit code {exitCode}; starting it again in {pause.TotalSeconds} s"));
            await Task.Delay(pause, _end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_end.IsCancellationRequested)
                return;

            var next = ClusterMember.Start(plan, member.Role, member.Slot, log);
            lock (_lock)
                _members[_members.IndexOf(member)] = next;
            member.Dispose();
            member = next;
            Changed?.Invoke();
            try
            {
                await member.WaitUntilReadyAsync(_end.Token);
                pause = FirstPause;
            }
            catch (CommandException exception)
            {
                log(exception.Message);
                pause = TimeSpan.FromTicks(Math.Min(pause.Ticks * 2, LongestPause.Ticks));
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private int TakeSlot(SiloRole role)
    {
        lock (_lock)
        {
            var slot = ClusterPlan.Slots(role).First(slot => !_taken.Contains(slot));
            _taken.Add(slot);
            return slot;
        }
    }
}
