using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using Session.Orleans.Protocol.Cryptography;

namespace Session.Orleans.Protocol.Attachments;

/// <summary>What a deterministically encrypted file is. The same file has different keys as one and the other.</summary>
public enum DeterministicFileKind
{
    /// <summary>An attachment.</summary>
    Attachment,

    /// <summary>A profile or group picture.</summary>
    Picture,
}

/// <summary>
/// Encryption whose key follows from the file and a seed, so that the same file uploaded again is the same file (messages.md, 12.4).
/// Marked by <c>d</c> in the URL's fragment.
/// </summary>
public static class DeterministicEncryption
{
    /// <summary>Length of the key, in bytes.</summary>
    public const int KeyLength = SecretStream.KeyLength;

    /// <summary>Longest file, in bytes.</summary>
    public const int MaxSize = 10_218_286;

    private const byte Mark = 0x53;
    private const byte PaddingEnd = 0x01;
    private const int HeadLength = 1 + SecretStream.HeaderLength;
    private const int ChunkLength = 32768;

    /// <summary>Encrypts.</summary>
    /// <param name="file">At most 10218286 bytes.</param>
    /// <param name="seed">32 bytes: the account's Ed25519 seed, or any others.</param>
    /// <param name="kind">What the file is.</param>
    /// <returns>What the file server gets, and the key for the message.</returns>
    public static (byte[] Upload, byte[] Key) Encrypt(ReadOnlySpan<byte> file, ReadOnlySpan<byte> seed, DeterministicFileKind kind = DeterministicFileKind.Attachment)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(seed.Length, Ed25519.SeedLength);
        Span<byte> derived = stackalloc byte[SecretStream.HeaderLength + KeyLength];
        Blake2b.HashPersonal(file, seed, kind is DeterministicFileKind.Picture ? "Session_Prof_Pic"u8 : "SessionAttachmnt"u8, derived);
        var header = derived[..SecretStream.HeaderLength];
        var key = derived[SecretStream.HeaderLength..].ToArray();

        var padding = GetPadding(file.Length);
        var plain = new byte[padding + file.Length];
        plain[padding - 1] = PaddingEnd;
        file.CopyTo(plain.AsSpan(padding));

        var upload = new byte[GetUploadSize(file.Length)];
        upload[0] = Mark;
        header.CopyTo(upload.AsSpan(1));
        var stream = new SecretStream(key, header);
        var output = upload.AsSpan(HeadLength);
        for (ReadOnlySpan<byte> rest = plain; !rest.IsEmpty;)
        {
            var chunk = rest[..Math.Min(rest.Length, ChunkLength)];
            rest = rest[chunk.Length..];
            stream.Push(chunk, rest.IsEmpty ? SecretStream.FinalTag : SecretStream.MessageTag, output[..(chunk.Length + SecretStream.Overhead)]);
            output = output[(chunk.Length + SecretStream.Overhead)..];
        }

        return (upload, key);
    }

    /// <summary>Checks and decrypts a download.</summary>
    public static bool TryDecrypt(ReadOnlySpan<byte> upload, ReadOnlySpan<byte> key, [NotNullWhen(true)] out byte[]? file, out AttachmentFailure failure)
    {
        file = null;
        failure = AttachmentFailure.KeyLength;
        if (key.Length != KeyLength)
            return false;
        failure = AttachmentFailure.TooShort;
        if (upload.Length < HeadLength + SecretStream.Overhead)
            return false;
        failure = AttachmentFailure.Scheme;
        if (upload[0] != Mark)
            return false;
        failure = AttachmentFailure.Mac;
        var stream = new SecretStream(key, upload[1..HeadLength]);
        var plain = new byte[upload.Length - HeadLength];
        var length = 0;
        for (var rest = upload[HeadLength..]; !rest.IsEmpty;)
        {
            var chunk = rest[..Math.Min(rest.Length, ChunkLength + SecretStream.Overhead)];
            rest = rest[chunk.Length..];
            if (chunk.Length < SecretStream.Overhead
                || !stream.TryPull(chunk, plain.AsSpan(length, chunk.Length - SecretStream.Overhead), out var tag)
                || (tag is SecretStream.FinalTag) != rest.IsEmpty)
                return false;
            length += chunk.Length - SecretStream.Overhead;
        }

        failure = AttachmentFailure.Padding;
        var end = plain.AsSpan(0, length).IndexOfAnyExcept((byte)0);
        if (end < 0 || plain[end] != PaddingEnd)
            return false;
        failure = AttachmentFailure.None;
        file = plain[(end + 1)..length];
        return true;
    }

    /// <summary>Length of the upload of a file of this length, in bytes.</summary>
    public static int GetUploadSize(int size)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(size);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(size, MaxSize);
        var least = size + HeadLength + 1 + (SecretStream.Overhead * ((size + ChunkLength - 1) / ChunkLength));
        var step = (1 << BitOperations.Log2((uint)Math.Max(least, 131072))) / 32;
        for (var upload = (least + step - 1) / step * step; ; upload += step)
        {
            if (TryGetPadding(size, upload, out _))
                return upload;
        }
    }

    /// <summary>Bytes of padding, its end included.</summary>
    internal static int GetPadding(int size) =>
        TryGetPadding(size, GetUploadSize(size), out var padding) ? padding : throw new ArgumentOutOfRangeException(nameof(size));

    // The one length whose chunks fill the upload exactly.
    private static bool TryGetPadding(int size, int upload, out int padding)
    {
        var body = upload - HeadLength;
        var chunks = (body + ChunkLength + SecretStream.Overhead - 1) / (ChunkLength + SecretStream.Overhead);
        var plain = body - (chunks * SecretStream.Overhead);
        padding = plain - size;
        return padding >= 1 && (plain + ChunkLength - 1) / ChunkLength == chunks;
    }
}

/// <summary>The older encryption of profile pictures: AES-256-GCM, IV first (messages.md, 12.4).</summary>
public static class PictureEncryption
{
    /// <summary>Length of the key, in bytes.</summary>
    public const int KeyLength = 32;

    private const int IvLength = 12;
    private const int TagLength = 16;

    /// <summary>Encrypts with a new IV.</summary>
    public static byte[] Encrypt(ReadOnlySpan<byte> picture, ReadOnlySpan<byte> key)
    {
        Span<byte> iv = stackalloc byte[IvLength];
        System.Security.Cryptography.RandomNumberGenerator.Fill(iv);
        return Encrypt(picture, key, iv);
    }

    internal static byte[] Encrypt(ReadOnlySpan<byte> picture, ReadOnlySpan<byte> key, ReadOnlySpan<byte> iv)
    {
        var upload = new byte[IvLength + picture.Length + TagLength];
        iv.CopyTo(upload);
        using var aes = new System.Security.Cryptography.AesGcm(key, TagLength);
        aes.Encrypt(iv, picture, upload.AsSpan(IvLength, picture.Length), upload.AsSpan(IvLength + picture.Length));
        return upload;
    }

    /// <summary>Checks and decrypts a download; a picture has at least one byte.</summary>
    public static bool TryDecrypt(ReadOnlySpan<byte> upload, ReadOnlySpan<byte> key, [NotNullWhen(true)] out byte[]? picture, out AttachmentFailure failure)
    {
        picture = null;
        failure = AttachmentFailure.KeyLength;
        if (key.Length != KeyLength)
            return false;
        failure = AttachmentFailure.TooShort;
        if (upload.Length < IvLength + TagLength + 1)
            return false;
        failure = AttachmentFailure.Mac;
        var plain = new byte[upload.Length - IvLength - TagLength];
        using var aes = new System.Security.Cryptography.AesGcm(key, TagLength);
        try
        {
            aes.Decrypt(upload[..IvLength], upload[IvLength..^TagLength], upload[^TagLength..], plain);
        }
        catch (System.Security.Cryptography.AuthenticationTagMismatchException)
        {
            return false;
        }

        failure = AttachmentFailure.None;
        picture = plain;
        return true;
    }
}
