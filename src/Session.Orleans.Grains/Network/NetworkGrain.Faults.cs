using System.Collections.Immutable;
using System.Globalization;
using Session.Orleans.Protocol.Swarms;

namespace Session.Orleans.Grains.Network;

/// <content>Faults: their beginning, their end, and who has missed something through them.</content>
internal sealed partial class NetworkGrain
{
    public async Task<ImmutableArray<Fault>> AddFaultsAsync(ImmutableArray<Fault> faults)
    {
        _ = Configured();
        var state = storage.State;
        var now = time.GetUtcNow();
        var known = state.Nodes.Select(node => node.Index).ToHashSet();
        var added = new List<Fault>(faults.Length);
        foreach (var ordered in faults)
        {
            var fault = ordered with
            {
                Id = string.Create(CultureInfo.InvariantCulture, $"f{state.LastFault + added.Count + 1}"), Since = now, Peers = ordered.Peers.IsDefault ? [] : ordered.Peers,
            };
            if (fault.Problem() is { } problem)
                throw new NetworkOrderException(problem);
            if (fault.Nodes.Concat(fault.Peers).FirstOrDefault(index => !known.Contains(index), -1) is var unknown and not -1)
                throw new NetworkOrderException(string.Create(CultureInfo.InvariantCulture, $"There is no node {unknown}."));
            added.Add(fault);
        }

        state.LastFault += added.Count;
        await SetFaultsAsync([.. state.Faults, .. added]);
        return [.. added];
    }

    public async Task<ImmutableArray<Fault>> RemoveFaultsAsync(ImmutableArray<string> names)
    {
        var ended = storage.State.Faults
            .Where(fault => names.IsDefaultOrEmpty || names.Contains(fault.Id) || (fault.Label is { } label && names.Contains(label))).ToImmutableArray();
        if (ended.Length > 0)
            await SetFaultsAsync([.. storage.State.Faults.Except(ended)]);
        return ended;
    }

    private async Task SetFaultsAsync(Fault[] faults)
    {
        storage.State.Faults = faults;
        storage.State.Version++;
        UpdateLagging(blockIsNew: false);
        await PersistAsync(CancellationToken.None);
        ScheduleEndOfFaults();
        await PublishToAllAsync();
    }

    /// <summary>Whoever can't hear all of his swarm stays at the block at which he could; the others catch up when a block comes.</summary>
    private void UpdateLagging(bool blockIsNew = true)
    {
        var state = storage.State;
        if (state.Faults.Length == 0 && state.Lagging.Length == 0)
            return;
        var table = FaultTable.Create([.. state.Faults]);
        var synced = state.Lagging.ToDictionary(lag => lag.Index, lag => lag.SyncedAt);
        var lagging = new List<NodeLag>();
        foreach (var swarm in state.Nodes.Where(node => node.SwarmId != SwarmId.Unassigned.Value).GroupBy(node => node.SwarmId))
        {
            foreach (var node in swarm)
            {
                // A member that is itself cut off from everybody has nothing that the others could miss.
                var cutOff = table is not null && (table.At(node.Index) is { CutsOff: true }
                    || swarm.Any(other => other != node && table.At(other.Index) is not { CutsOff: true } && table.CutsOff(other.Index, node.Index)));
                if (cutOff || (!blockIsNew && synced.ContainsKey(node.Index)))
                    lagging.Add(new(node.Index, synced.GetValueOrDefault(node.Index, state.Height)));
            }
        }

        state.Lagging = [.. lagging.OrderBy(lag => lag.Index)];
    }

    private void ScheduleEndOfFaults()
    {
        _faultsEnd?.Dispose();
        _faultsEnd = null;
        if (storage.State.Faults.Min(fault => fault.Until) is not { } first)
            return;
        var due = first - time.GetUtcNow();
        _faultsEnd = this.RegisterGrainTimer(EndFaultsAsync, new()
        {
            // A timer takes at most 49 days; one that comes too early sets itself again.
            DueTime = TimeSpan.FromMilliseconds(Math.Clamp(due.TotalMilliseconds, 1, TimeSpan.FromDays(40).TotalMilliseconds)),
            Period = Timeout.InfiniteTimeSpan,
            KeepAlive = true,
        });
    }

    private async Task EndFaultsAsync(CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var left = storage.State.Faults.Where(fault => fault.Until is null || fault.Until > now).ToArray();
        if (left.Length < storage.State.Faults.Length)
            await SetFaultsAsync(left);
        else
            ScheduleEndOfFaults();
    }
}
