using System.Collections.Immutable;
using System.Globalization;
using Session.Orleans.Grains.Network;
using Session.Orleans.Protocol.Swarms;

namespace Session.Orleans.Gateway.Admin;

/// <summary>Finds nodes and swarms by what people call them.</summary>
internal static class NetworkSelectors
{
    private const int ShortestPrefix = 8;

    /// <summary>The node with this index, or with an Ed25519 key that begins with these 8 or more hex digits.</summary>
    /// <exception cref="NotInNetworkException">There is no such node.</exception>
    /// <exception cref="NetworkOrderException">It names no node, or more than one.</exception>
    public static ServiceNode Node(NetworkView view, string selector)
    {
        if (selector.Length < ShortestPrefix && int.TryParse(selector, NumberStyles.None, CultureInfo.InvariantCulture, out var index))
            return view.TryGetNode(index, out var node) ? node : throw new NotInNetworkException($"There is no node {selector}.");
        if (selector.Length < ShortestPrefix)
            throw new NetworkOrderException($"'{selector}' is neither a node's index nor the first 8 or more hex digits of its Ed25519 key, nor a label that one has.");
        var found = view.Nodes.Where(candidate =>
            candidate.PublicKey.ToString().StartsWith(selector, StringComparison.OrdinalIgnoreCase)).Take(2).ToArray();
        return found.Length switch
        {
            1 => found[0],
            0 => throw new NotInNetworkException($"No node's Ed25519 key begins with '{selector}'."),
            _ => throw new NetworkOrderException($"More than one node's Ed25519 key begins with '{selector}'."),
        };
    }

    /// <summary>The swarm with this id in hex.</summary>
    /// <exception cref="NotInNetworkException">There is no such swarm.</exception>
    public static Swarm Swarm(NetworkView view, string selector) =>
        ulong.TryParse(selector, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var id)
            && view.SwarmWith(new SwarmId(id)) is { } swarm
            ? swarm : throw new NotInNetworkException($"There is no swarm '{selector}'.");

    /// <summary>The indices of all nodes that are named one by one, by a label or by their swarm, each once.</summary>
    /// <exception cref="NotInNetworkException">A name is nobody's.</exception>
    public static ImmutableArray<int> Indices(NetworkView view, IEnumerable<string>? nodes, IEnumerable<string>? swarms) =>
        [.. (nodes ?? []).SelectMany(selector => view.Labelled(selector).DefaultIfEmpty().Select(labelled => labelled ?? Node(view, selector)))
            .Concat((swarms ?? []).SelectMany(selector => Swarm(view, selector).Members))
            .Select(node => node.Index).Distinct().Order()];
}
