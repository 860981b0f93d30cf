using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Session.Orleans.Protocol.FileServer;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>The file server as part of a network: sizes, restarts, other silos, limits and options. What each route answers is in the conformance suite.</summary>
[Collection(SharedNetwork.Name)]
public sealed class FileServerTests(NetworkFixture fixture)
{
    private const int MegaBytes10 = 10_000_000;

    private readonly TestNetwork _network = fixture.Network;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(OnionCipher.AesGcm, 1)]
    [InlineData(OnionCipher.XChaCha20, 3)]
    public async Task LargestFile_GoesThroughOnionsBothWays(OnionCipher cipher, int hops)
    {
        var server = FileServer.Of(_network);
        var bytes = RandomNumberGenerator.GetBytes(FileServerLimits.ClientMaxFileBytes);

        var upload = await server.OnionAsync(new("POST", "/file", new Dictionary<string, string>(), bytes), cipher, hops);
        Assert.Equal((200, "application/json"), (upload.Code, upload.Headers["content-type"]));
        var id = JsonElement.Parse(upload.Body.Span).GetProperty("id").GetString();
        var download = await server.OnionAsync(new("GET", "/file/" + id, new Dictionary<string, string>(), null), cipher, hops);

        Assert.Equal((200, "application/octet-stream"), (download.Code, download.Headers["content-type"]));
        Assert.True(download.Body.Span.SequenceEqual(bytes));
        Assert.Equal(bytes, (await _network.SendAsync(HttpMethod.Get, new(server.Url, "/file/" + id))).Bytes);
    }

    [Fact]
    public async Task FileOf10MegaBytes_GoesDirectlyOverHttpAndHttps()
    {
        var server = FileServer.Of(_network);
        var bytes = RandomNumberGenerator.GetBytes(MegaBytes10);
        var secure = new UriBuilder(server.Url) { Scheme = "https" }.Uri;
        var id = await server.UploadAsync(bytes);

        Assert.Equal(bytes, (await _network.SendAsync(HttpMethod.Get, new(secure, "/file/" + id))).Bytes);
        Assert.Equal(id, await server.UploadAsync(bytes, secure));
    }

    [Fact]
    public async Task TooLargeAFile_IsRefusedBeforeItIsSent()
    {
        var server = FileServer.Of(_network);
        using var client = await server.ConnectAsync($"POST /file HTTP/1.1\r\nHost: x\r\nContent-Length: {FileServerLimits.ClientMaxFileBytes + 1}\r\n\r\n");
        var reply = await ReadReplyAsync(client);
        Assert.StartsWith("HTTP/1.1 413 ", reply, StringComparison.Ordinal);
        Assert.EndsWith("""{"status_code":413}""", reply, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TooLargeAFileOfUnknownLength_IsRefusedWhereItIsTooLarge()
    {
        var server = FileServer.Of(_network);
        using var client = await server.ConnectAsync("POST /file HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        var reply = ReadReplyAsync(client);
        var chunk = Encoding.ASCII.GetBytes("10000\r\n" + new string('x', 0x10000) + "\r\n");
        var sent = 0L;
        while (!reply.IsCompleted && sent < 100_000_000)
        {
            try
            {
                await client.GetStream().WriteAsync(chunk, Cancel);
                sent += chunk.Length;
            }
            catch (IOException)
            {
                break; // the server has hung up
            }
        }

        Assert.StartsWith("HTTP/1.1 413 ", await reply, StringComparison.Ordinal);
        Assert.InRange(sent, FileServerLimits.ClientMaxFileBytes, 100_000_000);
    }

    [Fact]
    public async Task SlowUpload_IsBrokenOff()
    {
        var server = FileServer.Of(_network);
        using var client = await server.ConnectAsync("POST /file HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nfirst bytes");
        var reply = await ReadReplyAsync(client); // after ten seconds of grace
        Assert.StartsWith("HTTP/1.1 408 ", reply, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SlowOnion_IsBrokenOff()
    {
        var server = FileServer.Of(_network);
        using var client = await server.ConnectAsync("POST /oxen/v4/lsrpc HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nfirst bytes");
        var reply = await ReadReplyAsync(client);
        Assert.StartsWith("HTTP/1.1 408 ", reply, StringComparison.Ordinal);
    }

    [Fact]
    public Task AcknowledgedFile_SurvivesKill9() => KillAndReadAsync("");

    [Fact]
    public async Task AcknowledgedFile_SurvivesKill9WithRedis()
    {
        using var redis = await RedisServer.StartAsync();
        await KillAndReadAsync("--redis " + redis.ConnectionString);
    }

    [Fact]
    public async Task File_IsServedByEverySiloAndSurvivesTheLossOfOne()
    {
        using var redis = await RedisServer.StartAsync();
        var options = $"--redis {redis.ConnectionString} --network-secret \"one secret for both of them\" --no-omq";
        await using var first = await TestnetProcess.StartAsync(options: options, nodes: 3);
        await using var second = await TestnetProcess.StartAsync(options: options, nodes: 3);
        using var firstNetwork = new TestNetwork(first);
        using var secondNetwork = new TestNetwork(second);
        var (one, other) = (FileServer.Of(firstNetwork), FileServer.Of(secondNetwork));
        Assert.Equal(one.X25519, other.X25519);
        var bytes = RandomNumberGenerator.GetBytes(500_000);

        var id = await one.UploadAsync(bytes);
        await first.KillAsync();

        Assert.Equal(bytes, (await secondNetwork.SendAsync(HttpMethod.Get, new(other.Url, "/file/" + id))).Bytes);
        Assert.Equal(200, (await secondNetwork.SendAsync(HttpMethod.Post, new(other.Url, $"/file/{id}/extend"))).Status);
    }

    [Fact]
    public async Task Options_ChangeSizesTimesAndIds()
    {
        await using var process = await TestnetProcess.StartAsync(options: "--ephemeral --no-omq", nodes: 3, environment: new Dictionary<string, string>
        {
            ["SESSION_Files__MaxFileBytes"] = "20000000",
            ["SESSION_Files__TimeToLive"] = "00:01:00",
            ["SESSION_Files__MaxTimeToLive"] = "00:02:00",
            ["SESSION_Files__Ids"] = "Numeric",
            ["SESSION_Files__CleanUpInterval"] = "00:00:00.2",
            ["SESSION_Files__SessionVersion"] = "",
        });
        using var network = new TestNetwork(process);
        var server = FileServer.Of(network);

        var large = RandomNumberGenerator.GetBytes(20_000_000);
        var first = await server.UploadAsync(large);
        Assert.Matches("^[0-9]+$", first);
        Assert.NotEqual(first, await server.UploadAsync(large));
        Assert.Equal(large, (await network.SendAsync(HttpMethod.Get, new(server.Url, "/file/" + first))).Bytes);
        Assert.Equal(404, (await network.SendAsync(HttpMethod.Post, new(server.Url, $"/file/{first}/extend"))).Status);
        Assert.Equal(502, (await network.SendAsync(HttpMethod.Get, new(server.Url, "/session_version?platform=ios"))).Status);
        var old = await network.SendAsync(HttpMethod.Post, new(server.Url, "/files"), """{"file":"aGVsbG8"}"""u8.ToArray());
        Assert.Equal(JsonValueKind.Number, old.Json.GetProperty("result").ValueKind);

        foreach (var (ttl, status) in ((string, int)[])[("121", 400), ("-1", 400), ("1.5", 400), ("x", 400), ("", 400), ("120", 200), ("1", 200)])
        {
            var reply = await network.SendAsync(
                HttpMethod.Post, new(server.Url, "/file"), large[..100], change: request => request.Headers.TryAddWithoutValidation("X-FS-TTL", ttl));
            Assert.Equal((ttl, status), (ttl, reply.Status));
        }

        var brief = await network.SendAsync(HttpMethod.Post, new(server.Url, "/file"), large[..50], change: request => request.Headers.Add("X-FS-TTL", "1"));
        var id = brief.Json.GetProperty("id").GetString();
        Assert.InRange(brief.Json.GetProperty("expires").GetDouble() - (TestNetwork.Now / 1000.0), -5, 1.1);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while ((await network.SendAsync(HttpMethod.Get, new(server.Url, "/file/" + id))).Status != 404)
            await Task.Delay(100, limit.Token);
        process.AssertNoErrors();
    }

    [Fact]
    public async Task TransfersBeyondTheLimit_Are503AndItIsGivenBack()
    {
        await using var process = await TestnetProcess.StartAsync(options: "--ephemeral --no-omq", nodes: 3, environment: new Dictionary<string, string> { ["SESSION_Files__MaxTransfers"] = "1" });
        using var network = new TestNetwork(process);
        var server = FileServer.Of(network);
        var uploads = new List<IDisposable>();
        await WaitForAsync(503, async () =>
            // One that came while a question was being answered has itself been refused: so another one each time.
            uploads.Add(await server.ConnectAsync("POST /file HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nfirst bytes")));
        uploads.ForEach(upload => upload.Dispose());
        await WaitForAsync(404, () => Task.CompletedTask);

        async Task WaitForAsync(int status, Func<Task> before)
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            while (true)
            {
                await before();
                await Task.Delay(50, limit.Token);
                if ((await network.SendAsync(HttpMethod.Get, new(server.Url, "/file/1"))).Status == status)
                    return;
            }
        }
    }

    [Theory]
    [InlineData("--no-files")]
    [InlineData("--file-port 0")]
    public async Task NoFileServer_IsNotAnnouncedAndDoesNotListen(string option)
    {
        var noFiles = option is "--no-files";
        await using var process = await TestnetProcess.StartAsync(
            options: "--ephemeral --no-omq" + (noFiles ? " --no-files" : ""), nodes: 3, filePort: noFiles ? null : 0);
        Assert.Equal(JsonValueKind.Null, process.Description.GetProperty("fileServerUrl").ValueKind);
        Assert.Equal(JsonValueKind.Null, process.Description.GetProperty("fileServerX25519").ValueKind);
        using var client = new TcpClient();
        await Assert.ThrowsAsync<SocketException>(async () => await client.ConnectAsync("127.0.0.1", process.FirstPort + 3, Cancel));
    }

    [Theory]
    [InlineData("Files__MaxFileBytes", "0", "Files:MaxFileBytes")]
    [InlineData("Files__TimeToLive", "00:00:00", "Files:TimeToLive")]
    [InlineData("Files__SessionVersion", "latest", "Files:SessionVersion")]
    [InlineData("Files__S3__Bucket", "NOT A BUCKET", "Files:S3:Bucket")]
    public async Task WrongOption_IsNamedInFull(string variable, string value, string named)
    {
        var exception = await Assert.ThrowsAsync<InvalidOperationException>(() => TestnetProcess.StartAsync(
            options: "--ephemeral", nodes: 1, environment: new Dictionary<string, string> { ["SESSION_" + variable] = value }));
        Assert.Contains(named, exception.Message, StringComparison.Ordinal);
        Assert.Contains("ended with 2", exception.Message, StringComparison.Ordinal);
    }

    private static async Task KillAndReadAsync(string options)
    {
        using var folder = new TemporaryFolder();
        var bytes = RandomNumberGenerator.GetBytes(1_000_000);
        string id, key;
        int ports;
        await using (var process = await TestnetProcess.StartAsync(folder.Path, options, nodes: 3))
        {
            using var network = new TestNetwork(process);
            var server = FileServer.Of(network);
            (id, key, ports) = (await server.UploadAsync(bytes), server.X25519.ToString(), process.FirstPort);
            await process.KillAsync();
        }

        await using var again = await TestnetProcess.StartAsync(folder.Path, options, nodes: 3, firstPort: ports);
        using var networkAgain = new TestNetwork(again);
        var serverAgain = FileServer.Of(networkAgain);
        Assert.Equal(key, serverAgain.X25519.ToString());
        Assert.Equal(bytes, (await networkAgain.SendAsync(HttpMethod.Get, new(serverAgain.Url, "/file/" + id))).Bytes);
        Assert.Equal(id, await serverAgain.UploadAsync(bytes));
    }

    private static async Task<string> ReadReplyAsync(TcpClient client)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        limit.CancelAfter(TimeSpan.FromSeconds(40));
        var reply = new StringBuilder();
        var buffer = new byte[1024];
        int read;
        // To the end of the connection or of the JSON: the server goes on for a while to take what it was sent.
        while (reply is not [.., '}'] && (read = await client.GetStream().ReadAsync(buffer, limit.Token)) > 0)
            _ = reply.Append(Encoding.ASCII.GetString(buffer, 0, read));
        return reply.ToString();
    }

    /// <summary>The file server of a network.</summary>
    private sealed record FileServer(TestNetwork Network, Uri Url, X25519PublicKey X25519)
    {
        public static FileServer Of(TestNetwork network)
        {
            var description = network.Process.Description;
            var ed25519 = Convert.FromHexString(description.GetProperty("fileServerEd25519").GetString()!);
            var converted = new byte[32];
            Assert.True(Protocol.Cryptography.Ed25519.TryConvertPublicKey(ed25519, converted));
            var x25519 = X25519PublicKey.ParseHex(description.GetProperty("fileServerX25519").GetString());
            Assert.Equal(converted, x25519.AsSpan().ToArray());
            return new(network, new(description.GetProperty("fileServerUrl").GetString()!), x25519);
        }

        public async Task<string> UploadAsync(byte[] bytes, Uri? url = null)
        {
            var reply = await Network.SendAsync(HttpMethod.Post, new(url ?? Url, "/file"), bytes);
            Assert.True(reply.Status == 200, reply.Text);
            return reply.Json.GetProperty("id").GetString()!;
        }

        public async Task<OnionV4Response> OnionAsync(OnionV4Request request, OnionCipher cipher, int hops)
        {
            var path = Network.Path(hops);
            var onion = OnionRequestBuilder.BuildToServer(
                [.. path.Select(node => node.ToHop())], cipher, X25519, Url.Host, request.Encode(), protocol: "http", port: Url.Port);
            var reply = await Network.PostAsync(new(path[0].Url, "/onion_req/v2"), onion.HttpBody);
            Assert.True(reply.Status == 200, string.Create(CultureInfo.InvariantCulture, $"{reply.Status} {reply.Text}"));
            Assert.True(OnionReply.TryOpenRaw(onion.ReplyKey, reply.Bytes, onion.Base64, out var opened));
            Assert.True(OnionV4Response.TryParse(opened, out var response));
            return response;
        }

        public async Task<TcpClient> ConnectAsync(string request)
        {
            var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Parse(Url.Host), Url.Port, Cancel);
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(request), Cancel);
            return client;
        }
    }
}
