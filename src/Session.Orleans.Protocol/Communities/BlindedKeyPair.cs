using System.Security.Cryptography;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Communities;

/// <summary>An account's key pair at one community server (communities.md, 4). Immutable; signatures verify as plain Ed25519.</summary>
public sealed class BlindedKeyPair
{
    private readonly byte[] _private = new byte[Ed25519Group.Length];
    private readonly byte[] _nonceKey;

    /// <summary>Blinds <paramref name="account"/> for a server.</summary>
    public BlindedKeyPair(Ed25519KeyPair account, X25519PublicKey server, BlindingVersion version = BlindingVersion.Fifteen)
    {
        ArgumentNullException.ThrowIfNull(account);
        Version = version;
        Span<byte> factor = stackalloc byte[Ed25519Group.Length];
        if (version is BlindingVersion.Fifteen)
        {
            Blinding.Factor15(server, factor);
            _nonceKey = SHA512.HashData(account.SecretKey[..Ed25519.SeedLength])[Ed25519Group.Length..];
        }
        else
        {
            Blinding.Factor25(account.X25519.PublicKey, server, factor);
            if ((account.PublicKey.AsSpan()[^1] & 0x80) != 0)
                Ed25519Group.Negate(factor, factor);
            _nonceKey = new byte[Ed25519Group.Length];
            Blake2b.Hash(account.SecretKey[..Ed25519.SeedLength], "SessCommBlind25_seed"u8, _nonceKey);
        }

        Ed25519Group.Multiply(factor, account.X25519.SecretKey, _private);
        Span<byte> publicKey = stackalloc byte[Ed25519Group.Length];
        if (!Ed25519Group.TryMultiplyBase(_private, publicKey))
            throw new ArgumentException("The key can't be blinded.", nameof(account));
        PublicKey = new(publicKey);
    }

    /// <summary>How it was blinded.</summary>
    public BlindingVersion Version { get; }

    /// <summary>The blinded public key.</summary>
    public Ed25519PublicKey PublicKey { get; }

    /// <summary>The account's id at the server: 15 or 25, and the public key.</summary>
    public AccountId Id => new((byte)Version, PublicKey.Value);

    /// <summary>The blinded private scalar, 32 bytes.</summary>
    public ReadOnlySpan<byte> PrivateKey => _private;

    /// <summary>Writes the 64-byte signature of <paramref name="message"/>. Deterministic.</summary>
    public void Sign(ReadOnlySpan<byte> message, Span<byte> signature)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(signature.Length, Ed25519.SignatureLength);
        Span<byte> hash = stackalloc byte[64];
        Span<byte> nonce = stackalloc byte[Ed25519Group.Length];
        Span<byte> challenge = stackalloc byte[Ed25519Group.Length];
        if (Version is BlindingVersion.Fifteen)
        {
            using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA512);
            sha.AppendData(_nonceKey);
            sha.AppendData(PublicKey.AsSpan());
            sha.AppendData(message);
            _ = sha.GetHashAndReset(hash);
        }
        else
        {
            byte[] input = [.. _nonceKey, .. PublicKey.AsSpan(), .. message];
            Blake2b.Hash(input, "SessCommBlind25_sig"u8, hash);
        }

        Ed25519Group.Reduce(hash, nonce);
        if (!Ed25519Group.TryMultiplyBase(nonce, signature[..Ed25519Group.Length]))
            throw new CryptographicException("The nonce is zero.");
        using (var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA512))
        {
            sha.AppendData(signature[..Ed25519Group.Length]);
            sha.AppendData(PublicKey.AsSpan());
            sha.AppendData(message);
            _ = sha.GetHashAndReset(hash);
        }

        Ed25519Group.Reduce(hash, challenge);
        Ed25519Group.Multiply(challenge, _private, challenge);
        Ed25519Group.Add(nonce, challenge, signature[Ed25519Group.Length..]);
        CryptographicOperations.ZeroMemory(nonce);
        CryptographicOperations.ZeroMemory(hash);
    }
}
