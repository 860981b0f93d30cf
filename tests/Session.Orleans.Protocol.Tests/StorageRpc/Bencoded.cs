using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Session.Orleans.Protocol.Encodings;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans;   // shared with the end-to-end tests

/// <summary>Writes bencoded data for tests: any tree of dictionaries, lists, numbers, texts and bytes, keys sorted.</summary>
internal static class Bencoded
{
    public static byte[] Write(object value)
    {
        var buffer = new ArrayBufferWriter<byte>();
        Write(new(buffer), value);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Parameters in JSON as they are bencoded: binary values raw, true and false as 1 and 0; null if that can't be.</summary>
    public static byte[]? FromJson(string method, JsonNode parameters) => ToTree(method, parameters) is { } tree ? Write(tree) : null;

    /// <summary>A request that this library has written as JSON, in the other form.</summary>
    public static byte[] FromRequest(StorageRequest request) =>
        FromJson(request.Method, JsonNode.Parse(StorageRequestWriter.ToArray(request))!["params"]!)!;

    private static void Write(BencodeWriter output, object value)
    {
        switch (value)
        {
            case IReadOnlyDictionary<string, object> dictionary:
                output.WriteDictionaryStart();
                foreach (var (key, member) in dictionary.OrderBy(static member => member.Key, StringComparer.Ordinal))
                {
                    output.WriteBytes(Encoding.UTF8.GetBytes(key));
                    Write(output, member);
                }

                output.WriteEnd();
                break;
            case byte[] bytes:
                output.WriteBytes(bytes);
                break;
            case string text:
                output.WriteBytes(Encoding.UTF8.GetBytes(text));
                break;
            case IEnumerable<object> list:
                output.WriteListStart();
                foreach (var element in list)
                    Write(output, element);
                output.WriteEnd();
                break;
            case ulong number:
                output.WriteInteger(number);
                break;
            default:
                output.WriteInteger(Convert.ToInt64(value, System.Globalization.CultureInfo.InvariantCulture));
                break;
        }
    }

    private static Dictionary<string, object>? ToTree(string method, JsonNode? node)
    {
        if (node is not JsonObject parameters)
            return null;
        var tree = new Dictionary<string, object>();
        foreach (var (name, value) in parameters)
        {
            if (value is null)
                continue;
            var converted = name switch
            {
                "signature" or "subaccount_sig" or "subaccount" or "data" => Raw(value),
                "revoke" or "unrevoke" when value is JsonArray list => List(list, Raw),
                "revoke" or "unrevoke" => Raw(value),
                "requests" when value is JsonArray list => List(list, Envelope),
                "then" or "else" => Envelope(value),
                "params" when method is "oxend_request" => value.ToJsonString(),
                "timestamp" or "ttl" when value.GetValueKind() is JsonValueKind.String => null,   // bencode has no numbers in strings
                _ => Plain(value),
            };
            if (converted is null)
                return null;
            tree[name] = converted;
        }

        return tree;
    }

    private static object? Envelope(JsonNode? node) =>
        node is JsonObject envelope && envelope["method"]?.GetValueKind() is JsonValueKind.String
        && ToTree(envelope["method"]!.GetValue<string>(), envelope["params"]) is { } parameters
            ? new Dictionary<string, object> { ["method"] = envelope["method"]!.GetValue<string>(), ["params"] = parameters }
            : null;

    private static List<object?>? List(JsonArray list, Func<JsonNode?, object?> convert)
    {
        var converted = list.Select(convert).ToList();
        return converted.Contains(null) ? null : converted;
    }

    // What is no base64 (or hex, for tokens) has no raw form.
    private static object? Raw(JsonNode? node)
    {
        if (node?.GetValueKind() is not JsonValueKind.String)
            return null;
        var text = node.GetValue<string>();
        if (text.Length == 72 && text.All(char.IsAsciiHexDigit))
            return Convert.FromHexString(text);
        var bytes = new byte[text.Length];
        return Convert.TryFromBase64String(text.PadRight((text.Length + 3) / 4 * 4, '='), bytes, out var length) ? bytes[..length] : null;
    }

    private static object? Plain(JsonNode? node) => node switch
    {
        null => null,
        JsonArray list => List(list, Plain),
        JsonObject members => members.ToDictionary(static member => member.Key, static member => Plain(member.Value)!),
        JsonValue value => value.GetValueKind() switch
        {
            JsonValueKind.String => value.GetValue<string>(),
            JsonValueKind.True => 1,
            JsonValueKind.False => 0,
            _ => value.TryGetValue(out long number) ? number : value.TryGetValue(out ulong large) ? large : null,
        },
        _ => null,
    };
}
