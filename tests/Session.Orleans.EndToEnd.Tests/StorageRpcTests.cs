using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>The storage RPC over real HTTPS, directly and inside an onion: both must say the same.</summary>
[Collection(SharedNetwork.Name)]
public sealed class StorageRpcTests(NetworkFixture fixture)
{
    private readonly TestNetwork _network = fixture.Network;

    /// <summary>The two ways to a node.</summary>
    public static TheoryData<Way> Ways => [Way.Direct, Way.Onion];

    [Theory, MemberData(nameof(Ways))]
    public async Task Store_ToAPublicInbox_IsSignedByEveryMemberAndRetrieved(Way way)
    {
        var account = new TestAccount();
        var swarm = await _network.SwarmOfAsync(account.Id);
        var request = account.Store("hello"u8.ToArray());

        var (status, stored) = await SendAsync(way, swarm[0], request);

        Assert.Equal(200, status);
        var hash = request.ComputeHash().ToString();
        var reply = JsonElement.Parse(stored);
        Assert.Equal(hash, reply.GetProperty("hash").GetString());
        var members = reply.GetProperty("swarm").EnumerateObject().ToArray();
        Assert.Equal(swarm.Select(node => node.Ed25519.ToString()).Order(StringComparer.Ordinal), members.Select(member => member.Name).Order(StringComparer.Ordinal));
        Assert.All(members, member =>
        {
            Assert.Equal(request.Expiry, member.Value.GetProperty("expiry").GetInt64());
            Assert.True(Ed25519.Verify(Convert.FromHexString(member.Name), Encoding.ASCII.GetBytes(hash), member.Value.GetProperty("signature").GetBytesFromBase64()));
        });

        // Another member has it too.
        (status, var retrieved) = await SendAsync(way, swarm[^1], account.Retrieve());
        Assert.Equal(200, status);
        var message = Assert.Single(JsonElement.Parse(retrieved).GetProperty("messages").EnumerateArray());
        Assert.Equal("hello"u8, message.GetProperty("data").GetBytesFromBase64());
        Assert.Equal((hash, request.Timestamp, request.Expiry),
            (message.GetProperty("hash").GetString(), message.GetProperty("timestamp").GetInt64(), message.GetProperty("expiration").GetInt64()));
        Assert.False(JsonElement.Parse(retrieved).GetProperty("more").GetBoolean());
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task Store_Again_SaysAlready(Way way)
    {
        var account = new TestAccount();
        var member = await _network.MemberForAsync(account.Id);
        var request = account.Store("twice"u8.ToArray());

        Assert.False(IsAlready(await SendAsync(way, member, request)));
        Assert.True(IsAlready(await SendAsync(way, member, request)));

        static bool IsAlready((int Status, string Body) reply) =>
            JsonElement.Parse(reply.Body).GetProperty("swarm").EnumerateObject()
                .All(entry => entry.Value.TryGetProperty("already", out var already) && already.ToString() is "True" or "1");
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task Store_ToAPrivateNamespace_NeedsASignature(Way way)
    {
        var account = new TestAccount();
        var member = await _network.MemberForAsync(account.Id);

        Assert.Equal((401, "store: signature required to store to namespace 2"),
            await SendAsync(way, member, account.Store("x"u8.ToArray(), 2) with { Authentication = null }));
        Assert.Equal((401, "store signature verification failed"),
            await SendAsync(way, member, account.Store("x"u8.ToArray(), 2) with { Authentication = account.Store("x"u8.ToArray(), 3).Authentication }));
        Assert.Equal(200, (await SendAsync(way, member, account.Store("x"u8.ToArray(), 2))).Status);
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task Store_WithAStaleClock_Is406(Way way)
    {
        var account = new TestAccount();
        var member = await _network.MemberForAsync(account.Id);

        Assert.Equal((406, "Timestamp error: check your clock"),
            await SendAsync(way, member, account.Store("x"u8.ToArray(), timestamp: TestNetwork.Now + 20_000)));
        Assert.Equal((406, "store signature timestamp too far from current time"),
            await SendAsync(way, member, account.Store("x"u8.ToArray(), 2, timestamp: TestNetwork.Now - 70_000)));
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task Store_WithABadLifetime_Is403(Way way)
    {
        var account = new TestAccount();
        var member = await _network.MemberForAsync(account.Id);
        var request = account.Store("x"u8.ToArray());

        foreach (var lifetime in (long[])[9_999, (14L * 86_400_000) + 1])
        {
            Assert.Equal((403, "Provided expiry/TTL is not valid."),
                await SendAsync(way, member, request with { Expiry = request.Timestamp + lifetime }));
        }
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task Store_ThatIsMalformed_Is400(Way way)
    {
        var account = new TestAccount();
        var member = await _network.MemberForAsync(account.Id);
        var large = account.Store(new byte[76_801]).ToNode();
        Assert.Equal((400, "invalid request: Message body exceeds maximum allowed length of 76800 bytes"), await SendAsync(way, member, large.ToJsonString()));

        (string Name, JsonNode? Value, string Text)[] cases =
        [
            ("pubkey", null, "Required field 'pubkey' missing"),
            ("pubkey", "05ab", "Pubkey must be 66 hex digits (33 bytes) long"),
            ("pubkey", 5, "Invalid value given for 'pubkey': expected string"),
            ("data", "***", "Invalid 'data' value: not base64 encoded"),
            ("timestamp", "soon", "Invalid value given for 'timestamp': \"soon\""),
            ("namespace", 70_000, "Invalid value given for 'namespace': value out of range"),
        ];
        foreach (var (name, value, text) in cases)
        {
            var request = account.Store("x"u8.ToArray()).ToNode();
            request["params"]![name] = value;
            Assert.Equal((400, "invalid request: " + text), await SendAsync(way, member, request.ToJsonString()));
        }
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task Framing_WhenWrong_IsNamed(Way way)
    {
        (string Request, string Text)[] cases =
        [
            ("", "invalid json"),
            ("{]", "invalid json"),
            ("[]", "invalid json: no `method` field"),
            ("{}", "invalid json: no `method` field"),
            ("""{"method":1}""", "invalid json: no `method` field"),
            ("""{"method":"info"}""", "invalid json: no `params` field"),
            ("""{"method":"info","params":[]}""", "invalid json: no `params` field"),
            ("""{"method":"fly","params":{}}""", "no method fly"),
        ];
        foreach (var (request, text) in cases)
            Assert.Equal((400, text), await SendAsync(way, _network.Nodes[1], request));
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task Retrieve_WithoutOrWithAWrongSignature_Is401(Way way)
    {
        var account = new TestAccount();
        var member = await _network.MemberForAsync(account.Id);
        Assert.Equal((401, "retrieve: request signature required"),
            await SendAsync(way, member, $$$"""{"method":"retrieve","params":{"pubkey":"{{{account.Id}}}"}}"""));
        Assert.Equal((400, "invalid request: Required field 'signature' missing"),
            await SendAsync(way, member, $$$"""{"method":"retrieve","params":{"pubkey":"{{{account.Id}}}","namespace":0}}"""));
        Assert.Equal((401, "retrieve signature verification failed"),
            await SendAsync(way, member, account.Retrieve() with { Authentication = account.Retrieve(3).Authentication }));
        // The signature of somebody else's key, who names his own.
        Assert.Equal((401, "retrieve signature verification failed"),
            await SendAsync(way, member, account.Retrieve() with { Authentication = new TestAccount().Retrieve().Authentication }));
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task Retrieve_WithAStaleTimestamp_Is406(Way way)
    {
        var account = new TestAccount();
        var member = await _network.MemberForAsync(account.Id);

        foreach (var offset in (int[])[-70_000, 70_000])
        {
            Assert.Equal((406, "retrieve timestamp too far from current time"),
                await SendAsync(way, member, account.Retrieve(timestamp: TestNetwork.Now + offset)));
        }
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task Retrieve_ByPages_GivesEveryMessageOnceInOrder(Way way)
    {
        var account = new TestAccount();
        var member = await _network.MemberForAsync(account.Id);
        var sent = new List<string>();
        for (var i = 0; i < 7; i++)
        {
            var request = account.Store(Encoding.UTF8.GetBytes($"message {i}"));
            Assert.Equal(200, (await SendAsync(way, member, request)).Status);
            sent.Add(request.ComputeHash().ToString());
        }

        var received = new List<string>();
        var more = true;
        while (more)
        {
            var last = received.Count == 0 ? (MessageHash?)null : Hash(received[^1]);
            var page = JsonElement.Parse((await SendAsync(way, member, account.Retrieve(lastHash: last, maxCount: 3))).Body);
            var hashes = page.GetProperty("messages").EnumerateArray().Select(message => message.GetProperty("hash").GetString()!).ToArray();
            more = page.GetProperty("more").GetBoolean();
            Assert.Equal(more ? 3 : 1, hashes.Length);
            received.AddRange(hashes);
        }

        Assert.Equal(sent, received);
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task WrongSwarm_Is421WithTheBodyOfGetSwarm(Way way)
    {
        var account = new TestAccount();
        var stranger = await _network.StrangerForAsync(account.Id);
        var member = await _network.MemberForAsync(account.Id);

        foreach (var request in (StorageRequest[])[account.Store("x"u8.ToArray()), account.Retrieve(), account.Retrieve(timestamp: 1_000_000_000)])
        {
            var (status, body) = await SendAsync(way, stranger, request);
            Assert.Equal(421, status);
            var (known, swarm) = await SendAsync(way, member, new GetSwarmRequest { Account = account.Id });
            Assert.Equal(200, known);
            AssertSameButTime(swarm, body);
        }
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task GetSwarm_UnderBothNamesAndSpellings_IsTheSame(Way way)
    {
        var account = new TestAccount();
        var replies = new List<string>();
        foreach (var method in (string[])["get_swarm", "get_snodes_for_pubkey"])
        {
            foreach (var parameter in (string[])["pubkey", "pubKey"])
            {
                var (status, body) = await SendAsync(way, _network.Nodes[2], $$$"""{"method":"{{{method}}}","params":{"{{{parameter}}}":"{{{account.Id}}}"}}""");
                Assert.Equal(200, status);
                replies.Add(body);
            }
        }

        Assert.All(replies, reply => AssertSameButTime(replies[0], reply));
        var first = JsonElement.Parse(replies[0]);
        var members = first.GetProperty("snodes").EnumerateArray().ToArray();
        Assert.All(members, member =>
        {
            var node = _network.Nodes.Single(other => other.Ed25519.ToString() == member.GetProperty("pubkey_ed25519").GetString());
            Assert.Equal(first.GetProperty("swarm").GetString(), node.Swarm);
            Assert.Equal(node.X25519.ToString(), member.GetProperty("pubkey_x25519").GetString());
            Assert.Equal(node.Url.Port, member.GetProperty("port_https").GetInt32());
            Assert.Equal(node.Url.Port.ToString(System.Globalization.CultureInfo.InvariantCulture), member.GetProperty("port").GetString());
            Assert.Equal(member.GetProperty("port_omq").GetInt32(), member.GetProperty("port_quic").GetInt32());
            Assert.Equal("127.0.0.1", member.GetProperty("ip").GetString());
            Assert.EndsWith(".snode", member.GetProperty("address").GetString(), StringComparison.Ordinal);
        });
        Assert.Equal(_network.Nodes.Count(node => node.Swarm == first.GetProperty("swarm").GetString()), members.Length);
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task Batch_WithGoodAndBad_AnswersAllInOrder(Way way)
    {
        var account = new TestAccount();
        var member = await _network.MemberForAsync(account.Id);
        var request = Meta("batch", account.Store("in a batch"u8.ToArray()), new InfoRequest(), account.Retrieve(timestamp: TestNetwork.Now - 100_000));

        var (status, body) = await SendAsync(way, member, request);

        Assert.Equal(200, status);
        var reply = JsonElement.Parse(body);
        Assert.Equal(["results"], reply.EnumerateObject().Select(entry => entry.Name));
        var results = reply.GetProperty("results").EnumerateArray().ToArray();
        Assert.Equal([200, 200, 406], results.Select(result => result.GetProperty("code").GetInt32()));
        Assert.Equal(43, results[0].GetProperty("body").GetProperty("hash").GetString()!.Length);
        Assert.Equal("retrieve timestamp too far from current time", results[2].GetProperty("body").GetString());
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task Sequence_StopsAfterTheFirstFailure(Way way)
    {
        var account = new TestAccount();
        var member = await _network.MemberForAsync(account.Id);
        var stale = account.Retrieve(timestamp: TestNetwork.Now - 100_000);

        var (status, body) = await SendAsync(way, member, Meta("sequence", account.Store("in a sequence"u8.ToArray()), account.Retrieve(), stale, new InfoRequest()));

        Assert.Equal(200, status);
        var results = JsonElement.Parse(body).GetProperty("results").EnumerateArray().ToArray();
        Assert.Equal([200, 200, 406], results.Select(result => result.GetProperty("code").GetInt32()));
        Assert.Single(results[1].GetProperty("body").GetProperty("messages").EnumerateArray()); // what the step before stored
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task Batch_ThatIsMalformed_Is400AsAWhole(Way way)
    {
        var account = new TestAccount();
        var member = await _network.MemberForAsync(account.Id);
        (string Requests, string Text)[] cases =
        [
            ("[]", "Invalid batch request: no valid \"requests\" field"),
            ("7", "Invalid batch request: no valid \"requests\" field"),
            ("[7]", "Invalid batch request: requests must be objects"),
            ("[{}]", "Invalid batch request: subrequests must have method/params keys"),
            ("""[{"method":"fly","params":{}}]""", "Invalid batch subrequest: invalid method \"fly\""),
            ("""[{"method":"batch","params":{"requests":[]}}]""", "Invalid batch subrequest: subrequests may not contain meta-requests"),
            ("[" + string.Join(',', Enumerable.Repeat("""{"method":"info","params":{}}""", 21)) + "]", "Invalid batch request: subrequest limit exceeded"),
        ];
        foreach (var (requests, text) in cases)
        {
            Assert.Equal((400, "invalid request: " + text),
                await SendAsync(way, member, $$$"""{"method":"batch","params":{"requests":{{{requests}}}}}"""));
        }
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task OxendRequest_ForTheNodeList_IsTheSeedsList(Way way)
    {
        var (status, body) = await SendAsync(way, _network.Nodes[3],
            """{"method":"oxend_request","params":{"endpoint":"get_service_nodes","params":{"active_only":true,"fields":{"pubkey_ed25519":true}}}}""");

        Assert.Equal(200, status);
        Assert.Equal(_network.Nodes.Select(node => node.Ed25519.ToString()).Order(StringComparer.Ordinal),
            JsonElement.Parse(body).GetProperty("result").GetProperty("service_node_states").EnumerateArray()
                .Select(node => node.GetProperty("pubkey_ed25519").GetString()!).Order(StringComparer.Ordinal));
        Assert.Equal((400, "invalid request: Invalid oxend endpoint 'stop_daemon'"),
            await SendAsync(way, _network.Nodes[3], """{"method":"oxend_request","params":{"endpoint":"stop_daemon"}}"""));
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task IfElse_OnTheHardFork_TakesTheBranch(Way way)
    {
        var (status, body) = await SendAsync(way, _network.Nodes[3],
            """{"method":"ifelse","params":{"if":{"hf_at_least":[19,3]},"then":{"method":"info","params":{}}}}""");

        Assert.Equal(200, status);
        var reply = JsonElement.Parse(body);
        Assert.True(reply.GetProperty("condition").GetBoolean());
        Assert.Equal(200, reply.GetProperty("result").GetProperty("code").GetInt32());
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task Delete_OfAStoredMessage_TakesItAway(Way way)
    {
        var account = new TestAccount();
        var member = await _network.MemberForAsync(account.Id);
        var stored = account.Store("to be deleted"u8.ToArray());
        Assert.Equal(200, (await SendAsync(way, member, stored)).Status);
        var delete = new DeleteRequest { Account = account.Id, Messages = [new(stored.ComputeHash())], Required = true };

        Assert.Equal((401, "delete_msgs signature verification failed"), await SendAsync(way, member, delete.SignWith(new TestAccount().Keys)));
        Assert.Equal(200, (await SendAsync(way, member, delete.SignWith(account.Keys))).Status);
        Assert.Equal(404, (await SendAsync(way, member, delete.SignWith(account.Keys))).Status);
        Assert.Empty(JsonElement.Parse((await SendAsync(way, member, account.Retrieve())).Body).GetProperty("messages").EnumerateArray());
    }

    private Task<(int Status, string Body)> SendAsync(Way way, Snode node, StorageRequest request) => SendAsync(way, node, request.ToJson());

    private async Task<(int Status, string Body)> SendAsync(Way way, Snode node, string request)
    {
        if (way is Way.Onion)
        {
            var inner = await _network.OnionRpcAsync(node, request);
            return (inner.Status, Encoding.UTF8.GetString(inner.Body.Span));
        }

        var reply = await _network.RpcAsync(node, request);
        Assert.Equal(reply.Status is 200 or 421 || reply.Text.StartsWith('{') ? "application/json" : "text/plain", reply.Header("Content-Type"));
        return (reply.Status, reply.Text);
    }

    private static string Meta(string method, params StorageRequest[] requests) => new JsonObject
    {
        ["method"] = method,
        ["params"] = new JsonObject { ["requests"] = new JsonArray([.. requests.Select(request => request.ToNode())]) },
    }.ToJsonString();

    private static void AssertSameButTime(string expected, string actual)
    {
        var (left, right) = (JsonNode.Parse(expected)!.AsObject(), JsonNode.Parse(actual)!.AsObject());
        Assert.True(left.Remove("t"));
        Assert.True(right.Remove("t"));
        Assert.Equal(left.ToJsonString(), right.ToJsonString());
    }

    private static MessageHash Hash(string text)
    {
        Assert.True(MessageHash.TryParse(Encoding.ASCII.GetBytes(text), out var hash));
        return hash;
    }
}

/// <summary>How a request gets to its node.</summary>
public enum Way
{
    Direct,
    Onion,
}
