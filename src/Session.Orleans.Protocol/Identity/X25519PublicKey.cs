using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Session.Orleans.Protocol.Identity;

/// <summary>An X25519 public key: encrypts onion layers, or follows the 05 of a Session ID.</summary>
/// <param name="Value">The 32 key bytes.</param>
public readonly record struct X25519PublicKey(Bytes32 Value) : IComparable<X25519PublicKey>
{
    /// <summary>Copies exactly 32 bytes.</summary>
    public X25519PublicKey(ReadOnlySpan<byte> bytes)
        : this(new Bytes32(bytes))
    {
    }

    /// <summary>A view of the key's own 32 bytes.</summary>
    [UnscopedRef]
    public ReadOnlySpan<byte> AsSpan() => MemoryMarshal.AsBytes(new ReadOnlySpan<X25519PublicKey>(in this));

    /// <summary>Parses 64 hex digits of any case.</summary>
    public static bool TryParseHex(ReadOnlySpan<char> hex, out X25519PublicKey key)
    {
        var ok = Bytes32.TryParseHex(hex, out var value);
        key = new(value);
        return ok;
    }

    /// <summary>Parses 64 ASCII hex digits of any case.</summary>
    public static bool TryParseHex(ReadOnlySpan<byte> hex, out X25519PublicKey key)
    {
        var ok = Bytes32.TryParseHex(hex, out var value);
        key = new(value);
        return ok;
    }

    /// <summary>Parses 64 hex digits of any case.</summary>
    /// <exception cref="FormatException">Anything else.</exception>
    public static X25519PublicKey ParseHex(ReadOnlySpan<char> hex) =>
        TryParseHex(hex, out var key) ? key : throw new FormatException("A key is 64 hex digits (32 bytes).");

    /// <summary>64 lower-case hex digits.</summary>
    public override string ToString() => Value.ToString();

    /// <summary>Order by byte value.</summary>
    public int CompareTo(X25519PublicKey other) => Value.CompareTo(other.Value);

    /// <summary>Order by byte value.</summary>
    public static bool operator <(X25519PublicKey left, X25519PublicKey right) => left.Value < right.Value;

    /// <summary>Order by byte value.</summary>
    public static bool operator >(X25519PublicKey left, X25519PublicKey right) => left.Value > right.Value;

    /// <summary>Order by byte value.</summary>
    public static bool operator <=(X25519PublicKey left, X25519PublicKey right) => left.Value <= right.Value;

    /// <summary>Order by byte value.</summary>
    public static bool operator >=(X25519PublicKey left, X25519PublicKey right) => left.Value >= right.Value;
}
