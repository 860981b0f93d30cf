using System.Globalization;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Communities;

/// <summary>Why a request is not accepted: status and exact text (communities.md, 3).</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Text">Body, sent as <c>text/plain; charset=utf-8</c>.</param>
public sealed record CommunityAuthenticationError(int Status, string Text)
{
    /// <summary>Check 4. Clients compare the text and learn the server's capabilities anew.</summary>
    public static CommunityAuthenticationError BlindingRequired { get; } = new(400, "Invalid authentication: this server requires the use of blinded ids");

    /// <summary>Check 8.</summary>
    public static CommunityAuthenticationError TimestampTooFar { get; } = new(425, "Invalid authentication: X-SOGS-Timestamp is too far from current time");

    /// <summary>Check 9.</summary>
    public static CommunityAuthenticationError Banned { get; } = new(403, "Banned");

    /// <summary>Check 10.</summary>
    public static CommunityAuthenticationError NonceReused { get; } = new(425, "Invalid authentication: X-SOGS-Nonce cannot be reused");

    /// <summary>Check 11.</summary>
    public static CommunityAuthenticationError BadSignature { get; } = new(401, "Invalid authentication: X-SOGS-Signature verification failed");
}

/// <summary>What a server asks of its users' ids.</summary>
/// <param name="RequireBlinded">Refuses keys that are not blinded.</param>
/// <param name="Accept25">Takes 25 keys besides 15 ones.</param>
public readonly record struct CommunityIdRules(bool RequireBlinded, bool Accept25);

/// <summary>The four authentication headers of a request, read (communities.md, 3). The signature is not verified yet.</summary>
public sealed class CommunityCredentials
{
    /// <summary>How far a timestamp may be from the server's clock, in seconds.</summary>
    public const long ClockTolerance = 86_400;

    private const int SignatureBase64Length = 88;

    private readonly byte[] _signature;
    private readonly string _timestamp;

    private CommunityCredentials(AccountId id, Bytes32 key, byte[] nonce, string timestamp, long seconds, byte[] signature)
    {
        Id = id;
        Key = new(key);
        Nonce = nonce;
        _timestamp = timestamp;
        Timestamp = seconds;
        _signature = signature;
    }

    /// <summary>Who asks: the blinded id, or the Session ID of a key that is not blinded.</summary>
    public AccountId Id { get; }

    /// <summary>The key that signed.</summary>
    public Ed25519PublicKey Key { get; }

    /// <summary>The nonce, 16 bytes.</summary>
    public ReadOnlyMemory<byte> Nonce { get; }

    /// <summary>When the request was signed, Unix seconds.</summary>
    public long Timestamp { get; }

    /// <summary>
    /// Checks 1 to 8. Without any header the request is anonymous: both results are null.
    /// </summary>
    /// <param name="header">Gives a header's value; null or empty if it is missing.</param>
    /// <param name="rules">What the server asks of ids.</param>
    /// <param name="now">The server's clock, Unix seconds.</param>
    /// <param name="credentials">The headers, if all is well.</param>
    /// <returns>The first check that failed; null if none did.</returns>
    public static CommunityAuthenticationError? Read(
        Func<string, string?> header, CommunityIdRules rules, long now, out CommunityCredentials? credentials)
    {
        ArgumentNullException.ThrowIfNull(header);
        credentials = null;
        string?[] values =
        [
            header(CommunityRequestSignature.PublicKeyHeader), header(CommunityRequestSignature.NonceHeader),
            header(CommunityRequestSignature.TimestampHeader), header(CommunityRequestSignature.SignatureHeader),
        ];
        var missing = values.Count(string.IsNullOrEmpty);
        if (missing == 4)
            return null;
        if (missing > 0)
            return new(400, string.Create(CultureInfo.InvariantCulture, $"Invalid authentication headers: missing {missing}/4 required X-SOGS-* headers"));

        Span<byte> id = stackalloc byte[AccountId.Length];
        if (!TryDecode(values[0]!, id))
            return Invalid("X-SOGS-Pubkey is not a valid 66-hex digit id");
        if (id[0] is not (Blinding.UnblindedPrefix or (byte)BlindingVersion.Fifteen) && !(rules.Accept25 && id[0] == (byte)BlindingVersion.TwentyFive))
            return Invalid("X-SOGS-Pubkey must be 00- or 15- prefixed");
        if (!Ed25519Group.IsValidPoint(id[1..]))
            return Invalid("given X-SOGS-Pubkey is not a valid Ed25519 pubkey");
        if (id[0] == Blinding.UnblindedPrefix && rules.RequireBlinded)
            return CommunityAuthenticationError.BlindingRequired;
        var nonce = new byte[CommunityRequestSignature.NonceLength];
        if (!TryDecode(values[1]!, nonce))
            return Invalid("X-SOGS-Nonce must be 16 bytes (encoded as base64 or hex)");
        var signature = new byte[Ed25519.SignatureLength];
        if (!TryDecode(values[3]!, signature))
            return Invalid(string.Create(CultureInfo.InvariantCulture, $"X-SOGS-Signature is not base64[{SignatureBase64Length}]"));
        if (!long.TryParse(values[2], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var seconds))
            return Invalid("X-SOGS-Timestamp is not a valid timestamp");
        if (seconds < now - ClockTolerance || seconds > now + ClockTolerance)
            return CommunityAuthenticationError.TimestampTooFar;

        var key = new Bytes32(id[1..]);
        var account = AccountId.FromBytes(id);
        if (id[0] == Blinding.UnblindedPrefix)
        {
            Span<byte> x25519 = stackalloc byte[X25519.KeyLength];
            if (!Ed25519.TryConvertPublicKey(id[1..], x25519))
                return Invalid("given X-SOGS-Pubkey is not a valid Ed25519 pubkey");
            account = new(AccountId.SessionPrefix, new(x25519));
        }

        credentials = new(account, key, nonce, values[2]!, seconds, signature);
        return null;
    }

    /// <summary>Check 11: whether the signature covers this request.</summary>
    /// <param name="server">The server's X25519 key.</param>
    /// <param name="method">HTTP method in upper case.</param>
    /// <param name="path">The path, percent-decoded.</param>
    /// <param name="query">What follows the first <c>?</c>, as it was sent.</param>
    /// <param name="body">The body's bytes.</param>
    public bool IsSignatureOf(X25519PublicKey server, string method, string path, string query, ReadOnlySpan<byte> body) => Ed25519.Verify(
        Key.AsSpan(), CommunityRequestSignature.GetSignedBytes(server, Nonce.Span, _timestamp, method, path, query, body), _signature);

    private static CommunityAuthenticationError Invalid(string reason) => new(400, "Invalid authentication: " + reason);

    /// <summary>Reads hex of any case, or base64 with or without padding, of exactly the destination's length.</summary>
    internal static bool TryDecode(string text, Span<byte> destination)
    {
        if (text.Length == 2 * destination.Length)
            return Convert.FromHexString(text, destination, out _, out _) == System.Buffers.OperationStatus.Done;
        var padded = (destination.Length + 2) / 3 * 4;
        var unpadded = ((4 * destination.Length) + 2) / 3;
        if (text.Length != padded && text.Length != unpadded)
            return false;
        return Convert.TryFromBase64String(text.Length == padded ? text : text.PadRight(padded, '='), destination, out var written)
            && written == destination.Length;
    }
}
