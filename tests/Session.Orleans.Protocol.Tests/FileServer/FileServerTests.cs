using System.Text;
using System.Text.Json;
using CsCheck;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.FileServer;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Tests.FileServer;

public sealed class FileServerTests
{
    private static readonly JsonElement File = Vectors.Load("fileserver_onion.json");

    [Fact]
    public void ContentIds_AreTheRecordedOnes()
    {
        var vectors = File.GetProperty("content_ids").EnumerateArray().ToList();
        Assert.Equal(3, vectors.Count);
        Assert.All(vectors, vector => Assert.Equal(vector.Text("id"), FileId.OfContent(vector.Base64("body_base64"))));
    }

    [Fact]
    public void ContentId_InPieces_IsThatOfTheWhole() => Gen.Byte.Array[0, 500].Array[0, 6].Sample(pieces =>
    {
        var hash = FileId.StartHash();
        foreach (var piece in pieces)
            hash.Append(piece);
        var id = FileId.Finish(hash);
        Assert.Equal(FileId.OfContent([.. pieces.SelectMany(piece => piece)]), id);
        Assert.True(FileId.IsContentDerived(id));
    });

    [Fact]
    public void NumericIds_FitADoubleAndAreNotExtendable()
    {
        var ids = Enumerable.Range(0, 1000).Select(_ => FileId.NewNumeric()).ToArray();
        Assert.Equal(ids.Length, ids.Distinct().Count());
        Assert.All(ids, id =>
        {
            var number = ulong.Parse(id, System.Globalization.CultureInfo.InvariantCulture);
            Assert.Equal(number, (ulong)(double)number);
            Assert.True(number < 1UL << 53);
            Assert.True(FileId.IsWellFormed(id));
            Assert.False(FileId.IsContentDerived(id));
        });
        Assert.Contains(ids, id => ulong.Parse(id, System.Globalization.CultureInfo.InvariantCulture) > 1UL << 52);
    }

    [Theory]
    [InlineData("a", true)]
    [InlineData("A-_9", true)]
    [InlineData("", false)]
    [InlineData("a b", false)]
    [InlineData("a.b", false)]
    [InlineData("é", false)]
    [InlineData("aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeee", true)]
    [InlineData("aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeee", false)]
    public void Ids_AreChecked(string id, bool expected) => Assert.Equal(expected, FileId.IsWellFormed(id));

    [Fact]
    public void VersionChecks_AreJudgedAsRecorded()
    {
        var vectors = File.GetProperty("version_check_auth").EnumerateArray().ToList();
        Assert.Equal(7, vectors.Count);
        foreach (var vector in vectors)
        {
            var headers = vector.GetProperty("headers");
            var target = vector.Text("target").Split('?', 2);
            var result = VersionCheckAuthentication.Check(
                Header("X-FS-Pubkey"), Header("X-FS-Timestamp"), Header("X-FS-Signature"), vector.Text("method"), target[0], target[1],
                vector.GetProperty("server_time").GetInt64());
            var expected = vector.GetProperty("expect");
            Assert.Equal(expected.GetProperty("status").GetInt32(), result.Status);
            Assert.Equal(expected.TryGetProperty("body_text", out var text) ? text.GetString() : null, result.Error);

            string? Header(string name) => headers.TryGetProperty(name, out var value) ? value.GetString() : null;
        }
    }

    /// <summary>The key by which one installation asks is derived from the account's, and does not tell whose it is.</summary>
    [Fact]
    public void VersionCheck_OfThePublishedKey_IsItsAccounts()
    {
        foreach (var known in Vectors.Load("blinding.json").GetProperty("known_answers").GetProperty("version_check").EnumerateArray())
        {
            var seed = new byte[32];
            Blake2b.Hash(known.Hex("seed"), "VersionCheckKey_sig"u8, seed);
            var keys = new Ed25519KeyPair(seed);
            Assert.Equal(known.Text("id"), "07" + keys.PublicKey);
            var time = known.GetProperty("timestamp").GetInt64();
            var signature = new byte[64];
            keys.Sign(Encoding.ASCII.GetBytes($"{time}{known.Text("method")}{known.Text("path")}"), signature);
            Assert.Equal(known.Hex("signature"), signature);
            var target = known.Text("path").Split('?', 2);
            Assert.Equal(200, VersionCheckAuthentication.Check(known.Text("id"), $"{time}", known.Text("signature"), known.Text("method"), target[0], target[1], time).Status);
        }
    }

    [Fact]
    public void PublishedServersKeys_BelongTogether()
    {
        var published = File.GetProperty("published_default_server");
        var key = new byte[32];
        Assert.True(Ed25519.TryConvertPublicKey(published.Hex("ed25519_public"), key));
        Assert.Equal(published.Hex("x25519_public"), key);
    }

    [Theory]
    [InlineData("07", null, null, 400, "X-FS-Pubkey is not a valid 66-hex digit id")]
    [InlineData("zz3d5d689c165bc50b97350c130f55a82f85c1d4d5107b15bf21b305456ed0b9dc", null, null, 400, "X-FS-Pubkey is not a valid 66-hex digit id")]
    [InlineData("070000000000000000000000000000000000000000000000000000000000000000", null, null, 400, "given X-FS-Pubkey is not a valid Ed25519 pubkey")]
    [InlineData(null, "soon", null, 400, "X-FS-Timestamp is not a valid timestamp")]
    [InlineData(null, "1700086400", null, 401, "X-FS-Signature verification failed")] // the last moment
    [InlineData(null, "1700086401", null, 425, "X-FS-Timestamp is too far from current time")]
    [InlineData(null, null, "AAAA", 400, "X-FS-Signature is not base64[86]")]
    public void VersionCheck_WithABadHeader_SaysWhich(string? key, string? timestamp, string? signature, int status, string error)
    {
        var valid = File.GetProperty("version_check_auth")[0].GetProperty("headers");
        var result = VersionCheckAuthentication.Check(
            key ?? valid.Text("X-FS-Pubkey"), timestamp ?? valid.Text("X-FS-Timestamp"), signature ?? valid.Text("X-FS-Signature"), "GET",
            "/session_version", "platform=desktop&release_channel=stable", 1_700_000_000);
        Assert.Equal((status, "Invalid authentication: " + error), (result.Status, result.Error));
    }

    [Fact]
    public void VersionCheck_InBase64AndHex_IsTheSame()
    {
        var valid = File.GetProperty("version_check_auth")[0].GetProperty("headers");
        var key = Convert.ToBase64String(Convert.FromHexString(valid.Text("X-FS-Pubkey")));
        var signature = Convert.ToHexString(Convert.FromBase64String(valid.Text("X-FS-Signature")));
        foreach (var text in (string[])[signature, valid.Text("X-FS-Signature"), valid.Text("X-FS-Signature").TrimEnd('=')])
        {
            Assert.Equal(200, VersionCheckAuthentication.Check(
                key, valid.Text("X-FS-Timestamp"), text, "GET", "/session_version", "platform=desktop&release_channel=stable", 1_700_000_000).Status);
        }
    }

    [Fact]
    public void VersionCheck_OfAnyHeaders_NeverThrows() =>
        Gen.Select(Gen.String[0, 140], Gen.String[0, 20], Gen.String[0, 140]).Sample((key, timestamp, signature) =>
            Assert.NotEqual(500, VersionCheckAuthentication.Check(key, timestamp, signature, "GET", "/", "", 0).Status));
}
