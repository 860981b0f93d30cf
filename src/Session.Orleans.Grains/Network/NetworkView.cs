using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Session.Orleans.Protocol.StorageRpc;
using Session.Orleans.Protocol.Swarms;

namespace Session.Orleans.Grains.Network;

/// <summary>
/// The network as one silo sees it: an immutable snapshot that every decision on a request's path reads without a lock.
/// </summary>
public sealed class NetworkView
{
    private static readonly HardFork MinimumHardFork = new(19, 3);

    private readonly FrozenDictionary<Ed25519PublicKey, ServiceNode> _byKey;
    private readonly FrozenDictionary<int, ServiceNode> _byIndex;
    private readonly FrozenDictionary<SwarmId, Swarm> _swarms;
    private readonly SwarmRing _ring;

    private readonly FrozenDictionary<int, long>? _lagging;
    private readonly FrozenDictionary<int, NodeLife> _lives;
    private readonly bool _replicasDrift;
    private readonly DateTimeOffset _madeAt;

    private NetworkView(NetworkState state, NetworkOptions options, DateTimeOffset now)
    {
        _madeAt = now;
        State = state;
        BlockHash = Convert.ToHexStringLower(state.BlockHash.AsSpan());
        HardFork = new(state.HardForkMajor, state.HardForkRevision);
        Faults = FaultTable.Create(state.Faults);
        _lagging = state.Lagging.IsDefaultOrEmpty ? null : state.Lagging.ToFrozenDictionary(lag => lag.Index, lag => lag.SyncedAt);
        _lives = state.Lives.ToFrozenDictionary(life => life.Index);
        _replicasDrift = options.ReplicaDrift;
        (Nodes, Swarms, _byKey, _byIndex, _swarms, _ring) = ([], [], null!, null!, null!, null!);
    }

    private NetworkView(NetworkState state, NetworkOptions options, DateTimeOffset now, ImmutableArray<ServiceNode> nodes, ImmutableArray<Swarm> swarms)
        : this(state, options, now)
    {
        Nodes = nodes;
        Swarms = swarms;
        _byKey = nodes.ToFrozenDictionary(node => node.PublicKey);
        _byIndex = nodes.ToFrozenDictionary(node => node.Index);
        _swarms = swarms.ToFrozenDictionary(swarm => swarm.Id);
        _ring = new(swarms.Select(swarm => swarm.Id));
    }

    private NetworkView(NetworkState state, NetworkOptions options, DateTimeOffset now, NetworkView table)
        : this(state, options, now)
    {
        Nodes = table.Nodes;
        Swarms = table.Swarms;
        _byKey = table._byKey;
        _byIndex = table._byIndex;
        _swarms = table._swarms;
        _ring = table._ring;
    }

    /// <summary>The state this view was made from.</summary>
    public NetworkState State { get; }

    /// <summary>Height of the top block.</summary>
    public long Height => State.Height;

    /// <summary>Hash of the top block, 64 lower-case hex digits.</summary>
    public string BlockHash { get; }

    /// <summary>Hard fork and service node revision.</summary>
    public HardFork HardFork { get; }

    /// <summary>What is made to go wrong; null while nothing is.</summary>
    public FaultTable? Faults { get; }

    /// <summary>
    /// Height of the last block at which the node caught up with its swarm: what it missed at this height or later it still lacks. In a
    /// network whose replicas drift nobody ever catches up.
    /// </summary>
    public long SyncedAt(int index) => _replicasDrift ? 0 : _lagging is null ? Height : _lagging.GetValueOrDefault(index, Height);

    /// <summary>The node's labels.</summary>
    public IEnumerable<string> LabelsOf(int index) => State.Labels.Where(label => label.Index == index).Select(label => label.Label);

    /// <summary>The registered nodes that have a label.</summary>
    public IEnumerable<ServiceNode> Labelled(string label)
    {
        foreach (var each in State.Labels)
        {
            if (each.Label == label && TryGetNode(each.Index, out var node))
                yield return node;
        }
    }

    /// <summary>What the chain keeps about the node besides its record.</summary>
    public NodeLife LifeOf(ServiceNode node) => _lives.GetValueOrDefault(node.Index);

    /// <summary>All registered nodes, in ascending order of their index.</summary>
    public ImmutableArray<ServiceNode> Nodes { get; }

    /// <summary>All swarms, in ascending order of their id.</summary>
    public ImmutableArray<Swarm> Swarms { get; }

    /// <summary>About when a block was made, in unix seconds; 0 if there is no such block.</summary>
    public long UnixSecondsOf(long? height) =>
        height is { } block ? _madeAt.ToUnixTimeSeconds() - (long)((Height - block) * State.BlockTime.TotalSeconds) : 0;

    /// <summary>True from hard fork 19.3, below which no storage server serves (network.md, 2).</summary>
    public bool IsHardForkReady => HardFork >= MinimumHardFork;

    /// <summary>Finds a node by its Ed25519 key.</summary>
    public bool TryGetNode(Ed25519PublicKey key, [MaybeNullWhen(false)] out ServiceNode node) => _byKey.TryGetValue(key, out node);

    /// <summary>Finds a node by its index.</summary>
    public bool TryGetNode(int index, [MaybeNullWhen(false)] out ServiceNode node) => _byIndex.TryGetValue(index, out node);

    /// <summary>The swarm that keeps the account's messages; null if there is no swarm at all (network.md, 3).</summary>
    public Swarm? SwarmOf(AccountId account) => _ring.TryFind(account, out var id) ? _swarms[id] : null;

    /// <summary>The swarm with this id.</summary>
    public Swarm? SwarmWith(SwarmId id) => _swarms.GetValueOrDefault(id);

    /// <summary>Makes a view of <paramref name="state"/>, sharing the tables of <paramref name="previous"/> where only the block is new.</summary>
    /// <exception cref="NetworkPlanException">The registry holds keys that this silo's secret does not give.</exception>
    internal static NetworkView Create(NetworkState state, NetworkView? previous, NetworkKeys keys, NetworkOptions options, IGrainFactory grains, DateTimeOffset now)
    {
        if (previous is not null && previous.State.TableVersion == state.TableVersion)
            return new(state, options, now, previous);

        var nodes = state.Nodes.Select(record =>
        {
            if (previous is not null && previous.TryGetNode(record.Index, out var known) && known.Record == record)
                return known;
            var pair = keys.ForNode(record.Index);
            return pair.PublicKey.ToString() == record.PublicKey
                ? new ServiceNode(record, pair, options, grains.GetGrain<IServiceNodeGrain>(record.PublicKey))
                : throw new NetworkPlanException("Network:Secret differs from the secret with which this network was made.");
        }).ToImmutableArray();

        var swarms = nodes.Where(node => node.IsInSwarm).GroupBy(node => node.SwarmId).OrderBy(group => group.Key)
            .Select(group => new Swarm(group.Key, [.. group.OrderBy(node => node.PublicKey)])).ToImmutableArray();
        return new(state, options, now, nodes, swarms);
    }
}
