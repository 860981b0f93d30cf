namespace Session.Orleans.Protocol.Cryptography;

/// <summary>Plain Ed25519 (RFC 8032) as libsodium checks it: canonical S, no small-order keys.</summary>
public static class Ed25519
{
    /// <summary>Length of a seed, in bytes.</summary>
    public const int SeedLength = 32;

    /// <summary>Length of a public key, in bytes.</summary>
    public const int PublicKeyLength = 32;

    /// <summary>Length of a secret key in libsodium form (seed, then public key), in bytes.</summary>
    public const int SecretKeyLength = 64;

    /// <summary>Length of a signature, in bytes.</summary>
    public const int SignatureLength = 64;

    /// <summary>Expands a 32-byte seed into a public key (32) and a secret key (64).</summary>
    public static void CreateKeyPair(ReadOnlySpan<byte> seed, Span<byte> publicKey, Span<byte> secretKey)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(seed.Length, SeedLength);
        ArgumentOutOfRangeException.ThrowIfNotEqual(publicKey.Length, PublicKeyLength);
        ArgumentOutOfRangeException.ThrowIfNotEqual(secretKey.Length, SecretKeyLength);
        _ = Sodium.crypto_sign_ed25519_seed_keypair(publicKey, secretKey, seed);
    }

    /// <summary>Signs <paramref name="message"/>. Deterministic.</summary>
    public static void Sign(ReadOnlySpan<byte> secretKey, ReadOnlySpan<byte> message, Span<byte> signature)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(secretKey.Length, SecretKeyLength);
        ArgumentOutOfRangeException.ThrowIfNotEqual(signature.Length, SignatureLength);
        _ = Sodium.crypto_sign_ed25519_detached(signature, 0, message, (ulong)message.Length, secretKey);
    }

    /// <summary>True if <paramref name="signature"/> (64 bytes) is valid; false for anything else, wrong lengths included.</summary>
    public static bool Verify(ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature) =>
        publicKey.Length == PublicKeyLength && signature.Length == SignatureLength
        && Sodium.crypto_sign_ed25519_verify_detached(signature, message, (ulong)message.Length, publicKey) == 0;

    /// <summary>
    /// The X25519 form of a public key, u = (1+y)/(1-y). False for keys of small order or off the curve (storage-rpc.md, 3.1).
    /// </summary>
    public static bool TryConvertPublicKey(ReadOnlySpan<byte> ed25519, Span<byte> x25519) =>
        ed25519.Length == PublicKeyLength && x25519.Length == X25519.KeyLength
        && Sodium.crypto_sign_ed25519_pk_to_curve25519(x25519, ed25519) == 0;

    /// <summary>The X25519 form of a 64-byte secret key: the first half of SHA-512 of its seed, clamped (identity.md, 2).</summary>
    public static void ConvertSecretKey(ReadOnlySpan<byte> ed25519SecretKey, Span<byte> x25519)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(ed25519SecretKey.Length, SecretKeyLength);
        ArgumentOutOfRangeException.ThrowIfNotEqual(x25519.Length, X25519.KeyLength);
        _ = Sodium.crypto_sign_ed25519_sk_to_curve25519(x25519, ed25519SecretKey);
    }
}
