namespace Session.Orleans.Protocol.Cryptography;

/// <summary>X25519 (RFC 7748).</summary>
public static class X25519
{
    /// <summary>Length of public keys, secret keys and shared secrets, in bytes.</summary>
    public const int KeyLength = 32;

    /// <summary>
    /// Computes the 32-byte shared secret. False when it is all zero (a public key of small order); the buffer is then not to be used.
    /// </summary>
    public static bool TryAgree(ReadOnlySpan<byte> secretKey, ReadOnlySpan<byte> publicKey, Span<byte> sharedSecret)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(secretKey.Length, KeyLength);
        ArgumentOutOfRangeException.ThrowIfNotEqual(publicKey.Length, KeyLength);
        ArgumentOutOfRangeException.ThrowIfNotEqual(sharedSecret.Length, KeyLength);
        return Sodium.crypto_scalarmult_curve25519(sharedSecret, secretKey, publicKey) == 0;
    }

    /// <summary>The public key of a 32-byte secret key.</summary>
    public static void GetPublicKey(ReadOnlySpan<byte> secretKey, Span<byte> publicKey)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(secretKey.Length, KeyLength);
        ArgumentOutOfRangeException.ThrowIfNotEqual(publicKey.Length, KeyLength);
        _ = Sodium.crypto_scalarmult_curve25519_base(publicKey, secretKey);
    }
}
