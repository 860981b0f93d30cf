using System.Security.Cryptography;
using System.Text;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Names;

/// <summary>
/// Encryption of a name's value with a key that whoever knows the name can derive (names.md, 4). Modern values are written and read, those of
/// the first generation only read.
/// </summary>
public static class NameCipher
{
    /// <summary>Length of the nonce, which stands behind the ciphertext.</summary>
    public const int NonceLength = 24;

    /// <summary>By how many bytes a stored value of the modern form is longer than the plain one.</summary>
    public const int Overhead = TagLength + NonceLength;

    /// <summary>Length of a stored value of the first generation; there are such only of Session IDs.</summary>
    public const int LegacyLength = AccountId.Length + TagLength;

    private const int TagLength = 16;
    private const int KeyLength = 32;

    // Argon2id v1.3 as libsodium's MODERATE limits set it.
    private const int Argon2Id13 = 2;
    private const ulong Argon2Passes = 3;
    private const int Argon2Memory = 268_435_456;
    private const int Argon2SaltLength = 16;

    /// <summary>Encrypts in the modern form, with a random nonce.</summary>
    /// <param name="name">The name, which is put into lower case first.</param>
    /// <param name="value">The plain value.</param>
    /// <returns>Ciphertext and nonce, <see cref="Overhead"/> bytes longer than <paramref name="value"/>.</returns>
    public static byte[] Encrypt(string name, ReadOnlySpan<byte> value)
    {
        Span<byte> nonce = stackalloc byte[NonceLength];
        RandomNumberGenerator.Fill(nonce);
        return Encrypt(name, value, nonce);
    }

    /// <summary>The same with a nonce of 24 bytes that is given.</summary>
    internal static byte[] Encrypt(string name, ReadOnlySpan<byte> value, ReadOnlySpan<byte> nonce)
    {
        Span<byte> key = stackalloc byte[KeyLength];
        DeriveKey(name, key);
        var stored = new byte[value.Length + Overhead];
        _ = Sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(stored, 0, value, (ulong)value.Length, [], 0, 0, nonce, key);
        nonce.CopyTo(stored.AsSpan(value.Length + TagLength));
        return stored;
    }

    /// <summary>Decrypts a stored value of the modern form.</summary>
    /// <returns>Null if the name is another one or the value is damaged.</returns>
    public static byte[]? Decrypt(string name, ReadOnlySpan<byte> stored)
    {
        if (stored.Length < Overhead)
            return null;
        Span<byte> key = stackalloc byte[KeyLength];
        DeriveKey(name, key);
        var ciphertext = stored[..^NonceLength];
        var value = new byte[ciphertext.Length - TagLength];
        return Sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(value, 0, 0, ciphertext, (ulong)ciphertext.Length, [], 0, stored[^NonceLength..], key) == 0
            ? value : null;
    }

    /// <summary>
    /// Decrypts the Session ID of a name, stored in either form; the length tells which. The first generation's takes 256 MiB of memory and
    /// most of a second.
    /// </summary>
    /// <returns>False if the name is another one, or what is stored is no Session ID.</returns>
    public static bool TryDecryptSession(string name, ReadOnlySpan<byte> stored, out AccountId account)
    {
        var value = stored.Length == LegacyLength ? DecryptLegacy(name, stored)
            : NameTypes.IsStoredLength(NameType.Session, stored.Length) ? Decrypt(name, stored) : null;
        var found = value is [AccountId.SessionPrefix, ..] && value.Length == AccountId.Length;
        account = found ? AccountId.FromBytes(value) : default;
        return found;
    }

    /// <summary>The key of the modern form: BLAKE2b-32 of the name, keyed with its hash.</summary>
    internal static void DeriveKey(string name, Span<byte> key)
    {
        Span<byte> hash = stackalloc byte[Bytes32.Length];
        NameHash.Of(name).Value.AsSpan().CopyTo(hash);
        Blake2b.Hash(Encoding.UTF8.GetBytes(NameRules.Normalize(name)), hash, key);
    }

    /// <summary>The key of the first generation's form.</summary>
    /// <exception cref="InvalidOperationException">There are no 256 MiB.</exception>
    internal static void DeriveLegacyKey(string name, Span<byte> key)
    {
        var password = Encoding.UTF8.GetBytes(NameRules.Normalize(name));
        ReadOnlySpan<byte> salt = stackalloc byte[Argon2SaltLength];
        if (Sodium.crypto_pwhash(key, KeyLength, password, (ulong)password.Length, salt, Argon2Passes, Argon2Memory, Argon2Id13) != 0)
            throw new InvalidOperationException("Argon2 could not have its 256 MiB.");
    }

    private static byte[]? DecryptLegacy(string name, ReadOnlySpan<byte> stored)
    {
        Span<byte> key = stackalloc byte[KeyLength];
        DeriveLegacyKey(name, key);
        ReadOnlySpan<byte> nonce = stackalloc byte[NonceLength];
        var value = new byte[stored.Length - TagLength];
        return Sodium.crypto_secretbox_open_easy(value, stored, (ulong)stored.Length, nonce, key) == 0 ? value : null;
    }
}
