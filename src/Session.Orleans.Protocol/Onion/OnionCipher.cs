namespace Session.Orleans.Protocol.Onion;

/// <summary>How one layer of an onion request, or its reply, is encrypted (onion-requests.md, 3).</summary>
public enum OnionCipher : byte
{
    /// <summary><c>aes-gcm</c>, the default: AES-256-GCM.</summary>
    AesGcm,

    /// <summary><c>xchacha20</c>: XChaCha20-Poly1305.</summary>
    XChaCha20,

    /// <summary><c>aes-cbc</c>: AES-256-CBC with PKCS#7 padding, unauthenticated; kept for old clients.</summary>
    AesCbc,
}

/// <summary>Names and sizes of the layer ciphers (onion-requests.md, 3).</summary>
public static class OnionCiphers
{
    /// <summary>The longest nonce of any cipher, in bytes.</summary>
    public const int MaxNonceLength = 24;

    private const int TagLength = 16;
    private const int BlockLength = 16;

    /// <summary>Parses the value of <c>enc_type</c>: the names and their aliases, case-sensitive.</summary>
    public static bool TryParse(ReadOnlySpan<byte> utf8Name, out OnionCipher cipher)
    {
        if (utf8Name.SequenceEqual("aes-gcm"u8) || utf8Name.SequenceEqual("gcm"u8))
            cipher = OnionCipher.AesGcm;
        else if (utf8Name.SequenceEqual("xchacha20"u8) || utf8Name.SequenceEqual("xchacha20-poly1305"u8))
            cipher = OnionCipher.XChaCha20;
        else if (utf8Name.SequenceEqual("aes-cbc"u8) || utf8Name.SequenceEqual("cbc"u8))
            cipher = OnionCipher.AesCbc;
        else
        {
            cipher = default;
            return false;
        }

        return true;
    }

    /// <summary>The value of <c>enc_type</c>.</summary>
    public static string Name(OnionCipher cipher) => cipher switch
    {
        OnionCipher.AesGcm => "aes-gcm",
        OnionCipher.XChaCha20 => "xchacha20",
        OnionCipher.AesCbc => "aes-cbc",
        _ => throw new ArgumentOutOfRangeException(nameof(cipher)),
    };

    /// <summary>Bytes of the nonce (or IV) that precedes the ciphertext: 12, 24 or 16.</summary>
    public static int GetNonceLength(OnionCipher cipher) => cipher switch
    {
        OnionCipher.AesGcm => 12,
        OnionCipher.XChaCha20 => 24,
        OnionCipher.AesCbc => BlockLength,
        _ => throw new ArgumentOutOfRangeException(nameof(cipher)),
    };

    /// <summary>Length of a whole layer, nonce and tag or padding included, in bytes.</summary>
    public static int GetCiphertextLength(OnionCipher cipher, int plaintextLength)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(plaintextLength);
        return checked(GetNonceLength(cipher)
            + (cipher == OnionCipher.AesCbc ? plaintextLength - plaintextLength % BlockLength + BlockLength : plaintextLength + TagLength));
    }

    /// <summary>
    /// Bytes to provide for decrypting a layer: exact for the authenticated ciphers, up to 15 too many for <see cref="OnionCipher.AesCbc"/>.
    /// 0 for a layer that is too short to be one.
    /// </summary>
    public static int GetMaxPlaintextLength(OnionCipher cipher, int ciphertextLength)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(ciphertextLength);
        return Math.Max(0, ciphertextLength - GetNonceLength(cipher) - (cipher == OnionCipher.AesCbc ? 1 : TagLength));
    }
}
