using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Session.Orleans.Gateway.Services;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.Gateway.Tests.Services;

/// <summary>A service behind onions, over a real listener.</summary>
public sealed class ServerOnionTests : IAsyncLifetime
{
    private readonly X25519KeyPair _keys = X25519KeyPair.Generate();
    private readonly HttpClient _http = new(new SocketsHttpHandler { Expect100ContinueTimeout = TimeSpan.FromSeconds(30) });
    private readonly TaskCompletionSource _chunkedBegun = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private WebApplication _app = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = null);
        _app = builder.Build();
        _app.Use((context, next) =>
        {
            var rest = next(context); // runs until it waits for the body, whose memory it has taken then
            if (context.Request.ContentLength is null)
                _chunkedBegun.TrySetResult();
            return rest;
        });
        _app.UseServerOnions(_keys, new() { V3Prefix = "/old/", MaxBytesInMemory = 15 * 1024 * 1024 });
        _app.Run(ServeAsync);
        await _app.StartAsync();
        _http.BaseAddress = new(_app.Urls.First());
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _app.DisposeAsync();
    }

    [Theory]
    [InlineData(OnionCipher.AesGcm)]
    [InlineData(OnionCipher.XChaCha20)]
    public async Task V4Request_IsServedLikeADirectOne(OnionCipher cipher)
    {
        var reply = await SendV4Async(new("PUT", "/echo/a%20b/%C3%A9?q=%20&r", Headers(("X-Test", "1")), "body"u8.ToArray()), cipher);

        using var direct = new HttpRequestMessage(HttpMethod.Put, "/echo/a%20b/%C3%A9?q=%20&r") { Content = new ByteArrayContent("body"u8.ToArray()) };
        direct.Headers.Add("X-Test", "1");
        direct.Content.Headers.ContentType = new("application/octet-stream");
        using var answer = await _http.SendAsync(direct, Cancel);

        Assert.Equal((int)answer.StatusCode, reply.Code);
        Assert.Equal(await answer.Content.ReadAsStringAsync(Cancel), Encoding.UTF8.GetString(reply.Body.Span));
        Assert.Equal("PUT|/echo/a b/é|?q=%20&r|1|application/octet-stream|4|body|127.0.0.1", Encoding.UTF8.GetString(reply.Body.Span));
        Assert.Equal(["content-type", "x-late"], reply.Headers.Keys.Order());
        Assert.Equal("text/plain; charset=utf-8", reply.Headers["content-type"]);
    }

    [Fact]
    public async Task RequestWithoutBody_HasNone()
    {
        var reply = await SendV4Async(new("GET", "/echo", Headers(("Content-Length", "99")), null));
        Assert.Equal("GET|/echo|||||| 127.0.0.1".Replace(" ", "", StringComparison.Ordinal), Encoding.UTF8.GetString(reply.Body.Span));
    }

    [Fact]
    public async Task StatusOfTheRoute_IsInsideAndTheOuterIs200()
    {
        var reply = await SendV4Async(new("GET", "/teapot", Headers(), null));
        Assert.Equal((418, 0), (reply.Code, reply.Body.Length));
    }

    [Fact]
    public async Task RouteThatThrows_IsA500Inside()
    {
        var reply = await SendV4Async(new("GET", "/throw", Headers(), null));
        Assert.Equal(500, reply.Code);
        Assert.DoesNotContain("secret", Encoding.UTF8.GetString(reply.Body.Span), StringComparison.Ordinal);
    }

    [Fact]
    public async Task OnionInAnOnion_IsNoRoute()
    {
        var (inner, _) = Seal("l2:{}e"u8.ToArray(), OnionCipher.AesGcm);
        Assert.Equal(404, (await SendV4Async(new("POST", "/oxen/v4/lsrpc", Headers(), inner))).Code);
    }

    [Fact]
    public async Task RequestsOfABatch_RunThroughTheSamePipeline()
    {
        var reply = await SendV4Async(new("POST", "/batch", Headers(("X-Test", "2")), "x"u8.ToArray()));
        Assert.Equal("200:GET|/echo/in|?a=b|5||||127.0.0.1;item 418:", Encoding.UTF8.GetString(reply.Body.Span));
    }

    [Theory]
    [InlineData("/oxen/v3/lsrpc")]
    [InlineData("/loki/v3/lsrpc")]
    public async Task V3Request_IsAnsweredInBase64(string path)
    {
        Assert.Equal("POST|/echo|||application/json|2|{}|127.0.0.1", await SendV3Async(path, """{"method":"POST","endpoint":"/echo","body":"{}"}"""));
        Assert.Equal("GET|/old/echo|||application/json|||127.0.0.1", await SendV3Async(path, """{"method":"GET","endpoint":"echo"}"""));
        Assert.Equal("""{"status_code":418}""", await SendV3Async(path, """{"method":"GET","endpoint":"/teapot"}"""));
        Assert.Equal("""{"status_code":400}""", await SendV3Async(path, "[]"));
    }

    [Fact]
    public async Task MalformedPlaintext_IsToldInside()
    {
        var (body, key) = Seal("li1ee"u8.ToArray(), OnionCipher.XChaCha20);
        Assert.Equal(OnionV4Response.Malformed.Encode(), await OpenAsync(body, key));
    }

    [Fact]
    public async Task WhatCannotBeOpened_IsAPlain400()
    {
        foreach (var body in (byte[][])[[], [1, 2, 3], "\0\0\0\0{}"u8.ToArray(), Seal("le"u8.ToArray(), OnionCipher.AesGcm, X25519KeyPair.Generate().PublicKey).Body])
            Assert.Equal(HttpStatusCode.BadRequest, (await _http.PostAsync("/oxen/v4/lsrpc", new ByteArrayContent(body), Cancel)).StatusCode);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await _http.GetAsync("/oxen/v4/lsrpc", Cancel)).StatusCode);
    }

    [Fact]
    public async Task TooLongABody_IsRefusedAtTheLimit()
    {
        using var announced = new ByteArrayContent(new byte[ServerOnion.MaxBodyLength + 1]);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/oxen/v4/lsrpc") { Content = announced };
        request.Headers.ExpectContinue = true; // so that the answer is there before the body
        Assert.Equal(HttpStatusCode.BadRequest, (await _http.SendAsync(request, Cancel)).StatusCode);
    }

    [Fact]
    public async Task BodiesBeyondTheMemoryForThem_AreRefusedAndItIsGivenBack()
    {
        // A chunked body counts as the longest one, and two of those are too many here.
        var body = new WaitingStream();
        using var first = new HttpRequestMessage(HttpMethod.Post, "/oxen/v4/lsrpc") { Content = new StreamContent(body) };
        first.Headers.TransferEncodingChunked = true;
        var pending = _http.SendAsync(first, Cancel);
        await _chunkedBegun.Task.WaitAsync(TimeSpan.FromSeconds(20), Cancel);

        using var second = new HttpRequestMessage(HttpMethod.Post, "/oxen/v4/lsrpc") { Content = new ByteArrayContent(new byte[8 * 1024 * 1024]) };
        second.Headers.ExpectContinue = true;
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await _http.SendAsync(second, Cancel)).StatusCode);

        body.Release.SetResult();
        Assert.Equal(HttpStatusCode.BadRequest, (await pending).StatusCode);
        Assert.Equal(200, (await SendV4Async(new("GET", "/echo", Headers(), null))).Code);
    }

    [Fact]
    public async Task LargeReply_ArrivesWholeAndTooLargeAOneIsA503Inside()
    {
        for (var repeat = 0; repeat < 3; repeat++) // what one took is there for the next
        {
            var reply = await SendV4Async(new("GET", "/large?10000000", Headers(), null));
            Assert.Equal((200, 10_000_000), (reply.Code, reply.Body.Length));
            Assert.Equal(-1, reply.Body.Span.IndexOfAnyExcept((byte)'x'));
            Assert.Equal(503, (await SendV4Async(new("GET", "/large?20000000", Headers(), null))).Code);
        }
    }

    private static Dictionary<string, string> Headers(params (string Name, string Value)[] headers) => headers.ToDictionary(header => header.Name, header => header.Value);

    private static async Task ServeAsync(HttpContext context)
    {
        var request = context.Request;
        if (request.Path.StartsWithSegments("/echo") || request.Path.StartsWithSegments("/old"))
        {
            using var body = new StreamReader(request.Body);
            context.Response.ContentType = "text/plain; charset=utf-8";
            context.Response.OnStarting(() =>
            {
                context.Response.Headers["X-Late"] = "yes";
                return Task.CompletedTask;
            });
            var text = string.Join('|', request.Method, request.Path.Value, request.QueryString.Value, request.Headers["x-test"], request.ContentType, request.ContentLength,
                await body.ReadToEndAsync(), context.Connection.RemoteIpAddress + (context.Items["item"] as string));
            context.Response.ContentLength = Encoding.UTF8.GetByteCount(text);
            await context.Response.WriteAsync(text);
        }
        else if (request.Path == "/batch")
        {
            context.Items["item"] = ";item";
            var service = ServicePipeline.Of(context);
            var first = await service.RunAsync(context, new("GET", "/echo/in?a=b", Headers(("X-Test", "5")), null));
            var second = await service.RunAsync(context, new("GET", "/teapot", Headers(), null));
            await context.Response.WriteAsync($"{first.Status}:{Encoding.UTF8.GetString(first.Body.Span)} {second.Status}:");
        }
        else if (request.Path == "/large")
        {
            var piece = Encoding.ASCII.GetBytes(new string('x', 100_000));
            for (var left = int.Parse(request.QueryString.Value![1..], System.Globalization.CultureInfo.InvariantCulture); left > 0; left -= piece.Length)
                await context.Response.Body.WriteAsync(piece, context.RequestAborted);
        }
        else if (request.Path == "/throw")
            throw new InvalidOperationException("secret");
        else
            context.Response.StatusCode = request.Path == "/teapot" ? 418 : 404;
    }

    private (byte[] Body, OnionLayerKey Key) Seal(ReadOnlySpan<byte> plaintext, OnionCipher cipher, X25519PublicKey? server = null)
    {
        var client = X25519KeyPair.Generate();
        Assert.True(OnionLayerKey.TryDeriveForClient(client, server ?? _keys.PublicKey, cipher, out var key));
        var layer = new byte[key.GetCiphertextLength(plaintext.Length)];
        key.Encrypt(plaintext, layer);
        return (CombinedPayload.Join(layer, Encoding.UTF8.GetBytes(
            $$"""{"host":"x","ephemeral_key":"{{client.PublicKey}}","enc_type":"{{OnionCiphers.Name(cipher)}}"}""")), key);
    }

    private async Task<OnionV4Response> SendV4Async(OnionV4Request request, OnionCipher cipher = OnionCipher.AesGcm)
    {
        var (body, key) = Seal(request.Encode(), cipher);
        Assert.True(OnionV4Response.TryParse(await OpenAsync(body, key), out var reply));
        return reply;
    }

    private async Task<string> SendV3Async(string path, string json)
    {
        var (body, key) = Seal(Encoding.UTF8.GetBytes(json), OnionCipher.AesGcm);
        return Encoding.UTF8.GetString(await OpenAsync(body, key, path));
    }

    private async Task<byte[]> OpenAsync(byte[] body, OnionLayerKey key, string path = "/oxen/v4/lsrpc")
    {
        using var answer = await _http.PostAsync(path, new ByteArrayContent(body));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.True(OnionReply.TryOpenRaw(key, await answer.Content.ReadAsByteArrayAsync(), base64: path is not "/oxen/v4/lsrpc", out var opened));
        return opened.ToArray();
    }

    /// <summary>A body that begins and then waits.</summary>
    private sealed class WaitingStream : Stream
    {
        private bool _begun;

        public TaskCompletionSource Release { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (!_begun)
            {
                _begun = true;
                return Math.Min(buffer.Length, 64 * 1024); // more than the client keeps back before it sends
            }

            await Release.Task.WaitAsync(cancellationToken);
            return 0;
        }

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
