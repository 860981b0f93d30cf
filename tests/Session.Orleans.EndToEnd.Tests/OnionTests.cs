using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>Onion requests of every length and cipher, and every way in which they fail (onion-requests.md).</summary>
[Collection(SharedNetwork.Name)]
public sealed class OnionTests(NetworkFixture fixture)
{
    private const string Info = """{"method":"info","params":{}}""";
    private const string InvalidCiphertext = "Invalid ciphertext";

    private static readonly JsonElement Vectors = JsonElement.Parse(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "vectors", "onion_requests.json")));

    private static readonly OnionCipher[] Ciphers = [OnionCipher.AesGcm, OnionCipher.XChaCha20, OnionCipher.AesCbc];

    private readonly TestNetwork _network = fixture.Network;

    public static TheoryData<int, string> Paths
    {
        get
        {
            var data = new TheoryData<int, string>();
            foreach (var hops in Enumerable.Range(1, 5))
            {
                foreach (var cipher in Ciphers)
                    data.Add(hops, cipher.ToString());
                data.Add(hops, "mixed");
            }

            return data;
        }
    }

    /// <summary>Names of the recorded errors.</summary>
    public static TheoryData<string> RecordedErrors => [.. Vectors.GetProperty("errors").EnumerateArray().Select(error => error.GetProperty("name").GetString()!)];

    public static TheoryData<string> RefusedTargets => [.. Vectors.GetProperty("targets").GetProperty("refused").EnumerateArray().Select(target => target.GetString()!)];

    [Theory, MemberData(nameof(Paths))]
    public async Task Request_OverAnyPathAndCipher_IsAnsweredByItsLastNode(int hops, string ciphers)
    {
        var path = _network.Nodes.Skip(3).Take(hops)
            .Select((node, i) => node.ToHop(ciphers is "mixed" ? Ciphers[(i + hops) % Ciphers.Length] : Enum.Parse<OnionCipher>(ciphers))).ToArray();
        var request = OnionRequestBuilder.BuildToNode(path, OnionCipher.AesGcm, Encoding.UTF8.GetBytes(Info));

        var reply = await PostAsync(path, request.HttpBody);

        Assert.Equal((200, "text/plain"), (reply.Status, reply.Header("Content-Type")));
        Assert.True(OnionReply.TryOpen(request.ReplyKey, reply.Bytes, request.Base64, out var content));
        Assert.Equal(200, content.Status);
        Assert.True(content.BodyIsString);
        Assert.Equal("[2,8,0]", JsonElement.Parse(content.Body.Span).GetProperty("version").GetRawText());
    }

    [Fact]
    public async Task Request_Over15Hops_Arrives()
    {
        var path = _network.Nodes.Take(15).Select(node => node.ToHop()).ToArray();
        var request = OnionRequestBuilder.BuildToNode(path, OnionCipher.XChaCha20, Encoding.UTF8.GetBytes(Info));

        var reply = await PostAsync(path, request.HttpBody);

        Assert.True(OnionReply.TryOpen(request.ReplyKey, reply.Bytes, request.Base64, out var content), reply.Text);
        Assert.Equal(200, content.Status);
    }

    [Fact]
    public async Task Request_Over16Hops_IsRefusedByTheLast()
    {
        var path = _network.Nodes.Take(16).Select(node => node.ToHop()).ToArray();
        var (body, _) = OnionWriter.Wrap(path, OnionWriter.Pack(Info, OnionWriter.ToDestination));

        await AssertPlainAsync(path, body, 400, "onion request max path length exceeded");
    }

    [Fact]
    public async Task Request_ThroughTheSameNodeAgain_Arrives()
    {
        var node = _network.Nodes[4].ToHop();
        var request = OnionRequestBuilder.BuildToNode([node, node, node], OnionCipher.AesGcm, Encoding.UTF8.GetBytes(Info));

        var reply = await PostAsync([node], request.HttpBody);

        Assert.True(OnionReply.TryOpen(request.ReplyKey, reply.Bytes, request.Base64, out _), reply.Text);
    }

    [Theory]
    [InlineData(15, 1, 200)] // the guard never refuses
    [InlineData(16, 1, 200)]
    [InlineData(2147483647, 1, 200)]
    [InlineData(15, 2, 400)]
    [InlineData(2147483647, 2, 400)]
    [InlineData(14, 2, 200)]
    [InlineData(14, 3, 400)]
    [InlineData(13, 3, 200)]
    [InlineData(-2147483648, 4, 200)]
    public async Task HopNumber_Pretended_CountsFromTheSecondNodeOn(int hopNo, int hops, int expected)
    {
        var path = _network.Path(hops).Select(node => node.ToHop()).ToArray();
        var (body, keys) = OnionWriter.Wrap(path, OnionWriter.Pack(Info, OnionWriter.ToDestination), hopNo: hopNo);

        if (expected is 400)
            await AssertPlainAsync(path, body, 400, "onion request max path length exceeded");
        else
            await AssertInnerAsync(path, body, keys[^1], 200, null);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task ReplyOptions_ShapeTheReply(bool json, bool base64)
    {
        var path = _network.Path(3).Select(node => node.ToHop()).ToArray();
        foreach (var (text, status) in ((string, int)[])[(Info, 200), ("nonsense", 400)])
        {
            var request = OnionRequestBuilder.BuildToNode(path, OnionCipher.XChaCha20, Encoding.UTF8.GetBytes(text), json, base64);
            var reply = await PostAsync(path, request.HttpBody);

            Assert.Equal(base64, reply.Bytes.All(character => char.IsAsciiLetterOrDigit((char)character) || character is (byte)'+' or (byte)'/' or (byte)'='));
            Assert.True(OnionReply.TryOpenRaw(request.ReplyKey, reply.Bytes, base64, out var plaintext));
            Assert.StartsWith(json && status is 200 ? "{\"body\":{\"" : "{\"body\":\"", Encoding.UTF8.GetString(plaintext.Span), StringComparison.Ordinal);
            Assert.True(OnionReply.TryOpen(request.ReplyKey, reply.Bytes, base64, out var content));
            Assert.Equal((status, !json || status is not 200), (content.Status, content.BodyIsString));
        }
    }

    [Theory]
    [InlineData("""{"headers":""}""")]
    [InlineData("""{"headers":null}""")]
    [InlineData("""{"headers":[1],"body":null}""")]
    [InlineData("""{"headers":{},"host":"example.org","target":"/oxen/v4/lsrpc"}""")]
    [InlineData("""{"headers":{},"destination":"x","ephemeral_key":7}""")]
    public async Task Headers_OfAnyValue_MakeTheNodeTheDestination(string json)
    {
        var path = _network.Path(2).Select(node => node.ToHop()).ToArray();
        var (body, keys) = OnionWriter.Wrap(path, OnionWriter.Pack(Info, json));

        await AssertInnerAsync(path, body, keys[^1], 200, null);
    }

    [Theory, MemberData(nameof(RecordedErrors))]
    public async Task RecordedError_AddressedToThisNetwork_IsAnsweredAsRecorded(string name)
    {
        var error = Vectors.GetProperty("errors").EnumerateArray().Single(error => error.GetProperty("name").GetString() == name);
        var keys = new List<OnionLayerKey>();
        var body = Readdress(error.GetProperty("http_body_base64").GetBytesFromBase64(), 0, keys);
        var status = error.GetProperty("expected_http_status").GetInt32();
        OnionHop[] path = [_network.Nodes[0].ToHop()];

        if (error.TryGetProperty("expected_inner", out var inner))
        {
            var layer = error.GetProperty("detected_at").GetString() is "second hop" ? 1 : keys.Count - 1;
            await AssertInnerAsync(path, body, keys[layer], inner.GetProperty("status").GetInt32(), inner.GetProperty("body").GetString());
        }
        else if (error.GetProperty("expected_body").GetString() is { } expected)
            await AssertPlainAsync(path, body, status, expected);
        else
        {
            var reply = await PostAsync(path, body);
            Assert.Equal(status, reply.Status);
            Assert.StartsWith("Error parsing onion request: ", reply.Text, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("", "Unexpected payload size; expected ciphertext size")]
    [InlineData("0000", "Unexpected payload size; expected ciphertext size")]
    [InlineData("01000000", "Unexpected payload size 0, expected >= 1")]
    [InlineData("ffffffff61", "Unexpected payload size 1, expected >= 4294967295")]
    [InlineData("0000008061", "Unexpected payload size 1, expected >= 2147483648")]
    public async Task PayloadWithAWrongLength_IsNamedByTheGuard(string hex, string error) =>
        await AssertPlainAsync([_network.Nodes[0].ToHop()], Convert.FromHexString(hex), 400, "Error parsing onion request: " + error);

    [Theory]
    [InlineData("""{"ephemeral_key":"@","enc_type":"AES-GCM"}""", "Invalid encryption type AES-GCM")]
    [InlineData("""{"ephemeral_key":"@","enc_type":""}""", "Invalid encryption type ")]
    [InlineData("""{"ephemeral_key":"@","enc_type":"xchacha20-poly1306"}""", "Invalid encryption type xchacha20-poly1306")]
    [InlineData("""{"ephemeral_key":""}""", "Hex key data is invalid: expected 64 hex digits, received 0")]
    [InlineData("""{"ephemeral_key":"@00"}""", "Hex key data is invalid: expected 64 hex digits, received 66")]
    [InlineData("""{"ephemeral_key":"zz"}""", "Hex key data is invalid: data is not hex")]
    public async Task MetadataThatIsWrong_IsNamedByTheGuard(string json, string error) =>
        await AssertPlainAsync([_network.Nodes[0].ToHop()], OnionWriter.Pack("x", json.Replace("@", new string('a', 64), StringComparison.Ordinal)),
            400, "Error parsing onion request: " + error);

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{} x")]
    [InlineData("""{"ephemeral_key":null}""")]
    [InlineData("""{"ephemeral_key":17}""")]
    [InlineData("""{"ephemeral_key":"\ud800"}""")]
    [InlineData("""{"ephemeral_key":"@","enc_type":1}""")]
    [InlineData("""{"ephemeral_key":"@","hop_no":"1"}""")]
    [InlineData("""{"ephemeral_key":"@","hop_no":1e400}""")]
    public async Task MetadataThatCannotBeRead_Is400AtTheGuard(string json)
    {
        var reply = await PostAsync([_network.Nodes[0].ToHop()], OnionWriter.Pack("x", json.Replace("@", new string('a', 64), StringComparison.Ordinal)));

        Assert.Equal(400, reply.Status);
        Assert.StartsWith("Error parsing onion request: ", reply.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(3, 0)]
    [InlineData(3, 1)]
    [InlineData(3, 2)]
    public async Task AlteredCiphertext_InAnyLayer_IsInvalid(int hops, int altered)
    {
        foreach (var cipher in (OnionCipher[])[OnionCipher.AesGcm, OnionCipher.XChaCha20])
        {
            var path = _network.Path(hops).Select(node => node.ToHop(cipher)).ToArray();
            var (body, _) = OnionWriter.Wrap(path, OnionWriter.Pack(Info, OnionWriter.ToDestination), changeSealed: (layer, bytes) =>
            {
                if (layer == altered)
                    bytes[^1] ^= 1;
                return bytes;
            });
            await AssertPlainAsync(path, body, 400, InvalidCiphertext);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(27)]
    [InlineData(31)]
    public async Task CiphertextThatIsTooShort_IsInvalid(int length)
    {
        foreach (var cipher in Ciphers)
        {
            var path = _network.Path(2).Select(node => node.ToHop(cipher)).ToArray();
            var (body, _) = OnionWriter.Wrap(path, OnionWriter.Pack(Info, OnionWriter.ToDestination),
                changeSealed: (layer, bytes) => layer == 1 ? bytes[..Math.Min(length, cipher is OnionCipher.AesGcm ? 27 : 31)] : bytes);
            await AssertPlainAsync(path, body, 400, InvalidCiphertext);
        }
    }

    [Fact]
    public async Task EphemeralKeyOfSmallOrder_IsInvalid() =>
        await AssertPlainAsync([_network.Nodes[0].ToHop()],
            OnionWriter.Pack(new byte[64], $$"""{"ephemeral_key":"{{new string('0', 64)}}"}"""), 400, InvalidCiphertext);

    [Theory]
    [InlineData("00")] // no combined payload
    [InlineData("05000000")]
    [InlineData("0000000000")]
    [InlineData("000000007b7d")] // {}
    [InlineData("000000005b5d")] // []
    public async Task PlaintextThatIsMalformed_IsToldByThatHopInSecret(string hex)
    {
        foreach (var hops in (int[])[1, 2, 4])
        {
            var path = _network.Path(hops).Select(node => node.ToHop(OnionCipher.XChaCha20)).ToArray();
            var (body, keys) = OnionWriter.Wrap(path, Convert.FromHexString(hex));
            await AssertInnerAsync(path, body, keys[^1], 400, "Invalid json");
        }
    }

    [Theory]
    [InlineData("""{"destination":"@"}""")]
    [InlineData("""{"ephemeral_key":"@"}""")]
    [InlineData("""{"destination":"@","ephemeral_key":"xyz"}""")]
    [InlineData("""{"destination":17,"ephemeral_key":"@"}""")]
    [InlineData("""{"destination":"@","ephemeral_key":"@","enc_type":"rot13"}""")]
    [InlineData("""{"destination":"@","ephemeral_key":"@","enc_type":7}""")]
    [InlineData("""{"headers":{},"json":1}""")]
    [InlineData("""{"headers":{},"base64":"yes"}""")]
    [InlineData("""{"host":17,"target":"/oxen/v4/lsrpc"}""")]
    [InlineData("""{"host":"x"}""")]
    [InlineData("""{"host":"x","target":"/oxen/v4/lsrpc","port":"80"}""")]
    [InlineData("""{"host":"x","target":"/oxen/v4/lsrpc","port":0}""")]
    [InlineData("""{"host":"x","target":"/oxen/v4/lsrpc","port":65536}""")]
    [InlineData("""{"host":"x","target":"/oxen/v4/lsrpc","protocol":null}""")]
    public async Task InstructionWithAWrongMember_IsInvalidJson(string json)
    {
        var path = _network.Path(2).Select(node => node.ToHop()).ToArray();
        var (body, keys) = OnionWriter.Wrap(path, OnionWriter.Pack("x", json.Replace("@", new string('a', 64), StringComparison.Ordinal)));

        await AssertInnerAsync(path, body, keys[^1], 400, "Invalid json");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task UnknownNextNode_IsNamedInLowerCase(int hops)
    {
        var path = _network.Path(hops).Select(node => node.ToHop()).ToArray();
        var key = new string('A', 64);
        var (body, _) = OnionWriter.Wrap(path, OnionWriter.Pack("x", $$"""{"destination":"{{key}}","ephemeral_key":"{{key}}"}"""));

        await AssertPlainAsync(path, body, 502, "Next node not found: " + new string('a', 64));
    }

    [Fact]
    public async Task ReplyOfARequestError_IsEncryptedByTheDestination()
    {
        var path = _network.Path(3).Select(node => node.ToHop()).ToArray();
        var (body, keys) = OnionWriter.Wrap(path, OnionWriter.Pack("""{"method":"fly","params":{}}""", OnionWriter.ToDestination));

        await AssertInnerAsync(path, body, keys[^1], 400, "no method fly");
    }

    [Fact]
    public async Task RelayToAServer_PostsThePlaintextByteForByte()
    {
        var seen = new TaskCompletionSource<(string Method, string? Type, string? Agent, byte[] Body)>();
        byte[] answer = [0, 255, 1, 254];
        var target = fixture.Server.Serve(async (context, body) =>
        {
            seen.TrySetResult((context.Request.Method, context.Request.ContentType, context.Request.Headers.UserAgent, body));
            await context.Response.Body.WriteAsync(answer);
        });
        var path = _network.Path(3).Select(node => node.ToHop()).ToArray();
        // Odd spacing, unknown members and a blob that is no text: nothing of it may be touched.
        byte[] plaintext = OnionWriter.Pack([1, 2, 3, 0, 255], $$"""
            { "port" : {{fixture.Server.Port}}, "protocol":"http","host":"127.0.0.1", "target":"{{target}}","method":"GET","ephemeral_key":"é", "x": [1.50e1]  }
            """);
        var (requestBody, _) = OnionWriter.Wrap(path, plaintext);

        var reply = await PostAsync(path, requestBody);

        Assert.Equal(200, reply.Status);
        Assert.Equal(answer, reply.Bytes);
        var (method, type, agent, posted) = await seen.Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        Assert.Equal(("POST", "application/octet-stream", "Oxen Storage Server/2.8.0"), (method, type, agent));
        Assert.Equal(plaintext, posted);
    }

    [Theory]
    [InlineData(OnionCipher.AesGcm, 1)]
    [InlineData(OnionCipher.XChaCha20, 3)]
    public async Task RelayToAServer_V4_ServerOpensAndClientReads(OnionCipher cipher, int hops)
    {
        var keys = X25519KeyPair.Generate();
        var target = fixture.Server.Serve(async (context, body) =>
        {
            // The server splits the payload and opens the blob with its own key, as a file server does.
            Assert.True(OnionEnvelope.TryParse(body, out var envelope, out _));
            Assert.True(OnionLayer.TryOpen(keys, envelope.EphemeralKey, envelope.Cipher, envelope.Ciphertext.Span, out var opened, out var key));
            await context.Response.Body.WriteAsync(OnionReply.SealRaw(key, opened.Span, base64: false));
        });
        var path = _network.Path(hops).Select(node => node.ToHop()).ToArray();
        var request = OnionRequestBuilder.BuildToServer(
            path, cipher, keys.PublicKey, "127.0.0.1", "l2:{}e"u8, target, "http", fixture.Server.Port);

        var reply = await PostAsync(path, request.HttpBody);

        Assert.True(OnionReply.TryOpenRaw(request.ReplyKey, reply.Bytes, base64: false, out var echoed), reply.Text);
        Assert.Equal("l2:{}e"u8, echoed.Span);
    }

    [Theory]
    [InlineData(200, 200)]
    [InlineData(201, 500)]
    [InlineData(204, 500)]
    [InlineData(301, 500)]
    [InlineData(400, 400)]
    [InlineData(401, 401)]
    [InlineData(403, 403)]
    [InlineData(404, 404)]
    [InlineData(406, 406)]
    [InlineData(409, 500)]
    [InlineData(410, 410)]
    [InlineData(413, 413)]
    [InlineData(421, 421)]
    [InlineData(425, 500)]
    [InlineData(429, 429)]
    [InlineData(500, 500)]
    [InlineData(501, 500)]
    [InlineData(502, 502)]
    [InlineData(503, 503)]
    [InlineData(504, 504)]
    public async Task StatusOfAServer_SurvivesTheWayBackOnlyIfItIsKnown(int status, int throughTwoNodes)
    {
        var text = status is 204 ? "" : "what the server says";
        var target = fixture.Server.Serve(async (context, _) =>
        {
            context.Response.StatusCode = status;
            if (text.Length > 0)
                await context.Response.WriteAsync(text);
        });

        // The exit node is the guard: nothing is lost.
        var reply = await RelayAsync(1, "127.0.0.1", fixture.Server.Port, target);
        Assert.Equal((status, text), (reply.Status, reply.Text));
        reply = await RelayAsync(2, "127.0.0.1", fixture.Server.Port, target);
        Assert.Equal((throughTwoNodes, text), (reply.Status, reply.Text));
    }

    [Fact]
    public async Task RedirectOfAServer_IsNotFollowed()
    {
        var followed = false;
        var elsewhere = fixture.Server.Serve((_, _) =>
        {
            followed = true;
            return Task.CompletedTask;
        });
        var target = fixture.Server.Serve((context, _) =>
        {
            context.Response.Redirect(elsewhere, permanent: false, preserveMethod: true);
            return Task.CompletedTask;
        });

        var reply = await RelayAsync(1, "127.0.0.1", fixture.Server.Port, target);

        Assert.Equal(307, reply.Status);
        Assert.False(followed);
    }

    [Theory, MemberData(nameof(RefusedTargets))]
    public async Task RefusedTarget_IsAnInvalidUrl(string target) => await AssertRefusedAsync("127.0.0.1", fixture.Server.Port, target, "http");

    [Theory]
    [InlineData("/oxen/../lsrpc")]
    [InlineData("/oxen/%2e%2e/%2e%2e/lsrpc")]
    [InlineData("/oxen/../../admin/lsrpc")]
    [InlineData("/loki/\\..\\..\\admin/lsrpc")]
    public async Task TargetThatLeavesTheAllowedPaths_IsNotPosted(string target)
    {
        var strays = fixture.Server.Strays;
        var path = _network.Path(1).Select(node => node.ToHop()).ToArray();
        var (body, keys) = OnionWriter.Wrap(path, Relay("127.0.0.1", fixture.Server.Port, target, "http"));

        await AssertInnerAsync(path, body, keys[^1], 400, "Invalid url");
        Assert.Equal(strays, fixture.Server.Strays);
    }

    [Theory]
    [InlineData("example.org", 443, "https")] // not on the allow-list
    [InlineData("localhost", 0, "http")] // the same machine under another name is another host
    [InlineData("127.0.0.1", 1, "http")]
    [InlineData("127.0.0.1", 0, "ftp")]
    [InlineData("127.0.0.1", 0, "HTTP")]
    [InlineData("127.0.0.1", 0, "")]
    [InlineData("", 0, "http")]
    [InlineData("user@127.0.0.1", 0, "http")]
    [InlineData("127.0.0.1/x", 0, "http")]
    public async Task RefusedHost_IsAnInvalidUrl(string host, int port, string protocol) =>
        await AssertRefusedAsync(host, port is 0 ? fixture.Server.Port : port, "/oxen/v4/lsrpc", protocol);

    [Fact]
    public async Task ServerThatIsDown_Is502()
    {
        foreach (var hops in (int[])[1, 3])
            Assert.Equal(502, (await RelayAsync(hops, "127.0.0.1", fixture.DeadPort, "/oxen/v4/lsrpc")).Status);
    }

    [Fact]
    public async Task ServerThatHangsUp_Is502()
    {
        var target = fixture.Server.Serve((context, _) =>
        {
            context.Abort();
            return Task.CompletedTask;
        });

        Assert.Equal(502, (await RelayAsync(2, "127.0.0.1", fixture.Server.Port, target)).Status);
    }

    [Fact]
    public async Task ServerThatHangsUpInMidReply_Is502()
    {
        var target = fixture.Server.Serve(async (context, _) =>
        {
            context.Response.ContentLength = 1000;
            await context.Response.WriteAsync("half");
            await context.Response.Body.FlushAsync();
            context.Abort();
        });

        Assert.Equal(502, (await RelayAsync(2, "127.0.0.1", fixture.Server.Port, target)).Status);
    }

    [Fact]
    public async Task ServerThatTakesTooLong_Is504()
    {
        using var end = new CancellationTokenSource();
        var target = fixture.Server.Serve((_, _) => Task.Delay(Timeout.Infinite, end.Token).ContinueWith(_ => { }, TaskScheduler.Default));

        var reply = await RelayAsync(2, "127.0.0.1", fixture.Server.Port, target);

        await end.CancelAsync();
        Assert.Equal(504, reply.Status);
    }

    private async Task<Reply> RelayAsync(int hops, string host, int port, string target)
    {
        var path = _network.Path(hops).Select(node => node.ToHop()).ToArray();
        var (body, _) = OnionWriter.Wrap(path, Relay(host, port, target, "http"));
        return await PostAsync(path, body);
    }

    private async Task AssertRefusedAsync(string host, int port, string target, string protocol)
    {
        foreach (var hops in (int[])[1, 3])
        {
            var path = _network.Path(hops).Select(node => node.ToHop()).ToArray();
            var (body, keys) = OnionWriter.Wrap(path, Relay(host, port, target, protocol));
            await AssertInnerAsync(path, body, keys[^1], 400, "Invalid url");
        }
    }

    private static byte[] Relay(string host, int port, string target, string protocol) => OnionWriter.Pack("payload", new JsonObject
    {
        ["host"] = host,
        ["port"] = port,
        ["target"] = target,
        ["protocol"] = protocol,
        ["method"] = "POST",
    }.ToJsonString());

    private async Task<Reply> PostAsync(IReadOnlyList<OnionHop> path, byte[] body)
    {
        var guard = _network.Nodes.Single(node => node.Ed25519 == path[0].Ed25519);
        return await _network.PostAsync(new(guard.Url, "/onion_req/v2"), body);
    }

    private async Task AssertPlainAsync(IReadOnlyList<OnionHop> path, byte[] body, int status, string text)
    {
        var reply = await PostAsync(path, body);
        Assert.Equal((status, "text/plain", text), (reply.Status, reply.Header("Content-Type"), reply.Text));
    }

    private async Task AssertInnerAsync(IReadOnlyList<OnionHop> path, byte[] body, OnionLayerKey key, int status, string? text)
    {
        var reply = await PostAsync(path, body);
        Assert.True(OnionReply.TryOpen(key, reply.Bytes, base64: true, out var content),
            string.Create(CultureInfo.InvariantCulture, $"{reply.Status} {reply.Text}"));
        Assert.Equal((200, "text/plain", status), (reply.Status, reply.Header("Content-Type"), content.Status));
        if (text is not null)
            Assert.Equal(text, Encoding.UTF8.GetString(content.Body.Span));
    }

    /// <summary>
    /// Takes a recorded request's layers off with the recorded nodes' keys and puts them on again for this network's nodes. What cannot be
    /// opened stays as it is.
    /// </summary>
    private byte[] Readdress(byte[] payload, int depth, List<OnionLayerKey> keys)
    {
        if (!CombinedPayload.TrySplit(payload, out var blob, out var json, out _) || !OnionEnvelope.TryParse(payload, out var envelope, out _))
            return payload;
        using var recorded = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "vectors", "keys.json")));
        var node = recorded.RootElement.GetProperty("nodes")[depth];
        var pair = new X25519KeyPair(Convert.FromHexString(node.GetProperty("x25519_seckey").GetString()!));
        if (!OnionLayer.TryOpen(pair, envelope.EphemeralKey, envelope.Cipher, blob.Span, out var opened, out _))
            return payload;

        var plaintext = opened.ToArray();
        var place = keys.Count;
        keys.Add(default);
        if (OnionInstruction.TryParse(plaintext, out var instruction) && instruction is OnionInstruction.ToNode)
        {
            plaintext = Readdress(plaintext, depth + 1, keys);
            Assert.True(CombinedPayload.TrySplit(plaintext, out var innerBlob, out var innerJson, out _));
            var next = recorded.RootElement.GetProperty("nodes")[depth + 1].GetProperty("pubkey_ed25519").GetString()!;
            plaintext = OnionWriter.Pack(innerBlob.Span, Encoding.UTF8.GetString(innerJson.Span)
                .Replace(next, _network.Nodes[depth + 1].Ed25519.ToString(), StringComparison.Ordinal));
        }

        var (ciphertext, ephemeral) = OnionWriter.Seal(_network.Nodes[depth].X25519, envelope.Cipher, plaintext, out var key);
        keys[place] = key;
        var metadata = JsonNode.Parse(json.Span)!;
        metadata["ephemeral_key"] = ephemeral.ToString();
        return OnionWriter.Pack(ciphertext, metadata.ToJsonString());
    }
}

/// <summary>A network with room for one request at a time.</summary>
public sealed class BusyTests
{
    [Fact]
    public async Task MoreRequestsThanThereIsRoomFor_AreRefusedAtOnce()
    {
        await using var server = await OutsideServer.StartAsync();
        await using var process = await TestnetProcess.StartAsync(options: "--ephemeral", nodes: 3, environment: new Dictionary<string, string>
        {
            ["SESSION_ServerRelay__AllowedHosts__0"] = $"127.0.0.1:{server.Port}",
            ["SESSION_Gateway__MaxConcurrentRequests"] = "1",
        });
        using var network = new TestNetwork(process);
        var (arrived, leave) = (new TaskCompletionSource(), new TaskCompletionSource());
        var target = server.Serve((context, _) =>
        {
            arrived.SetResult();
            return leave.Task;
        });
        OnionHop[] path = [network.Nodes[0].ToHop()];
        var (body, _) = OnionWriter.Wrap(path, OnionWriter.Pack("", $$"""{"host":"127.0.0.1","port":{{server.Port}},"target":"{{target}}","protocol":"http"}"""));

        var first = network.PostAsync(new(network.Nodes[0].Url, "/onion_req/v2"), body);
        await arrived.Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        foreach (var route in (string[])["/onion_req/v2", "/storage_rpc/v1"])
        {
            var reply = await network.PostAsync(new(network.Nodes[1].Url, route), body);
            Assert.Equal((503, "Server busy, try again later"), (reply.Status, reply.Text));
        }

        leave.SetResult();
        Assert.Equal(200, (await first).Status);
    }
}
