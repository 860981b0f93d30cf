using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Session.Orleans.Client;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Testing;

/// <summary>A running network as its clients see it.</summary>
internal sealed class TestNetwork : IDisposable
{
    private readonly Dictionary<string, Snode> _byKey;

    public TestNetwork(TestnetProcess process)
    {
        Process = process;
        Nodes = [.. process.Description.GetProperty("nodes").EnumerateArray().Select(node => new Snode(
            node.GetProperty("index").GetInt32(),
            new(node.GetProperty("url").GetString()!),
            new(node.GetProperty("pathUrl").GetString()!),
            node.GetProperty("omqUrl").GetString(),
            Ed25519PublicKey.ParseHex(node.GetProperty("ed25519").GetString()),
            X25519PublicKey.ParseHex(node.GetProperty("x25519").GetString()),
            node.GetProperty("swarm").GetString()!))];
        _byKey = Nodes.ToDictionary(node => node.Ed25519.ToString());
    }

    public TestnetProcess Process { get; }

    public IReadOnlyList<Snode> Nodes { get; }

    public HttpClient Http { get; } = SessionHttp.Create(TimeSpan.FromSeconds(30));

    public static long Now => DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();

    public static async Task<TestNetwork> StartAsync(
        string? directory = null, string options = "", int nodes = 32, IReadOnlyDictionary<string, string>? environment = null, int firstPort = 0) =>
        new(await TestnetProcess.StartAsync(directory, options, nodes, environment, firstPort));

    public void Dispose() => Http.Dispose();

    /// <summary>Distinct nodes from the front of the list.</summary>
    public Snode[] Path(int length) => [.. Nodes.Take(length)];

    /// <summary>The members of the account's swarm, as any node tells.</summary>
    public async Task<Snode[]> SwarmOfAsync(AccountId account)
    {
        var reply = await RpcAsync(Nodes[0], "get_swarm", new JsonObject { ["pubkey"] = account.ToString() });
        return [.. reply.Json.GetProperty("snodes").EnumerateArray().Select(node => _byKey[node.GetProperty("pubkey_ed25519").GetString()!])];
    }

    /// <summary>A member of the account's swarm.</summary>
    public async Task<Snode> MemberForAsync(AccountId account) => (await SwarmOfAsync(account))[0];

    /// <summary>A node outside the account's swarm.</summary>
    public async Task<Snode> StrangerForAsync(AccountId account) => Nodes.Except(await SwarmOfAsync(account)).First();

    public Task<Reply> RpcAsync(Snode node, string method, JsonObject parameters) =>
        RpcAsync(node, new JsonObject { ["method"] = method, ["params"] = parameters }.ToJsonString());

    public Task<Reply> RpcAsync(Snode node, StorageRequest request) => PostAsync(new(node.Url, "/storage_rpc/v1"), StorageRequestWriter.ToArray(request));

    public Task<Reply> RpcAsync(Snode node, string json) => PostAsync(new(node.Url, "/storage_rpc/v1"), Encoding.UTF8.GetBytes(json));

    /// <summary>The same request inside an onion of <paramref name="hops"/> relaying nodes.</summary>
    public async Task<OnionReplyContent> OnionRpcAsync(Snode node, string json, int hops = 2, OnionCipher cipher = OnionCipher.AesGcm)
    {
        Snode[] path = [.. Nodes.Where(other => other != node).Take(hops), node];
        var request = OnionRequestBuilder.BuildToNode([.. path.Select(hop => hop.ToHop())], cipher, Encoding.UTF8.GetBytes(json));
        var reply = await PostAsync(new(path[0].Url, "/onion_req/v2"), request.HttpBody);
        Assert.Equal(200, reply.Status);
        Assert.True(OnionReply.TryOpen(request.ReplyKey, reply.Bytes, request.Base64, out var content), reply.Text);
        return content;
    }

    public Task<Reply> PostAsync(Uri url, byte[] body) => SendAsync(HttpMethod.Post, url, body);

    public async Task<Reply> SendAsync(
        HttpMethod method, Uri url, byte[]? body = null, Version? version = null, Action<HttpRequestMessage>? change = null)
    {
        using var request = new HttpRequestMessage(method, url)
        {
            Version = version ?? HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = body is null ? null : new ByteArrayContent(body),
        };
        request.Headers.TryAddWithoutValidation("User-Agent", "WhatsApp");
        if (request.Content is { } content)
            content.Headers.ContentType = new("application/json");
        change?.Invoke(request);
        using var response = await Http.SendAsync(request);
        return new((int)response.StatusCode, response.Headers, response.Content.Headers, response.Version, await response.Content.ReadAsByteArrayAsync());
    }
}

/// <summary>A service node of <c>testnet.json</c>.</summary>
internal sealed record Snode(int Index, Uri Url, Uri PathUrl, string? OmqUrl, Ed25519PublicKey Ed25519, X25519PublicKey X25519, string Swarm)
{
    public OnionHop ToHop(OnionCipher? cipher = null) => new(Ed25519, X25519, cipher);
}

/// <summary>An HTTP answer, read to its end.</summary>
internal sealed record Reply(int Status, HttpResponseHeaders Headers, HttpContentHeaders ContentHeaders, Version Version, byte[] Bytes)
{
    public string Text => Encoding.UTF8.GetString(Bytes);

    public JsonElement Json => JsonElement.Parse(Bytes);

    /// <summary>The header's whole value, null where it is absent.</summary>
    public string? Header(string name) =>
        Headers.NonValidated.TryGetValues(name, out var values) || ContentHeaders.NonValidated.TryGetValues(name, out values)
            ? string.Join(", ", values.AsEnumerable()) : null;
}

/// <summary>An account of one test, and the requests it sends.</summary>
internal sealed class TestAccount
{
    public Ed25519KeyPair Keys { get; } = Ed25519KeyPair.Generate();

    public AccountId Id => Keys.SessionId;

    public StoreRequest Store(ReadOnlyMemory<byte> data, short @namespace = 0, long? timestamp = null)
    {
        var now = timestamp ?? TestNetwork.Now;
        var request = new StoreRequest { Account = Id, Timestamp = now, Expiry = now + 3_600_000, Data = data, Namespace = @namespace };
        return @namespace == 0 ? request : (StoreRequest)request.SignWith(Keys);
    }

    public RetrieveRequest Retrieve(short @namespace = 0, MessageHash? lastHash = null, int? maxCount = null, long? timestamp = null) =>
        (RetrieveRequest)new RetrieveRequest
        {
            Account = Id,
            Namespace = @namespace,
            LastHash = lastHash,
            MaxCount = maxCount,
            Timestamp = timestamp ?? TestNetwork.Now,
        }.SignWith(Keys);
}

internal static class RequestExtensions
{
    public static string ToJson(this StorageRequest request) => Encoding.UTF8.GetString(StorageRequestWriter.ToArray(request));

    public static JsonObject ToNode(this StorageRequest request) => JsonNode.Parse(StorageRequestWriter.ToArray(request))!.AsObject();
}
