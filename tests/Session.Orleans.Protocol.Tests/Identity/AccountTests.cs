using System.Security.Cryptography;
using System.Text;
using CsCheck;
using Session.Orleans.Protocol.Communities;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Tests.Identity;

public sealed class AccountTests
{
    [Fact]
    public void Keys_FromSeed_MatchVectors()
    {
        var accounts = Vectors.Load("identity.json").GetProperty("accounts").EnumerateArray().ToArray();
        var server = X25519PublicKey.ParseHex(Vectors.Load("identity.json").GetProperty("blinding").Text("serverPublicKey"));
        Assert.NotEmpty(accounts);
        foreach (var vector in accounts)
        {
            var keys = AccountSeed.CreateKeys(vector.Hex("seedHex"));
            Assert.Equal(vector.Hex("seed32"), keys.SecretKey[..32].ToArray());
            Assert.Equal(vector.Hex("ed25519PublicKey"), keys.PublicKey.AsSpan().ToArray());
            Assert.Equal(vector.Hex("ed25519SecretKey64"), keys.SecretKey.ToArray());
            Assert.Equal(vector.Hex("x25519PrivateKey"), keys.X25519.SecretKey.ToArray());
            Assert.Equal(vector.Hex("x25519PublicKey"), keys.X25519.PublicKey.AsSpan().ToArray());
            Assert.Equal(vector.Text("sessionId"), keys.SessionId.ToString());
            if (vector.TryGetProperty("mnemonic", out var phrase) && phrase.ValueKind is System.Text.Json.JsonValueKind.String)
                Assert.Equal(phrase.GetString(), RecoveryPhrase.Encode(vector.Hex("seedHex")));

            var point = new byte[32];
            Assert.True(Ed25519Group.TryFromX25519(keys.X25519.PublicKey.AsSpan(), point));
            Assert.Equal(vector.Hex("edFromX25519SignBit0"), point);

            Assert.Equal(vector.Text("unblinded00"), new AccountId(0x00, keys.PublicKey.Value).ToString());
            Assert.Equal(vector.Text("blinded15"), new BlindedKeyPair(keys, server).Id.ToString());
            Assert.Equal(vector.Text("blinded25"), new BlindedKeyPair(keys, server, BlindingVersion.TwentyFive).Id.ToString());
            Assert.True(Blinding.TryCandidates15(keys.SessionId, server, out var first, out var second));
            Assert.Equal(vector.GetProperty("blinded15Candidates").EnumerateArray().Select(id => id.GetString()).Order(), new[] { first.ToString(), second.ToString() }.Order());
        }
    }

    [Fact]
    public void Seed_OfAnotherLength_IsExtendedCutOrRefused()
    {
        foreach (var vector in Vectors.Load("identity.json").GetProperty("seedNormalisation").EnumerateArray())
        {
            var expanded = new byte[32];
            var valid = AccountSeed.TryExpand(vector.Hex("seedHex"), expanded);
            Assert.Equal(!vector.TryGetProperty("error", out _), valid);
            if (!valid)
                continue;
            Assert.Equal(vector.Hex("expanded"), expanded);
            Assert.Equal(vector.Text("sessionId"), AccountSeed.CreateKeys(vector.Hex("seedHex")).SessionId.ToString());
        }
    }

    [Fact]
    public void IdSyntax_MatchesVectors()
    {
        foreach (var vector in Vectors.Load("identity.json").GetProperty("idSyntax").EnumerateArray())
        {
            var kind = vector.GetProperty("kind").GetString();
            var valid = AccountId.TryParse(vector.Text("id").AsSpan(), out var id) && id.Prefix is 0x05 or 0x03 or 0x15 or 0x25 or 0x00
                && vector.Text("id").Length == AccountId.HexLength;
            Assert.Equal(kind is not null, valid);
            if (kind is not null)
                Assert.Equal(vector.TryGetProperty("normalised", out var normal) ? normal.GetString() : vector.Text("id"), id.ToString());
        }
    }

    [Fact]
    public void GroupId_FromSeed_MatchesVector()
    {
        var vector = Vectors.Load("identity.json").GetProperty("groupId");
        var keys = new Ed25519KeyPair(vector.Hex("seed"));
        Assert.Equal(vector.Text("groupId"), new AccountId(AccountId.GroupPrefix, keys.PublicKey.Value).ToString());
    }

    [Fact]
    public void DisplayName_LimitsMatchVectors()
    {
        var vectors = Vectors.Load("identity.json").GetProperty("displayNames");
        Assert.Equal(DisplayName.MaxBytes, vectors.GetProperty("limitBytesUtf8").GetInt32());
        foreach (var vector in vectors.GetProperty("cases").EnumerateArray())
        {
            Assert.Equal(vector.GetProperty("fits").GetBoolean(), Encoding.UTF8.GetByteCount(vector.Text("input")) <= DisplayName.MaxBytes);
            Assert.Equal(vector.GetProperty("fits").GetBoolean(), DisplayName.IsValid(vector.Text("input")));
            Assert.Equal(vector.Text("truncated"), DisplayName.Truncate(vector.Text("input")));
        }

        Assert.False(DisplayName.IsValid("  "));
    }

    [Fact]
    public void WordList_IsTheSpecified()
    {
        using var stream = typeof(RecoveryPhrase).Assembly.GetManifestResourceStream("mnemonic-english.txt")!;
        Assert.Equal(Vectors.Load("mnemonic.json").Text("wordListSha256"), Convert.ToHexStringLower(SHA256.HashData(stream)));
    }

    [Fact]
    public void Phrase_EncodesAsRecorded()
    {
        var vectors = Vectors.Load("mnemonic.json");
        foreach (var vector in vectors.GetProperty("encode").EnumerateArray().Concat(vectors.GetProperty("longPhrases").EnumerateArray()))
        {
            Assert.Equal(vector.Text("mnemonic"), RecoveryPhrase.Encode(vector.Hex("seedHex")));
            Assert.True(RecoveryPhrase.TryDecodeLong(vector.Text("mnemonic"), out var seed, out _));
            Assert.Equal(vector.Hex("seedHex"), seed);
        }

        Assert.EndsWith(" " + vectors.GetProperty("worked").Text("checksumWord"), RecoveryPhrase.Encode(vectors.GetProperty("worked").Hex("seedHex")), StringComparison.Ordinal);
    }

    [Fact]
    public void Phrase_IsReadStrictlyAsRecorded()
    {
        foreach (var vector in Vectors.Load("mnemonic.json").GetProperty("decode").EnumerateArray())
        {
            var valid = RecoveryPhrase.TryDecodeExactly(vector.Text("phrase"), 13, out var seed, out var error);
            Assert.Equal(vector.TryGetProperty("error", out var expected) ? expected.GetString() : "None", error.ToString());
            if (valid)
                Assert.Equal(vector.Hex("seedHex"), seed);
        }
    }

    [Fact]
    public void Phrase_AsPeopleTypeIt_IsRead()
    {
        var vector = Vectors.Load("mnemonic.json").GetProperty("decode").EnumerateArray().First();
        Assert.True(RecoveryPhrase.TryDecode($"\t {vector.Text("phrase").ToUpperInvariant().Replace(" ", "  ", StringComparison.Ordinal)}\n", out var seed, out _));
        Assert.Equal(vector.Hex("seedHex"), seed);
    }

    [Fact]
    public void Phrase_OfAnySeed_ComesBack() => Gen.Byte.Array[16].Sample(seed =>
        RecoveryPhrase.TryDecode(RecoveryPhrase.Encode(seed), out var back, out _) && back.AsSpan().SequenceEqual(seed));

    [Fact]
    public void Phrase_OfAnyText_DoesNotThrow() => Gen.String.Sample(text => { _ = RecoveryPhrase.TryDecode(text, out _, out _); });
}
