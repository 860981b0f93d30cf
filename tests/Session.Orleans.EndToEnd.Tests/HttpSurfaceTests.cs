using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>Routes, headers and limits of a service node (storage-rpc.md, 14).</summary>
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
    [InlineData("GET", "/", "get / Not Found")]
    [InlineData("POST", "/", "post / Not Found")]
    [InlineData("GET", "/storage_rpc/v1", "get /storage_rpc/v1 Not Found")]
    [InlineData("PUT", "/storage_rpc/v1", "put /storage_rpc/v1 Not Found")]
    [InlineData("DELETE", "/onion_req/v2", "delete /onion_req/v2 Not Found")]
    [InlineData("GET", "/onion_req/v2", "get /onion_req/v2 Not Found")]
    [InlineData("GET", "/ping_test/v1", "get /ping_test/v1 Not Found")]
    [InlineData("POST", "/get_stats/v1", "post /get_stats/v1 Not Found")]
    [InlineData("OPTIONS", "/storage_rpc/v1", "options /storage_rpc/v1 Not Found")]
    [InlineData("POST", "/storage_rpc/v1/", "post /storage_rpc/v1/ Not Found")]
    [InlineData("POST", "/storage_rpc/v2", "post /storage_rpc/v2 Not Found")]
    [InlineData("POST", "/Storage_rpc/v1", "post /Storage_rpc/v1 Not Found")]
    [InlineData("POST", "/json_rpc", "post /json_rpc Not Found")]
    [InlineData("POST", "/onion_req/v1", "post /onion_req/v1 Not Found")]
    public async Task AnythingElse_IsNotFound(string verb, string path, string expected)
    {
        var reply = await _network.SendAsync(new(verb), new(_network.Nodes[1].Url, path), verb is "GET" ? null : "x"u8.ToArray());

        AssertReply(reply, 404, "text/plain", "1.1");
        Assert.Equal(expected, reply.Text);
    }

    [Fact]
    public async Task Head_OfAnything_IsNotFoundWithoutABody()
    {
        var reply = await _network.SendAsync(HttpMethod.Head, new(_network.Nodes[1].Url, "/get_stats/v1"));

        Assert.Equal((404, "text/plain", 0), (reply.Status, reply.Header("Content-Type"), reply.Bytes.Length));
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

    [Theory]
    [InlineData("/storage_rpc/v1")]
    [InlineData("/onion_req/v2")]
    public async Task LongPoll_IsGone(string path)
    {
        var reply = await _network.SendAsync(HttpMethod.Post, new(_network.Nodes[1].Url, path), Encoding.UTF8.GetBytes(Info),
            change: request => request.Headers.Add("X-Loki-Long-Poll", "1"));

        AssertReply(reply, 410, "text/plain", "1.1");
        Assert.Equal("long polling is no longer supported, client upgrade required", reply.Text);
    }

    [Fact]
    public async Task LongPoll_WithAnEmptyHeader_IsOrdinary()
    {
        var reply = await _network.SendAsync(HttpMethod.Post, new(_network.Nodes[1].Url, "/storage_rpc/v1"), Encoding.UTF8.GetBytes(Info),
            change: request => request.Headers.TryAddWithoutValidation("X-Loki-Long-Poll", ""));

        Assert.Equal(200, reply.Status);
    }

    [Theory]
    [InlineData("/storage_rpc/v1", 10_485_761)]
    [InlineData("/onion_req/v2", 10_485_761)]
    [InlineData("/onion_req/v2", long.MaxValue)]
    public async Task ContentLengthOverTheLimit_IsRefusedBeforeABodyIsSent(string path, long length)
    {
        var answer = await RawAsync(string.Create(CultureInfo.InvariantCulture, $"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"));

        Assert.StartsWith("HTTP/1.1 413 Payload Too Large\r\n", answer, StringComparison.Ordinal);
        Assert.Contains("Connection: close\r\n", answer, StringComparison.Ordinal);
        Assert.Contains("Server: Oxen Storage Server/2.8.0\r\n", answer, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\nRequest body too large", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ChunkedBodyOverTheLimit_IsRefused()
    {
        using var body = new StreamContent(new MemoryStream(new byte[10_485_761]));
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_network.Nodes[1].Url, "/storage_rpc/v1")) { Content = body };
        request.Headers.TransferEncodingChunked = true;
        using var response = await _network.Http.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        Assert.Equal("Request body too large", await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task ChunkedBody_IsReadLikeAnyOther()
    {
        var reply = await _network.SendAsync(HttpMethod.Post, new(_network.Nodes[1].Url, "/storage_rpc/v1"), Encoding.UTF8.GetBytes(Info),
            change: request => request.Headers.TransferEncodingChunked = true);

        Assert.Equal(200, reply.Status);
    }

    [Theory]
    [InlineData(10_485_760)]
    [InlineData(300_000)]
    public async Task BodyUpToTheLimit_IsRead(int length)
    {
        var reply = await _network.PostAsync(new(_network.Nodes[1].Url, "/storage_rpc/v1"), Encoding.UTF8.GetBytes(Info.PadRight(length)));

        Assert.Equal(200, reply.Status);
    }

    [Fact]
    public async Task ContentLengthThatIsNoNumber_ClosesTheConnection()
    {
        var answer = await RawAsync("POST /storage_rpc/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 400 Bad Request\r\n", answer, StringComparison.Ordinal);
        Assert.Contains("Connection: close\r\n", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task KeepAlive_ServesManyRequestsOnOneConnection()
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, _network.Nodes[1].Url.Port, TestContext.Current.CancellationToken);
        await using var tls = await SecureAsync(client);
        var request = Encoding.ASCII.GetBytes($"POST /storage_rpc/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: {Info.Length}\r\n\r\n{Info}");
        for (var i = 0; i < 5; i++)
        {
            await tls.WriteAsync(request, TestContext.Current.CancellationToken);
            var answer = await ReadOneAsync(tls);
            Assert.StartsWith("HTTP/1.1 200 OK\r\n", answer, StringComparison.Ordinal);
            Assert.DoesNotContain("Connection: close", answer, StringComparison.OrdinalIgnoreCase);
        }
    }

    [Fact]
    public async Task ContentTypeOfTheRequest_DoesNotMatter()
    {
        var reply = await _network.SendAsync(HttpMethod.Post, new(_network.Nodes[1].Url, "/storage_rpc/v1"), Encoding.UTF8.GetBytes(Info),
            change: request => request.Content!.Headers.ContentType = new("image/png"));

        Assert.Equal(200, reply.Status);
    }

    [Fact]
    public async Task Replies_HaveNoCorsHeaders()
    {
        var reply = await _network.SendAsync(HttpMethod.Post, new(_network.Nodes[1].Url, "/storage_rpc/v1"), Encoding.UTF8.GetBytes(Info),
            change: request => request.Headers.Add("Origin", "https://example.org"));

        Assert.DoesNotContain(reply.Headers, header => header.Key.StartsWith("Access-Control", StringComparison.OrdinalIgnoreCase));
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

    /// <summary>Sends bytes over TLS and returns the answer to them.</summary>
    private async Task<string> RawAsync(string request)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, _network.Nodes[1].Url.Port);
        await using var tls = await SecureAsync(client);
        await tls.WriteAsync(Encoding.ASCII.GetBytes(request));
        return await ReadOneAsync(tls);
    }

    private static async Task<SslStream> SecureAsync(TcpClient client)
    {
#pragma warning disable CA5359 // the node's certificate is self-signed
        var tls = new SslStream(client.GetStream(), leaveInnerStreamOpen: false, (_, _, _, _) => true);
#pragma warning restore CA5359
        await tls.AuthenticateAsClientAsync("localhost");
        return tls;
    }

    private static async Task<string> ReadOneAsync(SslStream tls)
    {
        var text = new StringBuilder();
        var buffer = new byte[4096];
        while (true)
        {
            var read = await tls.ReadAsync(buffer).AsTask().WaitAsync(TimeSpan.FromSeconds(10));
            text.Append(Encoding.ASCII.GetString(buffer, 0, read));
            var answer = text.ToString();
            var end = answer.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            const string LengthHeader = "Content-Length: ";
            Assert.True(read > 0, "The connection ended in mid-answer: " + answer);
            if (end < 0)
                continue;
            var at = answer.IndexOf(LengthHeader, StringComparison.Ordinal) + LengthHeader.Length;
            var length = int.Parse(answer[at..answer.IndexOf('\r', at)], CultureInfo.InvariantCulture);
            if (answer.Length >= end + 4 + length)
                return answer;
        }
    }
}

/// <summary>A network below the hard fork that storage needs.</summary>
public sealed class NotReadyTests
{
    [Fact]
    public async Task Nodes_BelowHardFork193_AreNotReady()
    {
        await using var process = await TestnetProcess.StartAsync(options: "--hard-fork 19.2 --ephemeral", nodes: 3);
        using var network = new TestNetwork(process);
        const string Expected = "Service node is not ready: not yet on hardfork 19.3\n";

        foreach (var path in (string[])["/storage_rpc/v1", "/onion_req/v2"])
        {
            var reply = await network.PostAsync(new(network.Nodes[0].Url, path), "{}"u8.ToArray());
            Assert.Equal((503, "text/plain", Expected), (reply.Status, reply.Header("Content-Type"), reply.Text));
        }

        Assert.Equal(200, (await network.PostAsync(new(network.Nodes[0].Url, "/ping_test/v1"), [])).Status);
        Assert.Equal(200, (await network.SendAsync(HttpMethod.Get, new(network.Nodes[0].Url, "/get_stats/v1"))).Status);
    }
}
