using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Session.Orleans.Contracts.Communities;

namespace Session.Orleans.Grains.Communities;

/// <summary>The JSON of rooms and messages (communities.md, 6 and 7).</summary>
internal static class RoomJson
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <summary>An answer written by <paramref name="write"/>.</summary>
    public static CommunityReply Write(Action<Utf8JsonWriter> write, int status = 200)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer, Options))
            write(json);
        return CommunityReply.Json(buffer.WrittenMemory, status);
    }

    public static CommunityReply Room(RoomMemory room, CommunityCaller caller, TimeSpan activeCutoff) =>
        Write(json => WriteRoom(json, room, caller, room.RightsOf(caller), activeCutoff));

    public static CommunityReply Poll(RoomMemory room, CommunityCaller caller, long infoUpdates, TimeSpan activeCutoff) => Write(json =>
    {
        var rights = room.RightsOf(caller);
        json.WriteStartObject();
        json.WriteString("token"u8, room.Record!.Token);
        json.WriteNumber("active_users"u8, room.ActiveUsers);
        WriteRights(json, room, caller, rights);
        if (room.Record.InfoUpdates != infoUpdates)
        {
            json.WritePropertyName("details"u8);
            WriteRoom(json, room, caller, rights, activeCutoff);
        }

        json.WriteEndObject();
    });

    public static CommunityReply InfoUpdates(long infoUpdates) => Write(json =>
    {
        json.WriteStartObject();
        json.WriteNumber("info_updates"u8, infoUpdates);
        json.WriteEndObject();
    });

    public static CommunityReply Unpinned(int? count, long infoUpdates, bool done = false) => Write(json =>
    {
        json.WriteStartObject();
        if (count is { } number)
            json.WriteNumber("unpinned"u8, number);
        else
            json.WriteBoolean("unpinned"u8, done);
        json.WriteNumber("info_updates"u8, infoUpdates);
        json.WriteEndObject();
    });

    public static CommunityReply Added(bool added, long sequence) => Write(json =>
    {
        json.WriteStartObject();
        json.WriteBoolean("added"u8, added);
        json.WriteNumber("seqno"u8, sequence);
        json.WriteEndObject();
    });

    public static CommunityReply Removed(bool removed, long sequence) => Write(json =>
    {
        json.WriteStartObject();
        json.WriteBoolean("removed"u8, removed);
        json.WriteNumber("seqno"u8, sequence);
        json.WriteEndObject();
    });

    public static CommunityReply Removed(int count, long sequence) => Write(json =>
    {
        json.WriteStartObject();
        json.WriteNumber("removed"u8, count);
        json.WriteNumber("seqno"u8, sequence);
        json.WriteEndObject();
    });

    public static CommunityReply FileId(long id) => Write(json =>
    {
        json.WriteStartObject();
        json.WriteNumber("id"u8, id);
        json.WriteEndObject();
    }, status: 201);

    public static CommunityReply Reactors(IEnumerable<Reactor> reactors) => Write(json =>
    {
        json.WriteStartArray();
        foreach (var reactor in reactors)
        {
            json.WriteStartArray();
            json.WriteStringValue(reactor.User);
            json.WriteNumberValue(reactor.Time);
            json.WriteEndArray();
        }

        json.WriteEndArray();
    });

    public static CommunityReply Message(Post post, CommunityCaller caller, int reactors, int status = 200) =>
        Write(json => WriteMessage(json, post, caller, reactors), status);

    public static CommunityReply Messages(IReadOnlyList<Post> posts, CommunityCaller caller, MessageQuery query) => Write(json =>
    {
        json.WriteStartArray();
        foreach (var post in posts)
        {
            if (query is { Range: MessageRange.Since, Cursor: > 0 } && !post.IsDeleted && post.Reacted > query.Cursor && query.Cursor >= post.Changed)
                WriteReactionUpdate(json, post, caller, query.Reactors);
            else
                WriteMessage(json, post, caller, query.Reactors);
        }

        json.WriteEndArray();
    });

    public static CommunityReply Permissions(MemberRecord member) => Write(json => WritePermissions(json, member));

    public static CommunityReply AllPermissions(IReadOnlyDictionary<string, MemberRecord> members) => Write(json =>
    {
        json.WriteStartObject();
        foreach (var (user, member) in members.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            json.WritePropertyName(user);
            WritePermissions(json, member);
        }

        json.WriteEndObject();
    });

    public static CommunityReply Schedule(IEnumerable<ScheduleRecord> schedule, string? user) => Write(json =>
    {
        json.WriteStartArray();
        foreach (var entry in schedule.Where(entry => user is null || entry.User == user).OrderBy(entry => entry.At))
        {
            json.WriteStartObject();
            json.WriteNumber("at"u8, entry.At);
            WriteFlag(json, "read"u8, entry.Read);
            WriteFlag(json, "write"u8, entry.Write);
            WriteFlag(json, "upload"u8, entry.Upload);
            WriteFlag(json, "banned"u8, entry.Banned);
            if (user is null)
                json.WriteString("session_id"u8, entry.User);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    });

    private static void WriteRoom(Utf8JsonWriter json, RoomMemory room, CommunityCaller caller, Rights rights, TimeSpan activeCutoff)
    {
        var record = room.Record!;
        json.WriteStartObject();
        json.WriteString("token"u8, record.Token);
        json.WriteString("name"u8, record.Name);
        if (!string.IsNullOrEmpty(record.Description))
            json.WriteString("description"u8, record.Description);
        json.WriteNumber("info_updates"u8, record.InfoUpdates);
        json.WriteNumber("message_sequence"u8, room.Sequence);
        json.WriteNumber("created"u8, record.Created);
        json.WriteNumber("active_users"u8, room.ActiveUsers);
        json.WriteNumber("active_users_cutoff"u8, (long)activeCutoff.TotalSeconds);
        if (record.Image is { } image)
            json.WriteNumber("image_id"u8, image);
        if (room.Pins.Count > 0)
        {
            json.WriteStartArray("pinned_messages"u8);
            foreach (var (id, pin) in room.Pins.OrderBy(pin => pin.Value.At).ThenBy(pin => pin.Key))
            {
                json.WriteStartObject();
                json.WriteNumber("id"u8, id);
                json.WriteNumber("pinned_at"u8, pin.At);
                json.WriteString("pinned_by"u8, pin.By);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        // The room's own word on somebody counts before the server's.
        var ranks = room.Globals.Where(global => !room.Members.TryGetValue(global.Key, out var own) || !(own.Moderator || own.Admin))
            .Concat(room.Members.Where(member => member.Value.Moderator || member.Value.Admin).Select(member =>
                room.Globals.TryGetValue(member.Key, out var global) && global.Admin ? new(member.Key, member.Value with { Admin = true }) : member))
            .OrderBy(entry => entry.Key, StringComparer.Ordinal).ToArray();
        WriteIds(json, "moderators", ranks.Where(entry => !entry.Value.Admin && entry.Value.Visible), always: true);
        WriteIds(json, "admins", ranks.Where(entry => entry.Value.Admin && entry.Value.Visible), always: true);
        if (rights.Moderator)
        {
            WriteIds(json, "hidden_moderators", ranks.Where(entry => !entry.Value.Admin && !entry.Value.Visible), always: false);
            WriteIds(json, "hidden_admins", ranks.Where(entry => entry.Value.Admin && !entry.Value.Visible), always: false);
        }

        WriteRights(json, room, caller, rights);
        json.WriteEndObject();
    }

    private static void WriteIds(Utf8JsonWriter json, string name, IEnumerable<KeyValuePair<string, MemberRecord>> members, bool always)
    {
        string[] ids = [.. members.Select(member => member.Key)];
        if (!always && ids.Length == 0)
            return;
        json.WriteStartArray(name);
        foreach (var id in ids)
            json.WriteStringValue(id);
        json.WriteEndArray();
    }

    private static void WriteRights(Utf8JsonWriter json, RoomMemory room, CommunityCaller caller, Rights rights)
    {
        json.WriteBoolean("read"u8, rights.Read);
        json.WriteBoolean("write"u8, rights.Write);
        json.WriteBoolean("upload"u8, rights.Upload);
        if (rights.Moderator)
        {
            json.WriteBoolean("moderator"u8, true);
            json.WriteBoolean("default_read"u8, room.Record!.Read);
            json.WriteBoolean("default_accessible"u8, room.Record.Accessible);
            json.WriteBoolean("default_write"u8, room.Record.Write);
            json.WriteBoolean("default_upload"u8, room.Record.Upload);
        }

        if (rights.Admin)
            json.WriteBoolean("admin"u8, true);
        if (caller.IsGlobalModerator)
            json.WriteBoolean("global_moderator"u8, true);
        if (caller.IsGlobalAdmin)
            json.WriteBoolean("global_admin"u8, true);
    }

    private static void WriteMessage(Utf8JsonWriter json, Post post, CommunityCaller caller, int reactors)
    {
        json.WriteStartObject();
        json.WriteNumber("id"u8, post.Id);
        json.WriteString("session_id"u8, post.Author);
        json.WriteNumber("posted"u8, post.Posted);
        if (post.Edited is { } edited)
            json.WriteNumber("edited"u8, edited);
        json.WriteNumber("seqno"u8, post.Sequence);
        if (post.IsDeleted)
        {
            json.WriteNull("data"u8);
            json.WriteBoolean("deleted"u8, true);
        }
        else
        {
            json.WriteBase64String("data"u8, post.Data.Span);
            json.WriteBase64String("signature"u8, post.Signature.Span);
            WriteReactions(json, post, caller, reactors);
        }

        if (post.IsWhisper)
        {
            json.WriteBoolean("whisper"u8, true);
            json.WriteBoolean("whisper_mods"u8, post.WhisperMods);
            if (post.WhisperTo is { } to)
                json.WriteString("whisper_to"u8, to);
        }

        json.WriteEndObject();
    }

    /// <summary>Clients know it by its exactly three members.</summary>
    private static void WriteReactionUpdate(Utf8JsonWriter json, Post post, CommunityCaller caller, int reactors)
    {
        json.WriteStartObject();
        json.WriteNumber("id"u8, post.Id);
        json.WriteNumber("seqno"u8, post.Sequence);
        WriteReactions(json, post, caller, reactors);
        json.WriteEndObject();
    }

    private static void WriteReactions(Utf8JsonWriter json, Post post, CommunityCaller caller, int reactors)
    {
        json.WriteStartObject("reactions"u8);
        var index = 0;
        foreach (var reactions in post.Reactions.All)
        {
            json.WriteStartObject(reactions.Emoji);
            json.WriteNumber("index"u8, index++);
            json.WriteNumber("count"u8, reactions.Reactors.Length);
            if (reactors > 0)
            {
                json.WriteStartArray("reactors"u8);
                foreach (var reactor in reactions.Reactors.Take(reactors))
                    json.WriteStringValue(reactor.User);
                json.WriteEndArray();
            }

            if (caller.Id is { } id && reactions.Reactors.Any(reactor => reactor.User == id))
                json.WriteBoolean("you"u8, true);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    private static void WritePermissions(Utf8JsonWriter json, MemberRecord member)
    {
        json.WriteStartObject();
        WriteFlag(json, "read"u8, member.Read);
        WriteFlag(json, "accessible"u8, member.Accessible);
        WriteFlag(json, "write"u8, member.Write);
        WriteFlag(json, "upload"u8, member.Upload);
        if (member.Banned)
            json.WriteBoolean("banned"u8, true);
        if (member.Admin)
            json.WriteBoolean("admin"u8, true);
        else if (member.Moderator)
            json.WriteBoolean("moderator"u8, true);
        if ((member.Moderator || member.Admin) && !member.Visible)
            json.WriteBoolean("hidden"u8, true);
        json.WriteEndObject();
    }

    private static void WriteFlag(Utf8JsonWriter json, ReadOnlySpan<byte> name, bool? value)
    {
        if (value is { } flag)
            json.WriteBoolean(name, flag);
    }
}
