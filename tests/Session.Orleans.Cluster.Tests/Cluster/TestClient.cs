using System.Text;
using System.Text.Json;
using Session.Orleans.Client;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Cluster.Tests;

/// <summary>A client that enters the network through one gateway.</summary>
internal sealed class TestClient : IDisposable
{
    public static readonly TimeSpan Day = TimeSpan.FromDays(1);

    private readonly HttpClient _http;
    private readonly OnionClient _onion;
    private readonly TimeProvider _time;

    private TestClient(HttpClient http, IReadOnlyList<SnodeAddress> pool, TimeProvider time)
    {
        _http = http;
        _time = time;
        _onion = new(http);
        Pool = pool;
        Storage = new(_onion, pool, time);
    }

    /// <summary>All nodes, with the ports of this client's gateway.</summary>
    public IReadOnlyList<SnodeAddress> Pool { get; }

    public HttpClient Http => _http;

    public StorageClient Storage { get; }

    public long NowMs => _time.GetUtcNow().ToUnixTimeMilliseconds();

    public static async Task<TestClient> CreateAsync(Uri seed, TimeProvider time, TimeSpan? timeout = null)
    {
        var http = SessionHttp.Create(timeout);
        return new(http, await SeedClient.GetServiceNodesAsync(http, seed, CancellationToken.None), time);
    }

    /// <summary>Stores through three random hops, at a random member of the recipient's swarm.</summary>
    public async Task<StoredReceipt> StoreAsync(AccountId recipient, string text, CancellationToken cancellationToken = default)
    {
        var (path, destination) = await WayToAsync(recipient, cancellationToken);
        return await Storage.StoreAsync(path, destination, recipient, Encoding.UTF8.GetBytes(text), Day, cancellationToken);
    }

    /// <summary>Everything in the account's default namespace, page by page, as text.</summary>
    public async Task<List<string>> RetrieveAllAsync(Ed25519KeyPair account) => (await RetrieveAfterAsync(account, null)).Texts;

    /// <summary>Everything after a message, page by page, as text, and the hash of the last one.</summary>
    public async Task<(List<string> Texts, MessageHash? Last)> RetrieveAfterAsync(Ed25519KeyPair account, MessageHash? last)
    {
        var (path, destination) = await WayToAsync(account.SessionId);
        List<string> all = [];
        RetrievedPage page;
        do
        {
            page = await Storage.RetrieveAsync(path, destination, account, last);
            foreach (var message in page.Messages)
            {
                all.Add(Encoding.UTF8.GetString(message.Data.Span));
                Assert.True(MessageHash.TryParse(Encoding.ASCII.GetBytes(message.Hash), out var hash));
                last = hash;
            }
        }
        while (page.More);
        return (all, last);
    }

    /// <summary>Sends any request about <paramref name="account"/> to its swarm.</summary>
    public async Task<RpcReply> SendAsync(AccountId account, StorageRequest request)
    {
        var (path, destination) = await WayToAsync(account);
        var reply = await _onion.SendAsync(path, destination, StorageRequestWriter.ToArray(request));
        return new(reply.Status, Encoding.UTF8.GetString(reply.Body.Span));
    }

    /// <summary>Signs a request as its account and sends it.</summary>
    public Task<RpcReply> SendAsync(AccountRequest request, Ed25519KeyPair keys, SubaccountCredential? credential = null) =>
        SendAsync(request.Account, request.SignWith(keys, credential));

    public async Task<(OnionPath Path, SnodeAddress Destination)> WayToAsync(AccountId account, CancellationToken cancellationToken = default)
    {
        var swarm = await Storage.GetSwarmAsync(account, cancellationToken);
        var destination = swarm.Members[Random.Shared.Next(swarm.Members.Count)];
        return (OnionPath.Choose(Pool, destination), destination);
    }

    public void Dispose() => _http.Dispose();
}

/// <summary>What a destination answered.</summary>
internal sealed record RpcReply(int Status, string Text)
{
    public JsonElement Json => JsonDocument.Parse(Text).RootElement;

    /// <summary>The entries of a swarm-wide reply.</summary>
    public JsonElement[] Members
    {
        get
        {
            Assert.True(Status == 200, $"{Status}: {Text}");
            return [.. Json.GetProperty("swarm").EnumerateObject().Select(member => member.Value)];
        }
    }

    /// <summary>A member of the entries in which all of them agree.</summary>
    public JsonElement Agreed(string name)
    {
        var values = Members.Select(member => member.GetProperty(name)).ToArray();
        Assert.Single(values.Select(value => value.GetRawText()).Distinct());
        return values[0];
    }

    /// <summary>As <see cref="Agreed"/>, for a list of hashes.</summary>
    public string[] AgreedHashes(string name) => [.. Agreed(name).EnumerateArray().Select(hash => hash.GetString()!)];

    /// <summary>The data of retrieved messages, as text.</summary>
    public string[] Messages
    {
        get
        {
            Assert.True(Status == 200, $"{Status}: {Text}");
            return TextsOf(Json);
        }
    }

    public static string[] TextsOf(JsonElement body) =>
        [.. body.GetProperty("messages").EnumerateArray().Select(one => Encoding.UTF8.GetString(one.GetProperty("data").GetBytesFromBase64()))];

    /// <summary>Flags of entries that came from another member are written as 1.</summary>
    public static bool IsTrue(JsonElement entry, string name) =>
        entry.TryGetProperty(name, out var value) && (value.ValueKind is JsonValueKind.True || value.ValueKind is JsonValueKind.Number && value.GetInt32() == 1);
}
