using System.Collections.ObjectModel;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Session.Orleans.Protocol.Onion;

/// <summary>A request to a server as it stood inside the encryption, whichever version it was written in.</summary>
/// <param name="Method">HTTP method.</param>
/// <param name="Endpoint">
/// Path with query. Starts with <c>/</c> in v4; in v3 it may lack the slash, and what that means is the service's own matter
/// (file-server.md, 2.4; communities.md, 2.3).
/// </param>
/// <param name="Headers">Compared without regard to case.</param>
/// <param name="Body">Raw bytes; null if the request has none.</param>
public sealed record ServerRequest(string Method, string Endpoint, IReadOnlyDictionary<string, string> Headers, ReadOnlyMemory<byte>? Body)
{
    private const string NullBody = "null";

    /// <summary>
    /// Reads the plaintext of a v4 request. Never throws; false is answered with <see cref="ServerOnion.SealMalformed"/>. The body is a view
    /// of <paramref name="plaintext"/>.
    /// </summary>
    public static bool TryParseV4(ReadOnlyMemory<byte> plaintext, [NotNullWhen(true)] out ServerRequest? request)
    {
        request = OnionV4Request.TryParse(plaintext, out var parsed) ? new(parsed.Method, parsed.Endpoint, parsed.Headers, parsed.Body) : null;
        return request is not null;
    }

    /// <summary>
    /// Reads the plaintext of a v3 request (file-server.md, 2.4): a JSON object of <c>method</c>, <c>endpoint</c>, and perhaps <c>headers</c>,
    /// <c>body</c> and <c>auth_code</c>; the last becomes the header <c>Authorization</c>. Never throws; false is answered with
    /// <see cref="ServerOnion.SealMalformed"/>.
    /// </summary>
    public static bool TryParseV3(ReadOnlyMemory<byte> plaintext, [NotNullWhen(true)] out ServerRequest? request)
    {
        request = null;
        try
        {
            request = ParseV3(plaintext.Span);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: an escaped half of a surrogate pair, which the reader notices only when the text is used.
            return false;
        }

        return request is not null;
    }

    private static ServerRequest? ParseV3(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        if (!Utf8.IsValid(json) || !reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            return null;

        JsonMember method = default, endpoint = default, body = default, authCode = default;
        IReadOnlyDictionary<string, string>? headers = ReadOnlyDictionary<string, string>.Empty;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("method"u8))
                method = JsonMember.Read(ref reader, json);
            else if (reader.ValueTextEquals("endpoint"u8))
                endpoint = JsonMember.Read(ref reader, json);
            else if (reader.ValueTextEquals("body"u8))
                body = JsonMember.Read(ref reader, json);
            else if (reader.ValueTextEquals("auth_code"u8))
                authCode = JsonMember.Read(ref reader, json);
            else if (reader.ValueTextEquals("headers"u8))
            {
                if (!OnionV4.TryReadHeaders(ref reader, out var read))
                    return null;
                headers = read;
            }
            else
                _ = JsonMember.Read(ref reader, json);
        }

        // The reader throws on anything but white space after the object.
        _ = reader.Read();
        if (!method.TryGetString(out var methodText) || methodText.Length == 0 || !endpoint.TryGetString(out var endpointText))
            return null;

        var bodyText = "";
        if (body.IsPresent && body.Kind != JsonTokenType.Null && !body.TryGetString(out bodyText))
            return null;
        var takesBody = methodText.Equals("POST", StringComparison.OrdinalIgnoreCase) || methodText.Equals("PUT", StringComparison.OrdinalIgnoreCase);
        if (!takesBody && bodyText.Length > 0 && bodyText != NullBody)
            return null;

        if (authCode.IsPresent && authCode.Kind != JsonTokenType.Null)
        {
            if (!authCode.TryGetString(out var code))
                return null;
            headers = new Dictionary<string, string>(headers, StringComparer.OrdinalIgnoreCase) { ["Authorization"] = code };
        }

        return new(methodText, endpointText, headers, takesBody ? Encoding.UTF8.GetBytes(bodyText) : default(ReadOnlyMemory<byte>?));
    }
}
