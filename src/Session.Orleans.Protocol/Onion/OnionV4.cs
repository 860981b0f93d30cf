using System.Buffers;
using System.Collections.ObjectModel;
using System.Diagnostics.CodeAnalysis;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using Session.Orleans.Protocol.Encodings;

namespace Session.Orleans.Protocol.Onion;

/// <summary>
/// A v4 request to a server: a bencoded list of metadata and, where the method has one, the body (onion-requests.md, 10).
/// </summary>
/// <param name="Method">HTTP method.</param>
/// <param name="Endpoint">Path with query; starts with <c>/</c>.</param>
/// <param name="Headers">Header names are compared without regard to case when the request was parsed.</param>
/// <param name="Body">Raw bytes; null if the request has none. A null array converts to an empty body, not to none.</param>
public sealed record OnionV4Request(string Method, string Endpoint, IReadOnlyDictionary<string, string> Headers, ReadOnlyMemory<byte>? Body)
{
    /// <summary>The bencoded form, before encryption.</summary>
    public byte[] Encode()
    {
        var metadata = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(metadata, OnionV4.JsonOptions))
        {
            json.WriteStartObject();
            json.WriteString("method"u8, Method);
            json.WriteString("endpoint"u8, Endpoint);
            OnionV4.WriteHeaders(json, Headers);
            json.WriteEndObject();
        }

        return OnionV4.Encode(metadata.WrittenSpan, Body);
    }

    /// <summary>
    /// Reads a request. Never throws; false is answered with <see cref="OnionV4Response.Malformed"/>. The body is a view of
    /// <paramref name="plaintext"/>. Absent headers are none.
    /// </summary>
    public static bool TryParse(ReadOnlyMemory<byte> plaintext, [NotNullWhen(true)] out OnionV4Request? request)
    {
        request = null;
        if (!OnionV4.TryDecode(plaintext, out var metadata, out var body))
            return false;
        try
        {
            var json = metadata.Span;
            var reader = new Utf8JsonReader(json);
            if (!Utf8.IsValid(json) || !reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return false;
            string? method = null, endpoint = null;
            IReadOnlyDictionary<string, string> headers = ReadOnlyDictionary<string, string>.Empty;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("method"u8))
                {
                    if (!JsonMember.Read(ref reader, json).TryGetString(out method))
                        return false;
                }
                else if (reader.ValueTextEquals("endpoint"u8))
                {
                    if (!JsonMember.Read(ref reader, json).TryGetString(out endpoint))
                        return false;
                }
                else if (reader.ValueTextEquals("headers"u8))
                {
                    if (!OnionV4.TryReadHeaders(ref reader, out var read))
                        return false;
                    headers = read;
                }
                else
                    _ = JsonMember.Read(ref reader, json);
            }

            _ = reader.Read();
            if (string.IsNullOrEmpty(method) || endpoint is null || !endpoint.StartsWith('/'))
                return false;
            request = new(method, endpoint, headers, body);
            return true;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return false;
        }
    }
}

/// <summary>A server's reply to a v4 request, before encryption with the request's key; sent as raw bytes (onion-requests.md, 10).</summary>
/// <param name="Code">HTTP status of the answer inside; the outer one is always 200.</param>
/// <param name="Headers">Written in lower case and without <c>content-length</c>.</param>
/// <param name="Body">Raw bytes, maybe empty.</param>
public sealed record OnionV4Response(int Code, IReadOnlyDictionary<string, string> Headers, ReadOnlyMemory<byte> Body)
{
    /// <summary>The reply to a v4 plaintext that cannot be parsed.</summary>
    public static OnionV4Response Malformed { get; } = new(
        400,
        new ReadOnlyDictionary<string, string>(new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase)
        {
            ["content-type"] = "text/plain; charset=utf-8",
        }),
        "Invalid v4 onion request"u8.ToArray());

    /// <summary>The bencoded form, before encryption.</summary>
    public byte[] Encode()
    {
        var metadata = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(metadata, OnionV4.JsonOptions))
        {
            json.WriteStartObject();
            json.WriteNumber("code"u8, Code);
            OnionV4.WriteHeaders(json, Headers, forReply: true);
            json.WriteEndObject();
        }

        return OnionV4.Encode(metadata.WrittenSpan, Body);
    }

    /// <summary>The client's side. Never throws; false without code, headers or body string, any of which clients need.</summary>
    public static bool TryParse(ReadOnlyMemory<byte> plaintext, [NotNullWhen(true)] out OnionV4Response? response)
    {
        response = null;
        if (!OnionV4.TryDecode(plaintext, out var metadata, out var body) || body is null)
            return false;
        try
        {
            var json = metadata.Span;
            var reader = new Utf8JsonReader(json);
            if (!Utf8.IsValid(json) || !reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return false;
            long code = -1;
            Dictionary<string, string>? headers = null;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("code"u8))
                {
                    if (!JsonMember.Read(ref reader, json).TryGetInt64(out code))
                        return false;
                }
                else if (reader.ValueTextEquals("headers"u8))
                {
                    if (!OnionV4.TryReadHeaders(ref reader, out headers))
                        return false;
                }
                else
                    _ = JsonMember.Read(ref reader, json);
            }

            _ = reader.Read();
            if (code is < 0 or > int.MaxValue || headers is null)
                return false;
            response = new((int)code, headers, body.Value);
            return true;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return false;
        }
    }
}

/// <summary>What v4 requests and replies have in common.</summary>
internal static class OnionV4
{
    public static JsonWriterOptions JsonOptions { get; } = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static byte[] Encode(ReadOnlySpan<byte> metadata, ReadOnlyMemory<byte>? body)
    {
        var encoded = GC.AllocateUninitializedArray<byte>(
            2 + BencodeWriter.GetBytesLength(metadata.Length) + (body is { } some ? BencodeWriter.GetBytesLength(some.Length) : 0));
        encoded[0] = (byte)'l';
        var position = 1 + BencodeWriter.WriteBytes(metadata, encoded.AsSpan(1));
        if (body is { } bytes)
            position += BencodeWriter.WriteBytes(bytes.Span, encoded.AsSpan(position));
        encoded[position] = (byte)'e';
        return encoded;
    }

    public static bool TryDecode(ReadOnlyMemory<byte> plaintext, out ReadOnlyMemory<byte> metadata, out ReadOnlyMemory<byte>? body)
    {
        metadata = default;
        body = null;
        var reader = new BencodeReader(plaintext.Span, maxDepth: 1);
        if (!reader.TryReadListStart() || !reader.TryReadBytes(out Range range))
            return false;
        metadata = plaintext[range];
        if (reader.TryReadBytes(out range))
            body = plaintext[range];
        return reader.TryReadEnd() && reader.IsComplete;
    }

    public static void WriteHeaders(Utf8JsonWriter json, IReadOnlyDictionary<string, string> headers, bool forReply = false)
    {
        json.WriteStartObject("headers"u8);
        foreach (var (name, value) in headers)
        {
            if (!forReply)
                json.WriteString(name, value);
            else if (!name.Equals("content-length", StringComparison.OrdinalIgnoreCase))
                json.WriteString(LowerCase(name), value);
        }

        json.WriteEndObject();
    }

    /// <summary>Reads the object after the property name the reader stands on: strings and, as their text, numbers.</summary>
    public static bool TryReadHeaders(ref Utf8JsonReader reader, [NotNullWhen(true)] out Dictionary<string, string>? headers)
    {
        headers = null;
        _ = reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
            return false;
        var read = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            _ = reader.Read();
            if (reader.TokenType == JsonTokenType.String)
                read[name] = reader.GetString()!;
            else if (reader.TokenType == JsonTokenType.Number)
                read[name] = System.Text.Encoding.ASCII.GetString(reader.ValueSpan);
            else
                return false;
        }

        headers = read;
        return true;
    }

    [SuppressMessage("Globalization", "CA1308:Normalize strings to uppercase", Justification = "The protocol wants lower case.")]
    private static string LowerCase(string name) => name.ToLowerInvariant();
}
