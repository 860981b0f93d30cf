using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>What a subaccount token allows (storage-rpc.md, 3.2). Other bits are not looked at.</summary>
[Flags]
public enum SubaccountFlags
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary><c>retrieve</c>, <c>get_expiries</c>, subscriptions.</summary>
    Read = 1,

    /// <summary><c>store</c>, and <c>expire</c> as far as it extends.</summary>
    Write = 2,

    /// <summary>All deletions, <c>expire_all</c>, shortening in <c>expire</c>; with <see cref="Write"/> also public outboxes.</summary>
    Delete = 4,

    /// <summary>Valid for any prefix byte before the same 32-byte key.</summary>
    AnyPrefix = 8,
}

/// <summary>
/// A subaccount token: 36 bytes, prefix, flags, two reserved bytes and an Ed25519 key (storage-rpc.md, 3.2). Revocation lists are keyed by
/// the whole token.
/// </summary>
public readonly struct SubaccountToken : IEquatable<SubaccountToken>
{
    /// <summary>Length in bytes.</summary>
    public const int Length = 36;

    private readonly Body _body;

    /// <summary>Copies exactly 36 bytes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Another length.</exception>
    public SubaccountToken(ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(bytes.Length, Length);
        _body = MemoryMarshal.Read<Body>(bytes);
    }

    /// <summary>A token for the holder of <paramref name="key"/>, reserved bytes 0.</summary>
    public SubaccountToken(byte prefix, SubaccountFlags flags, Ed25519PublicKey key)
    {
        Span<byte> bytes = stackalloc byte[Length];
        bytes.Clear();
        bytes[0] = prefix;
        bytes[1] = (byte)flags;
        key.AsSpan().CopyTo(bytes[4..]);
        _body = MemoryMarshal.Read<Body>(bytes);
    }

    /// <summary>The account prefix the token was made for.</summary>
    public byte Prefix => AsSpan()[0];

    /// <summary>The rights, unknown bits included.</summary>
    public SubaccountFlags Flags => (SubaccountFlags)AsSpan()[1];

    /// <summary>The key that signs requests made with this token.</summary>
    public Ed25519PublicKey Key => new(AsSpan()[4..]);

    /// <summary>True if every right in <paramref name="required"/> is there.</summary>
    public bool Allows(SubaccountFlags required) => (Flags & required) == required;

    /// <summary>True if the token may be used for an account with this prefix byte.</summary>
    public bool IsFor(byte accountPrefix) => Prefix == accountPrefix || Allows(SubaccountFlags.AnyPrefix);

    /// <summary>A view of the 36 bytes; valid as long as the value it was taken from.</summary>
    [UnscopedRef]
    public ReadOnlySpan<byte> AsSpan() => MemoryMarshal.AsBytes(new ReadOnlySpan<SubaccountToken>(in this));

    /// <summary>Parses 48 base64 characters or 72 hex digits (ASCII).</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out SubaccountToken token)
    {
        Span<byte> bytes = stackalloc byte[Length];
        var ok = text.Length switch
        {
            2 * Length => Convert.FromHexString(text, bytes, out _, out _) == System.Buffers.OperationStatus.Done,
            Length / 3 * 4 => Parsing.Base64Text.TryDecodeExactly(text, bytes),
            _ => false,
        };
        token = ok ? new(bytes) : default;
        return ok;
    }

    /// <summary>48 characters of base64.</summary>
    public override string ToString() => Convert.ToBase64String(AsSpan());

    /// <inheritdoc/>
    public bool Equals(SubaccountToken other) => AsSpan().SequenceEqual(other.AsSpan());

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is SubaccountToken other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.AddBytes(AsSpan());
        return hash.ToHashCode();
    }

    /// <summary>Equality by value.</summary>
    public static bool operator ==(SubaccountToken left, SubaccountToken right) => left.Equals(right);

    /// <summary>Inequality by value.</summary>
    public static bool operator !=(SubaccountToken left, SubaccountToken right) => !left.Equals(right);

    [InlineArray(Length)]
    private struct Body
    {
        private byte _first;
    }
}

/// <summary>A token and the account's signature over its 36 bytes: what a subaccount shows with every request.</summary>
/// <param name="Token">The token.</param>
/// <param name="Signature">Signature of the token by the account key.</param>
public sealed record SubaccountCredential(SubaccountToken Token, RequestSignature Signature)
{
    /// <summary>Signs a token with the account's key.</summary>
    public static SubaccountCredential Issue(Ed25519KeyPair account, SubaccountToken token)
    {
        Span<byte> signature = stackalloc byte[Ed25519.SignatureLength];
        account.Sign(token.AsSpan(), signature);
        return new(token, new(signature));
    }
}
