using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Session.Orleans.Conformance.Harness;

/// <summary>An account's key at one community server, written out after communities.md, 4, over libsodium's group arithmetic.</summary>
internal sealed partial class Blinded
{
    private const string Library = "libsodium";

    private readonly byte[] _scalar = new byte[32], _prefix;

    public Blinded(byte[] seed, byte[] server)
    {
        var expanded = SHA512.HashData(seed);
        expanded[0] &= 248;
        expanded[31] = (byte)((expanded[31] & 127) | 64);
        _prefix = expanded[32..];
        var factor = Reduce(NSec.Cryptography.HashAlgorithm.Blake2b_512.Hash(server));
        crypto_core_ed25519_scalar_mul(_scalar, factor, expanded.AsSpan(0, 32));
        Key = Base(_scalar);
    }

    /// <summary>The blinded public key, 32 bytes.</summary>
    public byte[] Key { get; }

    /// <summary>15 and the key, in hex.</summary>
    public string Id => "15" + Convert.ToHexStringLower(Key);

    /// <summary>A signature that verifies as plain Ed25519 under the blinded key.</summary>
    public byte[] Sign(byte[] message)
    {
        var r = Reduce(SHA512.HashData([.. _prefix, .. Key, .. message]));
        var point = Base(r);
        var challenge = Reduce(SHA512.HashData([.. point, .. Key, .. message]));
        byte[] product = new byte[32], s = new byte[32];
        crypto_core_ed25519_scalar_mul(product, challenge, _scalar);
        crypto_core_ed25519_scalar_add(s, r, product);
        return [.. point, .. s];
    }

    private static byte[] Reduce(byte[] wide)
    {
        var reduced = new byte[32];
        crypto_core_ed25519_scalar_reduce(reduced, wide);
        return reduced;
    }

    private static byte[] Base(byte[] scalar)
    {
        var point = new byte[32];
        Assert.Equal(0, crypto_scalarmult_ed25519_base_noclamp(point, scalar));
        return point;
    }

    [LibraryImport(Library)]
    private static partial void crypto_core_ed25519_scalar_reduce(Span<byte> reduced, ReadOnlySpan<byte> wide);

    [LibraryImport(Library)]
    private static partial void crypto_core_ed25519_scalar_mul(Span<byte> product, ReadOnlySpan<byte> x, ReadOnlySpan<byte> y);

    [LibraryImport(Library)]
    private static partial void crypto_core_ed25519_scalar_add(Span<byte> sum, ReadOnlySpan<byte> x, ReadOnlySpan<byte> y);

    [LibraryImport(Library)]
    private static partial int crypto_scalarmult_ed25519_base_noclamp(Span<byte> point, ReadOnlySpan<byte> scalar);
}
