using System.Buffers.Text;
using System.Text.Json;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Load.Network;

/// <summary>One answer of a batch.</summary>
/// <param name="Status">Its status (storage-rpc.md, 13).</param>
/// <param name="Body">Its body: JSON.</param>
internal readonly record struct BatchAnswer(int Status, ReadOnlyMemory<byte> Body);

/// <summary>A message that a poll brought.</summary>
/// <param name="Hash">Its hash.</param>
/// <param name="Data">Its data, decoded; null if it is not base64.</param>
internal readonly record struct RetrievedMessage(MessageHash Hash, byte[]? Data);

/// <summary>What one namespace of a poll brought.</summary>
/// <param name="Messages">In the member's order.</param>
/// <param name="More">True if there are further messages.</param>
internal readonly record struct MessagePage(IReadOnlyList<RetrievedMessage> Messages, bool More);

/// <summary>Reads answers of service nodes without a document per answer: an empty poll, by far the most frequent one, allocates next to nothing.</summary>
internal static class StorageAnswers
{
    /// <summary>Reads <c>{"results":[{"code":..,"body":..},..]}</c>; false unless it has exactly as many results as <paramref name="results"/> has room for.</summary>
    public static bool TryReadBatch(ReadOnlyMemory<byte> body, Span<BatchAnswer> results)
    {
        try
        {
            var reader = new Utf8JsonReader(body.Span);
            if (!TryFind(ref reader, "results"u8) || reader.TokenType is not JsonTokenType.StartArray)
                return false;
            var count = 0;
            while (reader.Read() && reader.TokenType is JsonTokenType.StartObject)
            {
                if (count == results.Length || !TryReadResult(ref reader, body, out results[count++]))
                    return false;
            }

            return count == results.Length && reader.TokenType is JsonTokenType.EndArray;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>Reads the answer to a <c>retrieve</c>; false if it is none.</summary>
    public static bool TryReadPage(ReadOnlySpan<byte> body, out MessagePage page)
    {
        page = new([], false);
        try
        {
            var reader = new Utf8JsonReader(body);
            if (!reader.Read() || reader.TokenType is not JsonTokenType.StartObject)
                return false;
            List<RetrievedMessage>? messages = null;
            var (more, hasMessages) = (false, false);
            while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("messages"u8))
                {
                    hasMessages = true;
                    if (!reader.Read() || reader.TokenType is not JsonTokenType.StartArray)
                        return false;
                    while (reader.Read() && reader.TokenType is JsonTokenType.StartObject)
                    {
                        if (!TryReadMessage(ref reader, out var message))
                            return false;
                        (messages ??= []).Add(message);
                    }

                    if (reader.TokenType is not JsonTokenType.EndArray)
                        return false;
                }
                else if (reader.ValueTextEquals("more"u8))
                {
                    _ = reader.Read();
                    more = reader.TokenType is JsonTokenType.True;
                }
                else
                {
                    reader.Skip();
                }
            }

            page = new((IReadOnlyList<RetrievedMessage>?)messages ?? [], more);
            return hasMessages;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>True if the answer to a store, or any member in it, names the hash.</summary>
    public static bool Confirms(ReadOnlyMemory<byte> body, MessageHash hash)
    {
        try
        {
            var reader = new Utf8JsonReader(body.Span);
            Span<byte> text = stackalloc byte[MessageHash.TextLength];
            hash.WriteText(text);
            while (reader.Read())
            {
                if (reader.TokenType is JsonTokenType.PropertyName && reader.ValueTextEquals("hash"u8) && reader.Read()
                    && reader.TokenType is JsonTokenType.String && reader.ValueTextEquals(text))
                    return true;
            }

            return false;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>The server's time in an answer, unix ms; null if it does not say.</summary>
    public static long? ReadTime(ReadOnlySpan<byte> body)
    {
        try
        {
            var reader = new Utf8JsonReader(body);
            return TryFind(ref reader, "t"u8) && reader.TokenType is JsonTokenType.Number && reader.TryGetInt64(out var time) ? time : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Stands on the value of a member of the outermost object.</summary>
    private static bool TryFind(ref Utf8JsonReader reader, ReadOnlySpan<byte> name)
    {
        if (!reader.Read() || reader.TokenType is not JsonTokenType.StartObject)
            return false;
        while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals(name))
                return reader.Read();
            reader.Skip();
        }

        return false;
    }

    private static bool TryReadResult(ref Utf8JsonReader reader, ReadOnlyMemory<byte> body, out BatchAnswer answer)
    {
        var (status, inner) = (-1, ReadOnlyMemory<byte>.Empty);
        while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("code"u8))
            {
                if (!reader.Read() || reader.TokenType is not JsonTokenType.Number || !reader.TryGetInt32(out status))
                    status = -1;
            }
            else if (reader.ValueTextEquals("body"u8))
            {
                _ = reader.Read();
                var start = (int)reader.TokenStartIndex;
                reader.Skip();
                inner = body[start..(int)reader.BytesConsumed];
            }
            else
            {
                reader.Skip();
            }
        }

        answer = new(status, inner);
        return status >= 0;
    }

    private static bool TryReadMessage(ref Utf8JsonReader reader, out RetrievedMessage message)
    {
        var (hash, hasHash, data) = (default(MessageHash), false, (byte[]?)null);
        message = default;
        while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("hash"u8))
            {
                hasHash = reader.Read() && reader.TokenType is JsonTokenType.String && MessageHash.TryParse(reader.ValueSpan, out hash);
            }
            else if (reader.ValueTextEquals("data"u8))
            {
                if (!reader.Read() || reader.TokenType is not JsonTokenType.String)
                    return false;
                data = Decode(ref reader);
            }
            else
            {
                reader.Skip();
            }
        }

        message = new(hash, data);
        return hasHash;
    }

    private static byte[]? Decode(ref Utf8JsonReader reader)
    {
        // A slash may come escaped.
        var text = reader.ValueIsEscaped ? System.Text.Encoding.UTF8.GetBytes(ReadText(ref reader)) : reader.ValueSpan;
        var bytes = new byte[Base64.GetMaxDecodedFromUtf8Length(text.Length)];
        return Base64.DecodeFromUtf8(text, bytes, out _, out var written) is System.Buffers.OperationStatus.Done ? bytes[..written] : null;
    }

    private static string ReadText(ref Utf8JsonReader reader)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException)
        {
            return "?"; // half of a surrogate pair: no base64 either
        }
    }
}
