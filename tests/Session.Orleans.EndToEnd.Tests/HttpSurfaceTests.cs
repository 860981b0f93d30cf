using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Session.Orleans.Client;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>The doors to a service node: its own port and the seed's, HTTP/1.1 and HTTP/2. The rules behind them are in the conformance suite.</summary>
[Collection(SharedNetwork.Name)]
public sealed class HttpSurfaceTests(NetworkFixture fixture)
{
    private const string Info = """{"method":"info","params":{}}""";

    private readonly TestNetwork _network = fixture.Network;

    /// <summary>Both doors to a node, in both versions of HTTP.</summary>
    public static TheoryData<bool, string> Doors => new() { { false, "1.1" }, { false, "2.0" }, { true, "1.1" }, { true, "2.0" } };

    [Theory, MemberData(nameof(Doors))]
    public async Task StorageRpc_ByEveryDoor_AnswersJson(bool byPath, string version)
    {
        var reply = await SendAsync(HttpMethod.Post, byPath, version, "/storage_rpc/v1", Info);

        AssertReply(reply, 200, "application/json", version);
        Assert.Equal([2, 8, 0], reply.Json.GetProperty("version").EnumerateArray().Select(part => part.GetInt32()));
        Assert.Equal([19, 4], reply.Json.GetProperty("hf").EnumerateArray().Select(part => part.GetInt32()));
        Assert.InRange(reply.Json.GetProperty("t").GetInt64(), TestNetwork.Now - 60_000, TestNetwork.Now + 60_000);
    }

    [Theory, MemberData(nameof(Doors))]
    public async Task StorageRpc_WrongByEveryDoor_AnswersText(bool byPath, string version)
    {
        var reply = await SendAsync(HttpMethod.Post, byPath, version, "/storage_rpc/v1", "nonsense");

        AssertReply(reply, 400, "text/plain", version);
        Assert.Equal("invalid json", reply.Text);
    }

    [Theory, MemberData(nameof(Doors))]
    public async Task OnionRequest_WrongByEveryDoor_AnswersText(bool byPath, string version)
    {
        var reply = await SendAsync(HttpMethod.Post, byPath, version, "/onion_req/v2", "abc");

        AssertReply(reply, 400, "text/plain", version);
        Assert.Equal("Error parsing onion request: Unexpected payload size; expected ciphertext size", reply.Text);
    }

    [Theory, MemberData(nameof(Doors))]
    public async Task PingTest_ByEveryDoor_NamesTheNodesKey(bool byPath, string version)
    {
        var reply = await SendAsync(HttpMethod.Post, byPath, version, "/ping_test/v1", "");

        AssertReply(reply, 200, "text/plain", version);
        Assert.Empty(reply.Bytes);
        // In this network the primary key is the Ed25519 key, as in every new registration.
        Assert.Equal(Convert.ToBase64String(_network.Nodes[1].Ed25519.AsSpan()), reply.Header("X-Oxen-Snode-Pubkey"));
    }

    [Theory, MemberData(nameof(Doors))]
    public async Task GetStats_ByEveryDoor_NamesTheVersion(bool byPath, string version)
    {
        var reply = await SendAsync(HttpMethod.Get, byPath, version, "/get_stats/v1", null);

        AssertReply(reply, 200, "application/json", version);
        Assert.Equal("""{"version":"2.8.0"}""", reply.Text);
    }

    [Theory]
    [InlineData("/snodes")]
    [InlineData("/snodes/")]
    [InlineData("/snodes/xyz/storage_rpc/v1")]
    [InlineData("/snodes/0000000000000000000000000000000000000000000000000000000000000000/storage_rpc/v1")]
    [InlineData("/snodes/0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("/storage_rpc/v1")]
    [InlineData("/health/live")]
    [InlineData("/v1/status")]
    public async Task SeedPort_AnythingElse_IsNotFound(string path)
    {
        var reply = await _network.SendAsync(HttpMethod.Post, new(_network.Process.Seed, path), "x"u8.ToArray());

        AssertReply(reply, 404, "text/plain", "1.1");
        Assert.Equal($"post {path} Not Found", reply.Text);
    }

    [Fact]
    public async Task SeedPort_ClientsThatLeaveWithoutAWord_AreNoError()
    {
        foreach (var reset in (bool[])[false, true, false, true])
        {
            using var client = new TcpClient();
            await client.ConnectAsync("127.0.0.1", _network.Process.Seed.Port, TestContext.Current.CancellationToken);
            client.LingerState = new(reset, 0); // a reset instead of an orderly end
        }

        // What comes after them has been accepted after them.
        for (var i = 0; i < 20; i++)
        {
            using var http = SessionHttp.Create(TimeSpan.FromSeconds(20));
            using var answer = await http.GetAsync(new Uri(_network.Process.Seed, "/nothing"), TestContext.Current.CancellationToken);
        }

        _network.Process.AssertNoErrors();
    }

    [Fact]
    public async Task SeedPort_KeyInUpperCase_NamesTheSameNode()
    {
        var url = new Uri(_network.Process.Seed, $"/snodes/{_network.Nodes[1].Ed25519.ToString().ToUpperInvariant()}/get_stats/v1");

        Assert.Equal(200, (await _network.SendAsync(HttpMethod.Get, url)).Status);
    }

    [Fact]
    public async Task EveryPort_IsTheNodeThatTheDescriptionNames()
    {
        foreach (var node in _network.Nodes)
        {
            foreach (var root in (string[])[node.Url.ToString(), node.PathUrl + "/"])
            {
                var reply = await _network.PostAsync(new(root + "ping_test/v1"), []);
                Assert.Equal(Convert.ToBase64String(node.Ed25519.AsSpan()), reply.Header("X-Oxen-Snode-Pubkey"));
            }
        }
    }

    private Task<Reply> SendAsync(HttpMethod method, bool byPath, string version, string path, string? body)
    {
        var node = _network.Nodes[1];
        return _network.SendAsync(method, byPath ? new(node.PathUrl + path) : new(node.Url, path), body is null ? null : Encoding.UTF8.GetBytes(body), Version.Parse(version));
    }

    private static void AssertReply(Reply reply, int status, string contentType, string version)
    {
        Assert.Equal((status, contentType, "Oxen Storage Server/2.8.0", version),
            (reply.Status, reply.Header("Content-Type"), reply.Header("Server"), reply.Version.ToString()));
        Assert.Equal(reply.Bytes.Length.ToString(CultureInfo.InvariantCulture), reply.Header("Content-Length"));
    }
}
