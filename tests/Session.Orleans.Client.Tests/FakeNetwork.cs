using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Client.Tests;

/// <summary>
/// A network without sockets: every node peels real onion layers and keeps messages in memory. All nodes are one swarm unless told otherwise.
/// A test puts its faults into the hooks.
/// </summary>
internal sealed class FakeNetwork : HttpMessageHandler
{
    private static readonly StorageParseOptions Options = new(TestNetwork: true);

    private readonly ConcurrentDictionary<(AccountId Account, short Namespace), ImmutableList<(string Hash, StoreRequest Store)>> _messages = new();

    public FakeNetwork(int nodes, TimeProvider time)
    {
        Time = time;
        Nodes = [.. Enumerable.Range(0, nodes).Select(i => new FakeNode(i, Ed25519KeyPair.Generate()))];
    }

    public TimeProvider Time { get; }

    public FakeNode[] Nodes { get; }

    /// <summary>How far the nodes' clock is ahead.</summary>
    public TimeSpan Ahead { get; set; }

    /// <summary>Members of the account's swarm.</summary>
    public Func<AccountId, IEnumerable<FakeNode>> Swarm { get; set; } = null!;

    /// <summary>What a hop answers instead of passing on; null: it passes on.</summary>
    public Func<FakeNode, (int Status, string Body)?> OnHop { get; set; } = _ => null;

    /// <summary>What the destination answers instead of executing; null: it executes.</summary>
    public Func<FakeNode, StorageRequest, (int Status, string Json)?> OnStorage { get; set; } = (_, _) => null;

    /// <summary>Replies that get lost after the request was executed.</summary>
    public int LoseReplies { get; set; }

    public int SeedRequests { get; private set; }

    public ConcurrentQueue<FakeNode> Destinations { get; } = [];

    private long NowMs => (Time.GetUtcNow() + Ahead).ToUnixTimeMilliseconds();

    public Task<SessionNetwork> ConnectAsync(Func<SessionNetworkOptions, SessionNetworkOptions>? change = null)
    {
        var options = new SessionNetworkOptions { Seeds = [new("https://seed.test")], Handler = this, Time = Time, RetryDelay = TimeSpan.Zero };
        return SessionNetwork.ConnectAsync(change?.Invoke(options) ?? options, TestContext.Current.CancellationToken);
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var body = await request.Content!.ReadAsByteArrayAsync(cancellationToken);
        var (status, answer) = request.RequestUri!.AbsolutePath switch
        {
            "/json_rpc" => (200, Encoding.UTF8.GetBytes(AnswerSeed())),
            "/storage_rpc/v1" => (200, "{}"u8.ToArray()),
            _ => Relay(NodeAt(request.RequestUri), body, 0),
        };
        if (request.RequestUri.AbsolutePath is "/onion_req/v2" && LoseReplies > 0)
        {
            LoseReplies--;
            throw new HttpRequestException("The reply is lost.");
        }

        return new((HttpStatusCode)status) { Content = new ByteArrayContent(answer) };
    }

    private FakeNode NodeAt(Uri url) => Nodes.Single(node => node.Address.Url.Authority == url.Authority);

    private string AnswerSeed()
    {
        SeedRequests++;
        return new JsonObject
        {
            ["result"] = new JsonObject
            {
                ["height"] = 1,
                ["service_node_states"] = new JsonArray([.. Nodes.Select(node => ToJson(node, "public_ip", "storage_port"))]),
            },
        }.ToJsonString();
    }

    private (int Status, byte[] Body) Relay(FakeNode node, byte[] payload, int hop)
    {
        if (OnHop(node) is { } instead)
            return (instead.Status, Encoding.UTF8.GetBytes(instead.Body));
        Assert.True(OnionEnvelope.TryParse(payload, out var envelope, out _));
        Assert.True(OnionLayerKey.TryDeriveForNode(node.Keys.X25519, envelope.EphemeralKey, envelope.Cipher, out var key));
        var plaintext = new byte[key.GetMaxPlaintextLength(envelope.Ciphertext.Length)];
        Assert.True(key.TryDecrypt(envelope.Ciphertext.Span, plaintext, out var length));
        Assert.True(CombinedPayload.TrySplit(plaintext.AsMemory(0, length), out var blob, out var text, out _));
        var json = JsonElement.Parse(text.Span);
        if (json.TryGetProperty("headers", out _))
        {
            Destinations.Enqueue(node);
            Assert.Equal(OnionPath.DefaultLength, hop);
            var (status, reply) = Execute(node, blob.ToArray());
            return (200, OnionReply.Seal(key, status, Encoding.UTF8.GetBytes(reply), bodyIsJson: true, json: false, base64: true));
        }

        var next = Nodes.Single(other => other.Address.Ed25519.ToString() == json.GetProperty("destination").GetString());
        var layer = new JsonObject { ["ephemeral_key"] = json.GetProperty("ephemeral_key").GetString() };
        if (json.TryGetProperty("enc_type", out var cipher))
            layer["enc_type"] = cipher.GetString();
        return Relay(next, CombinedPayload.Join(blob.Span, Encoding.UTF8.GetBytes(layer.ToJsonString())), hop + 1);
    }

    private (int Status, string Json) Execute(FakeNode node, byte[] body)
    {
        Assert.True(StorageRequest.TryParse(body, Options, out var request, out var error), error.ToString());
        if (request is not RequestList list)
            return OnStorage(node, request!) ?? Execute(node, request!);
        var results = new JsonArray();
        foreach (var inner in list.Requests)
        {
            var (status, json) = OnStorage(node, inner) ?? Execute(node, inner);
            results.Add(new JsonObject { ["code"] = status, ["body"] = JsonNode.Parse(json) });
            if (request is SequenceRequest && status != 200)
                break;
        }

        return (200, new JsonObject { ["results"] = results }.ToJsonString());
    }

    private (int Status, string Json) Execute(FakeNode node, StorageRequest request)
    {
        if (request is AccountRequest { Account: var account } checkedRequest)
        {
            if (!Swarm(account).Contains(node))
                return (421, SwarmOf(account).ToJsonString());
            if (checkedRequest.Check(new ServerClock(NowMs, HardFork.MultiExpiry)) is { } error)
                return (error.Status, JsonSerializer.Serialize(error.Text));
        }

        var reply = request switch
        {
            GetSwarmRequest swarm => SwarmOf(swarm.Account),
            StoreRequest store => Store(store),
            RetrieveRequest retrieve => Retrieve(retrieve),
            _ => [],
        };
        reply["t"] = NowMs;
        return (200, reply.ToJsonString());
    }

    private JsonObject SwarmOf(AccountId account) => new()
    {
        ["snodes"] = new JsonArray([.. Swarm(account).Select(node => ToJson(node, "ip", "port_https"))]),
        ["swarm"] = "0",
    };

    private JsonObject Store(StoreRequest store)
    {
        var hash = store.ComputeHash().ToString();
        _messages.AddOrUpdate((store.Account, store.Namespace), _ => [(hash, store)], (_, list) => list.Any(item => item.Hash == hash) ? list : list.Add((hash, store)));
        return new() { ["hash"] = hash };
    }

    private JsonObject Retrieve(RetrieveRequest retrieve)
    {
        var all = _messages.GetValueOrDefault((retrieve.Account, retrieve.Namespace), []);
        var after = all.FindIndex(item => item.Hash == retrieve.LastHash?.ToString()) + 1;
        return new()
        {
            ["messages"] = new JsonArray([.. all.Skip(after).Select(item => new JsonObject
            {
                ["hash"] = item.Hash,
                ["timestamp"] = item.Store.Timestamp,
                ["expiration"] = item.Store.Expiry,
                ["data"] = Convert.ToBase64String(item.Store.Data.Span),
            })]),
            ["more"] = false,
        };
    }

    private static JsonObject ToJson(FakeNode node, string ip, string port) => new()
    {
        ["pubkey_ed25519"] = node.Address.Ed25519.ToString(),
        ["pubkey_x25519"] = node.Address.X25519.ToString(),
        [ip] = node.Address.Ip,
        [port] = node.Address.Port,
    };
}

/// <summary>A node of it.</summary>
internal sealed record FakeNode(int Index, Ed25519KeyPair Keys)
{
    public SnodeAddress Address { get; } = new(Keys.PublicKey, Keys.X25519.PublicKey, string.Create(CultureInfo.InvariantCulture, $"10.0.{Index}.1"), 22021);
}
