using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Session.Orleans.Protocol.Communities;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.EndToEnd.Tests.Communities;

/// <summary>What the community server answered, whichever way the request went.</summary>
internal sealed record CommunityAnswer(int Status, string? ContentType, byte[] Bytes, IReadOnlyDictionary<string, string> Headers)
{
    public string Text => Encoding.UTF8.GetString(Bytes);

    public JsonElement Json
    {
        get
        {
            Assert.True(ContentType is "application/json", $"{Status} {ContentType}: {Text}");
            return JsonElement.Parse(Bytes);
        }
    }

    /// <summary>Fails with the answer's words unless it has this status.</summary>
    public CommunityAnswer Expect(int status)
    {
        Assert.True(Status == status, $"{status} was expected, not {Status}: {Text}");
        return this;
    }
}

/// <summary>How requests get to the server.</summary>
public enum Way
{
    /// <summary>Over HTTP.</summary>
    Direct,

    /// <summary>Through three hops, as onion v4.</summary>
    Onion,
}

/// <summary>A user of the community server.</summary>
internal sealed class CommunityClient
{
    private readonly TestNetwork _network;
    private readonly Way _way;

    public CommunityClient(TestNetwork network, Way way = Way.Direct, Ed25519KeyPair? keys = null)
    {
        (_network, _way) = (network, way);
        Keys = keys ?? Ed25519KeyPair.Generate();
        Url = new(network.Process.Description.GetProperty("communityUrl").GetString()!);
        Server = X25519PublicKey.ParseHex(network.Process.Description.GetProperty("communityX25519").GetString()!);
        Blinded = new(Keys, Server);
    }

    public Uri Url { get; }

    public X25519PublicKey Server { get; }

    public Ed25519KeyPair Keys { get; }

    public BlindedKeyPair Blinded { get; }

    public string Id => Blinded.Id.ToString();

    /// <summary>Signs and sends a request with a body in JSON, or none.</summary>
    public Task<CommunityAnswer> SendAsync(string method, string target, JsonNode? json = null) =>
        SendAsync(method, target, json is null ? null : Encoding.UTF8.GetBytes(json.ToJsonString()), "application/json");

    /// <summary>Signs and sends a request.</summary>
    public Task<CommunityAnswer> SendAsync(string method, string target, byte[]? body, string contentType, string? disposition = null)
    {
        var headers = new Dictionary<string, string>(Sign(method, target, body ?? []));
        if (body is not null)
            headers["Content-Type"] = contentType;
        if (disposition is not null)
            headers["Content-Disposition"] = disposition;
        return SendRawAsync(method, target, body, headers);
    }

    /// <summary>Sends a request without a user.</summary>
    public Task<CommunityAnswer> SendAnonymouslyAsync(string method, string target, JsonNode? json = null) => SendRawAsync(
        method, target, json is null ? null : Encoding.UTF8.GetBytes(json.ToJsonString()),
        json is null ? new Dictionary<string, string>() : new() { ["Content-Type"] = "application/json" });

    public IReadOnlyDictionary<string, string> Sign(string method, string target, byte[] body, byte[]? nonce = null, long? time = null)
    {
        var parts = target.Split('?', 2);
        return CommunityRequestSignature.Sign(
            Blinded, Server, nonce ?? RandomNumberGenerator.GetBytes(16), time ?? DateTimeOffset.UtcNow.ToUnixTimeSeconds(), method,
            Uri.UnescapeDataString(parts[0]), parts.Length > 1 ? parts[1] : "", body);
    }

    public Task<CommunityAnswer> SendRawAsync(string method, string target, byte[]? body, IReadOnlyDictionary<string, string> headers) =>
        _way is Way.Direct ? SendOverHttpAsync(method, target, body, headers) : SendThroughOnionAsync(method, target, body, headers);

    public async Task<long> PostAsync(string room, string text) =>
        (await PostRawAsync(room, text)).Expect(201).Json.GetProperty("id").GetInt64();

    public Task<CommunityAnswer> PostRawAsync(string room, string text, Action<JsonObject>? change = null)
    {
        var draft = Draft(text);
        change?.Invoke(draft);
        return SendAsync("POST", $"/room/{room}/message", draft);
    }

    public JsonObject Draft(string text)
    {
        var data = Encoding.UTF8.GetBytes(text);
        var signature = new byte[64];
        Blinded.Sign(data, signature);
        return new() { ["data"] = Convert.ToBase64String(data), ["signature"] = Convert.ToBase64String(signature) };
    }

    public async Task<JsonElement[]> GetListAsync(string target) => [.. (await SendAsync("GET", target)).Expect(200).Json.EnumerateArray()];

    public static string TextOf(JsonElement message) => Encoding.UTF8.GetString(message.GetProperty("data").GetBytesFromBase64());

    private async Task<CommunityAnswer> SendOverHttpAsync(string method, string target, byte[]? body, IReadOnlyDictionary<string, string> headers)
    {
        using var request = new HttpRequestMessage(new(method), new Uri(Url, target));
        if (body is not null)
            request.Content = new ByteArrayContent(body);
        foreach (var (name, value) in headers)
        {
            if (!request.Headers.TryAddWithoutValidation(name, value) && request.Content is { } content)
                content.Headers.TryAddWithoutValidation(name, value);
        }

        using var response = await _network.Http.SendAsync(request);
        Dictionary<string, string> replied = new(StringComparer.OrdinalIgnoreCase);
        foreach (var (name, values) in response.Headers.NonValidated.Concat(response.Content.Headers.NonValidated))
            replied[name] = values.ToString();
        return new((int)response.StatusCode, replied.GetValueOrDefault("Content-Type"), await response.Content.ReadAsByteArrayAsync(), replied);
    }

    private async Task<CommunityAnswer> SendThroughOnionAsync(string method, string target, byte[]? body, IReadOnlyDictionary<string, string> headers)
    {
        var path = _network.Path(3);
        var inner = new OnionV4Request(method, target, headers, body is null ? null : new ReadOnlyMemory<byte>(body));
        var request = OnionRequestBuilder.BuildToServer(
            [.. path.Select(hop => hop.ToHop())], OnionCipher.XChaCha20, Server, Url.Host, inner.Encode(), protocol: "http", port: Url.Port);
        var reply = await _network.PostAsync(new(path[0].Url, "/onion_req/v2"), request.HttpBody);
        Assert.True(reply.Status == 200, $"{reply.Status}: {reply.Text}");
        Assert.True(OnionReply.TryOpenRaw(request.ReplyKey, reply.Bytes, base64: false, out var plaintext));
        Assert.True(OnionV4Response.TryParse(plaintext, out var response));
        return new(response.Code, response.Headers.GetValueOrDefault("content-type"), response.Body.ToArray(), response.Headers);
    }
}
