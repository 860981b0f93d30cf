using System.Buffers;
using System.Diagnostics;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc.Writing;

namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>
/// A request to an account's mailbox. The server's checks are, in this order: the account belongs to this swarm (the caller's, 421,
/// storage-rpc.md, 4), <see cref="Check"/>, and <see cref="TokenCheck"/> where the revocation list is.
/// </summary>
public abstract record AccountRequest : StorageRequest
{
    private const int MaxStackBytes = 256;

    private protected AccountRequest()
    {
    }

    /// <summary>The account.</summary>
    public required AccountId Account { get; init; }

    /// <summary>The signature fields; null if the request is not signed.</summary>
    public RequestAuthentication? Authentication { get; init; }

    /// <summary>True if every swarm member executes the request and adds an entry to the reply (storage-rpc.md, 7).</summary>
    public abstract bool IsSwarmWide { get; }

    /// <summary>
    /// The subaccount token that a valid request uses and that must not be revoked, with the answers; null if revocation plays no part:
    /// no token, a signature that is not verified, or a read of an unrevocable namespace.
    /// </summary>
    public virtual TokenCheck? TokenCheck =>
        Authentication?.Subaccount is { } subaccount ? new(subaccount.Token, SignatureError) : null;

    /// <summary>
    /// Checks times and signature in the specification's order; the first error wins. Not checked: the swarm (before) and revocation (after).
    /// </summary>
    /// <returns>The error to answer, or null.</returns>
    public abstract StorageError? Check(in ServerClock clock);

    /// <summary>Writes the bytes that the request's signature covers. The account's signature over them goes into <see cref="Authentication"/>.</summary>
    public void WriteSignedText(IBufferWriter<byte> output)
    {
        var text = new SignedText(output.GetSpan(SignedTextCapacity));
        FormatSignedText(ref text);
        output.Advance(text.Length);
    }

    /// <summary>
    /// The same request with signature fields made by <paramref name="keys"/>: the account's own key pair or, with a credential, the key pair
    /// inside the token. <c>pubkey_ed25519</c> is added where the account is a Session ID, whose key cannot verify by itself; a subaccount of
    /// a Session ID names the account's key in <paramref name="accountKey"/>.
    /// </summary>
    public AccountRequest SignWith(Ed25519KeyPair keys, SubaccountCredential? credential = null, Ed25519PublicKey? accountKey = null)
    {
        var text = new ArrayBufferWriter<byte>();
        WriteSignedText(text);
        Span<byte> signature = stackalloc byte[Ed25519.SignatureLength];
        keys.Sign(text.WrittenSpan, signature);
        var ed25519 = accountKey ?? (credential is null && Account == keys.SessionId ? keys.PublicKey : null);
        return this with { Authentication = new(new(signature), ed25519, credential) };
    }

    /// <summary>The method's 401 text: one answer for every way in which a signature can fail.</summary>
    private protected abstract StorageError SignatureError { get; }

    /// <summary>At least as many bytes as <see cref="FormatSignedText"/> writes.</summary>
    private protected abstract int SignedTextCapacity { get; }

    private protected abstract void FormatSignedText(ref SignedText text);

    /// <summary>Storage-rpc.md, 3.1, without revocation: null, or the method's 401.</summary>
    private protected StorageError? CheckSignature(SubaccountFlags required) => IsSignatureValid(required) ? null : SignatureError;

    private bool IsSignatureValid(SubaccountFlags required)
    {
        if (Authentication is not { } authentication || !TryGetAccountKey(authentication.Ed25519Key, out var key, out var isNewPair))
            return false;
        var accountKey = key;
        if (authentication.Subaccount is { } subaccount)
        {
            if (!subaccount.Token.IsFor(Account.Prefix) || !subaccount.Token.Allows(required)
                || !Ed25519.Verify(key.AsSpan(), subaccount.Token.AsSpan(), subaccount.Signature.AsSpan()))
                return false;
            key = subaccount.Token.Key;
        }

        var capacity = SignedTextCapacity;
        var rented = capacity > MaxStackBytes ? ArrayPool<byte>.Shared.Rent(capacity) : null;
        try
        {
            var text = new SignedText(rented ?? stackalloc byte[MaxStackBytes]);
            FormatSignedText(ref text);
            Debug.Assert(text.Length <= capacity, "The capacity of a signed text is too small.");
            if (!Ed25519.Verify(key.AsSpan(), text.Written, authentication.Signature.AsSpan()))
                return false;
            if (isNewPair)
                VerifiedKeys.Add(accountKey, new X25519PublicKey(Account.Key));
            return true;
        }
        finally
        {
            if (rented is not null)
                ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private bool TryGetAccountKey(Ed25519PublicKey? ed25519, out Ed25519PublicKey key, out bool isNewPair)
    {
        isNewPair = false;
        key = ed25519 ?? new(Account.Key);
        if (ed25519 is null)
            return true;
        if (Account.Prefix == AccountId.SessionPrefix && VerifiedKeys.Contains(key, new X25519PublicKey(Account.Key)))
            return true;
        isNewPair = true;
        Span<byte> converted = stackalloc byte[X25519.KeyLength];
        return Account.Prefix == AccountId.SessionPrefix
            && Ed25519.TryConvertPublicKey(key.AsSpan(), converted) && converted.SequenceEqual(Account.Key.AsSpan());
    }
}
