using System.Text.Json;
using CsCheck;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.Protocol.Tests.Onion;

public sealed class OnionV4Tests
{
    private static readonly JsonElement File = Vectors.Load("onion_v4.json");

    [Fact]
    public void Request_Vectors_EncodeAndParse()
    {
        var vectors = File.GetProperty("requests").EnumerateArray().ToList();
        Assert.Equal(6, vectors.Count);
        foreach (var vector in vectors)
        {
            var headers = Headers(vector);
            ReadOnlyMemory<byte>? body = vector.GetProperty("body_base64").ValueKind == JsonValueKind.Null ? default(ReadOnlyMemory<byte>?) : vector.Base64("body_base64");
            Assert.Equal(vector.Base64("encoded_base64"), new OnionV4Request(vector.Text("method"), vector.Text("endpoint"), headers, body).Encode());

            Assert.True(OnionV4Request.TryParse(vector.Base64("encoded_base64"), out var request));
            Assert.Equal(vector.Text("method"), request.Method);
            Assert.Equal(vector.Text("endpoint"), request.Endpoint);
            Assert.Equal(headers, request.Headers);
            Assert.All(headers, header => Assert.Equal(header.Value, request.Headers[header.Key.ToUpperInvariant()]));
            Assert.Equal(body?.ToArray(), request.Body?.ToArray());
        }
    }

    [Fact]
    public void Response_Vectors_EncodeAndParse()
    {
        var vectors = File.GetProperty("responses").EnumerateArray().ToList();
        Assert.Equal(4, vectors.Count);
        foreach (var vector in vectors)
        {
            var code = vector.GetProperty("code").GetInt32();
            Assert.Equal(vector.Base64("encoded_base64"), new OnionV4Response(code, Headers(vector), vector.Base64("body_base64")).Encode());
            Assert.True(OnionV4Response.TryParse(vector.Base64("encoded_base64"), out var response));
            Assert.Equal(code, response.Code);
            Assert.Equal(Headers(vector), response.Headers);
            Assert.Equal(vector.Base64("body_base64"), response.Body.ToArray());
        }
    }

    [Fact]
    public void Request_MalformedVectors_AreRefused()
    {
        var vectors = File.GetProperty("malformed_requests").EnumerateArray().ToList();
        Assert.Equal(8, vectors.Count);
        Assert.All(vectors, vector => Assert.False(OnionV4Request.TryParse(vector.Base64("encoded_base64"), out _), vector.Text("why")));
    }

    [Fact]
    public void MalformedReply_IsTheSpecifiedOne()
    {
        var expected = File.GetProperty("malformed_reply");
        Assert.Equal(expected.GetProperty("code").GetInt32(), OnionV4Response.Malformed.Code);
        Assert.Equal(Headers(expected), OnionV4Response.Malformed.Headers);
        Assert.Equal(expected.Text("body"), System.Text.Encoding.UTF8.GetString(OnionV4Response.Malformed.Body.Span));
        Assert.Contains(
            File.GetProperty("responses").EnumerateArray(), vector => vector.Base64("encoded_base64").AsSpan().SequenceEqual(OnionV4Response.Malformed.Encode()));
    }

    [Fact]
    public void Response_HeaderNames_AreLowerCaseAndContentLengthIsLeftOut()
    {
        var response = new OnionV4Response(
            200, new Dictionary<string, string> { ["Content-Type"] = "application/json", ["Content-Length"] = "2" }, "{}"u8.ToArray());
        Assert.Equal(
            """l58:{"code":200,"headers":{"content-type":"application/json"}}2:{}e""", System.Text.Encoding.UTF8.GetString(response.Encode()));
    }

    [Theory]
    [InlineData("{\"method\":\"GET\",\"endpoint\":\"/a\"}", true)] // headers may be missing
    [InlineData("{\"method\":\"GET\",\"endpoint\":\"/a\",\"headers\":{\"n\":12},\"new\":[{}]}", true)]
    [InlineData("{\"method\":\"GET\",\"endpoint\":\"/a\",\"headers\":null}", false)]
    [InlineData("{\"method\":\"GET\",\"endpoint\":\"/a\",\"headers\":[]}", false)]
    [InlineData("{\"method\":\"GET\",\"endpoint\":\"/a\",\"headers\":{\"n\":{}}}", false)]
    [InlineData("{\"method\":\"\",\"endpoint\":\"/a\"}", false)]
    [InlineData("{\"method\":null,\"endpoint\":\"/a\"}", false)]
    [InlineData("{\"method\":\"GET\",\"endpoint\":\"\"}", false)]
    [InlineData("{\"method\":\"GET\",\"endpoint\":\"/\\ud800\"}", false)]
    [InlineData("{\"method\":\"GET\",\"endpoint\":\"/a\"}x", false)]
    [InlineData("[]", false)]
    [InlineData("", false)]
    public void Request_Metadata_IsChecked(string metadata, bool expected) =>
        Assert.Equal(expected, OnionV4Request.TryParse(OnionV4.Encode(System.Text.Encoding.UTF8.GetBytes(metadata), null), out _));

    [Theory]
    [InlineData("l25:{\"code\":200,\"headers\":{}} 0:e", false)] // space between the parts
    [InlineData("l25:{\"code\":200,\"headers\":{}}e", false)] // no body
    [InlineData("l12:{\"code\":200}0:e", false)] // no headers
    [InlineData("l14:{\"headers\":{}}0:e", false)] // no code
    [InlineData("l25:{\"code\":200,\"headers\":{}}0:e", true)]
    [InlineData("l25:{\"code\":200,\"headers\":{}}0:ee", false)]
    public void Response_Parts_AreChecked(string text, bool expected) =>
        Assert.Equal(expected, OnionV4Response.TryParse(System.Text.Encoding.UTF8.GetBytes(text), out _));

    [Fact]
    public void Parsers_AnyBytes_NeverThrow() =>
        Fuzzing.Around([.. new[] { "requests", "responses", "malformed_requests" }.SelectMany(
            part => File.GetProperty(part).EnumerateArray().Select(vector => vector.Base64("encoded_base64")))]).Sample(
            bytes =>
            {
                Assert.Equal(OnionV4Request.TryParse(bytes, out var request), request is not null);
                Assert.Equal(OnionV4Response.TryParse(bytes, out var response), response is not null);
                if (request is not null)
                {
                    Assert.True(OnionV4Request.TryParse(request.Encode(), out var again));
                    Assert.Equal((request.Method, request.Endpoint), (again.Method, again.Endpoint));
                    Assert.Equal(request.Headers, again.Headers);
                    Assert.Equal(request.Body?.ToArray(), again.Body?.ToArray());
                }
            },
            iter: 20000);

    private static Dictionary<string, string> Headers(JsonElement vector) =>
        vector.GetProperty("headers").EnumerateObject().ToDictionary(header => header.Name, header => header.Value.GetString()!);
}
