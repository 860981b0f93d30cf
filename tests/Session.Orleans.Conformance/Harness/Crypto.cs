using System.Numerics;
using System.Security.Cryptography;
using NSec.Cryptography;

namespace Session.Orleans.Conformance.Harness;

/// <summary>
/// The protocol's cryptography from standard parts, written out after the specification. The suite uses none of the server's own code, so
/// that a mistake on both sides can't hide.
/// </summary>
internal static class Crypto
{
    private const int GcmNonce = 12, GcmTag = 16, XChaChaNonce = 24, CbcBlock = 16;

    private static readonly BigInteger Prime = BigInteger.Pow(2, 255) - 19;

    private static KeyCreationParameters Exportable => new() { ExportPolicy = KeyExportPolicies.AllowPlaintextExport };

    private static SharedSecretCreationParameters ExportableSecret => new() { ExportPolicy = KeyExportPolicies.AllowPlaintextExport };

    /// <summary>Names of the ciphers with their aliases (onion-requests.md, 3).</summary>
    public static readonly string[] CipherNames = ["aes-gcm", "gcm", "xchacha20", "xchacha20-poly1305", "aes-cbc", "cbc"];

    public static Key NewSigningKey() => Key.Create(SignatureAlgorithm.Ed25519, Exportable);

    public static byte[] Sign(Key key, ReadOnlySpan<byte> message) => SignatureAlgorithm.Ed25519.Sign(key, message);

    public static bool Verify(ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature) =>
        SignatureAlgorithm.Ed25519.Verify(PublicKey.Import(SignatureAlgorithm.Ed25519, publicKey, KeyBlobFormat.RawPublicKey), message, signature);

    /// <summary>The X25519 form of an Ed25519 key: u = (1 + y) / (1 - y) modulo 2^255 - 19.</summary>
    public static byte[] ToX25519(ReadOnlySpan<byte> ed25519)
    {
        var bytes = ed25519.ToArray();
        bytes[31] &= 0x7f; // the sign of x plays no part
        var y = new BigInteger(bytes, isUnsigned: true);
        var inverse = BigInteger.ModPow(((1 - y) % Prime) + Prime, Prime - 2, Prime);
        var u = (1 + y) * inverse % Prime;
        var result = new byte[32];
        u.TryWriteBytes(result, out _, isUnsigned: true);
        return result;
    }

    /// <summary>BLAKE2b with 32 bytes of output, unkeyed.</summary>
    public static byte[] Blake2b(ReadOnlySpan<byte> input) => NSec.Cryptography.HashAlgorithm.Blake2b_256.Hash(input);

    /// <summary>Encrypts one onion layer for a node with a new ephemeral key.</summary>
    /// <param name="cipher">One of <see cref="CipherNames"/>.</param>
    /// <param name="node">The node's X25519 key.</param>
    /// <param name="plaintext">What the node gets to see.</param>
    public static SealedLayer Seal(string cipher, ReadOnlySpan<byte> node, ReadOnlySpan<byte> plaintext)
    {
        using var ephemeral = Key.Create(KeyAgreementAlgorithm.X25519, Exportable);
        var own = ephemeral.PublicKey.Export(KeyBlobFormat.RawPublicKey);
        using var shared = KeyAgreementAlgorithm.X25519.Agree(
            ephemeral, PublicKey.Import(KeyAgreementAlgorithm.X25519, node, KeyBlobFormat.RawPublicKey), ExportableSecret)!;
        var secret = shared.Export(SharedSecretBlobFormat.RawSharedSecret);
        var key = Family(cipher) switch
        {
            "gcm" => HMACSHA256.HashData("LOKI"u8, secret),
            "xchacha20" => Blake2b([.. secret, .. own, .. node]),
            _ => secret,
        };
        return new(Encrypt(cipher, key, plaintext), own, new(cipher, key));
    }

    /// <summary>Decrypts what a node answered with a layer's key; null if it was not made with that key.</summary>
    public static byte[]? Open(LayerKey layer, ReadOnlySpan<byte> ciphertext)
    {
        try
        {
            switch (Family(layer.Cipher))
            {
                case "gcm" when ciphertext.Length >= GcmNonce + GcmTag:
                {
                    var plaintext = new byte[ciphertext.Length - GcmNonce - GcmTag];
                    using var gcm = new AesGcm(layer.Key, GcmTag);
                    gcm.Decrypt(ciphertext[..GcmNonce], ciphertext[GcmNonce..^GcmTag], ciphertext[^GcmTag..], plaintext);
                    return plaintext;
                }

                case "xchacha20" when ciphertext.Length >= XChaChaNonce + GcmTag:
                {
                    using var key = Key.Import(AeadAlgorithm.XChaCha20Poly1305, layer.Key, KeyBlobFormat.RawSymmetricKey);
                    return AeadAlgorithm.XChaCha20Poly1305.Decrypt(key, ciphertext[..XChaChaNonce], default, ciphertext[XChaChaNonce..]);
                }

                case "cbc" when ciphertext.Length >= 2 * CbcBlock:
                {
                    using var aes = Aes.Create();
                    aes.Key = layer.Key;
                    return aes.DecryptCbc(ciphertext[CbcBlock..], ciphertext[..CbcBlock]);
                }

                default:
                    return null;
            }
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    private static byte[] Encrypt(string cipher, byte[] key, ReadOnlySpan<byte> plaintext)
    {
        switch (Family(cipher))
        {
            case "gcm":
            {
                var result = new byte[GcmNonce + plaintext.Length + GcmTag];
                RandomNumberGenerator.Fill(result.AsSpan(0, GcmNonce));
                using var gcm = new AesGcm(key, GcmTag);
                gcm.Encrypt(result.AsSpan(0, GcmNonce), plaintext, result.AsSpan(GcmNonce, plaintext.Length), result.AsSpan(GcmNonce + plaintext.Length));
                return result;
            }

            case "xchacha20":
            {
                var nonce = RandomNumberGenerator.GetBytes(XChaChaNonce);
                using var aead = Key.Import(AeadAlgorithm.XChaCha20Poly1305, key, KeyBlobFormat.RawSymmetricKey);
                return [.. nonce, .. AeadAlgorithm.XChaCha20Poly1305.Encrypt(aead, nonce, default, plaintext)];
            }

            default:
            {
                using var aes = Aes.Create();
                aes.Key = key;
                var iv = RandomNumberGenerator.GetBytes(CbcBlock);
                return [.. iv, .. aes.EncryptCbc(plaintext, iv)];
            }
        }
    }

    private static string Family(string cipher) => cipher switch
    {
        "aes-gcm" or "gcm" => "gcm",
        "xchacha20" or "xchacha20-poly1305" => "xchacha20",
        "aes-cbc" or "cbc" => "cbc",
        _ => throw new ArgumentException($"'{cipher}' is no cipher of the protocol.", nameof(cipher)),
    };
}

/// <summary>The key that a client keeps to open the answer of the layer's node.</summary>
internal sealed record LayerKey(string Cipher, byte[] Key);

/// <summary>An encrypted layer.</summary>
internal sealed record SealedLayer(byte[] Ciphertext, byte[] EphemeralKey, LayerKey Key);
