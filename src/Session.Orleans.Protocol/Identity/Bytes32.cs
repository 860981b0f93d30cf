using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Session.Orleans.Protocol.Identity;

/// <summary>32 bytes held by value: the body of keys and hashes, usable as a dictionary key without an allocation.</summary>
[StructLayout(LayoutKind.Sequential)]
public readonly struct Bytes32 : IEquatable<Bytes32>, IComparable<Bytes32>
{
    /// <summary>Number of bytes.</summary>
    public const int Length = 32;

    private readonly ulong _a, _b, _c, _d;

    /// <summary>Copies exactly 32 bytes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Another length.</exception>
    public Bytes32(ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(bytes.Length, Length);
        this = MemoryMarshal.Read<Bytes32>(bytes);
    }

    /// <summary>A view of this value's own bytes; valid as long as the value it was taken from.</summary>
    [UnscopedRef]
    public ReadOnlySpan<byte> AsSpan() => MemoryMarshal.AsBytes(new ReadOnlySpan<Bytes32>(in this));

    /// <summary>Parses 64 hex digits of any case (UTF-16).</summary>
    public static bool TryParseHex(ReadOnlySpan<char> hex, out Bytes32 value)
    {
        Span<byte> bytes = stackalloc byte[Length];
        var ok = hex.Length == 2 * Length && Convert.FromHexString(hex, bytes, out _, out _) == System.Buffers.OperationStatus.Done;
        value = ok ? new Bytes32(bytes) : default;
        return ok;
    }

    /// <summary>Parses 64 hex digits of any case (ASCII).</summary>
    public static bool TryParseHex(ReadOnlySpan<byte> hex, out Bytes32 value)
    {
        Span<byte> bytes = stackalloc byte[Length];
        var ok = hex.Length == 2 * Length && Convert.FromHexString(hex, bytes, out _, out _) == System.Buffers.OperationStatus.Done;
        value = ok ? new Bytes32(bytes) : default;
        return ok;
    }

    /// <summary>64 lower-case hex digits.</summary>
    public override string ToString() => Convert.ToHexStringLower(AsSpan());

    /// <inheritdoc/>
    public bool Equals(Bytes32 other) => _a == other._a && _b == other._b && _c == other._c && _d == other._d;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Bytes32 other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_a, _b, _c, _d);

    /// <summary>Order by byte value, the "sorted" of the specification.</summary>
    public int CompareTo(Bytes32 other) => AsSpan().SequenceCompareTo(other.AsSpan());

    /// <summary>Equality by value.</summary>
    public static bool operator ==(Bytes32 left, Bytes32 right) => left.Equals(right);

    /// <summary>Inequality by value.</summary>
    public static bool operator !=(Bytes32 left, Bytes32 right) => !left.Equals(right);

    /// <summary>Order by byte value.</summary>
    public static bool operator <(Bytes32 left, Bytes32 right) => left.CompareTo(right) < 0;

    /// <summary>Order by byte value.</summary>
    public static bool operator >(Bytes32 left, Bytes32 right) => left.CompareTo(right) > 0;

    /// <summary>Order by byte value.</summary>
    public static bool operator <=(Bytes32 left, Bytes32 right) => left.CompareTo(right) <= 0;

    /// <summary>Order by byte value.</summary>
    public static bool operator >=(Bytes32 left, Bytes32 right) => left.CompareTo(right) >= 0;
}
