using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Session.Orleans.Conformance.Harness;

namespace Session.Orleans.Conformance.Rules;

/// <summary>Routes, headers and limits of a service node.</summary>
[Section("storage-rpc.md", "14")]
public sealed class HttpRules(Networks networks) : RuleSet(networks)
{
    private const string Info = """{"method":"info","params":{}}""", Server = "Oxen Storage Server/2.8.0";

    [Theory]
    [OnEveryStore("POST", "/storage_rpc/v1", Info, 200, "application/json")]
    [OnEveryStore("POST", "/storage_rpc/v1", "nonsense", 400, "text/plain")]
    [OnEveryStore("POST", "/onion_req/v2", "abc", 400, "text/plain")]
    [OnEveryStore("POST", "/ping_test/v1", "", 200, "text/plain")]
    [OnEveryStore("GET", "/get_stats/v1", null, 200, "application/json")]
    [OnEveryStore("GET", "/nothing", null, 404, "text/plain")]
    public async Task EveryResponse_NamesTheServerAndItsTypeWithoutCharset(Store store, string method, string path, string? body, int status, string type)
    {
        var (answer, header) = await SendAsync(store, method, path, body);

        answer.Should((answer.Status, answer.ContentType, header("Server")) == (status, type, Server), $"{status}, Content-Type: {type}, Server: {Server}");
        answer.Should(header("Content-Length") == Text.Number(answer.Body.Length), "Content-Length of the body");
    }

    [Theory, OnEveryStore]
    public async Task PingTest_HasAnEmptyBodyAndTheNodesLegacyKey(Store store)
    {
        var network = await NetworkAsync(store);
        foreach (var node in network.Nodes)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(node.Url, "/ping_test/v1")) { Content = new ByteArrayContent([]) };
            var (answer, header) = await network.SendHttpAsync(request);
            answer.Should(answer.Status is 200 && answer.Body.Length == 0, "200 with an empty body");
            answer.Should(header("X-Oxen-Snode-Pubkey") == Convert.ToBase64String(Convert.FromHexString(node.LegacyHex)), $"X-Oxen-Snode-Pubkey: base64 of {node.LegacyHex}");
        }
    }

    [Theory, OnEveryStore]
    public async Task GetStats_NamesTheVersion(Store store) =>
        Assert.Equal("""{"version":"2.8.0"}""", (await SendAsync(store, "GET", "/get_stats/v1", null)).Answer.Text);

    [Theory]
    [OnEveryStore("GET", "/", "get / Not Found")]
    [OnEveryStore("POST", "/", "post / Not Found")]
    [OnEveryStore("GET", "/storage_rpc/v1", "get /storage_rpc/v1 Not Found")]
    [OnEveryStore("PUT", "/storage_rpc/v1", "put /storage_rpc/v1 Not Found")]
    [OnEveryStore("DELETE", "/onion_req/v2", "delete /onion_req/v2 Not Found")]
    [OnEveryStore("GET", "/onion_req/v2", "get /onion_req/v2 Not Found")]
    [OnEveryStore("GET", "/ping_test/v1", "get /ping_test/v1 Not Found")]
    [OnEveryStore("POST", "/get_stats/v1", "post /get_stats/v1 Not Found")]
    [OnEveryStore("OPTIONS", "/storage_rpc/v1", "options /storage_rpc/v1 Not Found")]
    [OnEveryStore("PATCH", "/onion_req/v2", "patch /onion_req/v2 Not Found")]
    [OnEveryStore("POST", "/storage_rpc/v1/", "post /storage_rpc/v1/ Not Found")]
    [OnEveryStore("POST", "/storage_rpc/v2", "post /storage_rpc/v2 Not Found")]
    [OnEveryStore("POST", "/Storage_rpc/v1", "post /Storage_rpc/v1 Not Found")]
    [OnEveryStore("POST", "/onion_req/v1", "post /onion_req/v1 Not Found")]
    public async Task AnythingElse_IsNotFound(Store store, string method, string path, string text) =>
        (await SendAsync(store, method, path, method is "GET" ? null : "x")).Answer.ShouldBe(404, text);

    [Theory, OnEveryStore]
    public async Task Head_IsNotFoundWithoutABody(Store store)
    {
        var (answer, _) = await SendAsync(store, "HEAD", "/get_stats/v1", null);

        answer.Should(answer is { Status: 404, ContentType: "text/plain", Body.Length: 0 }, "404 text/plain without a body");
    }

    [Theory, OnEveryStore]
    public async Task Certificate_IsSelfSignedRsa2048(Store store)
    {
        var network = await NetworkAsync(store);
        using var client = await ConnectAsync(network);
        await using var tls = await SecureAsync(client);
        using var certificate = new System.Security.Cryptography.X509Certificates.X509Certificate2(tls.RemoteCertificate!);

        Assert.Equal(certificate.Issuer, certificate.Subject);
        foreach (var part in (string[])["CN=localhost", "O=Oxen", "C=AU"])
            Assert.Contains(part, certificate.Subject, StringComparison.Ordinal);
        using var key = System.Security.Cryptography.X509Certificates.RSACertificateExtensions.GetRSAPublicKey(certificate);
        Assert.Equal(2048, key?.KeySize);
    }

    [Theory]
    [OnEveryStore("/storage_rpc/v1")]
    [OnEveryStore("/onion_req/v2")]
    public async Task LongPollHeader_IsGone(Store store, string path)
    {
        (await SendAsync(store, "POST", path, Info, request => request.Headers.Add("X-Loki-Long-Poll", "1"))).Answer
            .ShouldBe(410, "long polling is no longer supported, client upgrade required");
    }

    [Theory, OnEveryStore]
    public async Task LongPollHeader_Empty_IsOrdinary(Store store) =>
        (await SendAsync(store, "POST", "/storage_rpc/v1", Info, request => request.Headers.TryAddWithoutValidation("X-Loki-Long-Poll", ""))).Answer.ShouldBeJson();

    [Theory]
    [OnEveryStore("image/png")]
    [OnEveryStore("application/json; charset=utf-8")]
    [OnEveryStore("")]
    public async Task ContentTypeOfTheRequest_DoesNotMatter(Store store, string type) =>
        (await SendAsync(store, "POST", "/storage_rpc/v1", Info,
            request => request.Content!.Headers.ContentType = type.Length == 0 ? null : System.Net.Http.Headers.MediaTypeHeaderValue.Parse(type))).Answer.ShouldBeJson();

    [Theory, OnEveryStore]
    public async Task Replies_HaveNoCorsHeaders(Store store)
    {
        var (_, header) = await SendAsync(store, "POST", "/storage_rpc/v1", Info, request => request.Headers.Add("Origin", "https://example.org"));

        Assert.Null(header("Access-Control-Allow-Origin"));
    }

    [Theory]
    [OnEveryStore("/storage_rpc/v1", "10485761")]
    [OnEveryStore("/onion_req/v2", "10485761")]
    [OnEveryStore("/onion_req/v2", "9223372036854775807")]
    public async Task ContentLength_OverTheLimit_Is413AndTheConnectionCloses(Store store, string path, string length)
    {
        var answer = await RawAsync(store, $"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");

        AssertRaw(answer, "HTTP/1.1 413 Payload Too Large", "Request body too large");
    }

    [Theory]
    [OnEveryStore("/storage_rpc/v1", "many")]
    [OnEveryStore("/onion_req/v2", "-1")]
    [OnEveryStore("/storage_rpc/v1", "1x")]
    [OnEveryStore("/storage_rpc/v1", "0x10")]
    public async Task ContentLength_ThatIsNoNumber_Is400AndTheConnectionCloses(Store store, string path, string length)
    {
        var answer = await RawAsync(store, $"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");

        AssertRaw(answer, "HTTP/1.1 400 Bad Request", "invalid Content-Length");
    }

    [Theory]
    [OnEveryStore(10_485_760)]
    [OnEveryStore(300_000)]
    public async Task Body_UpToTheLimit_IsRead(Store store, int length) =>
        (await SendAsync(store, "POST", "/storage_rpc/v1", Info.PadRight(length))).Answer.ShouldBeJson();

    [Theory, OnEveryStore]
    public async Task Body_Chunked_IsReadUpToTheLimit(Store store)
    {
        (await SendAsync(store, "POST", "/storage_rpc/v1", Info, request => request.Headers.TransferEncodingChunked = true)).Answer.ShouldBeJson();
        (await SendAsync(store, "POST", "/storage_rpc/v1", Info.PadRight(10_485_761), request => request.Headers.TransferEncodingChunked = true)).Answer
            .ShouldBe(413, "Request body too large");
    }

    [Theory, OnEveryStore]
    public async Task KeepAlive_ServesManyRequestsOnOneConnection(Store store)
    {
        var network = await NetworkAsync(store);
        using var client = await ConnectAsync(network);
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

    [Theory]
    [OnEveryStore("POST /storage_rpc/v1", "nonsense", "400 Bad Request")]
    [OnEveryStore("GET /nothing", "", "404 Not Found")]
    [OnEveryStore("POST /storage_rpc/v1", Info, "200 OK")]
    public async Task StatusLine_HasTheReasonPhrase(Store store, string start, string body, string expected)
    {
        var answer = await RawAsync(store, $"{start} HTTP/1.1\r\nHost: x\r\nContent-Length: {Text.Number(body.Length)}\r\n\r\n{body}");

        Assert.StartsWith($"HTTP/1.1 {expected}\r\n", answer, StringComparison.Ordinal);
    }

    [Theory, OnEveryStore]
    public async Task StatusLine_Of421_HasTheReasonPhrase(Store store)
    {
        var mailbox = await MailboxAsync(store, Transport.Direct);
        var body = Mailbox.Request("store", mailbox.StoreOf("x"));

        var answer = await RawAsync(store, $"POST /storage_rpc/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: {Text.Number(body.Length)}\r\n\r\n{body}", mailbox.Stranger);

        Assert.StartsWith("HTTP/1.1 421 Misdirected Request\r\n", answer, StringComparison.Ordinal);
    }

    private async Task<(Answer Answer, Func<string, string?> Header)> SendAsync(
        Store store, string method, string path, string? body, Action<HttpRequestMessage>? change = null)
    {
        var network = await NetworkAsync(store);
        using var request = new HttpRequestMessage(new(method), new Uri(network.Nodes[0].Url, path));
        if (body is not null)
        {
            request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
            request.Content.Headers.ContentType = new("application/json");
        }

        change?.Invoke(request);
        return await network.SendHttpAsync(request, body?.TrimEnd() ?? "");
    }

    private static void AssertRaw(string answer, string statusLine, string body)
    {
        Assert.StartsWith(statusLine + "\r\n", answer, StringComparison.Ordinal);
        Assert.Contains("Connection: close\r\n", answer, StringComparison.OrdinalIgnoreCase);
        Assert.Contains($"Server: {Server}\r\n", answer, StringComparison.Ordinal);
        Assert.Contains("Content-Type: text/plain\r\n", answer, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\n" + body, answer, StringComparison.Ordinal);
    }

    /// <summary>Sends bytes over TLS and returns the answer to them.</summary>
    private async Task<string> RawAsync(Store store, string request, Node? node = null)
    {
        var network = await NetworkAsync(store);
        using var client = await ConnectAsync(network, node);
        await using var tls = await SecureAsync(client);
        await tls.WriteAsync(Encoding.ASCII.GetBytes(request), TestContext.Current.CancellationToken);
        return await ReadOneAsync(tls);
    }

    private static async Task<TcpClient> ConnectAsync(Network network, Node? node = null)
    {
        node ??= network.Nodes[0];
        var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Parse(node.Ip), node.Port, TestContext.Current.CancellationToken);
        return client;
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
            var at = answer.IndexOf(LengthHeader, StringComparison.OrdinalIgnoreCase) + LengthHeader.Length;
            var length = int.Parse(answer[at..answer.IndexOf('\r', at)], CultureInfo.InvariantCulture);
            if (answer.Length >= end + 4 + length)
                return answer;
        }
    }
}

/// <summary>Rules that show only in a network of another configuration, started for them.</summary>
[Section("storage-rpc.md", "11, 14")]
public sealed class ConfigurationRules
{
    [Fact]
    public async Task Nodes_BelowHardFork193_AreNotReady()
    {
        Networks.RequireOwnNetwork("one below hard fork 19.3");
        await using var process = await TestnetProcess.StartAsync(options: "--hard-fork 19.2 --ephemeral", nodes: 4);
        using var network = await Network.DiscoverAsync(process.Seed);
        const string Expected = "Service node is not ready: not yet on hardfork 19.3\n";

        foreach (var path in (string[])["/storage_rpc/v1", "/onion_req/v2"])
            (await network.PostAsync(new(network.Nodes[0].Url, path), "{}"u8.ToArray(), path)).ShouldBe(503, Expected);
        (await network.PostAsync(new(network.Nodes[0].Url, "/ping_test/v1"), [], "ping")).ShouldHaveStatus(200);
        using var stats = new HttpRequestMessage(HttpMethod.Get, new Uri(network.Nodes[0].Url, "/get_stats/v1"));
        (await network.SendHttpAsync(stats)).Answer.ShouldHaveStatus(200);
    }

    [Fact]
    [Section("onion-requests.md", "2, 7")]
    public async Task SmallOldNetwork_RefusesSeveralExpiries_LimitsDirectRequestsAlone_AndRefusesWhatItHasNoRoomFor()
    {
        Networks.RequireOwnNetwork("one below hard fork 19.4, with tight limits for its own machine");
        await using var server = await OutsideServer.StartAsync();
        await using var process = await TestnetProcess.StartAsync(options: "--hard-fork 19.3 --ephemeral", nodes: 4, environment: new Dictionary<string, string>
        {
            ["SESSION_RateLimit__Exempt__0"] = "10.0.0.0/8",
            ["SESSION_RateLimit__Burst"] = "20",
            ["SESSION_RateLimit__PerSecond"] = "1",
            ["SESSION_ServerRelay__AllowedHosts__0"] = $"127.0.0.1:{server.Port}",
            ["SESSION_Gateway__MaxConcurrentRequests"] = "1",
        });
        using var network = await Network.DiscoverAsync(process.Seed);
        Assert.Equal((19, 3), network.HardFork);
        const string NotActive = "expire: multi-expiry requests are not yet active on the network";
        foreach (var via in Enum.GetValues<Transport>())
        {
            var mailbox = new Mailbox(network, via, Account.Session());
            string[] hashes = [mailbox.Account.HashOf("a"u8), mailbox.Account.HashOf("b"u8)];
            long[] expiries = [mailbox.Now + Mailbox.Hour, mailbox.Now + Mailbox.Hour];
            (await mailbox.CallAsync("expire", mailbox.ExpireOf(hashes, "", expiries))).ShouldBe(403, NotActive);
            (await mailbox.CallAsync("expire", mailbox.ExpireOf(hashes, "", expiries).With("signature", mailbox.Account.Sign("")))).ShouldBe(403, NotActive);
            (await mailbox.CallAsync("expire", mailbox.ExpireOf(hashes, "", mailbox.Now - 75_000, mailbox.Now))).ShouldBe(401, "expire: timestamp should be >= current time");
            await mailbox.CallOkAsync("expire", mailbox.ExpireOf(hashes, "", expiries[0]));
        }

        const string Info = """{"method":"info","params":{}}""";
        var refused = new List<Answer>();
        for (var i = 0; i < 60; i++)
        {
            if (await network.SendAsync(network.Nodes[0], Transport.Direct, Info) is { Status: not 200 } answer)
                refused.Add(answer);
        }

        Assert.True(refused.Count > 20, $"Only {refused.Count} of 60 requests over the limit of 20 were refused.");
        Assert.All(refused, answer => answer.ShouldBe(429, "Too Many Requests\n"));
        foreach (var _ in Enumerable.Range(0, 40))
            (await network.SendAsync(network.Nodes[0], Transport.Onion, Info)).ShouldBeJson();

        var (arrived, leave) = (new TaskCompletionSource(), new TaskCompletionSource());
        var target = server.Serve((_, _) =>
        {
            arrived.SetResult();
            return leave.Task;
        });
        var request = Onion.Wrap([network.Nodes[0]], Onion.ToServer("127.0.0.1", server.Port, target));

        var first = network.PostOnionAsync(request);
        await arrived.Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        (await network.PostOnionAsync(network.Nodes[1], request.Body)).ShouldBe(503, "Server busy, try again later");
        await Network.WaitAsync("a direct request finds no room either", TimeSpan.FromSeconds(20), async () =>
            (await network.SendAsync(network.Nodes[1], Transport.Direct, Info)) is { Status: 503, Text: "Server busy, try again later" });

        leave.SetResult();
        (await first).ShouldHaveStatus(200);
    }
}
