using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Session.Orleans.Contracts.Communities;

namespace Session.Orleans.Gateway.Communities;

/// <summary>A request to the community server, however it came: over HTTP, out of an onion or out of a batch.</summary>
/// <param name="Method">HTTP method in upper case.</param>
/// <param name="Path">The path, percent-decoded (communities.md, 2.4).</param>
/// <param name="Query">What follows the first <c>?</c>, as it was sent.</param>
/// <param name="Headers">Gives a header's value; null if it is missing.</param>
/// <param name="Body">The body's bytes; empty if there is none.</param>
internal sealed record CommunityRequest(string Method, string Path, string Query, Func<string, string?> Headers, ReadOnlyMemory<byte> Body)
{
    /// <summary>Splits a target at its first question mark; only the path is decoded.</summary>
    public static (string Path, string Query) Split(string target)
    {
        var mark = target.IndexOf('?', StringComparison.Ordinal);
        var path = mark < 0 ? target : target[..mark];
        return (path.Contains('%', StringComparison.Ordinal) ? Uri.UnescapeDataString(path) : path, mark < 0 ? "" : target[(mark + 1)..]);
    }

    public static CommunityRequest Of(HttpContext context, ReadOnlyMemory<byte> body)
    {
        var target = context.Features.Get<IHttpRequestFeature>()?.RawTarget;
        if (string.IsNullOrEmpty(target) || target[0] != '/')
            target = context.Request.Path + context.Request.QueryString.ToString(); // absolute form, or a host that gives no target
        var (path, query) = Split(target);
        return new(context.Request.Method.ToUpperInvariant(), path, query, name => context.Request.Headers[name].ToString(), body);
    }

    /// <summary>A parameter of the query, decoded; null if it is missing.</summary>
    public string? Parameter(string name)
    {
        foreach (var part in Query.Split('&'))
        {
            var equals = part.IndexOf('=', StringComparison.Ordinal);
            if ((equals < 0 ? part : part[..equals]) == name)
                return equals < 0 ? "" : Uri.UnescapeDataString(part[(equals + 1)..].Replace('+', ' '));
        }

        return null;
    }

    /// <summary>A whole number of the query, moved into a range.</summary>
    /// <exception cref="CommunityRequestException">It is there and no number.</exception>
    public int Number(string name, int standard, int least, int most) =>
        Parameter(name) is not { } text ? standard
        : long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? (int)Math.Clamp(number, least, most)
        : throw new CommunityRequestException($"'{name}' must be a whole number");

    /// <summary>The body as a JSON object.</summary>
    /// <exception cref="CommunityRequestException">It is none.</exception>
    public JsonElement Json()
    {
        var json = CommunityBodies.Parse(Body);
        return json.ValueKind is JsonValueKind.Object ? json : throw new CommunityRequestException("The body must be a JSON object");
    }
}

/// <summary>An answer with whatever headers it needs.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="ContentType">Content type; null if there is no body.</param>
/// <param name="Body">The body, whole.</param>
/// <param name="Headers">Further headers.</param>
internal sealed record CommunityResponse(int Status, string? ContentType, ReadOnlyMemory<byte> Body, IReadOnlyDictionary<string, string>? Headers = null)
{
    public const string JsonType = "application/json", TextType = "text/plain; charset=utf-8", BinaryType = "application/octet-stream";

    /// <summary>An answer in words.</summary>
    public static CommunityResponse Text(int status, string text) => new(status, TextType, Encoding.UTF8.GetBytes(text));

    public static implicit operator CommunityResponse(CommunityReply reply) => From(reply);

    /// <summary>A grain's answer. 304 has no body and so no type.</summary>
    public static CommunityResponse From(CommunityReply reply) =>
        new(reply.Status, reply.Status is 304 ? null : reply.IsJson ? JsonType : TextType, reply.Body);
}

/// <summary>The request can't be understood: 400 with this text.</summary>
internal sealed class CommunityRequestException(string message) : Exception(message);

/// <summary>Reads JSON bodies.</summary>
internal static class CommunityBodies
{
    /// <exception cref="CommunityRequestException">It is no JSON.</exception>
    public static JsonElement Parse(ReadOnlyMemory<byte> body)
    {
        try
        {
            // The parser does not look into strings; bytes that are no text would surface only where one is used.
            if (!System.Text.Unicode.Utf8.IsValid(body.Span))
                throw new CommunityRequestException("The body must be UTF-8");
            using var document = JsonDocument.Parse(body, new() { MaxDepth = 64 });
            return document.RootElement.Clone();
        }
        catch (JsonException)
        {
            throw new CommunityRequestException("The body must be JSON");
        }
    }

    /// <summary>A member that is neither missing nor null.</summary>
    public static bool TryGet(this JsonElement json, string name, out JsonElement value) =>
        json.TryGetProperty(name, out value) && value.ValueKind is not JsonValueKind.Null;

    /// <exception cref="CommunityRequestException">It is there and no string.</exception>
    public static string? Text(this JsonElement json, string name)
    {
        if (!json.TryGet(name, out var value))
            return null;
        try
        {
            if (value.ValueKind is JsonValueKind.String)
                return value.GetString();
        }
        catch (InvalidOperationException)
        {
            // Half of a surrogate pair, which is noticed only when the text is used.
        }

        throw new CommunityRequestException($"'{name}' must be a string");
    }

    /// <exception cref="CommunityRequestException">It is there and neither true nor false.</exception>
    public static bool? Flag(this JsonElement json, string name) =>
        !json.TryGet(name, out var value) ? null
        : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean()
        : throw new CommunityRequestException($"'{name}' must be true or false");

    /// <exception cref="CommunityRequestException">It is there and no finite number.</exception>
    public static double? Number(this JsonElement json, string name) =>
        !json.TryGet(name, out var value) ? null
        : value.ValueKind is JsonValueKind.Number && value.TryGetDouble(out var number) && double.IsFinite(number) ? number
        : throw new CommunityRequestException($"'{name}' must be a number");

    /// <summary>Base64 with or without padding.</summary>
    /// <exception cref="CommunityRequestException">It is missing or no base64.</exception>
    public static byte[] Bytes(this JsonElement json, string name)
    {
        var text = json.Text(name) ?? throw new CommunityRequestException($"'{name}' is missing");
        var bytes = new byte[text.Length];
        return text.Length % 4 != 1 && Convert.TryFromBase64String(text.PadRight((text.Length + 3) / 4 * 4, '='), bytes, out var written)
            ? bytes[..written] : throw new CommunityRequestException($"'{name}' must be base64");
    }

    /// <summary>Whole numbers, each also as a string.</summary>
    /// <exception cref="CommunityRequestException">It is there and no list of them.</exception>
    public static IEnumerable<long> Numbers(this JsonElement json, string name)
    {
        if (!json.TryGet(name, out var list))
            return [];
        if (list.ValueKind is not JsonValueKind.Array)
            throw new CommunityRequestException($"'{name}' must be a list of numbers");
        return [.. list.EnumerateArray().Select(item =>
            item.ValueKind is JsonValueKind.Number && item.TryGetInt64(out var number) ? number
            : item.ValueKind is JsonValueKind.String && long.TryParse(item.GetRawText().AsSpan(1, item.GetRawText().Length - 2), NumberStyles.None, CultureInfo.InvariantCulture, out number) ? number
            : throw new CommunityRequestException($"'{name}' must be a list of numbers"))];
    }
}
