using System.Numerics;

namespace Session.Orleans.Protocol.Cryptography;

/// <summary>The group under Ed25519: scalars modulo its order and points, as libsodium computes them, all 32 bytes little-endian: for keys that are derived from other keys (identity.md, 4 and 5; groups.md, 2; communities.md, 4).</summary>
public static class Ed25519Group
{
    /// <summary>Length of a scalar and of a point, in bytes.</summary>
    public const int Length = 32;

    private static readonly BigInteger FieldPrime = (BigInteger.One << 255) - 19;

    /// <summary>True for the canonical form of a point of the main subgroup, not of small order.</summary>
    public static bool IsValidPoint(ReadOnlySpan<byte> point) =>
        point.Length == Length && Sodium.crypto_core_ed25519_is_valid_point(point) == 1;

    /// <summary>A 64-byte number modulo the group's order.</summary>
    public static void Reduce(ReadOnlySpan<byte> number, Span<byte> scalar)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(number.Length, 2 * Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(scalar.Length, Length);
        Sodium.crypto_core_ed25519_scalar_reduce(scalar, number);
    }

    /// <summary>x·y modulo the order. The factors need not be reduced.</summary>
    public static void Multiply(ReadOnlySpan<byte> x, ReadOnlySpan<byte> y, Span<byte> product)
    {
        RequireLengths(x, y, product);
        Sodium.crypto_core_ed25519_scalar_mul(product, x, y);
    }

    /// <summary>x+y modulo the order.</summary>
    public static void Add(ReadOnlySpan<byte> x, ReadOnlySpan<byte> y, Span<byte> sum)
    {
        RequireLengths(x, y, sum);
        Sodium.crypto_core_ed25519_scalar_add(sum, x, y);
    }

    /// <summary>-x modulo the order.</summary>
    public static void Negate(ReadOnlySpan<byte> x, Span<byte> negated)
    {
        RequireLengths(x, x, negated);
        Sodium.crypto_core_ed25519_scalar_negate(negated, x);
    }

    /// <summary>scalar·point, the scalar taken as it is. False if the point is none of the main subgroup or the product is the identity.</summary>
    public static bool TryMultiplyPoint(ReadOnlySpan<byte> scalar, ReadOnlySpan<byte> point, Span<byte> product)
    {
        RequireLengths(scalar, point, product);
        return Sodium.crypto_scalarmult_ed25519_noclamp(product, scalar, point) == 0;
    }

    /// <summary>scalar·G, the scalar taken as it is. False if the product is the identity.</summary>
    public static bool TryMultiplyBase(ReadOnlySpan<byte> scalar, Span<byte> product)
    {
        RequireLengths(scalar, scalar, product);
        return Sodium.crypto_scalarmult_ed25519_base_noclamp(product, scalar) == 0;
    }

    /// <summary>
    /// The Ed25519 point with sign bit 0 that belongs to an X25519 key: y = (u-1)/(u+1). False where that is no point of the main subgroup.
    /// libsodium has no function for this direction; it only ever sees public keys, so it need not take constant time.
    /// </summary>
    public static bool TryFromX25519(ReadOnlySpan<byte> x25519, Span<byte> point)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(x25519.Length, Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(point.Length, Length);
        Span<byte> bytes = stackalloc byte[Length];
        x25519.CopyTo(bytes);
        bytes[^1] &= 0x7F;
        var u = new BigInteger(bytes, isUnsigned: true) % FieldPrime;
        var inverse = BigInteger.ModPow(u + 1, FieldPrime - 2, FieldPrime);
        var y = (u - 1 + FieldPrime) * inverse % FieldPrime;
        point.Clear();
        return y.TryWriteBytes(point, out _, isUnsigned: true) && IsValidPoint(point);
    }

    private static void RequireLengths(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<byte> result)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(first.Length, Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(second.Length, Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(result.Length, Length);
    }
}
