using System.Text;
using CsCheck;
using Session.Orleans.Gateway.Communities;

namespace Session.Orleans.Gateway.Tests.Communities;

/// <summary>What clients send to the community server, taken apart: whatever it is, it is read or refused, and nothing else happens.</summary>
public sealed class CommunityParsingTests
{
    private const string Valid = """
        [{"method":"GET","path":"/room/a/messages/since/5?t=r&reactors=5"},
         {"method":"POST","path":"/x/%F0%9F%8D%8D","json":{"a": [1, 2]},"headers":{"X":"y"}},{"method":"PUT","path":"/y","b64":"AAE"},{"method":"POST","path":"/z","bytes":"é"}]
        """;

    [Fact]
    public void Batch_IsReadWhole()
    {
        var parts = CommunityServer.ReadBatch(Encoding.UTF8.GetBytes(Valid), 100);
        Assert.Equal(["GET", "POST", "PUT", "POST"], parts.Select(part => part.Method));
        Assert.Equal(("/room/a/messages/since/5", "t=r&reactors=5", 5), (parts[0].Path, parts[0].Query, parts[0].Number("reactors", 4, 0, 20)));
        Assert.Equal("/x/🍍", parts[1].Path);
        Assert.Equal("""{"a":[1,2]}""", Encoding.UTF8.GetString(parts[1].Body.Span));
        Assert.Equal(("y", "application/json"), (parts[1].Headers("x"), parts[1].Headers("content-type")));
        Assert.Equal([0, 1], parts[2].Body.ToArray());
        Assert.Equal("application/octet-stream", parts[2].Headers("Content-Type"));
        Assert.Equal("é"u8, parts[3].Body.Span);
    }

    [Fact]
    public void Batch_AboveTheLimit_IsRefused() =>
        Assert.Throws<CommunityRequestException>(() => CommunityServer.ReadBatch(Encoding.UTF8.GetBytes(Valid), 3));

    [Fact]
    public void Batch_WithAnyBytesChanged_IsReadOrRefused()
    {
        var valid = Encoding.UTF8.GetBytes(Valid);
        Gen.Select(Gen.Int[0, valid.Length - 1], Gen.Byte, Gen.Int[0, valid.Length]).Sample((at, value, length) =>
        {
            var changed = valid[..Math.Max(at + 1, length)];
            changed[at] = value;
            return IsReadOrRefused(changed);
        }, iter: 20_000);
        Gen.String.Sample(text => IsReadOrRefused(Encoding.UTF8.GetBytes(text)));
        Assert.True(IsReadOrRefused("""[{"method":"POST","path":"/x","json":"\ud800"}]"""u8.ToArray()));
        Assert.True(IsReadOrRefused("""[{"method":"\ud800","path":"/x"}]"""u8.ToArray()));
        Assert.True(IsReadOrRefused("""[{"method":"GET","path":"/\ud800"}]"""u8.ToArray()));
        Assert.True(IsReadOrRefused("""[{"method":"GET","path":"/x","headers":{"a":"\ud800"}}]"""u8.ToArray()));
    }

    [Fact]
    public void Query_OfAnyText_IsRead() => Gen.Select(Gen.String, Gen.String).Sample((query, name) =>
    {
        var (path, rest) = CommunityRequest.Split("/" + query);
        _ = new CommunityRequest("GET", path, rest, _ => null, default).Parameter(name);
    });

    [Theory]
    [InlineData(null, null)]
    [InlineData("", null)]
    [InlineData("attachment", null)]
    [InlineData("attachment; filename=\"a b.txt\"", "a b.txt")]
    [InlineData("attachment; filename*=UTF-8''a%2Fb%00c", "a\uFFFDb\uFFFDc")]
    [InlineData("filename=\"x\"", "x")]
    [InlineData("\"\"\"", null)]
    public void FileName_IsFoundAndMadeHarmless(string? header, string? name) => Assert.Equal(name, CommunityServer.FileName(header));

    private static bool IsReadOrRefused(byte[] body)
    {
        try
        {
            return CommunityServer.ReadBatch(body, 100).All(part => part.Path.StartsWith('/'));
        }
        catch (CommunityRequestException)
        {
            return true;
        }
    }
}
