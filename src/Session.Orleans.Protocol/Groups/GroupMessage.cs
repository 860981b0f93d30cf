using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Google.Protobuf;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Encodings;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Messages;
using Session.Orleans.Protocol.Messages.Wire;

namespace Session.Orleans.Protocol.Groups;

/// <summary>Messages of namespace 11: an envelope in the clear, signed by its sender, encrypted with the group's key (groups.md, 5).</summary>
public static class GroupMessage
{
    /// <summary>Longest envelope, in bytes.</summary>
    public const int MaxPlainBytes = 1_000_000;

    private const int Multiple = 256;
    private const int Overhead = XChaCha20Poly1305.NonceLength + XChaCha20Poly1305.Overhead;

    /// <summary>From the bytes of a content to the data of a store request.</summary>
    /// <param name="sender">Who signs.</param>
    /// <param name="group">The group's id.</param>
    /// <param name="key">The group's newest key.</param>
    /// <param name="content">The serialised content.</param>
    /// <param name="timestamp">The message's time, unix ms, also inside the content.</param>
    public static byte[] Encode(Ed25519KeyPair sender, AccountId group, Bytes32 key, ReadOnlySpan<byte> content, long timestamp)
    {
        Span<byte> decoy = stackalloc byte[Ed25519.SignatureLength];
        DirectMessage.CreateDecoySignature(decoy);
        var envelope = new Envelope
        {
            Type = Envelope.Types.Type.ClosedGroupMessage,
            Timestamp = (ulong)timestamp,
            SourceDevice = 1,
            Content = ByteString.CopyFrom(content),
            ProSignature = ByteString.CopyFrom(decoy),
        };
        return Encrypt(sender, group, key, envelope.ToByteArray(), RandomNumberGenerator.GetBytes(XChaCha20Poly1305.NonceLength));
    }

    internal static byte[] Encrypt(Ed25519KeyPair sender, AccountId group, Bytes32 key, ReadOnlySpan<byte> envelope, ReadOnlySpan<byte> nonce)
    {
        var compressed = Zstd.Compress(envelope);
        var isCompressed = compressed.Length < envelope.Length;
        var plain = isCompressed ? compressed : envelope;
        Span<byte> signature = stackalloc byte[Ed25519.SignatureLength];
        sender.Sign([.. plain, .. group.Key.AsSpan()], signature);

        var buffer = new ArrayBufferWriter<byte>();
        var writer = new BencodeWriter(buffer);
        var senderKey = sender.PublicKey;
        writer.WriteDictionaryStart();
        writer.WriteBytes([]);
        writer.WriteInteger(1L);
        writer.WriteBytes("a"u8);
        writer.WriteBytes(senderKey.AsSpan());
        if (!isCompressed)
        {
            writer.WriteBytes("d"u8);
            writer.WriteBytes(plain);
        }

        writer.WriteBytes("s"u8);
        writer.WriteBytes(signature);
        if (isCompressed)
        {
            writer.WriteBytes("z"u8);
            writer.WriteBytes(plain);
        }

        writer.WriteEnd();
        var padded = new byte[((buffer.WrittenCount + Overhead + Multiple - 1) / Multiple * Multiple) - Overhead];
        buffer.WrittenSpan.CopyTo(padded);
        return [.. nonce, .. XChaCha20Poly1305.Encrypt(key.AsSpan(), nonce, padded)];
    }

    /// <summary>Decrypts, verifies and reads a message.</summary>
    /// <param name="data">The stored data.</param>
    /// <param name="group">The group's id.</param>
    /// <param name="keys">All keys held; the newest is tried first.</param>
    /// <param name="self">The reader's id.</param>
    /// <param name="message">What was received.</param>
    /// <param name="failure">The first check that failed, if the answer is false.</param>
    /// <param name="acceptOlderSignature">Also accept signatures without the group's key, as an earlier release made them.</param>
    public static bool TryDecode(
        ReadOnlySpan<byte> data, AccountId group, IEnumerable<GroupKey> keys, AccountId self, [NotNullWhen(true)] out ReceivedContent? message,
        out MessageFailure failure, bool acceptOlderSignature = false)
    {
        message = null;
        failure = MessageFailure.GroupKey;
        if (data.Length < Overhead || !TryDecrypt(data, keys, out var padded))
            return false;
        failure = MessageFailure.GroupParse;
        var length = padded.AsSpan().LastIndexOfAnyExcept((byte)0) + 1;
        if (!TryParse(padded.AsSpan(0, length), out var sender, out var plain, out var signature, out var isCompressed))
            return false;
        failure = MessageFailure.Signature;
        if (!Ed25519.Verify(sender.AsSpan(), [.. plain, .. group.Key.AsSpan()], signature)
            && !(acceptOlderSignature && Ed25519.Verify(sender.AsSpan(), plain, signature)))
            return false;
        failure = MessageFailure.SenderKey;
        Span<byte> converted = stackalloc byte[X25519.KeyLength];
        if (!Ed25519.TryConvertPublicKey(sender.AsSpan(), converted))
            return false;
        failure = MessageFailure.GroupParse;
        if (isCompressed)
        {
            if (!Zstd.TryDecompress(plain, MaxPlainBytes, out var decompressed))
                return false;
            plain = decompressed;
        }

        return plain.Length <= MaxPlainBytes
            && DirectMessage.TryParseEnvelope(plain, Envelope.Types.Type.ClosedGroupMessage, out var envelope, out failure)
            && DirectMessage.TryReadContent(
                envelope.Content.Memory, new(AccountId.SessionPrefix, new(converted)), self, (long)envelope.Timestamp, out message, out failure);
    }

    private static bool TryDecrypt(ReadOnlySpan<byte> data, IEnumerable<GroupKey> keys, [NotNullWhen(true)] out byte[]? padded)
    {
        padded = null;
        var nonce = data[..XChaCha20Poly1305.NonceLength];
        var ciphertext = data[XChaCha20Poly1305.NonceLength..];
        foreach (var candidate in keys.OrderDescending())
        {
            var key = candidate.Key;
            if (XChaCha20Poly1305.TryDecrypt(key.AsSpan(), nonce, ciphertext, out padded))
                return true;
        }

        return false;
    }

    private static bool TryParse(
        ReadOnlySpan<byte> bytes, out Ed25519PublicKey sender, out ReadOnlySpan<byte> plain, out ReadOnlySpan<byte> signature, out bool isCompressed)
    {
        sender = default;
        plain = default;
        signature = default;
        isCompressed = false;
        var reader = new BencodeReader(bytes, maxDepth: 1);
        var key = default(BencodeKey);
        if (!reader.TryReadDictionaryStart()
            || !reader.TryReadNextKey(ref key) || !key.Value.IsEmpty || !reader.TryReadInteger(out long version) || version != 1
            || !reader.TryReadNextKey(ref key) || !key.Value.SequenceEqual("a"u8)
            || !reader.TryReadBytes(out ReadOnlySpan<byte> senderKey) || senderKey.Length != Ed25519.PublicKeyLength)
            return false;
        sender = new(senderKey);
        while (reader.Peek() is BencodeToken.Bytes)
        {
            if (!reader.TryReadNextKey(ref key) || !reader.TryReadBytes(out ReadOnlySpan<byte> value))
                return false;
            if (key.Value.SequenceEqual("s"u8))
                signature = value;
            else if (key.Value.SequenceEqual("d"u8) || key.Value.SequenceEqual("z"u8))
            {
                if (!plain.IsEmpty)
                    return false;
                plain = value;
                isCompressed = key.Value[0] == (byte)'z';
            }
        }

        return reader.TryReadEnd() && reader.IsComplete && !plain.IsEmpty;
    }
}
