using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Session.Orleans.Gateway.Communities;

/// <summary>Tokens are the same in whatever case.</summary>
internal static class CommunityToken
{
    /// <summary>The key of the room's grain.</summary>
    [SuppressMessage("Globalization", "CA1308:Normalize strings to uppercase", Justification = "Tokens are ASCII, and lower case is what their keys have.")]
    public static string Key(string token) => token.ToLowerInvariant();
}

/// <summary>Answers that the gateway puts together itself.</summary>
internal static class CommunityAnswers
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static CommunityResponse Json(Action<Utf8JsonWriter> write, int status = 200)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer, Options))
            write(json);
        return new(status, CommunityResponse.JsonType, buffer.WrittenMemory);
    }

    public static void WriteStrings(this Utf8JsonWriter json, string name, IEnumerable<string> values)
    {
        json.WriteStartArray(name);
        foreach (var value in values)
            json.WriteStringValue(value);
        json.WriteEndArray();
    }
}
