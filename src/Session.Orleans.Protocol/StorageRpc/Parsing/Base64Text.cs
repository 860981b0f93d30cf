using System.Buffers;
using System.Buffers.Text;

namespace Session.Orleans.Protocol.StorageRpc.Parsing;

/// <summary>
/// Base64 as the protocol takes it (storage-rpc.md, 2): standard alphabet, padding optional but complete. The library's decoder insists on
/// padding and on zero in unused bits, and it skips white space, so it only gets whole groups of four checked characters.
/// </summary>
internal static class Base64Text
{
    private static readonly SearchValues<byte> Alphabet =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"u8);

    /// <summary>Number of bytes that <paramref name="text"/> stands for; -1 if it is malformed.</summary>
    public static int DecodedLength(ReadOnlySpan<byte> text)
    {
        var body = WithoutPadding(text);
        return body.Length % 4 == 1 || body.ContainsAnyExcept(Alphabet) ? -1 : (int)(body.Length * 3L / 4);
    }

    /// <summary>Decodes well-formed text into exactly <see cref="DecodedLength"/> bytes.</summary>
    public static void Decode(ReadOnlySpan<byte> text, Span<byte> bytes)
    {
        var body = WithoutPadding(text);
        var whole = body.Length & ~3;
        _ = Base64.DecodeFromUtf8(body[..whole], bytes, out _, out var written);
        // Two or three characters are left at most. Their unused bits may be set, which the library's decoder refuses.
        var rest = body[whole..];
        if (rest.Length >= 2)
            bytes[written] = (byte)((Value(rest[0]) << 2) | (Value(rest[1]) >> 4));
        if (rest.Length == 3)
            bytes[written + 1] = (byte)((Value(rest[1]) << 4) | (Value(rest[2]) >> 2));
    }

    /// <summary>Decodes text that must stand for exactly as many bytes as <paramref name="bytes"/> has.</summary>
    public static bool TryDecodeExactly(ReadOnlySpan<byte> text, Span<byte> bytes)
    {
        if (DecodedLength(text) != bytes.Length)
            return false;
        Decode(text, bytes);
        return true;
    }

    private static int Value(byte character) => (char)character switch
    {
        >= 'a' and <= 'z' => character - 'a' + 26,
        >= 'A' and <= 'Z' => character - 'A',
        >= '0' and <= '9' => character - '0' + 52,
        '+' => 62,
        _ => 63,
    };

    private static ReadOnlySpan<byte> WithoutPadding(ReadOnlySpan<byte> text) =>
        text.Length % 4 != 0 ? text : text.EndsWith("=="u8) ? text[..^2] : text.EndsWith("="u8) ? text[..^1] : text;
}
