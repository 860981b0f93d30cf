using System.Collections.Immutable;
using System.Globalization;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;
using Session.Orleans.Protocol.Swarms;

namespace Session.Orleans.Testnet.Bench;

/// <summary>A service node as the benchmark addresses it, with its URLs made once.</summary>
internal sealed record BenchNode(int Index, OnionHop Hop, Uri OnionUrl, Uri StorageRpcUrl);

/// <summary>A swarm and its members.</summary>
internal sealed record BenchSwarm(SwarmId Id, ImmutableArray<BenchNode> Members);

/// <summary>Nodes and swarms of the network under test.</summary>
internal sealed class NetworkMap
{
    /// <summary>Relay hops before the destination, as Session clients use them.</summary>
    public const int Hops = 3;

    private readonly SwarmRing _ring;

    /// <summary>The network, but for those nodes that no request shall meet.</summary>
    public NetworkMap(TestnetDescription network, IReadOnlySet<int>? avoided = null)
    {
        bool IsUsed(int index) => avoided is null || !avoided.Contains(index);
        Nodes = [.. network.Nodes.Where(node => IsUsed(node.Index)).Select(node => new BenchNode(
            node.Index,
            new(Ed25519PublicKey.ParseHex(node.Ed25519), X25519PublicKey.ParseHex(node.X25519)),
            new(node.Url + "/onion_req/v2"),
            new(node.Url + "/storage_rpc/v1")))];
        if (Nodes.Length <= Hops)
            throw new CommandException(ExitCodes.Usage, $"The benchmark's paths of {Hops} hops need at least {Hops + 1} service nodes.");
        var byIndex = Nodes.ToDictionary(node => node.Index);
        Swarms = [.. network.Swarms.Select(swarm => new BenchSwarm(
            new(ulong.Parse(swarm.Id, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture)),
            [.. swarm.Members.Where(IsUsed).Select(member => byIndex[member])]))];
        if (Swarms.IsEmpty)
            throw new CommandException(ExitCodes.Failed, "The network has no swarm.");
        _ring = new(Swarms.Select(swarm => swarm.Id));
    }

    public ImmutableArray<BenchNode> Nodes { get; }

    public ImmutableArray<BenchSwarm> Swarms { get; }

    /// <summary>Members of a swarm; the benchmark uses all swarms alike.</summary>
    public double AverageSwarmSize => Swarms.Average(swarm => swarm.Members.Length);

    /// <summary>True if the account's messages are in <paramref name="swarm"/>.</summary>
    public bool IsIn(BenchSwarm swarm, AccountId account) => _ring.TryFind(account, out var id) && id == swarm.Id;

    /// <summary>Which of <see cref="Swarms"/> has the account's messages.</summary>
    public int SwarmOf(AccountId account)
    {
        _ = _ring.TryFind(account, out var id);
        for (var i = 0; i < Swarms.Length; i++)
        {
            if (Swarms[i].Id == id)
                return i;
        }

        throw new CommandException(ExitCodes.Failed, "The benchmark does not know the swarm of an account.");
    }

    /// <summary>A worker's first hop, which it keeps, as a client does.</summary>
    public BenchNode GuardOf(int worker) => Nodes[worker % Nodes.Length];

    /// <summary>The guard, two other random hops and a random member of the swarm, all different.</summary>
    public OnionHop[] ChoosePath(BenchNode guard, BenchSwarm swarm, Random random)
    {
        BenchNode destination;
        do
            destination = swarm.Members[random.Next(swarm.Members.Length)];
        while (destination == guard && swarm.Members.Length > 1);

        var path = new BenchNode[Hops + 1];
        path[0] = guard;
        path[Hops] = destination;
        for (var i = 1; i < Hops; i++)
        {
            do
                path[i] = Nodes[random.Next(Nodes.Length)];
            while (path[i] == destination || path.AsSpan(0, i).Contains(path[i]));
        }

        return Array.ConvertAll(path, node => node.Hop);
    }
}
