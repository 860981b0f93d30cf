using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Session.Orleans.Conformance.Harness;

namespace Session.Orleans.Conformance.Rules;

/// <summary>What core routes do beside their main purpose: whispers, pictures of rooms, purges, ranks of the whole server.</summary>
public sealed partial class CommunityRules
{
    private const string SignIn = "X-SOGS-* request authentication required";

    [Theory, Everywhere]
    [Section("communities.md", "6.1")]
    public async Task RoomImage_IsAFileOfTheRoom_AndStays(Store store, Transport via)
    {
        var admin = await UserAsync(store, via);
        var (room, other) = (await admin.RoomAsync(), await admin.RoomAsync());
        await admin.GrantAsync(room, "admin");
        var (first, second, foreign) = (await UploadAsync(admin, room), await UploadAsync(admin, room), await UploadAsync(admin, other));
        var before = (await admin.SendAsync("GET", $"/room/{room}")).ShouldBeJson().GetProperty("info_updates").GetInt64();
        Assert.Equal(before + 1, (await SetAsync(first)).ShouldBeJson().GetProperty("info_updates").GetInt64());
        Assert.Equal(first, (await admin.SendAnonymouslyAsync("GET", $"/room/{room}")).ShouldBeJson().GetProperty("image_id").GetInt64());
        (await SetAsync(foreign)).ShouldHaveStatus(406);
        (await SetAsync("picture")).ShouldHaveStatus(400);
        (await SetAsync(second)).ShouldHaveStatus(200);
        (await admin.SendAsync("GET", $"/room/{room}/file/{first}")).ShouldHaveStatus(404); // the one before ends at once
        (await admin.SendAsync("GET", $"/room/{room}/file/{second}")).ShouldHaveStatus(200);
        (await admin.SendAnonymouslyAsync("PUT", $"/room/{room}", new JsonObject { ["image"] = second })).ShouldHaveStatus(403);
        (await admin.SendAsync("PUT", $"/room/{Nobody}", new JsonObject { ["name"] = "x" })).ShouldHaveStatus(404);

        Task<Answer> SetAsync(JsonNode image) => admin.SendAsync("PUT", $"/room/{room}", new JsonObject { ["image"] = image });
    }

    [Theory, Everywhere]
    [Section("communities.md", "7.3")]
    public async Task Reading_WithoutTheRight_Is403_AndOfNoRoom404(Store store, Transport via)
    {
        var (member, stranger) = (await UserAsync(store, via), await UserAsync(store, via));
        var room = await member.RoomAsync("read");
        await member.AllowAsync(room, "read");
        var id = (await member.PostAsync(room, "for members")).GetProperty("id").GetInt64();
        var file = await UploadAsync(member, room);
        (await member.SendAsync("GET", $"/room/{room}/file/{file}")).ShouldHaveStatus(200);
        const string Refused = "This endpoint requires room message 'read' permission";
        foreach (var path in (string[])["messages/recent", $"messages/before/{id + 1}", "messages/since/0", $"message/{id}", "pollInfo/0"])
        {
            ShouldBeText(await stranger.SendAsync("GET", $"/room/{room}/{path}"), 403, Refused);
            ShouldBeText(await stranger.SendAnonymouslyAsync("GET", $"/room/{room}/{path}"), 403, Refused);
            (await stranger.SendAsync("GET", $"/room/{Nobody}/{path}")).ShouldHaveStatus(404);
        }

        (await stranger.SendAsync("GET", $"/room/{room}/file/{file}")).ShouldHaveStatus(403);
        ShouldBeText(await stranger.SendAsync("PUT", $"/room/{room}/reaction/{id}/x"), 403, Refused);
        ShouldBeText(await stranger.SendAsync("DELETE", $"/room/{room}/reaction/{id}/x"), 403, Refused);
    }

    [Theory, Everywhere]
    [Section("communities.md", "7.3")]
    public async Task Whispers_AreForTheirReadersAlone(Store store, Transport via)
    {
        var (moderator, colleague, target, user) = (await UserAsync(store, via), await UserAsync(store, via), await UserAsync(store, via), await UserAsync(store, via));
        var room = await moderator.RoomAsync();
        await moderator.GrantAsync(room, "moderator");
        await colleague.GrantAsync(room, "moderator");
        var (toOne, toModerators) = (moderator.Draft("to one"), moderator.Draft("to moderators"));
        toOne["whisper_to"] = target.Id;
        toModerators["whisper_mods"] = true;
        var whisper = (await moderator.SendAsync("POST", $"/room/{room}/message", toOne)).ShouldBeJson(201);
        Assert.Equal((true, false, target.Id), (whisper.GetProperty("whisper").GetBoolean(), whisper.GetProperty("whisper_mods").GetBoolean(), whisper.GetProperty("whisper_to").GetString()));
        (await moderator.SendAsync("POST", $"/room/{room}/message", toModerators)).ShouldHaveStatus(201);
        foreach (var range in (string[])["recent", "since/0"])
        {
            Assert.Equal(["to moderators", "to one"], await TextsAsync(moderator, range));
            Assert.Equal(["to moderators"], await TextsAsync(colleague, range));
            Assert.Equal(["to one"], await TextsAsync(target, range));
            Assert.Empty(await TextsAsync(user, range));
            Assert.Empty(CommunityUser.List(await user.SendAnonymouslyAsync("GET", $"/room/{room}/messages/{range}")));
        }

        var id = whisper.GetProperty("id").GetInt64();
        (await target.SendAsync("GET", $"/room/{room}/message/{id}")).ShouldHaveStatus(200);
        (await user.SendAsync("GET", $"/room/{room}/message/{id}")).ShouldHaveStatus(404);
        (await target.SendAsync("PUT", $"/room/{room}/reaction/{id}/x")).ShouldHaveStatus(404);
        var forged = user.Draft("never");
        forged["whisper_to"] = target.Id;
        (await user.SendAsync("POST", $"/room/{room}/message", forged)).ShouldHaveStatus(403);

        async Task<IEnumerable<string>> TextsAsync(CommunityUser reader, string range) => (await reader.ListAsync($"/room/{room}/messages/{range}")).Select(Text).Order(StringComparer.Ordinal);
    }

    [Theory, Everywhere]
    [Section("communities.md", "7.4")]
    public async Task Edit_OfBadInputOrWithoutTheRight_ChangesNothing(Store store, Transport via)
    {
        var author = await UserAsync(store, via);
        var room = await author.RoomAsync();
        var id = (await author.PostAsync(room, "as it was")).GetProperty("id").GetInt64();
        var path = $"/room/{room}/message/{id}";
        ShouldBeText(await author.SendAnonymouslyAsync("PUT", path, author.Draft("x")), 401, SignIn);
        foreach (var change in (Action<JsonObject>[])[draft => draft.Remove("data"), draft => draft.Remove("signature"), draft => draft["signature"] = "AAAA", draft => draft["files"] = "1"])
        {
            var draft = author.Draft("never");
            change(draft);
            (await author.SendAsync("PUT", path, draft)).ShouldHaveStatus(400);
        }

        (await author.SendAsync("PUT", $"/room/{room}/message/x", author.Draft("never"))).ShouldHaveStatus(400);
        (await author.SendAsync("PUT", $"/room/{room}/message/{id + 1_000_000}", author.Draft("never"))).ShouldHaveStatus(404);
        (await author.SendAsync("PUT", $"/room/{Nobody}/message/{id}", author.Draft("never"))).ShouldHaveStatus(404);
        (await author.SendAsync("DELETE", $"/room/{Nobody}/message/{id}")).ShouldHaveStatus(404);
        Assert.Equal("as it was", Text((await author.SendAsync("GET", path)).ShouldBeJson()));
        // It takes the right to write now, not that of back then.
        await author.DenyAsync(room, "write");
        (await author.SendAsync("PUT", path, author.Draft("never"))).ShouldHaveStatus(403);
        (await author.SendAsync("DELETE", path)).ShouldHaveStatus(403);
    }

    [Theory, Everywhere]
    [Section("communities.md", "7.4")]
    public async Task Moderators_DeleteWhatOthersPosted(Store store, Transport via)
    {
        var (moderator, user) = (await UserAsync(store, via), await UserAsync(store, via));
        var room = await user.RoomAsync();
        var file = await UploadAsync(user, room);
        var draft = user.Draft("look");
        draft["files"] = new JsonArray(file);
        var id = (await user.SendAsync("POST", $"/room/{room}/message", draft)).ShouldBeJson(201).GetProperty("id").GetInt64();
        (await moderator.SendAsync("DELETE", $"/room/{room}/message/{id}")).ShouldHaveStatus(403);
        await moderator.GrantAsync(room, "moderator");
        (await moderator.SendAsync("PUT", $"/room/{room}/message/{id}", moderator.Draft("never"))).ShouldHaveStatus(403); // nobody speaks for another
        Assert.Equal("{}", (await moderator.SendAsync("DELETE", $"/room/{room}/message/{id}")).Text);
        (await moderator.SendAsync("DELETE", $"/room/{room}/message/{id}")).ShouldHaveStatus(404);
        (await user.SendAsync("GET", $"/room/{room}/file/{file}")).ShouldHaveStatus(404); // its files go with it
        (await moderator.SendAsync("DELETE", $"/room/{room}/message/x")).ShouldHaveStatus(400);
    }

    [Theory, Everywhere]
    [Section("communities.md", "7.4")]
    public async Task Purge_IsForOneself_ForModerators_AndOfAdminsForAdmins(Store store, Transport via)
    {
        var (user, moderator, admin) = (await UserAsync(store, via), await UserAsync(store, via), await UserAsync(store, via));
        var (room, second) = (await user.RoomAsync(), await user.RoomAsync());
        await moderator.GrantAsync(room, "moderator");
        await admin.GrantAsync(room, "admin");
        await user.PostAsync(room, "one");
        await user.PostAsync(room, "two");
        await user.PostAsync(second, "three");
        await admin.PostAsync(room, "the admin's");
        var file = await UploadAsync(user, room);
        ShouldBeText(await user.SendAnonymouslyAsync("DELETE", $"/room/{room}/all/{user.Id}"), 401, SignIn);
        ShouldBeText(await user.SendAnonymouslyAsync("DELETE", $"/rooms/all/{user.Id}"), 401, SignIn);
        (await user.SendAsync("DELETE", $"/room/{room}/all/{admin.Id}")).ShouldHaveStatus(403);
        (await moderator.SendAsync("DELETE", $"/room/{room}/all/{admin.Id}")).ShouldHaveStatus(403);
        foreach (var id in (string[])["nobody", user.SessionId])
        {
            (await moderator.SendAsync("DELETE", $"/room/{room}/all/{id}")).ShouldHaveStatus(400);
            (await moderator.SendAsync("DELETE", $"/rooms/all/{id}")).ShouldHaveStatus(400);
        }

        // Rooms where the caller may not are left out.
        ShouldHaveDeleted(await moderator.SendAsync("DELETE", $"/rooms/all/{user.Id}"), (room, 2));
        (await user.SendAsync("GET", $"/room/{room}/file/{file}")).ShouldHaveStatus(404);
        Assert.Equal(["three"], (await user.ListAsync($"/room/{second}/messages/recent")).Select(Text));
        await user.PostAsync(room, "four");
        ShouldHaveDeleted(await user.SendAsync("DELETE", $"/rooms/all/{user.Id}"), (room, 1), (second, 1));
        ShouldHaveDeleted(await user.SendAsync("DELETE", $"/rooms/all/{user.Id}"));
        await user.PostAsync(second, "five");
        Assert.Equal("{}", (await user.SendAsync("DELETE", $"/room/{second}/all/{user.Id}")).Text);
        (await user.SendAsync("DELETE", $"/room/{second}/all/{user.Id}")).ShouldHaveStatus(404);
        Assert.Equal("{}", (await admin.SendAsync("DELETE", $"/room/{room}/all/{admin.Id}")).Text);
        (await user.SendAsync("DELETE", $"/room/{Nobody}/all/{user.Id}")).ShouldHaveStatus(404);

        static void ShouldHaveDeleted(Answer answer, params (string Room, int Count)[] expected)
        {
            var json = answer.ShouldBeJson();
            Assert.Equal(expected.Sum(room => room.Count), json.GetProperty("total").GetInt32());
            Assert.Equal(expected.OrderBy(room => room.Room, StringComparer.Ordinal),
                json.GetProperty("rooms").EnumerateObject().Select(room => (room.Name, room.Value.GetInt32())).OrderBy(room => room.Name, StringComparer.Ordinal));
        }
    }

    [Theory, Everywhere]
    [Section("communities.md", "7.5")]
    public async Task Reactions_OfOneKind_AreClearedByModerators(Store store, Transport via)
    {
        var (moderator, user) = (await UserAsync(store, via), await UserAsync(store, via));
        var room = await user.RoomAsync();
        var id = (await user.PostAsync(room, "hello")).GetProperty("id").GetInt64();
        var pineapple = Uri.EscapeDataString("🍍");
        foreach (var emoji in (string[])[pineapple, "x"])
        {
            (await user.SendAsync("PUT", $"/room/{room}/reaction/{id}/{emoji}")).ShouldHaveStatus(200);
            (await moderator.SendAsync("PUT", $"/room/{room}/reaction/{id}/{emoji}")).ShouldHaveStatus(200);
        }

        const string Refused = "This endpoint requires moderator room permissions";
        ShouldBeText(await user.SendAsync("DELETE", $"/room/{room}/reactions/{id}/{pineapple}"), 403, Refused);
        ShouldBeText(await user.SendAnonymouslyAsync("DELETE", $"/room/{room}/reactions/{id}/{pineapple}"), 403, Refused);
        await moderator.GrantAsync(room, "moderator");
        var sequence = (await user.SendAsync("GET", $"/room/{room}")).ShouldBeJson().GetProperty("message_sequence").GetInt64();
        var cleared = (await moderator.SendAsync("DELETE", $"/room/{room}/reactions/{id}/{pineapple}")).ShouldBeJson();
        Assert.Equal((2, sequence + 2), (cleared.GetProperty("removed").GetInt32(), cleared.GetProperty("seqno").GetInt64())); // each takes a number
        Assert.Equal(["x"], (await user.SendAsync("GET", $"/room/{room}/message/{id}")).ShouldBeJson().GetProperty("reactions").EnumerateObject().Select(reaction => reaction.Name));
        Assert.Equal(0, (await moderator.SendAsync("DELETE", $"/room/{room}/reactions/{id}/{pineapple}")).ShouldBeJson().GetProperty("removed").GetInt32());
        (await moderator.SendAsync("DELETE", $"/room/{room}/reactions/{id + 1_000_000}/x")).ShouldHaveStatus(404);
        (await moderator.SendAsync("DELETE", $"/room/{room}/reactions/{id + 1_000_000}")).ShouldHaveStatus(404);
        ShouldBeText(await user.SendAnonymouslyAsync("DELETE", $"/room/{room}/reaction/{id}/x"), 401, SignIn);
        (await user.SendAsync("DELETE", $"/room/{room}/reaction/{id + 1_000_000}/x")).ShouldHaveStatus(404);
        (await user.SendAsync("DELETE", $"/room/{room}/reaction/{id}/{new string('x', 13)}")).ShouldHaveStatus(400);
    }

    [Theory, Everywhere]
    [Section("communities.md", "8")]
    public async Task Files_AreOfTheirRoom_AndOnlyTheUploaderAttachesThem(Store store, Transport via)
    {
        var (user, other) = (await UserAsync(store, via), await UserAsync(store, via));
        var (room, elsewhere) = (await user.RoomAsync(), await user.RoomAsync());
        var id = await UploadAsync(user, room);
        foreach (var reader in new[] { user, other })
            (await reader.SendAsync("GET", $"/room/{elsewhere}/file/{id}")).ShouldHaveStatus(404);
        (await user.SendAsync("GET", $"/room/{Nobody}/file/{id}")).ShouldHaveStatus(404);
        (await user.SendBytesAsync("POST", $"/room/{Nobody}/file", [1])).ShouldHaveStatus(404);

        // Another's file is not adopted: it does not go with the other's message.
        var draft = other.Draft("mine now");
        draft["files"] = new JsonArray(id);
        var stolen = (await other.SendAsync("POST", $"/room/{room}/message", draft)).ShouldBeJson(201).GetProperty("id").GetInt64();
        (await other.SendAsync("DELETE", $"/room/{room}/message/{stolen}")).ShouldHaveStatus(200);
        (await user.SendAsync("GET", $"/room/{room}/file/{id}")).ShouldHaveStatus(200);

        draft = user.Draft("mine");
        draft["files"] = new JsonArray(id);
        var own = (await user.SendAsync("POST", $"/room/{room}/message", draft)).ShouldBeJson(201).GetProperty("id").GetInt64();
        (await user.SendAsync("DELETE", $"/room/{room}/message/{own}")).ShouldHaveStatus(200);
        (await user.SendAsync("GET", $"/room/{room}/file/{id}")).ShouldHaveStatus(404);
    }

    [Theory, Everywhere]
    [Section("communities.md", "9")]
    public async Task DirectMessages_ArePaged_AndNeverReachWhoIsBanned(Store store, Transport via)
    {
        var (alice, bob) = (await UserAsync(store, via), await UserAsync(store, via));
        Assert.Empty(await bob.ListAsync("/inbox"));
        var ids = new List<long>();
        for (var i = 0; i < 3; i++)
            ids.Add((await SendAsync(bob.Id)).ShouldBeJson(201).GetProperty("id").GetInt64());
        foreach (var (reader, box) in new[] { (bob, "inbox"), (alice, "outbox") })
        {
            Assert.Equal(ids, Ids(await reader.ListAsync($"/{box}")));
            Assert.Equal(ids[..2], Ids(await reader.ListAsync($"/{box}?limit=2")));
            Assert.Equal(ids[..1], Ids(await reader.ListAsync($"/{box}?limit=0"))); // moved into 1..256
            Assert.Equal(ids[1..2], Ids(await reader.ListAsync($"/{box}/since/{ids[0]}?limit=1")));
            var nothing = await reader.SendAsync("GET", $"/{box}/since/{ids[2]}");
            Assert.Equal((304, 0), (nothing.Status, nothing.Body.Length));
            (await reader.SendAsync("GET", $"/{box}?limit=x")).ShouldHaveStatus(400);
            (await reader.SendAsync("GET", $"/{box}/since/x")).ShouldHaveStatus(400);
            ShouldBeText(await reader.SendAnonymouslyAsync("GET", $"/{box}/since/0"), 401, SignIn);
        }

        ShouldBeText(await bob.SendAnonymouslyAsync("DELETE", "/inbox"), 401, SignIn);
        Assert.Equal(3, (await bob.SendAsync("DELETE", "/inbox")).ShouldBeJson().GetProperty("deleted").GetInt32());
        Assert.Equal(0, (await bob.SendAsync("DELETE", "/inbox")).ShouldBeJson().GetProperty("deleted").GetInt32());
        foreach (var recipient in (string[])[bob.SessionId, "nobody", "15" + new string('0', 64)])
            (await SendAsync(recipient)).ShouldHaveStatus(404);
        await bob.BanAsync();
        (await SendAsync(bob.Id)).ShouldHaveStatus(404);

        Task<Answer> SendAsync(string recipient) =>
            alice.SendAsync("POST", $"/inbox/{recipient}", new JsonObject { ["message"] = Convert.ToBase64String(RandomNumberGenerator.GetBytes(80)) });
    }

    [Theory, Everywhere]
    [Section("communities.md", "10")]
    public async Task RanksOfTheServer_HoldInEveryRoom(Store store, Transport via)
    {
        var (admin, moderator, user) = (await UserAsync(store, via), await UserAsync(store, via), await UserAsync(store, via));
        var room = await user.RoomAsync();
        (await user.SendAsync("GET", "/rooms")).ShouldHaveStatus(200);
        (await moderator.SendAsync("GET", "/rooms")).ShouldHaveStatus(200);
        await admin.GrantAsync("+", "admin", hidden: true);
        ShouldBeText(await user.SendAsync("POST", $"/user/{user.Id}/moderator", Rank(true, null)), 403, "This endpoint requires admin room permissions");
        var before = (await user.SendAsync("GET", $"/room/{room}")).ShouldBeJson().GetProperty("info_updates").GetInt64();
        var made = (await admin.SendAsync("POST", $"/user/{moderator.Id}/moderator", Rank(true, null))).ShouldBeJson();
        Assert.Equal(before + 1, made.GetProperty("info_updates").GetProperty(room).GetInt64());

        var json = (await moderator.SendAsync("GET", $"/room/{room}")).ShouldBeJson();
        Assert.True(json.GetProperty("moderator").GetBoolean() && json.GetProperty("global_moderator").GetBoolean());
        Assert.Contains(moderator.Id, Strings(json.GetProperty("hidden_moderators"))); // in the server ranks are hidden unless one says otherwise
        json = (await admin.SendAsync("GET", $"/room/{room}/pollInfo/0")).ShouldBeJson();
        Assert.True(json.GetProperty("admin").GetBoolean() && json.GetProperty("global_admin").GetBoolean());
        Assert.DoesNotContain(moderator.Id, Strings((await user.SendAsync("GET", $"/room/{room}")).ShouldBeJson().GetProperty("moderators")));

        // Neither bans the other's like, nor may a room's moderator.
        await user.GrantAsync(room, "moderator");
        (await user.SendAsync("POST", $"/user/{moderator.Id}/ban", new JsonObject { ["rooms"] = new JsonArray(room) })).ShouldHaveStatus(403);
        (await moderator.SendAsync("POST", $"/user/{admin.Id}/ban", new JsonObject { ["global"] = true })).ShouldHaveStatus(403);
        (await moderator.SendAsync("POST", $"/user/{moderator.Id}/ban", new JsonObject { ["global"] = true })).ShouldHaveStatus(403);

        Assert.Equal("{}", (await moderator.SendAsync("POST", $"/user/{user.Id}/ban", new JsonObject { ["global"] = true })).Text);
        foreach (var path in (string[])["/capabilities", $"/room/{room}", $"/room/{room}/messages/recent", "/inbox"])
            ShouldBeText(await user.SendAsync("GET", path), 403, "Banned");
        ShouldBeText(await user.SendAsync("POST", "/batch", new JsonArray()), 403, "Banned");
        Assert.Equal("{}", (await moderator.SendAsync("POST", $"/user/{user.Id}/unban", new JsonObject { ["global"] = true })).Text);
        (await user.SendAsync("GET", "/capabilities")).ShouldHaveStatus(200);

        foreach (var ranked in new[] { moderator, admin })
            (await admin.SendAsync("POST", $"/user/{ranked.Id}/moderator", Rank(false, null))).ShouldHaveStatus(200);
        ShouldBeText(await moderator.SendAsync("POST", $"/user/{user.Id}/ban", new JsonObject { ["global"] = true }), 403, "This endpoint requires moderator room permissions");
        (await admin.SendAsync("POST", $"/user/{user.Id}/moderator", Rank(true, true))).ShouldHaveStatus(403);

        static JsonObject Rank(bool? moderator, bool? admin) => new() { ["global"] = true, ["moderator"] = moderator, ["admin"] = admin };
    }

    [Theory, Everywhere]
    [Section("communities.md", "10")]
    public async Task Bans_End_AndBadInputIsRefused(Store store, Transport via)
    {
        var (moderator, user, admin) = (await UserAsync(store, via), await UserAsync(store, via), await UserAsync(store, via));
        var (room, other) = (await user.RoomAsync(), await user.RoomAsync());
        await moderator.GrantAsync(room, "moderator");
        await admin.GrantAsync(room, "admin");
        (await moderator.SendAsync("POST", $"/user/{admin.Id}/ban", Of(room))).ShouldHaveStatus(403);
        foreach (var path in (string[])["ban", "unban", "moderator"])
        {
            ShouldBeText(await user.SendAnonymouslyAsync("POST", $"/user/{user.Id}/{path}", With(Of(room))), 401, SignIn);
            (await user.SendAsync("POST", $"/user/{user.Id}/{path}", With(Of(room)))).ShouldHaveStatus(403);
            (await admin.SendAsync("POST", $"/user/{user.Id}/{path}", With(Of(room, other)))).ShouldHaveStatus(403); // a rank in one of the two
            (await admin.SendAsync("POST", $"/user/{user.Id}/{path}", With(Of(Nobody)))).ShouldHaveStatus(403);
            (await admin.SendAsync("POST", $"/user/nobody/{path}", With(Of(room)))).ShouldHaveStatus(400);
            foreach (var bad in (JsonObject[])[[], new() { ["global"] = false }, new() { ["rooms"] = new JsonArray() }, new() { ["rooms"] = new JsonArray(5) }, new() { ["rooms"] = room }])
                (await admin.SendAsync("POST", $"/user/{user.Id}/{path}", With(bad))).ShouldHaveStatus(400);
        }

        // '*' is every room where the caller has the rank.
        Assert.Equal("{}", (await moderator.SendAsync("POST", $"/user/{user.Id}/ban", Of("*"))).Text);
        (await user.SendAsync("GET", $"/room/{room}")).ShouldHaveStatus(404);
        (await user.SendAsync("GET", $"/room/{other}")).ShouldHaveStatus(200);
        (await user.SendAsync("POST", $"/user/{user.Id}/unban", Of("*"))).ShouldHaveStatus(403);
        Assert.Equal("{}", (await moderator.SendAsync("POST", $"/user/{user.Id}/unban", Of("*"))).Text);

        var brief = Of(room);
        brief["timeout"] = 0.5;
        (await moderator.SendAsync("POST", $"/user/{user.Id}/ban", brief)).ShouldHaveStatus(200);
        // The reference looks every ten seconds.
        await Network.WaitAsync("the ban ends", TimeSpan.FromSeconds(30), async () => (await user.SendAsync("GET", $"/room/{room}")).Status == 200);

        // Who is made a moderator is banned no longer, and who is banned is no moderator.
        (await admin.SendAsync("POST", $"/user/{user.Id}/moderator", With(Of(room)))).ShouldHaveStatus(200);
        (await moderator.SendAsync("POST", $"/user/{user.Id}/ban", Of(room))).ShouldHaveStatus(403);
        (await admin.SendAsync("POST", $"/user/{user.Id}/ban", Of(room))).ShouldHaveStatus(200);
        Assert.DoesNotContain(user.Id, Strings((await admin.SendAsync("GET", $"/room/{room}")).ShouldBeJson().GetProperty("moderators")));
        (await admin.SendAsync("POST", $"/user/{user.Id}/moderator", With(Of(room)))).ShouldHaveStatus(200);
        Assert.Equal([user.Id], Strings((await user.SendAsync("GET", $"/room/{room}")).ShouldBeJson().GetProperty("moderators")).Where(id => id == user.Id));

        static JsonObject Of(params string[] rooms) => new() { ["rooms"] = new JsonArray([.. rooms.Select(room => JsonValue.Create(room))]) };

        // A ban has no use for the member.
        static JsonObject With(JsonObject body)
        {
            var copy = (JsonObject)body.DeepClone();
            copy["moderator"] = true;
            return copy;
        }
    }

    private static async Task<long> UploadAsync(CommunityUser user, string room) =>
        (await user.SendBytesAsync("POST", $"/room/{room}/file", RandomNumberGenerator.GetBytes(300))).ShouldBeJson(201).GetProperty("id").GetInt64();
}
