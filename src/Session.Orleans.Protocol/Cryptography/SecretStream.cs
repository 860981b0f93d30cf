namespace Session.Orleans.Protocol.Cryptography;

/// <summary>
/// A stream of authenticated chunks (libsodium's <c>secretstream</c> with XChaCha20-Poly1305) whose 24-byte header is given rather than
/// random. Use one instance in one direction only.
/// </summary>
public sealed class SecretStream
{
    /// <summary>Length of a key, in bytes.</summary>
    public const int KeyLength = 32;

    /// <summary>Length of a header, in bytes.</summary>
    public const int HeaderLength = 24;

    /// <summary>Bytes a chunk is longer than its message.</summary>
    public const int Overhead = 17;

    /// <summary>Tag of an ordinary chunk.</summary>
    public const byte MessageTag = 0;

    /// <summary>Tag of the last chunk.</summary>
    public const byte FinalTag = 3;

    private readonly byte[] _state = new byte[(int)Sodium.crypto_secretstream_xchacha20poly1305_statebytes()];

    /// <summary>Starts a stream. Header and key together must never be used for two different contents.</summary>
    public SecretStream(ReadOnlySpan<byte> key, ReadOnlySpan<byte> header)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(key.Length, KeyLength);
        ArgumentOutOfRangeException.ThrowIfNotEqual(header.Length, HeaderLength);
        // Both directions begin with the same state; init_push differs only in drawing the header.
        _ = Sodium.crypto_secretstream_xchacha20poly1305_init_pull(_state, header, key);
    }

    /// <summary>Encrypts one chunk; the destination has its length and <see cref="Overhead"/>.</summary>
    public void Push(ReadOnlySpan<byte> chunk, byte tag, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, chunk.Length + Overhead);
        _ = Sodium.crypto_secretstream_xchacha20poly1305_push(_state, destination, 0, chunk, (ulong)chunk.Length, default, 0, tag);
    }

    /// <summary>Decrypts one chunk into a buffer shorter by <see cref="Overhead"/>; false if it is not the next chunk of this stream.</summary>
    public bool TryPull(ReadOnlySpan<byte> chunk, Span<byte> destination, out byte tag)
    {
        tag = MessageTag;
        return chunk.Length >= Overhead && destination.Length == chunk.Length - Overhead
            && Sodium.crypto_secretstream_xchacha20poly1305_pull(_state, destination, 0, out tag, chunk, (ulong)chunk.Length, default, 0) == 0;
    }
}
