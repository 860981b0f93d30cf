using System.Security.Cryptography;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Tests.Identity;

public sealed class IdentityTests
{
    [Fact]
    public void KeyPair_FromSeed_MatchesVectors()
    {
        var vectors = Vectors.Load("keys.json").GetProperty("conversions").EnumerateArray().ToList();
        Assert.NotEmpty(vectors);
        foreach (var vector in vectors)
        {
            var keys = new Ed25519KeyPair(vector.Hex("ed25519_seed"));
            Assert.Equal(vector.Text("ed25519_pubkey"), keys.PublicKey.ToString());
            Assert.Equal(vector.Hex("x25519_seckey"), keys.X25519.SecretKey.ToArray());
            Assert.Equal(vector.Text("x25519_pubkey"), keys.X25519.PublicKey.ToString());
            Assert.Equal(vector.Text("session_id"), keys.SessionId.ToString());

            var converted = new byte[32];
            Assert.True(Ed25519.TryConvertPublicKey(keys.PublicKey.AsSpan(), converted));
            Assert.Equal(vector.Hex("x25519_pubkey"), converted);
        }
    }

    [Fact]
    public void ConvertPublicKey_SmallOrderOrOffCurve_IsRefused()
    {
        foreach (var vector in Vectors.Load("keys.json").GetProperty("conversion_failures").EnumerateArray())
            Assert.False(Ed25519.TryConvertPublicKey(vector.Hex("ed25519_pubkey"), new byte[32]), vector.Text("why"));
    }

    [Fact]
    public void MessageHash_Compute_MatchesVectors()
    {
        var file = Vectors.Load("message_hash.json");
        foreach (var vector in file.GetProperty("vectors").EnumerateArray())
        {
            var data = vector.TryGetProperty("data_base64", out _) ? vector.Base64("data_base64")
                : Shake256.HashData(System.Text.Encoding.UTF8.GetBytes(vector.Text("data_shake256_label")), vector.GetProperty("data_len").GetInt32());
            var hash = MessageHash.Compute(AccountId.Parse(vector.Text("pubkey")), vector.GetProperty("namespace").GetInt16(), data);
            Assert.Equal(vector.Text("hash"), hash.ToString());
            Assert.True(MessageHash.TryParse(System.Text.Encoding.ASCII.GetBytes(vector.Text("hash")), out var parsed));
            Assert.Equal(hash, parsed);
        }
    }

    [Fact]
    public void MessageHash_Compute_CollidesAcrossNamespacesAsSpecified()
    {
        var collision = Vectors.Load("message_hash.json").GetProperty("collision");
        var account = AccountId.Parse(collision.Text("pubkey"));
        var hashes = new[] { collision.GetProperty("a"), collision.GetProperty("b") }
            .Select(store => MessageHash.Compute(account, store.GetProperty("namespace").GetInt16(), store.Base64("data_base64")).ToString());
        Assert.All(hashes, hash => Assert.Equal(collision.Text("hash"), hash));
    }
}
