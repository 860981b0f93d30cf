using System.Globalization;
using System.Text.Json;
using Session.Orleans.Conformance.Harness;

namespace Session.Orleans.Conformance.Rules;

/// <summary>The seed node's JSON-RPC.</summary>
[Section("network.md", "1")]
public sealed class SeedRules(Networks networks) : RuleSet(networks)
{
    [Theory]
    [OnEveryStore("get_n_service_nodes")]
    [OnEveryStore("get_service_nodes")]
    [OnEveryStore("get_all_service_nodes")]
    public async Task NodeList_UnderEveryName_IsWhatADesktopClientAccepts(Store store, string method)
    {
        var network = await NetworkAsync(store);
        var answer = await network.CallSeedAsync($$$$"""
            {"jsonrpc":"2.0","id":0,"method":"{{{{method}}}}","params":{"active_only":true,"fields":{"public_ip":true,"storage_port":true,
             "pubkey_x25519":true,"pubkey_ed25519":true,"requested_unlock_height":true,"height":true}}}
            """);

        answer.Should(answer.ContentType is "application/json", "Content-Type exactly application/json");
        var json = answer.ShouldBeJson();
        Assert.Equal(["id", "jsonrpc", "result"], json.Names());
        Assert.Equal((0, "2.0"), (json.GetProperty("id").GetInt32(), json.GetProperty("jsonrpc").GetString()));
        var result = json.GetProperty("result");
        Assert.Equal(["height", "service_node_states", "status"], result.Names());
        Assert.Equal("OK", result.GetProperty("status").GetString());
        Assert.Equal(JsonValueKind.Number, result.GetProperty("height").ValueKind);
        var nodes = result.GetProperty("service_node_states").EnumerateArray().ToArray();
        Assert.Equal(network.Nodes.Count, nodes.Length);
        Assert.All(nodes, node =>
        {
            Assert.Equal(["pubkey_ed25519", "pubkey_x25519", "public_ip", "requested_unlock_height", "storage_port"], node.Names());
            Assert.All((string[])["pubkey_ed25519", "pubkey_x25519"], name => Assert.Matches("^[0-9a-f]{64}$", node.GetProperty(name).GetString()));
            Assert.True(System.Net.IPAddress.TryParse(node.GetProperty("public_ip").GetString(), out _));
            Assert.InRange(node.GetProperty("storage_port").GetInt32(), 1, 65_535);
            Assert.True(node.GetProperty("requested_unlock_height").TryGetInt64(out _));
        });
    }

    [Theory, OnEveryStore]
    public async Task Fields_AsAListAndAsAnObject_MeanTheSame(Store store)
    {
        var list = await ResultAsync(store, """{"fields":["public_ip","storage_port","block_hash"]}""");
        var @object = await ResultAsync(store, """{"fields":{"public_ip":true,"storage_port":true,"block_hash":true,"height":false}}""");

        Assert.Equal(["block_hash", "service_node_states", "status"], list.Names());
        Assert.Equal(list.Names(), @object.Names());
        Assert.Equal(["public_ip", "storage_port"], list.GetProperty("service_node_states")[0].Names());
        Assert.Equal(["public_ip", "storage_port"], @object.GetProperty("service_node_states")[0].Names());
    }

    [Theory]
    [OnEveryStore("{}")]
    [OnEveryStore("""{"fields":[]}""")]
    [OnEveryStore("""{"fields":{}}""")]
    [OnEveryStore("""{"fields":["all"]}""")]
    [OnEveryStore("""{"fields":{"all":true}}""")]
    public async Task Fields_NotNamed_AreAllSent(Store store, string parameters)
    {
        var result = await ResultAsync(store, parameters);

        Assert.Empty(((string[])["height", "target_height", "block_hash", "hardfork", "snode_revision", "status"]).Except(result.Names()));
        string[] node =
        [
            "service_node_pubkey", "pubkey_ed25519", "pubkey_x25519", "public_ip", "storage_port", "storage_lmq_port", "swarm_id", "swarm", "funded",
            "active", "registration_height", "state_height", "requested_unlock_height",
        ];
        Assert.Empty(node.Except(result.GetProperty("service_node_states")[0].Names()));
        Assert.Matches("^[0-9a-f]{64}$", result.GetProperty("block_hash").GetString());
    }

    [Theory, OnEveryStore]
    public async Task Fields_AllWithoutOne_OmitThatOne(Store store)
    {
        var result = await ResultAsync(store, """{"fields":["all","-swarm","-height"]}""");

        Assert.DoesNotContain("height", result.Names());
        Assert.DoesNotContain("swarm", result.GetProperty("service_node_states")[0].Names());
        Assert.Contains("swarm_id", result.GetProperty("service_node_states")[0].Names());
    }

    [Theory, OnEveryStore]
    [Section("network.md", "2")]
    public async Task Records_NameTheSwarmInBothForms_AndAgreeWithTheNodes(Store store)
    {
        var result = await ResultAsync(store, """{"active_only":true}""");
        var network = await NetworkAsync(store);

        Assert.All(result.GetProperty("service_node_states").EnumerateArray(), node =>
        {
            Assert.Equal(node.GetProperty("swarm_id").GetUInt64().ToString("x", CultureInfo.InvariantCulture), node.GetProperty("swarm").GetString());
            Assert.True(node.GetProperty("funded").GetBoolean());
            Assert.True(node.GetProperty("active").GetBoolean());
        });
        Assert.Equal(network.HardFork, (result.GetProperty("hardfork").GetInt32(), result.GetProperty("snode_revision").GetInt32()));
    }

    [Theory]
    [OnEveryStore(0, int.MaxValue)]
    [OnEveryStore(1, 1)]
    [OnEveryStore(3, 3)]
    [OnEveryStore(100_000, int.MaxValue)]
    [OnEveryStore(-1, int.MaxValue)]
    public async Task Limit_OfN_GivesThatManyDifferentNodes(Store store, int limit, int expected)
    {
        var keys = Keys(await ResultAsync(store, $$"""{"active_only":true,"limit":{{limit}},"fields":["pubkey_ed25519"]}"""));

        Assert.Equal(Math.Min(expected, (await NetworkAsync(store)).Nodes.Count), keys.Length);
        Assert.Equal(keys.Length, keys.Distinct().Count());
    }

    [Theory, OnEveryStore]
    public async Task Limit_AskedAgain_DrawsOtherNodesAndOrders(Store store)
    {
        foreach (var limit in (int[])[3, -1])
        {
            var draws = new HashSet<string>();
            for (var i = 0; i < 20; i++)
                draws.Add(string.Join(',', Keys(await ResultAsync(store, $$"""{"limit":{{limit}},"fields":["pubkey_ed25519"]}"""))));
            Assert.True(draws.Count > 10, $"20 draws with limit {limit} gave only {draws.Count} different lists.");
        }
    }

    [Theory, OnEveryStore]
    public async Task ServiceNodePubkeys_SelectNodes(Store store)
    {
        var network = await NetworkAsync(store);
        var wanted = network.Nodes.Skip(1).Take(2).ToArray();
        var result = await ResultAsync(store, $$"""{"service_node_pubkeys":["{{wanted[0].LegacyHex}}","{{wanted[1].LegacyHex}}","{{new string('0', 64)}}"],"fields":["pubkey_ed25519"]}""");

        Assert.Equal(Text.Sorted(wanted.Select(node => node.Ed25519Hex)), Text.Sorted(Keys(result)));
    }

    [Theory, OnEveryStore]
    public async Task PollBlockHash_OfTheTopBlock_GivesNoList(Store store)
    {
        // A block may come between the two questions, but not every time.
        for (var attempt = 0; ; attempt++)
        {
            var hash = (await ResultAsync(store, """{"fields":["block_hash"],"limit":1}""")).GetProperty("block_hash").GetString();
            var result = await ResultAsync(store, $$"""{"fields":["height"],"poll_block_hash":"{{hash}}"}""");
            if (!result.GetProperty("unchanged").GetBoolean() && attempt < 3)
                continue;
            Assert.True(result.GetProperty("unchanged").GetBoolean());
            Assert.DoesNotContain("service_node_states", result.Names());
            Assert.Contains("height", result.Names());
            return;
        }
    }

    [Theory, OnEveryStore]
    public async Task PollBlockHash_OfAnotherBlock_GivesListAndHash(Store store)
    {
        var result = await ResultAsync(store, $$"""{"fields":["height"],"poll_block_hash":"{{new string('0', 64)}}"}""");

        Assert.Equal(["block_hash", "height", "service_node_states", "status", "unchanged"], result.Names());
        Assert.False(result.GetProperty("unchanged").GetBoolean());
    }

    [Theory]
    [OnEveryStore("""{"id":7,"method":"get_service_nodes","params":{"limit":1}}""", "7")]
    [OnEveryStore("""{"id":"a\"b","method":"get_service_nodes","params":{"limit":1}}""", "\"a\\u0022b\"")]
    [OnEveryStore("""{"id":null,"method":"get_service_nodes","params":{"limit":1}}""", "null")]
    [OnEveryStore("""{"method":"get_service_nodes","params":{"limit":1}}""", "null")]
    [OnEveryStore("""{"id":9,"method":"nothing"}""", "9")]
    [OnEveryStore("""{"id":9}""", "9")]
    [OnEveryStore("no json", "null")]
    public async Task Id_IsEchoedOrNull(Store store, string request, string expected) =>
        Assert.True(JsonElement.DeepEquals(JsonElement.Parse(expected), (await (await NetworkAsync(store)).CallSeedAsync(request)).ShouldBeJson().GetProperty("id")));

    [Theory]
    [OnEveryStore("", -32700, "Parse error")]
    [OnEveryStore("{", -32700, "Parse error")]
    [OnEveryStore("""{"method":"get_service_nodes"} x""", -32700, "Parse error")]
    [OnEveryStore("""{"method":"\ud800"}""", -32700, "Parse error")]
    [OnEveryStore("[]", -32600, "Invalid Request")]
    [OnEveryStore("{}", -32600, "Invalid Request")]
    [OnEveryStore("17", -32600, "Invalid Request")]
    [OnEveryStore("""{"method":17}""", -32600, "Invalid Request")]
    [OnEveryStore("""{"method":"get_info_of_nothing"}""", -32601, "Method not found")]
    [OnEveryStore("""{"method":""}""", -32601, "Method not found")]
    [OnEveryStore("""{"method":"get_service_nodes","params":[]}""", -32602, "Invalid params")]
    [OnEveryStore("""{"method":"get_service_nodes","params":"x"}""", -32602, "Invalid params")]
    [OnEveryStore("""{"method":"get_service_nodes","params":{"limit":"1"}}""", -32602, "Invalid params")]
    [OnEveryStore("""{"method":"get_service_nodes","params":{"fields":17}}""", -32602, "Invalid params")]
    [OnEveryStore("""{"method":"get_service_nodes","params":{"active_only":1}}""", -32602, "Invalid params")]
    [OnEveryStore("""{"method":"get_service_nodes","params":{"poll_block_hash":1}}""", -32602, "Invalid params")]
    [OnEveryStore("""{"method":"get_service_nodes","params":{"service_node_pubkeys":"x"}}""", -32602, "Invalid params")]
    public async Task Error_IsJsonRpcWithStatus200(Store store, string request, int code, string message)
    {
        var json = (await (await NetworkAsync(store)).CallSeedAsync(request)).ShouldBeJson();

        Assert.Equal(["error", "id", "jsonrpc"], json.Names());
        Assert.Equal((code, message), (json.GetProperty("error").GetProperty("code").GetInt32(), json.GetProperty("error").GetProperty("message").GetString()));
    }

    private async Task<JsonElement> ResultAsync(Store store, string parameters) =>
        (await (await NetworkAsync(store)).CallSeedAsync($$"""{"method":"get_service_nodes","params":{{parameters}}}""")).ShouldBeJson().GetProperty("result");

    private static string[] Keys(JsonElement result) =>
        [.. result.GetProperty("service_node_states").EnumerateArray().Select(node => node.GetProperty("pubkey_ed25519").GetString()!)];
}
