using System.Security.Cryptography;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Communities;

/// <summary>
/// A direct message between two blinded ids (communities.md, 9): <c>00</c>, then XChaCha20-Poly1305 of the message and the sender's real
/// Ed25519 key, then the nonce.
/// </summary>
public static class BlindedMessage
{
    /// <summary>Bytes a payload is longer than its message: version 1, sender's key 32, tag 16, nonce 24.</summary>
    public const int Overhead = 1 + Ed25519.PublicKeyLength + Tag + NonceLength;

    /// <summary>Length of the nonce, in bytes.</summary>
    public const int NonceLength = 24;

    private const int Tag = 16;
    private const byte Version = 0;

    /// <summary>Encrypts for <paramref name="recipient"/>, whose id must have the sender's kind of blinding.</summary>
    /// <exception cref="ArgumentException">The recipient's id is of another kind or no key.</exception>
    public static byte[] Seal(ReadOnlySpan<byte> message, Ed25519KeyPair sender, BlindedKeyPair blindedSender, AccountId recipient)
    {
        Span<byte> nonce = stackalloc byte[NonceLength];
        RandomNumberGenerator.Fill(nonce);
        return Seal(message, sender, blindedSender, recipient, nonce);
    }

    /// <summary>The same with a given nonce of 24 bytes, for tests.</summary>
    public static byte[] Seal(ReadOnlySpan<byte> message, Ed25519KeyPair sender, BlindedKeyPair blindedSender, AccountId recipient, ReadOnlySpan<byte> nonce)
    {
        ArgumentNullException.ThrowIfNull(sender);
        ArgumentNullException.ThrowIfNull(blindedSender);
        ArgumentOutOfRangeException.ThrowIfNotEqual(nonce.Length, NonceLength);
        Span<byte> key = stackalloc byte[32];
        if (!TryDeriveKey(sender, blindedSender, recipient, blindedSender.Id, recipient, key))
            throw new ArgumentException("The recipient's id can't be encrypted for.", nameof(recipient));
        byte[] plaintext = [.. message, .. sender.PublicKey.AsSpan()];
        var payload = new byte[message.Length + Overhead];
        payload[0] = Version;
        _ = Sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
            payload.AsSpan(1, plaintext.Length + Tag), 0, plaintext, (ulong)plaintext.Length, default, 0, 0, nonce, key);
        nonce.CopyTo(payload.AsSpan(payload.Length - NonceLength));
        CryptographicOperations.ZeroMemory(key);
        return payload;
    }

    /// <summary>
    /// Opens a payload that <paramref name="from"/> sent to <paramref name="recipient"/>. False if it was altered, is of another version, or
    /// names a sender whose blinded id is not <paramref name="from"/>.
    /// </summary>
    public static bool TryOpen(
        ReadOnlySpan<byte> payload, Ed25519KeyPair recipient, BlindedKeyPair blindedRecipient, AccountId from, X25519PublicKey server,
        out byte[] message, out Ed25519PublicKey sender)
    {
        ArgumentNullException.ThrowIfNull(recipient);
        ArgumentNullException.ThrowIfNull(blindedRecipient);
        message = [];
        sender = default;
        Span<byte> key = stackalloc byte[32];
        if (!TryDeriveKey(recipient, blindedRecipient, from, from, blindedRecipient.Id, key) || !TryDecrypt(payload, key, out var plaintext, out var named)
            || !IsBlindedForm(named, from, server))
            return false;
        sender = named;
        message = plaintext;
        return true;
    }

    /// <summary>
    /// Opens a payload that one sent oneself, as the outbox returns it. False if it was altered, is of another version, or was not sealed by
    /// <paramref name="sender"/> for <paramref name="to"/>.
    /// </summary>
    public static bool TryOpenSent(ReadOnlySpan<byte> payload, Ed25519KeyPair sender, BlindedKeyPair blindedSender, AccountId to, out byte[] message)
    {
        ArgumentNullException.ThrowIfNull(sender);
        ArgumentNullException.ThrowIfNull(blindedSender);
        message = [];
        Span<byte> key = stackalloc byte[32];
        if (!TryDeriveKey(sender, blindedSender, to, blindedSender.Id, to, key) || !TryDecrypt(payload, key, out var plaintext, out var named)
            || named != sender.PublicKey)
            return false;
        message = plaintext;
        return true;
    }

    private static bool TryDecrypt(ReadOnlySpan<byte> payload, ReadOnlySpan<byte> key, out byte[] message, out Ed25519PublicKey sender)
    {
        message = [];
        sender = default;
        if (payload.Length < Overhead || payload[0] != Version)
            return false;
        var ciphertext = payload[1..^NonceLength];
        var plaintext = new byte[ciphertext.Length - Tag];
        if (Sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
            plaintext, 0, 0, ciphertext, (ulong)ciphertext.Length, default, 0, payload[^NonceLength..], key) != 0)
            return false;
        sender = new Ed25519PublicKey(plaintext.AsSpan(plaintext.Length - Ed25519.PublicKeyLength));
        message = plaintext[..^Ed25519.PublicKeyLength];
        return true;
    }

    private static bool IsBlindedForm(Ed25519PublicKey sender, AccountId id, X25519PublicKey server)
    {
        Span<byte> x25519 = stackalloc byte[X25519.KeyLength];
        if (!Ed25519.TryConvertPublicKey(sender.AsSpan(), x25519))
            return false;
        var sessionId = new AccountId(AccountId.SessionPrefix, new(x25519));
        return id.Prefix is (byte)BlindingVersion.TwentyFive
            ? Blinding.TryId25(sessionId, server, out var id25) && id25 == id
            : Blinding.TryCandidates15(sessionId, server, out var first, out _) && Blinding.Absolute(first) == Blinding.Absolute(id);
    }

    private static bool TryDeriveKey(
        Ed25519KeyPair own, BlindedKeyPair blinded, AccountId other, AccountId from, AccountId to, Span<byte> key)
    {
        if (other.Prefix != (byte)blinded.Version)
            return false;
        // 15: the real scalar with the other's blinded key. 25: the own blinding enters too.
        Span<byte> shared = stackalloc byte[Ed25519Group.Length];
        var scalar = blinded.Version is BlindingVersion.Fifteen ? own.X25519.SecretKey : blinded.PrivateKey;
        if (!Ed25519Group.TryMultiplyPoint(scalar, other.Key.AsSpan(), shared))
            return false;
        var hash = new Blake2b.Incremental(32);
        hash.Append(shared);
        hash.Append(from.Key.AsSpan());
        hash.Append(to.Key.AsSpan());
        hash.Finish(key);
        CryptographicOperations.ZeroMemory(shared);
        return true;
    }
}
