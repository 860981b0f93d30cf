using System.Text;
using System.Text.Json;
using Session.Orleans.Protocol.Communities;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Tests.Communities;

/// <summary>blinding.json (communities.md, 4 and 9).</summary>
public sealed class BlindingTests
{
    private static readonly JsonElement File = Vectors.Load("blinding.json");

    private static readonly Dictionary<string, Ed25519KeyPair> Users =
        File.GetProperty("users").EnumerateArray().ToDictionary(user => user.Text("name"), user => new Ed25519KeyPair(user.Hex("seed")));

    [Fact]
    public void Users_HaveTheRecordedKeys()
    {
        foreach (var vector in File.GetProperty("users").EnumerateArray().Concat(Vectors.Load("sogs_auth.json").GetProperty("users").EnumerateArray()))
        {
            var keys = new Ed25519KeyPair(vector.Hex("seed"));
            Assert.Equal(vector.Text("ed25519_public"), keys.PublicKey.ToString());
            Assert.Equal(vector.GetProperty("ed25519_public_is_negative").GetBoolean(), (keys.PublicKey.AsSpan()[^1] & 0x80) != 0);
            Assert.Equal(vector.Hex("ed25519_private_scalar"), keys.X25519.SecretKey);
            Assert.Equal(vector.Text("session_id"), keys.SessionId.ToString());
        }
    }

    [Fact]
    public void Derivations_AreTheVectors()
    {
        foreach (var vector in File.GetProperty("derivations").EnumerateArray())
        {
            var user = Users[vector.Text("user")];
            var server = X25519PublicKey.ParseHex(vector.Text("server_x25519_public"));
            var point = new byte[32];
            Assert.True(Ed25519Group.TryFromX25519(user.X25519.PublicKey.AsSpan(), point));
            Assert.Equal(vector.Hex("ed25519_from_session_id"), point);

            var expected15 = vector.GetProperty("blind15");
            var factor = new byte[32];
            Blinding.Factor15(server, factor);
            Assert.Equal(expected15.Hex("k"), factor);
            var keys15 = new BlindedKeyPair(user, server);
            Assert.Equal(expected15.Hex("private"), keys15.PrivateKey);
            Assert.Equal(expected15.Text("public"), keys15.PublicKey.ToString());
            Assert.Equal(expected15.Text("id"), keys15.Id.ToString());
            Assert.True(Blinding.TryCandidates15(user.SessionId, server, out var first, out var second));
            Assert.Equal(
                expected15.GetProperty("candidates_from_session_id").EnumerateArray().Select(id => id.GetString()), [first.ToString(), second.ToString()]);
            Assert.Equal(expected15.Text("absolute_id"), Blinding.Absolute(keys15.Id).ToString());

            var expected25 = vector.GetProperty("blind25");
            Blinding.Factor25(user.X25519.PublicKey, server, factor);
            Assert.Equal(expected25.Hex("k"), factor);
            var keys25 = new BlindedKeyPair(user, server, BlindingVersion.TwentyFive);
            Assert.Equal(expected25.Hex("private"), keys25.PrivateKey);
            Ed25519Group.Multiply(expected25.Hex("k_prime"), user.X25519.SecretKey, factor);
            Assert.Equal(expected25.Hex("private"), factor);
            Assert.Equal(expected25.Text("id"), keys25.Id.ToString());
            Assert.True(Blinding.TryId25(user.SessionId, server, out var id25));
            Assert.Equal(keys25.Id, id25);
        }
    }

    [Fact]
    public void Signatures_AreTheVectorsAndVerify()
    {
        var server = X25519PublicKey.ParseHex(File.GetProperty("derivations")[0].Text("server_x25519_public"));
        foreach (var vector in File.GetProperty("signatures").EnumerateArray())
        {
            var message = Encoding.UTF8.GetBytes(vector.Text("message"));
            foreach (var (member, version) in new[] { ("blind15", BlindingVersion.Fifteen), ("blind25", BlindingVersion.TwentyFive) })
            {
                var keys = new BlindedKeyPair(Users[vector.Text("user")], server, version);
                var signature = new byte[64];
                keys.Sign(message, signature);
                Assert.Equal(vector.Hex(member), signature);
                Assert.True(PostSignature.Verify(keys.Id, message, signature));
                signature[3] ^= 1;
                Assert.False(PostSignature.Verify(keys.Id, message, signature));
            }

            var id = new BlindedKeyPair(Users[vector.Text("user")], server).Id;
            Assert.True(PostSignature.Verify(id, message, vector.Hex("blind15_library_variant")));
        }
    }

    [Fact]
    public void PublishedSignatures_AreMadeOrVerify()
    {
        var vectors = File.GetProperty("known_answers").GetProperty("signatures").EnumerateArray().ToArray();
        Assert.Equal(4, vectors.Length);
        foreach (var known in vectors)
        {
            var version = known.Text("kind") is "15" ? BlindingVersion.Fifteen : BlindingVersion.TwentyFive;
            var keys = new BlindedKeyPair(new(known.Hex("seed")), X25519PublicKey.ParseHex(known.Text("server_x25519_public")), version);
            var message = Encoding.UTF8.GetBytes(known.Text("message"));
            var signature = new byte[64];
            keys.Sign(message, signature);
            Assert.Equal(known.Text("public"), keys.PublicKey.ToString());
            // Of the two ways to choose the nonce for a 15 key ours is that of the seed; readers take both.
            Assert.Equal(known.Hex(version is BlindingVersion.Fifteen ? "signature_seed_variant" : "signature"), signature);
            Assert.True(PostSignature.Verify(keys.Id, message, known.Hex("signature")));
        }
    }

    [Fact]
    public void DirectMessages_AreTheVectors()
    {
        foreach (var vector in File.GetProperty("direct_messages").EnumerateArray())
        {
            var server = X25519PublicKey.ParseHex(vector.Text("server_x25519_public"));
            var version = vector.Text("kind") is "15" ? BlindingVersion.Fifteen : BlindingVersion.TwentyFive;
            var (sender, recipient) = (Users[vector.Text("sender")], Users[vector.Text("recipient")]);
            var (from, to) = (new BlindedKeyPair(sender, server, version), new BlindedKeyPair(recipient, server, version));
            Assert.Equal(vector.Text("sender_id"), from.Id.ToString());
            Assert.Equal(vector.Text("recipient_id"), to.Id.ToString());

            var payload = BlindedMessage.Seal(Encoding.UTF8.GetBytes(vector.Text("message")), sender, from, to.Id, vector.Hex("nonce"));

            Assert.Equal(vector.Hex("payload"), payload);
            Assert.True(BlindedMessage.TryOpen(payload, recipient, to, from.Id, server, out var message, out var named));
            Assert.Equal(vector.Text("message"), Encoding.UTF8.GetString(message));
            Assert.Equal(sender.PublicKey, named);
            Assert.False(BlindedMessage.TryOpen(payload, recipient, to, to.Id, server, out _, out _));
            Assert.True(BlindedMessage.TryOpenSent(payload, sender, from, to.Id, out var sent));
            Assert.Equal(message, sent);
            Assert.False(BlindedMessage.TryOpenSent(payload, sender, from, from.Id, out _));
            Assert.False(BlindedMessage.TryOpenSent(payload, recipient, to, from.Id, out _));
            payload[0] = 1;
            Assert.False(BlindedMessage.TryOpen(payload, recipient, to, from.Id, server, out _, out _));
            payload[0] = 0;
            payload[5] ^= 1;
            Assert.False(BlindedMessage.TryOpen(payload, recipient, to, from.Id, server, out _, out _));
        }
    }

    [Fact]
    public void PublishedIds_AreDerived()
    {
        var answers = File.GetProperty("known_answers");
        var fromSeed = answers.GetProperty("blind15_from_seed");
        var server = X25519PublicKey.ParseHex(fromSeed.Text("server_x25519_public"));
        foreach (var known in fromSeed.GetProperty("cases").EnumerateArray())
        {
            var keys = new Ed25519KeyPair(known.Hex("seed"));
            Assert.Equal(known.Text("session_id"), keys.SessionId.ToString());
            Assert.Equal(known.Text("blinded15_id"), new BlindedKeyPair(keys, server).Id.ToString());
        }

        foreach (var known in answers.GetProperty("blind15_from_session_id").EnumerateArray())
        {
            Assert.True(Blinding.TryCandidates15(
                AccountId.Parse(known.Text("session_id")), X25519PublicKey.ParseHex(known.Text("server_x25519_public")), out var first, out var second));
            Assert.Equal(known.GetProperty("candidates").EnumerateArray().Select(id => id.GetString()).Order(), new[] { first.ToString(), second.ToString() }.Order());
            Assert.Contains(known.Text("published_id"), new[] { first.ToString(), second.ToString() });
        }

        foreach (var known in answers.GetProperty("from_session_id").EnumerateArray())
        {
            var (id, key) = (AccountId.Parse(known.Text("session_id")), X25519PublicKey.ParseHex(known.Text("server_x25519_public")));
            AccountId blinded;
            Assert.True(known.Text("kind") is "15" ? Blinding.TryCandidates15(id, key, out blinded, out _) : Blinding.TryId25(id, key, out blinded));
            Assert.Equal(known.Text("id_from_session_id"), blinded.ToString());
        }
    }

    [Fact]
    public void SessionIdThatIsNoKey_HasNoBlindedId()
    {
        var server = X25519KeyPair.Generate().PublicKey;
        Assert.False(Blinding.TryCandidates15(new(0x15, default), server, out _, out _));
        Assert.False(Blinding.TryCandidates15(new(0x05, default), server, out _, out _)); // u = 0 has small order
        Assert.False(Blinding.TryId25(new(0x05, default), server, out _));
    }
}
