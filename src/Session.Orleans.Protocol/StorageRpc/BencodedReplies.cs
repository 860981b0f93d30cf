using System.Buffers;
using System.Text;
using System.Text.Json;
using Session.Orleans.Protocol.Encodings;

namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>
/// Replies to bencoded requests (storage-rpc.md, 17): the JSON reply with <c>signature</c> and <c>data</c> raw and 1 and 0 for true and
/// false. Made of the finished JSON, because then every reply has one description, and the JSON of most requests pays nothing for it.
/// </summary>
public static class BencodedReplies
{
    // Each branch of an ifelse adds two levels to a reply, and a request may be StorageLimits.MaxJsonDepth deep.
    private static readonly JsonDocumentOptions Options = new() { MaxDepth = 4 * StorageLimits.MaxJsonDepth };

    /// <summary>The bencoded form of a reply that this library has written as JSON.</summary>
    /// <exception cref="FormatException">The JSON has a number that is no 64-bit integer, or a signature that is no base64.</exception>
    public static byte[] FromJson(ReadOnlyMemory<byte> json)
    {
        using var document = JsonDocument.Parse(json, Options);
        var buffer = new ArrayBufferWriter<byte>(json.Length);
        Write(new(buffer), document.RootElement);
        return buffer.WrittenSpan.ToArray();
    }

    private static void Write(BencodeWriter output, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                output.WriteDictionaryStart();
                // A null has no bencoded form; for readers it is the same as no member.
                foreach (var member in value.EnumerateObject().Where(static member => member.Value.ValueKind is not JsonValueKind.Null)
                    .OrderBy(static member => member.Name, StringComparer.Ordinal))
                {
                    output.WriteBytes(Encoding.UTF8.GetBytes(member.Name));
                    if (member.Name is "signature" or "data" && member.Value.ValueKind is JsonValueKind.String)
                        output.WriteBytes(member.Value.GetBytesFromBase64());
                    else
                        Write(output, member.Value);
                }

                output.WriteEnd();
                break;
            case JsonValueKind.Array:
                output.WriteListStart();
                foreach (var element in value.EnumerateArray())
                    Write(output, element);
                output.WriteEnd();
                break;
            case JsonValueKind.String:
                output.WriteBytes(Encoding.UTF8.GetBytes(value.GetString()!));
                break;
            case JsonValueKind.True:
                output.WriteInteger(1L);
                break;
            case JsonValueKind.False:
                output.WriteInteger(0L);
                break;
            case JsonValueKind.Number when value.TryGetInt64(out var number):
                output.WriteInteger(number);
                break;
            default:
                output.WriteInteger(value.GetUInt64());
                break;
        }
    }
}
