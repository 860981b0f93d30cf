using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Text;
using System.Text.Json;
using Session.Orleans.Client;
using Session.Orleans.Client.Names;
using Session.Orleans.Load.Traces;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.Load.Network;

/// <summary>
/// A network as thousands of users of one process share it: nodes, swarms, clock and connections. What users do not share are their paths and
/// what they have read. Safe for concurrent use.
/// </summary>
internal sealed class LoadNetwork : IDisposable
{
    private static readonly MediaTypeHeaderValue JsonType = new("application/json");
    private const int LeastConnections = 4;
    private static readonly TimeSpan RefreshPause = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan IdleConnection = TimeSpan.FromSeconds(100); // before nodes close them, which they do after two minutes

    private readonly LoadTarget _target;
    private HttpMessageInvoker? _http;
    private readonly HttpClient _seedHttp;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<string, LoadSwarm> _swarms = new();
    private FrozenDictionary<Ed25519PublicKey, LoadNode> _byKey = FrozenDictionary<Ed25519PublicKey, LoadNode>.Empty;
    private LoadNode[] _nodes = [];
    private long _nextRefresh;
    private int _refreshing;

    private LoadNetwork(LoadTarget target, TimeProvider time)
    {
        _target = target;
        _time = time;
        Clock = new(time);
        Files = target.Files is { } files ? new(files.Url, files.Key) : null;
        _seedHttp = SessionHttp.Create(CreateHandler(verifySeed: true), target.Timeout);
    }

    /// <summary>The nodes that requests may use.</summary>
    public IReadOnlyList<LoadNode> Nodes => _nodes;

    /// <summary>Network time.</summary>
    public NetworkClock Clock { get; }

    /// <summary>Where attachments go.</summary>
    public ServerAddress? Files { get; }

    /// <summary>Told of traced requests; null: nobody.</summary>
    public TraceCollector? Traces { get; set; }

    /// <summary>Learns the nodes from the seed.</summary>
    /// <exception cref="LoadException">The seed can't be reached or trusted, or knows too few nodes for a path.</exception>
    public static async Task<LoadNetwork> ConnectAsync(LoadTarget target, TimeProvider time, CancellationToken cancellationToken)
    {
        var network = new LoadNetwork(target, time);
        try
        {
            await network.LearnNodesAsync(cancellationToken).ConfigureAwait(false);
            network.OpenConnections();
            return network;
        }
        catch
        {
            network.Dispose();
            throw;
        }
    }

    /// <summary>Asks the seed for the nodes again, unless that was done moments ago.</summary>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        if (_time.GetTimestamp() < Interlocked.Read(ref _nextRefresh) || Interlocked.Exchange(ref _refreshing, 1) == 1)
            return;
        try
        {
            await LearnNodesAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (LoadException)
        {
            // Goes on with what is known; the next request that needs it asks again.
        }
        finally
        {
            Interlocked.Exchange(ref _nextRefresh, _time.GetTimestamp() + (long)(RefreshPause.TotalSeconds * _time.TimestampFrequency));
            Volatile.Write(ref _refreshing, 0);
        }
    }

    /// <summary>The registry of names, at the seed.</summary>
    public NameRegistry OpenNames() => new(_seedHttp, _target.Seed);

    /// <summary>The node with this key; null if it is unknown.</summary>
    public LoadNode? Find(Ed25519PublicKey key) => _byKey.GetValueOrDefault(key);

    /// <summary>Sends a storage request through a path and opens the destination's reply.</summary>
    /// <param name="path">The relay hops, the guard first.</param>
    /// <param name="destination">The node that carries the request out.</param>
    /// <param name="request">JSON (storage-rpc.md).</param>
    /// <param name="traceParent">W3C trace context for the guard; null for none.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async ValueTask<Answer> SendAsync(
        LoadNode[] path, LoadNode destination, ReadOnlyMemory<byte> request, string? traceParent, CancellationToken cancellationToken)
    {
        var start = _time.GetTimestamp();
        var onion = Wrap(path, destination, request.Span);
        var raw = await PostAsync(path[0].OnionUrl, onion.HttpBody, traceParent, cancellationToken).ConfigureAwait(false);
        var answer = Open(raw, onion);
        Traces?.Answered(traceParent, _time.GetElapsedTime(start) - raw.Took, raw.Took);
        return answer;
    }

    /// <summary>Sends a request to a server outside the network (onion-requests.md, 10) and decrypts its reply.</summary>
    public async ValueTask<Answer> SendToServerAsync(
        LoadNode[] path, ServerAddress server, OnionV4Request request, string? traceParent, CancellationToken cancellationToken)
    {
        var start = _time.GetTimestamp();
        var onion = OnionRequestBuilder.BuildToServer(
            Array.ConvertAll(path, node => node.Hop), _target.Cipher, server.Key, server.Url.Host, request.Encode(),
            protocol: server.Url.Scheme, port: server.Url.Port);
        var raw = await PostAsync(path[0].OnionUrl, onion.HttpBody, traceParent, cancellationToken).ConfigureAwait(false);
        var answer = Refused(raw, toServer: true)
            ?? (OnionReply.TryOpenRaw(onion.ReplyKey, raw.Body, onion.Base64, out var plaintext)
                ? new(ErrorReaction.Done, null, plaintext) : new(ErrorReaction.Unreadable, ErrorClass.Unreadable, default));
        Traces?.Answered(traceParent, _time.GetElapsedTime(start) - raw.Took, raw.Took);
        return answer;
    }

    /// <summary>Posts bytes that were made before and returns the answer as it comes: a measurement of the server alone.</summary>
    public ValueTask<RawAnswer> PostAsync(LoadNode guard, byte[] body, string? traceParent, CancellationToken cancellationToken) =>
        PostAsync(guard.OnionUrl, body, traceParent, cancellationToken);

    /// <summary>Wraps a storage request without sending it.</summary>
    public OnionRequest Wrap(LoadNode[] path, LoadNode destination, ReadOnlySpan<byte> request)
    {
        var hops = new OnionHop[path.Length + 1];
        for (var i = 0; i < path.Length; i++)
            hops[i] = path[i].Hop;
        hops[^1] = destination.Hop;
        return OnionRequestBuilder.BuildToNode(hops, _target.Cipher, request);
    }

    /// <summary>Opens what <see cref="PostAsync(LoadNode, byte[], string?, CancellationToken)"/> brought.</summary>
    public static Answer Open(in RawAnswer raw, OnionRequest onion)
    {
        if (Refused(raw, toServer: false) is { } refused)
            return refused;
        if (!OnionReply.TryOpen(onion.ReplyKey, raw.Body, onion.Base64, out var content))
            return new(ErrorReaction.Unreadable, ErrorClass.Unreadable, default);
        var reaction = ErrorReactions.ForStorage(content.Status);
        return new(reaction, reaction is ErrorReaction.Done ? null : ErrorClass.Status(content.Status), content.Body);
    }

    /// <summary>Reads a swarm from the answer to <c>get_swarm</c>, or from that of a node that is no member; null if it names none.</summary>
    public LoadSwarm? ReadSwarm(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var json = JsonDocument.Parse(body);
            if (json.RootElement.ValueKind is not JsonValueKind.Object
                || !json.RootElement.TryGetProperty("snodes", out var snodes) || snodes.ValueKind is not JsonValueKind.Array)
                return null;
            LoadNode[] members = [.. snodes.EnumerateArray().Select(ReadMember).OfType<LoadNode>()];
            if (members.Length == 0)
                return null;
            var id = json.RootElement.TryGetProperty("swarm", out var swarm) && swarm.ValueKind is JsonValueKind.String ? swarm.GetString()! : "";
            // Accounts of one swarm share the list: there may be tens of thousands of them.
            return _swarms.AddOrUpdate(
                id, static (id, members) => new(id, members), static (id, known, members) => known.Members.AsSpan().SequenceEqual(members) ? known : new(id, members), members);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _http?.Dispose();
        _seedHttp.Dispose();
    }

    private static Answer? Refused(in RawAnswer raw, bool toServer)
    {
        if (raw.Error is { } error)
            return new(ErrorReaction.PathFailure, error, default);
        if (raw.Status == 200)
            return null;
        var reaction = ErrorReactions.ForHttp(raw.Status, Encoding.UTF8.GetString(raw.Body), toServer, out var unknown);
        return new(reaction, ErrorClass.Http(raw.Status), reaction is ErrorReaction.DropNode ? unknown.AsSpan().ToArray() : raw.Body);
    }

    // What is asked at the seed's own port is protected by the seed's certificate, the nodes' own ports by the onion layers alone.
    private void OpenConnections()
    {
        var handler = CreateHandler(verifySeed: _target.PathAddressing);
        // Without a limit a slow moment makes each waiting user open a connection of its own, whose handshakes make the network slower still.
        handler.MaxConnectionsPerServer = _target.PathAddressing ? _target.Connections : Math.Max(LeastConnections, _target.Connections / _nodes.Length);
        _http = new(handler);
    }

    private SocketsHttpHandler CreateHandler(bool verifySeed) => new()
    {
#pragma warning disable CA5359 // service nodes have self-signed certificates by design
        SslOptions = new SslClientAuthenticationOptions
        {
            RemoteCertificateValidationCallback = verifySeed
                ? (_, certificate, _, errors) => _target.Trust.Accept(certificate, errors)
                : static (_, _, _, _) => true,
        },
#pragma warning restore CA5359
        PooledConnectionIdleTimeout = IdleConnection,
        ConnectTimeout = _target.Timeout,
        ActivityHeadersPropagator = null,
        AllowAutoRedirect = false,
        UseCookies = false,
        UseProxy = false,
    };

    private async Task LearnNodesAsync(CancellationToken cancellationToken)
    {
        IReadOnlyList<SnodeAddress> addresses;
        try
        {
            addresses = await SeedClient.GetServiceNodesAsync(_seedHttp, _target.Seed, cancellationToken).ConfigureAwait(false);
        }
        catch (SessionClientException exception)
        {
            throw Explain(exception);
        }

        if (addresses.Count <= OnionPath.DefaultLength)
        {
            throw new LoadException(LoadFailure.Unreachable, FormattableString.Invariant(
                $"A path of {OnionPath.DefaultLength} nodes and a destination needs more service nodes than the {addresses.Count} that {_target.Seed} knows."));
        }

        // The same node stays the same object, because users hold it in their paths.
        var nodes = addresses.DistinctBy(address => address.Ed25519)
            .Select(address => _byKey.TryGetValue(address.Ed25519, out var known) && known.Address == address ? known : Create(address)).ToArray();
        foreach (var node in nodes)
            node.IsGone = false;
        foreach (var (key, node) in _byKey)
            node.IsGone = !nodes.Contains(node);
        (_nodes, _byKey) = (nodes, nodes.ToFrozenDictionary(node => node.Address.Ed25519));
    }

    private LoadException Explain(SessionClientException exception)
    {
        if (_target.Trust.Problem is { } problem)
            return new(_target.Trust.IsOutOfTime ? LoadFailure.CertificateExpired : LoadFailure.Untrusted, $"{_target.Seed}: {problem}");
        // Nobody answers, or somebody who is no seed; a name that does not exist is an unknown seed too.
        var isSilent = exception.InnerException switch
        {
            OperationCanceledException => true,
            HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError or HttpRequestError.InvalidResponse } => false,
            HttpRequestException => true,
            _ => false,
        };
        return new(isSilent ? LoadFailure.Unreachable : LoadFailure.UnknownSeed, exception.Message.ReplaceLineEndings(" "));
    }

    private LoadNode Create(SnodeAddress address) => new(
        address, _target.PathAddressing ? new Uri(_target.Seed, $"/snodes/{address.Ed25519}/") : address.Url);

    private LoadNode? ReadMember(JsonElement member)
    {
        if (!member.TryGetProperty("pubkey_ed25519", out var key) || key.ValueKind is not JsonValueKind.String
            || !Ed25519PublicKey.TryParseHex(key.GetString(), out var ed25519))
            return null;
        if (Find(ed25519) is { } known)
            return known;
        return member.TryGetProperty("pubkey_x25519", out var x25519) && x25519.ValueKind is JsonValueKind.String
            && X25519PublicKey.TryParseHex(x25519.GetString(), out var encryption)
            && member.TryGetProperty("ip", out var ip) && ip.ValueKind is JsonValueKind.String
            && (member.TryGetProperty("port_https", out var port) || member.TryGetProperty("port", out port))
            && port.ValueKind is JsonValueKind.Number && port.TryGetInt32(out var number)
            ? Create(new(ed25519, encryption, ip.GetString()!, number)) : null;
    }

    private async ValueTask<RawAnswer> PostAsync(Uri url, byte[] body, string? traceParent, CancellationToken cancellationToken)
    {
        using var content = new ByteArrayContent(body);
        content.Headers.ContentType = JsonType;
        using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = content };
        if (traceParent is not null)
            _ = request.Headers.TryAddWithoutValidation("traceparent", traceParent);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(_target.Timeout);
        var start = _time.GetTimestamp();
        try
        {
            using var response = await _http!.SendAsync(request, limit.Token).ConfigureAwait(false);
            var bytes = await response.Content.ReadAsByteArrayAsync(limit.Token).ConfigureAwait(false);
            return new((int)response.StatusCode, bytes, null, _time.GetElapsedTime(start));
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            return new(0, [], ErrorClass.Connection, _time.GetElapsedTime(start));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new(0, [], ErrorClass.Timeout, _time.GetElapsedTime(start));
        }
    }
}

/// <summary>The guard's answer before anything is opened.</summary>
/// <param name="Status">HTTP status; 0 without an answer.</param>
/// <param name="Body">Body.</param>
/// <param name="Error">Class of the failure if there was no answer.</param>
/// <param name="Took">From sending to the last byte.</param>
internal readonly record struct RawAnswer(int Status, byte[] Body, string? Error, TimeSpan Took);
