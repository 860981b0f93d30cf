using System.Buffers;
using System.Buffers.Text;

namespace Session.Orleans.Protocol.StorageRpc.Parsing;

/// <summary>
/// Base64 as the protocol takes it (storage-rpc.md, 2): standard alphabet, padding optional but complete. The library's decoder insists on
/// padding and skips white space, so the form is checked here first.
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
        var rest = body[whole..];
        if (rest.IsEmpty)
            return;
        Span<byte> quad = [(byte)'=', (byte)'=', (byte)'=', (byte)'='], triple = stackalloc byte[3];
        rest.CopyTo(quad);
        _ = Base64.DecodeFromUtf8(quad, triple, out _, out var tail);
        triple[..tail].CopyTo(bytes[written..]);
    }

    /// <summary>Decodes text that must stand for exactly as many bytes as <paramref name="bytes"/> has.</summary>
    public static bool TryDecodeExactly(ReadOnlySpan<byte> text, Span<byte> bytes)
    {
        if (DecodedLength(text) != bytes.Length)
            return false;
        Decode(text, bytes);
        return true;
    }

    private static ReadOnlySpan<byte> WithoutPadding(ReadOnlySpan<byte> text) =>
        text.Length % 4 != 0 ? text : text.EndsWith("=="u8) ? text[..^2] : text.EndsWith("="u8) ? text[..^1] : text;
}
