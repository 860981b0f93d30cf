using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Protocol.Groups;

/// <summary>
/// A member's right to use a group's mailbox (groups.md, 2.2): 100 bytes that the invitation carries. The server sees the token in it,
/// whose key is the member's blinded for this group.
/// </summary>
public sealed class GroupAuthData
{
    /// <summary>Length in bytes: head (4), blinding factor (32), signature (64).</summary>
    public const int Length = HeadLength + Ed25519Group.Length + Ed25519.SignatureLength;

    /// <summary>What members may do: read and write.</summary>
    public const SubaccountFlags MemberFlags = SubaccountFlags.Read | SubaccountFlags.Write;

    private const int HeadLength = 4;

    private readonly byte[] _bytes;

    private GroupAuthData(byte[] bytes, SubaccountToken token)
    {
        _bytes = bytes;
        Credential = new(token, new RequestSignature(bytes.AsSpan(HeadLength + Ed25519Group.Length)));
    }

    /// <summary>The 100 bytes.</summary>
    public ReadOnlyMemory<byte> Bytes => _bytes;

    /// <summary>The token and the group's signature of it: a part of every request.</summary>
    public SubaccountCredential Credential { get; }

    /// <summary>Made by an admin. Every admin computes the same.</summary>
    /// <param name="group">The group's keys.</param>
    /// <param name="member">The member's Session ID.</param>
    /// <param name="flags">What the member may do.</param>
    /// <exception cref="ArgumentException">The id is not one of a point on the curve.</exception>
    public static GroupAuthData Issue(Ed25519KeyPair group, AccountId member, SubaccountFlags flags = MemberFlags)
    {
        var bytes = new byte[Length];
        var factor = bytes.AsSpan(HeadLength, Ed25519Group.Length);
        GetFactor(group, member, factor);
        bytes[0] = AccountId.GroupPrefix;
        bytes[1] = (byte)flags;
        var token = GetToken(member, bytes);
        group.Sign(token.AsSpan(), bytes.AsSpan(HeadLength + Ed25519Group.Length));
        return new(bytes, token);
    }

    /// <summary>The token of a member, for revoking it.</summary>
    public static SubaccountToken GetToken(Ed25519KeyPair group, AccountId member) => Issue(group, member).Credential.Token;

    /// <summary>Checks what an invitation brought: length, prefix, rights, and the group's signature over the token of this member.</summary>
    public static bool TryParse(ReadOnlySpan<byte> bytes, AccountId group, AccountId member, [NotNullWhen(true)] out GroupAuthData? data)
    {
        data = null;
        if (bytes.Length != Length || group.Prefix != AccountId.GroupPrefix)
            return false;
        var flags = (SubaccountFlags)bytes[1];
        if ((bytes[0] != AccountId.GroupPrefix && (flags & SubaccountFlags.AnyPrefix) == 0) || (flags & MemberFlags) != MemberFlags
            || !TryGetToken(member, bytes, out var token))
            return false;
        if (!Ed25519.Verify(group.Key.AsSpan(), token.AsSpan(), bytes[(HeadLength + Ed25519Group.Length)..]))
            return false;
        data = new(bytes.ToArray(), token);
        return true;
    }

    /// <summary>
    /// The request signed by the member (groups.md, 2.3): a signature that verifies with the token's key, whose seed nobody has. The nonce
    /// depends on the member's seed and the text, so that a retry has the same bytes.
    /// </summary>
    public AccountRequest Sign(AccountRequest request, Ed25519KeyPair member)
    {
        var text = new System.Buffers.ArrayBufferWriter<byte>();
        request.WriteSignedText(text);
        Span<byte> signature = stackalloc byte[Ed25519.SignatureLength];
        Sign(member, text.WrittenSpan, signature);
        return request with { Authentication = new(new(signature), null, Credential) };
    }

    internal void Sign(Ed25519KeyPair member, ReadOnlySpan<byte> text, Span<byte> signature)
    {
        var tokenKey = Credential.Token.Key;
        Span<byte> scalar = stackalloc byte[Ed25519Group.Length], wide = stackalloc byte[64], zero = stackalloc byte[64];
        try
        {
            // The X25519 key is the Ed25519 scalar; the token was made of the key with sign bit 0.
            zero.Clear();
            member.X25519.SecretKey.CopyTo(zero);
            Ed25519Group.Reduce(zero, scalar);
            var publicKey = member.PublicKey;
            if ((publicKey.AsSpan()[^1] & 0x80) != 0)
                Ed25519Group.Negate(scalar, scalar);
            Ed25519Group.Multiply(_bytes.AsSpan(HeadLength, Ed25519Group.Length), scalar, scalar);

            Span<byte> prefix = stackalloc byte[32], nonce = stackalloc byte[Ed25519Group.Length];
            Blake2b.Hash(member.SecretKey[..Ed25519.SeedLength], "SubaccountSeed"u8, prefix);
            var blake = new Blake2b.Incremental(64, "SubaccountSig"u8);
            blake.Append(prefix);
            blake.Append(tokenKey.AsSpan());
            blake.Append(text);
            blake.Finish(wide);
            Ed25519Group.Reduce(wide, nonce);
            _ = Ed25519Group.TryMultiplyBase(nonce, signature[..32]);

            using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA512);
            sha.AppendData(signature[..32]);
            sha.AppendData(tokenKey.AsSpan());
            sha.AppendData(text);
            _ = sha.GetHashAndReset(wide);
            var challenge = signature[32..];
            Ed25519Group.Reduce(wide, challenge);
            Ed25519Group.Multiply(challenge, scalar, challenge);
            Ed25519Group.Add(challenge, nonce, challenge);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(scalar);
            CryptographicOperations.ZeroMemory(wide);
            CryptographicOperations.ZeroMemory(zero);
        }
    }

    private static void GetFactor(Ed25519KeyPair group, AccountId member, Span<byte> factor)
    {
        Span<byte> mask = stackalloc byte[32], wide = stackalloc byte[64], ids = stackalloc byte[2 * AccountId.Length];
        GroupSecrets.Derive(group, "SessionGroupSubaccountMask"u8, mask);
        member.CopyTo(ids);
        new AccountId(AccountId.GroupPrefix, group.PublicKey.Value).CopyTo(ids[AccountId.Length..]);
        Blake2b.Hash(ids, mask, wide);
        Ed25519Group.Reduce(wide, factor);
    }

    private static SubaccountToken GetToken(AccountId member, ReadOnlySpan<byte> bytes) =>
        TryGetToken(member, bytes, out var token) ? token : throw new ArgumentException("The member's id is no key on the curve.", nameof(member));

    private static bool TryGetToken(AccountId member, ReadOnlySpan<byte> bytes, out SubaccountToken token)
    {
        token = default;
        Span<byte> point = stackalloc byte[Ed25519Group.Length], text = stackalloc byte[SubaccountToken.Length];
        if (member.Prefix != AccountId.SessionPrefix || !Ed25519Group.TryFromX25519(member.Key.AsSpan(), point)
            || !Ed25519Group.TryMultiplyPoint(bytes.Slice(HeadLength, Ed25519Group.Length), point, text[HeadLength..]))
            return false;
        bytes[..HeadLength].CopyTo(text);
        token = new(text);
        return true;
    }
}

/// <summary>Secrets that all admins of a group derive from its seed.</summary>
internal static class GroupSecrets
{
    public static void Derive(Ed25519KeyPair group, ReadOnlySpan<byte> name, Span<byte> secret) =>
        Blake2b.Hash(group.SecretKey[..Ed25519.SeedLength], name, secret);

    /// <summary>The key that the group's and one member's X25519 pairs share, seen from either side.</summary>
    public static bool TryShare(X25519KeyPair own, X25519PublicKey other, X25519PublicKey group, X25519PublicKey member, ReadOnlySpan<byte> purpose, Span<byte> key)
    {
        Span<byte> agreement = stackalloc byte[X25519.KeyLength];
        if (!X25519.TryAgree(own.SecretKey, other.AsSpan(), agreement))
            return false;
        var blake = new Blake2b.Incremental(key.Length, purpose);
        blake.Append(agreement);
        blake.Append(group.AsSpan());
        blake.Append(member.AsSpan());
        blake.Finish(key);
        CryptographicOperations.ZeroMemory(agreement);
        return true;
    }

    /// <summary>The X25519 form of a group's id; false if it has none.</summary>
    public static bool TryConvert(AccountId group, out X25519PublicKey key)
    {
        Span<byte> converted = stackalloc byte[X25519.KeyLength];
        var ok = group.Prefix == AccountId.GroupPrefix && Ed25519.TryConvertPublicKey(group.Key.AsSpan(), converted);
        key = ok ? new(new Bytes32(converted)) : default;
        return ok;
    }
}

/// <summary>What admins sign in control messages (groups.md, 6).</summary>
public static class GroupSignature
{
    /// <summary>Signed text of an invitation.</summary>
    public static byte[] Invite(AccountId invitee, long timestamp) => Text($"INVITE{invitee}{timestamp}");

    /// <summary>Signed text of a changed name (1), picture (2) or timer (3).</summary>
    public static byte[] InfoChange(int type, long timestamp) => Text($"INFO_CHANGE{type}{timestamp}");

    /// <summary>Signed text of added (1), removed (2) or promoted (3) members.</summary>
    public static byte[] MemberChange(int type, long timestamp) => Text($"MEMBER_CHANGE{type}{timestamp}");

    /// <summary>Signed text of deleted contents.</summary>
    public static byte[] DeleteContent(long timestamp, IEnumerable<string> members, IEnumerable<string> hashes) =>
        Text($"DELETE_CONTENT{timestamp}{string.Concat(members)}{string.Concat(hashes)}");

    private static byte[] Text(FormattableString text) => Encoding.UTF8.GetBytes(FormattableString.Invariant(text));
}
