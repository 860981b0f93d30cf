using System.Text.Json;
using CsCheck;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.Protocol.Tests.Onion;

public sealed class OnionRequestTests
{
    private static readonly JsonElement File = Vectors.Load("onion_requests.json");
    private static readonly List<JsonElement> Requests = [.. File.GetProperty("vectors").EnumerateArray()];

    // The nodes that the error vectors are addressed to.
    private static readonly Dictionary<Ed25519PublicKey, X25519KeyPair> Nodes = Vectors.Load("keys.json").GetProperty("nodes").EnumerateArray()
        .Take(3).ToDictionary(node => Ed25519PublicKey.ParseHex(node.Text("pubkey_ed25519")), node => new X25519KeyPair(node.Hex("x25519_seckey")));

    private static readonly Ed25519PublicKey Guard =
        Ed25519PublicKey.ParseHex(Vectors.Load("keys.json").GetProperty("nodes")[0].Text("pubkey_ed25519"));

    [Fact]
    public void Layers_VectorRequests_OpenHopByHop()
    {
        Assert.Equal(26, Requests.Count);
        foreach (var vector in Requests)
        {
            Assert.True(OnionEnvelope.TryParse(vector.Base64("http_body_base64"), out var envelope, out var error), error);
            Assert.Equal(0, envelope.HopNumber);
            var (ciphertext, ephemeral, cipher) = (envelope.Ciphertext, envelope.EphemeralKey, envelope.Cipher);
            var path = vector.GetProperty("path").EnumerateArray().ToList();
            var layers = vector.GetProperty("layers").EnumerateArray().ToList();
            for (var hop = 0; hop < layers.Count; hop++)
            {
                var layer = layers[hop];
                Assert.Equal(layer.Text("enc_type"), OnionCiphers.Name(cipher));
                Assert.Equal(layer.Text("ephemeral_pubkey"), ephemeral.ToString());
                var node = new X25519KeyPair(path[hop].Hex("x25519_seckey"));
                Assert.True(OnionLayer.TryOpen(node, ephemeral, cipher, ciphertext.Span, out var plaintext, out var key));
                Assert.Equal(layer.Text("key"), key.Secret.ToString());
                Assert.Equal(layer.Base64("plaintext_base64"), plaintext.ToArray());

                // The other way round: the recorded key pair and nonce make the recorded layer, and so the whole body.
                Assert.True(OnionLayerKey.TryDeriveForClient(new(layer.Hex("ephemeral_seckey")), node.PublicKey, cipher, out var clientKey));
                var again = new byte[clientKey.GetCiphertextLength(plaintext.Length)];
                clientKey.Encrypt(plaintext.Span, again, layer.Hex("nonce"));
                Assert.Equal(ciphertext.ToArray(), again);

                Assert.True(OnionInstruction.TryParse(plaintext, out var instruction));
                if (hop < layers.Count - 1)
                {
                    var next = Assert.IsType<OnionInstruction.ToNode>(instruction);
                    Assert.Equal(path[hop + 1].Text("ed25519_pubkey"), next.Destination.ToString());
                    (ciphertext, ephemeral, cipher) = (next.Ciphertext, next.EphemeralKey, next.Cipher);
                }
                else if (vector.Text("kind") == "final")
                    AssertDestination(vector, instruction, key);
                else
                    AssertServer(vector, instruction);
            }
        }
    }

    private static void AssertDestination(JsonElement vector, OnionInstruction instruction, OnionLayerKey key)
    {
        var destination = Assert.IsType<OnionInstruction.ToDestination>(instruction);
        Assert.Equal(vector.Text("destination_request"), System.Text.Encoding.UTF8.GetString(destination.Request.Span));

        var response = vector.GetProperty("example_response");
        var (json, base64) = (response.GetProperty("json").GetBoolean(), response.GetProperty("base64").GetBoolean());
        Assert.Equal((json, base64), (destination.Json, destination.Base64));
        var httpBody = response.Base64("http_body_base64");
        var raw = base64 ? Convert.FromBase64String(System.Text.Encoding.ASCII.GetString(httpBody)) : httpBody;

        var inner = JsonDocument.Parse(response.Text("plaintext")).RootElement;
        var result = json ? inner.GetProperty("body").GetRawText() : inner.GetProperty("body").GetString()!;
        var body = System.Text.Encoding.UTF8.GetBytes(result);
        var status = inner.GetProperty("status").GetInt32();
        Assert.Equal(httpBody, OnionReply.Seal(key, status, body, bodyIsJson: true, json, base64, raw.AsSpan(0, OnionCiphers.GetNonceLength(key.Cipher))));

        Assert.True(OnionReply.TryOpen(key, httpBody, base64, out var content));
        Assert.Equal(status, content.Status);
        Assert.Equal(body, content.Body.ToArray());
        Assert.Equal(!json, content.BodyIsString);
    }

    private static void AssertServer(JsonElement vector, OnionInstruction instruction)
    {
        var relay = Assert.IsType<OnionInstruction.ToServer>(instruction);
        Assert.True(relay.IsAllowed);
        Assert.True(relay.TryGetUri(out var uri));
        Assert.Equal(vector.Text("post_url"), uri.AbsoluteUri);
        Assert.Equal(vector.Base64("post_body_base64"), relay.Payload.ToArray());

        // The server reads the same members of the same body as a guard does.
        var server = new X25519KeyPair(vector.Hex("server_x25519_seckey"));
        Assert.Equal(vector.Text("server_x25519_pubkey"), server.PublicKey.ToString());
        Assert.True(OnionEnvelope.TryParse(relay.Payload, out var envelope, out _));
        Assert.True(OnionLayer.TryOpen(server, envelope.EphemeralKey, envelope.Cipher, envelope.Ciphertext.Span, out var plaintext, out var key));
        Assert.Equal(vector.Text("server_key"), key.Secret.ToString());
        Assert.Equal(vector.Base64("server_plaintext_base64"), plaintext.ToArray());
        Assert.True(OnionV4Request.TryParse(plaintext, out _));

        Assert.True(OnionReply.TryOpenRaw(key, vector.Base64("server_http_body_base64"), base64: false, out var reply));
        Assert.Equal(vector.Base64("server_response_plaintext_base64"), reply.ToArray());
        Assert.True(OnionV4Response.TryParse(reply, out var response));
        Assert.Equal(200, response.Code);
        Assert.True(OnionReply.TryOpenRaw(key, OnionReply.SealRaw(key, reply.Span, base64: true), base64: true, out var again));
        Assert.Equal(reply.ToArray(), again.ToArray());
    }

    [Fact]
    public void BuildToNode_RecordedKeysAndNonces_ReproducesTheBodies()
    {
        var identical = 0;
        foreach (var vector in Requests.Where(vector => vector.Text("kind") == "final"))
        {
            var layers = vector.GetProperty("layers").EnumerateArray().ToList();
            var path = vector.GetProperty("path").EnumerateArray().Select((node, hop) => new OnionHop(
                Ed25519PublicKey.ParseHex(node.Text("ed25519_pubkey")), X25519PublicKey.ParseHex(node.Text("x25519_pubkey")),
                Cipher(layers[hop].Text("enc_type")))).ToList();
            var response = vector.GetProperty("example_response");
            var request = OnionRequestBuilder.BuildToNode(
                path, OnionCipher.AesGcm, System.Text.Encoding.UTF8.GetBytes(vector.Text("destination_request")),
                response.GetProperty("json").GetBoolean(), response.GetProperty("base64").GetBoolean(), hopNo: 0, new Recorded(layers));
            Assert.Equal(layers[^1].Text("key"), request.ReplyKey.Secret.ToString());
            if (request.HttpBody.AsSpan().SequenceEqual(vector.Base64("http_body_base64")))
                identical++;
        }

        // The others spell the innermost metadata in another, equally valid way: "headers":{}, a "body", or options at their defaults.
        Assert.Equal(12, identical);
    }

    [Fact]
    public void BuildToNode_AnyPathAndOptions_ReachesTheDestinationAndItsReplyComesBack()
    {
        var nodes = Enumerable.Range(0, 15).Select(_ => Ed25519KeyPair.Generate()).ToArray();
        Gen.Select(
            Gen.Enum<OnionCipher>().Array[1, 15], Gen.Byte.Array[0, 300], Gen.Bool, Gen.Bool, Gen.Int[0, 20]).Sample(
            (ciphers, body, json, base64, hopNo) =>
            {
                var path = ciphers.Select((cipher, i) => new OnionHop(nodes[i].PublicKey, nodes[i].X25519.PublicKey, cipher)).ToList();
                var request = OnionRequestBuilder.BuildToNode(path, OnionCipher.XChaCha20, body, json, base64, hopNo);
                Assert.True(OnionEnvelope.TryParse(request.HttpBody, out var envelope, out _));
                Assert.Equal(Math.Min(hopNo, OnionEnvelope.MaxHopNumber + 1), envelope.HopNumber);
                var (plaintext, key) = Walk(nodes, ciphers, envelope);
                Assert.True(OnionInstruction.TryParse(plaintext, out var instruction));
                var destination = Assert.IsType<OnionInstruction.ToDestination>(instruction);
                Assert.Equal(body, destination.Request.ToArray());
                Assert.Equal((json, base64), (destination.Json, destination.Base64));

                var sealedReply = OnionReply.Seal(key, 406, "{\"t\":1}"u8, bodyIsJson: true, destination.Json, destination.Base64);
                Assert.True(OnionReply.TryOpen(request.ReplyKey, sealedReply, request.Base64, out var content));
                Assert.Equal(406, content.Status);
                Assert.Equal("{\"t\":1}"u8.ToArray(), content.Body.ToArray());
                Assert.Equal(!json, content.BodyIsString);
            },
            iter: 150);
    }

    [Theory]
    [InlineData("https", 443, "https://example.org/loki/v3/lsrpc")]
    [InlineData("http", 443, "http://example.org:443/loki/v3/lsrpc")]
    [InlineData("http", 80, "http://example.org/loki/v3/lsrpc")]
    public void BuildToServer_AnyPort_IsPostedThereAndDecrypted(string protocol, int port, string url)
    {
        var nodes = Enumerable.Range(0, 3).Select(_ => Ed25519KeyPair.Generate()).ToArray();
        var server = X25519KeyPair.Generate();
        var path = nodes.Select(node => new OnionHop(node.PublicKey, node.X25519.PublicKey)).ToList();
        var request = OnionRequestBuilder.BuildToServer(
            path, OnionCipher.XChaCha20, server.PublicKey, "example.org", "hello"u8, "/loki/v3/lsrpc", protocol, port, base64: true);
        Assert.True(OnionEnvelope.TryParse(request.HttpBody, out var envelope, out _));
        var (plaintext, _) = Walk(nodes, [.. nodes.Select(_ => OnionCipher.XChaCha20)], envelope);
        Assert.True(OnionInstruction.TryParse(plaintext, out var instruction));
        var relay = Assert.IsType<OnionInstruction.ToServer>(instruction);
        Assert.True(relay.TryGetUri(out var uri));
        Assert.Equal(url, uri.AbsoluteUri);
        Assert.True(OnionEnvelope.TryParse(relay.Payload, out var atServer, out _));
        Assert.True(OnionLayer.TryOpen(server, atServer.EphemeralKey, atServer.Cipher, atServer.Ciphertext.Span, out var payload, out var key));
        Assert.Equal("hello"u8.ToArray(), payload.ToArray());
        Assert.True(OnionReply.TryOpenRaw(request.ReplyKey, OnionReply.SealRaw(key, "back"u8, request.Base64), request.Base64, out var reply));
        Assert.Equal("back"u8.ToArray(), reply.ToArray());
    }

    [Fact]
    public void Build_LongPaths_NeverUsesAKeyOrANonceTwice()
    {
        var nodes = Enumerable.Range(0, OnionRequestBuilder.MaxHops).Select(_ => Ed25519KeyPair.Generate()).ToArray();
        var path = nodes.Select(node => new OnionHop(node.PublicKey, node.X25519.PublicKey)).ToArray();
        var nonceLength = OnionCiphers.GetNonceLength(OnionCipher.XChaCha20);
        var (keys, nonces) = (new HashSet<X25519PublicKey>(), new HashSet<string>());

        for (var request = 0; request < 3; request++)
        {
            Assert.True(OnionEnvelope.TryParse(OnionRequestBuilder.BuildToNode(path, OnionCipher.XChaCha20, "{}"u8).HttpBody, out var envelope, out var error), error);
            var (ciphertext, ephemeral) = (envelope.Ciphertext, envelope.EphemeralKey);
            foreach (var node in nodes)
            {
                Assert.True(keys.Add(ephemeral), "An ephemeral key was used twice.");
                Assert.True(nonces.Add(Convert.ToHexString(ciphertext.Span[..nonceLength])), "A nonce was used twice.");
                Assert.True(OnionLayer.TryOpen(node.X25519, ephemeral, OnionCipher.XChaCha20, ciphertext.Span, out var plaintext, out _));
                Assert.True(OnionInstruction.TryParse(plaintext, out var instruction));
                if (instruction is OnionInstruction.ToNode next)
                    (ciphertext, ephemeral) = (next.Ciphertext, next.EphemeralKey);
            }
        }

        Assert.Equal(3 * nodes.Length, keys.Count);
    }

    /// <summary>A load has thousands of them in a second.</summary>
    [Theory]
    [InlineData(OnionCipher.AesGcm)]
    [InlineData(OnionCipher.XChaCha20)]
    public void BuildToNode_Allocates_LittleMoreThanTheBody(OnionCipher cipher)
    {
        OnionHop[] path = [.. Enumerable.Range(0, 4).Select(_ => Ed25519KeyPair.Generate()).Select(node => new OnionHop(node.PublicKey, node.X25519.PublicKey))];
        var request = new byte[2000];
        var more = long.MaxValue;
        for (var i = 0; i < 200; i++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            var onion = OnionRequestBuilder.BuildToNode(path, cipher, request);
            more = Math.Min(more, GC.GetAllocatedBytesForCurrentThread() - before - onion.HttpBody.Length);
        }

        Assert.InRange(more, 0, 2600); // four key pairs, what is kept of the layers, random bytes, and .NET's cipher on processors that libsodium has no AES for
    }

    [Fact]
    public void Build_BadPath_Throws()
    {
        var node = Ed25519KeyPair.Generate();
        var hop = new OnionHop(node.PublicKey, node.X25519.PublicKey);
        Assert.Throws<ArgumentException>(() => OnionRequestBuilder.BuildToNode([], default, "{}"u8));
        Assert.Throws<ArgumentException>(() => OnionRequestBuilder.BuildToNode([.. Enumerable.Repeat(hop, 16)], default, "{}"u8));
        Assert.Throws<ArgumentException>(() => OnionRequestBuilder.BuildToNode([hop with { X25519 = default }], default, "{}"u8));
    }

    [Fact]
    public void Errors_Vectors_ComeOutAsSpecified()
    {
        var errors = File.GetProperty("errors").EnumerateArray().ToList();
        Assert.Equal(17, errors.Count);
        foreach (var vector in errors)
        {
            var name = vector.Text("name");
            var outcome = Post(vector.Base64("http_body_base64"));
            Assert.Equal((name, vector.GetProperty("expected_http_status").GetInt32()), (name, outcome.HttpStatus));
            Assert.Equal((name, vector.Text("detected_at") switch { "guard" or "exit node" or "destination" => 1, _ => 2 }), (name, outcome.Hop));
            if (vector.TryGetProperty("expected_inner", out var inner))
            {
                Assert.True(OnionReply.TryOpen(outcome.Key!.Value, outcome.Body, base64: true, out var content), name);
                Assert.Equal(inner.GetProperty("status").GetInt32(), content.Status);
                Assert.Equal(inner.Text("body"), System.Text.Encoding.UTF8.GetString(content.Body.Span));
                Assert.True(content.BodyIsString);
                continue;
            }

            var text = System.Text.Encoding.UTF8.GetString(outcome.Body);
            if (vector.GetProperty("expected_body").GetString() is { } expected)
                Assert.Equal(expected, text);
            else
                Assert.StartsWith("Error parsing onion request: ", text, StringComparison.Ordinal);
        }
    }

    private sealed record Outcome(int HttpStatus, byte[] Body, int Hop, OnionLayerKey? Key = null);

    // The nodes of the error vectors in miniature: what each hop answers with this library alone.
    private static Outcome Post(byte[] httpBody)
    {
        if (!OnionEnvelope.TryParse(httpBody, out var envelope, out var error))
            return Plain(400, OnionEnvelope.ErrorPrefix + error, 1);
        var (node, ephemeral, cipher, ciphertext) = (Guard, envelope.EphemeralKey, envelope.Cipher, envelope.Ciphertext);
        for (int hop = 1, number = envelope.HopNumber; ; hop++, number++)
        {
            if (hop > 1 && number > OnionEnvelope.MaxHopNumber)
                return Plain(400, "onion request max path length exceeded", hop);
            if (!OnionLayer.TryOpen(Nodes[node], ephemeral, cipher, ciphertext.Span, out var plaintext, out var key))
                return Plain(400, "Invalid ciphertext", hop);
            if (!OnionInstruction.TryParse(plaintext, out var instruction))
                return Encrypted("Invalid json");
            if (instruction is OnionInstruction.ToServer { IsAllowed: false })
                return Encrypted("Invalid url");
            if (instruction is OnionInstruction.ToDestination)
                return Encrypted("invalid json");
            var next = Assert.IsType<OnionInstruction.ToNode>(instruction);
            if (!Nodes.ContainsKey(next.Destination))
                return Plain(502, $"Next node not found: {next.Destination}", hop);
            (node, ephemeral, cipher, ciphertext) = (next.Destination, next.EphemeralKey, next.Cipher, next.Ciphertext);

            Outcome Encrypted(string text) => new(
                200, OnionReply.Seal(key, 400, System.Text.Encoding.UTF8.GetBytes(text), bodyIsJson: false, json: false, base64: true), hop, key);
        }

        static Outcome Plain(int status, string text, int hop) => new(status, System.Text.Encoding.UTF8.GetBytes(text), hop);
    }

    private static (ReadOnlyMemory<byte> Plaintext, OnionLayerKey Key) Walk(Ed25519KeyPair[] nodes, OnionCipher[] ciphers, OnionEnvelope envelope)
    {
        var (ephemeral, cipher, ciphertext) = (envelope.EphemeralKey, envelope.Cipher, envelope.Ciphertext);
        for (var hop = 0; ; hop++)
        {
            Assert.Equal(ciphers[hop], cipher);
            Assert.True(OnionLayer.TryOpen(nodes[hop].X25519, ephemeral, cipher, ciphertext.Span, out var plaintext, out var key));
            if (hop == ciphers.Length - 1)
                return (plaintext, key);
            Assert.True(OnionInstruction.TryParse(plaintext, out var instruction));
            var next = Assert.IsType<OnionInstruction.ToNode>(instruction);
            Assert.Equal(nodes[hop + 1].PublicKey, next.Destination);
            (ephemeral, cipher, ciphertext) = (next.EphemeralKey, next.Cipher, next.Ciphertext);
        }
    }

    private static OnionCipher Cipher(string name)
    {
        Assert.True(OnionCiphers.TryParse(System.Text.Encoding.UTF8.GetBytes(name), out var cipher));
        return cipher;
    }

    // Layers are made from the inside out.
    private sealed class Recorded(List<JsonElement> layers) : OnionRandomness
    {
        private int _next = layers.Count;

        public override X25519KeyPair CreateKeyPair() => new(layers[--_next].Hex("ephemeral_seckey"));

        public override void FillNonce(Span<byte> nonce) => layers[_next].Hex("nonce").CopyTo(nonce);
    }
}
