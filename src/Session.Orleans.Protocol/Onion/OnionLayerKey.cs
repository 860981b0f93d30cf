using System.Buffers;
using System.Security.Cryptography;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Onion;

/// <summary>
/// The 32-byte key of one layer with its cipher. Request and reply of a layer share it (onion-requests.md, 3). A value: copying copies
/// the secret. A default value is no key; using it throws <see cref="InvalidOperationException"/>.
/// </summary>
public readonly struct OnionLayerKey
{
    private readonly Bytes32 _key;
    private readonly bool _derived;

    private OnionLayerKey(Bytes32 key, OnionCipher cipher)
    {
        _key = key;
        Cipher = cipher;
        _derived = true;
    }

    /// <summary>The cipher of the layer.</summary>
    public OnionCipher Cipher { get; }

    /// <summary>The 32 secret bytes.</summary>
    internal Bytes32 Secret => _key;

    /// <summary>
    /// The key as the node derives it from its own pair and the client's ephemeral public key. False when the agreement is all zero
    /// (a key of small order).
    /// </summary>
    public static bool TryDeriveForNode(X25519KeyPair node, X25519PublicKey ephemeral, OnionCipher cipher, out OnionLayerKey key) =>
        TryDerive(node.SecretKey, ephemeral.AsSpan(), ephemeral.AsSpan(), node.PublicKey.AsSpan(), cipher, out key);

    /// <summary>
    /// The key as the client derives it from its ephemeral pair and the node's (or server's) public key. False when the agreement is
    /// all zero (a key of small order).
    /// </summary>
    public static bool TryDeriveForClient(X25519KeyPair ephemeral, X25519PublicKey node, OnionCipher cipher, out OnionLayerKey key) =>
        TryDerive(ephemeral.SecretKey, node.AsSpan(), ephemeral.PublicKey.AsSpan(), node.AsSpan(), cipher, out key);

    /// <summary>
    /// Whether a layer's plaintext may lie where its ciphertext does: so with all ciphers that have a tag. Of CBC, whose plaintext is shorter, .NET
    /// does not say so.
    /// </summary>
    internal bool WorksInPlace => Cipher is not OnionCipher.AesCbc;

    /// <summary>Bytes to provide for <see cref="TryDecrypt"/>; see <see cref="OnionCiphers.GetMaxPlaintextLength"/>.</summary>
    public int GetMaxPlaintextLength(int ciphertextLength) => OnionCiphers.GetMaxPlaintextLength(Cipher, ciphertextLength);

    /// <summary>Bytes that <see cref="Encrypt(ReadOnlySpan{byte}, Span{byte})"/> writes.</summary>
    public int GetCiphertextLength(int plaintextLength) => OnionCiphers.GetCiphertextLength(Cipher, plaintextLength);

    /// <summary>
    /// Decrypts a layer: nonce, ciphertext and, but for CBC, tag. False if it was altered, is too short or was made with another key; the
    /// buffer's content is then not to be used.
    /// </summary>
    /// <param name="ciphertext">The layer.</param>
    /// <param name="plaintext">
    /// At least <see cref="GetMaxPlaintextLength"/> bytes that do not overlap the layer or, where <see cref="WorksInPlace"/>, begin exactly
    /// behind its nonce.
    /// </param>
    /// <param name="written">Length of the plaintext, in bytes.</param>
    /// <exception cref="ArgumentException">The buffer is too short.</exception>
    public bool TryDecrypt(ReadOnlySpan<byte> ciphertext, Span<byte> plaintext, out int written)
    {
        ThrowIfDefault();
        written = 0;
        var length = GetMaxPlaintextLength(ciphertext.Length);
        if (plaintext.Length < length)
            throw new ArgumentException("The buffer is shorter than the longest possible plaintext.", nameof(plaintext));
        if (ciphertext.Length < GetCiphertextLength(0))
            return false;

        var nonceLength = OnionCiphers.GetNonceLength(Cipher);
        var nonce = ciphertext[..nonceLength];
        var sealedBytes = ciphertext[nonceLength..];
        plaintext = plaintext[..length];
        switch (Cipher)
        {
            case OnionCipher.XChaCha20:
                if (Sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
                    plaintext, 0, 0, sealedBytes, (ulong)sealedBytes.Length, default, 0, nonce, _key.AsSpan()) != 0)
                    return false;
                break;
            case OnionCipher.AesGcm when Sodium.HasAes256Gcm:
                if (Sodium.crypto_aead_aes256gcm_decrypt(
                    plaintext, 0, 0, sealedBytes, (ulong)sealedBytes.Length, default, 0, nonce, _key.AsSpan()) != 0)
                    return false;
                break;
            case OnionCipher.AesGcm:
                if (!TryDecryptGcmPortable(sealedBytes, nonce, plaintext))
                    return false;
                break;
            default:
                return TryDecryptCbc(sealedBytes, nonce, plaintext, out written);
        }

        written = length;
        return true;
    }

    /// <summary>Encrypts with a new random nonce.</summary>
    /// <param name="plaintext">Any bytes.</param>
    /// <param name="ciphertext">Exactly <see cref="GetCiphertextLength"/> bytes, not overlapping the plaintext.</param>
    public void Encrypt(ReadOnlySpan<byte> plaintext, Span<byte> ciphertext)
    {
        Span<byte> nonce = stackalloc byte[OnionCiphers.MaxNonceLength];
        nonce = nonce[..OnionCiphers.GetNonceLength(Cipher)];
        RandomNumberGenerator.Fill(nonce);
        Encrypt(plaintext, ciphertext, nonce);
    }

    /// <summary>
    /// Encrypts with a given nonce. Only for reproducing recorded layers: one nonce used for two plaintexts gives both away.
    /// </summary>
    internal void Encrypt(ReadOnlySpan<byte> plaintext, Span<byte> ciphertext, ReadOnlySpan<byte> nonce)
    {
        ThrowIfDefault();
        var nonceLength = OnionCiphers.GetNonceLength(Cipher);
        ArgumentOutOfRangeException.ThrowIfNotEqual(nonce.Length, nonceLength);
        if (ciphertext.Length != GetCiphertextLength(plaintext.Length))
            throw new ArgumentException("The buffer is not as long as the layer.", nameof(ciphertext));

        nonce.CopyTo(ciphertext);
        EncryptCore(plaintext, nonce, ciphertext[nonceLength..]);
    }

    /// <summary>
    /// Encrypts with a given nonce, which must be a new random one, a plaintext that lies where the ciphertext will, behind the nonce.
    /// </summary>
    /// <param name="layer">Exactly <see cref="GetCiphertextLength"/> bytes.</param>
    /// <param name="plaintextLength">Length of the plaintext, in bytes.</param>
    /// <param name="nonce">The nonce.</param>
    internal void EncryptInPlace(Span<byte> layer, int plaintextLength, ReadOnlySpan<byte> nonce)
    {
        ThrowIfDefault();
        ArgumentOutOfRangeException.ThrowIfNotEqual(nonce.Length, OnionCiphers.GetNonceLength(Cipher));
        ArgumentOutOfRangeException.ThrowIfNotEqual(layer.Length, GetCiphertextLength(plaintextLength));
        nonce.CopyTo(layer);
        var sealedBytes = layer[nonce.Length..];
        if (WorksInPlace)
        {
            EncryptCore(sealedBytes[..plaintextLength], nonce, sealedBytes);
            return;
        }

        var copy = ArrayPool<byte>.Shared.Rent(plaintextLength);
        sealedBytes[..plaintextLength].CopyTo(copy);
        EncryptCore(copy.AsSpan(0, plaintextLength), nonce, sealedBytes);
        ArrayPool<byte>.Shared.Return(copy, clearArray: true);
    }

    private void EncryptCore(ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> nonce, Span<byte> sealedBytes)
    {
        switch (Cipher)
        {
            case OnionCipher.XChaCha20:
                _ = Sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
                    sealedBytes, 0, plaintext, (ulong)plaintext.Length, default, 0, 0, nonce, _key.AsSpan());
                break;
            case OnionCipher.AesGcm when Sodium.HasAes256Gcm:
                _ = Sodium.crypto_aead_aes256gcm_encrypt(
                    sealedBytes, 0, plaintext, (ulong)plaintext.Length, default, 0, 0, nonce, _key.AsSpan());
                break;
            case OnionCipher.AesGcm:
                EncryptGcmPortable(plaintext, nonce, sealedBytes);
                break;
            default:
                using (var aes = Aes.Create())
                {
                    aes.SetKey(_key.AsSpan());
                    _ = aes.EncryptCbc(plaintext, nonce, sealedBytes, PaddingMode.PKCS7);
                }

                break;
        }
    }

    /// <summary>AES-256-GCM for processors without the instructions libsodium needs.</summary>
    internal void EncryptGcmPortable(ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> nonce, Span<byte> sealedBytes)
    {
        using var aes = new AesGcm(_key.AsSpan(), AesGcm.TagByteSizes.MaxSize);
        aes.Encrypt(nonce, plaintext, sealedBytes[..plaintext.Length], sealedBytes[plaintext.Length..]);
    }

    /// <inheritdoc cref="EncryptGcmPortable"/>
    internal bool TryDecryptGcmPortable(ReadOnlySpan<byte> sealedBytes, ReadOnlySpan<byte> nonce, Span<byte> plaintext)
    {
        using var aes = new AesGcm(_key.AsSpan(), AesGcm.TagByteSizes.MaxSize);
        try
        {
            aes.Decrypt(nonce, sealedBytes[..plaintext.Length], sealedBytes[plaintext.Length..], plaintext);
            return true;
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    private bool TryDecryptCbc(ReadOnlySpan<byte> blocks, ReadOnlySpan<byte> iv, Span<byte> plaintext, out int written)
    {
        written = 0;
        if (blocks.Length % iv.Length != 0)
            return false;
        using var aes = Aes.Create();
        aes.SetKey(_key.AsSpan());
        try
        {
            return aes.TryDecryptCbc(blocks, iv, plaintext, out written, PaddingMode.PKCS7);
        }
        catch (CryptographicException)
        {
            written = 0;
            return false;
        }
    }

    private static bool TryDerive(
        ReadOnlySpan<byte> secretKey, ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> client, ReadOnlySpan<byte> server,
        OnionCipher cipher, out OnionLayerKey key)
    {
        key = default;
        // Shared secret, client's key, server's key: the input of the XChaCha20 derivation, in this order on both sides.
        Span<byte> material = stackalloc byte[3 * X25519.KeyLength];
        Span<byte> derived = stackalloc byte[Bytes32.Length];
        var shared = material[..X25519.KeyLength];
        try
        {
            if (!X25519.TryAgree(secretKey, publicKey, shared))
                return false;
            switch (cipher)
            {
                case OnionCipher.AesGcm:
                    _ = HMACSHA256.HashData("LOKI"u8, shared, derived);
                    break;
                case OnionCipher.XChaCha20:
                    client.CopyTo(material[X25519.KeyLength..]);
                    server.CopyTo(material[(2 * X25519.KeyLength)..]);
                    Blake2b.Hash(material, derived);
                    break;
                case OnionCipher.AesCbc:
                    shared.CopyTo(derived);
                    break;
                default:
                    throw new ArgumentOutOfRangeException(nameof(cipher));
            }

            key = new(new Bytes32(derived), cipher);
            return true;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(material);
            CryptographicOperations.ZeroMemory(derived);
        }
    }

    private void ThrowIfDefault()
    {
        if (!_derived)
            throw new InvalidOperationException("A default layer key holds no key.");
    }
}
