using System.CommandLine;
using System.CommandLine.Completions;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet communities</c>: the rooms of the community server, and who may do what in them.</summary>
internal static class CommunitiesCommand
{
    private const string WholeServer = "+";

    private static readonly string[] Permissions = ["read", "accessible", "write", "upload"];

    private static readonly Option<string> Data = CommonOptions.Data();
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();
    private static readonly Argument<string> Token = new("ROOM") { Description = "Token of the new room: 1 to 64 letters, digits, '_' or '-'" };
    private static readonly Argument<string> Room = new("ROOM") { Description = "Token of a room" };
    private static readonly Argument<string> RoomOrServer = new("ROOM") { Description = "Token of a room, or + for the whole server" };
    private static readonly Argument<string> User = new("USER") { Description = "Session ID, blinded id" };
    private static readonly Argument<string> Grantee = new("USER") { Description = "Session ID, blinded id, or 'default' for everybody" };
    private static readonly Option<string?> Name = new("--name") { Description = "Name of the room; its token by default" };
    private static readonly Option<string?> Description = new("--description") { Description = "Description of the room" };
    private static readonly Option<string?> Rank = new("--rank") { Description = "Rank to give, or none to take it away", HelpName = "admin|moderator|none" };
    private static readonly Option<bool> Hidden = new("--hidden") { Description = "Keep the rank from other users" };
    private static readonly Option<string[]> Allow = PermissionList("--allow", "Permissions to grant");
    private static readonly Option<string[]> Deny = PermissionList("--deny", "Permissions to deny");
    private static readonly Option<string[]> Clear = PermissionList("--clear", "Permissions to leave to what everybody has");
    private static readonly Option<TimeSpan?> For = CommonOptions.Duration("--for", "After which time the ban ends; it stays by default");

    public static Command Create()
    {
        Rank.AcceptOnlyFromAmong("admin", "moderator", "none");
        Room.CompletionSources.Add(context => CommonOptions.Rooms(context.ParseResult, Data).Select(token => new CompletionItem(token)));
        RoomOrServer.CompletionSources.Add(context => CommonOptions.Rooms(context.ParseResult, Data).Append(WholeServer).Select(token => new CompletionItem(token)));

        var create = new Command("create", "Makes a room and prints its join URL") { Token, Name, Description, Deny, Data, Output };
        create.SetAction(CreateAsync);
        var list = new Command("list", "Shows all rooms") { Data, Output };
        list.SetAction(ListAsync);
        var show = new Command("show", "Shows one room with its members") { Room, Data, Output };
        show.SetAction(ShowAsync);
        var grant = new Command("grant", "Gives or takes ranks and permissions") { RoomOrServer, Grantee, Rank, Hidden, Allow, Deny, Clear, Data };
        grant.SetAction((options, cancellationToken) => OrderAsync(options, admin => admin.GrantAsync(
            options.GetValue(RoomOrServer)!,
            new(options.GetValue(Grantee)!, options.GetValue(Rank), options.GetValue(Hidden), options.GetValue(Allow), options.GetValue(Deny), options.GetValue(Clear)),
            cancellationToken)));
        var ban = new Command("ban", "Bans a user") { RoomOrServer, User, For, Data };
        ban.SetAction((options, cancellationToken) => OrderAsync(options, admin => admin.BanAsync(
            options.GetValue(RoomOrServer)!, new(options.GetValue(User)!, options.GetValue(For)?.TotalSeconds), cancellationToken)));
        var unban = new Command("unban", "Ends a ban") { RoomOrServer, User, Data };
        unban.SetAction((options, cancellationToken) => OrderAsync(options, admin => admin.UnbanAsync(
            options.GetValue(RoomOrServer)!, options.GetValue(User)!, cancellationToken)));
        var remove = new Command("remove", "Removes a room with its messages and files") { Room, Data };
        remove.SetAction((options, cancellationToken) => OrderAsync(options, admin => admin.RemoveCommunityAsync(options.GetValue(Room)!, cancellationToken)));
        return new Command("communities", "Makes rooms of the community server and says who may do what in them") { create, list, show, grant, ban, unban, remove };
    }

    private static Option<string[]> PermissionList(string name, string description)
    {
        var option = CommonOptions.List(name, $"{description}: {string.Join(", ", Permissions)}", "PERMISSION,...");
        option.CompletionSources.Add(_ => Permissions.Select(permission => new CompletionItem(permission)));
        return option;
    }

    private static async Task<int> CreateAsync(ParseResult options, CancellationToken cancellationToken)
    {
        using var admin = AdminClient.Open(options.GetValue(Data)!);
        var room = await admin.CreateCommunityAsync(
            new(options.GetValue(Token)!, options.GetValue(Name), options.GetValue(Description), options.GetValue(Deny)), cancellationToken);
        Console.WriteLine(options.GetValue(Output) is OutputFormat.Json ? room.Json : room.Value.JoinUrl ?? room.Value.Token);
        return ExitCodes.Ok;
    }

    private static async Task<int> ListAsync(ParseResult options, CancellationToken cancellationToken)
    {
        using var admin = AdminClient.Open(options.GetValue(Data)!);
        var server = await admin.GetCommunitiesAsync(cancellationToken);
        if (options.GetValue(Output) is OutputFormat.Json)
        {
            Console.WriteLine(server.Json);
            return ExitCodes.Ok;
        }

        var table = Tables.Create("=room", "name", ">changes", ">active", "everybody may");
        foreach (var room in server.Value.Rooms)
            table.AddPlainRow(room.Token, room.Name, $"{room.MessageSequence}", $"{room.ActiveUsers}", string.Join(", ", room.Permissions));
        Tables.Print(table);
        foreach (var moderator in server.Value.Moderators)
            Console.WriteLine($"{moderator.Rank} of the server{(moderator.Hidden ? ", hidden" : "")}: {moderator.Id}");
        return ExitCodes.Ok;
    }

    private static async Task<int> ShowAsync(ParseResult options, CancellationToken cancellationToken)
    {
        using var admin = AdminClient.Open(options.GetValue(Data)!);
        var reply = await admin.GetCommunityAsync(options.GetValue(Room)!, cancellationToken);
        if (options.GetValue(Output) is OutputFormat.Json)
        {
            Console.WriteLine(reply.Json);
            return ExitCodes.Ok;
        }

        // No border: with one, a URL and ids would not fit.
        var room = reply.Value;
        Say("room", room.Token);
        Say("name", room.Name);
        if (room.Description is { } description)
            Say("about", description);
        if (room.JoinUrl is { } url)
            Say("join", url);
        Say("messages", $"{room.MessageSequence} changes so far");
        Say("users", $"{room.ActiveUsers} lately active");
        Say("may", string.Join(", ", room.Permissions.DefaultIfEmpty("nothing")));
        foreach (var member in room.Members)
        {
            string?[] what =
            [
                member.Rank is "none" ? null : member.Rank, member.Hidden ? "hidden" : null, member.Banned ? "banned" : null,
                .. (member.Allowed ?? []).Select(permission => "+" + permission), .. (member.Denied ?? []).Select(permission => "-" + permission),
            ];
            Say("member", $"{member.Id} {string.Join(' ', what.OfType<string>())}");
        }

        return ExitCodes.Ok;
    }

    private static async Task<int> OrderAsync(ParseResult options, Func<AdminClient, Task> order)
    {
        using var admin = AdminClient.Open(options.GetValue(Data)!);
        await order(admin);
        return ExitCodes.Ok;
    }

    private static void Say(string what, string text) => Console.WriteLine($"{what,-10}{text}");
}
