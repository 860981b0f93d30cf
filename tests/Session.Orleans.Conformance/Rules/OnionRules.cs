using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Session.Orleans.Conformance.Harness;

namespace Session.Orleans.Conformance.Rules;

/// <summary>Layers, ciphers, paths and replies of onion requests.</summary>
[Section("onion-requests.md", "2, 3, 4, 6")]
public sealed class OnionRules(Networks networks) : RuleSet(networks)
{
    private const string Info = """{"method":"info","params":{}}""";

    [Theory]
    [OnEveryStore(1, "aes-gcm")]
    [OnEveryStore(1, "gcm")]
    [OnEveryStore(1, "xchacha20")]
    [OnEveryStore(1, "xchacha20-poly1305")]
    [OnEveryStore(1, "aes-cbc")]
    [OnEveryStore(1, "cbc")]
    [OnEveryStore(2, "aes-gcm")]
    [OnEveryStore(2, "xchacha20")]
    [OnEveryStore(3, "aes-cbc")]
    [OnEveryStore(4, "aes-gcm")]
    [OnEveryStore(4, "gcm")]
    [OnEveryStore(4, "xchacha20")]
    [OnEveryStore(4, "xchacha20-poly1305")]
    [OnEveryStore(4, "aes-cbc")]
    [OnEveryStore(4, "cbc")]
    [OnEveryStore(4, "mixed")]
    [OnEveryStore(6, "mixed")]
    public async Task Request_OverAnyPathAndCipher_IsAnsweredByItsLastNode(Store store, int nodes, string cipher)
    {
        var network = await NetworkAsync(store);
        var path = Path(network, nodes);

        var answer = await network.SendOnionAsync(Onion.ToNode(path, Info, layer => cipher is "mixed" ? Crypto.CipherNames[layer % Crypto.CipherNames.Length] : cipher), Info);

        Assert.Equal("[2,8,0]", answer.ShouldBeJson().GetProperty("version").GetRawText());
    }

    [Theory, OnEveryStore]
    public async Task EncType_Missing_IsAesGcm(Store store)
    {
        var network = await NetworkAsync(store);
        var path = Path(network, 2);
        var request = Onion.Wrap(path, Onion.Pack(Info, Onion.ToDestination), change: (layer, payload) =>
            layer == 1 ? payload : Replace(payload, ",\"enc_type\":\"aes-gcm\"", ""));

        (await network.SendOnionAsync(request, Info)).ShouldBeJson();
    }

    [Theory, OnEveryStore]
    public async Task Destination_InUpperCase_IsTheSameNode(Store store)
    {
        var network = await NetworkAsync(store);
        var path = Path(network, 2);
        var request = Onion.Wrap(path, Onion.Pack(Info, Onion.ToDestination), change: (layer, payload) =>
            layer == 0 ? Replace(payload, path[1].Ed25519Hex, path[1].Ed25519Hex.ToUpperInvariant()) : payload);

        (await network.SendOnionAsync(request, Info)).ShouldBeJson();
    }

    [Theory, OnEveryStore]
    public async Task Path_ThroughTheSameNodeAgain_IsAllowed(Store store)
    {
        var network = await NetworkAsync(store);
        var node = network.Nodes[0];

        (await network.SendOnionAsync(Onion.ToNode([node, node, node], Info), Info)).ShouldBeJson();
    }

    [Theory]
    [OnEveryStore(15, true)]
    [OnEveryStore(16, false)]
    public async Task Path_OfMoreThan15Hops_IsRefused(Store store, int nodes, bool isAccepted)
    {
        var network = await NetworkAsync(store);
        var path = Enumerable.Range(0, nodes).Select(i => network.Nodes[i % network.Nodes.Count]).ToArray();
        var request = Onion.ToNode(path, Info);

        if (isAccepted)
            (await network.SendOnionAsync(request, Info)).ShouldBeJson();
        else
            (await network.PostOnionAsync(request)).ShouldBe(400, "onion request max path length exceeded");
    }

    [Theory]
    [OnEveryStore("15", 1, true)] // the guard never refuses
    [OnEveryStore("2147483647", 1, true)]
    [OnEveryStore("15", 2, false)]
    [OnEveryStore("2147483647", 2, false)]
    [OnEveryStore("14", 2, true)]
    [OnEveryStore("14", 3, false)]
    [OnEveryStore("13", 3, true)]
    [OnEveryStore("0", 4, true)]
    [OnEveryStore("-1", 4, true)]
    [OnEveryStore("-2147483648", 4, true)]
    public async Task HopNo_Pretended_CountsFromTheSecondNodeOn(Store store, string hopNo, int nodes, bool isAccepted)
    {
        var network = await NetworkAsync(store);
        var request = Onion.Wrap(Path(network, nodes), Onion.Pack(Info, Onion.ToDestination), hopNo: hopNo);

        if (isAccepted)
            (await network.SendOnionAsync(request, Info)).ShouldBeJson();
        else
            (await network.PostOnionAsync(request)).ShouldBe(400, "onion request max path length exceeded");
    }

    [Theory]
    [OnEveryStore("""{"headers":""}""")]
    [OnEveryStore("""{"headers":{}}""")]
    [OnEveryStore("""{"headers":null}""")]
    [OnEveryStore("""{"headers":[1],"body":null}""")]
    [OnEveryStore("""{"headers":{},"host":"example.org","target":"/oxen/v4/lsrpc"}""")]
    [OnEveryStore("""{"headers":{},"destination":"x","ephemeral_key":7}""")]
    public async Task Headers_OfAnyValue_MakeTheNodeTheDestination(Store store, string options)
    {
        var network = await NetworkAsync(store);

        (await network.SendOnionAsync(Onion.ToNode(Path(network, 2), Info, options: options), Info)).ShouldBeJson();
    }

    [Theory]
    [OnEveryStore("aes-gcm", false, false)]
    [OnEveryStore("aes-gcm", false, true)]
    [OnEveryStore("xchacha20", true, false)]
    [OnEveryStore("xchacha20", true, true)]
    [OnEveryStore("aes-cbc", false, false)]
    [OnEveryStore("aes-cbc", true, true)]
    public async Task ReplyOptions_ShapeTheReply(Store store, string cipher, bool json, bool base64)
    {
        var network = await NetworkAsync(store);
        var options = new JsonObject { ["headers"] = new JsonObject(), ["json"] = json, ["base64"] = base64 }.ToJsonString();
        foreach (var (text, status) in ((string, int)[])[(Info, 200), ("nonsense", 400)])
        {
            var request = Onion.ToNode(Path(network, 3), text, _ => cipher, options);
            var outer = await network.PostOnionAsync(request, text);

            outer.Should(outer is { Status: 200, ContentType: "text/plain" }, "200 text/plain");
            var opened = Network.OpenReply(request.Keys[^1], outer.Body, base64);
            outer.Should(opened is not null, base64 ? "padded base64 of the ciphertext" : "the ciphertext as raw bytes");
            // Compact, the body first; JSON as an object if asked for, errors as text always.
            var expected = json && status is 200 ? "{\"body\":{\"" : "{\"body\":\"";
            outer.Should(Encoding.UTF8.GetString(opened!).StartsWith(expected, StringComparison.Ordinal), $"a plaintext that starts with {expected}");
            Assert.Equal(["body", "status"], JsonElement.Parse(opened).EnumerateObject().Select(member => member.Name));
            Assert.Equal(status, JsonElement.Parse(opened).GetProperty("status").GetInt32());
        }
    }

    [Theory, OnEveryStore]
    public async Task ReplyOptions_ByDefault_AreTextAndBase64(Store store)
    {
        var network = await NetworkAsync(store);
        var request = Onion.ToNode(Path(network, 2), Info);

        var opened = Network.OpenReply(request.Keys[^1], (await network.PostOnionAsync(request)).Body, base64: true);

        Assert.Equal(JsonValueKind.String, JsonElement.Parse(opened!).GetProperty("body").ValueKind);
    }

    [Theory, OnEveryStore]
    public async Task Replies_UseANewNonceEachTime(Store store)
    {
        var network = await NetworkAsync(store);
        var request = Onion.ToNode(Path(network, 1), """{"method":"fly","params":{}}""");
        var replies = new HashSet<string>();
        for (var i = 0; i < 5; i++)
            replies.Add((await network.PostOnionAsync(request)).Text);

        Assert.Equal(5, replies.Count);
    }

    [Theory, OnEveryStore]
    public async Task ReplyOfARequestError_IsEncryptedWithItsCode(Store store)
    {
        var network = await NetworkAsync(store);

        (await network.SendOnionAsync(Onion.ToNode(Path(network, 3), """{"method":"fly","params":{}}"""), "fly")).ShouldBe(400, "no method fly");
    }

    [Theory, OnEveryStore]
    public async Task ContentTypeOfTheRequest_DoesNotMatter(Store store)
    {
        var network = await NetworkAsync(store);
        var request = Onion.ToNode(Path(network, 2), Info);
        using var content = new ByteArrayContent(request.Body);
        using var message = new HttpRequestMessage(HttpMethod.Post, new Uri(request.Guard.Url, "/onion_req/v2")) { Content = content };

        Assert.Equal(200, (await network.SendHttpAsync(message)).Answer.Status);
    }

    internal static Node[] Path(Network network, int nodes)
    {
        var all = network.Nodes.ToArray();
        Random.Shared.Shuffle(all);
        return all[..nodes];
    }

    /// <summary>Changes the JSON of a payload and leaves its blob alone.</summary>
    internal static byte[] Replace(byte[] payload, string old, string with)
    {
        var length = 4 + BitConverter.ToInt32(payload);
        var json = Encoding.UTF8.GetString(payload.AsSpan(length));
        Assert.Contains(old, json, StringComparison.Ordinal);
        return Onion.Pack(payload.AsSpan(4, length - 4), json.Replace(old, with, StringComparison.Ordinal));
    }
}

/// <summary>How onion requests fail.</summary>
[Section("onion-requests.md", "1, 7")]
public sealed class OnionErrorRules(Networks networks) : RuleSet(networks)
{
    private const string Info = """{"method":"info","params":{}}""", Prefix = "Error parsing onion request: ";

    [Theory]
    [OnEveryStore("", "Unexpected payload size; expected ciphertext size")]
    [OnEveryStore("00", "Unexpected payload size; expected ciphertext size")]
    [OnEveryStore("000000", "Unexpected payload size; expected ciphertext size")]
    [OnEveryStore("01000000", "Unexpected payload size 0, expected >= 1")]
    [OnEveryStore("0500000061626364", "Unexpected payload size 4, expected >= 5")]
    [OnEveryStore("ffffffff61", "Unexpected payload size 1, expected >= 4294967295")]
    [OnEveryStore("0000008061", "Unexpected payload size 1, expected >= 2147483648")]
    public async Task Payload_WithAWrongLength_IsNamedByTheGuard(Store store, string hex, string error)
    {
        var network = await NetworkAsync(store);

        (await network.PostOnionAsync(network.Nodes[0], Convert.FromHexString(hex))).ShouldBe(400, Prefix + error);
    }

    [Theory]
    [OnEveryStore("""{"ephemeral_key":"@","enc_type":"AES-GCM"}""", "Invalid encryption type AES-GCM")]
    [OnEveryStore("""{"ephemeral_key":"@","enc_type":""}""", "Invalid encryption type ")]
    [OnEveryStore("""{"ephemeral_key":"@","enc_type":"xchacha20-poly1306"}""", "Invalid encryption type xchacha20-poly1306")]
    [OnEveryStore("""{"ephemeral_key":""}""", "Hex key data is invalid: expected 64 hex digits, received 0")]
    [OnEveryStore("""{"ephemeral_key":"@00"}""", "Hex key data is invalid: expected 64 hex digits, received 66")]
    [OnEveryStore("""{"ephemeral_key":"zz"}""", "Hex key data is invalid: data is not hex")]
    public async Task Metadata_Wrong_IsNamedByTheGuard(Store store, string json, string error)
    {
        var network = await NetworkAsync(store);

        (await network.PostOnionAsync(network.Nodes[0], Onion.Pack("x", Filled(json)))).ShouldBe(400, Prefix + error);
    }

    [Theory]
    [OnEveryStore("")]
    [OnEveryStore("[]")]
    [OnEveryStore("{}")]
    [OnEveryStore("{} x")]
    [OnEveryStore("""{"ephemeral_key":null}""")]
    [OnEveryStore("""{"ephemeral_key":17}""")]
    [OnEveryStore("""{"ephemeral_key":"\ud800"}""")]
    [OnEveryStore("""{"ephemeral_key":"@","enc_type":1}""")]
    [OnEveryStore("""{"ephemeral_key":"@","hop_no":"1"}""")]
    public async Task Metadata_Unreadable_Is400WithAnUnspecifiedText(Store store, string json)
    {
        var network = await NetworkAsync(store);

        var answer = await network.PostOnionAsync(network.Nodes[0], Onion.Pack("x", Filled(json)));

        answer.Should(answer.Status is 400 && answer.ContentType is "text/plain" && answer.Text.StartsWith(Prefix, StringComparison.Ordinal), $"400 text/plain: {Prefix}...");
    }

    [Theory]
    [OnEveryStore("aes-gcm", 1, 0)]
    [OnEveryStore("aes-gcm", 3, 1)]
    [OnEveryStore("xchacha20", 1, 0)]
    [OnEveryStore("xchacha20", 3, 2)]
    public async Task Ciphertext_Damaged_IsInvalid(Store store, string cipher, int nodes, int at)
    {
        var network = await NetworkAsync(store);
        var request = Onion.Wrap(OnionRules.Path(network, nodes), Onion.Pack(Info, Onion.ToDestination), _ => cipher, changeSealed: (layer, bytes) =>
        {
            if (layer == at)
                bytes[^1] ^= 1;
            return bytes;
        });

        (await network.PostOnionAsync(request)).ShouldBe(400, "Invalid ciphertext");
    }

    [Theory]
    [OnEveryStore("aes-gcm", 0)]
    [OnEveryStore("aes-gcm", 27)]
    [OnEveryStore("xchacha20", 39)]
    [OnEveryStore("aes-cbc", 0)]
    [OnEveryStore("aes-cbc", 16)]
    [OnEveryStore("aes-cbc", 31)]
    [OnEveryStore("aes-cbc", 33)]
    public async Task Ciphertext_TooShortOrNoWholeBlocks_IsInvalid(Store store, string cipher, int length)
    {
        var network = await NetworkAsync(store);
        foreach (var nodes in (int[])[1, 2])
        {
            var request = Onion.Wrap(OnionRules.Path(network, nodes), Onion.Pack(Info, Onion.ToDestination), _ => cipher,
                changeSealed: (layer, bytes) => layer == nodes - 1 ? new byte[length] : bytes);
            (await network.PostOnionAsync(request)).ShouldBe(400, "Invalid ciphertext");
        }
    }

    [Theory, OnEveryStore]
    public async Task EphemeralKey_WithAnAllZeroSecret_IsInvalidCiphertext(Store store)
    {
        var network = await NetworkAsync(store);
        foreach (var key in (string[])[new string('0', 64), "01" + new string('0', 62), "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"])
            (await network.PostOnionAsync(network.Nodes[0], Onion.Pack(new string('x', 64), $$"""{"ephemeral_key":"{{key}}"}"""))).ShouldBe(400, "Invalid ciphertext");
    }

    [Theory]
    [OnEveryStore("hello")]
    [OnEveryStore("")]
    [OnEveryStore("[]")]
    [OnEveryStore("{}")]
    [OnEveryStore("{} x")]
    [OnEveryStore("""{"destination":"@"}""")]
    [OnEveryStore("""{"ephemeral_key":"@"}""")]
    [OnEveryStore("""{"destination":"@","ephemeral_key":17}""")]
    [OnEveryStore("""{"destination":17,"ephemeral_key":"@"}""")]
    [OnEveryStore("""{"destination":"ab","ephemeral_key":"@"}""")]
    [OnEveryStore("""{"destination":"@","ephemeral_key":"ab"}""")]
    [OnEveryStore("""{"destination":"@","ephemeral_key":"@","enc_type":1}""")]
    [OnEveryStore("""{"headers":{},"json":1}""")]
    [OnEveryStore("""{"headers":{},"base64":"yes"}""")]
    [OnEveryStore("""{"host":17,"target":"/oxen/v4/lsrpc"}""")]
    [OnEveryStore("""{"host":"x"}""")]
    [OnEveryStore("""{"host":"x","target":"/oxen/v4/lsrpc","port":"80"}""")]
    public async Task Plaintext_Malformed_IsInvalidJsonEncryptedByThatHop(Store store, string json)
    {
        var network = await NetworkAsync(store);

        (await network.SendOnionAsync(Onion.Wrap(OnionRules.Path(network, 2), Onion.Pack("x", Filled(json))), json)).ShouldBe(400, "Invalid json");
    }

    [Theory]
    [OnEveryStore(0)]
    [OnEveryStore(1)]
    [OnEveryStore(2)]
    public async Task Plaintext_ThatIsNoCombinedPayload_IsInvalidJsonAtAnyHop(Store store, int at)
    {
        var network = await NetworkAsync(store);
        var request = Onion.Wrap(OnionRules.Path(network, 3), Onion.Pack(Info, Onion.ToDestination), change: (layer, payload) => layer == at ? [9, 0, 0, 0, 1] : payload);

        (await network.SendOnionAsync(request, "no combined payload", layer: at)).ShouldBe(400, "Invalid json");
    }

    [Theory]
    [OnEveryStore(1)]
    [OnEveryStore(3)]
    public async Task NextNode_Unknown_IsNamedInLowerCase(Store store, int nodes)
    {
        var network = await NetworkAsync(store);
        var key = new string('A', 64);
        var request = Onion.Wrap(OnionRules.Path(network, nodes), Onion.Pack("x", $$"""{"destination":"{{key}}","ephemeral_key":"{{key}}"}"""));

        (await network.PostOnionAsync(request)).ShouldBe(502, "Next node not found: " + new string('a', 64));
    }

    [Theory, OnEveryStore]
    public async Task NextNode_NamedByItsX25519Key_IsUnknown(Store store)
    {
        var network = await NetworkAsync(store);
        var key = network.Nodes[1].X25519Hex;

        (await network.PostOnionAsync(Onion.Wrap(OnionRules.Path(network, 1), Onion.Pack("x", $$"""{"destination":"{{key}}","ephemeral_key":"{{key}}"}"""))))
            .ShouldBe(502, "Next node not found: " + key);
    }

    private static string Filled(string json) => json.Replace("@", new string('a', 64), StringComparison.Ordinal);
}

/// <summary>The exit node as a proxy to servers outside the network.</summary>
[Section("onion-requests.md", "5")]
public sealed class ServerRelayRules(Networks networks) : RuleSet(networks)
{
    [Theory]
    [OnEveryStore(1)]
    [OnEveryStore(3)]
    public async Task ExitNode_PostsItsWholePlaintextByteForByte(Store store, int nodes)
    {
        var (network, server) = await StartAsync(store);
        var seen = new TaskCompletionSource<(string Method, string? Type, string? Agent, byte[] Body)>();
        byte[] answer = [0, 255, 1, 254];
        var target = server.Serve(async (context, body) =>
        {
            seen.TrySetResult((context.Request.Method, context.Request.ContentType, context.Request.Headers.UserAgent, body));
            await context.Response.Body.WriteAsync(answer);
        });
        // Odd spacing, unknown members and a blob that is no text: nothing of it may be touched.
        var plaintext = Onion.Pack([1, 2, 3, 0, 255], $$"""
            { "port" : {{server.Port}}, "protocol":"http","host":"127.0.0.1", "target":"{{target}}","method":"GET","ephemeral_key":"é", "x": [1.50e1]  }
            """);

        var reply = await network.PostOnionAsync(Onion.Wrap(OnionRules.Path(network, nodes), plaintext));

        Assert.Equal(answer, reply.Body);
        Assert.Equal(200, reply.Status);
        var (method, type, agent, posted) = await seen.Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        Assert.Equal(("POST", "application/octet-stream", "Oxen Storage Server/2.8.0"), (method, type, agent));
        Assert.Equal(plaintext, posted);
    }

    [Theory]
    [OnEveryStore(200, 200)]
    [OnEveryStore(201, 500)]
    [OnEveryStore(204, 500)]
    [OnEveryStore(301, 500)]
    [OnEveryStore(400, 400)]
    [OnEveryStore(401, 401)]
    [OnEveryStore(403, 403)]
    [OnEveryStore(404, 404)]
    [OnEveryStore(406, 406)]
    [OnEveryStore(409, 500)]
    [OnEveryStore(410, 410)]
    [OnEveryStore(413, 413)]
    [OnEveryStore(421, 421)]
    [OnEveryStore(425, 500)]
    [OnEveryStore(429, 429)]
    [OnEveryStore(500, 500)]
    [OnEveryStore(501, 500)]
    [OnEveryStore(502, 502)]
    [OnEveryStore(503, 503)]
    [OnEveryStore(504, 504)]
    public async Task StatusOfAServer_SurvivesTheWayBackOnlyIfItIsKnown(Store store, int status, int throughTwoNodes)
    {
        var (network, server) = await StartAsync(store);
        var text = status is 204 ? "" : "what the server says";
        var target = server.Serve(async (context, _) =>
        {
            context.Response.StatusCode = status;
            if (text.Length > 0)
                await context.Response.WriteAsync(text);
        });

        // The exit node is the guard: nothing is lost.
        var reply = await RelayAsync(network, 1, server.Port, target);
        Assert.Equal((status, text), (reply.Status, reply.Text));
        reply = await RelayAsync(network, 2, server.Port, target);
        Assert.Equal((throughTwoNodes, text), (reply.Status, reply.Text));
    }

    [Theory, OnEveryStore]
    public async Task Redirect_IsNotFollowed(Store store)
    {
        var (network, server) = await StartAsync(store);
        var followed = false;
        var elsewhere = server.Serve((_, _) =>
        {
            followed = true;
            return Task.CompletedTask;
        });
        var target = server.Serve((context, _) =>
        {
            context.Response.Redirect(elsewhere, permanent: false, preserveMethod: true);
            return Task.CompletedTask;
        });

        Assert.Equal(307, (await RelayAsync(network, 1, server.Port, target)).Status);
        Assert.False(followed);
    }

    /// <summary>Recorded targets that must be refused.</summary>
    public static TheoryData<Store, string> RefusedTargets
    {
        get
        {
            var vectors = JsonElement.Parse(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "vectors", "onion_requests.json")));
            var data = new TheoryData<Store, string>();
            foreach (var target in vectors.GetProperty("targets").GetProperty("refused").EnumerateArray())
                data.Add(Targets.Stores[0], target.GetString()!);
            return data;
        }
    }

    [Theory, MemberData(nameof(RefusedTargets))]
    public async Task Target_Refused_IsAnInvalidUrlEncryptedByTheExitNode(Store store, string target)
    {
        var network = await NetworkAsync(store);
        foreach (var nodes in (int[])[1, 3])
            (await network.SendOnionAsync(Onion.Wrap(OnionRules.Path(network, nodes), Onion.ToServer("127.0.0.1", 443, target)), target)).ShouldBe(400, "Invalid url");
    }

    [Theory]
    [OnEveryStore("ftp")]
    [OnEveryStore("HTTP")]
    [OnEveryStore("Https")]
    [OnEveryStore("")]
    public async Task Protocol_ThatIsNotExactlyHttpOrHttps_IsAnInvalidUrl(Store store, string protocol)
    {
        var network = await NetworkAsync(store);

        (await network.SendOnionAsync(Onion.Wrap(OnionRules.Path(network, 2), Onion.ToServer("127.0.0.1", 443, "/oxen/v4/lsrpc", protocol)), protocol)).ShouldBe(400, "Invalid url");
    }

    [Theory]
    [OnEveryStore(1)]
    [OnEveryStore(3)]
    public async Task Server_ThatIsDown_Is502(Store store, int nodes)
    {
        var (network, _) = await StartAsync(store);

        (await RelayAsync(network, nodes, Networks.DeadPort, "/oxen/v4/lsrpc")).ShouldHaveStatus(502);
    }

    [Theory, OnEveryStore]
    public async Task Server_ThatHangsUp_Is502(Store store)
    {
        var (network, server) = await StartAsync(store);
        var atOnce = server.Serve((context, _) =>
        {
            context.Abort();
            return Task.CompletedTask;
        });
        var inMidReply = server.Serve(async (context, _) =>
        {
            context.Response.ContentLength = 1000;
            await context.Response.WriteAsync("half");
            await context.Response.Body.FlushAsync();
            context.Abort();
        });

        (await RelayAsync(network, 2, server.Port, atOnce)).ShouldHaveStatus(502);
        (await RelayAsync(network, 2, server.Port, inMidReply)).ShouldHaveStatus(502);
    }

    [Theory, OnEveryStore]
    public async Task Server_ThatTakesTooLong_Is504(Store store)
    {
        var (network, server) = await StartAsync(store); // whose limit is shorter than the protocol's 25 s
        using var end = new CancellationTokenSource();
        var target = server.Serve((_, _) => Task.Delay(Timeout.Infinite, end.Token).ContinueWith(_ => { }, TaskScheduler.Default));

        var reply = await RelayAsync(network, 2, server.Port, target);

        await end.CancelAsync();
        reply.ShouldHaveStatus(504);
    }

    [Theory]
    [OnEveryStore("aes-gcm", "v4")]
    [OnEveryStore("xchacha20", "v4")]
    [OnEveryStore("xchacha20", "v3")]
    public async Task Blob_IsForTheServersKeyAndItsReplyComesBackUnchanged(Store store, string cipher, string version)
    {
        var (network, server) = await StartAsync(store);
        // To the server the same JSON carries the ephemeral key and the cipher of the layer that is meant for it; it echoes here.
        var target = server.Serve((context, body) => context.Response.Body.WriteAsync(body).AsTask());
        using var serverKey = NSec.Cryptography.Key.Create(NSec.Cryptography.KeyAgreementAlgorithm.X25519);
        var sealedBlob = Crypto.Seal(cipher, serverKey.PublicKey.Export(NSec.Cryptography.KeyBlobFormat.RawPublicKey), Encoding.UTF8.GetBytes(version is "v4" ? "l2:{}e" : "{}"));
        var json = new JsonObject
        {
            ["host"] = "127.0.0.1",
            ["target"] = target,
            ["method"] = "POST",
            ["protocol"] = "http",
            ["port"] = server.Port,
            ["ephemeral_key"] = Convert.ToHexStringLower(sealedBlob.EphemeralKey),
            ["enc_type"] = cipher,
        }.ToJsonString();
        var plaintext = Onion.Pack(sealedBlob.Ciphertext, json);

        var reply = await network.PostOnionAsync(Onion.Wrap(OnionRules.Path(network, 3), plaintext, _ => cipher));

        Assert.Equal(200, reply.Status);
        Assert.Equal(plaintext, reply.Body);
    }

    private async Task<(Network Network, OutsideServer Server)> StartAsync(Store store)
    {
        var server = await Networks.GetServerAsync();
        return (await NetworkAsync(store), server);
    }

    private static Task<Answer> RelayAsync(Network network, int nodes, int port, string target) =>
        network.PostOnionAsync(Onion.Wrap(OnionRules.Path(network, nodes), Onion.ToServer("127.0.0.1", port, target)),
            string.Create(CultureInfo.InvariantCulture, $"relay to {port} {target}"));
}
