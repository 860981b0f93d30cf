using System.Text.Json;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Load.Network;

/// <summary>A post as a poll or the answer to a post brought it (communities.md, 7.1).</summary>
/// <param name="Id">Its number at the server.</param>
/// <param name="Sequence">Its sequence number in the room.</param>
/// <param name="Author">Who posted it, as the server says.</param>
/// <param name="Data">What was posted, with its padding; null if it is not base64.</param>
/// <param name="Signature">The author's signature; null if it is not base64.</param>
internal readonly record struct RoomPost(long Id, long Sequence, AccountId Author, byte[]? Data, byte[]? Signature);

/// <summary>What came after a sequence number.</summary>
/// <param name="Posts">The posts among it.</param>
/// <param name="Last">The largest sequence number, of changes that are no posts as well; 0 if nothing came.</param>
/// <param name="Count">All rows.</param>
internal readonly record struct RoomPage(IReadOnlyList<RoomPost> Posts, long Last, int Count);

/// <summary>Reads answers of community servers.</summary>
internal static class CommunityAnswers
{
    /// <summary>Rows of a full page: there may be more.</summary>
    public const int PageSize = 100;

    /// <summary>Reads the answer to a batch: <c>[{"code":..,"headers":..,"body":..},..]</c>; false unless it has exactly as many entries as <paramref name="answers"/> has room for.</summary>
    public static bool TryReadBatch(ReadOnlyMemory<byte> body, Span<BatchAnswer> answers)
    {
        try
        {
            using var json = JsonDocument.Parse(body);
            if (json.RootElement.ValueKind is not JsonValueKind.Array || json.RootElement.GetArrayLength() != answers.Length)
                return false;
            var i = 0;
            foreach (var entry in json.RootElement.EnumerateArray())
            {
                if (entry.ValueKind is not JsonValueKind.Object || !TryNumber(entry, "code", out var code) || code is < 0 or > 999)
                    return false;
                answers[i++] = new((int)code, entry.TryGetProperty("body", out var inner) ? System.Text.Encoding.UTF8.GetBytes(inner.GetRawText()) : default);
            }

            return true;
        }
        catch (Exception exception) when (IsMalformed(exception))
        {
            return false;
        }
    }

    /// <summary>Reads a list of messages; false if it is none.</summary>
    public static bool TryReadPage(ReadOnlyMemory<byte> body, out RoomPage page)
    {
        page = new([], 0, 0);
        // By far the most frequent one.
        if (body.Span.SequenceEqual("[]"u8))
            return true;
        try
        {
            using var json = JsonDocument.Parse(body);
            if (json.RootElement.ValueKind is not JsonValueKind.Array)
                return false;
            var posts = new List<RoomPost>();
            var last = 0L;
            foreach (var row in json.RootElement.EnumerateArray())
            {
                if (row.ValueKind is not JsonValueKind.Object || !TryNumber(row, "seqno", out var sequence))
                    return false;
                last = Math.Max(last, sequence);
                if (TryReadPost(row, out var post))
                    posts.Add(post);
            }

            page = new(posts, last, json.RootElement.GetArrayLength());
            return true;
        }
        catch (Exception exception) when (IsMalformed(exception))
        {
            return false;
        }
    }

    /// <summary>Reads one message; false if it is none, or deleted.</summary>
    public static bool TryReadPost(ReadOnlyMemory<byte> body, out RoomPost post)
    {
        post = default;
        try
        {
            using var json = JsonDocument.Parse(body);
            return json.RootElement.ValueKind is JsonValueKind.Object && TryReadPost(json.RootElement, out post);
        }
        catch (Exception exception) when (IsMalformed(exception))
        {
            return false;
        }
    }

    /// <summary>Reads a room's sequence number from its description, and whether the caller may read and write; false if it is none.</summary>
    public static bool TryReadRoom(ReadOnlyMemory<byte> body, out long sequence, out bool mayUse)
    {
        (sequence, mayUse) = (0, false);
        try
        {
            using var json = JsonDocument.Parse(body);
            if (json.RootElement.ValueKind is not JsonValueKind.Object || !TryNumber(json.RootElement, "message_sequence", out sequence) || sequence < 0)
                return false;
            mayUse = IsTrue(json.RootElement, "read") && IsTrue(json.RootElement, "write");
            return true;
        }
        catch (Exception exception) when (IsMalformed(exception))
        {
            return false;
        }
    }

    private static bool TryReadPost(JsonElement row, out RoomPost post)
    {
        post = default;
        // Deletions and mere changes of reactions name no author.
        if (IsTrue(row, "deleted") || !TryNumber(row, "id", out var id) || !TryNumber(row, "seqno", out var sequence)
            || !row.TryGetProperty("session_id", out var author) || author.ValueKind is not JsonValueKind.String || !AccountId.TryParse(author.GetString(), out var account))
            return false;
        post = new(id, sequence, account, Bytes(row, "data"), Bytes(row, "signature"));
        return true;
    }

    private static byte[]? Bytes(JsonElement row, string name) =>
        row.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.String && value.TryGetBytesFromBase64(out var bytes) ? bytes : null;

    private static bool IsTrue(JsonElement json, string name) => json.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.True;

    private static bool TryNumber(JsonElement json, string name, out long number)
    {
        number = 0;
        return json.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.Number && value.TryGetInt64(out number);
    }

    // Half of a surrogate pair is noticed only when the text is used.
    private static bool IsMalformed(Exception exception) => exception is JsonException or InvalidOperationException;
}
