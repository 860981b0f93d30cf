using System.Text.Json;
using System.Text.Unicode;

namespace Session.Orleans.Protocol.StorageRpc.Parsing;

/// <summary>Where a value lies in the text it was found in: JSON, or bencoded data in JSON's terms (<see cref="BencodeScan"/>).</summary>
/// <param name="Type">First token of the value; <see cref="JsonTokenType.None"/> if there is no value (missing, or null).</param>
/// <param name="Start">Offset of the first byte, a JSON string's quote included.</param>
/// <param name="Length">Length in bytes, both quotes or brackets included.</param>
/// <param name="IsEscaped">True for a string with escape sequences.</param>
internal readonly record struct JsonSlot(JsonTokenType Type, int Start, int Length, bool IsEscaped)
{
    public bool IsPresent => Type is not JsonTokenType.None;

    /// <summary>The value's JSON text.</summary>
    public ReadOnlySpan<byte> Raw(ReadOnlySpan<byte> json) => json.Slice(Start, Length);

    /// <summary>The text between a string's quotes, escapes not resolved.</summary>
    public ReadOnlySpan<byte> Inner(ReadOnlySpan<byte> json) => json.Slice(Start + 1, Length - 2);

    /// <summary>Reads the value the reader stands on and leaves the reader on its last token.</summary>
    public static JsonSlot Read(ref Utf8JsonReader reader)
    {
        var (type, start, escaped) = (reader.TokenType, (int)reader.TokenStartIndex, reader.ValueIsEscaped);
        reader.Skip();
        return type is JsonTokenType.Null ? default : new(type, start, (int)reader.BytesConsumed - start, escaped);
    }
}

/// <summary>Walks JSON without building a document.</summary>
internal static class JsonScan
{
    private static readonly JsonReaderOptions Strict = new() { MaxDepth = StorageLimits.MaxJsonDepth };

    /// <summary>A reader that takes the protocol's JSON: no comments, no trailing commas, limited depth.</summary>
    public static Utf8JsonReader Reader(ReadOnlySpan<byte> json) => new(json, Strict);

    /// <summary>
    /// Checks a whole text and, if it is an object, finds the members <paramref name="names"/> in it; the last of equal names counts.
    /// Afterwards every part of the text can be read without a thought of malformed JSON.
    /// </summary>
    /// <returns>False if the text is not JSON, not UTF-8, nested too deeply, or has half a surrogate pair in an escape.</returns>
    public static bool TryScan(ReadOnlySpan<byte> json, ReadOnlySpan<byte[]> names, Span<JsonSlot> slots, out bool isObject)
    {
        isObject = false;
        if (!Utf8.IsValid(json))   // the reader would notice only where a string is read
            return false;
        var reader = Reader(json);
        try
        {
            if (!reader.Read() || (reader.ValueIsEscaped && !HasWholeSurrogates(reader.ValueSpan)))
                return false;
            isObject = reader.TokenType is JsonTokenType.StartObject;
            var (member, start) = (-1, default(JsonSlot));
            while (reader.Read())
            {
                if (reader.ValueIsEscaped && !HasWholeSurrogates(reader.ValueSpan))
                    return false;
                if (reader.CurrentDepth != 1 || !isObject)
                    continue;
                if (reader.TokenType is JsonTokenType.PropertyName)
                {
                    member = IndexOf(ref reader, names);
                    start = default;
                }
                else if (member >= 0)
                {
                    if (!start.IsPresent)
                        start = new(reader.TokenType, (int)reader.TokenStartIndex, 0, reader.ValueIsEscaped);
                    // The first token at depth 1 begins the value, the last one ends it; what comes between overwrites harmlessly.
                    slots[member] = start.Type is JsonTokenType.Null ? default
                        : start with { Length = (int)reader.BytesConsumed - start.Start };
                }
            }

            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>Finds the members <paramref name="names"/> of an object in JSON that was checked before.</summary>
    public static void FindMembers(ReadOnlySpan<byte> json, ReadOnlySpan<byte[]> names, Span<JsonSlot> slots)
    {
        var reader = Reader(json);
        reader.Read();
        while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
        {
            var member = IndexOf(ref reader, names);
            reader.Read();
            if (member < 0)
                reader.Skip();
            else
                slots[member] = JsonSlot.Read(ref reader);
        }
    }

    private static int IndexOf(ref Utf8JsonReader reader, ReadOnlySpan<byte[]> names)
    {
        // Names are hardly ever escaped, and then a plain comparison does.
        var escaped = reader.ValueIsEscaped;
        var text = reader.ValueSpan;
        for (var i = 0; i < names.Length; i++)
        {
            if (escaped ? reader.ValueTextEquals(names[i]) : text.SequenceEqual(names[i]))
                return i;
        }

        return -1;
    }

    // RFC 8259 lets "\ud800" pass as syntax, but it is no text; reading such a string would throw.
    private static bool HasWholeSurrogates(ReadOnlySpan<byte> text)
    {
        for (int at; (at = text.IndexOf((byte)'\\')) >= 0;)
        {
            if (text[at + 1] != (byte)'u')
            {
                text = text[(at + 2)..];
                continue;
            }

            var unit = CodeUnit(text[at..]);
            text = text[(at + 6)..];
            if (!char.IsSurrogate(unit))
                continue;
            if (!char.IsHighSurrogate(unit) || !text.StartsWith("\\u"u8) || !char.IsLowSurrogate(CodeUnit(text)))
                return false;
            text = text[6..];
        }

        return true;
    }

    private static char CodeUnit(ReadOnlySpan<byte> escape)
    {
        _ = System.Buffers.Text.Utf8Parser.TryParse(escape.Slice(2, 4), out uint unit, out _, 'x');
        return (char)unit;
    }
}
