using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Session.Orleans.Conformance.Harness;

namespace Session.Orleans.Conformance.Rules;

/// <summary>Every core route of a community server, directly and through onions, with good and with bad input.</summary>
[Section("communities.md", "1")]
public sealed partial class CommunityRules(Networks networks) : RuleSet(networks)
{
    private const string Nobody = "nobody-knows-it";

    [Theory, Everywhere]
    [Section("communities.md", "5")]
    public async Task Capabilities_AreListedForAnybody(Store store, Transport via)
    {
        var user = await UserAsync(store, via);
        foreach (var reply in new[] { await user.SendAnonymouslyAsync("GET", "/capabilities"), await user.SendAsync("GET", "/capabilities") })
        {
            var names = Strings(reply.ShouldBeJson().GetProperty("capabilities"));
            Assert.Contains("sogs", names);
            Assert.Equal(names.Order(StringComparer.Ordinal), names);
        }

        Assert.Equal(["magic"], Strings((await user.SendAnonymouslyAsync("GET", "/capabilities?required=sogs,magic")).ShouldBeJson(412).GetProperty("missing")));
        (await user.SendAsync("GET", "/capabilities?required=sogs")).ShouldHaveStatus(200);
    }

    [Theory, Everywhere]
    [Section("communities.md", "3")]
    public async Task Authentication_WithSomeHeaders_TellsHowManyAreMissing(Store store, Transport via)
    {
        var user = await UserAsync(store, via);
        string[] names = [.. user.Headers("GET", "/capabilities", null).Keys];
        for (var missing = 1; missing < names.Length; missing++)
        {
            var headers = user.Headers("GET", "/capabilities", null);
            foreach (var name in names.Take(missing))
                headers.Remove(name);
            ShouldBeText(await user.SendWithAsync("GET", "/capabilities", null, headers), 400, $"Invalid authentication headers: missing {missing}/4 required X-SOGS-* headers");
        }
    }

    [Theory]
    [Everywhere("X-SOGS-Pubkey", "15", "X-SOGS-Pubkey is not a valid 66-hex digit id")]
    [Everywhere("X-SOGS-Pubkey", "15zzcc5aba5243537fe065f811df57076584f38b4cef556a00075a7733d449e60c", "X-SOGS-Pubkey is not a valid 66-hex digit id")]
    [Everywhere("X-SOGS-Pubkey", "0532cc5aba5243537fe065f811df57076584f38b4cef556a00075a7733d449e60c", "X-SOGS-Pubkey must be 00- or 15- prefixed")]
    [Everywhere("X-SOGS-Pubkey", "150000000000000000000000000000000000000000000000000000000000000000", "given X-SOGS-Pubkey is not a valid Ed25519 pubkey")]
    [Everywhere("X-SOGS-Nonce", "AAAA", "X-SOGS-Nonce must be 16 bytes (encoded as base64 or hex)")]
    [Everywhere("X-SOGS-Signature", "AAAA", "X-SOGS-Signature is not base64[88]")]
    [Everywhere("X-SOGS-Timestamp", "soon", "X-SOGS-Timestamp is not a valid timestamp")]
    [Section("communities.md", "3")]
    public async Task Authentication_WithAMalformedHeader_IsRefusedInTheseWords(Store store, Transport via, string name, string value, string reason)
    {
        var user = await UserAsync(store, via);
        var headers = user.Headers("GET", "/capabilities", null);
        headers[name] = value;
        ShouldBeText(await user.SendWithAsync("GET", "/capabilities", null, headers), 400, "Invalid authentication: " + reason);
    }

    [Theory, Everywhere]
    [Section("communities.md", "3")]
    public async Task Authentication_IsUnderstoodInHexAndBase64_AndCoversTheWholeRequest(Store store, Transport via)
    {
        var user = await UserAsync(store, via);
        var room = await user.RoomAsync();
        var hex = user.Headers("GET", "/inbox?limit=5", null);
        hex["X-SOGS-Pubkey"] = Convert.ToBase64String(Convert.FromHexString(hex["X-SOGS-Pubkey"]));
        hex["X-SOGS-Nonce"] = Convert.ToHexStringLower(Convert.FromBase64String(hex["X-SOGS-Nonce"]));
        hex["X-SOGS-Signature"] = hex["X-SOGS-Signature"].TrimEnd('=');
        (await user.SendWithAsync("GET", "/inbox?limit=5", null, hex)).ShouldHaveStatus(200);

        var body = Encoding.UTF8.GetBytes(user.Draft("x").ToJsonString());
        const string Wrong = "Invalid authentication: X-SOGS-Signature verification failed";
        ShouldBeText(await user.SendWithAsync("DELETE", "/inbox", null, user.Headers("GET", "/inbox", null)), 401, Wrong);
        ShouldBeText(await user.SendWithAsync("GET", "/outbox", null, user.Headers("GET", "/inbox", null)), 401, Wrong);
        ShouldBeText(await user.SendWithAsync("GET", "/inbox?limit=6", null, user.Headers("GET", "/inbox?limit=5", null)), 401, Wrong);
        ShouldBeText(await user.SendWithAsync("POST", $"/room/{room}/message", body, user.Headers("POST", $"/room/{room}/message", [.. body, 32])), 401, Wrong);
        // The path is signed as it reads decoded.
        (await user.SendAsync("GET", "/%69nbox")).ShouldHaveStatus(200);
    }

    [Theory, Everywhere]
    [Section("communities.md", "3")]
    public async Task Authentication_TakesADayOfClockError_AndEachNonceOnce(Store store, Transport via)
    {
        var user = await UserAsync(store, via);
        foreach (var (off, status) in new[] { (-86_300, 200), (86_300, 200), (-86_500, 425), (86_500, 425) })
        {
            var reply = await user.SendWithAsync("GET", "/capabilities", null, user.Headers("GET", "/capabilities", null, user.Now + off));
            reply.ShouldHaveStatus(status);
            if (status == 425)
                ShouldBeText(reply, 425, "Invalid authentication: X-SOGS-Timestamp is too far from current time");
        }

        var nonce = RandomNumberGenerator.GetBytes(16);
        (await user.SendWithAsync("GET", "/capabilities", null, user.Headers("GET", "/capabilities", null, nonce: nonce))).ShouldHaveStatus(200);
        ShouldBeText(
            await user.SendWithAsync("GET", "/rooms", null, user.Headers("GET", "/rooms", null, nonce: nonce)), 425, "Invalid authentication: X-SOGS-Nonce cannot be reused");
        // Of whoever it was.
        var other = await UserAsync(store, via);
        (await other.SendWithAsync("GET", "/rooms", null, other.Headers("GET", "/rooms", null, nonce: nonce))).ShouldHaveStatus(425);
    }

    [Theory, Everywhere]
    [Section("communities.md", "3")]
    public async Task UnblindedKeys_AreRefusedInTheWordsThatClientsCompare_WhereBlindingIsRequired(Store store, Transport via)
    {
        var user = await UserAsync(store, via);
        Assert.SkipUnless(Strings((await user.SendAnonymouslyAsync("GET", "/capabilities")).ShouldBeJson().GetProperty("capabilities")).Contains("blind"), "The server does not require blinding.");
        ShouldBeText(
            await user.SendWithAsync("GET", "/rooms", null, user.Headers("GET", "/rooms", null, blinded: false)), 400,
            "Invalid authentication: this server requires the use of blinded ids");
    }

    [Theory, Everywhere]
    [Section("communities.md", "6.1")]
    public async Task Room_HasTheseMembers_AndIsFoundInAnyCase(Store store, Transport via)
    {
        var user = await UserAsync(store, via);
        var room = await user.RoomAsync();
        var json = (await user.SendAsync("GET", $"/room/{room.ToUpperInvariant()}")).ShouldBeJson();
        foreach (var name in (string[])["active_users", "active_users_cutoff", "admins", "created", "info_updates", "message_sequence", "moderators", "name", "read", "token", "upload", "write"])
            Assert.True(json.TryGetProperty(name, out _), name);
        Assert.False(json.TryGetProperty("moderator", out _) || json.TryGetProperty("admin", out _) || json.TryGetProperty("default_read", out _));
        Assert.Equal(room, json.GetProperty("token").GetString());
        Assert.Contains(CommunityUser.List(await user.SendAnonymouslyAsync("GET", "/rooms")), listed => listed.GetProperty("token").GetString() == room);
        (await user.SendAsync("GET", $"/room/{Nobody}")).ShouldHaveStatus(404);
        (await user.SendAsync("GET", $"/room/{Nobody}/messages/recent")).ShouldHaveStatus(404);
        (await user.SendAsync("GET", "/nothing")).ShouldHaveStatus(404);

        var poll = (await user.SendAsync("GET", $"/room/{room}/pollInfo/{json.GetProperty("info_updates").GetInt64()}")).ShouldBeJson();
        Assert.Equal((room, true, false), (poll.GetProperty("token").GetString(), poll.GetProperty("read").GetBoolean(), poll.TryGetProperty("details", out _)));
        poll = (await user.SendAsync("GET", $"/room/{room}/pollInfo/999999")).ShouldBeJson();
        Assert.Equal(room, poll.GetProperty("details").GetProperty("token").GetString());
    }

    [Theory, Everywhere]
    [Section("communities.md", "6.1")]
    public async Task Room_IsChangedByAdmins_AndCountsItsChanges(Store store, Transport via)
    {
        var (admin, user) = (await UserAsync(store, via), await UserAsync(store, via));
        var room = await admin.RoomAsync();
        (await user.SendAsync("PUT", $"/room/{room}", new JsonObject { ["name"] = "Mine" })).ShouldHaveStatus(403);
        await admin.GrantAsync(room, "admin");
        var before = await UpdatesAsync();
        Assert.Equal(before + 2, (await admin.SendAsync("PUT", $"/room/{room}", new JsonObject { ["name"] = "A\u0001 room", ["description"] = "x\ny" })).ShouldBeJson().GetProperty("info_updates").GetInt64());
        var json = (await user.SendAsync("GET", $"/room/{room}")).ShouldBeJson();
        Assert.Equal(("A room", "x\ny"), (json.GetProperty("name").GetString(), json.GetProperty("description").GetString()));
        (await admin.SendAsync("PUT", $"/room/{room}", new JsonObject { ["description"] = "" })).ShouldHaveStatus(200);
        Assert.False((await user.SendAsync("GET", $"/room/{room}")).ShouldBeJson().TryGetProperty("description", out _));
        before = await UpdatesAsync();
        (await admin.SendAsync("PUT", $"/room/{room}", new JsonObject { ["default_write"] = false })).ShouldHaveStatus(200);
        Assert.Equal(before, await UpdatesAsync()); // permissions are not counted
        (await user.SendAsync("POST", $"/room/{room}/message", user.Draft("x"))).ShouldHaveStatus(403);
        foreach (var bad in (JsonNode[])[new JsonObject(), new JsonObject { ["name"] = 5 }, new JsonObject { ["default_read"] = "yes" }, new JsonArray()])
            (await admin.SendAsync("PUT", $"/room/{room}", bad)).ShouldHaveStatus(400);
        (await admin.SendAsync("PUT", $"/room/{room}", new JsonObject { ["image"] = 999_999_999 })).ShouldHaveStatus(406);

        async Task<long> UpdatesAsync() => (await admin.SendAsync("GET", $"/room/{room}")).ShouldBeJson().GetProperty("info_updates").GetInt64();
    }

    [Theory, Everywhere]
    [Section("communities.md", "6.2")]
    public async Task Permissions_MakeWhiteListsAndReadOnlyRooms(Store store, Transport via)
    {
        var (guest, stranger) = (await UserAsync(store, via), await UserAsync(store, via));
        var closed = await guest.RoomAsync("read", "accessible", "write", "upload");
        (await stranger.SendAsync("GET", $"/room/{closed}")).ShouldHaveStatus(404);
        (await stranger.SendAsync("GET", $"/room/{closed}/pollInfo/0")).ShouldHaveStatus(403);
        (await stranger.SendAsync("GET", $"/room/{closed}/messages/recent")).ShouldHaveStatus(403);
        await guest.AllowAsync(closed, "read", "write");
        var json = (await guest.SendAsync("GET", $"/room/{closed}")).ShouldBeJson();
        Assert.Equal((true, true, false), (json.GetProperty("read").GetBoolean(), json.GetProperty("write").GetBoolean(), json.GetProperty("upload").GetBoolean()));
        await guest.PostAsync(closed, "inside");
        (await guest.SendBytesAsync("POST", $"/room/{closed}/file", [1])).ShouldHaveStatus(403);
        Assert.DoesNotContain(await stranger.ListAsync("/rooms"), room => room.GetProperty("token").GetString() == closed);

        var quiet = await guest.RoomAsync("write");
        (await guest.SendAsync("POST", $"/room/{quiet}/message", guest.Draft("x"))).ShouldHaveStatus(403);
        Assert.Empty(await guest.ListAsync($"/room/{quiet}/messages/recent"));
        (await guest.SendBytesAsync("POST", $"/room/{quiet}/file", [1])).ShouldHaveStatus(403); // an upload needs both

        // Metadata only.
        var shown = await guest.RoomAsync("read", "write", "upload");
        (await stranger.SendAsync("GET", $"/room/{shown}")).ShouldHaveStatus(200);
        (await stranger.SendAsync("GET", $"/room/{shown}/messages/recent")).ShouldHaveStatus(403);
    }

    [Theory, Everywhere]
    [Section("communities.md", "7.1")]
    public async Task Post_IsAnsweredWithTheMessage_AndReadAsItWasSent(Store store, Transport via)
    {
        var (user, reader) = (await UserAsync(store, via), await UserAsync(store, via));
        var room = await user.RoomAsync();
        byte[] data = [.. "hello ☃"u8, 0x80, .. new byte[40]];
        var draft = user.Draft(data);
        draft["timestamp"] = 5; // unknown members do no harm
        var posted = (await user.SendAsync("POST", $"/room/{room}/message", draft)).ShouldBeJson(201);
        var id = posted.GetProperty("id").GetInt64();
        var read = (await reader.SendAsync("GET", $"/room/{room}/message/{id}")).ShouldBeJson();
        foreach (var message in new[] { posted, read })
        {
            Assert.Equal(["data", "id", "posted", "reactions", "seqno", "session_id", "signature"], message.Names());
            Assert.Equal((user.Id, id, "{}"), (message.GetProperty("session_id").GetString(), message.GetProperty("id").GetInt64(), message.GetProperty("reactions").GetRawText()));
            Assert.Equal(data, message.GetProperty("data").GetBytesFromBase64());
            Assert.True(Crypto.Verify(user.Blinded.Key, data, message.GetProperty("signature").GetBytesFromBase64()));
            Assert.InRange(message.GetProperty("posted").GetDouble() - user.Now, -60, 60);
        }

        Assert.True((await user.PostAsync(room, "next")).GetProperty("id").GetInt64() > id);
    }

    [Theory, Everywhere]
    [Section("communities.md", "7.4")]
    public async Task Post_OfBadInput_IsRefused_AndNothingIsPosted(Store store, Transport via)
    {
        var user = await UserAsync(store, via);
        var room = await user.RoomAsync();
        ShouldBeText(await user.SendAnonymouslyAsync("POST", $"/room/{room}/message", user.Draft("x")), 401, "X-SOGS-* request authentication required");
        foreach (var change in (Action<JsonObject>[])[
            draft => draft.Remove("data"), draft => draft.Remove("signature"), draft => draft["data"] = "*", draft => draft["data"] = 5,
            draft => draft["signature"] = Convert.ToBase64String(new byte[63]), draft => draft["files"] = "1", draft => draft["files"] = new JsonArray("x")])
        {
            var draft = user.Draft("never");
            change(draft);
            (await user.SendAsync("POST", $"/room/{room}/message", draft)).ShouldHaveStatus(400);
        }

        foreach (var body in (string[])["", "{", "[]", "null", "\"x\""])
            (await user.SendBytesAsync("POST", $"/room/{room}/message", Encoding.UTF8.GetBytes(body))).ShouldHaveStatus(400);
        var whisper = user.Draft("never");
        whisper["whisper_mods"] = true;
        (await user.SendAsync("POST", $"/room/{room}/message", whisper)).ShouldHaveStatus(403);
        (await user.SendAsync("POST", $"/room/{Nobody}/message", user.Draft("never"))).ShouldHaveStatus(404);
        Assert.DoesNotContain(await user.ListAsync($"/room/{room}/messages/recent"), message => message.GetProperty("session_id").GetString() == user.Id);
    }

    [Theory, Everywhere]
    [Section("communities.md", "7.4")]
    public async Task Post_TheSixthWithin16Seconds_Is429_ButNotForAdmins(Store store, Transport via)
    {
        var user = await UserAsync(store, via);
        var room = await user.RoomAsync();
        for (var i = 0; i < 5; i++)
            await user.PostAsync(room, "x");
        ShouldBeText(await user.SendAsync("POST", $"/room/{room}/message", user.Draft("x")), 429, "Rate limited");
        await user.GrantAsync(room, "admin");
        await user.PostAsync(room, "x");
    }

    [Theory, Everywhere]
    [Section("communities.md", "7.2")]
    public async Task EditsAndDeletions_CountOn_AndAreTheAuthors(Store store, Transport via)
    {
        var (alice, bob) = (await UserAsync(store, via), await UserAsync(store, via));
        var room = await alice.RoomAsync();
        var one = await alice.PostAsync(room, "one");
        var (id, first) = (one.GetProperty("id").GetInt64(), one.GetProperty("seqno").GetInt64());
        (await bob.SendAsync("PUT", $"/room/{room}/message/{id}", bob.Draft("mine"))).ShouldHaveStatus(403);
        (await bob.SendAsync("DELETE", $"/room/{room}/message/{id}")).ShouldHaveStatus(403);
        (await alice.SendAnonymouslyAsync("DELETE", $"/room/{room}/message/{id}")).ShouldHaveStatus(401);
        Assert.Equal("{}", (await alice.SendAsync("PUT", $"/room/{room}/message/{id}", alice.Draft("one, edited"))).Text);
        var edited = Since(await bob.ListAsync($"/room/{room}/messages/since/{first}?t=r"), id);
        Assert.Equal(("one, edited", first + 1, true), (Text(edited), edited.GetProperty("seqno").GetInt64(), edited.TryGetProperty("edited", out _)));

        Assert.Equal("{}", (await alice.SendAsync("DELETE", $"/room/{room}/message/{id}")).Text);
        foreach (var method in (string[])["PUT", "DELETE"])
            (await alice.SendAsync(method, $"/room/{room}/message/{id}", method is "PUT" ? alice.Draft("again") : null)).ShouldHaveStatus(404);
        (await alice.SendAsync("GET", $"/room/{room}/message/{id}")).ShouldHaveStatus(404);
        var tombstone = Since(await bob.ListAsync($"/room/{room}/messages/since/{first + 1}?t=r"), id);
        Assert.Equal((JsonValueKind.Null, true, first + 2), (tombstone.GetProperty("data").ValueKind, tombstone.GetProperty("deleted").GetBoolean(), tombstone.GetProperty("seqno").GetInt64()));
        Assert.False(tombstone.TryGetProperty("signature", out _) || tombstone.TryGetProperty("reactions", out _));
        // Who never saw it has nothing to delete.
        Assert.DoesNotContain(await bob.ListAsync($"/room/{room}/messages/since/{first - 1}"), row => row.GetProperty("id").GetInt64() == id);
    }

    [Theory, Everywhere]
    [Section("communities.md", "7.3")]
    public async Task Reading_IsOrderedLimitedAndPaged(Store store, Transport via)
    {
        var user = await UserAsync(store, via);
        var room = await user.RoomAsync();
        var posts = new List<JsonElement>();
        for (var i = 0; i < 4; i++)
            posts.Add(await user.PostAsync(room, $"{i}"));
        var ids = posts.Select(post => post.GetProperty("id").GetInt64()).ToArray();
        var start = posts[0].GetProperty("seqno").GetInt64() - 1;

        Assert.Equal(ids.Reverse().Take(2), Ids(await user.ListAsync($"/room/{room}/messages/recent?limit=2")));
        Assert.Equal(ids.Take(2).Reverse(), Ids(await user.ListAsync($"/room/{room}/messages/before/{ids[2]}?limit=2")));
        Assert.Equal(ids.Take(3), Ids(await user.ListAsync($"/room/{room}/messages/since/{start}?limit=3")));
        Assert.Equal(ids[3..], Ids(await user.ListAsync($"/room/{room}/messages/since/{posts[2].GetProperty("seqno").GetInt64()}")));
        Assert.Empty(await user.ListAsync($"/room/{room}/messages/since/{posts[3].GetProperty("seqno").GetInt64()}"));
        Assert.Single(await user.ListAsync($"/room/{room}/messages/recent?limit=0")); // moved into 1..256
        (await user.SendAsync("GET", $"/room/{room}/messages/recent?limit=9999")).ShouldHaveStatus(200);
        foreach (var path in (string[])["recent?limit=x", "since/x", "before/x"])
            (await user.SendAsync("GET", $"/room/{room}/messages/{path}")).ShouldHaveStatus(400);
        (await user.SendAsync("GET", $"/room/{room}/message/{ids[3] + 1_000_000}")).ShouldHaveStatus(404);
        Assert.Equal(ids, Ids(CommunityUser.List(await user.SendAnonymouslyAsync("GET", $"/room/{room}/messages/since/{start}")).Where(row => ids.Contains(row.GetProperty("id").GetInt64()))));
    }

    [Theory, Everywhere]
    [Section("communities.md", "7.5")]
    public async Task Reactions_AreAddedOnceListedAndRemoved(Store store, Transport via)
    {
        var (alice, bob) = (await UserAsync(store, via), await UserAsync(store, via));
        var room = await alice.RoomAsync();
        var post = await alice.PostAsync(room, "hello");
        var (id, sequence) = (post.GetProperty("id").GetInt64(), post.GetProperty("seqno").GetInt64());
        var path = $"/room/{room}/reaction/{id}/{Uri.EscapeDataString("🍍")}";
        Assert.Equal((true, sequence + 1), Added(await bob.SendAsync("PUT", path, new JsonObject())));
        Assert.Equal((false, sequence + 1), Added(await bob.SendAsync("PUT", path)));
        Assert.Equal((true, sequence + 2), Added(await alice.SendAsync("PUT", path)));

        var update = Since(await bob.ListAsync($"/room/{room}/messages/since/{sequence}?t=r&reactors=1"), id);
        Assert.Equal(["id", "reactions", "seqno"], update.Names()); // by these three clients know it
        var pineapple = update.GetProperty("reactions").GetProperty("🍍");
        Assert.Equal((0, 2, true), (pineapple.GetProperty("index").GetInt32(), pineapple.GetProperty("count").GetInt32(), pineapple.GetProperty("you").GetBoolean()));
        Assert.Equal([bob.Id], Strings(pineapple.GetProperty("reactors")));
        var whole = (await bob.SendAsync("GET", $"/room/{room}/message/{id}?reactors=0")).ShouldBeJson().GetProperty("reactions").GetProperty("🍍");
        Assert.False(whole.TryGetProperty("reactors", out _));
        // Without t=r a client has no use for it.
        Assert.DoesNotContain(await bob.ListAsync($"/room/{room}/messages/since/{sequence}"), row => row.GetProperty("id").GetInt64() == id);

        var removed = (await bob.SendAsync("DELETE", path)).ShouldBeJson();
        Assert.Equal((true, sequence + 3), (removed.GetProperty("removed").GetBoolean(), removed.GetProperty("seqno").GetInt64()));
        Assert.False((await bob.SendAsync("DELETE", path)).ShouldBeJson().GetProperty("removed").GetBoolean());
        (await bob.SendAsync("PUT", $"/room/{room}/reaction/{id}/{new string('x', 12)}")).ShouldHaveStatus(200);
        (await bob.SendAsync("PUT", $"/room/{room}/reaction/{id}/{new string('x', 13)}")).ShouldHaveStatus(400);
        (await bob.SendAsync("PUT", $"/room/{room}/reaction/{id + 1_000_000}/x")).ShouldHaveStatus(404);
        (await bob.SendAnonymouslyAsync("PUT", path)).ShouldHaveStatus(401);
        (await bob.SendAsync("DELETE", $"/room/{room}/reactions/{id}")).ShouldHaveStatus(403);
        await bob.GrantAsync(room, "moderator");
        Assert.Equal(2, (await bob.SendAsync("DELETE", $"/room/{room}/reactions/{id}")).ShouldBeJson().GetProperty("removed").GetInt32());

        static (bool, long) Added(Answer answer) => (answer.ShouldBeJson().GetProperty("added").GetBoolean(), answer.ShouldBeJson().GetProperty("seqno").GetInt64());
    }

    [Theory, Everywhere]
    [Section("communities.md", "8")]
    public async Task Files_AreUploadedAttachedAndDownloaded(Store store, Transport via)
    {
        var (user, reader) = (await UserAsync(store, via), await UserAsync(store, via));
        var room = await user.RoomAsync();
        foreach (var length in (int[])[1, 65_536, 300_001])
        {
            var bytes = RandomNumberGenerator.GetBytes(length);
            var id = (await user.SendBytesAsync("POST", $"/room/{room}/file", bytes)).ShouldBeJson(201).GetProperty("id").GetInt64();
            var draft = user.Draft("look");
            draft["files"] = new JsonArray(id, $"{id}", 999_999_999); // of these only what can be attached counts
            (await user.SendAsync("POST", $"/room/{room}/message", draft)).ShouldHaveStatus(201);
            foreach (var name in (string[])["", "/any.png"])
            {
                var reply = await reader.SendAsync("GET", $"/room/{room}/file/{id}{name}");
                reply.Should(reply is { Status: 200, ContentType: "application/octet-stream" }, "200 application/octet-stream");
                Assert.Equal(bytes, reply.Body);
            }
        }

        (await reader.SendAsync("GET", $"/room/{room}/file/999999999")).ShouldHaveStatus(404);
        (await user.SendAnonymouslyAsync("POST", $"/room/{room}/file")).ShouldHaveStatus(401);
    }

    [Theory, OnEveryStore]
    [Section("communities.md", "8")]
    public async Task File_Beyond10MB_Is413(Store store)
    {
        var user = await UserAsync(store, Transport.Direct);
        (await user.SendBytesAsync("POST", $"/room/{await user.RoomAsync()}/file", new byte[10_000_001])).ShouldHaveStatus(413);
    }

    [Theory, Everywhere]
    [Section("communities.md", "9")]
    public async Task DirectMessages_AreKeptForTheirRecipient(Store store, Transport via)
    {
        var (alice, bob) = (await UserAsync(store, via), await UserAsync(store, via));
        var message = new JsonObject { ["message"] = Convert.ToBase64String(RandomNumberGenerator.GetBytes(100)) }; // the server does not look inside
        (await alice.SendAsync("POST", $"/inbox/{bob.Id}", message)).ShouldHaveStatus(404); // never seen
        Assert.Empty(await bob.ListAsync("/inbox"));
        (await bob.SendAsync("GET", "/inbox/since/0")).ShouldHaveStatus(304);

        var sent = (await alice.SendAsync("POST", $"/inbox/{bob.Id}", message)).ShouldBeJson(201);
        Assert.Equal(["expires_at", "id", "posted_at", "recipient", "sender"], sent.Names());
        Assert.Equal((alice.Id, bob.Id), (sent.GetProperty("sender").GetString(), sent.GetProperty("recipient").GetString()));
        Assert.InRange(sent.GetProperty("expires_at").GetDouble() - sent.GetProperty("posted_at").GetDouble(), 1_295_999, 1_296_001); // 15 days
        var id = sent.GetProperty("id").GetInt64();
        foreach (var (reader, path) in new[] { (bob, "/inbox"), (bob, $"/inbox/since/{id - 1}"), (alice, "/outbox"), (alice, $"/outbox/since/{id - 1}") })
        {
            var row = Assert.Single(await reader.ListAsync(path));
            Assert.Equal(["expires_at", "id", "message", "posted_at", "recipient", "sender"], row.Names());
            Assert.Equal((id, message["message"]!.GetValue<string>()), (row.GetProperty("id").GetInt64(), row.GetProperty("message").GetString()));
        }

        var nothing = await bob.SendAsync("GET", $"/inbox/since/{id}");
        Assert.Equal((304, 0), (nothing.Status, nothing.Body.Length));
        (await alice.SendAsync("POST", $"/inbox/{bob.Id}", new JsonObject())).ShouldHaveStatus(400);
        (await alice.SendAsync("POST", $"/inbox/{bob.Id}", new JsonObject { ["message"] = "*" })).ShouldHaveStatus(400);
        foreach (var path in (string[])["/inbox", "/outbox", "/inbox/since/0"])
            (await alice.SendAnonymouslyAsync("GET", path)).ShouldHaveStatus(401);
        (await alice.SendAnonymouslyAsync("POST", $"/inbox/{bob.Id}", message)).ShouldHaveStatus(401);
        Assert.Equal(1, (await bob.SendAsync("DELETE", "/inbox")).ShouldBeJson().GetProperty("deleted").GetInt32());
        Assert.Empty(await bob.ListAsync("/inbox"));
    }

    [Theory, Everywhere]
    [Section("communities.md", "5")]
    public async Task Batch_AnswersEachPart_AndSequenceStopsAfterTheFirstFailure(Store store, Transport via)
    {
        var user = await UserAsync(store, via);
        var room = await user.RoomAsync();
        var draft = user.Draft("in a batch");
        JsonArray Parts() =>
        [
            new JsonObject { ["method"] = "GET", ["path"] = "/capabilities", ["headers"] = new JsonObject { ["X-SOGS-Pubkey"] = "ignored" } },
            new JsonObject { ["method"] = "POST", ["path"] = $"/room/{room}/message", ["json"] = draft.DeepClone() },
            new JsonObject { ["method"] = "POST", ["path"] = $"/room/{room}/message", ["bytes"] = draft.ToJsonString() },
            new JsonObject { ["method"] = "GET", ["path"] = $"/room/{Nobody}" },
            new JsonObject { ["method"] = "GET", ["path"] = "/inbox/since/0" },
            new JsonObject { ["method"] = "POST", ["path"] = $"/room/{room}/message", ["b64"] = Convert.ToBase64String(Encoding.UTF8.GetBytes(draft.ToJsonString())) },
        ];
        var replies = CommunityUser.List(await user.SendAsync("POST", "/batch", Parts()));
        Assert.Equal([200, 201, 201, 404, 304, 201], replies.Select(reply => reply.GetProperty("code").GetInt32()));
        Assert.All(replies[1..3], reply => Assert.Equal(user.Id, reply.GetProperty("body").GetProperty("session_id").GetString()));
        Assert.Equal("application/json", replies[0].GetProperty("headers").GetProperty("content-type").GetString());
        Assert.Equal(JsonValueKind.String, replies[3].GetProperty("body").ValueKind);
        Assert.Equal("", replies[4].GetProperty("body").GetString());
        Assert.Equal([200, 201, 201, 404], CommunityUser.List(await user.SendAsync("POST", "/sequence", Parts())).Select(reply => reply.GetProperty("code").GetInt32()));
    }

    [Theory, Everywhere]
    [Section("communities.md", "5")]
    public async Task Batch_WithAnyMalformedPart_IsRefusedWhole(Store store, Transport via)
    {
        var user = await UserAsync(store, via);
        var room = await user.RoomAsync();
        foreach (var bad in (JsonObject[])[
            [], new() { ["method"] = "PATCH", ["path"] = "/x" }, new() { ["method"] = "GET", ["path"] = "x" }, new() { ["method"] = "GET" },
            new() { ["method"] = "POST", ["path"] = "/x" }, new() { ["method"] = "GET", ["path"] = "/x", ["b64"] = "" },
            new() { ["method"] = "DELETE", ["path"] = "/x", ["json"] = 1 }, new() { ["method"] = "POST", ["path"] = "/x", ["json"] = 1, ["bytes"] = "" },
            new() { ["method"] = "POST", ["path"] = "/x", ["b64"] = "*" }])
        {
            var good = new JsonObject { ["method"] = "POST", ["path"] = $"/room/{room}/message", ["json"] = user.Draft("never") };
            (await user.SendAsync("POST", "/batch", new JsonArray(good, bad))).ShouldHaveStatus(400);
        }

        (await user.SendAsync("POST", "/batch", new JsonObject())).ShouldHaveStatus(400);
        (await user.SendBytesAsync("POST", "/sequence", "{"u8.ToArray())).ShouldHaveStatus(400);
        Assert.DoesNotContain(await user.ListAsync($"/room/{room}/messages/recent"), message => message.GetProperty("session_id").GetString() == user.Id);
    }

    [Theory, Everywhere]
    [Section("communities.md", "10")]
    public async Task Moderators_BanPurgeAndUnban(Store store, Transport via)
    {
        var (moderator, user) = (await UserAsync(store, via), await UserAsync(store, via));
        var room = await user.RoomAsync();
        var body = new JsonObject { ["rooms"] = new JsonArray(room) };
        await user.PostAsync(room, "spam");
        (await moderator.SendAsync("POST", $"/user/{user.Id}/ban", body)).ShouldHaveStatus(403);
        await moderator.GrantAsync(room, "moderator");
        var replies = CommunityUser.List(await moderator.SendAsync("POST", "/sequence", new JsonArray(
            new JsonObject { ["method"] = "POST", ["path"] = $"/user/{user.Id}/ban", ["json"] = body.DeepClone() },
            new JsonObject { ["method"] = "DELETE", ["path"] = $"/room/{room}/all/{user.Id}" })));
        Assert.Equal([200, 200], replies.Select(reply => reply.GetProperty("code").GetInt32()));
        Assert.Empty(await moderator.ListAsync($"/room/{room}/messages/recent"));
        (await user.SendAsync("GET", $"/room/{room}")).ShouldHaveStatus(404);
        (await user.SendAsync("GET", $"/room/{room}/messages/recent")).ShouldHaveStatus(403);
        (await user.SendAsync("POST", $"/room/{room}/message", user.Draft("more"))).ShouldHaveStatus(403);
        (await moderator.SendAsync("DELETE", $"/room/{room}/all/{user.Id}")).ShouldHaveStatus(404);
        Assert.Equal("{}", (await moderator.SendAsync("POST", $"/user/{user.Id}/unban", body)).Text);
        Assert.Equal("{}", (await moderator.SendAsync("POST", $"/user/{user.Id}/unban", body)).Text);
        (await user.SendAsync("GET", $"/room/{room}")).ShouldHaveStatus(200);

        // By the Session ID, which a moderator may know.
        (await moderator.SendAsync("POST", $"/user/{user.SessionId}/ban", new JsonObject { ["rooms"] = new JsonArray(room), ["timeout"] = 3600 })).ShouldHaveStatus(200);
        (await user.SendAsync("GET", $"/room/{room}")).ShouldHaveStatus(404);

        (await moderator.SendAsync("POST", $"/user/{moderator.Id}/ban", body)).ShouldHaveStatus(403);
        (await moderator.SendAsync("POST", $"/user/{user.Id}/ban", new JsonObject { ["rooms"] = new JsonArray(room, Nobody) })).ShouldHaveStatus(403);
        (await moderator.SendAsync("POST", $"/user/{user.Id}/ban", new JsonObject { ["global"] = true })).ShouldHaveStatus(403);
        foreach (var bad in (JsonObject[])[[], new() { ["rooms"] = new JsonArray(room), ["global"] = true }, new() { ["rooms"] = room }, new() { ["rooms"] = new JsonArray() },
            new() { ["rooms"] = new JsonArray(room), ["timeout"] = "x" }])
            (await moderator.SendAsync("POST", $"/user/{user.Id}/ban", bad)).ShouldHaveStatus(400);
    }

    [Theory, Everywhere]
    [Section("communities.md", "10")]
    public async Task Admins_MakeAndUnmakeModerators(Store store, Transport via)
    {
        var (admin, user) = (await UserAsync(store, via), await UserAsync(store, via));
        var room = await admin.RoomAsync();
        await admin.GrantAsync(room, "admin");
        (await user.SendAsync("GET", "/rooms")).ShouldHaveStatus(200); // from here on the server knows the blinded id
        (await user.SendAsync("POST", $"/user/{user.Id}/moderator", Change(true, true))).ShouldHaveStatus(403);
        var before = (await admin.SendAsync("GET", $"/room/{room}")).ShouldBeJson().GetProperty("info_updates").GetInt64();
        var made = (await admin.SendAsync("POST", $"/user/{user.SessionId}/moderator", Change(true, true))).ShouldBeJson();
        Assert.Equal(before + 1, made.GetProperty("info_updates").GetProperty(room).GetInt64());
        var json = (await user.SendAsync("GET", $"/room/{room}")).ShouldBeJson();
        Assert.Equal(new[] { admin.Id, user.Id }.Order(StringComparer.Ordinal), Strings(json.GetProperty("admins")));
        Assert.True(json.GetProperty("admin").GetBoolean() && json.GetProperty("moderator").GetBoolean() && json.GetProperty("default_read").GetBoolean());

        (await admin.SendAsync("POST", $"/user/{user.Id}/moderator", Change(null, false))).ShouldHaveStatus(200); // an admin becomes a moderator
        json = (await user.SendAsync("GET", $"/room/{room}")).ShouldBeJson();
        Assert.Equal([user.Id], Strings(json.GetProperty("moderators")));
        Assert.False(json.TryGetProperty("admin", out _));
        (await admin.SendAsync("POST", $"/user/{user.Id}/moderator", Change(false, true))).ShouldHaveStatus(400);
        (await admin.SendAsync("POST", $"/user/{user.Id}/moderator", Change(null, null))).ShouldHaveStatus(400);
        (await admin.SendAsync("POST", $"/user/{user.Id}/moderator", Change(false, false))).ShouldHaveStatus(200);
        Assert.False((await user.SendAsync("GET", $"/room/{room}")).ShouldBeJson().TryGetProperty("moderator", out _));

        JsonObject Change(bool? moderator, bool? isAdmin) => new()
        {
            ["rooms"] = new JsonArray(room),
            ["global"] = false,
            ["visible"] = true,
            ["moderator"] = moderator,
            ["admin"] = isAdmin,
        };
    }

    [Theory, OnEveryStore]
    [Section("communities.md", "2.2")]
    public async Task MalformedV4Plaintext_IsToldInside_AndWhatCannotBeOpenedIsA400(Store store)
    {
        var user = await UserAsync(store, Transport.Direct);
        foreach (var plaintext in (string[])["", "{}", "le", """l55:{"method":"GET","endpoint":"capabilities","headers":{}}e""", "l2:{}1:a1:be"])
            ShouldBeText(await user.Door.PostV4Async(Encoding.ASCII.GetBytes(plaintext)), 400, "Invalid v4 onion request");
        foreach (var cipher in (string?[])[null, "aes-gcm", "gcm", "xchacha20", "xchacha20-poly1305"])
            (await user.Door.PostV4Async("""l45:{"method":"GET","endpoint":"/capabilities"  }e"""u8.ToArray(), cipher)).ShouldHaveStatus(200);
        foreach (var body in (byte[][])[[], [1], [255, 255, 255, 255, 1], Onion.Pack(new byte[64], "{}"), Onion.Pack(new byte[64], $$"""{"ephemeral_key":"{{new string('0', 64)}}"}""")])
            (await user.Network.PostAsync(new(user.Door.Url, "/oxen/v4/lsrpc"), body, "a bad envelope")).ShouldHaveStatus(400);
    }

    private async Task<CommunityUser> UserAsync(Store store, Transport via) => new(await NetworkAsync(store), via);

    private static void ShouldBeText(Answer answer, int status, string text) => answer.Should(
        answer.Status == status && answer.Text == text && answer.ContentType is CommunityUser.TextType, string.Create(CultureInfo.InvariantCulture, $"{status} {CommunityUser.TextType}: {text}"));

    private static string[] Strings(JsonElement list) => [.. list.EnumerateArray().Select(item => item.GetString()!)];

    private static IEnumerable<long> Ids(IEnumerable<JsonElement> messages) => messages.Select(message => message.GetProperty("id").GetInt64());

    private static JsonElement Since(JsonElement[] rows, long id) => Assert.Single(rows, row => row.GetProperty("id").GetInt64() == id);

    private static string Text(JsonElement message) => Encoding.UTF8.GetString(message.GetProperty("data").GetBytesFromBase64());
}
