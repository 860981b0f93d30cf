using System.Buffers.Text;
using System.Text.Json;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Onion;

/// <summary>
/// One member of a metadata object, remembered while the object is scanned and judged afterwards: of members with one name the last
/// counts, as in the reference's parser, whatever the earlier ones were.
/// </summary>
internal readonly ref struct JsonMember
{
    private readonly ReadOnlySpan<byte> _token; // with the quotes of a string; empty for objects and arrays
    private readonly bool _escaped;

    private JsonMember(JsonTokenType kind, ReadOnlySpan<byte> token, bool escaped)
    {
        Kind = kind;
        _token = token;
        _escaped = escaped;
    }

    /// <summary>Kind of the value, <see cref="JsonTokenType.None"/> if the member is absent.</summary>
    public JsonTokenType Kind { get; }

    public bool IsPresent => Kind != JsonTokenType.None;

    /// <summary>Takes the value that follows the property name the reader stands on.</summary>
    public static JsonMember Read(scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
    {
        _ = reader.Read();
        var kind = reader.TokenType;
        if (kind is JsonTokenType.StartObject or JsonTokenType.StartArray)
        {
            reader.Skip();
            return new(kind, default, false);
        }

        var start = (int)reader.TokenStartIndex;
        return new(kind, json[start..(int)reader.BytesConsumed], kind == JsonTokenType.String && reader.ValueIsEscaped);
    }

    /// <summary>The bytes of a string. Allocates only if it has escapes.</summary>
    public bool TryGetUtf8(out ReadOnlySpan<byte> text)
    {
        text = default;
        if (Kind != JsonTokenType.String)
            return false;
        if (!_escaped)
        {
            text = _token[1..^1];
            return true;
        }

        var reader = new Utf8JsonReader(_token);
        _ = reader.Read();
        var unescaped = new byte[_token.Length];
        text = unescaped.AsSpan(0, reader.CopyString(unescaped));
        return true;
    }

    /// <summary>A string.</summary>
    public bool TryGetString(out string text)
    {
        var ok = TryGetUtf8(out var utf8);
        text = ok ? System.Text.Encoding.UTF8.GetString(utf8) : string.Empty;
        return ok;
    }

    /// <summary>A 32-byte key in hex.</summary>
    public bool TryGetKey(out Bytes32 key)
    {
        key = default;
        return TryGetUtf8(out var hex) && Bytes32.TryParseHex(hex, out key);
    }

    /// <summary>true or false; absent: <paramref name="absent"/>.</summary>
    public bool TryGetBoolean(bool absent, out bool value)
    {
        value = Kind == JsonTokenType.None ? absent : Kind == JsonTokenType.True;
        return Kind is JsonTokenType.None or JsonTokenType.True or JsonTokenType.False;
    }

    /// <summary>A whole number of the 64-bit range.</summary>
    public bool TryGetInt64(out long value)
    {
        value = 0;
        return Kind == JsonTokenType.Number && Utf8Parser.TryParse(_token, out value, out var consumed) && consumed == _token.Length;
    }

    /// <summary>An <c>enc_type</c>; absent: the default cipher.</summary>
    public bool TryGetCipher(out OnionCipher cipher)
    {
        cipher = OnionCipher.AesGcm;
        return !IsPresent || (TryGetUtf8(out var name) && OnionCiphers.TryParse(name, out cipher));
    }
}
