using System.Globalization;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Session.Orleans.Contracts.Communities;
using Session.Orleans.Grains.Communities;
using Session.Orleans.Grains.Network;
using Session.Orleans.Protocol.Communities;
using Session.Orleans.Protocol.Cryptography;

namespace Session.Orleans.Gateway.Communities;

/// <summary>
/// The routes of the community server (communities.md, 5 to 10), without transport and without authentication: what they answer depends on the
/// request and its caller alone, so a batch runs its parts through the same door.
/// </summary>
internal sealed partial class CommunityServer(
    IGrainFactory grains, RoomFiles files, IOptions<CommunityOptions> options, IOptions<NetworkOptions> network,
    ILogger<CommunityServer> logger)
{
    private const int MaxPage = 256, DefaultPage = 100, MaxReactors = 20, DefaultReactors = 4;

    private static readonly CommunityResponse MethodNotAllowed = CommunityResponse.Text(405, "Method Not Allowed");

    private ICommunityGrain Server => grains.GetGrain<ICommunityGrain>(network.Value.Name);

    /// <summary>Answers a request of <paramref name="caller"/>. Anything malformed is 400.</summary>
    /// <exception cref="OperationCanceledException">The client is gone.</exception>
    public async ValueTask<CommunityResponse> HandleAsync(CommunityRequest request, CommunityCaller caller, CancellationToken cancellationToken)
    {
        try
        {
            return await RouteAsync(request, caller, cancellationToken);
        }
        catch (CommunityRequestException exception)
        {
            return CommunityResponse.Text(400, exception.Message);
        }
    }

    private async ValueTask<CommunityResponse> RouteAsync(CommunityRequest request, CommunityCaller caller, CancellationToken cancellationToken)
    {
        if (!request.Path.StartsWith('/'))
            return CommunityReply.NotFound;
        var segments = request.Path[1..].Split('/');
        switch (segments)
        {
            case ["capabilities"]:
                return Only(request, "GET") ?? Capabilities(request);
            case ["batch"]:
                return Only(request, "POST") ?? await BatchAsync(request, caller, isSequence: false, cancellationToken);
            case ["sequence"]:
                return Only(request, "POST") ?? await BatchAsync(request, caller, isSequence: true, cancellationToken);
            case ["rooms"]:
                return Only(request, "GET") ?? await ListRoomsAsync(caller);
            case ["rooms", "all", var user]:
                return Only(request, "DELETE") ?? await PurgeEverywhereAsync(caller, RequireUser(user));
            case ["room", var token, ..] when CommunityUrl.IsToken(token):
                return await RoomAsync(request, caller, CommunityToken.Key(token), segments.AsMemory(2), cancellationToken);
            case ["inbox", ..] or ["outbox", ..]:
                return await MessagesAsync(request, caller, segments);
            case ["user", var user, "moderator"]:
                return Only(request, "POST") ?? await SetModeratorAsync(request, caller, RequireAnyUser(user));
            case ["user", var user, "ban"]:
                return Only(request, "POST") ?? await SetBanAsync(request, caller, RequireAnyUser(user), banned: true);
            case ["user", var user, "unban"]:
                return Only(request, "POST") ?? await SetBanAsync(request, caller, RequireAnyUser(user), banned: false);
            default:
                return CommunityReply.NotFound;
        }
    }

    private async ValueTask<CommunityResponse> RoomAsync(
        CommunityRequest request, CommunityCaller caller, string token, ReadOnlyMemory<string> rest, CancellationToken cancellationToken)
    {
        var room = grains.GetGrain<IRoomGrain>(token);
        switch (rest.ToArray())
        {
            case []:
                return request.Method switch
                {
                    "GET" => await room.GetAsync(caller),
                    "PUT" => await ChangeRoomAsync(room, caller, request),
                    _ => MethodNotAllowed,
                };
            case ["pollInfo", var number]:
                return Only(request, "GET") ?? await room.PollAsync(caller, RequireNumber(number));
            case ["messages", "recent"]:
                return Only(request, "GET") ?? await room.GetMessagesAsync(caller, Query(request, MessageRange.Recent, 0));
            case ["messages", "before", var id]:
                return Only(request, "GET") ?? await room.GetMessagesAsync(caller, Query(request, MessageRange.Before, RequireNumber(id)));
            case ["messages", "since", var sequence]:
                return Only(request, "GET") ?? await room.GetMessagesAsync(caller, Query(request, MessageRange.Since, RequireNumber(sequence)));
            case ["message"]:
                return Only(request, "POST") ?? (caller.Id is null ? CommunityReply.UserRequired : await room.PostAsync(caller, Draft(request)));
            case ["message", var id]:
                return request.Method switch
                {
                    "GET" => await room.GetMessageAsync(caller, RequireNumber(id), Reactors(request)),
                    "PUT" => caller.Id is null ? CommunityReply.UserRequired : await room.EditAsync(caller, RequireNumber(id), Draft(request)),
                    "DELETE" => await room.DeleteAsync(caller, RequireNumber(id)),
                    _ => MethodNotAllowed,
                };
            case ["all", var user]:
                return Only(request, "DELETE") ?? await PurgeAsync(room, caller, RequireUser(user));
            case ["reaction", var id, var emoji]:
                return request.Method switch
                {
                    "PUT" => await room.ReactAsync(caller, RequireNumber(id), emoji, add: true),
                    "DELETE" => await room.ReactAsync(caller, RequireNumber(id), emoji, add: false),
                    _ => MethodNotAllowed,
                };
            case ["reactions", var id]:
                return Only(request, "DELETE") ?? await room.ClearReactionsAsync(caller, RequireNumber(id), null);
            case ["reactions", var id, var emoji]:
                return Only(request, "DELETE") ?? await room.ClearReactionsAsync(caller, RequireNumber(id), emoji);
            case ["reactors", var id, var emoji]:
                return Only(request, "GET") ?? await room.GetReactorsAsync(caller, RequireNumber(id), emoji, request.Number("limit", DefaultPage, 1, MaxPage));
            case ["pin", var id]:
                return Only(request, "POST") ?? await room.PinAsync(caller, RequireNumber(id));
            case ["unpin", "all"]:
                return Only(request, "POST") ?? await room.UnpinAsync(caller, null);
            case ["unpin", var id]:
                return Only(request, "POST") ?? await room.UnpinAsync(caller, RequireNumber(id));
            case ["permissions"]:
                return Only(request, "GET") ?? await room.GetPermissionsAsync(caller, null);
            case ["permissions", var user]:
                return request.Method switch
                {
                    "GET" => await room.GetPermissionsAsync(caller, RequireUser(user)),
                    "POST" => await room.SetPermissionsAsync(caller, RequireUser(user), Permissions(request)),
                    _ => MethodNotAllowed,
                };
            case ["futurePermissions"]:
                return Only(request, "GET") ?? await room.GetScheduleAsync(caller, null);
            case ["futurePermissions", var user]:
                return request.Method switch
                {
                    "GET" => await room.GetScheduleAsync(caller, RequireUser(user)),
                    "POST" => await room.ScheduleAsync(caller, RequireUser(user), Scheduled(request)),
                    _ => MethodNotAllowed,
                };
            case ["file"]:
                return Only(request, "POST") ?? await UploadAsync(request, caller, room, cancellationToken);
            case ["file", _] or ["file", _, _]:
                return Only(request, "GET") ?? await DownloadAsync(room, caller, token, RequireNumber(rest.Span[1]), cancellationToken);
            default:
                return CommunityReply.NotFound;
        }
    }

    private CommunityResponse Capabilities(CommunityRequest request)
    {
        string[] have = options.Value.RequireBlinded ? ["blind", "reactions", "sogs"] : ["reactions", "sogs"];
        var missing = request.Parameter("required") is { Length: > 0 } required
            ? required.Split(',', StringSplitOptions.RemoveEmptyEntries).Except(have).Order(StringComparer.Ordinal).ToArray() : [];
        return CommunityAnswers.Json(json =>
        {
            json.WriteStartObject();
            json.WriteStrings("capabilities", have);
            if (missing.Length > 0)
                json.WriteStrings("missing", missing);
            json.WriteEndObject();
        }, missing.Length > 0 ? 412 : 200);
    }

    private async ValueTask<CommunityResponse> ListRoomsAsync(CommunityCaller caller)
    {
        var tokens = await Server.GetRoomsAsync();
        var rooms = await Task.WhenAll(tokens.Select(token => grains.GetGrain<IRoomGrain>(token).GetAsync(caller)));
        return CommunityAnswers.Json(json =>
        {
            json.WriteStartArray();
            foreach (var room in rooms.Where(room => room.IsSuccess))
                json.WriteRawValue(room.Body.Span, skipInputValidation: true);
            json.WriteEndArray();
        });
    }

    private static async ValueTask<CommunityResponse> ChangeRoomAsync(IRoomGrain room, CommunityCaller caller, CommunityRequest request)
    {
        var json = request.Json();
        var setsDescription = json.TryGetProperty("description", out _);
        var image = json.TryGet("image", out var value)
            ? value.ValueKind is System.Text.Json.JsonValueKind.Number && value.TryGetInt64(out var id) ? id : throw new CommunityRequestException("'image' must be a file's id")
            : (long?)null;
        var description = Clean(json.Text("description"), keepBreaks: true);
        var change = new RoomChange(
            Clean(json.Text("name"), keepBreaks: false), setsDescription, string.IsNullOrEmpty(description) ? null : description, image,
            json.Flag("default_read"), json.Flag("default_accessible"), json.Flag("default_write"), json.Flag("default_upload"));
        if (change == new RoomChange())
            throw new CommunityRequestException("Nothing to change was given");
        return await room.ChangeAsync(caller, change);

        static string? Clean(string? text, bool keepBreaks) =>
            text is null ? null : string.Concat(text.Where(character => character >= ' ' || (keepBreaks && character is '\t' or '\n')));
    }

    private static MessageQuery Query(CommunityRequest request, MessageRange range, long cursor) => new(
        range, cursor, request.Number("limit", DefaultPage, 1, MaxPage), Reactors(request), request.Parameter("t")?.Contains('r', StringComparison.Ordinal) == true);

    private static int Reactors(CommunityRequest request) => request.Number("reactors", DefaultReactors, 0, MaxReactors);

    private PostDraft Draft(CommunityRequest request)
    {
        var json = request.Json();
        var signature = json.Bytes("signature");
        if (signature.Length != Ed25519.SignatureLength)
            throw new CommunityRequestException("'signature' must have 64 bytes");
        return new(
            json.Bytes("data"), signature, [.. json.Numbers("files")], json.Text("whisper_to") is { } to ? RequireUser(to) : null, json.Flag("whisper_mods") ?? false);
    }

    private static PermissionChange Permissions(CommunityRequest request)
    {
        var json = request.Json();
        var change = new PermissionChange(Step("read"), Step("accessible"), Step("write"), Step("upload"), json.Flag("unschedule") ?? true);
        return change with { Unschedule = true } == new PermissionChange() ? throw new CommunityRequestException("No permission was given") : change;

        PermissionStep Step(string name) => (json.Flag(name), json.Flag("default_" + name) ?? false) switch
        {
            (not null, true) => throw new CommunityRequestException($"'{name}' and 'default_{name}' exclude each other"),
            (null, true) => PermissionStep.Clear,
            (true, _) => PermissionStep.Grant,
            (false, _) => PermissionStep.Deny,
            _ => PermissionStep.Keep,
        };
    }

    private static ScheduledChange Scheduled(CommunityRequest request)
    {
        const double Longest = 1e9;
        var json = request.Json();
        var (read, write, upload) = (json.Flag("read"), json.Flag("write"), json.Flag("upload"));
        if (read is null && write is null && upload is null)
            throw new CommunityRequestException("No permission was given");
        return json.Number("in") is > 0 and < Longest and var seconds
            ? new(TimeSpan.FromSeconds(seconds), read, write, upload) : throw new CommunityRequestException("'in' must be a number of seconds above 0 and below 1e9");
    }

    private async ValueTask<CommunityResponse> PurgeAsync(IRoomGrain room, CommunityCaller caller, string user)
    {
        if (caller.Id is null)
            return CommunityReply.UserRequired;
        var target = await Server.GetUserAsync(user);
        var purge = await room.DeleteAllAsync(caller, user, target.Admin);
        return purge.Refusal ?? CommunityReply.Done;
    }

    private async ValueTask<CommunityResponse> PurgeEverywhereAsync(CommunityCaller caller, string user)
    {
        if (caller.Id is null)
            return CommunityReply.UserRequired;
        var target = await Server.GetUserAsync(user);
        List<(string Token, int Deleted)> rooms = [];
        foreach (var token in await Server.GetRoomsAsync())
        {
            if (await grains.GetGrain<IRoomGrain>(token).DeleteAllAsync(caller, user, target.Admin) is { Deleted: > 0 and var deleted })
                rooms.Add((token, deleted));
        }

        return CommunityAnswers.Json(json =>
        {
            json.WriteStartObject();
            json.WriteNumber("total"u8, rooms.Sum(room => room.Deleted));
            json.WriteStartObject("rooms"u8);
            foreach (var (token, deleted) in rooms)
                json.WriteNumber(token, deleted);
            json.WriteEndObject();
            json.WriteEndObject();
        });
    }

    private async ValueTask<CommunityResponse> MessagesAsync(CommunityRequest request, CommunityCaller caller, string[] segments)
    {
        if (segments is ["inbox", var recipient] && request.Method is "POST")
        {
            if (caller.Id is not { } sender)
                return CommunityReply.UserRequired;
            if (!AccountId.TryParse(recipient, out var id) || !Blinding.IsBlinded(id))
                return CommunityReply.NotFound;
            var message = request.Json().Bytes("message");
            var user = await Server.GetUserAsync(id.ToString());
            return !user.Seen || user.Banned ? CommunityReply.NotFound
                : await grains.GetGrain<IDirectMessagesGrain>(sender).SendAsync(id.ToString(), message);
        }

        var outbox = segments[0] is "outbox";
        long? after = null;
        switch (segments)
        {
            case [_] when request.Method is "GET" || (request.Method is "DELETE" && !outbox):
                break;
            case [_, "since", var cursor] when request.Method is "GET":
                after = RequireNumber(cursor);
                break;
            case [_] or [_, "since", _] or ["inbox", _]:
                return MethodNotAllowed;
            default:
                return CommunityReply.NotFound;
        }

        if (caller.Id is null)
            return CommunityReply.UserRequired;
        if (!AccountId.TryParse(caller.Id, out var own) || !Blinding.IsBlinded(own))
            return CommunityResponse.Text(401, "This endpoint requires blinded pubkeys be used");
        var box = grains.GetGrain<IDirectMessagesGrain>(caller.Id);
        return request.Method is "DELETE" ? await box.ClearAsync() : await box.ReadAsync(outbox, after, request.Number("limit", DefaultPage, 1, MaxPage));
    }

    private static CommunityResponse? Only(CommunityRequest request, string method) => request.Method == method ? null : MethodNotAllowed;

    /// <exception cref="CommunityRequestException">It is no number of a message, file or sequence.</exception>
    private static long RequireNumber(string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : throw new CommunityRequestException($"'{text}' is no number");

    /// <summary>An id as users have it in rooms: 15, or where blinding is not required 05 as well.</summary>
    /// <exception cref="CommunityRequestException">It is none.</exception>
    private string RequireUser(string text) =>
        AccountId.TryParse(text, out var id)
            && (id.Prefix is (byte)BlindingVersion.Fifteen || (id.Prefix is (byte)BlindingVersion.TwentyFive && options.Value.AcceptBlinded25)
                || (id.Prefix is AccountId.SessionPrefix && !options.Value.RequireBlinded))
            ? id.ToString() : throw new CommunityRequestException($"'{text}' is no user's id here");

    /// <summary>An id as moderators may name it: blinded or not.</summary>
    /// <exception cref="CommunityRequestException">It is none.</exception>
    private static string RequireAnyUser(string text) =>
        AccountId.TryParse(text, out var id) && (id.Prefix is AccountId.SessionPrefix || Blinding.IsBlinded(id))
            ? id.ToString() : throw new CommunityRequestException($"'{text}' is no user's id");
}
