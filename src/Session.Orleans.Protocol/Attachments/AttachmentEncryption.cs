using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace Session.Orleans.Protocol.Attachments;

/// <summary>Why a downloaded file was not accepted (messages.md, 12).</summary>
public enum AttachmentFailure
{
    /// <summary>It was accepted.</summary>
    None,

    /// <summary>The key has not the length of this encryption.</summary>
    KeyLength,

    /// <summary>Shorter than what every encrypted file has.</summary>
    TooShort,

    /// <summary>Altered, or made with another key.</summary>
    Mac,

    /// <summary>Not the file whose digest the message names.</summary>
    Digest,

    /// <summary>The authenticated bytes can't be decrypted.</summary>
    Cipher,

    /// <summary>The message names a longer file than was decrypted.</summary>
    Size,

    /// <summary>The file starts with a mark of an encryption that is not known.</summary>
    Scheme,

    /// <summary>The padding has no end.</summary>
    Padding,
}

/// <summary>An encrypted file and what a message must tell of it.</summary>
/// <param name="Upload">What the file server gets.</param>
/// <param name="Key">64 bytes: AES key, then MAC key.</param>
/// <param name="Digest">SHA-256 of <paramref name="Upload"/>.</param>
/// <param name="Size">Length of the file itself, in bytes.</param>
public sealed record EncryptedAttachment(byte[] Upload, byte[] Key, byte[] Digest, int Size);

/// <summary>The encryption of attachments that every client reads: AES-256-CBC, then HMAC-SHA-256 (messages.md, 12.2).</summary>
public static class AttachmentEncryption
{
    /// <summary>Length of the key, in bytes.</summary>
    public const int KeyLength = 64;

    /// <summary>Longest file, in bytes.</summary>
    public const int MaxSize = 10_000_000;

    private const int HalfKey = 32;
    private const int IvLength = 16;
    private const int MacLength = 32;
    private const int MinPaddedSize = 541;

    /// <summary>The length a file is padded to, so that its own length does not show (messages.md, 12.3).</summary>
    /// <param name="size">0..10000000 bytes.</param>
    public static int GetPaddedSize(int size)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(size);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(size, MaxSize);
        if (size == 0)
            return MinPaddedSize;
        var bucket = Math.Floor(Math.Pow(1.05, Math.Ceiling(Math.Log(size) / Math.Log(1.05))));
        return (int)Math.Min(Math.Max(MinPaddedSize, bucket), MaxSize);
    }

    /// <summary>Encrypts with new random keys.</summary>
    /// <param name="file">At most 10000000 bytes.</param>
    /// <param name="pad">False for the images of link previews, which are not padded.</param>
    public static EncryptedAttachment Encrypt(ReadOnlySpan<byte> file, bool pad = true)
    {
        Span<byte> iv = stackalloc byte[IvLength];
        RandomNumberGenerator.Fill(iv);
        return Encrypt(file, pad, RandomNumberGenerator.GetBytes(KeyLength), iv);
    }

    internal static EncryptedAttachment Encrypt(ReadOnlySpan<byte> file, bool pad, byte[] key, ReadOnlySpan<byte> iv)
    {
        var plain = new byte[pad ? GetPaddedSize(file.Length) : file.Length];
        file.CopyTo(plain);
        using var aes = Aes.Create();
        aes.SetKey(key.AsSpan(0, HalfKey));
        var cipherLength = aes.GetCiphertextLengthCbc(plain.Length);
        var upload = new byte[IvLength + cipherLength + MacLength];
        iv.CopyTo(upload);
        _ = aes.EncryptCbc(plain, iv, upload.AsSpan(IvLength, cipherLength));
        var authenticated = IvLength + cipherLength;
        _ = HMACSHA256.HashData(key.AsSpan(HalfKey), upload.AsSpan(0, authenticated), upload.AsSpan(authenticated));
        return new(upload, key, SHA256.HashData(upload), file.Length);
    }

    /// <summary>Checks and decrypts a download.</summary>
    /// <param name="upload">The downloaded bytes.</param>
    /// <param name="key">64 bytes from the message.</param>
    /// <param name="digest">32 bytes from the message.</param>
    /// <param name="size">Length of the file, from the message.</param>
    /// <param name="file">The file.</param>
    /// <param name="failure">The first check that failed, if the answer is false.</param>
    public static bool TryDecrypt(
        ReadOnlySpan<byte> upload, ReadOnlySpan<byte> key, ReadOnlySpan<byte> digest, long size, [NotNullWhen(true)] out byte[]? file,
        out AttachmentFailure failure)
    {
        file = null;
        failure = AttachmentFailure.KeyLength;
        if (key.Length != KeyLength)
            return false;
        failure = AttachmentFailure.TooShort;
        if (upload.Length < IvLength + MacLength)
            return false;
        failure = AttachmentFailure.Mac;
        var authenticated = upload[..^MacLength];
        Span<byte> mac = stackalloc byte[MacLength];
        _ = HMACSHA256.HashData(key[HalfKey..], authenticated, mac);
        if (!CryptographicOperations.FixedTimeEquals(mac, upload[^MacLength..]))
            return false;
        failure = AttachmentFailure.Digest;
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        _ = SHA256.HashData(upload, hash);
        if (!hash.SequenceEqual(digest))
            return false;
        failure = AttachmentFailure.Cipher;
        if (!TryDecryptCbc(key[..HalfKey], authenticated[..IvLength], authenticated[IvLength..], out var plain))
            return false;
        failure = AttachmentFailure.Size;
        if (size < 0 || size > plain.Length)
            return false;
        failure = AttachmentFailure.None;
        file = plain[..(int)size];
        return true;
    }

    private static bool TryDecryptCbc(ReadOnlySpan<byte> key, ReadOnlySpan<byte> iv, ReadOnlySpan<byte> blocks, [NotNullWhen(true)] out byte[]? plain)
    {
        plain = null;
        if (blocks.IsEmpty || blocks.Length % IvLength != 0)
            return false;
        using var aes = Aes.Create();
        aes.SetKey(key);
        try
        {
            plain = aes.DecryptCbc(blocks, iv);
            return true;
        }
        catch (CryptographicException)
        {
            return false;
        }
    }
}
