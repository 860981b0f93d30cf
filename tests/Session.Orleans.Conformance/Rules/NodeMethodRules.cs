using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Session.Orleans.Conformance.Harness;

namespace Session.Orleans.Conformance.Rules;

/// <summary>info, get_swarm and oxend_request.</summary>
[Section("storage-rpc.md", "13")]
public sealed class NodeMethodRules(Networks networks) : RuleSet(networks)
{
    private const string Base32z = "ybndrfg8ejkmcpqxot1uwisza345h769";

    [Theory, Everywhere]
    public async Task Info_NamesTimeForkAndVersion(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        var json = await mailbox.CallOkAsync("info", new() { ["ignored"] = 1 });

        Assert.Equal(["hf", "t", "timestamp", "version"], json.Names());
        Assert.Equal("[2,8,0]", json.GetProperty("version").GetRawText());
        Assert.InRange(json.GetProperty("timestamp").GetInt64(), mailbox.Now - 30_000, mailbox.Now + 30_000);
    }

    [Theory]
    [Everywhere("get_swarm")]
    [Everywhere("get_snodes_for_pubkey")]
    public async Task GetSwarm_UnderBothNames_ListsTheMembersAsTheSeedDoes(Store store, Transport via, string method)
    {
        var mailbox = await MailboxAsync(store, via);

        var json = await mailbox.CallOkAsync(method, mailbox.Anonymous());

        Assert.Equal(["hf", "snodes", "swarm", "t"], json.Names());
        Assert.Equal(mailbox.Swarm[0].SwarmId.ToString("x", CultureInfo.InvariantCulture), json.GetProperty("swarm").GetString());
        var snodes = json.GetProperty("snodes").EnumerateArray().ToArray();
        Assert.Equal(mailbox.Swarm.Count, snodes.Length);
        Assert.All(snodes, snode =>
        {
            Assert.Equal(["address", "ip", "port", "port_https", "port_omq", "port_quic", "pubkey_ed25519", "pubkey_legacy", "pubkey_x25519"], snode.Names());
            var node = mailbox.Swarm.Single(other => other.Ed25519Hex == snode.GetProperty("pubkey_ed25519").GetString());
            Assert.Equal((node.LegacyHex, node.X25519Hex, node.Ip), (snode.GetProperty("pubkey_legacy").GetString(), snode.GetProperty("pubkey_x25519").GetString(), snode.GetProperty("ip").GetString()));
            Assert.Equal((Text.Number(node.Port), node.Port), (snode.GetProperty("port").GetString(), snode.GetProperty("port_https").GetInt32()));
            Assert.Equal((node.OmqPort, node.OmqPort), (snode.GetProperty("port_omq").GetInt32(), snode.GetProperty("port_quic").GetInt32()));
            Assert.Equal(ToBase32z(Convert.FromHexString(node.LegacyHex)) + ".snode", snode.GetProperty("address").GetString());
        });
    }

    [Theory, Everywhere]
    public async Task OxendRequest_ForTheNodes_IsTheSeedsList(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var json = await mailbox.CallOkAsync("oxend_request", new()
        {
            ["endpoint"] = "get_service_nodes",
            ["params"] = JsonNode.Parse("""{"active_only":true,"fields":{"public_ip":true,"storage_port":true,"pubkey_x25519":true,"pubkey_ed25519":true}}"""),
        });

        Assert.Equal(["hf", "result", "t"], json.Names());
        var nodes = json.GetProperty("result").GetProperty("service_node_states").EnumerateArray().ToArray();
        Assert.Equal(mailbox.Network.Nodes.Count, nodes.Length);
        Assert.All(nodes, node =>
        {
            Assert.Equal(["pubkey_ed25519", "pubkey_x25519", "public_ip", "storage_port"], node.Names());
            var known = mailbox.Network.Nodes.Single(other => other.Ed25519Hex == node.GetProperty("pubkey_ed25519").GetString());
            Assert.Equal((known.X25519Hex, known.Ip, known.Port), (node.GetProperty("pubkey_x25519").GetString(), node.GetProperty("public_ip").GetString(), node.GetProperty("storage_port").GetInt32()));
        });
    }

    [Theory, Everywhere]
    public async Task OxendRequest_WithoutParams_IsTheWholeList(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var json = await mailbox.CallOkAsync("oxend_request", new() { ["endpoint"] = "get_service_nodes" });

        Assert.True(json.GetProperty("result").GetProperty("service_node_states").GetArrayLength() >= mailbox.Network.Nodes.Count);
    }

    [Theory]
    [Everywhere("get_info")]
    [Everywhere("stop_daemon")]
    [Everywhere("")]
    [Everywhere("GET_SERVICE_NODES")]
    public async Task OxendRequest_ForAnotherEndpoint_IsRefused(Store store, Transport via, string endpoint) =>
        (await (await MailboxAsync(store, via)).CallAsync("oxend_request", new() { ["endpoint"] = endpoint })).ShouldBeInvalid($"Invalid oxend endpoint '{endpoint}'");

    [Theory, Everywhere]
    public async Task OxendRequest_ThatTheChainRefuses_Is400(Store store, Transport via) =>
        (await (await MailboxAsync(store, via)).CallAsync("oxend_request", new() { ["endpoint"] = "ons_resolve", ["params"] = new JsonObject() })).ShouldHaveStatus(400);

    private static string ToBase32z(byte[] key)
    {
        // Most significant bit first, the last group filled with zeros on the right: 52 characters for 32 bytes.
        var bits = string.Concat(key.Select(octet => Convert.ToString(octet, 2).PadLeft(8, '0'))).PadRight(260, '0');
        return string.Concat(Enumerable.Range(0, 52).Select(i => Base32z[Convert.ToInt32(bits.Substring(i * 5, 5), 2)]));
    }
}

/// <summary>Requests made of others.</summary>
[Section("storage-rpc.md", "13")]
public sealed class MetaRequestRules(Networks networks) : RuleSet(networks)
{
    private const string Info = """{"method":"info","params":{}}""";

    [Theory]
    [Everywhere("batch")]
    [Everywhere("sequence")]
    public async Task Results_ComeInOrderWithCodeAndBody(Store store, Transport via, string method)
    {
        var mailbox = await MailboxAsync(store, via);

        var json = await mailbox.CallOkAsync(method, Of(Sub("store", mailbox.StoreOf("x")), Sub("info", []), Sub("get_swarm", mailbox.Anonymous())));

        Assert.Equal(["results"], json.Names());
        var results = json.GetProperty("results").EnumerateArray().ToArray();
        Assert.All(results, result => Assert.Equal(["body", "code"], result.Names()));
        Assert.Equal([200, 200, 200], results.Select(result => result.GetProperty("code").GetInt32()));
        Assert.Equal(mailbox.Account.HashOf("x"u8), results[0].GetProperty("body").GetProperty("hash").GetString());
        Assert.Equal("[2,8,0]", results[1].GetProperty("body").GetProperty("version").GetRawText());
        Assert.Equal(mailbox.Swarm.Count, results[2].GetProperty("body").GetProperty("snodes").GetArrayLength());
    }

    [Theory, Everywhere]
    public async Task Batch_WithAFailure_ReturnsAllWithStatus200(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        var results = (await mailbox.CallOkAsync("batch", Of(Sub("retrieve", mailbox.RetrieveOf(timestamp: mailbox.Now - 75_000)), Sub("info", []), Sub("retrieve", mailbox.Anonymous()))))
            .GetProperty("results");

        Assert.Equal([406, 200, 401], results.EnumerateArray().Select(result => result.GetProperty("code").GetInt32()));
        Assert.Equal("retrieve timestamp too far from current time", results[0].GetProperty("body").GetString());
        Assert.Equal("retrieve: request signature required", results[2].GetProperty("body").GetString());
    }

    [Theory, Everywhere]
    public async Task Sequence_StopsAfterTheFirstFailureWhichIsTheLastResult(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        var results = (await mailbox.CallOkAsync("sequence", Of(
            Sub("store", mailbox.StoreOf("x")), Sub("retrieve", mailbox.RetrieveOf(timestamp: mailbox.Now - 75_000)), Sub("store", mailbox.StoreOf("never")), Sub("info", []))))
            .GetProperty("results");

        Assert.Equal([200, 406], results.EnumerateArray().Select(result => result.GetProperty("code").GetInt32()));
        Assert.Equal([mailbox.Account.HashOf("x"u8)], await mailbox.HashesAsync());
    }

    [Theory, Everywhere]
    public async Task Sequence_RunsOneAfterAnother(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var first = mailbox.Account.HashOf("first"u8);

        var results = (await mailbox.CallOkAsync("sequence", Of(
            Sub("store", mailbox.StoreOf("first")), Sub("retrieve", mailbox.RetrieveOf()), Sub("delete", mailbox.DeleteOf([first])), Sub("store", mailbox.StoreOf("second")),
            Sub("retrieve", mailbox.RetrieveOf())))).GetProperty("results");

        Assert.Equal([first], Hashes(results[1]));
        Assert.Equal([mailbox.Account.HashOf("second"u8)], Hashes(results[4]));

        static string[] Hashes(JsonElement result) => [.. result.GetProperty("body").GetProperty("messages").EnumerateArray().Select(message => message.GetProperty("hash").GetString()!)];
    }

    [Theory, Everywhere]
    public async Task Sequence_StopsAtDeleteWithRequired404(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        var results = (await mailbox.CallOkAsync("sequence", Of(Sub("delete", mailbox.DeleteOf([mailbox.Account.HashOf("x"u8)]).With("required", true)), Sub("info", [])))).GetProperty("results");

        Assert.Equal(404, Assert.Single(results.EnumerateArray()).GetProperty("code").GetInt32());
        Assert.Equal(JsonValueKind.Object, results[0].GetProperty("body").ValueKind);
    }

    [Theory]
    [Everywhere("batch")]
    [Everywhere("sequence")]
    public async Task Requests_UpTo20_AreAllowed(Store store, Transport via, string method)
    {
        var mailbox = await MailboxAsync(store, via);

        var json = await mailbox.CallOkAsync(method, Of([.. Enumerable.Range(0, 20).Select(_ => Sub("info", []))]));
        Assert.Equal(20, json.GetProperty("results").GetArrayLength());
        (await mailbox.CallAsync(method, Of([.. Enumerable.Range(0, 21).Select(_ => Sub("info", []))]))).ShouldBeInvalid("Invalid batch request: subrequest limit exceeded");
    }

    [Theory]
    [Everywhere("{}", "Invalid batch request: no valid \"requests\" field")]
    [Everywhere("""{"requests":null}""", "Invalid batch request: no valid \"requests\" field")]
    [Everywhere("""{"requests":[]}""", "Invalid batch request: no valid \"requests\" field")]
    [Everywhere("""{"requests":{}}""", "Invalid batch request: no valid \"requests\" field")]
    [Everywhere("""{"requests":"info"}""", "Invalid batch request: no valid \"requests\" field")]
    [Everywhere("""{"requests":[7]}""", "Invalid batch request: requests must be objects")]
    [Everywhere("""{"requests":[null]}""", "Invalid batch request: requests must be objects")]
    [Everywhere("""{"requests":[{}]}""", "Invalid batch request: subrequests must have method/params keys")]
    [Everywhere("""{"requests":[{"method":"info"}]}""", "Invalid batch request: subrequests must have method/params keys")]
    [Everywhere("""{"requests":[{"method":1,"params":{}}]}""", "Invalid batch request: subrequests must have method/params keys")]
    [Everywhere("""{"requests":[{"method":"info","params":[]}]}""", "Invalid batch request: subrequests must have method/params keys")]
    [Everywhere("""{"requests":[{"method":"fly","params":{}}]}""", "Invalid batch subrequest: invalid method \"fly\"")]
    [Everywhere("""{"requests":[{"method":"batch","params":{"requests":[]}}]}""", "Invalid batch subrequest: subrequests may not contain meta-requests")]
    [Everywhere("""{"requests":[{"method":"sequence","params":{}}]}""", "Invalid batch subrequest: subrequests may not contain meta-requests")]
    [Everywhere("""{"requests":[{"method":"ifelse","params":{}}]}""", "Invalid batch subrequest: subrequests may not contain meta-requests")]
    [Everywhere("""{"requests":[{"method":"info","params":{}},{"method":"get_swarm","params":{}}]}""", "Required field 'pubkey' missing")]
    public async Task OneBadSubrequest_MakesTheWholeA400(Store store, Transport via, string parameters, string text)
    {
        var mailbox = await MailboxAsync(store, via);

        foreach (var method in (string[])["batch", "sequence"])
            (await mailbox.SendAsync($$"""{"method":"{{method}}","params":{{parameters}}}""")).ShouldBeInvalid(text);
    }

    [Theory]
    [Everywhere("""{"hf_at_least":[19,3]}""", true)]
    [Everywhere("""{"hf_at_least":[19]}""", true)]
    [Everywhere("""{"hf_at_least":19}""", true)]
    [Everywhere("""{"hf_at_least":[100]}""", false)]
    [Everywhere("""{"hf_at_least":[19,1000]}""", false)]
    [Everywhere("""{"hf_before":[19]}""", false)]
    [Everywhere("""{"hf_before":[100,0,7,8]}""", true)]
    [Everywhere("""{"v_at_least":[2]}""", true)]
    [Everywhere("""{"v_at_least":[2,8,0]}""", true)]
    [Everywhere("""{"v_at_least":[2,8,1]}""", false)]
    [Everywhere("""{"v_at_least":[2,7,99]}""", true)]
    [Everywhere("""{"v_before":[2,8]}""", false)]
    [Everywhere("""{"v_before":[2,8,1]}""", true)]
    [Everywhere("""{"v_before":[3]}""", true)]
    [Everywhere("""{"height_at_least":0}""", true)]
    [Everywhere("""{"height_at_least":1000000000000}""", false)]
    [Everywhere("""{"height_before":1000000000000}""", true)]
    [Everywhere("""{"height_before":-5}""", false)]
    [Everywhere("""{"hf_at_least":[19],"v_before":[2]}""", false)]
    [Everywhere("""{"hf_at_least":[19],"v_at_least":[2],"height_at_least":0}""", true)]
    [Everywhere("""{"hf_at_least":[],"v_at_least":[2]}""", true)]
    public async Task IfElse_TakesTheBranchOfTheCondition(Store store, Transport via, string condition, bool expected)
    {
        var mailbox = await MailboxAsync(store, via);

        var json = await mailbox.CallOkAsync("ifelse", new()
        {
            ["if"] = JsonNode.Parse(condition),
            ["then"] = Sub("info", []),
            ["else"] = Sub("get_swarm", mailbox.Anonymous()),
        });

        Assert.Equal(["condition", "height", "hf", "result", "v"], json.Names());
        Assert.Equal(expected, json.GetProperty("condition").GetBoolean());
        Assert.Equal("[2,8,0]", json.GetProperty("v").GetRawText());
        Assert.Equal(mailbox.Network.HardFork, (json.GetProperty("hf")[0].GetInt32(), json.GetProperty("hf")[1].GetInt32()));
        Assert.True(json.GetProperty("height").GetInt64() >= 0);
        Assert.Equal(["body", "code"], json.GetProperty("result").Names());
        Assert.Equal(expected, json.GetProperty("result").GetProperty("body").TryGetProperty("version", out _));
    }

    [Theory, Everywhere]
    public async Task IfElse_WithoutTheChosenBranch_HasNoResult(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        Assert.Equal(["condition", "height", "hf", "v"], (await IfElseAsync(mailbox, """{"if":{"hf_at_least":100},"then":@}""")).ShouldBeJson().Names());
        Assert.Equal(["condition", "height", "hf", "v"], (await IfElseAsync(mailbox, """{"if":{"hf_at_least":19},"else":@}""")).ShouldBeJson().Names());
    }

    [Theory, Everywhere]
    public async Task IfElse_MayBeNestedAndHoldBatches(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        var json = (await IfElseAsync(mailbox,
            """{"if":{"hf_at_least":19},"then":{"method":"ifelse","params":{"if":{"hf_before":19},"then":@,"else":{"method":"sequence","params":{"requests":[@,@]}}}}}""")).ShouldBeJson();

        var inner = json.GetProperty("result").GetProperty("body");
        Assert.False(inner.GetProperty("condition").GetBoolean());
        Assert.Equal(2, inner.GetProperty("result").GetProperty("body").GetProperty("results").GetArrayLength());
    }

    [Theory, Everywhere]
    public async Task IfElse_OfAFailingBranch_Is200WithItsCode(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        var result = (await IfElseAsync(mailbox, $$$$"""{"if":{"hf_at_least":19},"then":{"method":"retrieve","params":{"pubkey":"{{{{mailbox.Account.Hex}}}}"}}}""")).ShouldBeJson().GetProperty("result");

        Assert.Equal((401, "retrieve: request signature required"), (result.GetProperty("code").GetInt32(), result.GetProperty("body").GetString()));
    }

    [Theory]
    [Everywhere("{}", "Invalid ifelse request: no valid \"if\" field")]
    [Everywhere("""{"if":[],"then":@}""", "Invalid ifelse request: no valid \"if\" field")]
    [Everywhere("""{"if":null,"then":@}""", "Invalid ifelse request: no valid \"if\" field")]
    [Everywhere("""{"if":{},"then":@}""", "Invalid ifelse request: must specify at least one \"if\" condition")]
    [Everywhere("""{"if":{"other":1},"then":@}""", "Invalid ifelse request: must specify at least one \"if\" condition")]
    [Everywhere("""{"if":{"hf_at_least":[]},"then":@}""", "Invalid ifelse request: must specify at least one \"if\" condition")]
    [Everywhere("""{"if":{"hf_at_least":19}}""", "Invalid ifelse request: at least one of \"then\"/\"else\" required")]
    [Everywhere("""{"if":{"hf_at_least":19},"then":7}""", "Invalid ifelse request: then must be an object")]
    [Everywhere("""{"if":{"hf_at_least":19},"then":@,"else":[]}""", "Invalid ifelse request: else must be an object")]
    [Everywhere("""{"if":{"hf_at_least":19},"then":{"method":"info"}}""", "Invalid ifelse request: then must have method/params keys")]
    [Everywhere("""{"if":{"hf_at_least":19},"then":@,"else":{"params":{}}}""", "Invalid ifelse request: else must have method/params keys")]
    [Everywhere("""{"if":{"hf_at_least":19},"then":{"method":"fly","params":{}}}""", "Invalid ifelse request method \"then\"")]
    [Everywhere("""{"if":{"hf_at_least":19},"then":@,"else":{"method":"fly","params":{}}}""", "Invalid ifelse request method \"else\"")]
    [Everywhere("""{"if":{"hf_at_least":19},"then":@,"else":{"method":"get_swarm","params":{}}}""", "Required field 'pubkey' missing")]
    public async Task IfElse_Malformed_IsNamed(Store store, Transport via, string parameters, string text) =>
        (await IfElseAsync(await MailboxAsync(store, via), parameters)).ShouldBeInvalid(text);

    private static Task<Answer> IfElseAsync(Mailbox mailbox, string parameters) =>
        mailbox.SendAsync($$"""{"method":"ifelse","params":{{parameters.Replace("@", Info, StringComparison.Ordinal)}}}""");

    private static JsonObject Sub(string method, JsonObject parameters) => new() { ["method"] = method, ["params"] = parameters };

    private static JsonObject Of(params JsonObject[] requests) => new() { ["requests"] = new JsonArray([.. requests]) };
}
