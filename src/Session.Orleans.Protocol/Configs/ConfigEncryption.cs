using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using Google.Protobuf;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Encodings;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Messages;
using Session.Orleans.Protocol.Messages.Wire;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Protocol.Configs;

/// <summary>The configs of a user and of a group: where each is stored and what its key depends on (messages.md, 13.1; groups.md, 4).</summary>
/// <param name="Namespace">The namespace it is stored in.</param>
/// <param name="Domain">Separates its keys from those of other configs.</param>
/// <param name="Kind">Number in the wrapper of a user's configs; 0: not wrapped.</param>
public sealed record ConfigKind(short Namespace, string Domain, int Kind)
{
    /// <summary>A user's name and picture.</summary>
    public static ConfigKind UserProfile { get; } = new(2, "UserProfile", 1);

    /// <summary>A user's contacts.</summary>
    public static ConfigKind Contacts { get; } = new(3, "Contacts", 2);

    /// <summary>What a user has read.</summary>
    public static ConfigKind ConvoInfoVolatile { get; } = new(4, "ConvoInfoVolatile", 3);

    /// <summary>A user's groups and communities.</summary>
    public static ConfigKind UserGroups { get; } = new(5, "UserGroups", 4);

    /// <summary>A group's name and settings.</summary>
    public static ConfigKind GroupInfo { get; } = new(13, "groups::Info", 0);

    /// <summary>A group's members.</summary>
    public static ConfigKind GroupMembers { get; } = new(14, "groups::Members", 0);
}

/// <summary>From a config message to what is stored, and back (messages.md, 13.3).</summary>
public static class ConfigEncryption
{
    /// <summary>Longest serialised config that is read, in bytes: decompression stops there.</summary>
    public const int MaxPlainBytes = 5_000_000;

    private const int NonceLength = XChaCha20Poly1305.NonceLength;
    private const int Overhead = NonceLength + XChaCha20Poly1305.Overhead;
    private const byte Compressed = (byte)'z';
    private const byte Multipart = (byte)'m';

    /// <summary>
    /// Compresses if that helps, pads, encrypts and, for the configs of a user, seals to the user. Several parts if one would be too long to
    /// store. The same config gives the same bytes.
    /// </summary>
    /// <param name="kind">Which config.</param>
    /// <param name="key">32 bytes: the user's Ed25519 seed or the group's key.</param>
    /// <param name="config">The version to store.</param>
    /// <param name="owner">The user who seals it to itself; null for groups.</param>
    public static IReadOnlyList<byte[]> Encode(ConfigKind kind, ReadOnlySpan<byte> key, ConfigMessage config, Ed25519KeyPair? owner)
    {
        var plain = Compress(config.Encoded.Span);
        if (GetPaddedLength(plain.Length) + Overhead > StorageLimits.MaxMessageBytes)
            return EncodeParts(kind, key, plain);
        var encrypted = Encrypt(kind.Domain, key, plain);
        if (owner is null || kind.Kind == 0)
            return [encrypted];
        var wrapped = Wrap(kind, owner, config.Seqno, encrypted);
        return [wrapped.Length <= StorageLimits.MaxMessageBytes ? wrapped : encrypted];
    }

    /// <summary>
    /// Reads stored data back as far as one message goes: unwraps, decrypts and decompresses. A part of a longer config comes back in
    /// <paramref name="part"/> instead; <see cref="TryJoin"/> makes the config of all.
    /// </summary>
    /// <param name="kind">Which config.</param>
    /// <param name="key">32 bytes: the user's Ed25519 seed or the group's key.</param>
    /// <param name="data">The stored data.</param>
    /// <param name="owner">The user; null for groups.</param>
    /// <param name="plain">The serialised config message.</param>
    /// <param name="part">The part, if it was one.</param>
    public static bool TryDecode(
        ConfigKind kind, ReadOnlySpan<byte> key, ReadOnlySpan<byte> data, Ed25519KeyPair? owner, out byte[]? plain, out ConfigPart? part)
    {
        plain = null;
        part = null;
        // Some senders wrap twice; what can't be unwrapped counts as raw.
        var inner = data.ToArray();
        for (var i = 0; i < 2 && owner is not null && TryUnwrap(kind, owner, inner, out var unwrapped); i++)
            inner = unwrapped;
        if (!TryDecrypt(kind.Domain, key, inner, out var padded))
            return false;
        var start = padded.AsSpan().IndexOfAnyExcept((byte)0);
        if (start < 0)
            return false;
        var content = padded.AsSpan(start);
        if (content[0] == Multipart)
            return ConfigPart.TryParse(content[1..], out part);
        return TryDecompress(content, out plain);
    }

    /// <summary>Joins all parts of a config; false if one is missing or the whole has another hash.</summary>
    public static bool TryJoin(IReadOnlyCollection<ConfigPart> parts, [NotNullWhen(true)] out byte[]? plain)
    {
        plain = null;
        var ordered = parts.DistinctBy(part => part.Index).OrderBy(part => part.Index).ToArray();
        if (ordered.Length == 0 || ordered.Length != ordered[0].Count || ordered.Any(part => part.Whole != ordered[0].Whole || part.Count != ordered[0].Count))
            return false;
        byte[] whole = [.. ordered.SelectMany(part => part.Chunk.ToArray())];
        Span<byte> hash = stackalloc byte[Bytes32.Length];
        Blake2b.Hash(whole, hash);
        return new Bytes32(hash) == ordered[0].Whole && TryDecompress(whole, out plain);
    }

    /// <summary>Length after padding, in bytes: with tag and nonce a multiple of 256 to 5120, coarser for longer ones.</summary>
    internal static int GetPaddedLength(int length)
    {
        var total = length + Overhead;
        var step = total switch { < 5120 => 256, < 20480 => 1024, < 40960 => 2048, _ => 5120 };
        return ((total + step - 1) / step * step) - Overhead;
    }

    internal static byte[] Encrypt(string domain, ReadOnlySpan<byte> key, ReadOnlySpan<byte> plain)
    {
        var padded = new byte[GetPaddedLength(plain.Length)];
        plain.CopyTo(padded.AsSpan(padded.Length - plain.Length));
        Span<byte> derived = stackalloc byte[XChaCha20Poly1305.KeyLength];
        DeriveKey(domain, key, padded.Length, derived);
        Span<byte> nonce = stackalloc byte[NonceLength];
        Blake2b.Hash(padded, Encoding.ASCII.GetBytes("libsessionutil-config-encrypted-" + domain), nonce);
        return [.. XChaCha20Poly1305.Encrypt(derived, nonce, padded), .. nonce];
    }

    internal static bool TryDecrypt(string domain, ReadOnlySpan<byte> key, ReadOnlySpan<byte> data, [NotNullWhen(true)] out byte[]? padded)
    {
        padded = null;
        if (data.Length < Overhead)
            return false;
        Span<byte> derived = stackalloc byte[XChaCha20Poly1305.KeyLength];
        DeriveKey(domain, key, data.Length - Overhead, derived);
        return XChaCha20Poly1305.TryDecrypt(derived, data[^NonceLength..], data[..^NonceLength], out padded);
    }

    internal static byte[] Wrap(ConfigKind kind, Ed25519KeyPair owner, long seqno, ReadOnlySpan<byte> encrypted)
    {
        var content = new Content
        {
            SharedConfig = new() { Kind = (SharedConfigMessage.Types.Kind)kind.Kind, Seqno = seqno, Data = ByteString.CopyFrom(encrypted) },
        };
        var padded = MessagePadding.Pad(content.ToByteArray(), PaddingStyle.MarkerOnly);
        return DirectMessage.Wrap(SessionSeal.SealDeterministic(owner, owner.X25519.PublicKey, padded), timestamp: 1, default);
    }

    private static bool TryUnwrap(ConfigKind kind, Ed25519KeyPair owner, ReadOnlySpan<byte> data, [NotNullWhen(true)] out byte[]? inner)
    {
        inner = null;
        if (!DirectMessage.TryUnwrap(data, out var @sealed, out _, out _)
            || !SessionSeal.TryOpen(owner.X25519, @sealed, out var opened, out _)
            || opened.Sender != owner.PublicKey
            || !MessagePadding.TryUnpad(opened.Padded, out var length)
            || !WireParser.TryParse(Content.Parser, opened.Padded.AsSpan(0, length), out var content)
            || content.SharedConfig is not { } config || (int)config.Kind != kind.Kind)
            return false;
        inner = config.Data.ToByteArray();
        return true;
    }

    private static void DeriveKey(string domain, ReadOnlySpan<byte> key, int paddedLength, Span<byte> derived)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(key.Length, XChaCha20Poly1305.KeyLength);
        Span<byte> length = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64BigEndian(length, (ulong)paddedLength);
        var blake = new Blake2b.Incremental(derived.Length);
        blake.Append(key);
        blake.Append(length);
        blake.Append(Encoding.ASCII.GetBytes(domain));
        blake.Finish(derived);
    }

    private static byte[] Compress(ReadOnlySpan<byte> plain)
    {
        var compressed = Zstd.Compress(plain);
        return compressed.Length + 1 < plain.Length ? [Compressed, .. compressed] : plain.ToArray();
    }

    private static bool TryDecompress(ReadOnlySpan<byte> content, [NotNullWhen(true)] out byte[]? plain)
    {
        plain = null;
        if (content.IsEmpty)
            return false;
        if (content[0] == Compressed)
            return Zstd.TryDecompress(content[1..], MaxPlainBytes, out plain);
        plain = content.ToArray();
        return content[0] == (byte)'d';
    }

    private static List<byte[]> EncodeParts(ConfigKind kind, ReadOnlySpan<byte> key, byte[] plain)
    {
        // The list around a chunk has at most 60 bytes.
        var chunkLength = GetPaddedLength(StorageLimits.MaxMessageBytes - Overhead) - 60;
        var count = (plain.Length + chunkLength - 1) / chunkLength;
        if (count > byte.MaxValue)
            throw new ArgumentException("The config is too long to store.", nameof(plain));
        Span<byte> hash = stackalloc byte[Bytes32.Length];
        Blake2b.Hash(plain, hash);
        var parts = new List<byte[]>();
        for (var i = 0; i < count; i++)
        {
            var chunk = plain.AsMemory(i * chunkLength, Math.Min(chunkLength, plain.Length - (i * chunkLength)));
            var part = new ConfigPart(new(hash), (byte)i, (byte)count, chunk);
            parts.Add(Encrypt(kind.Domain, key, [Multipart, .. part.Encode()]));
        }

        return parts;
    }
}

/// <summary>A piece of a config that is too long for one message.</summary>
/// <param name="Whole">BLAKE2b-256 of all pieces together.</param>
/// <param name="Index">Which one, from 0.</param>
/// <param name="Count">How many there are.</param>
/// <param name="Chunk">The piece.</param>
public sealed record ConfigPart(Bytes32 Whole, byte Index, byte Count, ReadOnlyMemory<byte> Chunk)
{
    internal byte[] Encode()
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        var writer = new BencodeWriter(buffer);
        var whole = Whole;
        writer.WriteListStart();
        writer.WriteBytes(whole.AsSpan());
        writer.WriteBytes([Index]);
        writer.WriteBytes([Count]);
        writer.WriteBytes(Chunk.Span);
        writer.WriteEnd();
        return buffer.WrittenSpan.ToArray();
    }

    internal static bool TryParse(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out ConfigPart? part)
    {
        part = null;
        var reader = new BencodeReader(bytes, maxDepth: 1);
        if (!reader.TryReadListStart()
            || !reader.TryReadBytes(out ReadOnlySpan<byte> whole) || whole.Length != Bytes32.Length
            || !reader.TryReadBytes(out ReadOnlySpan<byte> index) || index.Length != 1
            || !reader.TryReadBytes(out ReadOnlySpan<byte> count) || count.Length != 1 || index[0] >= count[0]
            || !reader.TryReadBytes(out ReadOnlySpan<byte> chunk)
            || !reader.TryReadEnd() || !reader.IsComplete)
            return false;
        part = new(new(whole), index[0], count[0], chunk.ToArray());
        return true;
    }
}
