using System.Buffers;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Encodings;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Groups;

/// <summary>A key that a group encrypts with.</summary>
/// <param name="Generation">How many times the group was given a new key before.</param>
/// <param name="Timestamp">When its message was stored, unix ms.</param>
/// <param name="Key">The 32 key bytes.</param>
public sealed record GroupKey(long Generation, long Timestamp, Bytes32 Key) : IComparable<GroupKey>
{
    /// <summary>By generation, time and bytes: the last one encrypts.</summary>
    public int CompareTo(GroupKey? other) => other is null ? 1
        : (Generation, Timestamp, Key).CompareTo((other.Generation, other.Timestamp, other.Key));

    /// <summary>Earlier than.</summary>
    public static bool operator <(GroupKey left, GroupKey right) => left.CompareTo(right) < 0;

    /// <summary>Later than.</summary>
    public static bool operator >(GroupKey left, GroupKey right) => left.CompareTo(right) > 0;

    /// <summary>Not later than.</summary>
    public static bool operator <=(GroupKey left, GroupKey right) => left.CompareTo(right) <= 0;

    /// <summary>Not earlier than.</summary>
    public static bool operator >=(GroupKey left, GroupKey right) => left.CompareTo(right) >= 0;
}

/// <summary>Messages of namespace 12: a new key for all members, or older keys for new ones (groups.md, 3). Stored as they are.</summary>
public static class GroupKeysMessage
{
    private const int EncryptedKeyLength = 32 + XChaCha20Poly1305.Overhead;
    private const int Multiple = 75;
    private const int MaxDepth = 4;

    /// <summary>Makes a new key and its message.</summary>
    /// <param name="group">The group's keys.</param>
    /// <param name="members">All members, admins included.</param>
    /// <param name="generation">One more than the last; 0 for a new group.</param>
    public static (byte[] Message, Bytes32 Key) Rekey(Ed25519KeyPair group, IEnumerable<AccountId> members, long generation)
    {
        var sorted = members.Distinct().OrderBy(member => member.ToString(), StringComparer.Ordinal).ToArray();
        Span<byte> derived = stackalloc byte[56], secret = stackalloc byte[32];
        GroupSecrets.Derive(group, "SessionGroupKeySeed"u8, secret);
        var blake = new Blake2b.Incremental(derived.Length, "SessionGroupKeyGen"u8);
        foreach (var member in sorted)
            blake.Append(Encoding.ASCII.GetBytes(member.ToString()));
        blake.Append(Encoding.ASCII.GetBytes(generation.ToString(CultureInfo.InvariantCulture)));
        blake.Append(secret);
        blake.Finish(derived);
        var key = derived[..32];
        var nonce = derived[32..];

        GroupSecrets.Derive(group, "SessionGroupKeyAdminKey"u8, secret);
        var buffer = new ArrayBufferWriter<byte>();
        var writer = new BencodeWriter(buffer);
        writer.WriteDictionaryStart();
        writer.WriteBytes("#"u8);
        writer.WriteBytes(nonce);
        writer.WriteBytes("G"u8);
        writer.WriteInteger(generation);
        writer.WriteBytes("K"u8);
        writer.WriteBytes(XChaCha20Poly1305.Encrypt(secret, nonce, key));
        writer.WriteBytes("k"u8);
        writer.WriteListStart();
        foreach (var member in sorted)
            writer.WriteBytes(XChaCha20Poly1305.Encrypt(MemberKey(group, member), nonce, key));
        // Junk hides how many members there are.
        for (var i = sorted.Length; i == 0 || i % Multiple != 0; i++)
            writer.WriteBytes(RandomNumberGenerator.GetBytes(EncryptedKeyLength));
        writer.WriteEnd();
        Sign(group, buffer, writer);
        return (buffer.WrittenSpan.ToArray(), new(key));
    }

    /// <summary>Gives all keys to new members.</summary>
    /// <param name="group">The group's keys.</param>
    /// <param name="newcomers">Who gets them.</param>
    /// <param name="keys">Every key held; at least one.</param>
    public static byte[] Supplement(Ed25519KeyPair group, IReadOnlyCollection<AccountId> newcomers, IReadOnlyCollection<GroupKey> keys)
    {
        var inner = new ArrayBufferWriter<byte>();
        var list = new BencodeWriter(inner);
        list.WriteListStart();
        foreach (var key in keys.Order())
        {
            var bytes = key.Key;
            list.WriteDictionaryStart();
            list.WriteBytes("g"u8);
            list.WriteInteger(key.Generation);
            list.WriteBytes("k"u8);
            list.WriteBytes(bytes.AsSpan());
            list.WriteBytes("t"u8);
            list.WriteInteger(key.Timestamp);
            list.WriteEnd();
        }

        list.WriteEnd();
        Span<byte> nonce = stackalloc byte[XChaCha20Poly1305.NonceLength], secret = stackalloc byte[32];
        GroupSecrets.Derive(group, "SessionGroupKeySeed"u8, secret);
        var blake = new Blake2b.Incremental(nonce.Length, "SessionGroupKeyGen"u8);
        foreach (var newcomer in newcomers)
            blake.Append(Encoding.ASCII.GetBytes(newcomer.ToString()));
        blake.Append(inner.WrittenSpan);
        blake.Append(secret);
        blake.Finish(nonce);

        var buffer = new ArrayBufferWriter<byte>();
        var writer = new BencodeWriter(buffer);
        writer.WriteDictionaryStart();
        writer.WriteBytes("#"u8);
        writer.WriteBytes(nonce);
        writer.WriteBytes("+"u8);
        writer.WriteListStart();
        foreach (var newcomer in newcomers)
            writer.WriteBytes(XChaCha20Poly1305.Encrypt(MemberKey(group, newcomer), nonce, inner.WrittenSpan));
        writer.WriteEnd();
        writer.WriteBytes("G"u8);
        writer.WriteInteger(keys.Max(key => key.Generation));
        Sign(group, buffer, writer);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>
    /// Reads a message of either kind. False if it is malformed or not signed by the group; true without keys if none in it is for the
    /// reader, which is no error.
    /// </summary>
    /// <param name="message">The stored bytes.</param>
    /// <param name="group">The group's id.</param>
    /// <param name="member">The reader's X25519 pair.</param>
    /// <param name="admin">The group's keys if the reader is an admin.</param>
    /// <param name="storedAt">The message's time of storage, unix ms.</param>
    /// <param name="keys">The keys for the reader.</param>
    public static bool TryRead(
        ReadOnlySpan<byte> message, AccountId group, X25519KeyPair member, Ed25519KeyPair? admin, long storedAt, out ImmutableArray<GroupKey> keys)
    {
        keys = [];
        var reader = new BencodeReader(message, MaxDepth);
        var name = default(BencodeKey);
        if (!GroupSecrets.TryConvert(group, out var groupKey) || !reader.TryReadDictionaryStart()
            || !TryReadKey(ref reader, ref name, "#"u8) || !reader.TryReadBytes(out ReadOnlySpan<byte> nonce) || nonce.Length != XChaCha20Poly1305.NonceLength
            || !reader.TryReadNextKey(ref name))
            return false;
        var isSupplement = name.Value.SequenceEqual("+"u8);
        List<byte[]>? entries = null;
        if (isSupplement && (!TryReadEntries(ref reader, out entries) || entries.Count == 0 || !reader.TryReadNextKey(ref name)))
            return false;
        if (!name.Value.SequenceEqual("G"u8) || !reader.TryReadInteger(out long generation) || generation < 0)
            return false;
        ReadOnlySpan<byte> adminEntry = default;
        if (!isSupplement
            && (!TryReadKey(ref reader, ref name, "K"u8) || !reader.TryReadBytes(out adminEntry) || adminEntry.Length != EncryptedKeyLength
                || !TryReadKey(ref reader, ref name, "k"u8) || !TryReadEntries(ref reader, out entries)
                || entries.Count % Multiple != 0 || entries.Any(entry => entry.Length != EncryptedKeyLength)))
            return false;
        var signed = reader.Position;
        if (!TryReadKey(ref reader, ref name, "~"u8) || !reader.TryReadBytes(out ReadOnlySpan<byte> signature)
            || !reader.TryReadEnd() || !reader.IsComplete || !Ed25519.Verify(group.Key.AsSpan(), message[..signed], signature))
            return false;

        Span<byte> key = stackalloc byte[XChaCha20Poly1305.KeyLength];
        if (admin is not null && !isSupplement)
        {
            GroupSecrets.Derive(admin, "SessionGroupKeyAdminKey"u8, key);
            if (XChaCha20Poly1305.TryDecrypt(key, nonce, adminEntry, out var plain))
            {
                keys = [new(generation, storedAt, new(plain))];
                return true;
            }
        }

        if (!GroupSecrets.TryShare(member, groupKey, groupKey, member.PublicKey, MemberKeyPurpose, key))
            return false;
        foreach (var entry in entries!)
        {
            if (!XChaCha20Poly1305.TryDecrypt(key, nonce, entry, out var plain))
                continue;
            if (isSupplement)
                return TryReadSupplement(plain, out keys);
            keys = [new(generation, storedAt, new(plain))];
            return true;
        }

        return true;
    }

    internal static ReadOnlySpan<byte> MemberKeyPurpose => "SessionGroupKeyMemberKey"u8;

    private static bool TryReadSupplement(ReadOnlySpan<byte> inner, out ImmutableArray<GroupKey> keys)
    {
        keys = [];
        var found = ImmutableArray.CreateBuilder<GroupKey>();
        var reader = new BencodeReader(inner, MaxDepth);
        if (!reader.TryReadListStart())
            return false;
        while (reader.Peek() is BencodeToken.DictionaryStart)
        {
            var name = default(BencodeKey);
            if (!reader.TryReadDictionaryStart()
                || !TryReadKey(ref reader, ref name, "g"u8) || !reader.TryReadInteger(out long generation) || generation < 0
                || !TryReadKey(ref reader, ref name, "k"u8) || !reader.TryReadBytes(out ReadOnlySpan<byte> key) || key.Length != Bytes32.Length
                || !TryReadKey(ref reader, ref name, "t"u8) || !reader.TryReadInteger(out long timestamp)
                || !reader.TryReadEnd())
                return false;
            found.Add(new(generation, timestamp, new(key)));
        }

        if (!reader.TryReadEnd() || !reader.IsComplete)
            return false;
        keys = found.ToImmutable();
        return true;
    }

    private static bool TryReadEntries(ref BencodeReader reader, [NotNullWhen(true)] out List<byte[]>? entries)
    {
        entries = [];
        if (!reader.TryReadListStart())
            return false;
        while (reader.Peek() is BencodeToken.Bytes)
        {
            if (!reader.TryReadBytes(out ReadOnlySpan<byte> entry))
                return false;
            entries.Add(entry.ToArray());
        }

        return reader.TryReadEnd();
    }

    private static bool TryReadKey(ref BencodeReader reader, ref BencodeKey key, ReadOnlySpan<byte> name) =>
        reader.TryReadNextKey(ref key) && key.Value.SequenceEqual(name);

    private static byte[] MemberKey(Ed25519KeyPair group, AccountId member)
    {
        var key = new byte[XChaCha20Poly1305.KeyLength];
        var memberKey = new X25519PublicKey(member.Key);
        return GroupSecrets.TryShare(group.X25519, memberKey, group.X25519.PublicKey, memberKey, MemberKeyPurpose, key)
            ? key : throw new ArgumentException("The member's key has small order.", nameof(member));
    }

    private static void Sign(Ed25519KeyPair group, ArrayBufferWriter<byte> buffer, BencodeWriter writer)
    {
        Span<byte> signature = stackalloc byte[Ed25519.SignatureLength];
        group.Sign(buffer.WrittenSpan, signature);
        writer.WriteBytes("~"u8);
        writer.WriteBytes(signature);
        writer.WriteEnd();
    }
}

/// <summary>Tells removed members that they were removed (groups.md, 9). Stored in namespace -11, which revoked tokens still read.</summary>
public static class KickedNotice
{
    private static ReadOnlySpan<byte> Purpose => "SessionGroupKickedMessage"u8;

    /// <summary>One notice for all these members.</summary>
    /// <param name="group">The group's keys.</param>
    /// <param name="removed">Who was removed.</param>
    /// <param name="generation">The generation of the keys they know.</param>
    public static byte[] Create(Ed25519KeyPair group, IEnumerable<AccountId> removed, long generation) =>
        Create(group, removed, generation, RandomNumberGenerator.GetBytes(XChaCha20Poly1305.NonceLength));

    internal static byte[] Create(Ed25519KeyPair group, IEnumerable<AccountId> removed, long generation, ReadOnlySpan<byte> nonce)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var writer = new BencodeWriter(buffer);
        writer.WriteDictionaryStart();
        writer.WriteBytes("#"u8);
        writer.WriteBytes(nonce);
        writer.WriteBytes("e"u8);
        writer.WriteListStart();
        Span<byte> key = stackalloc byte[XChaCha20Poly1305.KeyLength];
        foreach (var member in removed)
        {
            var memberKey = new X25519PublicKey(member.Key);
            if (!GroupSecrets.TryShare(group.X25519, memberKey, group.X25519.PublicKey, memberKey, Purpose, key))
                throw new ArgumentException("A member's key has small order.", nameof(removed));
            writer.WriteBytes(XChaCha20Poly1305.Encrypt(key, nonce,
                [.. memberKey.AsSpan(), .. Encoding.ASCII.GetBytes(generation.ToString(CultureInfo.InvariantCulture))]));
        }

        writer.WriteEnd();
        writer.WriteEnd();
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>True if the notice is for this member; then <paramref name="generation"/> must not be below its own to count.</summary>
    public static bool TryRead(ReadOnlySpan<byte> notice, AccountId group, X25519KeyPair member, out long generation)
    {
        generation = 0;
        var reader = new BencodeReader(notice, maxDepth: 2);
        var name = default(BencodeKey);
        Span<byte> key = stackalloc byte[XChaCha20Poly1305.KeyLength];
        if (!GroupSecrets.TryConvert(group, out var groupKey) || !reader.TryReadDictionaryStart()
            || !reader.TryReadNextKey(ref name) || !name.Value.SequenceEqual("#"u8)
            || !reader.TryReadBytes(out ReadOnlySpan<byte> nonce) || nonce.Length != XChaCha20Poly1305.NonceLength
            || !reader.TryReadNextKey(ref name) || !name.Value.SequenceEqual("e"u8) || !reader.TryReadListStart()
            || !GroupSecrets.TryShare(member, groupKey, groupKey, member.PublicKey, Purpose, key))
            return false;
        var own = member.PublicKey;
        while (reader.TryReadBytes(out ReadOnlySpan<byte> entry))
        {
            if (XChaCha20Poly1305.TryDecrypt(key, nonce, entry, out var plain) && plain.Length > X25519.KeyLength
                && plain.AsSpan(0, X25519.KeyLength).SequenceEqual(own.AsSpan()))
                return long.TryParse(plain.AsSpan(X25519.KeyLength), NumberStyles.None, CultureInfo.InvariantCulture, out generation);
        }

        return false;
    }
}
