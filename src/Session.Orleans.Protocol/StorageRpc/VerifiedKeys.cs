using System.Collections.Concurrent;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>
/// Remembers which Ed25519 keys have been shown to belong to which Session IDs. Converting a key costs more than verifying a signature,
/// and a client polls with the same key for days. Bounded: two generations, of which the older one is dropped whole; a key in use moves to
/// the younger one. Only keys whose owner has signed something get in, so that nobody can fill it with keys he does not have.
/// </summary>
internal static class VerifiedKeys
{
    private const int GenerationSize = 32_768;

    private static volatile ConcurrentDictionary<Ed25519PublicKey, X25519PublicKey> _young = new();
    private static volatile ConcurrentDictionary<Ed25519PublicKey, X25519PublicKey> _old = new();
    private static int _youngCount;

    /// <summary>True if <paramref name="ed25519"/> is known to convert to <paramref name="x25519"/>; false if it is not known.</summary>
    public static bool Contains(in Ed25519PublicKey ed25519, in X25519PublicKey x25519)
    {
        if (_young.TryGetValue(ed25519, out var known))
            return known == x25519;
        if (!_old.TryGetValue(ed25519, out known))
            return false;
        Add(ed25519, known);
        return known == x25519;
    }

    /// <summary>Remembers a pair that has been converted and whose owner has signed.</summary>
    public static void Add(in Ed25519PublicKey ed25519, in X25519PublicKey x25519)
    {
        if (!_young.TryAdd(ed25519, x25519) || Interlocked.Increment(ref _youngCount) < GenerationSize)
            return;
        // Two threads may both get here: then a generation is dropped early, which costs conversions and nothing else.
        _old = _young;
        _young = new();
        Interlocked.Exchange(ref _youngCount, 0);
    }
}
