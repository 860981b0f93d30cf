using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Text;
using System.Text.Json;

namespace Session.Orleans.Conformance.Harness;

/// <summary>A service node as the seed lists it.</summary>
internal sealed record Node(string Ed25519Hex, string LegacyHex, byte[] X25519, string Ip, int Port, int OmqPort, ulong SwarmId)
{
    public byte[] Ed25519 => Convert.FromHexString(Ed25519Hex);

    public string X25519Hex => Convert.ToHexStringLower(X25519);

    public Uri Url => new(string.Create(CultureInfo.InvariantCulture, $"https://{Ip}:{Port}/"));
}

/// <summary>The network under test, known by nothing but its seed.</summary>
internal sealed class Network : IDisposable
{
    private const ulong NoSwarm = ulong.MaxValue;

    private readonly ulong[] _ring;
    private TimeSpan _clockOffset;

    private Network(Uri seed, HttpClient http, Node[] nodes)
    {
        (Seed, Http, Nodes) = (seed, http, nodes);
        _ring = [.. nodes.Select(node => node.SwarmId).Where(id => id != NoSwarm).Distinct().Order()];
    }

    public Uri Seed { get; }

    public HttpClient Http { get; }

    /// <summary>The active nodes.</summary>
    public IReadOnlyList<Node> Nodes { get; }

    /// <summary>Hard fork and revision.</summary>
    public (int Major, int Revision) HardFork { get; private set; }

    /// <summary>Address and key of the network's file server, if one is known.</summary>
    public (Uri Url, byte[] X25519)? FileServer { get; init; }

    /// <summary>The network's community server, if one is known.</summary>
    public CommunityHost? Communities { get; init; }

    /// <summary>The network's clock, Unix milliseconds.</summary>
    public long Now => (DateTimeOffset.UtcNow + _clockOffset).ToUnixTimeMilliseconds();

    /// <summary>Learns the nodes from a seed (network.md, 1).</summary>
    public static async Task<Network> DiscoverAsync(Uri seed, string? fileServerUrl = null, string? fileServerKey = null, CommunityHost? communities = null)
    {
        (Uri, byte[])? files = fileServerUrl is { Length: > 0 } && fileServerKey is { Length: 64 } ? (new(fileServerUrl), Convert.FromHexString(fileServerKey)) : null;
        var http = CreateClient();
        var network = new Network(seed, http, []);
        var list = (await network.CallSeedAsync("""{"jsonrpc":"2.0","id":0,"method":"get_service_nodes","params":{"active_only":true}}""")).ShouldBeJson();
        network = new(seed, http, [.. list.GetProperty("result").GetProperty("service_node_states").EnumerateArray().Select(node => new Node(
            node.GetProperty("pubkey_ed25519").GetString()!,
            node.GetProperty("service_node_pubkey").GetString()!,
            Convert.FromHexString(node.GetProperty("pubkey_x25519").GetString()!),
            node.GetProperty("public_ip").GetString()!,
            node.GetProperty("storage_port").GetInt32(),
            node.GetProperty("storage_lmq_port").GetInt32(),
            node.GetProperty("swarm_id").GetUInt64()))]) { FileServer = files, Communities = communities };
        var info = await network.SendAsync(network.Nodes[0], Transport.Direct, """{"method":"info","params":{}}""");
        if (info.Status is 200)
        {
            var json = info.ShouldBeJson();
            network._clockOffset = DateTimeOffset.FromUnixTimeMilliseconds(json.GetProperty("t").GetInt64()) - DateTimeOffset.UtcNow;
            network.HardFork = (json.GetProperty("hf")[0].GetInt32(), json.GetProperty("hf")[1].GetInt32());
        }

        return network;
    }

    public void Dispose() => Http.Dispose();

    /// <summary>The swarm of 32 key bytes, computed from the list of swarms (network.md, 3).</summary>
    public IReadOnlyList<Node> SwarmOf(ReadOnlySpan<byte> key)
    {
        var id = SwarmIdOf(key, _ring);
        return [.. Nodes.Where(node => node.SwarmId == id)];
    }

    /// <summary>The rule of network.md, 3, written out.</summary>
    public static ulong SwarmIdOf(ReadOnlySpan<byte> key, IReadOnlyList<ulong> sortedIds)
    {
        var position = BinaryPrimitives.ReadUInt64BigEndian(key) ^ BinaryPrimitives.ReadUInt64BigEndian(key[8..])
            ^ BinaryPrimitives.ReadUInt64BigEndian(key[16..]) ^ BinaryPrimitives.ReadUInt64BigEndian(key[24..]);
        var right = sortedIds.FirstOrDefault(id => id >= position, sortedIds[0]);
        var left = sortedIds.LastOrDefault(id => id < right, sortedIds[^1]);
        return unchecked(right - position) < unchecked(position - left) ? right : left;
    }

    /// <summary>Sends a storage request to a node.</summary>
    public async Task<Answer> SendAsync(Node node, Transport via, string request)
    {
        if (via is Transport.Direct)
            return await PostAsync(new(node.Url, "/storage_rpc/v1"), Encoding.UTF8.GetBytes(request), request);
        var others = Nodes.Where(other => other != node).ToArray();
        Random.Shared.Shuffle(others);
        Assert.True(others.Length >= 3, "The network needs at least four nodes for three hops and a destination.");
        return await SendOnionAsync(Onion.ToNode([.. others.Take(3), node], request, cipherOf: _ => "xchacha20"), request);
    }

    /// <summary>Posts an onion request and returns what the last node answered inside the encryption.</summary>
    /// <param name="request">The request.</param>
    /// <param name="shown">What it asks, for people.</param>
    /// <param name="layer">The layer that answers; the last one by default.</param>
    /// <param name="base64">What was asked of the reply's form.</param>
    public async Task<Answer> SendOnionAsync(OnionRequest request, string shown, int? layer = null, bool base64 = true)
    {
        var outer = await PostOnionAsync(request, shown);
        outer.Should(outer.Status is 200 && outer.ContentType is "text/plain", "200 text/plain with an encrypted reply");
        var opened = OpenReply(request.Keys[layer ?? request.Keys.Length - 1], outer.Body, base64);
        outer.Should(opened is not null, "a reply encrypted with the layer's key, " + (base64 ? "as padded base64" : "as raw bytes"));
        var inner = JsonElement.Parse(opened!);
        var body = inner.GetProperty("body");
        var answer = new Answer("onion " + Answer.Shorten(shown), inner.GetProperty("status").GetInt32(), null,
            Encoding.UTF8.GetBytes(body.ValueKind is JsonValueKind.String ? body.GetString()! : body.GetRawText()));
        Log(answer);
        return answer;
    }

    /// <summary>Decrypts a reply; null if the key does not fit.</summary>
    public static byte[]? OpenReply(LayerKey key, byte[] body, bool base64)
    {
        if (!base64)
            return Crypto.Open(key, body);
        try
        {
            // Convert would skip white space, which has no place here.
            var text = Encoding.ASCII.GetString(body);
            return text.Any(char.IsWhiteSpace) ? null : Crypto.Open(key, Convert.FromBase64String(text));
        }
        catch (FormatException)
        {
            return null;
        }
    }

    /// <summary>Posts an onion request and returns the HTTP answer of the guard.</summary>
    public Task<Answer> PostOnionAsync(OnionRequest request, string shown = "an onion request") => PostOnionAsync(request.Guard, request.Body, shown);

    public Task<Answer> PostOnionAsync(Node guard, byte[] body, string shown = "an onion request") => PostAsync(new(guard.Url, "/onion_req/v2"), body, shown);

    public Task<Answer> CallSeedAsync(string json) => PostAsync(new(Seed, "/json_rpc"), Encoding.UTF8.GetBytes(json), json);

    public async Task<Answer> PostAsync(Uri url, byte[] body, string shown)
    {
        using var content = new ByteArrayContent(body);
        content.Headers.ContentType = new("application/json");
        using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = content };
        return (await SendHttpAsync(request, shown)).Answer;
    }

    /// <summary>Sends any HTTP request; the headers are those of the whole answer.</summary>
    public async Task<(Answer Answer, Func<string, string?> Header)> SendHttpAsync(HttpRequestMessage request, string shown = "")
    {
        request.Headers.TryAddWithoutValidation("User-Agent", "WhatsApp");
        var response = await Http.SendAsync(request, TestContext.Current.CancellationToken);
        var body = await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
        var answer = new Answer($"{request.Method} {request.RequestUri} {Answer.Shorten(shown)}", (int)response.StatusCode, Header("Content-Type"), body);
        if (!IsSealed(request.RequestUri, answer))
            Log(answer);
        return (answer, Header);

        string? Header(string name) =>
            response.Headers.NonValidated.TryGetValues(name, out var values) || response.Content.Headers.NonValidated.TryGetValues(name, out values)
                ? string.Join(", ", values.AsEnumerable()) : null;
    }

    /// <summary>Waits until a condition holds.</summary>
    public static async Task WaitAsync(string what, TimeSpan limit, Func<Task<bool>> condition)
    {
        var watch = Stopwatch.StartNew();
        while (!await condition())
        {
            Assert.True(watch.Elapsed < limit, $"Not within {limit.TotalSeconds} s: {what}");
            await Task.Delay(250, TestContext.Current.CancellationToken);
        }
    }

    // A failing test prints its whole conversation.
    private static void Log(Answer answer) => TestContext.Current.TestOutputHelper?.WriteLine(
        $"{answer.Request}\n  -> {answer.Status} {answer.ContentType}: {Answer.Shorten(answer.Text)}");

    private static bool IsSealed(Uri? url, Answer answer) => answer.Status is 200 && url?.AbsolutePath is "/onion_req/v2";

    private static HttpClient CreateClient() => new(new SocketsHttpHandler
    {
#pragma warning disable CA5359 // service nodes have self-signed certificates by design
        SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = static (_, _, _, _) => true },
#pragma warning restore CA5359
        UseCookies = false,
        AllowAutoRedirect = false,
    })
    {
        DefaultRequestVersion = HttpVersion.Version11,
        Timeout = TimeSpan.FromSeconds(60),
    };
}
