using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Messages;

/// <summary>An opened message.</summary>
/// <param name="Padded">The padded content.</param>
/// <param name="Sender">The key that signed it.</param>
/// <param name="SenderId">The Session ID of that key: the only proof of who sent it.</param>
public sealed record OpenedSeal(byte[] Padded, Ed25519PublicKey Sender, AccountId SenderId);

/// <summary>
/// The encryption of one-to-one messages (messages.md, 4): signed by the sender together with the recipient's key, then sealed for the
/// recipient, so that nobody else learns who sent it.
/// </summary>
public static class SessionSeal
{
    /// <summary>Bytes a sealed message is longer than its padded content.</summary>
    public const int Overhead = Ed25519.PublicKeyLength + Ed25519.SignatureLength + SealedBox.Overhead;

    /// <summary>Signs and seals.</summary>
    /// <param name="sender">Who signs.</param>
    /// <param name="recipient">The 32 bytes after 05 of the recipient's id.</param>
    /// <param name="padded">The padded content.</param>
    /// <exception cref="ArgumentException">The recipient's key has small order.</exception>
    public static byte[] Seal(Ed25519KeyPair sender, X25519PublicKey recipient, ReadOnlySpan<byte> padded) =>
        Seal(sender, recipient, padded, X25519KeyPair.Generate());

    /// <summary>The same bytes for the same input, so that pushing a config message twice stores it once.</summary>
    /// <inheritdoc cref="Seal(Ed25519KeyPair, X25519PublicKey, ReadOnlySpan{byte})"/>
    public static byte[] SealDeterministic(Ed25519KeyPair sender, X25519PublicKey recipient, ReadOnlySpan<byte> padded) =>
        Seal(sender, recipient, padded, DeriveEphemeral(sender, recipient, padded));

    /// <summary>The ephemeral pair of <see cref="SealDeterministic"/>.</summary>
    internal static X25519KeyPair DeriveEphemeral(Ed25519KeyPair sender, X25519PublicKey recipient, ReadOnlySpan<byte> padded)
    {
        Span<byte> seed = stackalloc byte[32];
        var blake = new Blake2b.Incremental(seed.Length, "SessionBoxEphemeralHashKey"u8);
        blake.Append(sender.SecretKey[..Ed25519.SeedLength]);
        blake.Append(recipient.AsSpan());
        blake.Append(padded);
        blake.Finish(seed);
        Span<byte> hash = stackalloc byte[SHA512.HashSizeInBytes];
        _ = SHA512.HashData(seed, hash);
        var pair = new X25519KeyPair(hash[..X25519.KeyLength]);
        CryptographicOperations.ZeroMemory(seed);
        CryptographicOperations.ZeroMemory(hash);
        return pair;
    }

    internal static byte[] Seal(Ed25519KeyPair sender, X25519PublicKey recipient, ReadOnlySpan<byte> padded, X25519KeyPair ephemeral)
    {
        var inner = new byte[padded.Length + Ed25519.PublicKeyLength + Ed25519.SignatureLength];
        var key = inner.AsSpan(padded.Length, Ed25519.PublicKeyLength);
        padded.CopyTo(inner);
        sender.PublicKey.AsSpan().CopyTo(key);
        Sign(sender, recipient, inner.AsSpan(0, padded.Length + key.Length), inner.AsSpan(padded.Length + key.Length));

        if (!CryptoBox.TryCreate(recipient.AsSpan(), ephemeral.SecretKey, out var box))
            throw new ArgumentException("The recipient's key has small order.", nameof(recipient));
        using (box)
        {
            var @sealed = new byte[inner.Length + SealedBox.Overhead];
            var ephemeralKey = ephemeral.PublicKey;
            ephemeralKey.AsSpan().CopyTo(@sealed);
            Span<byte> nonce = stackalloc byte[CryptoBox.NonceLength];
            var blake = new Blake2b.Incremental(nonce.Length);
            blake.Append(ephemeralKey.AsSpan());
            blake.Append(recipient.AsSpan());
            blake.Finish(nonce);
            box.Seal(inner, nonce, @sealed.AsSpan(X25519.KeyLength));
            return @sealed;
        }
    }

    /// <summary>Opens and verifies. Nothing about the sender is believed but what the signature proves.</summary>
    /// <param name="recipient">The recipient's pair.</param>
    /// <param name="sealed">The sealed bytes.</param>
    /// <param name="opened">What was inside.</param>
    /// <param name="failure">The first check that failed, if the answer is false.</param>
    public static bool TryOpen(
        X25519KeyPair recipient, ReadOnlySpan<byte> @sealed, [NotNullWhen(true)] out OpenedSeal? opened, out MessageFailure failure)
    {
        opened = null;
        failure = MessageFailure.TooShort;
        if (@sealed.Length <= Overhead)
            return false;
        failure = MessageFailure.SealOpen;
        if (!SealedBox.TryOpen(@sealed, recipient.PublicKey.AsSpan(), recipient.SecretKey, out var inner))
            return false;

        var length = inner.Length - Ed25519.PublicKeyLength - Ed25519.SignatureLength;
        var sender = new Ed25519PublicKey(inner.AsSpan(length, Ed25519.PublicKeyLength));
        var signature = inner.AsSpan(length + Ed25519.PublicKeyLength);
        failure = MessageFailure.Signature;
        if (!Ed25519.Verify(sender.AsSpan(), SignedBytes(inner.AsSpan(0, length + Ed25519.PublicKeyLength), recipient.PublicKey), signature))
            return false;
        failure = MessageFailure.SenderKey;
        Span<byte> converted = stackalloc byte[X25519.KeyLength];
        if (!Ed25519.TryConvertPublicKey(sender.AsSpan(), converted))
            return false;

        failure = MessageFailure.None;
        opened = new(inner[..length], sender, new(AccountId.SessionPrefix, new Bytes32(converted)));
        return true;
    }

    private static void Sign(Ed25519KeyPair sender, X25519PublicKey recipient, ReadOnlySpan<byte> messageAndKey, Span<byte> signature) =>
        sender.Sign(SignedBytes(messageAndKey, recipient), signature);

    private static byte[] SignedBytes(ReadOnlySpan<byte> messageAndKey, X25519PublicKey recipient) => [.. messageAndKey, .. recipient.AsSpan()];
}
