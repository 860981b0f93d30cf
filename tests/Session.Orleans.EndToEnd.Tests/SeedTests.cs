using System.Text;
using System.Text.Json;
using Session.Orleans.Client;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>The seed node's JSON-RPC (network.md, 1).</summary>
[Collection(SharedNetwork.Name)]
public sealed class SeedTests(NetworkFixture fixture)
{
    private readonly TestNetwork _network = fixture.Network;

    [Theory]
    [InlineData("get_n_service_nodes")]
    [InlineData("get_service_nodes")]
    [InlineData("get_all_service_nodes")]
    public async Task NodeList_UnderEveryName_IsWhatADesktopClientAccepts(string method)
    {
        var reply = await CallAsync($$$$"""
            {"jsonrpc":"2.0","id":0,"method":"{{{{method}}}}","params":{"active_only":true,"fields":{"public_ip":true,"storage_port":true,
             "pubkey_x25519":true,"pubkey_ed25519":true,"requested_unlock_height":true,"height":true}}}
            """);

        Assert.Equal(200, reply.Status);
        Assert.Equal("application/json", reply.Header("Content-Type"));
        Assert.Equal("2.0", reply.Json.GetProperty("jsonrpc").GetString());
        Assert.Equal(0, reply.Json.GetProperty("id").GetInt32());
        var result = reply.Json.GetProperty("result");
        Assert.Equal(["height", "service_node_states", "status"], Names(result));
        Assert.Equal("OK", result.GetProperty("status").GetString());
        Assert.Equal(JsonValueKind.Number, result.GetProperty("height").ValueKind);
        var nodes = result.GetProperty("service_node_states").EnumerateArray().ToArray();
        Assert.Equal(_network.Nodes.Count, nodes.Length);
        Assert.All(nodes, node =>
        {
            Assert.Equal(["pubkey_ed25519", "pubkey_x25519", "public_ip", "requested_unlock_height", "storage_port"], Names(node));
            Assert.Equal("127.0.0.1", node.GetProperty("public_ip").GetString());
            Assert.Equal(0, node.GetProperty("requested_unlock_height").GetInt64());
            var known = _network.Nodes.Single(other => other.Ed25519.ToString() == node.GetProperty("pubkey_ed25519").GetString());
            Assert.Equal(known.X25519.ToString(), node.GetProperty("pubkey_x25519").GetString());
            Assert.Equal(known.Url.Port, node.GetProperty("storage_port").GetInt32());
        });
    }

    [Fact]
    public async Task Fields_AsAListAndAsAnObject_MeanTheSame()
    {
        var list = await ResultAsync("""{"fields":["public_ip","storage_port","block_hash"]}""");
        var @object = await ResultAsync("""{"fields":{"public_ip":true,"storage_port":true,"block_hash":true,"height":false}}""");

        Assert.Equal(["block_hash", "service_node_states", "status"], Names(list));
        Assert.Equal(Names(list), Names(@object));
        Assert.Equal(["public_ip", "storage_port"], Names(list.GetProperty("service_node_states")[0]));
        Assert.Equal(
            list.GetProperty("service_node_states").GetRawText(), @object.GetProperty("service_node_states").GetRawText());
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"fields":[]}""")]
    [InlineData("""{"fields":{}}""")]
    [InlineData("""{"fields":null}""")]
    [InlineData("""{"fields":["all"]}""")]
    [InlineData("""{"fields":{"all":true}}""")]
    public async Task Fields_NotNamed_AreAllSent(string parameters)
    {
        var result = await ResultAsync(parameters);

        string[] network = ["height", "target_height", "block_hash", "hardfork", "snode_revision", "status"];
        Assert.Empty(network.Except(Names(result)));
        string[] node =
        [
            "service_node_pubkey", "pubkey_ed25519", "pubkey_x25519", "public_ip", "storage_port", "storage_lmq_port", "swarm_id", "swarm", "funded",
            "active", "registration_height", "state_height", "requested_unlock_height",
        ];
        Assert.Empty(node.Except(Names(result.GetProperty("service_node_states")[0])));
        Assert.Equal((19, 4), (result.GetProperty("hardfork").GetInt32(), result.GetProperty("snode_revision").GetInt32()));
    }

    [Fact]
    public async Task Fields_AllWithoutOne_OmitThatOne()
    {
        var result = await ResultAsync("""{"fields":["all","-swarm","-height"]}""");

        Assert.DoesNotContain("height", Names(result));
        Assert.DoesNotContain("swarm", Names(result.GetProperty("service_node_states")[0]));
        Assert.Contains("swarm_id", Names(result.GetProperty("service_node_states")[0]));
    }

    [Fact]
    public async Task NodeList_OfAll_AgreesWithTheSwarmsOfTheDescription()
    {
        var result = await ResultAsync("""{"fields":["pubkey_ed25519","swarm","swarm_id","funded","active"]}""");

        Assert.All(result.GetProperty("service_node_states").EnumerateArray(), node =>
        {
            var known = _network.Nodes.Single(other => other.Ed25519.ToString() == node.GetProperty("pubkey_ed25519").GetString());
            Assert.Equal(known.Swarm, node.GetProperty("swarm").GetString());
            Assert.Equal(Convert.ToUInt64(known.Swarm, 16), node.GetProperty("swarm_id").GetUInt64());
            Assert.True(node.GetProperty("funded").GetBoolean());
            Assert.True(node.GetProperty("active").GetBoolean());
        });
    }

    [Theory]
    [InlineData(0, 32)]
    [InlineData(1, 1)]
    [InlineData(5, 5)]
    [InlineData(32, 32)]
    [InlineData(1000, 32)]
    [InlineData(-1, 32)]
    public async Task Limit_OfN_GivesThatManyDifferentNodes(int limit, int expected)
    {
        var result = await ResultAsync($$"""{"limit":{{limit}},"fields":["pubkey_ed25519"]}""");

        var keys = Keys(result);
        Assert.Equal(expected, keys.Length);
        Assert.Equal(expected, keys.Distinct().Count());
    }

    [Fact]
    public async Task Limit_AskedAgain_DrawsOtherNodes()
    {
        var draws = new HashSet<string>();
        for (var i = 0; i < 20; i++)
            draws.Add(string.Join(',', Keys(await ResultAsync("""{"limit":3,"fields":["pubkey_ed25519"]}"""))));

        Assert.True(draws.Count > 10, $"20 draws of 3 nodes gave only {draws.Count} different ones.");
    }

    [Fact]
    public async Task ServiceNodePubkeys_Given_SelectNodes()
    {
        var wanted = _network.Nodes.Skip(3).Take(2).Select(node => node.Ed25519.ToString()).ToArray();
        var result = await ResultAsync($$"""{"service_node_pubkeys":["{{wanted[0]}}","{{wanted[1]}}","{{new string('0', 64)}}"],"fields":["pubkey_ed25519"]}""");

        Assert.Equal(wanted.Order(), Keys(result).Order());
    }

    [Fact]
    public async Task PollBlockHash_OfTheTopBlock_GivesNoList()
    {
        // A block may come between the two questions, but not every time.
        for (var attempt = 0; ; attempt++)
        {
            var hash = (await ResultAsync("""{"fields":["block_hash"],"limit":1}""")).GetProperty("block_hash").GetString();
            var result = await ResultAsync($$"""{"fields":["height"],"poll_block_hash":"{{hash}}"}""");
            if (!result.GetProperty("unchanged").GetBoolean() && attempt < 3)
                continue;
            Assert.Equal(["block_hash", "height", "status", "unchanged"], Names(result));
            Assert.True(result.GetProperty("unchanged").GetBoolean());
            return;
        }
    }

    [Fact]
    public async Task PollBlockHash_OfAnotherBlock_GivesListAndHash()
    {
        var result = await ResultAsync($$"""{"fields":["height"],"poll_block_hash":"{{new string('0', 64)}}"}""");

        Assert.Equal(["block_hash", "height", "service_node_states", "status", "unchanged"], Names(result));
        Assert.False(result.GetProperty("unchanged").GetBoolean());
        Assert.Equal(_network.Nodes.Count, result.GetProperty("service_node_states").GetArrayLength());
    }

    [Theory]
    [InlineData("""{"id":7,"method":"get_service_nodes"}""", "7")]
    [InlineData("""{"id":"a\"b","method":"get_service_nodes"}""", "\"a\\u0022b\"")]
    [InlineData("""{"id":null,"method":"get_service_nodes"}""", "null")]
    [InlineData("""{"method":"get_service_nodes"}""", "null")]
    [InlineData("""{"id":9,"method":"nothing"}""", "9")]
    [InlineData("""{"id":9}""", "9")]
    [InlineData("no json", "null")]
    public async Task Id_OfEveryAnswer_IsTheRequestsOrNull(string request, string expected) =>
        Assert.True(JsonElement.DeepEquals(JsonElement.Parse(expected), (await CallAsync(request)).Json.GetProperty("id")));

    [Theory]
    [InlineData("", -32700, "Parse error")]
    [InlineData("{", -32700, "Parse error")]
    [InlineData("""{"method":"get_service_nodes"} x""", -32700, "Parse error")]
    [InlineData("[]", -32600, "Invalid Request")]
    [InlineData("{}", -32600, "Invalid Request")]
    [InlineData("17", -32600, "Invalid Request")]
    [InlineData("""{"method":17}""", -32600, "Invalid Request")]
    [InlineData("""{"method":"get_info"}""", -32601, "Method not found")]
    [InlineData("""{"method":""}""", -32601, "Method not found")]
    [InlineData("""{"method":"get_service_nodes","params":[]}""", -32602, "Invalid params")]
    [InlineData("""{"method":"get_service_nodes","params":"x"}""", -32602, "Invalid params")]
    [InlineData("""{"method":"get_service_nodes","params":{"limit":"1"}}""", -32602, "Invalid params")]
    [InlineData("""{"method":"get_service_nodes","params":{"limit":1.5}}""", -32602, "Invalid params")]
    [InlineData("""{"method":"get_service_nodes","params":{"fields":17}}""", -32602, "Invalid params")]
    [InlineData("""{"method":"get_service_nodes","params":{"fields":[17]}}""", -32602, "Invalid params")]
    [InlineData("""{"method":"get_service_nodes","params":{"fields":{"height":1}}}""", -32602, "Invalid params")]
    [InlineData("""{"method":"get_service_nodes","params":{"active_only":1}}""", -32602, "Invalid params")]
    [InlineData("""{"method":"get_service_nodes","params":{"poll_block_hash":1}}""", -32602, "Invalid params")]
    [InlineData("""{"method":"get_service_nodes","params":{"service_node_pubkeys":"x"}}""", -32602, "Invalid params")]
    public async Task WrongRequest_IsAJsonRpcErrorWithStatus200(string request, int code, string message)
    {
        var reply = await CallAsync(request);

        Assert.Equal((200, "application/json"), (reply.Status, reply.Header("Content-Type")));
        Assert.Equal(["error", "id", "jsonrpc"], Names(reply.Json));
        var error = reply.Json.GetProperty("error");
        Assert.Equal((code, message), (error.GetProperty("code").GetInt32(), error.GetProperty("message").GetString()));
    }

    [Theory]
    [InlineData("""{"method":"\ud800"}""")]
    [InlineData("""{"id":"\ud800","method":"get_service_nodes"}""")]
    [InlineData("""{"\ud800":1,"method":"get_service_nodes"}""")]
    [InlineData("""{"method":"get_service_nodes","params":{"fields":["\ud800"]}}""")]
    [InlineData("""{"method":"get_service_nodes","params":{"fields":{"\ud800":true}}}""")]
    [InlineData("""{"method":"get_service_nodes","params":{"poll_block_hash":"\udc00"}}""")]
    public async Task RequestWithHalfASurrogatePair_IsAJsonRpcError(string request)
    {
        var reply = await CallAsync(request);

        Assert.Equal((200, -32700), (reply.Status, reply.Json.GetProperty("error").GetProperty("code").GetInt32()));
    }

    [Fact]
    public async Task RequestThatIsNotUtf8_IsAJsonRpcError()
    {
        foreach (var template in (string[])["""{"method":"@"}""", """{"id":"@","method":"get_service_nodes"}""", """{"@":1,"method":"get_service_nodes"}"""])
        {
            var bytes = Encoding.ASCII.GetBytes(template);
            bytes[Array.IndexOf(bytes, (byte)'@')] = 0xff;
            var reply = await _network.PostAsync(new(_network.Process.Seed, "/json_rpc"), bytes);
            Assert.Equal((200, -32700), (reply.Status, reply.Json.GetProperty("error").GetProperty("code").GetInt32()));
        }
    }

    [Fact]
    public async Task PlainHttp_OnTheSeedsPort_IsAnsweredToo()
    {
        var plain = new UriBuilder(_network.Process.Seed) { Scheme = "http" }.Uri;

        var reply = await _network.PostAsync(new(plain, "/json_rpc"), """{"method":"get_service_nodes","params":{"fields":["pubkey_ed25519"]}}"""u8.ToArray());

        Assert.Equal(200, reply.Status);
        Assert.Equal(_network.Nodes.Count, Keys(reply.Json.GetProperty("result")).Length);
    }

    [Fact]
    public async Task ContentTypeOfTheRequest_DoesNotMatter()
    {
        var reply = await _network.SendAsync(HttpMethod.Post, new(_network.Process.Seed, "/json_rpc"),
            """{"method":"get_service_nodes","params":{"limit":1}}"""u8.ToArray(), change: request => request.Content!.Headers.ContentType = null);

        Assert.Single(reply.Json.GetProperty("result").GetProperty("service_node_states").EnumerateArray());
    }

    [Fact]
    public async Task BodyOverAMebibyte_IsTooLarge()
    {
        var reply = await _network.PostAsync(new(_network.Process.Seed, "/json_rpc"), new byte[(1024 * 1024) + 1]);

        Assert.Equal((413, "Request body too large"), (reply.Status, reply.Text));
    }

    [Fact]
    public async Task SeedClient_OfTheLibrary_KnowsEveryNode()
    {
        var nodes = await SeedClient.GetServiceNodesAsync(_network.Http, _network.Process.Seed, TestContext.Current.CancellationToken);

        Assert.Equal(Sorted(_network.Nodes.Select(node => $"{node.Ed25519} {node.X25519} {node.Url}")),
            Sorted(nodes.Select(node => $"{node.Ed25519} {node.X25519} {node.Url}")));
    }

    private Task<Reply> CallAsync(string json) => _network.PostAsync(new(_network.Process.Seed, "/json_rpc"), Encoding.UTF8.GetBytes(json));

    private async Task<JsonElement> ResultAsync(string parameters) =>
        (await CallAsync($$"""{"method":"get_service_nodes","params":{{parameters}}}""")).Json.GetProperty("result");

    private static string[] Sorted(IEnumerable<string> texts) => [.. texts.Order(StringComparer.Ordinal)];

    private static string[] Names(JsonElement element) => [.. element.EnumerateObject().Select(member => member.Name).Order(StringComparer.Ordinal)];

    private static string[] Keys(JsonElement result) =>
        [.. result.GetProperty("service_node_states").EnumerateArray().Select(node => node.GetProperty("pubkey_ed25519").GetString()!)];
}
