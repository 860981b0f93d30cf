using System.Security.Cryptography;
using Session.Orleans.Protocol.Cryptography;

namespace Session.Orleans.Protocol.Identity;

/// <summary>An Ed25519 key pair and its X25519 form. Immutable and safe to share between threads.</summary>
public sealed class Ed25519KeyPair
{
    private readonly byte[] _secretKey = new byte[Ed25519.SecretKeyLength];

    /// <summary>Expands a 32-byte seed.</summary>
    public Ed25519KeyPair(ReadOnlySpan<byte> seed)
    {
        Span<byte> publicKey = stackalloc byte[Ed25519.PublicKeyLength];
        Ed25519.CreateKeyPair(seed, publicKey, _secretKey);
        PublicKey = new(publicKey);
        X25519 = X25519KeyPair.FromEd25519(_secretKey);
    }

    /// <summary>The public key.</summary>
    public Ed25519PublicKey PublicKey { get; }

    /// <summary>The same key pair converted to X25519.</summary>
    public X25519KeyPair X25519 { get; }

    /// <summary>The secret key in libsodium form: seed, then public key (64 bytes).</summary>
    public ReadOnlySpan<byte> SecretKey => _secretKey;

    /// <summary>The Session ID whose key this is: 05 and the X25519 public key (identity.md, 3).</summary>
    public AccountId SessionId => new(AccountId.SessionPrefix, X25519.PublicKey.Value);

    /// <summary>A new random key pair.</summary>
    public static Ed25519KeyPair Generate()
    {
        Span<byte> seed = stackalloc byte[Ed25519.SeedLength];
        RandomNumberGenerator.Fill(seed);
        return new(seed);
    }

    /// <summary>Writes the 64-byte signature of <paramref name="message"/>.</summary>
    public void Sign(ReadOnlySpan<byte> message, Span<byte> signature) => Ed25519.Sign(_secretKey, message, signature);
}

/// <summary>An X25519 key pair. Immutable and safe to share between threads.</summary>
public sealed class X25519KeyPair
{
    private readonly byte[] _secretKey = new byte[X25519.KeyLength];

    /// <summary>From a 32-byte secret key.</summary>
    public X25519KeyPair(ReadOnlySpan<byte> secretKey)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(secretKey.Length, X25519.KeyLength);
        secretKey.CopyTo(_secretKey);
        Span<byte> publicKey = stackalloc byte[X25519.KeyLength];
        X25519.GetPublicKey(_secretKey, publicKey);
        PublicKey = new(publicKey);
    }

    /// <summary>The public key.</summary>
    public X25519PublicKey PublicKey { get; }

    /// <summary>The 32-byte secret key.</summary>
    public ReadOnlySpan<byte> SecretKey => _secretKey;

    /// <summary>A new random key pair, for one onion layer for example.</summary>
    public static X25519KeyPair Generate()
    {
        Span<byte> secretKey = stackalloc byte[X25519.KeyLength];
        RandomNumberGenerator.Fill(secretKey);
        return new(secretKey);
    }

    internal static X25519KeyPair FromEd25519(ReadOnlySpan<byte> ed25519SecretKey)
    {
        Span<byte> secretKey = stackalloc byte[X25519.KeyLength];
        Ed25519.ConvertSecretKey(ed25519SecretKey, secretKey);
        return new(secretKey);
    }
}
