using System.Globalization;
using System.Text;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Communities;

/// <summary>What a community request's signature covers, and the four headers that carry it (communities.md, 3).</summary>
public static class CommunityRequestSignature
{
    /// <summary>Header: the id's prefix and key, 33 bytes.</summary>
    public const string PublicKeyHeader = "X-SOGS-Pubkey";

    /// <summary>Header: 16 random bytes.</summary>
    public const string NonceHeader = "X-SOGS-Nonce";

    /// <summary>Header: Unix seconds.</summary>
    public const string TimestampHeader = "X-SOGS-Timestamp";

    /// <summary>Header: the signature.</summary>
    public const string SignatureHeader = "X-SOGS-Signature";

    /// <summary>Length of a nonce, in bytes.</summary>
    public const int NonceLength = 16;

    /// <summary>
    /// The signed bytes: server key, nonce, timestamp text, method, decoded path, <c>?</c> and raw query unless empty, BLAKE2b-64 of the body
    /// unless empty.
    /// </summary>
    /// <param name="server">The server's X25519 key.</param>
    /// <param name="nonce">16 bytes.</param>
    /// <param name="timestamp">The header's text.</param>
    /// <param name="method">HTTP method in upper case.</param>
    /// <param name="path">The path, percent-decoded.</param>
    /// <param name="query">What follows the first <c>?</c>, as it was sent.</param>
    /// <param name="body">The body's bytes.</param>
    public static byte[] GetSignedBytes(
        X25519PublicKey server, ReadOnlySpan<byte> nonce, string timestamp, string method, string path, string query, ReadOnlySpan<byte> body)
    {
        var text = query.Length == 0 ? $"{timestamp}{method}{path}" : $"{timestamp}{method}{path}?{query}";
        var length = X25519.KeyLength + nonce.Length + Encoding.UTF8.GetByteCount(text);
        var bytes = new byte[length + (body.IsEmpty ? 0 : 64)];
        server.AsSpan().CopyTo(bytes);
        nonce.CopyTo(bytes.AsSpan(X25519.KeyLength));
        _ = Encoding.UTF8.GetBytes(text, bytes.AsSpan(X25519.KeyLength + nonce.Length));
        if (!body.IsEmpty)
            Blake2b.Hash(body, bytes.AsSpan(length));
        return bytes;
    }

    /// <summary>The headers of a client's request, signed with a blinded key.</summary>
    public static IReadOnlyDictionary<string, string> Sign(
        BlindedKeyPair keys, X25519PublicKey server, ReadOnlySpan<byte> nonce, long timestamp, string method, string path, string query, ReadOnlySpan<byte> body)
    {
        ArgumentNullException.ThrowIfNull(keys);
        var text = timestamp.ToString(CultureInfo.InvariantCulture);
        Span<byte> signature = stackalloc byte[Ed25519.SignatureLength];
        keys.Sign(GetSignedBytes(server, nonce, text, method, path, query, body), signature);
        return Headers(keys.Id, nonce, text, signature);
    }

    /// <summary>The headers of a client's request, signed with the account's own key, for servers that do not require blinding.</summary>
    public static IReadOnlyDictionary<string, string> Sign(
        Ed25519KeyPair keys, X25519PublicKey server, ReadOnlySpan<byte> nonce, long timestamp, string method, string path, string query, ReadOnlySpan<byte> body)
    {
        ArgumentNullException.ThrowIfNull(keys);
        var text = timestamp.ToString(CultureInfo.InvariantCulture);
        Span<byte> signature = stackalloc byte[Ed25519.SignatureLength];
        keys.Sign(GetSignedBytes(server, nonce, text, method, path, query, body), signature);
        return Headers(new(Blinding.UnblindedPrefix, keys.PublicKey.Value), nonce, text, signature);
    }

    private static Dictionary<string, string> Headers(AccountId id, ReadOnlySpan<byte> nonce, string timestamp, ReadOnlySpan<byte> signature) => new()
    {
        [PublicKeyHeader] = id.ToString(),
        [NonceHeader] = Convert.ToBase64String(nonce),
        [TimestampHeader] = timestamp,
        [SignatureHeader] = Convert.ToBase64String(signature),
    };
}
