using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Utilities;
using Session.Orleans.Chain.Blocks;
using Session.Orleans.Chain.Operations;
using Session.Orleans.Grains.Placement;

namespace Session.Orleans.Grains.Network;

[GrainType("network"), PrefersRole(SiloRole.Silo)]
internal sealed partial class NetworkGrain(
    [PersistentState("network", NetworkGrain.StorageName)] IPersistentState<NetworkGrainState> storage,
    NetworkKeys keys, IOptions<NetworkOptions> options, TimeProvider time, ILogger<NetworkGrain> logger) : Grain, INetworkGrain
{
    /// <summary>Name of the Orleans grain storage.</summary>
    public const string StorageName = "network";

    private const int MaxSteps = 10_000;

    // Observers renew at every block or sooner; one that is silent for a minute belongs to a dead silo.
    private readonly ObserverManager<INetworkObserver> _observers = new(TimeSpan.FromMinutes(1), logger);
    private NetworkChain? _chain;
    private IGrainTimer? _clock;
    private IGrainTimer? _faultsEnd;
    private NetworkState? _published;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        var state = storage.State;
        if (state.Plan is { } plan && state.Chain is { } saved)
        {
            _chain = NetworkChain.Restore(saved, plan, keys);
            StartClock();
        }

        ScheduleEndOfFaults();
        return Task.CompletedTask;
    }

    public async Task<NetworkState> ConfigureAsync(NetworkPlan plan)
    {
        var state = storage.State;
        if (state.IsConfigured && state.SecretFingerprint != keys.Fingerprint)
            throw new NetworkPlanException(
                "Network:Secret differs from the secret with which this network was made. Use that secret, or an empty store.");
        if (state.Plan == plan && _chain is not null)
            return Publish();

        state.SecretFingerprint = keys.Fingerprint;
        if (_chain is null)
        {
            // Also for a store of a version that kept no chain: its height goes on, its nodes begin anew.
            _chain = NetworkChain.Create(plan, Math.Max(1, state.Height), keys);
            state.Height = _chain.Height;
            TakeNodesOver();
        }
        else
        {
            _chain = NetworkChain.Restore(_chain.Save(), plan, keys);
            if (state.Plan!.Nodes != plan.Nodes || state.Plan.SwarmSize != plan.SwarmSize)
                AddBlock(_chain.Resize(plan.Nodes));
        }

        state.Plan = plan;
        state.Version++;
        await PersistAsync(CancellationToken.None);
        LogConfigured(plan.Nodes, plan.SwarmSize);
        StartClock();
        return await PublishToAllAsync();
    }

    public Task<NetworkState?> SubscribeAsync(INetworkObserver observer, long knownVersion)
    {
        if (_chain is null)
            throw new NetworkPlanException("The network has not been configured yet.");
        _observers.Subscribe(observer, observer);
        return Task.FromResult(storage.State.Version == knownVersion ? null : Publish());
    }

    public Task UnsubscribeAsync(INetworkObserver observer)
    {
        _observers.Unsubscribe(observer);
        return Task.CompletedTask;
    }

    public async Task<NetworkState> OrderAsync(NodeOrderKind order, ImmutableArray<int> nodes)
    {
        var chain = Configured();
        if (nodes.FirstOrDefault(index => index is < 0 or >= NetworkOptions.MaxNodes, -1) is var outside and not -1)
            throw new NetworkOrderException($"A node's index is between 0 and {NetworkOptions.MaxNodes - 1}, not {outside}.");

        // An order makes a block at once: whoever gave it need not wait for the clock to see what came of it.
        var before = chain.Save();
        var result = AddBlock([.. nodes.SelectMany(node => chain.Order(order, node))]);
        if (result.Events.OfType<OperationRejected>().FirstOrDefault() is { } rejected)
        {
            _chain = NetworkChain.Restore(before, storage.State.Plan!, keys);
            TakeNodesOver();
            storage.State.Height = _chain.Height;
            throw new NetworkOrderException(rejected.Reason);
        }

        await PersistAsync(CancellationToken.None);
        return await PublishToAllAsync();
    }

    public async Task<NetworkState> StepAsync(int blocks)
    {
        _ = Configured();
        if (blocks is < 1 or > MaxSteps)
            throw new NetworkOrderException($"The chain can go 1 to {MaxSteps} blocks ahead at once.");
        for (var i = 0; i < blocks; i++)
            AddBlock([]);
        await PersistAsync(CancellationToken.None);
        return await PublishToAllAsync();
    }

    public async Task<NetworkState> SetClockAsync(bool runs)
    {
        _ = Configured();
        storage.State.IsPaused = !runs;
        storage.State.Version++;
        await PersistAsync(CancellationToken.None);
        StartClock();
        return await PublishToAllAsync();
    }

    public async Task<bool> PayAsync(string to, long amount)
    {
        if (!Configured().CanPay(amount))
            return false;
        AddBlock([new Transfer(NetworkChain.Operator, new(to), amount)]);
        await PersistAsync(CancellationToken.None);
        await PublishToAllAsync();
        return true;
    }

    public async Task<NetworkState> SetLabelAsync(string label, ImmutableArray<int> nodes, bool isSet)
    {
        _ = Configured();
        if (NodeLabel.Problem(label) is { } problem)
            throw new NetworkOrderException(problem);
        var state = storage.State;
        var known = state.Nodes.Select(node => node.Index).ToHashSet();
        if (nodes.FirstOrDefault(index => !known.Contains(index), -1) is var unknown and not -1)
            throw new NetworkOrderException($"There is no node {unknown}.");
        var named = state.Labels.Where(each => each.Label == label && (nodes.IsEmpty || nodes.Contains(each.Index)));
        state.Labels = isSet
            ? [.. state.Labels.Union(nodes.Select(index => new NodeLabel(index, label))).OrderBy(each => each.Index).ThenBy(each => each.Label, StringComparer.Ordinal)]
            : [.. state.Labels.Except(named)];
        state.Version++;
        await PersistAsync(CancellationToken.None);
        return await PublishToAllAsync();
    }

    public Task<NetworkArchive> SaveAsync() => Task.FromResult(new NetworkArchive(
        keys.Fingerprint, ImmutableCollectionsMarshal.AsImmutableArray(Configured().Save()), [.. storage.State.Lagging], [.. storage.State.Labels]));

    public async Task<NetworkState> RestoreAsync(NetworkArchive archive)
    {
        _ = Configured();
        if (archive.SecretFingerprint != keys.Fingerprint)
            throw new NetworkOrderException("The snapshot was made with another network secret: its nodes have other keys.");
        var state = storage.State;
        _chain = NetworkChain.Restore(ImmutableCollectionsMarshal.AsArray(archive.Chain)!, state.Plan!, keys);
        state.Height = _chain.Height;
        state.Lagging = [.. archive.Lagging];
        state.Labels = [.. archive.Labels];
        state.StoreEpoch++;
        TakeNodesOver();
        await PersistAsync(CancellationToken.None);
        LogRestored(_chain.Height);
        StartClock();
        return await PublishToAllAsync();
    }

    public async Task<NetworkState> StoreReplacedAsync()
    {
        _ = Configured();
        storage.State.StoreEpoch++;
        storage.State.Version++;
        await PersistAsync(CancellationToken.None);
        return await PublishToAllAsync();
    }

    public Task<LedgerState> GetLedgerAsync() => Task.FromResult(Configured().Ledger);

    private NetworkChain Configured() => _chain ?? throw new NetworkOrderException("The network has not been configured yet.");

    private void StartClock()
    {
        _clock?.Dispose();
        _clock = null;
        var period = storage.State.Plan!.BlockTime;
        if (!storage.State.IsPaused)
            _clock = this.RegisterGrainTimer(AdvanceAsync, new() { DueTime = period, Period = period, KeepAlive = true });
    }

    private async Task AdvanceAsync(CancellationToken cancellationToken)
    {
        AddBlock([]);
        await PersistAsync(cancellationToken);
        await PublishToAllAsync();
    }

    private BlockResult AddBlock(IReadOnlyList<ChainOperation> operations)
    {
        var state = storage.State;
        var result = _chain!.AddBlock(operations, FaultTable.Create([.. state.Faults]), options.Value.PublicIp);
        state.Height = result.Height;
        state.Version++;
        if ((result.Changes & (BlockChanges.Nodes | BlockChanges.Swarms)) != 0)
            TakeNodesOver();
        UpdateLagging();
        foreach (var @event in result.Events.OfType<NodeEvent>())
            LogNodeEvent(result.Height, @event);
        return result;
    }

    private void TakeNodesOver()
    {
        storage.State.Nodes = _chain!.Nodes();
        storage.State.TableVersion = ++storage.State.Version;
    }

    private async Task PersistAsync(CancellationToken cancellationToken)
    {
        try
        {
            storage.State.Chain = _chain!.Save();
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
            ImmutableArray<Fault> faults = [.. state.Faults];
            _published = new(state.Version, state.Height, [.. keys.BlockHash(state.Height)],
                state.Plan!.HardForkMajor, state.Plan.HardForkRevision, state.TableVersion, nodes, faults, [.. state.Lagging],
                _chain!.Lives(FaultTable.Create(faults)), state.IsPaused, state.Plan.BlockTime, state.StoreEpoch, [.. state.Labels]);
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

    [LoggerMessage(EventId = 2001, Level = LogLevel.Information, Message = "Network configured: {Nodes} nodes in swarms of about {SwarmSize}")]
    private partial void LogConfigured(int nodes, int swarmSize);

    [LoggerMessage(EventId = 2003, Level = LogLevel.Information, Message = "Network restored from a snapshot, at block {Height}")]
    private partial void LogRestored(long height);

    [LoggerMessage(EventId = 2002, Level = LogLevel.Information, Message = "Block {Height}: {Event}")]
    private partial void LogNodeEvent(long height, NodeEvent @event);
}
