using System.Text;
using System.Text.Json;
using Session.Orleans.Client;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>The seed node beyond the rules of the conformance suite: odd input, and agreement with the network's description.</summary>
[Collection(SharedNetwork.Name)]
public sealed class SeedTests(NetworkFixture fixture)
{
    private readonly TestNetwork _network = fixture.Network;

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

    private static string[] Keys(JsonElement result) =>
        [.. result.GetProperty("service_node_states").EnumerateArray().Select(node => node.GetProperty("pubkey_ed25519").GetString()!)];
}
