using CsCheck;
using Session.Orleans.Protocol.Encodings;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Tests.Encodings;

public sealed class Base32zTests
{
    [Fact]
    public void SnodeName_OfVectorNodes_MatchesBothWays()
    {
        var nodes = Vectors.Load("keys.json").GetProperty("nodes").EnumerateArray().ToList();
        Assert.Equal(8, nodes.Count);
        foreach (var node in nodes)
        {
            foreach (var (member, name) in new[] { ("pubkey_legacy", "address"), ("pubkey_ed25519", "ed25519_snode_host") })
            {
                var key = new Bytes32(node.Hex(member));
                Assert.Equal(node.Text(name), Base32z.GetSnodeName(key));
                Assert.True(Base32z.TryParseSnodeName(node.Text(name), out var parsed));
                Assert.Equal(key, parsed);
            }
        }
    }

    [Fact]
    public void Encode_AnyBytes_RoundTrips() =>
        Gen.Byte.Array[0, 70].Sample(
            bytes =>
            {
                var text = Base32z.Encode(bytes);
                Assert.Equal(Base32z.GetEncodedLength(bytes.Length), text.Length);
                var decoded = new byte[bytes.Length];
                Assert.True(Base32z.TryDecode(text, decoded, out var written));
                Assert.Equal(bytes, decoded[..written]);
            },
            iter: 3000);

    [Fact]
    public void TryDecode_AnyText_RefusesOrRoundTrips() =>
        Gen.OneOf(Gen.String, Gen.Char["ybndrfg8ejkmcpqxot1uwisza345h769"].Array[0, 60].Select(characters => new string(characters))).Sample(
            text =>
            {
                var bytes = new byte[text.Length];
                if (Base32z.TryDecode(text, bytes, out var written))
                    Assert.Equal(text, Base32z.Encode(bytes.AsSpan(0, written)));
            },
            iter: 5000);

    [Theory]
    [InlineData("y")] // one character is no byte
    [InlineData("yyy")] // three characters are one byte and a superfluous one
    [InlineData("yb")] // unused bits set
    [InlineData("YY")]
    [InlineData("y ")]
    [InlineData("yé")]
    [InlineData("ly")] // not in the alphabet
    public void TryDecode_NotCanonical_IsRefused(string text) => Assert.False(Base32z.TryDecode(text, new byte[8], out _));

    [Fact]
    public void TryDecode_BufferTooShort_IsRefused() => Assert.False(Base32z.TryDecode(Base32z.Encode(new byte[4]), new byte[3], out _));

    [Fact]
    public void TryParseSnodeName_OtherSuffixOrLength_IsRefused()
    {
        var text = Base32z.Encode(new byte[32]);
        Assert.True(Base32z.TryParseSnodeName(text + ".snode", out _));
        Assert.False(Base32z.TryParseSnodeName(text + ".SNODE", out _));
        Assert.False(Base32z.TryParseSnodeName(text, out _));
        Assert.False(Base32z.TryParseSnodeName(text[1..] + ".snode", out _));
        Assert.False(Base32z.TryParseSnodeName("", out _));
    }
}
