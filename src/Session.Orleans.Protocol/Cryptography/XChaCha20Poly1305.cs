using System.Diagnostics.CodeAnalysis;

namespace Session.Orleans.Protocol.Cryptography;

/// <summary>XChaCha20-Poly1305 (IETF) without additional data: ciphertext, then the 16-byte tag.</summary>
public static class XChaCha20Poly1305
{
    /// <summary>Length of a key, in bytes.</summary>
    public const int KeyLength = 32;

    /// <summary>Length of a nonce, in bytes.</summary>
    public const int NonceLength = 24;

    /// <summary>Bytes a ciphertext is longer than its message.</summary>
    public const int Overhead = 16;

    /// <summary>Encrypts into a new array.</summary>
    public static byte[] Encrypt(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> message)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(key.Length, KeyLength);
        ArgumentOutOfRangeException.ThrowIfNotEqual(nonce.Length, NonceLength);
        var ciphertext = GC.AllocateUninitializedArray<byte>(message.Length + Overhead);
        _ = Sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(ciphertext, 0, message, (ulong)message.Length, default, 0, 0, nonce, key);
        return ciphertext;
    }

    /// <summary>Decrypts; false if the ciphertext was altered, is too short or was made with another key or nonce.</summary>
    public static bool TryDecrypt(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> ciphertext, [NotNullWhen(true)] out byte[]? message)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(key.Length, KeyLength);
        ArgumentOutOfRangeException.ThrowIfNotEqual(nonce.Length, NonceLength);
        message = null;
        if (ciphertext.Length < Overhead)
            return false;
        var plain = GC.AllocateUninitializedArray<byte>(ciphertext.Length - Overhead);
        if (Sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(plain, 0, 0, ciphertext, (ulong)ciphertext.Length, default, 0, nonce, key) != 0)
            return false;
        message = plain;
        return true;
    }
}
