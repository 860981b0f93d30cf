namespace Session.Orleans.Protocol.Cryptography;

/// <summary>Anonymous encryption to an X25519 key (libsodium's sealed box): only the holder of the secret key can read it.</summary>
public static class SealedBox
{
    /// <summary>Bytes a sealed box is longer than its message: ephemeral key (32) and tag (16).</summary>
    public const int Overhead = 48;

    /// <summary>Encrypts for <paramref name="recipient"/> (32 bytes).</summary>
    public static byte[] Seal(ReadOnlySpan<byte> message, ReadOnlySpan<byte> recipient)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(recipient.Length, X25519.KeyLength);
        var box = new byte[message.Length + Overhead];
        if (Sodium.crypto_box_seal(box, message, (ulong)message.Length, recipient) != 0)
            throw new ArgumentException("The recipient's key has small order.", nameof(recipient));
        return box;
    }

    /// <summary>Opens a sealed box; false if it was not made for this key pair or was altered.</summary>
    public static bool TryOpen(ReadOnlySpan<byte> box, ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> secretKey, out byte[] message)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(publicKey.Length, X25519.KeyLength);
        ArgumentOutOfRangeException.ThrowIfNotEqual(secretKey.Length, X25519.KeyLength);
        message = [];
        if (box.Length < Overhead)
            return false;
        var opened = new byte[box.Length - Overhead];
        if (Sodium.crypto_box_seal_open(opened, box, (ulong)box.Length, publicKey, secretKey) != 0)
            return false;
        message = opened;
        return true;
    }
}
