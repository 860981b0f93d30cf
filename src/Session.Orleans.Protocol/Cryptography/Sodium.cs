using System.Runtime.InteropServices;

namespace Session.Orleans.Protocol.Cryptography;

/// <summary>
/// Raw entry points of the libsodium that NSec ships. NSec itself allocates guarded memory for every secret, which doubles
/// the price of an X25519 agreement; these calls work on the caller's stack buffers.
/// </summary>
internal static partial class Sodium
{
    private const string Library = "libsodium";

    static Sodium()
    {
        // Selects the CPU-specific implementations; calling it more than once is harmless (1 = already done).
        if (sodium_init() < 0)
            throw new InvalidOperationException("libsodium could not be initialised.");
    }

    /// <summary>True where the CPU has the instructions that libsodium's AES-256-GCM needs.</summary>
    internal static bool HasAes256Gcm { get; } = crypto_aead_aes256gcm_is_available() == 1;

    [LibraryImport(Library)]
    private static partial int sodium_init();

    [LibraryImport(Library)]
    internal static partial void sodium_memzero(Span<byte> buffer, nuint length);

    [LibraryImport(Library)]
    internal static partial int crypto_scalarmult_curve25519(Span<byte> shared, ReadOnlySpan<byte> secret, ReadOnlySpan<byte> point);

    [LibraryImport(Library)]
    internal static partial int crypto_scalarmult_curve25519_base(Span<byte> publicKey, ReadOnlySpan<byte> secret);

    [LibraryImport(Library)]
    internal static partial int crypto_sign_ed25519_seed_keypair(Span<byte> publicKey, Span<byte> secretKey, ReadOnlySpan<byte> seed);

    [LibraryImport(Library)]
    internal static partial int crypto_sign_ed25519_detached(
        Span<byte> signature, nint signatureLength, ReadOnlySpan<byte> message, ulong messageLength, ReadOnlySpan<byte> secretKey);

    [LibraryImport(Library)]
    internal static partial int crypto_sign_ed25519_verify_detached(
        ReadOnlySpan<byte> signature, ReadOnlySpan<byte> message, ulong messageLength, ReadOnlySpan<byte> publicKey);

    [LibraryImport(Library)]
    internal static partial int crypto_sign_ed25519_pk_to_curve25519(Span<byte> x25519, ReadOnlySpan<byte> ed25519);

    [LibraryImport(Library)]
    internal static partial int crypto_sign_ed25519_sk_to_curve25519(Span<byte> x25519, ReadOnlySpan<byte> ed25519SecretKey);

    [LibraryImport(Library)]
    internal static partial int crypto_generichash_blake2b(
        Span<byte> output, nuint outputLength, ReadOnlySpan<byte> input, ulong inputLength, ReadOnlySpan<byte> key, nuint keyLength);

    [LibraryImport(Library)]
    internal static partial int crypto_generichash_blake2b_init(Span<byte> state, ReadOnlySpan<byte> key, nuint keyLength, nuint outputLength);

    [LibraryImport(Library)]
    internal static partial int crypto_generichash_blake2b_init_salt_personal(
        Span<byte> state, ReadOnlySpan<byte> key, nuint keyLength, nuint outputLength, ReadOnlySpan<byte> salt, ReadOnlySpan<byte> personalisation);

    [LibraryImport(Library)]
    internal static partial int crypto_generichash_blake2b_update(Span<byte> state, ReadOnlySpan<byte> input, ulong inputLength);

    [LibraryImport(Library)]
    internal static partial int crypto_generichash_blake2b_final(Span<byte> state, Span<byte> output, nuint outputLength);

    [LibraryImport(Library)]
    internal static partial int crypto_aead_xchacha20poly1305_ietf_encrypt(
        Span<byte> ciphertext, nint ciphertextLength, ReadOnlySpan<byte> message, ulong messageLength,
        ReadOnlySpan<byte> additionalData, ulong additionalDataLength, nint secretNonce, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> key);

    [LibraryImport(Library)]
    internal static partial int crypto_aead_xchacha20poly1305_ietf_decrypt(
        Span<byte> message, nint messageLength, nint secretNonce, ReadOnlySpan<byte> ciphertext, ulong ciphertextLength,
        ReadOnlySpan<byte> additionalData, ulong additionalDataLength, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> key);

    [LibraryImport(Library)]
    private static partial int crypto_aead_aes256gcm_is_available();

    [LibraryImport(Library)]
    internal static partial int crypto_aead_aes256gcm_encrypt(
        Span<byte> ciphertext, nint ciphertextLength, ReadOnlySpan<byte> message, ulong messageLength,
        ReadOnlySpan<byte> additionalData, ulong additionalDataLength, nint secretNonce, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> key);

    [LibraryImport(Library)]
    internal static partial int crypto_aead_aes256gcm_decrypt(
        Span<byte> message, nint messageLength, nint secretNonce, ReadOnlySpan<byte> ciphertext, ulong ciphertextLength,
        ReadOnlySpan<byte> additionalData, ulong additionalDataLength, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> key);

    [LibraryImport(Library)]
    internal static partial int crypto_box_seal(
        Span<byte> ciphertext, ReadOnlySpan<byte> message, ulong messageLength, ReadOnlySpan<byte> publicKey);

    [LibraryImport(Library)]
    internal static partial int crypto_box_seal_open(
        Span<byte> message, ReadOnlySpan<byte> ciphertext, ulong ciphertextLength, ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> secretKey);

    [LibraryImport(Library)]
    internal static partial int crypto_box_beforenm(Span<byte> sharedKey, ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> secretKey);

    [LibraryImport(Library)]
    internal static partial int crypto_box_easy_afternm(
        Span<byte> box, ReadOnlySpan<byte> message, ulong messageLength, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> sharedKey);

    [LibraryImport(Library)]
    internal static partial int crypto_box_open_easy_afternm(
        Span<byte> message, ReadOnlySpan<byte> box, ulong boxLength, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> sharedKey);

    [LibraryImport(Library)]
    internal static partial int crypto_generichash_blake2b_salt_personal(
        Span<byte> output, nuint outputLength, ReadOnlySpan<byte> input, ulong inputLength, ReadOnlySpan<byte> key, nuint keyLength,
        ReadOnlySpan<byte> salt, ReadOnlySpan<byte> personal);

    [LibraryImport(Library)]
    internal static partial void crypto_core_ed25519_scalar_reduce(Span<byte> scalar, ReadOnlySpan<byte> wide);

    [LibraryImport(Library)]
    internal static partial void crypto_core_ed25519_scalar_mul(Span<byte> product, ReadOnlySpan<byte> left, ReadOnlySpan<byte> right);

    [LibraryImport(Library)]
    internal static partial void crypto_core_ed25519_scalar_add(Span<byte> sum, ReadOnlySpan<byte> left, ReadOnlySpan<byte> right);

    [LibraryImport(Library)]
    internal static partial void crypto_core_ed25519_scalar_negate(Span<byte> negative, ReadOnlySpan<byte> scalar);

    [LibraryImport(Library)]
    internal static partial int crypto_scalarmult_ed25519_noclamp(Span<byte> product, ReadOnlySpan<byte> scalar, ReadOnlySpan<byte> point);

    [LibraryImport(Library)]
    internal static partial int crypto_scalarmult_ed25519_base_noclamp(Span<byte> product, ReadOnlySpan<byte> scalar);

    [LibraryImport(Library)]
    internal static partial nuint crypto_secretstream_xchacha20poly1305_statebytes();

    [LibraryImport(Library)]
    internal static partial int crypto_secretstream_xchacha20poly1305_init_pull(Span<byte> state, ReadOnlySpan<byte> header, ReadOnlySpan<byte> key);

    [LibraryImport(Library)]
    internal static partial int crypto_secretstream_xchacha20poly1305_push(
        Span<byte> state, Span<byte> ciphertext, nint ciphertextLength, ReadOnlySpan<byte> message, ulong messageLength,
        ReadOnlySpan<byte> additionalData, ulong additionalDataLength, byte tag);

    [LibraryImport(Library)]
    internal static partial int crypto_secretstream_xchacha20poly1305_pull(
        Span<byte> state, Span<byte> message, nint messageLength, out byte tag, ReadOnlySpan<byte> ciphertext, ulong ciphertextLength,
        ReadOnlySpan<byte> additionalData, ulong additionalDataLength);

    [LibraryImport(Library)]
    internal static partial int crypto_pwhash(
        Span<byte> output, ulong outputLength, ReadOnlySpan<byte> password, ulong passwordLength, ReadOnlySpan<byte> salt,
        ulong operations, nuint memory, int algorithm);

    [LibraryImport(Library)]
    internal static partial int crypto_secretbox_open_easy(
        Span<byte> message, ReadOnlySpan<byte> ciphertext, ulong ciphertextLength, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> key);

    [LibraryImport(Library)]
    internal static partial int crypto_core_ed25519_is_valid_point(ReadOnlySpan<byte> point);
}
