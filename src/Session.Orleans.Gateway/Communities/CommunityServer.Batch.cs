using System.Buffers;
using System.Text;
using System.Text.Json;
using Session.Orleans.Contracts.Communities;

namespace Session.Orleans.Gateway.Communities;

/// <summary>Several requests in one (communities.md, 5). All are read before the first is carried out.</summary>
internal sealed partial class CommunityServer
{
    private async ValueTask<CommunityResponse> BatchAsync(
        CommunityRequest request, CommunityCaller caller, bool isSequence, CancellationToken cancellationToken)
    {
        var parts = ReadBatch(request.Body, options.Value.BatchRequests);
        List<CommunityResponse> replies = [];
        foreach (var part in parts)
        {
            var reply = await HandlePartAsync(part, caller, cancellationToken);
            replies.Add(reply);
            if (isSequence && reply.Status is not (>= 200 and < 300))
                break;
        }

        return CommunityAnswers.Json(json =>
        {
            json.WriteStartArray();
            foreach (var reply in replies)
                WritePart(json, reply);
            json.WriteEndArray();
        });
    }

    private async ValueTask<CommunityResponse> HandlePartAsync(CommunityRequest part, CommunityCaller caller, CancellationToken cancellationToken)
    {
        // A batch in a batch could hold any number of them.
        if (part.Path is "/batch" or "/sequence")
            return CommunityResponse.Text(400, "A batch can't hold another one");
        try
        {
            return await HandleAsync(part, caller, cancellationToken);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            LogPartFailed(exception, part.Method);
            return new(500, "text/plain", default);
        }
    }

    /// <summary>Reads the body of a batch.</summary>
    /// <exception cref="CommunityRequestException">Any element is wrong: nothing is carried out then.</exception>
    internal static IReadOnlyList<CommunityRequest> ReadBatch(ReadOnlyMemory<byte> body, int limit)
    {
        var list = CommunityBodies.Parse(body);
        if (list.ValueKind is not JsonValueKind.Array)
            throw new CommunityRequestException("A batch is a list of requests");
        if (list.GetArrayLength() > limit)
            throw new CommunityRequestException($"A batch has at most {limit} requests");
        return [.. list.EnumerateArray().Select(ReadPart)];
    }

    private static CommunityRequest ReadPart(JsonElement part)
    {
        if (part.ValueKind is not JsonValueKind.Object)
            throw new CommunityRequestException("A request is an object");
        var method = part.Text("method");
        if (method is not ("GET" or "DELETE" or "POST" or "PUT"))
            throw new CommunityRequestException("'method' must be GET, DELETE, POST or PUT");
        if (part.Text("path") is not { } target || !target.StartsWith('/'))
            throw new CommunityRequestException("'path' must begin with a slash");
        Dictionary<string, string> headers = new(StringComparer.OrdinalIgnoreCase);
        if (part.TryGet("headers", out var given))
        {
            if (given.ValueKind is not JsonValueKind.Object)
                throw new CommunityRequestException("'headers' must be an object");
            foreach (var header in given.EnumerateObject())
                headers[header.Name] = given.Text(header.Name) ?? throw new CommunityRequestException("A header must be a string");
        }

        var hasJson = part.TryGetProperty("json", out var json);
        var base64 = part.TryGetProperty("b64", out _);
        var bytes = part.TryGetProperty("bytes", out _);
        var bodies = (hasJson ? 1 : 0) + (base64 ? 1 : 0) + (bytes ? 1 : 0);
        if (bodies != (method is "POST" or "PUT" ? 1 : 0))
            throw new CommunityRequestException("POST and PUT have exactly one of 'json', 'b64' and 'bytes', GET and DELETE none");
        ReadOnlyMemory<byte> body = default;
        if (hasJson)
            body = Compact(json);
        else if (base64)
            body = part.Bytes("b64");
        else if (bytes)
            body = Encoding.UTF8.GetBytes(part.Text("bytes") ?? throw new CommunityRequestException("'bytes' must be a string"));
        if (bodies > 0)
            headers.TryAdd("Content-Type", hasJson ? CommunityResponse.JsonType : CommunityResponse.BinaryType);
        var (path, query) = CommunityRequest.Split(target);
        return new(method, path, query, headers.GetValueOrDefault, body);
    }

    private static ReadOnlyMemory<byte> Compact(JsonElement json)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            try
            {
                json.WriteTo(writer);
            }
            catch (InvalidOperationException)
            {
                throw new CommunityRequestException("'json' holds half of a surrogate pair");
            }
        }

        return buffer.WrittenMemory;
    }

    private static void WritePart(Utf8JsonWriter json, CommunityResponse reply)
    {
        json.WriteStartObject();
        json.WriteNumber("code"u8, reply.Status);
        if (reply.Status is 500)
        {
            json.WriteString("content-type"u8, "text/plain");
            json.WriteString("body"u8, "");
            json.WriteEndObject();
            return;
        }

        json.WriteStartObject("headers"u8);
        if (reply.ContentType is { } type)
            json.WriteString("content-type"u8, type);
#pragma warning disable CA1308 // clients look for lower-case names
        foreach (var (name, value) in reply.Headers ?? new Dictionary<string, string>())
            json.WriteString(name.ToLowerInvariant(), value);
#pragma warning restore CA1308
        json.WriteEndObject();
        json.WritePropertyName("body"u8);
        if (reply.ContentType is CommunityResponse.JsonType)
            json.WriteRawValue(reply.Body.Span, skipInputValidation: true);
        else
            json.WriteBase64StringValue(reply.Body.Span);
        json.WriteEndObject();
    }

    [Microsoft.Extensions.Logging.LoggerMessage(EventId = 3202, Level = Microsoft.Extensions.Logging.LogLevel.Error, Message = "A {Method} within a batch failed")]
    private partial void LogPartFailed(Exception exception, string method);
}
