using System.Diagnostics;
using System.Text;
using Session.Orleans.Protocol.Identity;
using StackExchange.Redis;

namespace Session.Orleans.Storage;

/// <summary>
/// The keys of one account, all with the hash tag <c>{66 hex digits}</c>, so that they are in one slot of a Redis Cluster:
/// <c>:idx</c> a hash, 32 hash bytes to <see cref="IndexEntry"/>, and the version in the field <c>v</c>;
/// <c>:m:</c> + 32 hash bytes, a payload; <c>:revoked</c> a sorted set of tokens by order of insertion.
/// </summary>
internal readonly struct MailboxKeys
{
    private readonly byte[] _tag;

    public MailboxKeys(ReadOnlySpan<byte> prefix, AccountId account)
    {
        // prefix { hex }
        _tag = new byte[prefix.Length + AccountId.HexLength + 2];
        prefix.CopyTo(_tag);
        Span<byte> raw = stackalloc byte[AccountId.Length];
        account.CopyTo(raw);
        _tag[prefix.Length] = (byte)'{';
        var ok = Convert.TryToHexStringLower(raw, _tag.AsSpan(prefix.Length + 1), out var written);
        Debug.Assert(ok && written == AccountId.HexLength);
        _tag[^1] = (byte)'}';
    }

    public RedisKey Index => Suffixed(":idx"u8, []);

    public RedisKey Revoked => Suffixed(":revoked"u8, []);

    public RedisKey Payload(in MessageHash hash) => Suffixed(":m:"u8, hash.AsSpan());

    /// <summary>The index key and then one payload key per hash.</summary>
    public RedisKey[] IndexAndPayloads(ReadOnlySpan<MessageHash> hashes)
    {
        var keys = new RedisKey[hashes.Length + 1];
        keys[0] = Index;
        for (var i = 0; i < hashes.Length; i++)
            keys[i + 1] = Payload(hashes[i]);
        return keys;
    }

    /// <summary>What a key found in the store is for.</summary>
    public static MailboxKeyKind KindOf(RedisKey key)
    {
        // A payload's key ends in any 32 bytes, so the suffix is looked for right after the hash tag.
        ReadOnlySpan<byte> bytes = (byte[]?)key;
        var end = bytes.IndexOf((byte)'}');
        var suffix = end < 0 ? [] : bytes[(end + 1)..];
        return suffix.SequenceEqual(":idx"u8) ? MailboxKeyKind.Index
            : suffix.StartsWith(":m:"u8) ? MailboxKeyKind.Payload
            : suffix.SequenceEqual(":revoked"u8) ? MailboxKeyKind.Revoked
            : MailboxKeyKind.Other;
    }

    /// <summary>The account whose key was found in the store; null if it is none's.</summary>
    public static AccountId? AccountOf(RedisKey key)
    {
        ReadOnlySpan<byte> bytes = (byte[]?)key;
        var tag = bytes.IndexOf((byte)'{') + 1;
        return tag > 0 && bytes.Length > tag + AccountId.HexLength && bytes[tag + AccountId.HexLength] is (byte)'}'
            && AccountId.TryParse(Encoding.ASCII.GetString(bytes.Slice(tag, AccountId.HexLength)), out var account) ? account : null;
    }

    public override string ToString() => Encoding.ASCII.GetString(_tag);

    private RedisKey Suffixed(ReadOnlySpan<byte> suffix, ReadOnlySpan<byte> tail)
    {
        var key = new byte[_tag.Length + suffix.Length + tail.Length];
        _tag.CopyTo(key, 0);
        suffix.CopyTo(key.AsSpan(_tag.Length));
        tail.CopyTo(key.AsSpan(_tag.Length + suffix.Length));
        return key;
    }
}

/// <summary>What a key is for.</summary>
internal enum MailboxKeyKind
{
    /// <summary>Not the census's business.</summary>
    Other,

    /// <summary>The index of a mailbox.</summary>
    Index,

    /// <summary>One message.</summary>
    Payload,

    /// <summary>The revocations of a mailbox.</summary>
    Revoked,
}
