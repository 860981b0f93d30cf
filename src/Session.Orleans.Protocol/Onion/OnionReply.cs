using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;

namespace Session.Orleans.Protocol.Onion;

/// <summary>A decrypted reply of a node (onion-requests.md, 6).</summary>
/// <param name="Status">The inner status, that of the request itself.</param>
/// <param name="Body">The text of a string, without escapes, or the JSON text of anything else. UTF-8.</param>
/// <param name="BodyIsString">Whether the body came as a string; JSON results do so unless the request asked for <c>json</c>.</param>
public sealed record OnionReplyContent(int Status, ReadOnlyMemory<byte> Body, bool BodyIsString);

/// <summary>The encrypted reply: made once, by the hop that answers, and carried back unchanged (onion-requests.md, 6).</summary>
public static class OnionReply
{
    // {"body":""  ,"status":-2147483648}
    private const int FrameLength = 48;

    // Larger arrays are kept by few pools for long, and are seldom.
    private const int MostRented = 64 * 1024;

    private static ReadOnlySpan<byte> Head => "{\"body\":"u8;

    private static ReadOnlySpan<byte> Middle => ",\"status\":"u8;

    /// <summary>
    /// Builds <c>{"body":B,"status":N}</c>, encrypts it with a new nonce and returns the body of the HTTP answer (status 200): nonce and
    /// ciphertext, or their padded base64 text.
    /// </summary>
    /// <param name="key">Key of the layer that the answering node opened.</param>
    /// <param name="status">Inner status.</param>
    /// <param name="body">UTF-8: JSON text or plain text.</param>
    /// <param name="bodyIsJson">Whether <paramref name="body"/> is JSON text.</param>
    /// <param name="json">The request's option: B is the JSON itself instead of a string that holds it. Plain text is always a string.</param>
    /// <param name="base64">The request's option: answer in base64.</param>
    public static byte[] Seal(in OnionLayerKey key, int status, ReadOnlySpan<byte> body, bool bodyIsJson, bool json, bool base64) =>
        Seal(key, status, body, bodyIsJson, json, base64, nonce: default);

    /// <summary>
    /// As <see cref="Seal(in OnionLayerKey, int, ReadOnlySpan{byte}, bool, bool, bool)"/>, but into an array rented from <see cref="ArrayPool{T}.Shared"/>,
    /// unless the answer is a large one.
    /// </summary>
    /// <returns>The body of the HTTP answer, and the array it is in, to be given back when it has been written; null if it was not rented.</returns>
    public static (ReadOnlyMemory<byte> Body, byte[]? Rented) SealRented(
        in OnionLayerKey key, int status, ReadOnlySpan<byte> body, bool bodyIsJson, bool json, bool base64)
    {
        var array = Seal(key, status, body, bodyIsJson, json, base64, nonce: default, mayRent: true, out var length, out var isRented);
        return (array.AsMemory(0, length), isRented ? array : null);
    }

    /// <summary>As the public one; <paramref name="nonce"/> (empty: random) only for reproducing recorded replies.</summary>
    internal static byte[] Seal(
        in OnionLayerKey key, int status, ReadOnlySpan<byte> body, bool bodyIsJson, bool json, bool base64, ReadOnlySpan<byte> nonce) =>
        Seal(key, status, body, bodyIsJson, json, base64, nonce, mayRent: false, out _, out _);

    private static byte[] Seal(
        in OnionLayerKey key, int status, ReadOnlySpan<byte> body, bool bodyIsJson, bool json, bool base64, ReadOnlySpan<byte> nonce,
        bool mayRent, out int written, out bool isRented)
    {
        var embed = json && bodyIsJson && !body.IsEmpty;
        // JSON results have a quote about every 20 bytes; a quarter more is enough for them, and the buffer grows otherwise.
        var buffer = ArrayPool<byte>.Shared.Rent(checked(body.Length + (embed ? 0 : body.Length / 4) + FrameLength));
        try
        {
            Head.CopyTo(buffer);
            var length = Head.Length;
            if (embed)
            {
                body.CopyTo(buffer.AsSpan(length));
                length += body.Length;
            }
            else
            {
                buffer[length++] = (byte)'"';
                WriteEscaped(body, ref buffer, ref length);
                buffer[length++] = (byte)'"';
            }

            Middle.CopyTo(buffer.AsSpan(length));
            length += Middle.Length;
            _ = Utf8Formatter.TryFormat(status, buffer.AsSpan(length), out var digits);
            length += digits;
            buffer[length++] = (byte)'}';
            return Encrypt(key, buffer.AsSpan(0, length), base64, nonce, mayRent, out written, out isRented);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>
    /// Encrypts any reply as it is, with a new nonce: what a server does with its answer (section 10). <paramref name="base64"/> is true
    /// for v3 requests and false for v4.
    /// </summary>
    public static byte[] SealRaw(in OnionLayerKey key, ReadOnlySpan<byte> plaintext, bool base64) =>
        Encrypt(key, plaintext, base64, nonce: default, mayRent: false, out _, out _);

    /// <summary>
    /// The client's side: decodes, decrypts and reads a node's reply. False if it was not made with this key (a plain error text of a
    /// hop, for example) or does not have a status.
    /// </summary>
    /// <param name="key">The reply key of the request.</param>
    /// <param name="httpBody">The body of the HTTP answer.</param>
    /// <param name="base64">The option the request was made with.</param>
    /// <param name="content">What was read.</param>
    public static bool TryOpen(in OnionLayerKey key, ReadOnlySpan<byte> httpBody, bool base64, [NotNullWhen(true)] out OnionReplyContent? content)
    {
        content = null;
        if (!TryOpenRaw(key, httpBody, base64, out var plaintext))
            return false;
        try
        {
            content = Parse(plaintext);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return false;
        }

        return content is not null;
    }

    /// <summary>The client's side: decodes and decrypts any reply, a server's for example, into a new array.</summary>
    public static bool TryOpenRaw(in OnionLayerKey key, ReadOnlySpan<byte> httpBody, bool base64, out ReadOnlyMemory<byte> plaintext)
    {
        plaintext = default;
        byte[]? decoded = null;
        try
        {
            if (base64)
            {
                decoded = ArrayPool<byte>.Shared.Rent(Base64.GetMaxDecodedFromUtf8Length(httpBody.Length));
                if (Base64.DecodeFromUtf8(httpBody, decoded, out _, out var length) != OperationStatus.Done)
                    return false;
                httpBody = decoded.AsSpan(0, length);
            }

            var opened = GC.AllocateUninitializedArray<byte>(key.GetMaxPlaintextLength(httpBody.Length));
            if (!key.TryDecrypt(httpBody, opened, out var written))
                return false;
            plaintext = opened.AsMemory(0, written);
            return true;
        }
        finally
        {
            if (decoded is not null)
                ArrayPool<byte>.Shared.Return(decoded);
        }
    }

    private static OnionReplyContent? Parse(ReadOnlyMemory<byte> plaintext)
    {
        var json = plaintext.Span;
        var reader = new Utf8JsonReader(json);
        if (!Utf8.IsValid(json) || !reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            return null;

        long status = 0;
        var hasStatus = false;
        ReadOnlyMemory<byte> body = default;
        var isString = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("status"u8) || reader.ValueTextEquals("status_code"u8))
            {
                if (!JsonMember.Read(ref reader, json).TryGetInt64(out status) || status is < 0 or > int.MaxValue)
                    return null;
                hasStatus = true;
            }
            else if (reader.ValueTextEquals("body"u8))
            {
                _ = reader.Read();
                isString = reader.TokenType == JsonTokenType.String;
                var start = (int)reader.TokenStartIndex;
                if (isString && reader.ValueIsEscaped)
                {
                    var text = GC.AllocateUninitializedArray<byte>(reader.ValueSpan.Length);
                    body = text.AsMemory(0, reader.CopyString(text));
                }
                else
                {
                    reader.Skip();
                    body = plaintext[start..(int)reader.BytesConsumed];
                    if (isString)
                        body = body[1..^1];
                }
            }
            else
                _ = JsonMember.Read(ref reader, json);
        }

        // The reader throws on anything but white space after the object.
        _ = reader.Read();
        return hasStatus ? new((int)status, body, isString) : null;
    }

    private static byte[] Encrypt(in OnionLayerKey key, ReadOnlySpan<byte> plaintext, bool base64, ReadOnlySpan<byte> nonce, bool mayRent, out int written, out bool isRented)
    {
        var length = key.GetCiphertextLength(plaintext.Length);
        written = base64 ? Base64.GetMaxEncodedToUtf8Length(length) : length;
        isRented = mayRent && written <= MostRented;
        var result = isRented ? ArrayPool<byte>.Shared.Rent(written) : GC.AllocateUninitializedArray<byte>(written);
        if (nonce.IsEmpty)
            key.Encrypt(plaintext, result.AsSpan(0, length));
        else
            key.Encrypt(plaintext, result.AsSpan(0, length), nonce);
        if (base64)
            _ = Base64.EncodeToUtf8InPlace(result.AsSpan(0, written), length, out _);
        return result;
    }

    // The encoder takes the text in pieces; Utf8JsonWriter would rent six times the body's length for every large result.
    private static void WriteEscaped(ReadOnlySpan<byte> text, ref byte[] buffer, ref int length)
    {
        while (true)
        {
            var room = buffer.AsSpan(length, buffer.Length - length - FrameLength + Head.Length);
            var status = JavaScriptEncoder.UnsafeRelaxedJsonEscaping.EncodeUtf8(text, room, out var consumed, out var written);
            length += written;
            text = text[consumed..];
            if (status != OperationStatus.DestinationTooSmall)
                return;

            var larger = ArrayPool<byte>.Shared.Rent(checked(buffer.Length + text.Length + buffer.Length / 2 + FrameLength));
            buffer.AsSpan(0, length).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(buffer);
            buffer = larger;
        }
    }
}
