using System.Globalization;
using System.Text.Json;
using Google.Protobuf;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Messages;
using Session.Orleans.Protocol.Messages.Wire;

namespace Session.Orleans.Client.Communities;

/// <summary>A room that one has joined (communities.md, 6 to 8 and 10). All methods are safe for concurrent use.</summary>
public sealed class CommunityRoom
{
    private const string BinaryType = "application/octet-stream", JsonType = "application/json";
    private const int PageSize = 100;

    // The largest sequence number seen; -1 before the first poll.
    private long _cursor = -1;

    internal CommunityRoom(CommunityServer server, CommunityRoomInfo info)
    {
        Server = server;
        Info = info;
    }

    /// <summary>The room's server.</summary>
    public CommunityServer Server { get; }

    /// <summary>The room as it was described last.</summary>
    public CommunityRoomInfo Info { get; internal set; }

    /// <summary>The room's name in URLs.</summary>
    public string Token => Info.Token;

    private string Base => $"/room/{Token}";

    /// <summary>What to ask for next to miss nothing.</summary>
    internal string NextPage => _cursor < 0 ? $"{Base}/messages/recent?reactors=5" : Text($"{Base}/messages/since/{_cursor}?t=r&reactors=5");

    /// <summary>Asks for the room's description anew.</summary>
    /// <exception cref="SessionClientException">The room is gone for one (404), or the server can't be reached.</exception>
    public async Task<CommunityRoomInfo> RefreshAsync(CancellationToken cancellationToken = default) =>
        Info = CommunityReading.ReadRoom(await Server.GetJsonAsync(Base, cancellationToken).ConfigureAwait(false)) ?? throw CommunityServer.Unreadable(Base);

    /// <summary>The latest messages, newest first. Independent of <see cref="CommunityServer.PollAsync"/>.</summary>
    /// <param name="limit">1..256.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="SessionClientException">One may not read (403), or the server can't be reached.</exception>
    public async Task<IReadOnlyList<CommunityPost>> GetRecentAsync(int limit = PageSize, CancellationToken cancellationToken = default) =>
        [.. (await ReadAsync(Text($"{Base}/messages/recent?limit={limit}"), cancellationToken).ConfigureAwait(false)).OfType<CommunityPost>()];

    /// <summary>Messages older than one, newest first: a step back in the history.</summary>
    /// <inheritdoc cref="GetRecentAsync"/>
    /// <param name="id">The number of the oldest message one knows.</param>
    /// <param name="limit">1..256.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<IReadOnlyList<CommunityPost>> GetBeforeAsync(long id, int limit = PageSize, CancellationToken cancellationToken = default) =>
        [.. (await ReadAsync(Text($"{Base}/messages/before/{id}?limit={limit}"), cancellationToken).ConfigureAwait(false)).OfType<CommunityPost>()];

    /// <summary>What changed after a sequence number, in the order of the changes.</summary>
    /// <inheritdoc cref="GetRecentAsync"/>
    /// <param name="sequence">The largest sequence number one has seen; 0 for all messages.</param>
    /// <param name="limit">1..256; as many answers mean that there may be more.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public Task<IReadOnlyList<CommunityMessageEvent>> GetSinceAsync(long sequence, int limit = PageSize, CancellationToken cancellationToken = default) =>
        ReadAsync(Text($"{Base}/messages/since/{sequence}?t=r&limit={limit}"), cancellationToken);

    /// <summary>One message; null if it is not there, not for one's eyes, or its signature is wrong.</summary>
    /// <exception cref="SessionClientException">One may not read (403), or the server can't be reached.</exception>
    public async Task<CommunityPost?> FindAsync(long id, CancellationToken cancellationToken = default)
    {
        try
        {
            return CommunityReading.ReadMessage(this, await Server.GetJsonAsync(Text($"{Base}/message/{id}"), cancellationToken).ConfigureAwait(false)) as CommunityPost;
        }
        catch (SessionClientException exception) when (exception.Status == 404)
        {
            return null;
        }
    }

    /// <summary>Posts a text, signed with one's id in the room.</summary>
    /// <param name="text">1..2000 characters.</param>
    /// <param name="cancellationToken">Ends the wait. The message may be posted all the same.</param>
    /// <exception cref="SessionClientException">One may not write (403), wrote too much (429), or the server can't be reached.</exception>
    public Task<CommunityPost> PostAsync(string text, CancellationToken cancellationToken = default) => PostAsync(new CommunityDraft { Body = text }, cancellationToken);

    /// <summary>Posts a message. A reply that gets lost on the way makes no second message.</summary>
    /// <inheritdoc cref="PostAsync(string, CancellationToken)"/>
    /// <param name="draft">What to post.</param>
    /// <param name="cancellationToken">Ends the wait. The message may be posted all the same.</param>
    public async Task<CommunityPost> PostAsync(CommunityDraft draft, CancellationToken cancellationToken = default)
    {
        var (body, data) = Write(draft);
        var reply = await Server.SendJsonAsync("POST", $"{Base}/message", body, async () =>
        {
            var recent = await Server.GetJsonAsync($"{Base}/messages/recent", cancellationToken).ConfigureAwait(false);
            return recent.ValueKind is not JsonValueKind.Array ? null
                : recent.EnumerateArray().Where(row => row.TryText("session_id", out var author) && author == Server.Id.ToString()
                    && CommunityReading.TryBytes(row, "data", out var posted) && posted.AsSpan().SequenceEqual(data)).Select(row => (JsonElement?)row).FirstOrDefault();
        }, cancellationToken).ConfigureAwait(false);
        return CommunityReading.ReadMessage(this, reply) as CommunityPost ?? throw CommunityServer.Unreadable($"{Base}/message");
    }

    /// <summary>Replaces a message of one's own.</summary>
    /// <exception cref="SessionClientException">It is another one's (403), gone (404), or the server can't be reached.</exception>
    public Task EditAsync(long id, CommunityDraft draft, CancellationToken cancellationToken = default) =>
        Server.SendJsonAsync("PUT", Text($"{Base}/message/{id}"), Write(draft).Body, null, cancellationToken);

    /// <summary>Replaces the text of a message of one's own.</summary>
    /// <inheritdoc cref="EditAsync(long, CommunityDraft, CancellationToken)"/>
    public Task EditAsync(long id, string text, CancellationToken cancellationToken = default) => EditAsync(id, new CommunityDraft { Body = text }, cancellationToken);

    /// <summary>Deletes a message: one's own, or as a moderator any.</summary>
    /// <exception cref="SessionClientException">One may not (403), it is gone (404), or the server can't be reached.</exception>
    public Task DeleteAsync(long id, CancellationToken cancellationToken = default) =>
        Server.SendJsonAsync("DELETE", Text($"{Base}/message/{id}"), null, null, cancellationToken);

    /// <summary>Deletes all messages and files of a user: one's own, or as a moderator any.</summary>
    /// <exception cref="SessionClientException">One may not (403), there is nothing (404), or the server can't be reached.</exception>
    public Task DeleteAllAsync(AccountId user, CancellationToken cancellationToken = default) =>
        Server.SendJsonAsync("DELETE", $"{Base}/all/{user}", null, null, cancellationToken);

    /// <summary>Reacts to a message, or takes the reaction back.</summary>
    /// <param name="id">The message.</param>
    /// <param name="emoji">1..12 code points.</param>
    /// <param name="remove">True to take it back.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False if nothing changed.</returns>
    /// <exception cref="SessionClientException">The message is gone (404), or the server can't be reached.</exception>
    public async Task<bool> ReactAsync(long id, string emoji, bool remove = false, CancellationToken cancellationToken = default) => CommunityReading.IsTrue(
        await Server.SendJsonAsync(remove ? "DELETE" : "PUT", Text($"{Base}/reaction/{id}/{Uri.EscapeDataString(emoji)}"), null, null, cancellationToken).ConfigureAwait(false),
        remove ? "removed" : "added");

    /// <summary>Uploads a file for a message, unencrypted. It is gone after an hour unless a message names it.</summary>
    /// <param name="file">At most 10,000,000 bytes.</param>
    /// <param name="fileName">Its name.</param>
    /// <param name="contentType">Its MIME type.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="SessionClientException">One may not upload (403), it is too large (413), or the server can't be reached.</exception>
    public async Task<CommunityFile> UploadAsync(ReadOnlyMemory<byte> file, string fileName = "", string contentType = BinaryType, CancellationToken cancellationToken = default)
    {
        // The name goes with the message, where it is signed.
        var reply = await Server.SendAsync("POST", $"{Base}/file", file, BinaryType, null, cancellationToken).ConfigureAwait(false);
        return CommunityServer.Parse(reply.Response!.Body, $"{Base}/file").TryNumber("id", out var id)
            ? new(id, new(Server.Url, Text($"{Base}/file/{id}"))) { FileName = fileName, ContentType = contentType, Size = (uint)file.Length }
            : throw CommunityServer.Unreadable($"{Base}/file");
    }

    /// <summary>Downloads a file of this room.</summary>
    /// <exception cref="SessionClientException">It is gone (404), one may not read (403), or the server can't be reached.</exception>
    public async Task<ReadOnlyMemory<byte>> DownloadAsync(long id, CancellationToken cancellationToken = default) =>
        (await Server.SendAsync("GET", Text($"{Base}/file/{id}"), null, JsonType, null, cancellationToken).ConfigureAwait(false)).Response!.Body;

    /// <summary>Renames the room and says what it is about; for admins.</summary>
    /// <param name="name">The new name.</param>
    /// <param name="description">What it is about; null for nothing.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="SessionClientException">One may not (403), or the server can't be reached.</exception>
    public Task RenameAsync(string name, string? description, CancellationToken cancellationToken = default) => Server.SendJsonAsync("PUT", Base, CommunityServer.WriteJson(json =>
    {
        json.WriteString("name"u8, name);
        json.WriteString("description"u8, description);
    }), null, cancellationToken);

    /// <summary>Makes a file the room's picture, which stays as long as it is that; for admins.</summary>
    /// <param name="file">The number of a file of this room.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="SessionClientException">One may not (403), there is no such file (406), or the server can't be reached.</exception>
    public Task SetImageAsync(long file, CancellationToken cancellationToken = default) =>
        Server.SendJsonAsync("PUT", Base, CommunityServer.WriteJson(json => json.WriteNumber("image"u8, file)), null, cancellationToken);

    /// <summary>Pins a message; for admins.</summary>
    /// <exception cref="SessionClientException">One may not (403), it is gone (404), or the server can't be reached.</exception>
    public Task PinAsync(long id, CancellationToken cancellationToken = default) => Server.SendJsonAsync("POST", Text($"{Base}/pin/{id}"), null, null, cancellationToken);

    /// <summary>Unpins a message; for admins.</summary>
    /// <exception cref="SessionClientException">One may not (403), or the server can't be reached.</exception>
    public Task UnpinAsync(long id, CancellationToken cancellationToken = default) => Server.SendJsonAsync("POST", Text($"{Base}/unpin/{id}"), null, null, cancellationToken);

    /// <summary>What a user may do here apart from what everybody may; for moderators.</summary>
    /// <exception cref="SessionClientException">One may not (403), or the server can't be reached.</exception>
    public async Task<CommunityPermissions> GetPermissionsAsync(AccountId user, CancellationToken cancellationToken = default) =>
        CommunityReading.ReadPermissions(await Server.GetJsonAsync($"{Base}/permissions/{user}", cancellationToken).ConfigureAwait(false));

    /// <summary>Sets what a user may do here; null leaves it to the room. For moderators.</summary>
    /// <exception cref="SessionClientException">One may not (403), or the server can't be reached.</exception>
    public async Task<CommunityPermissions> SetPermissionsAsync(AccountId user, CommunityPermissions permissions, CancellationToken cancellationToken = default)
    {
        var body = CommunityServer.WriteJson(json =>
        {
            foreach (var (name, value) in new[] { ("read", permissions.Read), ("accessible", permissions.Accessible), ("write", permissions.Write), ("upload", permissions.Upload) })
                json.WriteBoolean(value is null ? "default_" + name : name, value ?? true);
        });
        return CommunityReading.ReadPermissions(await Server.SendJsonAsync("POST", $"{Base}/permissions/{user}", body, null, cancellationToken).ConfigureAwait(false));
    }

    /// <summary>Makes a user a moderator or an admin here, or takes both ranks away; for admins.</summary>
    /// <exception cref="SessionClientException">One may not (403), or the server can't be reached.</exception>
    public Task SetRankAsync(AccountId user, bool moderator, bool admin = false, CancellationToken cancellationToken = default) => OrderAsync(user, "moderator", json =>
    {
        json.WriteBoolean("moderator"u8, moderator || admin);
        json.WriteBoolean("admin"u8, admin);
        json.WriteBoolean("visible"u8, true);
    }, cancellationToken);

    /// <summary>Bans a user from the room; for moderators.</summary>
    /// <param name="user">A Session ID or blinded id.</param>
    /// <param name="duration">For how long; null: until <see cref="UnbanAsync"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="SessionClientException">One may not (403), or the server can't be reached.</exception>
    public Task BanAsync(AccountId user, TimeSpan? duration = null, CancellationToken cancellationToken = default) => OrderAsync(user, "ban", json =>
    {
        if (duration is { } time)
            json.WriteNumber("timeout"u8, time.TotalSeconds);
    }, cancellationToken);

    /// <summary>Ends a ban; for moderators.</summary>
    /// <exception cref="SessionClientException">One may not (403), or the server can't be reached.</exception>
    public Task UnbanAsync(AccountId user, CancellationToken cancellationToken = default) => OrderAsync(user, "unban", static _ => { }, cancellationToken);

    /// <summary>Takes in the answer to a poll; true if the description or one's own rights changed.</summary>
    internal bool Learn(JsonElement poll)
    {
        var next = poll.TryMember("details", out var details) && CommunityReading.ReadRoom(details) is { } room ? room : Info;
        next = CommunityReading.WithRights(next, poll);
        var changed = next.InfoUpdates != Info.InfoUpdates
            || (next.MayRead, next.MayWrite, next.MayUpload, next.IsModerator, next.IsAdmin) != (Info.MayRead, Info.MayWrite, Info.MayUpload, Info.IsModerator, Info.IsAdmin);
        Info = next;
        return changed;
    }

    /// <summary>Takes in a page of messages; the next page is then what follows.</summary>
    /// <returns>How many rows it had; 0 for the first page, which is the latest one and has no next.</returns>
    internal int Take(JsonElement page, List<CommunityEvent> events)
    {
        if (page.ValueKind is not JsonValueKind.Array)
            return 0;
        var isFirst = _cursor < 0;
        var rows = page.EnumerateArray().OrderBy(row => row.TryNumber("seqno", out var sequence) ? sequence : 0).ToArray();
        foreach (var row in rows)
        {
            // The cursor counts rows that are left out, too: otherwise they came again for ever.
            if (row.TryNumber("seqno", out var sequence))
                _cursor = Math.Max(_cursor, sequence);
            if (CommunityReading.ReadMessage(this, row) is { } message)
                events.Add(message);
        }

        if (isFirst)
            _cursor = Math.Max(_cursor, 0);
        return isFirst ? 0 : rows.Length;
    }

    private (byte[] Body, byte[] Data) Write(CommunityDraft draft)
    {
        ArgumentNullException.ThrowIfNull(draft);
        if (draft.Body.Length == 0 && draft.Files.IsEmpty)
            throw new ArgumentException("A message needs a text or a file.", nameof(draft));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(draft.Body.Length, OutgoingMessage.MaxBodyLength);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(draft.Files.Length, DirectMessage.MaxAttachments);
        var message = new DataMessage();
        if (draft.Body.Length > 0)
            message.Body = draft.Body;
        foreach (var file in draft.Files)
        {
            message.Attachments.Add(new AttachmentPointer
            {
                DeprecatedId = (ulong)file.Id,
                ContentType = file.ContentType,
                Size = file.Size,
                FileName = file.FileName,
                Url = file.Url.ToString(),
            });
        }

        if (draft.Quote is { } quote)
            message.Quote = new() { Id = (ulong)quote.MessageId.Timestamp, Author = quote.Author.ToString() };
        Server.Client.AddProfile(message);
        var content = new Content { DataMessage = message, SignatureTimestamp = (ulong)Server.Client.NextTimestamp() };
        var data = MessagePadding.Pad(content.ToByteArray(), PaddingStyle.Older);
        var body = CommunityServer.WriteJson(json =>
        {
            json.WriteBase64String("data"u8, data);
            json.WriteBase64String("signature"u8, Server.Sign(data));
            if (!draft.Files.IsEmpty)
            {
                json.WriteStartArray("files"u8);
                foreach (var file in draft.Files)
                    json.WriteNumberValue(file.Id);
                json.WriteEndArray();
            }

            if (draft.WhisperTo is { } reader)
                json.WriteString("whisper_to"u8, reader.ToString());
            if (draft.WhisperToModerators)
                json.WriteBoolean("whisper_mods"u8, true);
        });
        return (body, data);
    }

    private async Task<IReadOnlyList<CommunityMessageEvent>> ReadAsync(string endpoint, CancellationToken cancellationToken)
    {
        var rows = await Server.GetJsonAsync(endpoint, cancellationToken).ConfigureAwait(false);
        return rows.ValueKind is JsonValueKind.Array
            ? [.. rows.EnumerateArray().Select(row => CommunityReading.ReadMessage(this, row)).OfType<CommunityMessageEvent>()] : throw CommunityServer.Unreadable(endpoint);
    }

    private Task<JsonElement> OrderAsync(AccountId user, string order, Action<Utf8JsonWriter> write, CancellationToken cancellationToken) =>
        Server.SendJsonAsync("POST", $"/user/{user}/{order}", CommunityServer.WriteJson(json =>
        {
            json.WriteStartArray("rooms"u8);
            json.WriteStringValue(Token);
            json.WriteEndArray();
            write(json);
        }), null, cancellationToken);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
