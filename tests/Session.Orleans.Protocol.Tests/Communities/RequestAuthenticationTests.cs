using System.Text;
using System.Text.Json;
using CsCheck;
using Session.Orleans.Protocol.Communities;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Tests.Communities;

/// <summary>sogs_auth.json (communities.md, 3 and 7.4).</summary>
public sealed class RequestAuthenticationTests
{
    private static readonly JsonElement File = Vectors.Load("sogs_auth.json");
    private static readonly X25519PublicKey Server = X25519PublicKey.ParseHex(File.GetProperty("server").Text("x25519_public"));

    public static TheoryData<string> Cases => [.. File.GetProperty("requests").EnumerateArray().Select(request => request.Text("name"))];

    [Theory, MemberData(nameof(Cases))]
    public void Request_IsJudgedAsInTheVector(string name)
    {
        var vector = File.GetProperty("requests").EnumerateArray().Single(request => request.Text("name") == name);
        var headers = vector.GetProperty("headers");
        var error = CommunityCredentials.Read(
            header => headers.TryGetProperty(header, out var value) ? value.GetString() : null,
            new(vector.GetProperty("require_blinded").GetBoolean(), Accept25: false), vector.GetProperty("server_time").GetInt64(), out var credentials);
        var target = vector.Text("target").Split('?', 2);
        if (error is null && vector.GetProperty("used_nonces_hex").EnumerateArray().Any(nonce => nonce.GetString() == Convert.ToHexStringLower(credentials!.Nonce.Span)))
            error = CommunityAuthenticationError.NonceReused;
        if (error is null && !credentials!.IsSignatureOf(
            Server, vector.Text("method"), Uri.UnescapeDataString(target[0]), target.Length > 1 ? target[1] : "", vector.Base64("body_base64")))
            error = CommunityAuthenticationError.BadSignature;

        var expected = vector.GetProperty("expect");
        if (expected.GetProperty("authenticated").GetBoolean())
        {
            Assert.Null(error);
            Assert.Equal(expected.Text("session_id"), credentials!.Id.ToString());
        }
        else
        {
            Assert.Equal(expected.GetProperty("status").GetInt32(), error!.Status);
            Assert.Equal(expected.Text("body_text"), error.Text);
        }
    }

    [Fact]
    public void Signing_GivesThePublishedHeaders()
    {
        foreach (var known in File.GetProperty("known_answers").EnumerateArray())
        {
            var keys = new Ed25519KeyPair(known.Hex("seed"));
            var server = X25519PublicKey.ParseHex(known.Text("server_x25519_public"));
            var target = known.Text("path").Split('?', 2);
            var nonce = known.Base64("nonce_base64");
            var time = known.GetProperty("timestamp").GetInt64();
            Assert.Equal(
                known.Hex("signed_message_hex"),
                CommunityRequestSignature.GetSignedBytes(server, nonce, $"{time}", known.Text("method"), target[0], target[1], []));
            Check("unblinded", CommunityRequestSignature.Sign(keys, server, nonce, time, known.Text("method"), target[0], target[1], []));
            Check("blinded15", CommunityRequestSignature.Sign(new BlindedKeyPair(keys, server), server, nonce, time, known.Text("method"), target[0], target[1], []));

            void Check(string member, IReadOnlyDictionary<string, string> headers)
            {
                foreach (var header in known.GetProperty(member).EnumerateObject())
                    Assert.Equal(header.Value.GetString(), headers[header.Name]);
            }
        }
    }

    [Fact]
    public void PostSignatures_InAllForms_Verify()
    {
        foreach (var vector in File.GetProperty("post_signatures").EnumerateArray())
        {
            var data = vector.Base64("data_base64");
            foreach (var form in (string[])["blinded15", "unblinded_xeddsa", "unblinded_sign_bit_in_S"])
            {
                var post = vector.GetProperty(form);
                Assert.True(PostSignature.Verify(AccountId.Parse(post.Text("session_id")), data, post.Base64("signature_base64")), form);
            }

            Assert.False(PostSignature.Verify(
                AccountId.Parse(vector.GetProperty("blinded15").Text("session_id")), data, vector.Base64("tampered_blinded15_signature_base64")));
        }
    }

    /// <summary>Accounts whose key has either sign.</summary>
    [Fact]
    public void PostSignature_OfASessionId_Verifies() => Gen.Select(Gen.Byte.Array[32], Gen.Byte.Array[0, 200]).Sample((seed, data) =>
    {
        var keys = new Ed25519KeyPair(seed);
        var signature = new byte[64];
        PostSignature.Sign(keys, data, signature);
        var verifies = PostSignature.Verify(keys.SessionId, data, signature);
        signature[^1] ^= 0x80;
        return verifies && !PostSignature.Verify(keys.SessionId, data, signature);
    });

    [Fact]
    public void Accept25_TakesThem()
    {
        var keys = new BlindedKeyPair(Ed25519KeyPair.Generate(), Server, BlindingVersion.TwentyFive);
        var headers = CommunityRequestSignature.Sign(keys, Server, new byte[16], 1_700_000_000, "GET", "/rooms", "", []);
        Assert.Equal(400, CommunityCredentials.Read(headers.GetValueOrDefault, new(true, false), 1_700_000_000, out _)!.Status);
        Assert.Null(CommunityCredentials.Read(headers.GetValueOrDefault, new(true, true), 1_700_000_000, out var credentials));
        Assert.Equal(keys.Id, credentials!.Id);
        Assert.True(credentials.IsSignatureOf(Server, "GET", "/rooms", "", []));
    }

    /// <summary>Whatever the headers hold, the answer is one of the texts, and nothing is thrown.</summary>
    [Fact]
    public void AnyHeaders_AreAnsweredWithAKnownText()
    {
        string[] valid =
        [
            "15" + new string('a', 64), Convert.ToBase64String(new byte[16]), "1700000000", Convert.ToBase64String(new byte[64]),
            "1532cc5aba5243537fe065f811df57076584f38b4cef556a00075a7733d449e60c", "", "=", "1_0", " 1700000000",
        ];
        Gen.OneOf(Gen.Int[0, valid.Length - 1].Select(i => valid[i]), Gen.String).Array[4].Sample(values =>
        {
            var error = CommunityCredentials.Read(name => name switch
            {
                CommunityRequestSignature.PublicKeyHeader => values[0],
                CommunityRequestSignature.NonceHeader => values[1],
                CommunityRequestSignature.TimestampHeader => values[2],
                _ => values[3],
            }, new(true, false), 1_700_000_000, out var credentials);
            return error is null ? credentials is not null || values.All(string.IsNullOrEmpty)
                : credentials is null && error.Status is 400 or 425 && error.Text.StartsWith("Invalid authentication", StringComparison.Ordinal);
        });
    }

    [Theory]
    [InlineData("http://127.0.0.1:22003/lobby?public_key=", "http://127.0.0.1:22003", "lobby")]
    [InlineData("https://open.example.org/r/A_b-9?public_key=", "https://open.example.org", "A_b-9")]
    [InlineData("open.example.org/x?public_key=", "http://open.example.org", "x")]
    public void JoinUrl_IsRead(string text, string host, string token)
    {
        Assert.True(CommunityUrl.TryParse(text + Server, out var url));
        Assert.Equal(new(host, token, Server), url);
        Assert.True(CommunityUrl.TryParse(url.ToString(), out var again));
        Assert.Equal(url, again);
    }

    [Fact]
    public void JoinUrl_ThatIsNone_IsRefused()
    {
        foreach (var text in (string?[])[null, "", "http://a/b", "http://a/b?public_key=12", $"http://a/b/c?public_key={Server}", $"http:///b?public_key={Server}",
            $"http://a/b!?public_key={Server}", $"ftp://a/b?public_key={Server}", $"http://u@a/b?public_key={Server}", $"http://a/?public_key={Server}"])
            Assert.False(CommunityUrl.TryParse(text, out _), text);
        Gen.String.Sample(text => CommunityUrl.TryParse(text, out _) || true);
        Gen.String.Sample(text => CommunityUrl.TryParse(text + "?public_key=" + Server, out var url) is var parsed && (!parsed || CommunityUrl.IsToken(url!.Token)));
    }
}
