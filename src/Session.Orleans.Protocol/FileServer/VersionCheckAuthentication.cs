using System.Buffers;
using System.Globalization;
using System.Text;
using Session.Orleans.Protocol.Cryptography;

namespace Session.Orleans.Protocol.FileServer;

/// <summary>The outcome of a check: 200, or what to answer.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Error">Body of the answer; null with 200.</param>
public readonly record struct AuthenticationResult(int Status, string? Error);

/// <summary>
/// The optional <c>X-FS-*</c> headers of a version check (file-server.md, 3.7). They prove that one installation asks, and not who it is.
/// </summary>
public static class VersionCheckAuthentication
{
    private const string Prefix = "Invalid authentication: ";
    private const byte KeyPrefix = 0x07;
    private const int KeyLength = 33;
    private const int SignatureLength = 64;

    private static readonly AuthenticationResult Ok = new(200, null);

    /// <summary>Checks the headers of a request; null or empty ones are absent, and all three may be.</summary>
    /// <param name="key"><c>X-FS-Pubkey</c>.</param>
    /// <param name="timestamp"><c>X-FS-Timestamp</c>.</param>
    /// <param name="signature"><c>X-FS-Signature</c>.</param>
    /// <param name="method">HTTP method.</param>
    /// <param name="path">Path, decoded.</param>
    /// <param name="query">Query, raw, without its question mark; empty if there is none.</param>
    /// <param name="nowSeconds">Unix time.</param>
    public static AuthenticationResult Check(
        string? key, string? timestamp, string? signature, string method, string path, string query, long nowSeconds)
    {
        var given = Count(key) + Count(timestamp) + Count(signature);
        if (given == 0)
            return Ok;
        if (given < 3)
            return Fail(400, "one or more X-FS-* auth headers is missing");

        Span<byte> keyBytes = stackalloc byte[KeyLength];
        if (!TryDecode(key!, keyBytes))
            return Fail(400, "X-FS-Pubkey is not a valid 66-hex digit id");
        if (keyBytes[0] != KeyPrefix)
            return Fail(400, "X-FS-Pubkey must be 07- prefixed");
        Span<byte> montgomery = stackalloc byte[X25519.KeyLength];
        if (!Ed25519.TryConvertPublicKey(keyBytes[1..], montgomery)) // refuses what is no point of the main subgroup
            return Fail(400, "given X-FS-Pubkey is not a valid Ed25519 pubkey");
        Span<byte> signatureBytes = stackalloc byte[SignatureLength];
        if (!TryDecode(signature!, signatureBytes))
            return Fail(400, "X-FS-Signature is not base64[86]");
        if (!long.TryParse(timestamp, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var time))
            return Fail(400, "X-FS-Timestamp is not a valid timestamp");
        if (time < nowSeconds - FileServerLimits.AuthenticationToleranceSeconds || time > nowSeconds + FileServerLimits.AuthenticationToleranceSeconds)
            return Fail(425, "X-FS-Timestamp is too far from current time");

        var signed = Encoding.UTF8.GetBytes(query.Length > 0 ? $"{timestamp}{method}{path}?{query}" : $"{timestamp}{method}{path}");
        return Ed25519.Verify(keyBytes[1..], signed, signatureBytes) ? Ok : Fail(401, "X-FS-Signature verification failed");
    }

    private static int Count(string? header) => string.IsNullOrEmpty(header) ? 0 : 1;

    private static AuthenticationResult Fail(int status, string text) => new(status, Prefix + text);

    /// <summary>Hex, or base64 with or without padding.</summary>
    private static bool TryDecode(string text, Span<byte> bytes)
    {
        if (text.Length == 2 * bytes.Length)
            return Convert.FromHexString(text, bytes, out _, out _) == OperationStatus.Done;
        var padded = (bytes.Length + 2) / 3 * 4;
        if (text.Length > padded || text.Length < padded - 2)
            return false;
        Span<byte> decoded = stackalloc byte[SignatureLength + 3];
        return Convert.TryFromBase64String(text.PadRight(padded, '='), decoded, out var written) && written == bytes.Length
            && decoded[..written].TryCopyTo(bytes);
    }
}
