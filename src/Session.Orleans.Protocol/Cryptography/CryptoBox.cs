using System.Security.Cryptography;

namespace Session.Orleans.Protocol.Cryptography;

/// <summary>Authenticated encryption between two X25519 keys (libsodium's <c>crypto_box</c>), the agreement done once.</summary>
public sealed class CryptoBox : IDisposable
{
    /// <summary>Length of a nonce, in bytes.</summary>
    public const int NonceLength = 24;

    /// <summary>Bytes a box is longer than its message: the tag.</summary>
    public const int Overhead = 16;

    private readonly byte[] _sharedKey = new byte[32];

    private CryptoBox()
    {
    }

    /// <summary>Agrees on a key; false if the peer's key has small order.</summary>
    /// <param name="peer">The peer's public key, 32 bytes.</param>
    /// <param name="secretKey">The own secret key, 32 bytes.</param>
    /// <param name="box">The agreement; dispose it to forget its key.</param>
    public static bool TryCreate(ReadOnlySpan<byte> peer, ReadOnlySpan<byte> secretKey, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out CryptoBox? box)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(peer.Length, X25519.KeyLength);
        ArgumentOutOfRangeException.ThrowIfNotEqual(secretKey.Length, X25519.KeyLength);
        box = new();
        if (Sodium.crypto_box_beforenm(box._sharedKey, peer, secretKey) == 0)
            return true;
        box = null;
        return false;
    }

    /// <summary>Encrypts into a buffer of exactly the message's length and <see cref="Overhead"/>.</summary>
    public void Seal(ReadOnlySpan<byte> message, ReadOnlySpan<byte> nonce, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(nonce.Length, NonceLength);
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, message.Length + Overhead);
        _ = Sodium.crypto_box_easy_afternm(destination, message, (ulong)message.Length, nonce, _sharedKey);
    }

    /// <summary>Decrypts into a buffer of exactly the box's length less <see cref="Overhead"/>; false if the box was altered.</summary>
    public bool TryOpen(ReadOnlySpan<byte> sealedBox, ReadOnlySpan<byte> nonce, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(nonce.Length, NonceLength);
        return sealedBox.Length >= Overhead && destination.Length == sealedBox.Length - Overhead
            && Sodium.crypto_box_open_easy_afternm(destination, sealedBox, (ulong)sealedBox.Length, nonce, _sharedKey) == 0;
    }

    /// <summary>Forgets the key.</summary>
    public void Dispose() => CryptographicOperations.ZeroMemory(_sharedKey);
}
