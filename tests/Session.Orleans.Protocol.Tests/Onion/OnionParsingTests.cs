using System.Text.Json;
using CsCheck;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.Protocol.Tests.Onion;

public sealed class OnionParsingTests
{
    private const string Key = "84b1015842bd2d44e58ca4c462c4d730b8b3b5093b6cbec0e20b6bc257833543";

    [Fact]
    public void CombinedPayload_AnyParts_RoundTrip() =>
        Gen.Select(Gen.Byte.Array[0, 60], Gen.Byte.Array[0, 60]).Sample(
            (blob, json) =>
            {
                var payload = CombinedPayload.Join(blob, json);
                Assert.Equal(CombinedPayload.GetLength(blob.Length, json.Length), payload.Length);
                Assert.True(CombinedPayload.TrySplit(payload, out var splitBlob, out var splitJson, out var error), error);
                Assert.Equal(blob, splitBlob.ToArray());
                Assert.Equal(json, splitJson.ToArray());
            },
            iter: 2000);

    [Theory]
    [InlineData("", "Unexpected payload size; expected ciphertext size")]
    [InlineData("000000", "Unexpected payload size; expected ciphertext size")]
    [InlineData("01000000", "Unexpected payload size 0, expected >= 1")]
    [InlineData("ffffffff6162", "Unexpected payload size 2, expected >= 4294967295")]
    public void CombinedPayload_TooShort_NamesTheSizes(string hex, string expected)
    {
        Assert.False(CombinedPayload.TrySplit(Convert.FromHexString(hex), out _, out _, out var error));
        Assert.Equal(expected, error);
    }

    [Theory]
    [InlineData("""{"ephemeral_key":"KEY"}""", OnionCipher.AesGcm, 0)]
    [InlineData("""{"ephemeral_key":"KEY","enc_type":"xchacha20","hop_no":3}""", OnionCipher.XChaCha20, 3)]
    [InlineData("""{"hop_no":-7,"x":{"ephemeral_key":[1,{}]},"ephemeral_key":"KEY","enc_type":"cbc"}""", OnionCipher.AesCbc, 0)]
    [InlineData("""{"ephemeral_key":"KEY","hop_no":15}""", OnionCipher.AesGcm, 15)]
    [InlineData("""{"ephemeral_key":"KEY","hop_no":9223372036854775807}""", OnionCipher.AesGcm, 16)]
    [InlineData("""{"ephemeral_key":5,"ephemeral_key":"KEY"}""", OnionCipher.AesGcm, 0)] // the last of one name counts
    [InlineData("""{"\u0065phemeral_key":"KEY","enc_type":"\u0067cm"}""", OnionCipher.AesGcm, 0)]
    [InlineData(" {\"ephemeral_key\":\"KEY\"}\n", OnionCipher.AesGcm, 0)]
    public void Envelope_Members_AreRead(string json, OnionCipher cipher, int hopNumber)
    {
        Assert.True(OnionEnvelope.TryParse(Fuzzing.Payload(json.Replace("KEY", Key, StringComparison.Ordinal)), out var envelope, out var error), error);
        Assert.Equal(Key, envelope.EphemeralKey.ToString());
        Assert.Equal((cipher, hopNumber, 3), (envelope.Cipher, envelope.HopNumber, envelope.Ciphertext.Length));
    }

    [Theory]
    [InlineData("""{"ephemeral_key":"KEY","enc_type":"AES-GCM"}""", "Invalid encryption type AES-GCM")]
    [InlineData("""{"ephemeral_key":"KEY","enc_type":"\u00e9"}""", "Invalid encryption type é")]
    [InlineData("""{"ephemeral_key":"KEY00"}""", "Hex key data is invalid: expected 64 hex digits, received 66")]
    [InlineData("""{"ephemeral_key":""}""", "Hex key data is invalid: expected 64 hex digits, received 0")]
    [InlineData("""{"ephemeral_key":"0xKEY"}""", "Hex key data is invalid: data is not hex")]
    public void Envelope_SpecifiedErrors_HaveTheirExactText(string json, string expected)
    {
        Assert.False(OnionEnvelope.TryParse(Fuzzing.Payload(json.Replace("KEY", Key, StringComparison.Ordinal)), out _, out var error));
        Assert.Equal(expected, error);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("""{"ephemeral_key":null}""")]
    [InlineData("""{"ephemeral_key":["KEY"]}""")]
    [InlineData("""{"ephemeral_key":"KEY"}x""")]
    [InlineData("""{"ephemeral_key":"KEY"}{}""")]
    [InlineData("""{"ephemeral_key":"KEY",}""")]
    [InlineData("""{"ephemeral_key":"KEY","enc_type":1}""")]
    [InlineData("""{"ephemeral_key":"KEY","enc_type":null}""")]
    [InlineData("""{"ephemeral_key":"KEY","enc_type":"\ud800"}""")]
    [InlineData("""{"ephemeral_key":"KEY","hop_no":"1"}""")]
    [InlineData("""{"ephemeral_key":"KEY","hop_no":1.5}""")]
    [InlineData("""{"ephemeral_key":"KEY","\ud800phemeral_keyphemeral_key":1}""")]
    public void Envelope_BadMetadata_IsRefusedWithSomeText(string json)
    {
        var ok = OnionEnvelope.TryParse(Fuzzing.Payload(json.Replace("KEY", Key, StringComparison.Ordinal)), out _, out var error);
        // A broken name that is no member of ours may pass or not, as long as it does not throw.
        Assert.True(ok ? json.Contains("phemeral_keyphemeral", StringComparison.Ordinal) : !string.IsNullOrEmpty(error));
    }

    [Fact]
    public void Envelope_HugeCipherName_IsNotEchoedWhole()
    {
        var json = $$"""{"ephemeral_key":"{{Key}}","enc_type":"{{new string('x', 100000)}}"}""";
        Assert.False(OnionEnvelope.TryParse(Fuzzing.Payload(json), out _, out var error));
        Assert.InRange(error!.Length, 1, 300);
    }

    [Theory]
    [InlineData("""{"headers":""}""", false, true)]
    [InlineData("""{"headers":null,"body":null}""", false, true)]
    [InlineData("""{"headers":{},"json":true,"base64":false}""", true, false)]
    [InlineData("""{"host":5,"destination":7,"headers":[[]],"json":false,"base64":true}""", false, true)]
    public void Instruction_Headers_MakeADestinationBeforeAnythingElse(string json, bool asJson, bool base64)
    {
        Assert.True(OnionInstruction.TryParse(Fuzzing.Payload(json), out var instruction));
        var destination = Assert.IsType<OnionInstruction.ToDestination>(instruction);
        Assert.Equal((asJson, base64, 3), (destination.Json, destination.Base64, destination.Request.Length));
    }

    [Fact]
    public void Instruction_HostBeforeDestination_IsAServerWithDefaults()
    {
        var plaintext = Fuzzing.Payload($$"""{"host":"h.example","target":"/oxen/v4/lsrpc","destination":"{{Key}}","ephemeral_key":"{{Key}}"}""");
        Assert.True(OnionInstruction.TryParse(plaintext, out var instruction));
        var relay = Assert.IsType<OnionInstruction.ToServer>(instruction);
        Assert.Equal(("h.example", "/oxen/v4/lsrpc", "https", 443), (relay.Host, relay.Target, relay.Protocol, relay.Port));
        Assert.Equal(plaintext, relay.Payload.ToArray());
    }

    [Fact]
    public void Instruction_Http_DefaultsToPort443()
    {
        Assert.True(OnionInstruction.TryParse(
            Fuzzing.Payload("""{"host":"h.example","target":"/oxen/v4/lsrpc","protocol":"http"}"""), out var instruction));
        Assert.Equal(443, Assert.IsType<OnionInstruction.ToServer>(instruction).Port);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("")]
    [InlineData("""{"headers":{},"json":1}""")]
    [InlineData("""{"headers":{},"base64":"true"}""")]
    [InlineData("""{"headers":{},"base64":null}""")]
    [InlineData("""{"headers":{}""")]
    [InlineData("""{"host":"h"}""")]
    [InlineData("""{"host":1,"target":"/oxen/lsrpc"}""")]
    [InlineData("""{"host":"h","target":null}""")]
    [InlineData("""{"host":"h","target":"/oxen/lsrpc","port":"80"}""")]
    [InlineData("""{"host":"h","target":"/oxen/lsrpc","port":0}""")]
    [InlineData("""{"host":"h","target":"/oxen/lsrpc","port":65536}""")]
    [InlineData("""{"host":"h","target":"/oxen/lsrpc","protocol":1}""")]
    [InlineData("""{"host":"\ud800","target":"/oxen/lsrpc"}""")]
    [InlineData("""{"destination":"KEY"}""")]
    [InlineData("""{"ephemeral_key":"KEY"}""")]
    [InlineData("""{"destination":"KEY","ephemeral_key":"KE"}""")]
    [InlineData("""{"destination":"zz","ephemeral_key":"KEY"}""")]
    [InlineData("""{"destination":"KEY","ephemeral_key":"KEY","enc_type":"rot13"}""")]
    [InlineData("""{"destination":"KEY","ephemeral_key":"KEY","enc_type":5}""")]
    public void Instruction_MissingOrMistypedMember_IsRefused(string json) =>
        Assert.False(OnionInstruction.TryParse(Fuzzing.Payload(json.Replace("KEY", Key, StringComparison.Ordinal)), out _));

    [Fact]
    public void Instruction_MetadataThatIsNotUtf8_IsRefused() =>
        Assert.False(OnionInstruction.TryParse(CombinedPayload.Join([], [.. "{\"headers\":\""u8, 0xff, .. "\"}"u8]), out _));

    [Fact]
    public void Targets_Vectors_AreAllowedOrRefused()
    {
        var targets = Vectors.Load("onion_requests.json").GetProperty("targets");
        Assert.All(targets.GetProperty("allowed").EnumerateArray(), target => Assert.True(Server(target.GetString()!).IsAllowed));
        Assert.All(targets.GetProperty("allowed").EnumerateArray(), target => Assert.True(Server(target.GetString()!).TryGetUri(out _)));
        Assert.All(targets.GetProperty("refused").EnumerateArray(), target => Assert.False(Server(target.GetString()!).IsAllowed));
        Assert.All(targets.GetProperty("refused").EnumerateArray(), target => Assert.False(Server(target.GetString()!).TryGetUri(out _)));
        Assert.All(new[] { "ftp", "HTTPS", "", "https " }, protocol => Assert.False((Server("/oxen/lsrpc") with { Protocol = protocol }).IsAllowed));
    }

    [Theory]
    [InlineData("user@h.example", "/oxen/lsrpc")]
    [InlineData("h.example:80", "/oxen/lsrpc")]
    [InlineData("h.example/x", "/oxen/lsrpc")]
    [InlineData("h.example?", "/oxen/lsrpc")]
    [InlineData("h.example#", "/oxen/lsrpc")]
    [InlineData("h.example\\x", "/oxen/lsrpc")]
    [InlineData("127.1", "/oxen/lsrpc")]
    [InlineData("", "/oxen/lsrpc")]
    [InlineData("h.example", "/oxen/../admin/lsrpc")]
    [InlineData("h.example", "/oxen/%2e%2e/admin/lsrpc")]
    [InlineData("h.example", "/oxen/#/lsrpc")]
    public void TryGetUri_AddressThatMeansSomethingElse_IsRefused(string host, string target)
    {
        var relay = Server(target) with { Host = host };
        Assert.True(relay.IsAllowed);
        Assert.False(relay.TryGetUri(out _));
    }

    [Theory]
    [InlineData("10.1.2.3")]
    [InlineData("[::1]")]
    [InlineData("Files.Example.org")]
    public void TryGetUri_OrdinaryHost_IsKept(string host)
    {
        Assert.True((Server("/oxen/v4/lsrpc") with { Host = host, Port = 8080 }).TryGetUri(out var uri));
        Assert.Equal($"https://{host}:8080/oxen/v4/lsrpc", uri.AbsoluteUri, ignoreCase: true);
    }

    [Fact]
    public void TryGetUri_AnyHostAndTarget_NeverThrows() =>
        Gen.Select(Gen.String, Gen.String).Sample(
            (host, target) =>
            {
                var relay = Server("/oxen/" + target + "/lsrpc") with { Host = host };
                Assert.Equal(relay.TryGetUri(out var uri), uri is not null);
            },
            iter: 3000);

    [Fact]
    public void Seal_AnyText_IsValidJsonAndComesBack()
    {
        var key = LayerKey();
        Gen.Select(Gen.OneOf(Gen.String, Gen.Char["\"\\\n\u0000\u2028é<😀"[..7]].Array[0, 300].Select(text => new string(text))), Gen.Int[0, 999], Gen.Bool, Gen.Bool)
            .Where(sample => IsUnicode(sample.Item1)).Sample(
            (text, status, json, base64) =>
            {
                var body = System.Text.Encoding.UTF8.GetBytes(text);
                var reply = OnionReply.Seal(key, status, body, bodyIsJson: false, json, base64);
                Assert.True(OnionReply.TryOpen(key, reply, base64, out var content));
                Assert.Equal((status, true), (content.Status, content.BodyIsString));
                Assert.Equal(body, content.Body.ToArray());
                Assert.True(OnionReply.TryOpenRaw(key, reply, base64, out var plaintext));
                using var document = JsonDocument.Parse(plaintext);
                Assert.Equal(text, document.RootElement.GetProperty("body").GetString());
                Assert.Equal(["body", "status"], document.RootElement.EnumerateObject().Select(member => member.Name));

                var (inRented, rented) = OnionReply.SealRented(key, status, body, bodyIsJson: false, json, base64);
                Assert.NotNull(rented);
                Assert.Equal(reply.Length, inRented.Length);
                Assert.True(OnionReply.TryOpenRaw(key, inRented.Span, base64, out var same));
                Assert.Equal(plaintext.ToArray(), same.ToArray());
                System.Buffers.ArrayPool<byte>.Shared.Return(rented);
            },
            iter: 3000);
    }

    [Fact]
    public void SealRented_LargeReply_HasAnArrayOfItsOwn()
    {
        var key = LayerKey();
        var (reply, rented) = OnionReply.SealRented(key, 200, new byte[1 << 20], bodyIsJson: false, json: false, base64: true);
        Assert.Null(rented);
        Assert.True(OnionReply.TryOpen(key, reply.Span, base64: true, out var content));
        Assert.Equal(new byte[1 << 20], content.Body.ToArray());
    }

    [Theory]
    [InlineData('"')]
    [InlineData('\u0001')]
    [InlineData('a')]
    public void Seal_LargeBodyOfOneCharacter_OutgrowsItsFirstBuffer(char character)
    {
        var key = LayerKey();
        foreach (var length in new[] { 1000, 65536, 1 << 20 })
        {
            var body = new byte[length];
            body.AsSpan().Fill((byte)character);
            Assert.True(OnionReply.TryOpen(key, OnionReply.Seal(key, -1 & 599, body, false, false, true), true, out var content));
            Assert.Equal(body, content.Body.ToArray());
        }
    }

    [Fact]
    public void Seal_Json_IsEmbeddedOnlyIfAskedFor()
    {
        var key = LayerKey();
        Assert.Equal("""{"body":{"a":[1]},"status":200}""", Plain(bodyIsJson: true, json: true));
        Assert.Equal("""{"body":"{\"a\":[1]}","status":200}""", Plain(bodyIsJson: true, json: false));
        Assert.Equal("""{"body":"{\"a\":[1]}","status":200}""", Plain(bodyIsJson: false, json: true));

        string Plain(bool bodyIsJson, bool json)
        {
            var reply = OnionReply.Seal(key, 200, "{\"a\":[1]}"u8, bodyIsJson, json, base64: false);
            Assert.True(OnionReply.TryOpenRaw(key, reply, base64: false, out var plaintext));
            return System.Text.Encoding.UTF8.GetString(plaintext.Span);
        }
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"body":"x"}""")]
    [InlineData("""{"body":"x","status":"200"}""")]
    [InlineData("""{"body":"x","status":-1}""")]
    [InlineData("""{"body":"\ud800","status":200}""")]
    [InlineData("""{"body":"x","status":200}}""")]
    [InlineData("[200]")]
    [InlineData("")]
    public void TryOpen_ReplyWithoutStatusOrNotJson_IsRefused(string plaintext)
    {
        var key = LayerKey();
        Assert.False(OnionReply.TryOpen(key, OnionReply.SealRaw(key, System.Text.Encoding.UTF8.GetBytes(plaintext), false), false, out _));
    }

    [Fact]
    public void TryOpen_PlainErrorText_IsRefused()
    {
        var key = LayerKey();
        foreach (var base64 in new[] { true, false })
        {
            Assert.False(OnionReply.TryOpen(key, "Next node not found: 00"u8, base64, out _));
            Assert.False(OnionReply.TryOpen(key, [], base64, out _));
        }
    }

    [Fact]
    public void Parsers_AnyBytes_NeverThrow()
    {
        var key = LayerKey();
        var valid = new[]
        {
            Fuzzing.Payload($$"""{"ephemeral_key":"{{Key}}","enc_type":"xchacha20","hop_no":3}"""),
            Fuzzing.Payload("""{"headers":{"a\u00e9":[1,{"b":null}]},"json":true,"base64":false}"""),
            Fuzzing.Payload("""{"host":"h.example","target":"/oxen/v4/lsrpc","protocol":"http","port":80,"x\ud83d\ude00":1.5e3}"""),
            Fuzzing.Payload($$"""{"destination":"{{Key}}","ephemeral_key":"{{Key}}","enc_type":"\u0067cm"}"""),
        };
        var replies = new[] { """{"body":"{\"a\":\"\u00e9\"}","status":200}""", """{"status_code":200,"body":{"a":[1,2]}}""" }
            .Select(System.Text.Encoding.UTF8.GetBytes).ToArray();
        Fuzzing.Around(valid).Sample(
            bytes =>
            {
                if (!OnionEnvelope.TryParse(bytes, out _, out var error))
                    Assert.False(string.IsNullOrEmpty(error));
                Assert.Equal(OnionInstruction.TryParse(bytes, out var instruction), instruction is not null);
                if (instruction is OnionInstruction.ToServer relay)
                    _ = relay.TryGetUri(out _);
            },
            iter: 20000);
        Fuzzing.Around(replies).Sample(
            bytes =>
            {
                _ = OnionReply.TryOpen(key, OnionReply.SealRaw(key, bytes, false), false, out _);
                _ = OnionReply.TryOpen(key, bytes, true, out _);
                _ = OnionReply.TryOpen(key, bytes, false, out _);
            },
            iter: 8000);
    }

    private static bool IsUnicode(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsSurrogate(text[i]) && !(i + 1 < text.Length && char.IsSurrogatePair(text[i], text[++i])))
                return false;
        }

        return true;
    }

    private static OnionInstruction.ToServer Server(string target) => new("h.example", target, "https", 443, default);

    private static OnionLayerKey LayerKey()
    {
        Assert.True(OnionLayerKey.TryDeriveForClient(X25519KeyPair.Generate(), X25519KeyPair.Generate().PublicKey, OnionCipher.XChaCha20, out var key));
        return key;
    }
}
