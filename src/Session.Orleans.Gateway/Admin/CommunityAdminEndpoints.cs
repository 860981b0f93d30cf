using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Options;
using Session.Orleans.Contracts.Communities;
using Session.Orleans.Gateway.Hosting;
using Session.Orleans.Grains.Communities;
using Session.Orleans.Grains.Network;
using Session.Orleans.Protocol.Communities;

namespace Session.Orleans.Gateway.Admin;

/// <summary>The part of the admin API that makes rooms and says who may do what in them (communities.md, 11).</summary>
internal static class CommunityAdminEndpoints
{
    private const string WholeServer = "+";

    public static void Map(RouteGroupBuilder api)
    {
        var rooms = api.MapGroup("/communities").AddEndpointFilter(ExplainAsync).ProducesProblem(400).ProducesProblem(401);
        rooms.MapGet("", ListAsync).WithName("ListCommunities").WithSummary("The community server, its moderators and all rooms");
        rooms.MapPost("", CreateAsync).WithName("CreateCommunity").WithSummary("Makes a room").ProducesProblem(409);
        rooms.MapGet("/{room}", ShowAsync).WithName("ShowCommunity").WithSummary("One room with its members").ProducesProblem(404);
        rooms.MapDelete("/{room}", RemoveAsync).WithName("RemoveCommunity").WithSummary("Removes a room with its messages and files").ProducesProblem(404);
        rooms.MapPost("/{room}/grants", GrantAsync).WithName("GrantInCommunity")
            .WithSummary("Gives or takes ranks and permissions, of a user or of everybody ('default'); room '+' is the whole server").ProducesProblem(404);
        rooms.MapPost("/{room}/bans", BanAsync).WithName("BanFromCommunity").WithSummary("Bans a user; room '+' is the whole server").ProducesProblem(404);
        rooms.MapDelete("/{room}/bans/{user}", UnbanAsync).WithName("UnbanFromCommunity").WithSummary("Ends a ban").ProducesProblem(404);
    }

    private static async Task<Ok<CommunitiesReport>> ListAsync(Services services)
    {
        var server = services.Server;
        var tokens = await server.GetRoomsAsync();
        var rooms = await Task.WhenAll(tokens.Select(token => services.Room(token).DescribeAsync()));
        return TypedResults.Ok(new CommunitiesReport(
            services.Keys.PublicKey.ToString(), services.BaseUrl, [.. rooms.OfType<RoomSummary>().Select(room => Report(services, room))],
            [.. (await server.GetModeratorsAsync()).Select(user => new CommunityMemberReport(user.Id, user.Admin ? "admin" : "moderator", !user.Visible, user.Banned))]));
    }

    private static async Task<Created<CommunityReport>> CreateAsync(RoomOrder order, Services services)
    {
        if (!CommunityUrl.IsToken(order.Token))
            throw new CommunityOrderException(400, $"'{order.Token}' is no room token; it must be 1 to 64 letters, digits, '_' or '-'.");
        if (!await services.Server.CreateRoomAsync(order.Token, string.IsNullOrEmpty(order.Name) ? order.Token : order.Name, order.Description))
            throw new CommunityOrderException(409, $"There is a room '{order.Token}' already.");
        if (order.Deny is { Count: > 0 } denied)
            await services.Room(order.Token).ChangeAsync(services.Users.System, Defaults([], denied));
        return TypedResults.Created($"/v1/communities/{order.Token}", await DescribeAsync(services, order.Token));
    }

    private static async Task<Ok<CommunityReport>> ShowAsync(string room, Services services) => TypedResults.Ok(await DescribeAsync(services, room));

    private static async Task<NoContent> RemoveAsync(string room, Services services)
    {
        if (!CommunityUrl.IsToken(room) || !await services.Server.RemoveRoomAsync(room))
            throw NoRoom(room);
        return TypedResults.NoContent();
    }

    private static async Task<Results<Ok<CommunityReport>, NoContent>> GrantAsync(string room, GrantOrder order, Services services)
    {
        var system = services.Users.System;
        var (allow, deny, clear) = (order.Allow ?? [], order.Deny ?? [], order.Clear ?? []);
        if (allow.Count + deny.Count + clear.Count == 0 && order.Rank is null)
            throw new CommunityOrderException(400, "There is nothing to grant: name a rank or permissions.");
        ModeratorChange? rank = order.Rank switch
        {
            null => null,
            "admin" => new(true, true, !order.Hidden),
            "moderator" => new(true, false, !order.Hidden),
            "none" => new(false, null, !order.Hidden),
            _ => throw new CommunityOrderException(400, $"A rank is admin, moderator or none, not '{order.Rank}'."),
        };
        var isDefault = order.User is "default";
        if (room is WholeServer)
        {
            if (rank is not { } global || isDefault || allow.Count + deny.Count + clear.Count > 0)
                throw new CommunityOrderException(400, "The whole server has ranks of users, but no permissions.");
            Require(await services.Server.SetModeratorAsync(system, await services.ResolveAsync(order.User), global));
            return TypedResults.NoContent();
        }

        _ = await DescribeAsync(services, room);
        if (isDefault)
        {
            if (rank is not null || clear.Count > 0)
                throw new CommunityOrderException(400, "Everybody can be allowed and denied permissions, but has no rank.");
            Require(await services.Room(room).ChangeAsync(system, Defaults(allow, deny)));
        }
        else
        {
            var user = await services.ResolveAsync(order.User);
            if (rank is { } change)
                Require(await services.Room(room).SetModeratorAsync(system, user, change));
            var (steps, any) = Steps(allow, deny, clear);
            if (any)
                Require(await services.Room(room).SetPermissionsAsync(system, user, steps));
        }

        return TypedResults.Ok(await DescribeAsync(services, room));
    }

    private static async Task<NoContent> BanAsync(string room, BanOrder order, Services services)
    {
        if (order.ForSeconds is <= 0 or > 1e9)
            throw new CommunityOrderException(400, "A ban's time must be above 0 and at most 1e9 seconds.");
        await SetBanAsync(services, room, order.User, banned: true, order.ForSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : null);
        return TypedResults.NoContent();
    }

    private static async Task<NoContent> UnbanAsync(string room, string user, Services services)
    {
        await SetBanAsync(services, room, user, banned: false, null);
        return TypedResults.NoContent();
    }

    private static async Task SetBanAsync(Services services, string room, string user, bool banned, TimeSpan? time)
    {
        var system = services.Users.System;
        if (room is not WholeServer)
            _ = await DescribeAsync(services, room);
        var id = await services.ResolveAsync(user);
        var reply = room is WholeServer ? await services.Server.SetBanAsync(system, id, banned, time)
            : await services.Room(room).SetBanAsync(system, id, banned, time, (await services.Server.GetUserAsync(id)).Moderator);
        if (reply.Status is 403)
            throw new CommunityOrderException(400, "A moderator of the server can't be banned; take the rank away first.");
        Require(reply);
    }

    private static async Task<CommunityReport> DescribeAsync(Services services, string room) =>
        CommunityUrl.IsToken(room) && await services.Room(room).DescribeAsync() is { } summary ? Report(services, summary) : throw NoRoom(room);

    private static CommunityReport Report(Services services, RoomSummary room) => new(
        room.Token, room.Name, room.Description, services.BaseUrl is { } url ? new CommunityUrl(url, room.Token, services.Keys.PublicKey).ToString() : null,
        room.MessageSequence, room.InfoUpdates, room.ActiveUsers,
        [.. new[] { ("read", room.Read), ("accessible", room.Accessible), ("write", room.Write), ("upload", room.Upload) }.Where(flag => flag.Item2).Select(flag => flag.Item1)],
        [
            .. room.Members.Select(member => new CommunityMemberReport(
                member.Id, member.Admin ? "admin" : member.Moderator ? "moderator" : "none", !member.Visible, member.Banned,
                Named(member, true), Named(member, false))),
        ]);

    private static string[] Named(RoomMember member, bool value) =>
    [
        .. new[] { ("read", member.Read), ("accessible", member.Accessible), ("write", member.Write), ("upload", member.Upload) }
            .Where(flag => flag.Item2 == value).Select(flag => flag.Item1),
    ];

    private static RoomChange Defaults(IReadOnlyList<string> allow, IReadOnlyList<string> deny)
    {
        var (steps, _) = Steps(allow, deny, []);
        return new(Read: Flag(steps.Read), Accessible: Flag(steps.Accessible), Write: Flag(steps.Write), Upload: Flag(steps.Upload));

        static bool? Flag(PermissionStep step) => step is PermissionStep.Grant ? true : step is PermissionStep.Deny ? false : null;
    }

    private static (PermissionChange Change, bool Any) Steps(IReadOnlyList<string> allow, IReadOnlyList<string> deny, IReadOnlyList<string> clear)
    {
        var change = new PermissionChange();
        foreach (var (names, step) in new[] { (allow, PermissionStep.Grant), (deny, PermissionStep.Deny), (clear, PermissionStep.Clear) })
        {
            foreach (var name in names)
            {
                change = name switch
                {
                    "read" => change with { Read = step },
                    "accessible" => change with { Accessible = step },
                    "write" => change with { Write = step },
                    "upload" => change with { Upload = step },
                    _ => throw new CommunityOrderException(400, $"A permission is read, accessible, write or upload, not '{name}'."),
                };
            }
        }

        return (change, change != new PermissionChange());
    }

    private static void Require(CommunityReply reply)
    {
        if (!reply.IsSuccess)
            throw new CommunityOrderException(reply.Status, System.Text.Encoding.UTF8.GetString(reply.Body.Span));
    }

    private static CommunityOrderException NoRoom(string room) => new(404, $"There is no room '{room}'.");

    private static async ValueTask<object?> ExplainAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        try
        {
            return await next(context);
        }
        catch (CommunityOrderException exception)
        {
            return TypedResults.Problem(exception.Message, statusCode: exception.Status);
        }
    }

    private sealed class CommunityOrderException(int status, string message) : Exception(message)
    {
        public int Status => status;
    }

    /// <summary>What the operations work with.</summary>
    internal sealed class Services(
        IGrainFactory grains, CommunityKeys keys, CommunityUsers users, IOptions<NetworkOptions> network, IOptions<GatewayOptions> gateway)
    {
        public CommunityKeys Keys => keys;

        public CommunityUsers Users => users;

        public ICommunityGrain Server => grains.GetGrain<ICommunityGrain>(network.Value.Name);

        public string? BaseUrl => gateway.Value.CommunityPort is { } port and > 0
            ? string.Create(System.Globalization.CultureInfo.InvariantCulture, $"http://{network.Value.PublicIp}:{port}") : null;

        public IRoomGrain Room(string token) => grains.GetGrain<IRoomGrain>(Communities.CommunityToken.Key(token));

        public async Task<string> ResolveAsync(string user) =>
            AccountId.TryParse(user, out var id) && (id.Prefix is AccountId.SessionPrefix || Blinding.IsBlinded(id))
                ? await Server.ResolveAsync(id.ToString())
                : throw new CommunityOrderException(400, $"'{user}' is no user's id: 66 hex digits that begin with 05, 15 or 25.");
    }
}

/// <summary>The community server, as the admin API shows it.</summary>
/// <param name="X25519">The server's public key in hex.</param>
/// <param name="Url">Where it listens; null if it doesn't.</param>
/// <param name="Rooms">All rooms.</param>
/// <param name="Moderators">Moderators and admins of the whole server.</param>
public sealed record CommunitiesReport(string X25519, string? Url, IReadOnlyList<CommunityReport> Rooms, IReadOnlyList<CommunityMemberReport> Moderators);

/// <summary>A room, as the admin API shows it.</summary>
/// <param name="Token">Its token.</param>
/// <param name="Name">Its name.</param>
/// <param name="Description">Its description.</param>
/// <param name="JoinUrl">What a client joins it by; null if the server doesn't listen.</param>
/// <param name="MessageSequence">Number of changes of its messages.</param>
/// <param name="InfoUpdates">Number of changes of the room itself.</param>
/// <param name="ActiveUsers">Users that were lately active.</param>
/// <param name="Permissions">What everybody may: read, accessible, write, upload.</param>
/// <param name="Members">Users with ranks or permissions of their own.</param>
public sealed record CommunityReport(
    string Token, string Name, string? Description, string? JoinUrl, long MessageSequence, long InfoUpdates, long ActiveUsers,
    IReadOnlyList<string> Permissions, IReadOnlyList<CommunityMemberReport> Members);

/// <summary>A user with a rank or permissions, as the admin API shows it.</summary>
/// <param name="Id">The user's id.</param>
/// <param name="Rank">admin, moderator or none.</param>
/// <param name="Hidden">True if other users don't see the rank.</param>
/// <param name="Banned">True if banned.</param>
/// <param name="Allowed">Permissions granted whatever everybody has.</param>
/// <param name="Denied">Permissions denied whatever everybody has.</param>
public sealed record CommunityMemberReport(
    string Id, string Rank, bool Hidden, bool Banned, IReadOnlyList<string>? Allowed = null, IReadOnlyList<string>? Denied = null);

/// <summary>An order for a room.</summary>
/// <param name="Token">1 to 64 letters, digits, '_' or '-'; the same in whatever case.</param>
/// <param name="Name">Its name; the token if left out.</param>
/// <param name="Description">Its description.</param>
/// <param name="Deny">What nobody may without being allowed: read, accessible, write, upload.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record RoomOrder(string Token, string? Name = null, string? Description = null, IReadOnlyList<string>? Deny = null);

/// <summary>An order for ranks and permissions.</summary>
/// <param name="User">Session ID or blinded id; 'default' for everybody.</param>
/// <param name="Rank">admin, moderator or none; left out, the rank stays.</param>
/// <param name="Hidden">True to keep the rank from other users.</param>
/// <param name="Allow">Permissions to grant: read, accessible, write, upload.</param>
/// <param name="Deny">Permissions to deny.</param>
/// <param name="Clear">Permissions to leave to what everybody has.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record GrantOrder(
    string User, string? Rank = null, bool Hidden = false, IReadOnlyList<string>? Allow = null, IReadOnlyList<string>? Deny = null, IReadOnlyList<string>? Clear = null);

/// <summary>An order for a ban.</summary>
/// <param name="User">Session ID or blinded id.</param>
/// <param name="ForSeconds">After how many seconds it ends; left out, it stays.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record BanOrder(string User, double? ForSeconds = null);
