using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>Onion requests that the library builds, the recorded ones, and what this network's own limits add to the rules of the conformance suite.</summary>
[Collection(SharedNetwork.Name)]
public sealed class OnionTests(NetworkFixture fixture)
{
    private const string Info = """{"method":"info","params":{}}""";

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
