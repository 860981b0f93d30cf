using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Security.Cryptography;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Client;

/// <summary>
/// The service nodes a client knows, with the strikes against them. One pool serves any number of accounts. Safe for concurrent use.
/// </summary>
/// <param name="nodes">What a seed told.</param>
public sealed class SnodePool(IEnumerable<SnodeAddress> nodes)
{
    /// <summary>Below this many nodes a client asks for the list again.</summary>
    public const int RefreshBelow = 16;

    // A node may relay well and store badly, or the other way round: what it does well must not hide the other.
    private readonly ConcurrentDictionary<(Ed25519PublicKey Node, bool AsDestination), int> _strikes = new();
    private ImmutableArray<SnodeAddress> _nodes = [.. nodes.DistinctBy(node => node.Ed25519)];

    /// <summary>The nodes as they are now.</summary>
    public ImmutableArray<SnodeAddress> Nodes => _nodes;

    /// <summary>Replaces all nodes and forgets the strikes.</summary>
    public void Replace(IEnumerable<SnodeAddress> nodes)
    {
        ImmutableInterlocked.InterlockedExchange(ref _nodes, [.. nodes.DistinctBy(node => node.Ed25519)]);
        _strikes.Clear();
    }

    /// <summary>Drops a node at once.</summary>
    public void Drop(Ed25519PublicKey node)
    {
        ImmutableInterlocked.Update(ref _nodes, static (nodes, key) => nodes.RemoveAll(known => known.Ed25519 == key), node);
        Forgive(node, asDestination: false);
        Forgive(node, asDestination: true);
    }

    /// <summary>A strike; true if it was the last one and the node is dropped.</summary>
    /// <param name="node">The node.</param>
    /// <param name="asDestination">Whether it failed as the destination of a request rather than on the way.</param>
    public bool Strike(Ed25519PublicKey node, bool asDestination)
    {
        if (_strikes.AddOrUpdate((node, asDestination), 1, static (_, strikes) => strikes + 1) < ErrorReactions.Threshold)
            return false;
        Drop(node);
        return true;
    }

    /// <summary>The node did what it should: its strikes in that part are forgotten.</summary>
    public void Forgive(Ed25519PublicKey node, bool asDestination) => _strikes.TryRemove((node, asDestination), out _);

    /// <summary>
    /// A random node that is not in <paramref name="excluded"/>: first a /24 network weighted by its size, then a node of it. Networks of
    /// <paramref name="usedSubnets"/> are avoided as long as there are others, which on a testnet on one machine there never are.
    /// </summary>
    internal SnodeAddress? Draw(IReadOnlySet<Ed25519PublicKey> excluded, IReadOnlySet<string> usedSubnets)
    {
        var candidates = _nodes.Where(node => !excluded.Contains(node.Ed25519)).ToArray();
        if (candidates.Length == 0)
            return null;
        var elsewhere = candidates.Where(node => !usedSubnets.Contains(node.Subnet)).ToArray();
        if (elsewhere.Length > 0)
            candidates = elsewhere;
        return candidates[RandomNumberGenerator.GetInt32(candidates.Length)];
    }
}
