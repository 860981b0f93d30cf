using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Orleans.Utilities;
using Session.Orleans.Protocol.Swarms;

namespace Session.Orleans.Grains.Network;

[GrainType("network")]
internal sealed partial class NetworkGrain(
    [PersistentState("network", NetworkGrain.StorageName)] IPersistentState<NetworkGrainState> storage,
    NetworkKeys keys, TimeProvider time, ILogger<NetworkGrain> logger) : Grain, INetworkGrain
{
    /// <summary>Name of the Orleans grain storage.</summary>
    public const string StorageName = "network";

    // Observers renew at every block or sooner; one that is silent for a minute belongs to a dead silo.
    private readonly ObserverManager<INetworkObserver> _observers = new(TimeSpan.FromMinutes(1), logger);
    private IGrainTimer? _clock;
    private IGrainTimer? _faultsEnd;
    private NetworkState? _published;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        if (storage.State.IsConfigured)
            StartClock();
        ScheduleEndOfFaults();
        return Task.CompletedTask;
    }

    public async Task<NetworkState> ConfigureAsync(NetworkPlan plan)
    {
        var state = storage.State;
        if (state.IsConfigured && state.SecretFingerprint != keys.Fingerprint)
            throw new NetworkPlanException(
                "Network:Secret differs from the secret with which this network was made. Use that secret, or an empty store.");
        if (state.Plan == plan)
            return Publish();

        state.SecretFingerprint = keys.Fingerprint;
        if (state.Height == 0)
            state.Height = 1;
        state.Nodes = Compose(WithNodes(plan.Nodes), keys.BlockHash(state.Height), plan.SwarmSize);
        state.Plan = plan;
        state.TableVersion = ++state.Version;
        await WriteAsync(CancellationToken.None);
        LogConfigured(plan.Nodes, plan.SwarmSize);
        StartClock();
        return await PublishToAllAsync();
    }

    public Task<NetworkState> SubscribeAsync(INetworkObserver observer)
    {
        if (!storage.State.IsConfigured)
            throw new NetworkPlanException("The network has not been configured yet.");
        _observers.Subscribe(observer, observer);
        return Task.FromResult(Publish());
    }

    public Task UnsubscribeAsync(INetworkObserver observer)
    {
        _observers.Unsubscribe(observer);
        return Task.CompletedTask;
    }

    private void StartClock()
    {
        var period = storage.State.Plan!.BlockTime;
        if (_clock is null)
            _clock = this.RegisterGrainTimer(AdvanceAsync, new() { DueTime = period, Period = period, KeepAlive = true });
        else
            _clock.Change(period, period);
    }

    private async Task AdvanceAsync(CancellationToken cancellationToken)
    {
        storage.State.Height++;
        storage.State.Version++;
        UpdateLagging();
        await WriteAsync(cancellationToken);
        await PublishToAllAsync();
    }

    private async Task WriteAsync(CancellationToken cancellationToken)
    {
        try
        {
            await storage.WriteStateAsync(cancellationToken);
        }
        catch
        {
            // Memory must not claim what the store may not hold, or what another activation has decided otherwise. The next one reads it.
            DeactivateOnIdle();
            throw;
        }
    }

    private NetworkState Publish()
    {
        var state = storage.State;
        if (_published?.Version != state.Version)
        {
            // The node table is by far the largest part: keep the array while it does not change.
            var nodes = _published?.TableVersion == state.TableVersion ? _published.Nodes : [.. state.Nodes];
            _published = new(state.Version, state.Height, [.. keys.BlockHash(state.Height)],
                state.Plan!.HardForkMajor, state.Plan.HardForkRevision, state.TableVersion, nodes, [.. state.Faults], [.. state.Lagging]);
        }

        return _published;
    }

    private async Task<NetworkState> PublishToAllAsync()
    {
        var state = Publish();
        // A lost notification is repaired when the observer renews, so a failing one is only dropped from the list.
        await _observers.Notify(observer => observer.ChangedAsync(state));
        return state;
    }

    // Nodes 0..count-1: a node that comes back is the same node, at the port that was opened for its index.
    private List<NodeRecord> WithNodes(int count)
    {
        var height = storage.State.Height;
        var known = storage.State.Nodes.ToDictionary(node => node.Index);
        return [.. Enumerable.Range(0, count).Select(index => known.GetValueOrDefault(index)
            ?? new(index, keys.ForNode(index).PublicKey.ToString(), NodeState.Active, SwarmId.Unassigned.Value, height, height))];
    }

    private static NodeRecord[] Compose(List<NodeRecord> nodes, ReadOnlySpan<byte> blockHash, int swarmSize)
    {
        var before = nodes.Where(node => node.State is NodeState.Active)
            .GroupBy(node => new SwarmId(node.SwarmId))
            .ToDictionary(group => group.Key,
                group => (IReadOnlyList<Ed25519PublicKey>)[.. group.Select(node => Ed25519PublicKey.ParseHex(node.PublicKey)).Order()]);
        var swarmOf = SwarmComposition.Update(before, blockHash, RulesFor(swarmSize))
            .SelectMany(swarm => swarm.Value.Select(member => (member, swarm.Key)))
            .ToDictionary(pair => pair.member.ToString(), pair => pair.Key.Value);
        return [.. nodes.Select(node => node with { SwarmId = swarmOf.GetValueOrDefault(node.PublicKey, SwarmId.Unassigned.Value) })];
    }

    // The real network's minimum is two below its ideal size.
    private static SwarmRules RulesFor(int swarmSize) =>
        SwarmRules.Network with { Ideal = swarmSize, Minimum = Math.Max(1, swarmSize - 2) };

    [LoggerMessage(EventId = 2001, Level = LogLevel.Information, Message = "Network configured: {Nodes} nodes in swarms of about {SwarmSize}")]
    private partial void LogConfigured(int nodes, int swarmSize);
}
