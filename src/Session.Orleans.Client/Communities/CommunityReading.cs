using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using Google.Protobuf;
using Session.Orleans.Protocol.Communities;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Messages;
using Session.Orleans.Protocol.Messages.Wire;

namespace Session.Orleans.Client.Communities;

/// <summary>From a server's JSON to what a user sees (communities.md, 6.1, 7.1 and 9). What is malformed is passed over: it is one stranger's word.</summary>
internal static class CommunityReading
{
    private const double LatestSecond = 1e11;

    public static CommunityRoomInfo? ReadRoom(JsonElement json)
    {
        if (!json.TryText("token", out var token) || !CommunityUrl.IsToken(token))
            return null;
        return new(token, json.TryText("name", out var name) ? name : token)
        {
            Description = json.TryText("description", out var description) ? description : null,
            InfoUpdates = json.TryNumber("info_updates", out var updates) ? updates : 0,
            MessageSequence = json.TryNumber("message_sequence", out var sequence) ? sequence : 0,
            ActiveUsers = json.TryNumber("active_users", out var users) ? users : 0,
            ImageId = json.TryNumber("image_id", out var image) ? image : null,
            Pinned = json.TryList("pinned_messages", out var pins) ? [.. pins.EnumerateArray().Select(pin => pin.TryNumber("id", out var id) ? id : 0).Where(id => id > 0)] : [],
            Moderators = ReadTexts(json, "moderators"),
            Admins = ReadTexts(json, "admins"),
            MayRead = IsTrue(json, "read"),
            MayWrite = IsTrue(json, "write"),
            MayUpload = IsTrue(json, "upload"),
            IsModerator = IsTrue(json, "moderator") || IsTrue(json, "admin"),
            IsAdmin = IsTrue(json, "admin"),
        };
    }

    /// <summary>A room's description with the caller's rights as they are in a poll's answer.</summary>
    public static CommunityRoomInfo WithRights(CommunityRoomInfo info, JsonElement poll) => info with
    {
        ActiveUsers = poll.TryNumber("active_users", out var users) ? users : info.ActiveUsers,
        MayRead = IsTrue(poll, "read"),
        MayWrite = IsTrue(poll, "write"),
        MayUpload = IsTrue(poll, "upload"),
        IsModerator = IsTrue(poll, "moderator") || IsTrue(poll, "admin"),
        IsAdmin = IsTrue(poll, "admin"),
    };

    /// <summary>One row of a list of messages; null if it is malformed or its signature is wrong.</summary>
    public static CommunityMessageEvent? ReadMessage(CommunityRoom room, JsonElement json)
    {
        if (!json.TryNumber("id", out var id) || !json.TryNumber("seqno", out var sequence))
            return null;
        if (IsTrue(json, "deleted"))
            return new CommunityDeletion(room, id, sequence);
        var reactions = ReadReactions(json);
        if (!json.TryMember("session_id", out _) && json.TryMember("reactions", out _))
            return new CommunityReactionChange(room, id, sequence, reactions);
        if (!json.TryText("session_id", out var text) || !AccountId.TryParse(text, out var author) || !TryTime(json, "posted", out var posted)
            || !TryBytes(json, "data", out var data) || !TryBytes(json, "signature", out var signature) || !PostSignature.Verify(author, data, signature)
            || !TryContent(data, out var content) || content.DataMessage is not { } message)
            return null;
        return new CommunityPost(room, id, sequence, author, posted, message.Body)
        {
            Files = [.. message.Attachments.Select(ReadFile).OfType<CommunityFile>()],
            Quote = message.Quote is { } quote && AccountId.TryParse(quote.Author, out var quoted) ? new(quoted, (long)quote.Id) : null,
            AuthorName = message.Profile is { DisplayName.Length: > 0 } profile ? profile.DisplayName : null,
            Edited = TryTime(json, "edited", out var edited) ? edited : null,
            Reactions = reactions,
            IsWhisper = IsTrue(json, "whisper"),
        };
    }

    /// <summary>One row of inbox or outbox; null if it is malformed or was not sealed by who is said to have sent it.</summary>
    public static CommunityDirectMessage? ReadDirect(CommunityServer server, SessionIdentity identity, BlindedKeyPair blinded, JsonElement json)
    {
        if (!json.TryNumber("id", out var id) || !json.TryText("sender", out var text) || !AccountId.TryParse(text, out var sender)
            || !json.TryText("recipient", out text) || !AccountId.TryParse(text, out var recipient) || !TryTime(json, "posted_at", out var posted)
            || !TryBytes(json, "message", out var payload))
            return null;
        var account = identity.Id;
        byte[] padded;
        if (sender == blinded.Id)
        {
            if (!BlindedMessage.TryOpenSent(payload, identity.Keys, blinded, recipient, out padded))
                return null;
        }
        else
        {
            if (!BlindedMessage.TryOpen(payload, identity.Keys, blinded, sender, server.Key, out padded, out var key))
                return null;
            Span<byte> x25519 = stackalloc byte[X25519.KeyLength];
            if (!Ed25519.TryConvertPublicKey(key.AsSpan(), x25519))
                return null;
            account = new(AccountId.SessionPrefix, new Bytes32(x25519));
        }

        return TryContent(padded, out var content) && content.DataMessage is { } message
            ? new(server, id, sender, recipient, posted, message.Body)
            {
                SenderAccount = account,
                SenderName = message.Profile is { DisplayName.Length: > 0 } profile ? profile.DisplayName : null,
            }
            : null;
    }

    public static CommunityPermissions ReadPermissions(JsonElement json)
    {
        return new(Flag("read"), Flag("accessible"), Flag("write"), Flag("upload"));

        bool? Flag(string name) => json.TryMember(name, out var value)
            && value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : null;
    }

    public static ImmutableArray<string> ReadTexts(JsonElement json, string name) => json.TryList(name, out var list)
        ? [.. list.EnumerateArray().Select(item => item.AsText()).OfType<string>()] : [];

    public static bool IsTrue(JsonElement json, string name) =>
        json.TryMember(name, out var value) && value.ValueKind is JsonValueKind.True;

    public static bool TryBytes(JsonElement json, string name, [NotNullWhen(true)] out byte[]? bytes)
    {
        bytes = null;
        return json.TryText(name, out _) && json.TryMember(name, out var value) && value.TryGetBytesFromBase64(out bytes);
    }

    public static bool TryTime(JsonElement json, string name, out DateTimeOffset time)
    {
        time = default;
        if (!json.TryMember(name, out var value) || value.ValueKind is not JsonValueKind.Number || !value.TryGetDouble(out var seconds)
            || seconds is not (> 0 and < LatestSecond))
            return false;
        time = DateTimeOffset.FromUnixTimeMilliseconds((long)Math.Round(seconds * 1000));
        return true;
    }

    private static bool TryContent(ReadOnlySpan<byte> padded, [NotNullWhen(true)] out Content? content)
    {
        content = null;
        if (!MessagePadding.TryUnpad(padded, out var length))
            return false;
        try
        {
            content = Content.Parser.ParseFrom(padded[..length]);
            return content.DataMessage?.Attachments.Count is null or <= DirectMessage.MaxAttachments;
        }
        catch (InvalidProtocolBufferException)
        {
            return false;
        }
    }

    private static CommunityFile? ReadFile(AttachmentPointer pointer)
    {
        if (!Uri.TryCreate(pointer.Url, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"))
            return null;
        var parts = url.AbsolutePath.Split('/', StringSplitOptions.RemoveEmptyEntries);
        // .../room/TOKEN/file/ID, and maybe a name after it.
        var at = Array.LastIndexOf(parts, "file");
        return at >= 0 && at + 1 < parts.Length && long.TryParse(parts[at + 1], NumberStyles.None, CultureInfo.InvariantCulture, out var id)
            ? new(id, url) { FileName = pointer.FileName, ContentType = pointer.ContentType, Size = pointer.Size } : null;
    }

    private static ImmutableArray<CommunityReaction> ReadReactions(JsonElement json)
    {
        if (!json.TryMember("reactions", out var reactions) || reactions.ValueKind is not JsonValueKind.Object)
            return [];
        return [.. reactions.EnumerateObject().Where(HasText).OrderBy(reaction => reaction.Value.TryNumber("index", out var index) ? index : long.MaxValue).Select(reaction =>
            new CommunityReaction(
                reaction.Name,
                reaction.Value.TryNumber("count", out var count) ? (int)Math.Clamp(count, 0, int.MaxValue) : 0,
                [.. ReadTexts(reaction.Value, "reactors").Select(id => AccountId.TryParse(id, out var reactor) ? reactor : default).Where(id => id != default)],
                IsTrue(reaction.Value, "you")))];
    }

    // Half of a surrogate pair is noticed only when the name is used.
    private static bool HasText(JsonProperty property)
    {
        try
        {
            return property.Name.Length > 0;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }
}
