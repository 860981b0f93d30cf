using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Communities;

/// <summary>Blinded ids as anybody can compute them who knows a Session ID and the server's key (communities.md, 4).</summary>
public static class Blinding
{
    /// <summary>Prefix of an id that has no blinding in request headers: an Ed25519 key follows.</summary>
    public const byte UnblindedPrefix = 0x00;

    private const byte SignBit = 0x80;

    /// <summary>True for ids that begin with 15 or 25.</summary>
    public static bool IsBlinded(AccountId id) => id.Prefix is (byte)BlindingVersion.Fifteen or (byte)BlindingVersion.TwentyFive;

    /// <summary>The factor k of a server for 15 ids: BLAKE2b-64 of its key, modulo the group's order (32 bytes).</summary>
    public static void Factor15(X25519PublicKey server, Span<byte> factor)
    {
        Span<byte> hash = stackalloc byte[64];
        Blake2b.Hash(server.AsSpan(), hash);
        Ed25519Group.Reduce(hash, factor);
    }

    /// <summary>The factor k of an account for 25 ids: BLAKE2b-64 of 05, its X25519 key and the server's, modulo the order (32 bytes).</summary>
    public static void Factor25(X25519PublicKey account, X25519PublicKey server, Span<byte> factor)
    {
        Span<byte> input = stackalloc byte[1 + (2 * X25519.KeyLength)];
        input[0] = AccountId.SessionPrefix;
        account.AsSpan().CopyTo(input[1..]);
        server.AsSpan().CopyTo(input[(1 + X25519.KeyLength)..]);
        Span<byte> hash = stackalloc byte[64];
        Blake2b.Hash(input, hash);
        Ed25519Group.Reduce(hash, factor);
    }

    /// <summary>
    /// The two ids one of which the account has at the server; the first has sign bit as computed from the positive key. False if the id is no
    /// Session ID, or not the key of anybody.
    /// </summary>
    public static bool TryCandidates15(AccountId sessionId, X25519PublicKey server, out AccountId first, out AccountId second)
    {
        Span<byte> factor = stackalloc byte[Ed25519Group.Length];
        Factor15(server, factor);
        Span<byte> point = stackalloc byte[Ed25519Group.Length];
        if (!TryMultiply(sessionId, factor, point))
        {
            first = second = default;
            return false;
        }

        first = new((byte)BlindingVersion.Fifteen, new(point));
        point[^1] ^= SignBit;
        second = new((byte)BlindingVersion.Fifteen, new(point));
        return true;
    }

    /// <summary>The account's 25 id at the server. False if the id is no Session ID, or not the key of anybody.</summary>
    public static bool TryId25(AccountId sessionId, X25519PublicKey server, out AccountId id)
    {
        Span<byte> factor = stackalloc byte[Ed25519Group.Length];
        Factor25(new(sessionId.Key), server, factor);
        Span<byte> point = stackalloc byte[Ed25519Group.Length];
        var ok = TryMultiply(sessionId, factor, point);
        id = ok ? new((byte)BlindingVersion.TwentyFive, new(point)) : default;
        return ok;
    }

    /// <summary>The id with its key's sign bit cleared: both candidates of a Session ID have the same.</summary>
    public static AccountId Absolute(AccountId id)
    {
        Span<byte> key = stackalloc byte[Bytes32.Length];
        id.Key.AsSpan().CopyTo(key);
        key[^1] &= unchecked((byte)~SignBit);
        return new(id.Prefix, new(key));
    }

    private static bool TryMultiply(AccountId sessionId, ReadOnlySpan<byte> factor, Span<byte> point)
    {
        Span<byte> key = stackalloc byte[Ed25519Group.Length];
        return sessionId.Prefix == AccountId.SessionPrefix && Ed25519Group.TryFromX25519(sessionId.Key.AsSpan(), key)
            && Ed25519Group.TryMultiplyPoint(factor, key, point);
    }
}
