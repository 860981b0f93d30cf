using System.Collections.Immutable;
using System.Security.Cryptography;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.Client;

/// <summary>The relay hops of an onion request, the guard first. The destination comes after them and is not in the path.</summary>
/// <param name="Hops">Distinct nodes; Session clients use three.</param>
public sealed record OnionPath(ImmutableArray<SnodeAddress> Hops)
{
    /// <summary>Number of relay hops that Session clients use.</summary>
    public const int DefaultLength = 3;

    /// <summary>The node that the client connects to.</summary>
    public SnodeAddress Guard => Hops[0];

    /// <summary>Draws distinct random hops, none of them the destination.</summary>
    /// <exception cref="SessionClientException">Too few nodes.</exception>
    public static OnionPath Choose(IReadOnlyList<SnodeAddress> pool, SnodeAddress destination, int length = DefaultLength)
    {
        var candidates = pool.Where(node => node.Ed25519 != destination.Ed25519).ToArray();
        if (candidates.Length < length)
            throw new SessionClientException($"A path of {length} hops needs at least {length + 1} service nodes; {pool.Count} are known.");
        RandomNumberGenerator.Shuffle<SnodeAddress>(candidates);
        return new([.. candidates.Take(length)]);
    }

    /// <summary>The nodes of a request to <paramref name="destination"/>, in the order in which they remove layers.</summary>
    public OnionHop[] To(SnodeAddress destination) => [.. Hops.Append(destination).Select(node => new OnionHop(node.Ed25519, node.X25519))];
}
