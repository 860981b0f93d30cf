using System.Text;
using System.Text.Json;
using CsCheck;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.Protocol.Tests.Onion;

public sealed class ServerOnionTests
{
    private static readonly JsonElement File = Vectors.Load("fileserver_onion.json");

    private static readonly X25519KeyPair Server = new(File.GetProperty("server").Hex("x25519_private"));

    // What v3 requests are made of, to be put together at random.
    private static readonly string[] Pieces =
        ["{", "}", "\"method\"", ":", ",", "\"GET\"", "\"endpoint\"", "\"/\"", "null", "\"body\"", "[", "]", "7", "\"\\ud800\"", "\"headers\""];

    [Fact]
    public void ServerKey_FromItsSeed_IsTheRecordedOne()
    {
        var recorded = File.GetProperty("server_key_from_ed25519");
        var keys = new Ed25519KeyPair(recorded.Hex("ed25519_seed"));
        Assert.Equal(recorded.Text("ed25519_public"), keys.PublicKey.ToString());
        Assert.Equal(recorded.Hex("x25519_private"), keys.X25519.SecretKey);
        Assert.Equal(recorded.Text("x25519_public"), keys.X25519.PublicKey.ToString());
    }

    [Fact]
    public void RecordedRequests_AreOpenedAndAnswered()
    {
        var vectors = File.GetProperty("requests").EnumerateArray().ToList();
        Assert.Equal(12, vectors.Count);
        foreach (var vector in vectors)
        {
            var name = vector.Text("name");
            Assert.True(ServerOnion.TryGetVersion(vector.Text("path"), out var version), name);
            Assert.Equal(vector.GetProperty("version").GetInt32(), (int)version);
            Assert.True(ServerOnion.TryOpen(Server, version, vector.Hex("http_body_hex"), out var onion), name);

            var inner = vector.GetProperty("inner");
            Assert.NotNull(onion.Request);
            Assert.Equal((inner.Text("method"), inner.Text("endpoint")), (onion.Request.Method, onion.Request.Endpoint));
            Assert.All(inner.GetProperty("headers").EnumerateObject(), header => Assert.Equal(header.Value.GetString(), onion.Request.Headers[header.Name.ToUpperInvariant()]));
            var body = inner.Base64("body_base64");
            Assert.Equal(inner.Text("method") is "POST" ? body : [], onion.Request.Body?.ToArray() ?? []);
            Assert.True(inner.Text("method") is "POST" || onion.Request.Body is null, name);

            // Our reply, read as the client reads the recorded one.
            var key = ReplyKey(vector);
            var example = vector.GetProperty("example_reply");
            var v3 = version == ServerOnionVersion.V3;
            var recordedBody = v3 ? Encoding.ASCII.GetBytes(example.Text("http_body")) : Convert.FromHexString(example.Text("http_body"));
            Assert.True(OnionReply.TryOpenRaw(key, recordedBody, v3, out var expected), name);
            Assert.Equal(example.Hex("plaintext_hex"), expected.ToArray());
            var status = example.GetProperty("status").GetInt32();
            var sealedReply = v3
                ? onion.Seal(status, new Dictionary<string, string>(), expected.Span)
                : OnionV4Response.TryParse(expected, out var reply) ? onion.Seal(status, reply.Headers, reply.Body.Span) : throw new InvalidDataException(name);
            Assert.True(OnionReply.TryOpenRaw(key, sealedReply, v3, out var opened), name);
            Assert.Equal(expected.ToArray(), opened.ToArray());
        }
    }

    [Fact]
    public void MalformedRequests_AreAnsweredAsRecorded()
    {
        var vectors = File.GetProperty("malformed").EnumerateArray().ToList();
        Assert.Equal(19, vectors.Count);
        foreach (var vector in vectors)
        {
            var name = vector.Text("name");
            if (vector.Text("layer") is "outer")
            {
                Assert.False(ServerOnion.TryOpen(Server, ServerOnionVersion.V4, vector.Hex("http_body_hex"), out _), name);
                continue;
            }

            var version = (ServerOnionVersion)vector.GetProperty("version").GetInt32();
            Assert.True(ServerOnion.TryOpen(Server, version, vector.Hex("http_body_hex"), out var onion), name);
            Assert.Null(onion.Request);
            Assert.True(OnionReply.TryOpenRaw(ReplyKey(vector), onion.SealMalformed(), version == ServerOnionVersion.V3, out var opened), name);
            Assert.Equal(Encoding.UTF8.GetString(vector.Hex("expect_reply_plaintext_hex")), Encoding.UTF8.GetString(opened.Span));
        }
    }

    [Theory]
    [InlineData("""{"method":"GET","endpoint":"a"}""", true)]
    [InlineData("""{"method":"GET","endpoint":"a","body":""}""", true)]
    [InlineData("""{"method":"GET","endpoint":"a","body":null}""", true)]
    [InlineData("""{"method":"GET","endpoint":"a","body":"null"}""", true)]
    [InlineData("""{"method":"get","endpoint":"a","body":"x"}""", false)]
    [InlineData("""{"method":"DELETE","endpoint":"a","body":"x"}""", false)]
    [InlineData("""{"method":"PUT","endpoint":"a","body":"x"}""", true)]
    [InlineData("""{"method":"POST","endpoint":"a","body":{}}""", false)]
    [InlineData("""{"method":"POST","endpoint":"a","headers":7}""", false)]
    [InlineData("""{"method":"POST","endpoint":7}""", false)]
    [InlineData("""{"method":"","endpoint":"a"}""", false)]
    [InlineData("""{"method":"GET","endpoint":"a","auth_code":7}""", false)]
    [InlineData("""{"method":"GET","endpoint":"\ud800"}""", false)]
    [InlineData("""{"method":"GET","endpoint":"a"} x""", false)]
    [InlineData("", false)]
    public void V3Plaintext_IsChecked(string json, bool expected) =>
        Assert.Equal(expected, ServerRequest.TryParseV3(Encoding.UTF8.GetBytes(json), out _));

    [Fact]
    public void V3AuthCode_BecomesAHeader()
    {
        Assert.True(ServerRequest.TryParseV3("""{"method":"GET","endpoint":"a","headers":{"X":"1"},"auth_code":"c"}"""u8.ToArray(), out var request));
        Assert.Equal(("c", "1"), (request.Headers["authorization"], request.Headers["x"]));
    }

    [Fact]
    public void BlockCipher_IsUnknownToServers()
    {
        var client = X25519KeyPair.Generate();
        Assert.True(OnionLayerKey.TryDeriveForClient(client, Server.PublicKey, OnionCipher.AesCbc, out var key));
        var layer = new byte[key.GetCiphertextLength(2)];
        key.Encrypt("le"u8, layer);
        var body = CombinedPayload.Join(layer, Encoding.UTF8.GetBytes($$"""{"ephemeral_key":"{{client.PublicKey}}","enc_type":"aes-cbc"}"""));
        Assert.False(ServerOnion.TryOpen(Server, ServerOnionVersion.V4, body, out _));
    }

    [Fact]
    public void AnyPlaintext_IsParsedOrRefusedButNeverThrows() =>
        Gen.OneOf(
            Gen.Byte.Array[0, 80],
            Gen.Int[0, Pieces.Length - 1].Array[0, 12].Select(picks => Encoding.UTF8.GetBytes(string.Concat(picks.Select(pick => Pieces[pick])))))
            .Sample(plaintext =>
            {
                _ = ServerRequest.TryParseV3(plaintext, out _);
                _ = ServerRequest.TryParseV4(plaintext, out _);
                _ = ServerOnion.TryOpen(Server, ServerOnionVersion.V4, plaintext, out _);
            });

    [Fact]
    public void AnyRequest_ComesOutAsItWentIn() =>
        Gen.Select(Gen.Byte.Array[0, 2000], Gen.Bool, Gen.Int[200, 599]).Sample((body, xchacha, status) =>
        {
            var cipher = xchacha ? OnionCipher.XChaCha20 : OnionCipher.AesGcm;
            var client = X25519KeyPair.Generate();
            Assert.True(OnionLayerKey.TryDeriveForClient(client, Server.PublicKey, cipher, out var key));
            var plaintext = new OnionV4Request("POST", "/file", new Dictionary<string, string>(), body).Encode();
            var layer = new byte[key.GetCiphertextLength(plaintext.Length)];
            key.Encrypt(plaintext, layer);
            var post = CombinedPayload.Join(layer, Encoding.UTF8.GetBytes($$"""{"ephemeral_key":"{{client.PublicKey}}","enc_type":"{{OnionCiphers.Name(cipher)}}"}"""));

            Assert.True(ServerOnion.TryOpen(Server, ServerOnionVersion.V4, post, out var onion));
            Assert.Equal(body, onion.Request!.Body!.Value.ToArray());
            Assert.True(OnionReply.TryOpenRaw(key, onion.Seal(status, new Dictionary<string, string> { ["A"] = "b" }, body), false, out var opened));
            Assert.True(OnionV4Response.TryParse(opened, out var reply));
            Assert.Equal((status, "b"), (reply.Code, reply.Headers["a"]));
            Assert.Equal(body, reply.Body.ToArray());
        }, iter: 100);

    private static OnionLayerKey ReplyKey(JsonElement vector)
    {
        var cipher = vector.TryGetProperty("cipher", out var named) && named.GetString() is "xchacha20" ? OnionCipher.XChaCha20 : OnionCipher.AesGcm;
        if (vector.TryGetProperty("client_ephemeral_private", out _))
        {
            Assert.True(OnionLayerKey.TryDeriveForClient(new(vector.Hex("client_ephemeral_private")), Server.PublicKey, cipher, out var key));
            return key;
        }

        // The malformed ones share a key that is recorded only as such; the envelope leads to it.
        Assert.True(OnionEnvelope.TryParse(vector.Hex("http_body_hex"), out var envelope, out _));
        Assert.True(OnionLayerKey.TryDeriveForNode(Server, envelope.EphemeralKey, envelope.Cipher, out var shared));
        Assert.Equal(vector.Hex("key"), shared.Secret.AsSpan().ToArray());
        return shared;
    }
}
