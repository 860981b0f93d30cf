using System.Text.Json;
using Session.Orleans.Contracts.Communities;

namespace Session.Orleans.Gateway.Communities;

/// <summary>Moderators and bans (communities.md, 10).</summary>
internal sealed partial class CommunityServer
{
    private async ValueTask<CommunityResponse> SetModeratorAsync(CommunityRequest request, CommunityCaller caller, string user)
    {
        var json = request.Json();
        var (moderator, admin) = (json.Flag("moderator"), json.Flag("admin"));
        if ((moderator, admin) is (null, null) or (false, true))
            throw new CommunityRequestException("'moderator' and 'admin' must say what to do, and an admin is a moderator");
        if (Scope(json) is not { } tokens)
        {
            return caller.Id is null ? CommunityReply.UserRequired
                : !caller.IsGlobalAdmin ? CommunityReply.AdminRequired
                : await Server.SetModeratorAsync(caller, await Server.ResolveAsync(user), new(moderator, admin, json.Flag("visible") ?? false));
        }

        var (rooms, refusal) = await RoomsAsync(caller, tokens, RoomRank.Admin);
        if (refusal is not null)
            return refusal;
        var change = new ModeratorChange(moderator, admin, json.Flag("visible") ?? true);
        var target = await Server.ResolveAsync(user);
        List<(string Token, long InfoUpdates)> updates = [];
        foreach (var (token, room) in rooms)
        {
            var reply = await room.SetModeratorAsync(caller, target, change);
            if (!reply.IsSuccess)
                return reply;
            updates.Add((token, JsonDocument.Parse(reply.Body).RootElement.GetProperty("info_updates").GetInt64()));
        }

        return CommunityAnswers.Json(output =>
        {
            output.WriteStartObject();
            output.WriteStartObject("info_updates"u8);
            foreach (var (token, number) in updates)
                output.WriteNumber(token, number);
            output.WriteEndObject();
            output.WriteEndObject();
        });
    }

    private async ValueTask<CommunityResponse> SetBanAsync(CommunityRequest request, CommunityCaller caller, string user, bool banned)
    {
        var json = request.Json();
        var timeout = banned && json.Number("timeout") is { } seconds
            ? TimeSpan.FromSeconds(Math.Clamp(seconds, 0, 1e9)) : (TimeSpan?)null;
        if (Scope(json) is not { } tokens)
        {
            return caller.Id is null ? CommunityReply.UserRequired
                : !caller.IsGlobalModerator ? CommunityReply.ModeratorRequired
                : await Server.SetBanAsync(caller, await Server.ResolveAsync(user), banned, timeout);
        }

        var (rooms, refusal) = await RoomsAsync(caller, tokens, RoomRank.Moderator);
        if (refusal is not null)
            return refusal;
        var target = await Server.GetUserAsync(await Server.ResolveAsync(user));
        foreach (var (_, room) in rooms)
        {
            var reply = await room.SetBanAsync(caller, target.Id, banned, timeout, target.Moderator);
            if (!reply.IsSuccess)
                return reply;
        }

        return CommunityReply.Done;
    }

    /// <summary>The rooms that a body names, or null for the whole server.</summary>
    private static string[]? Scope(JsonElement json)
    {
        var isGlobal = json.Flag("global") ?? false;
        var hasRooms = json.TryGet("rooms", out var list);
        if (isGlobal == hasRooms)
            throw new CommunityRequestException("Either 'rooms' or 'global' must be given");
        if (isGlobal)
            return null;
        return list.ValueKind is JsonValueKind.Array && list.GetArrayLength() > 0 && list.EnumerateArray().All(token => token.ValueKind is JsonValueKind.String)
            ? [.. list.EnumerateArray().Select(token => token.GetString()!).Distinct(StringComparer.OrdinalIgnoreCase)]
            : throw new CommunityRequestException("'rooms' must be a list of tokens");
    }

    /// <summary>The rooms, if the caller has the rank in all of them; with <c>*</c>, those in which it has.</summary>
    private async ValueTask<(List<(string Token, IRoomGrain Room)> Rooms, CommunityReply? Refusal)> RoomsAsync(
        CommunityCaller caller, string[] tokens, RoomRank needed)
    {
        if (caller.Id is null)
            return ([], CommunityReply.UserRequired);
        var everywhere = tokens is ["*"];
        List<(string, IRoomGrain)> rooms = [];
        foreach (var token in everywhere ? [.. await Server.GetRoomsAsync()] : tokens)
        {
            var room = grains.GetGrain<IRoomGrain>(CommunityToken.Key(token));
            if (Protocol.Communities.CommunityUrl.IsToken(token) && await room.GetRankAsync(caller) >= needed)
                rooms.Add((token, room));
            else if (!everywhere)
                return ([], needed is RoomRank.Admin ? CommunityReply.AdminRequired : CommunityReply.ModeratorRequired);
        }

        return rooms.Count > 0 ? (rooms, null) : ([], needed is RoomRank.Admin ? CommunityReply.AdminRequired : CommunityReply.ModeratorRequired);
    }
}
