using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Session.Orleans.Protocol.Communities;

namespace Session.Orleans.EndToEnd.Tests.Communities;

/// <summary>The core routes of the community server, as a client uses them: directly and through onions.</summary>
[Collection(SharedNetwork.Name)]
public sealed class CommunityTests(NetworkFixture fixture)
{
    private readonly TestNetwork _network = fixture.Network;

    public static TheoryData<Way> Ways => [Way.Direct, Way.Onion];

    [Theory, MemberData(nameof(Ways))]
    public async Task Capabilities_NeedNoUser(Way way)
    {
        var user = new CommunityClient(_network, way);
        var reply = await user.SendAnonymouslyAsync("GET", "/capabilities");
        Assert.Equal("""{"capabilities":["blind","reactions","sogs"]}""", reply.Expect(200).Text);
        Assert.Equal("application/json", reply.ContentType);
        Assert.Equal(reply.Text, (await user.SendAsync("GET", "/capabilities")).Text);
        Assert.Equal(
            """{"capabilities":["blind","reactions","sogs"],"missing":["magic"]}""",
            (await user.SendAnonymouslyAsync("GET", "/capabilities?required=sogs,magic")).Expect(412).Text);
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task Room_IsFoundInAnyCase_AndOnlyIfItIsThere(Way way)
    {
        var room = await CreateRoomAsync();
        var user = new CommunityClient(_network, way);
        var json = (await user.SendAsync("GET", $"/room/{room.ToUpperInvariant()}")).Expect(200).Json;
        Assert.Equal(
            ["token", "name", "info_updates", "message_sequence", "created", "active_users", "active_users_cutoff", "moderators", "admins", "read", "write", "upload"],
            json.EnumerateObject().Select(member => member.Name));
        Assert.Equal(room, json.GetProperty("token").GetString());
        Assert.Equal(604800, json.GetProperty("active_users_cutoff").GetInt32());
        Assert.Contains((await user.GetListAsync("/rooms")), listed => listed.GetProperty("token").GetString() == room);
        (await user.SendAsync("GET", "/room/nobody-knows-it")).Expect(404);
        (await user.SendAsync("GET", "/room/nobody-knows-it/messages/recent")).Expect(404);
        (await user.SendAsync("GET", "/nothing")).Expect(404);
        (await user.SendAsync("POST", $"/room/{room}")).Expect(405);
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task Messages_ArePostedReadEditedAndDeleted(Way way)
    {
        var room = await CreateRoomAsync();
        var (alice, bob) = (new CommunityClient(_network, way), new CommunityClient(_network, way));
        var posted = (await alice.PostRawAsync(room, "one")).Expect(201).Json;
        Assert.Equal(["id", "session_id", "posted", "seqno", "data", "signature", "reactions"], posted.EnumerateObject().Select(member => member.Name));
        Assert.Equal(alice.Id, posted.GetProperty("session_id").GetString());
        var one = posted.GetProperty("id").GetInt64();
        var two = await bob.PostAsync(room, "two");
        Assert.True(two > one);

        Assert.Equal(["two", "one"], (await bob.GetListAsync($"/room/{room}/messages/recent")).Select(CommunityClient.TextOf));
        Assert.Equal(["one"], (await bob.GetListAsync($"/room/{room}/messages/before/{two}")).Select(CommunityClient.TextOf));
        Assert.Equal(["two"], (await bob.GetListAsync($"/room/{room}/messages/since/1")).Select(CommunityClient.TextOf));
        Assert.Equal("[]", (await bob.SendAsync("GET", $"/room/{room}/messages/since/2")).Expect(200).Text);
        Assert.Equal(["two"], (await bob.GetListAsync($"/room/{room}/messages/recent?limit=1")).Select(CommunityClient.TextOf));
        Assert.Equal("one", CommunityClient.TextOf((await bob.SendAsync("GET", $"/room/{room}/message/{one}")).Expect(200).Json));

        // Only the author edits; edits and deletions count on.
        (await bob.SendAsync("PUT", $"/room/{room}/message/{one}", bob.Draft("mine"))).Expect(403);
        Assert.Equal("{}", (await alice.SendAsync("PUT", $"/room/{room}/message/{one}", alice.Draft("one, edited"))).Expect(200).Text);
        var edited = Assert.Single(await bob.GetListAsync($"/room/{room}/messages/since/2"));
        Assert.Equal(("one, edited", 3), (CommunityClient.TextOf(edited), edited.GetProperty("seqno").GetInt32()));
        Assert.True(edited.TryGetProperty("edited", out _));
        (await bob.SendAsync("DELETE", $"/room/{room}/message/{one}")).Expect(403);
        (await alice.SendAsync("DELETE", $"/room/{room}/message/{one}")).Expect(200);
        (await alice.SendAsync("DELETE", $"/room/{room}/message/{one}")).Expect(404);
        (await alice.SendAsync("PUT", $"/room/{room}/message/{one}", alice.Draft("again"))).Expect(404);
        (await alice.SendAsync("GET", $"/room/{room}/message/{one}")).Expect(404);
        var tombstone = Assert.Single(await bob.GetListAsync($"/room/{room}/messages/since/3"));
        Assert.Equal(JsonValueKind.Null, tombstone.GetProperty("data").ValueKind);
        Assert.True(tombstone.GetProperty("deleted").GetBoolean());
        Assert.False(tombstone.TryGetProperty("signature", out _) || tombstone.TryGetProperty("reactions", out _));
        Assert.Equal(["two"], (await bob.GetListAsync($"/room/{room}/messages/since/0")).Select(CommunityClient.TextOf));
        Assert.Equal(4, (await bob.SendAsync("GET", $"/room/{room}")).Json.GetProperty("message_sequence").GetInt32());
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task BadPosts_AreRefused_AndNothingIsPosted(Way way)
    {
        var room = await CreateRoomAsync();
        var user = new CommunityClient(_network, way);
        (await user.SendAnonymouslyAsync("POST", $"/room/{room}/message", user.Draft("x"))).Expect(401);
        Assert.Equal("X-SOGS-* request authentication required", (await user.SendAnonymouslyAsync("POST", $"/room/{room}/message", user.Draft("x"))).Text);
        foreach (var change in (Action<JsonObject>[])[
            draft => draft.Remove("data"), draft => draft.Remove("signature"), draft => draft["data"] = "*", draft => draft["data"] = 5,
            draft => draft["signature"] = Convert.ToBase64String(new byte[63]), draft => draft["files"] = "1", draft => draft["files"] = new JsonArray("x"),
            draft => draft["whisper_to"] = "nobody"])
            (await user.PostRawAsync(room, "x", change)).Expect(400);
        (await user.SendAsync("POST", $"/room/{room}/message", "[]"u8.ToArray(), "application/json")).Expect(400);
        (await user.SendAsync("POST", $"/room/{room}/message", "{"u8.ToArray(), "application/json")).Expect(400);
        (await user.PostRawAsync(room, "x", draft => draft["whisper_mods"] = true)).Expect(403);
        (await user.SendAsync("GET", $"/room/{room}/messages/recent?limit=x")).Expect(400);
        (await user.SendAsync("GET", $"/room/{room}/messages/since/x")).Expect(400);
        Assert.Equal("[]", (await user.SendAsync("GET", $"/room/{room}/messages/recent")).Text);
        // Unknown members and missing padding are no fault.
        (await user.PostRawAsync(room, "x", draft =>
        {
            draft["timestamp"] = 1;
            draft["data"] = draft["data"]!.GetValue<string>().TrimEnd('=');
        })).Expect(201);
    }

    [Fact]
    public async Task SixthPostWithinSixteenSeconds_IsLimited_ButNotForAdmins()
    {
        var room = await CreateRoomAsync();
        var user = new CommunityClient(_network);
        for (var i = 0; i < 5; i++)
            await user.PostAsync(room, "x");
        Assert.Equal("Rate limited", (await user.PostRawAsync(room, "x")).Expect(429).Text);
        await GrantAsync(room, user.Id, "admin");
        await user.PostAsync(room, "x");
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task Reactions_AreCountedListedAndRemoved(Way way)
    {
        var room = await CreateRoomAsync();
        var (alice, bob) = (new CommunityClient(_network, way), new CommunityClient(_network, way));
        var id = await alice.PostAsync(room, "hello");
        var emoji = Uri.EscapeDataString("🍍");
        Assert.Equal("""{"added":true,"seqno":2}""", (await bob.SendAsync("PUT", $"/room/{room}/reaction/{id}/{emoji}", new JsonObject())).Expect(200).Text);
        Assert.Equal("""{"added":false,"seqno":2}""", (await bob.SendAsync("PUT", $"/room/{room}/reaction/{id}/{emoji}")).Expect(200).Text);
        (await alice.SendAsync("PUT", $"/room/{room}/reaction/{id}/{emoji}")).Expect(200);
        (await alice.SendAsync("PUT", $"/room/{room}/reaction/{id}/%3Ax%3A")).Expect(200);

        var update = Assert.Single(await bob.GetListAsync($"/room/{room}/messages/since/1?t=r&reactors=1"));
        Assert.Equal(["id", "seqno", "reactions"], update.EnumerateObject().Select(member => member.Name));
        Assert.Equal(
            $$$"""{"\uD83C\uDF4D":{"index":0,"count":2,"reactors":["{{{bob.Id}}}"],"you":true},":x:":{"index":1,"count":1,"reactors":["{{{alice.Id}}}"]}}""",
            update.GetProperty("reactions").GetRawText());
        Assert.Equal("[]", (await bob.SendAsync("GET", $"/room/{room}/messages/since/1")).Text); // without t=r there is nothing to see
        Assert.Equal(2, (await bob.SendAsync("GET", $"/room/{room}/reactors/{id}/{emoji}")).Expect(200).Json.GetArrayLength());

        Assert.Equal("""{"removed":true,"seqno":5}""", (await bob.SendAsync("DELETE", $"/room/{room}/reaction/{id}/{emoji}")).Expect(200).Text);
        Assert.Equal("""{"removed":false,"seqno":5}""", (await bob.SendAsync("DELETE", $"/room/{room}/reaction/{id}/{emoji}")).Expect(200).Text);
        (await bob.SendAsync("PUT", $"/room/{room}/reaction/{id}/{new string('x', 13)}")).Expect(400);
        (await bob.SendAsync("PUT", $"/room/{room}/reaction/999999999/x")).Expect(404);
        (await bob.SendAnonymouslyAsync("PUT", $"/room/{room}/reaction/{id}/x")).Expect(401);
        (await bob.SendAsync("DELETE", $"/room/{room}/reactions/{id}")).Expect(403);
        await GrantAsync(room, bob.Id, "moderator");
        Assert.Equal("""{"removed":2,"seqno":7}""", (await bob.SendAsync("DELETE", $"/room/{room}/reactions/{id}")).Expect(200).Text);

        // A deletion takes one number and one more for each reaction that goes.
        (await bob.SendAsync("PUT", $"/room/{room}/reaction/{id}/x")).Expect(200);
        (await alice.SendAsync("DELETE", $"/room/{room}/message/{id}")).Expect(200);
        Assert.Equal(10, Assert.Single(await bob.GetListAsync($"/room/{room}/messages/since/8?t=r")).GetProperty("seqno").GetInt32());
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task Pins_AreForAdmins(Way way)
    {
        var room = await CreateRoomAsync();
        var (admin, user) = (new CommunityClient(_network, way), new CommunityClient(_network, way));
        await GrantAsync(room, admin.Id, "admin");
        var id = await user.PostAsync(room, "pin me");
        (await user.SendAsync("POST", $"/room/{room}/pin/{id}")).Expect(403);
        (await user.SendAnonymouslyAsync("POST", $"/room/{room}/pin/{id}")).Expect(403);
        (await admin.SendAsync("POST", $"/room/{room}/pin/{id + 1000000}")).Expect(404);
        var updates = (await admin.SendAsync("POST", $"/room/{room}/pin/{id}")).Expect(200).Json.GetProperty("info_updates").GetInt32();
        var pinned = Assert.Single((await user.SendAsync("GET", $"/room/{room}")).Json.GetProperty("pinned_messages").EnumerateArray());
        Assert.Equal((id, admin.Id), (pinned.GetProperty("id").GetInt64(), pinned.GetProperty("pinned_by").GetString()));
        Assert.Equal($$"""{"unpinned":true,"info_updates":{{updates + 1}}}""", (await admin.SendAsync("POST", $"/room/{room}/unpin/{id}")).Expect(200).Text);
        Assert.Equal($$"""{"unpinned":0,"info_updates":{{updates + 1}}}""", (await admin.SendAsync("POST", $"/room/{room}/unpin/all")).Expect(200).Text);
        (await admin.SendAsync("POST", $"/room/{room}/pin/{id}")).Expect(200);
        (await user.SendAsync("DELETE", $"/room/{room}/message/{id}")).Expect(200);
        Assert.False((await user.SendAsync("GET", $"/room/{room}")).Json.TryGetProperty("pinned_messages", out _));
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task Files_AreUploadedAttachedAndRead(Way way)
    {
        var room = await CreateRoomAsync();
        var user = new CommunityClient(_network, way);
        var bytes = RandomNumberGenerator.GetBytes(600_000);
        var id = (await user.SendAsync("POST", $"/room/{room}/file", bytes, "application/octet-stream", "attachment; filename*=UTF-8''a%20%E2%82%AC.png"))
            .Expect(201).Json.GetProperty("id").GetInt64();
        var file = (await new CommunityClient(_network, way).SendAnonymouslyAsync("GET", $"/room/{room}/file/{id}")).Expect(200);
        Assert.Equal(bytes, file.Bytes);
        Assert.Equal("application/octet-stream", file.ContentType);
        Assert.Equal("attachment; filename*=UTF-8''a%20%E2%82%AC.png", file.Headers["content-disposition"]);
        var expires = DateTimeOffset.Parse(file.Headers["expires"], System.Globalization.CultureInfo.InvariantCulture);
        Assert.InRange(expires - DateTimeOffset.UtcNow, TimeSpan.FromMinutes(55), TimeSpan.FromMinutes(61));

        (await user.PostRawAsync(room, "look", draft => draft["files"] = new JsonArray($"{id}", 999999))).Expect(201);
        var attached = (await user.SendAsync("GET", $"/room/{room}/file/{id}/any.png")).Expect(200);
        Assert.Equal(bytes, attached.Bytes);
        Assert.True(DateTimeOffset.Parse(attached.Headers["expires"], System.Globalization.CultureInfo.InvariantCulture) - DateTimeOffset.UtcNow > TimeSpan.FromDays(14));

        (await user.SendAsync("GET", $"/room/{room}/file/{id + 100000}")).Expect(404);
        (await user.SendAsync("GET", $"/room/{await CreateRoomAsync()}/file/{id}")).Expect(404);
        (await user.SendAnonymouslyAsync("POST", $"/room/{room}/file")).Expect(401);
        (await user.SendAsync("PUT", $"/room/{room}", new JsonObject { ["image"] = id })).Expect(403);
        await GrantAsync(room, user.Id, "admin");
        (await user.SendAsync("PUT", $"/room/{room}", new JsonObject { ["image"] = id + 100000 })).Expect(406);
        (await user.SendAsync("PUT", $"/room/{room}", new JsonObject { ["image"] = id })).Expect(200);
        Assert.False((await user.SendAsync("GET", $"/room/{room}/file/{id}")).Expect(200).Headers.ContainsKey("expires"));
        Assert.Equal(id, (await user.SendAsync("GET", $"/room/{room}")).Json.GetProperty("image_id").GetInt64());
        if (way is Way.Direct)
            (await user.SendAsync("POST", $"/room/{room}/file", new byte[10_000_001], "application/octet-stream")).Expect(413);
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task DirectMessages_AreDeliveredListedAndCleared(Way way)
    {
        var (alice, bob) = (new CommunityClient(_network, way), new CommunityClient(_network, way));
        var payload = BlindedMessage.Seal("psst"u8, alice.Keys, alice.Blinded, bob.Blinded.Id);
        var message = new JsonObject { ["message"] = Convert.ToBase64String(payload) };
        (await alice.SendAsync("POST", $"/inbox/{bob.Id}", message)).Expect(404); // never seen
        Assert.Equal("[]", (await bob.SendAsync("GET", "/inbox")).Expect(200).Text);
        (await bob.SendAsync("GET", "/inbox/since/0")).Expect(304);

        var sent = (await alice.SendAsync("POST", $"/inbox/{bob.Id}", message)).Expect(201).Json;
        Assert.Equal(["id", "posted_at", "expires_at", "sender", "recipient"], sent.EnumerateObject().Select(member => member.Name));
        var id = sent.GetProperty("id").GetInt64();
        var received = Assert.Single(await bob.GetListAsync("/inbox/since/0"));
        Assert.Equal((id, alice.Id, bob.Id), (received.GetProperty("id").GetInt64(), received.GetProperty("sender").GetString(), received.GetProperty("recipient").GetString()));
        Assert.True(BlindedMessage.TryOpen(
            received.GetProperty("message").GetBytesFromBase64(), bob.Keys, bob.Blinded, alice.Blinded.Id, bob.Server, out var text, out _));
        Assert.Equal("psst"u8, text);
        Assert.Equal(id, Assert.Single(await alice.GetListAsync("/outbox")).GetProperty("id").GetInt64());
        var nothing = (await alice.SendAsync("GET", $"/outbox/since/{id}")).Expect(304);
        Assert.Empty(nothing.Bytes);
        Assert.Equal("[]", (await alice.SendAsync("GET", "/inbox")).Text);

        (await alice.SendAsync("POST", $"/inbox/{bob.Id}", new JsonObject())).Expect(400);
        (await alice.SendAnonymouslyAsync("POST", $"/inbox/{bob.Id}", message)).Expect(401);
        (await alice.SendAnonymouslyAsync("GET", "/inbox")).Expect(401);
        Assert.Equal("""{"deleted":1}""", (await bob.SendAsync("DELETE", "/inbox")).Expect(200).Text);
        Assert.Equal("[]", (await bob.SendAsync("GET", "/inbox")).Text);
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task Batch_RunsAllParts_AndSequenceStopsAtTheFirstFailure(Way way)
    {
        var room = await CreateRoomAsync();
        var user = new CommunityClient(_network, way);
        JsonArray Parts() =>
        [
            new JsonObject { ["method"] = "GET", ["path"] = "/capabilities" },
            new JsonObject { ["method"] = "POST", ["path"] = $"/room/{room}/message", ["json"] = user.Draft("in a batch") },
            new JsonObject { ["method"] = "GET", ["path"] = "/room/nobody-knows-it" },
            new JsonObject { ["method"] = "GET", ["path"] = "/inbox/since/0" },
            new JsonObject { ["method"] = "GET", ["path"] = $"/room/{room}/pollInfo/0" },
        ];
        var replies = (await user.SendAsync("POST", "/batch", Parts())).Expect(200).Json.EnumerateArray().ToArray();
        Assert.Equal([200, 201, 404, 304, 200], replies.Select(reply => reply.GetProperty("code").GetInt32()));
        Assert.Equal("in a batch", CommunityClient.TextOf(replies[1].GetProperty("body")));
        Assert.Equal("Not Found"u8, replies[2].GetProperty("body").GetBytesFromBase64());
        Assert.Equal("", replies[3].GetProperty("body").GetString());
        Assert.Equal("application/json", replies[4].GetProperty("headers").GetProperty("content-type").GetString());
        Assert.False(replies[4].GetProperty("body").TryGetProperty("details", out _));
        Assert.Equal([200, 201, 404], (await user.SendAsync("POST", "/sequence", Parts())).Expect(200).Json.EnumerateArray().Select(reply => reply.GetProperty("code").GetInt32()));

        foreach (var bad in (JsonNode[])[
            new JsonObject(), new JsonArray(new JsonObject()), new JsonArray(new JsonObject { ["method"] = "PATCH", ["path"] = "/x" }),
            new JsonArray(new JsonObject { ["method"] = "GET", ["path"] = "x" }), new JsonArray(new JsonObject { ["method"] = "POST", ["path"] = "/x" }),
            new JsonArray(new JsonObject { ["method"] = "GET", ["path"] = "/x", ["b64"] = "" }),
            new JsonArray(
                new JsonObject { ["method"] = "POST", ["path"] = $"/room/{room}/message", ["json"] = user.Draft("never") },
                new JsonObject { ["method"] = "POST", ["path"] = "/x", ["json"] = 1, ["bytes"] = "" })])
            (await user.SendAsync("POST", "/batch", bad)).Expect(400);
        Assert.DoesNotContain("never", (await user.GetListAsync($"/room/{room}/messages/recent")).Select(CommunityClient.TextOf));
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task Bans_HoldAtOnce_InARoomAndInTheServer(Way way)
    {
        var room = await CreateRoomAsync();
        var (moderator, user) = (new CommunityClient(_network, way), new CommunityClient(_network, way));
        var body = new JsonObject { ["rooms"] = new JsonArray(room) };
        await user.PostAsync(room, "spam");
        (await moderator.SendAsync("POST", $"/user/{user.Id}/ban", body)).Expect(403);
        await GrantAsync(room, moderator.Id, "moderator");
        Assert.Equal("{}", (await moderator.SendAsync("POST", $"/user/{user.Id}/ban", body)).Expect(200).Text);
        (await user.SendAsync("GET", $"/room/{room}")).Expect(404);
        (await user.SendAsync("GET", $"/room/{room}/messages/recent")).Expect(403);
        (await user.PostRawAsync(room, "more")).Expect(403);
        (await moderator.SendAsync("DELETE", $"/room/{room}/all/{user.Id}")).Expect(200);
        (await moderator.SendAsync("DELETE", $"/room/{room}/all/{user.Id}")).Expect(404);
        Assert.Equal("[]", (await moderator.SendAsync("GET", $"/room/{room}/messages/recent")).Text);
        (await moderator.SendAsync("POST", $"/user/{user.Id}/unban", body)).Expect(200);
        (await user.SendAsync("GET", $"/room/{room}")).Expect(200);
        (await moderator.SendAsync("POST", $"/user/{moderator.Id}/ban", body)).Expect(403);
        (await moderator.SendAsync("POST", $"/user/{user.Id}/ban", new JsonObject { ["rooms"] = new JsonArray(room, "nobody-knows-it") })).Expect(403);
        (await moderator.SendAsync("POST", $"/user/{user.Id}/ban", new JsonObject { ["rooms"] = new JsonArray(room), ["global"] = true })).Expect(400);
        (await moderator.SendAsync("POST", $"/user/{user.Id}/ban", new JsonObject())).Expect(400);
        (await moderator.SendAsync("POST", $"/user/{user.Id}/ban", new JsonObject { ["rooms"] = new JsonArray(room), ["timeout"] = "x" })).Expect(400);
        (await moderator.SendAsync("POST", $"/user/{user.Id}/ban", new JsonObject { ["global"] = true })).Expect(403);

        await OrderAsync(HttpMethod.Post, "/v1/communities/+/bans", new() { ["user"] = user.Id });
        Assert.Equal("Banned", (await user.SendAsync("GET", "/capabilities")).Expect(403).Text);
        await OrderAsync(HttpMethod.Delete, $"/v1/communities/+/bans/{user.Id}");
        (await user.SendAsync("GET", "/capabilities")).Expect(200);
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task Moderators_AreMadeSeenAndHidden(Way way)
    {
        var room = await CreateRoomAsync();
        var (admin, user) = (new CommunityClient(_network, way), new CommunityClient(_network, way));
        await GrantAsync(room, admin.Id, "admin");
        (await user.SendAsync("GET", "/rooms")).Expect(200);
        var before = (await admin.SendAsync("GET", $"/room/{room}")).Json.GetProperty("info_updates").GetInt32();
        var add = new JsonObject { ["rooms"] = new JsonArray(room), ["global"] = false, ["visible"] = true, ["admin"] = true, ["moderator"] = true };
        (await user.SendAsync("POST", $"/user/{user.Id}/moderator", add)).Expect(403);
        // By the Session ID as well as by the blinded one.
        var reply = (await admin.SendAsync("POST", $"/user/{user.Keys.SessionId}/moderator", add)).Expect(200).Json;
        Assert.Equal(before + 1, reply.GetProperty("info_updates").GetProperty(room).GetInt32());
        var seen = (await user.SendAsync("GET", $"/room/{room}")).Json;
        Assert.Equal(new[] { admin.Id, user.Id }.Order(StringComparer.Ordinal), seen.GetProperty("admins").EnumerateArray().Select(id => id.GetString()));
        Assert.True(seen.GetProperty("admin").GetBoolean() && seen.GetProperty("moderator").GetBoolean() && seen.GetProperty("default_read").GetBoolean());

        (await admin.SendAsync("POST", $"/user/{user.Id}/moderator", new JsonObject { ["rooms"] = new JsonArray(room), ["admin"] = false, ["visible"] = false })).Expect(200);
        var hidden = (await user.SendAsync("GET", $"/room/{room}")).Json;
        Assert.Equal([user.Id], hidden.GetProperty("hidden_moderators").EnumerateArray().Select(id => id.GetString()));
        Assert.False((await user.SendAnonymouslyAsync("GET", $"/room/{room}")).Json.TryGetProperty("hidden_moderators", out _));
        (await admin.SendAsync("POST", $"/user/{user.Id}/moderator", new JsonObject { ["rooms"] = new JsonArray(room), ["admin"] = true, ["moderator"] = false })).Expect(400);
        (await admin.SendAsync("POST", $"/user/{user.Id}/moderator", new JsonObject { ["rooms"] = new JsonArray(room) })).Expect(400);
        (await admin.SendAsync("POST", $"/user/{user.Id}/moderator", new JsonObject { ["rooms"] = new JsonArray(room), ["admin"] = false, ["moderator"] = false })).Expect(200);
        Assert.False((await user.SendAsync("GET", $"/room/{room}")).Json.TryGetProperty("moderator", out _));
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task WhitelistRoom_IsThereForThoseWhoAreOnIt(Way way)
    {
        var room = await CreateRoomAsync("read", "accessible", "write", "upload");
        var (guest, stranger) = (new CommunityClient(_network, way), new CommunityClient(_network, way));
        (await guest.SendAsync("GET", $"/room/{room}")).Expect(404);
        (await guest.SendAsync("GET", $"/room/{room}/pollInfo/0")).Expect(403);
        await GrantAsync(room, guest.Id, allow: ["read", "write"]);
        var json = (await guest.SendAsync("GET", $"/room/{room}")).Expect(200).Json;
        Assert.Equal((true, true, false), (json.GetProperty("read").GetBoolean(), json.GetProperty("write").GetBoolean(), json.GetProperty("upload").GetBoolean()));
        await guest.PostAsync(room, "inside");
        (await guest.SendAsync("POST", $"/room/{room}/file", [1], "application/octet-stream")).Expect(403);
        (await stranger.SendAsync("GET", $"/room/{room}")).Expect(404);
        (await stranger.PostRawAsync(room, "outside")).Expect(403);
        Assert.DoesNotContain(await stranger.GetListAsync("/rooms"), listed => listed.GetProperty("token").GetString() == room);
    }

    [Fact]
    public async Task Permissions_AreSetClearedScheduledAndShown()
    {
        var room = await CreateRoomAsync();
        var (moderator, user) = (new CommunityClient(_network), new CommunityClient(_network));
        await GrantAsync(room, moderator.Id, "moderator", hidden: true);
        var path = $"/room/{room}/permissions/{user.Id}";
        (await user.SendAsync("GET", path)).Expect(403);
        Assert.Equal("{}", (await moderator.SendAsync("GET", path)).Expect(200).Text);
        Assert.Equal("""{"read":true,"write":false}""", (await moderator.SendAsync("POST", path, new JsonObject { ["read"] = true, ["write"] = false })).Expect(200).Text);
        (await user.PostRawAsync(room, "x")).Expect(403);
        (await moderator.SendAsync("POST", path, new JsonObject { ["read"] = true, ["default_read"] = true })).Expect(400);
        (await moderator.SendAsync("POST", path, new JsonObject())).Expect(400);
        (await moderator.SendAsync("POST", $"/room/{room}/permissions/{user.Keys.SessionId}", new JsonObject { ["read"] = true })).Expect(400);
        Assert.Equal("""{"write":false}""", (await moderator.SendAsync("POST", path, new JsonObject { ["default_read"] = true })).Expect(200).Text);
        var all = (await moderator.SendAsync("GET", $"/room/{room}/permissions")).Expect(200).Json;
        Assert.Equal("""{"moderator":true,"hidden":true}""", all.GetProperty(moderator.Id).GetRawText());

        var future = $"/room/{room}/futurePermissions/{user.Id}";
        (await moderator.SendAsync("POST", future, new JsonObject { ["write"] = true })).Expect(400);
        (await moderator.SendAsync("POST", future, new JsonObject { ["in"] = 5 })).Expect(400);
        var planned = Assert.Single((await moderator.SendAsync("POST", future, new JsonObject { ["write"] = true, ["in"] = 0.2 })).Expect(200).Json.EnumerateArray());
        Assert.True(planned.GetProperty("write").GetBoolean());
        // Equal to the room's default, it ends the override.
        var limit = DateTime.UtcNow.AddSeconds(30);
        while ((await moderator.SendAsync("GET", path)).Text is var text && text != "{}")
        {
            Assert.True(DateTime.UtcNow < limit, text);
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }

        await user.PostAsync(room, "x");
        Assert.Equal("[]", (await moderator.SendAsync("GET", $"/room/{room}/futurePermissions")).Text);
    }

    [Fact]
    public async Task Whispers_AreForTheirReadersAlone()
    {
        var room = await CreateRoomAsync();
        var (moderator, other, target, user) = (
            new CommunityClient(_network), new CommunityClient(_network), new CommunityClient(_network), new CommunityClient(_network));
        await GrantAsync(room, moderator.Id, "moderator");
        await GrantAsync(room, other.Id, "moderator");
        (await moderator.PostRawAsync(room, "to one", draft => draft["whisper_to"] = target.Id)).Expect(201);
        (await moderator.PostRawAsync(room, "to mods", draft => draft["whisper_mods"] = true)).Expect(201);
        Assert.Equal(["to mods", "to one"], await TextsAsync(moderator));
        Assert.Equal(["to mods"], await TextsAsync(other));
        Assert.Equal(["to one"], await TextsAsync(target));
        Assert.Empty(await TextsAsync(user));
        Assert.Empty((await user.SendAnonymouslyAsync("GET", $"/room/{room}/messages/since/0")).Json.EnumerateArray());

        async Task<IEnumerable<string>> TextsAsync(CommunityClient reader) =>
            (await reader.GetListAsync($"/room/{room}/messages/recent")).Select(CommunityClient.TextOf);
    }

    [Fact]
    public async Task SessionIdThatIsBlindedLater_KeepsWhatWasDoneToIt()
    {
        var room = await CreateRoomAsync();
        var (moderator, banned) = (new CommunityClient(_network), new CommunityClient(_network));
        await GrantAsync(room, moderator.Keys.SessionId.ToString(), "moderator");
        await OrderAsync(HttpMethod.Post, $"/v1/communities/{room}/bans", new() { ["user"] = banned.Keys.SessionId.ToString() });
        Assert.True((await moderator.SendAsync("GET", $"/room/{room}")).Expect(200).Json.GetProperty("moderator").GetBoolean());
        (await banned.SendAsync("GET", $"/room/{room}")).Expect(404);
    }

    [Fact]
    public async Task Nonce_IsGoodOnce_AndTheClockMayBeADayOff()
    {
        var user = new CommunityClient(_network);
        var headers = user.Sign("GET", "/capabilities", []);
        (await user.SendRawAsync("GET", "/capabilities", null, headers)).Expect(200);
        var again = (await user.SendRawAsync("GET", "/capabilities", null, headers)).Expect(425);
        Assert.Equal("Invalid authentication: X-SOGS-Nonce cannot be reused", again.Text);
        Assert.Equal("text/plain; charset=utf-8", again.ContentType);
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        (await user.SendRawAsync("GET", "/capabilities", null, user.Sign("GET", "/capabilities", [], time: now - 86_300))).Expect(200);
        (await user.SendRawAsync("GET", "/capabilities", null, user.Sign("GET", "/capabilities", [], time: now - 86_500))).Expect(425);
        (await user.SendRawAsync("GET", "/rooms", null, user.Sign("GET", "/capabilities", []))).Expect(401);
        var unblinded = CommunityRequestSignature.Sign(user.Keys, user.Server, RandomNumberGenerator.GetBytes(16), now, "GET", "/rooms", "", []);
        Assert.Equal("Invalid authentication: this server requires the use of blinded ids", (await user.SendRawAsync("GET", "/rooms", null, unblinded)).Expect(400).Text);
    }

    [Fact]
    public async Task Commands_MakeShowAndRemoveRooms()
    {
        var room = $"Cmd{Guid.NewGuid():N}";
        var url = (await RunAsync($"communities create {room} --name \"A room\" --description text")).Trim();
        Assert.True(CommunityUrl.TryParse(url, out var parsed));
        Assert.Equal((room, new CommunityClient(_network).Server), (parsed.Token, parsed.Server));
        Assert.Contains(room, await RunAsync("communities list"), StringComparison.Ordinal);
        var json = JsonElement.Parse(await RunAsync($"communities show {room} --output json"));
        Assert.Equal(("A room", "text"), (json.GetProperty("name").GetString(), json.GetProperty("description").GetString()));
        Assert.Equal(["read", "accessible", "write", "upload"], json.GetProperty("permissions").EnumerateArray().Select(name => name.GetString()));
        foreach (var (arguments, words) in new[]
        {
            ($"communities create {room}", "already"), ("communities create no/token", "no room token"), ("communities show nobody", "no room 'nobody'"),
            ($"communities ban {room} 05xyz", "no user's id"), ($"communities grant {room} default --rank admin", "no rank"),
            ($"communities grant {room} default", "nothing to grant"), ("communities remove nobody", "no room 'nobody'"),
            ($"communities grant {room} default --allow fly", "'fly'"),
        })
        {
            var result = await TestnetProcess.RunAsync($"{arguments} --data \"{_network.Process.Directory}\"");
            Assert.NotEqual(0, result.ExitCode);
            Assert.Contains(words, result.Error, StringComparison.Ordinal);
        }

        await new CommunityClient(_network).PostAsync(room, "x");
        await RunAsync($"communities remove {room}");
        (await new CommunityClient(_network).SendAsync("GET", $"/room/{room}")).Expect(404);
        await RunAsync($"communities create {room}");
        Assert.Equal("[]", (await new CommunityClient(_network).SendAsync("GET", $"/room/{room}/messages/recent")).Text);
    }

    private async Task<string> CreateRoomAsync(params string[] denied)
    {
        var room = $"r{Guid.NewGuid():N}";
        await OrderAsync(HttpMethod.Post, "/v1/communities", new() { ["token"] = room, ["deny"] = new JsonArray([.. denied.Select(one => JsonValue.Create(one))]) });
        return room;
    }

    private Task GrantAsync(string room, string user, string? rank = null, bool hidden = false, params string[] allow) => OrderAsync(
        HttpMethod.Post, $"/v1/communities/{room}/grants",
        new() { ["user"] = user, ["rank"] = rank, ["hidden"] = hidden, ["allow"] = new JsonArray([.. allow.Select(one => JsonValue.Create(one))]) });

    private async Task OrderAsync(HttpMethod method, string path, JsonObject? json = null)
    {
        var token = (await File.ReadAllTextAsync(_network.Process.Description.GetProperty("adminTokenFile").GetString()!, TestContext.Current.CancellationToken)).Trim();
        var reply = await _network.SendAsync(
            method, new(_network.Process.Admin, path), json is null ? null : System.Text.Encoding.UTF8.GetBytes(json.ToJsonString()),
            change: request => request.Headers.Authorization = new("Bearer", token));
        Assert.True(reply.Status is >= 200 and < 300, reply.Text);
    }

    private async Task<string> RunAsync(string arguments)
    {
        var result = await TestnetProcess.RunAsync($"{arguments} --data \"{_network.Process.Directory}\"");
        Assert.True(result.ExitCode == 0, result.Error);
        return result.Output;
    }
}
