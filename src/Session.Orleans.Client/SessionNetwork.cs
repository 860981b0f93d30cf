using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Client;

/// <summary>
/// A network as all accounts of a process share it: nodes, paths, swarms, clock and connections. Every request goes through onion paths;
/// failures are answered as clients do (<see cref="ErrorReactions"/>) and requests repeated. Safe for concurrent use.
/// </summary>
public sealed class SessionNetwork : IDisposable
{
    private const int SeedAttempts = 4;
    private const int RefreshSources = 3;
    private const int LeastCorrectionMs = 1000;

    private static readonly HashSet<string> NoSubnets = [];
    private static readonly HashSet<Ed25519PublicKey> NoNodes = [];

    private static readonly MediaTypeHeaderValue JsonType = new("application/json");
    private static readonly TimeSpan SeedTimeout = TimeSpan.FromSeconds(5);

    private readonly SessionNetworkOptions _options;
    private readonly HttpClient _http;
    private readonly HttpClient _seedHttp;
    private readonly SemaphoreSlim _refreshing = new(1);
    private readonly ConcurrentDictionary<AccountId, ImmutableArray<SnodeAddress>> _swarms = new();
    private volatile int _nodesAtRefresh;
    private readonly ConcurrentDictionary<string, ImmutableArray<SnodeAddress>> _swarmsById = new();

    private SessionNetwork(SessionNetworkOptions options)
    {
        _options = options;
        Clock = new(options.Time);
        Pool = new([]);
        Paths = new(Pool, TestGuardAsync, options.Guards);
        _http = options.Handler is { } handler ? SessionHttp.Create(handler, options.RequestTimeout) : SessionHttp.Create(options.RequestTimeout);
        _seedHttp = options.Handler is null ? SessionHttp.CreateForSeeds(options.Certificates, SeedTimeout) : _http;
    }

    /// <summary>The nodes.</summary>
    public SnodePool Pool { get; }

    /// <summary>The paths.</summary>
    public OnionPaths Paths { get; }

    /// <summary>Network time.</summary>
    public NetworkClock Clock { get; }

    internal TimeProvider Time => _options.Time;

    /// <summary>Learns the nodes from a seed. Paths are built with the first request.</summary>
    /// <exception cref="SessionClientException">No seed gives a list.</exception>
    public static async Task<SessionNetwork> ConnectAsync(SessionNetworkOptions options, CancellationToken cancellationToken = default)
    {
        var network = new SessionNetwork(options);
        try
        {
            network.Learn(await network.AskSeedsAsync(cancellationToken).ConfigureAwait(false));
            return network;
        }
        catch
        {
            network.Dispose();
            throw;
        }
    }

    /// <summary>The same with one seed and defaults.</summary>
    public static Task<SessionNetwork> ConnectAsync(Uri seed, CancellationToken cancellationToken = default) =>
        ConnectAsync(new SessionNetworkOptions { Seeds = [seed] }, cancellationToken);

    /// <summary>The members of an account's swarm, from memory or from a random node.</summary>
    /// <exception cref="SessionClientException">No node gives an answer.</exception>
    public async Task<ImmutableArray<SnodeAddress>> GetSwarmAsync(AccountId account, CancellationToken cancellationToken = default)
    {
        if (_swarms.TryGetValue(account, out var known) && known.Length > 0)
            return known;
        var request = StorageRequestWriter.ToArray(new GetSwarmRequest { Account = account });
        return await RetryAsync(
            async attempt =>
            {
                var node = Pool.Draw(attempt.Tried, NoSubnets) ?? throw new SessionClientException("No service node is known.");
                attempt.Try(node);
                var reply = await SendOnceAsync(node, request, account, cancellationToken).ConfigureAwait(false);
                if (reply.Reaction is not ErrorReaction.Done)
                    return (default, reply.Reaction, reply.Error);
                return LearnSwarm(account, reply.Body) is { Length: > 0 } members
                    ? (members, ErrorReaction.Done, null)
                    : (default(ImmutableArray<SnodeAddress>), ErrorReaction.Unreadable, new SessionClientException("The reply names no swarm."));
            },
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Sends requests for one account to a member of its swarm, all in one. They are made anew for each attempt, so that their times are fresh;
    /// what they store should stay the same: then a repeated store is no second message.
    /// </summary>
    /// <param name="account">Whose swarm.</param>
    /// <param name="create">Makes the requests for a network time (unix ms) and a member: at most 20.</param>
    /// <param name="inOrder">True: one after the other, up to the first that fails. False: all.</param>
    /// <param name="preferred">The member to ask first.</param>
    /// <param name="accept">Says whether the answer will do; if not, it counts against the member. Null: every answer does.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The member that answered, and one answer per request; fewer if <paramref name="inOrder"/> and one failed.</returns>
    /// <exception cref="SessionClientException">No member gave an answer that can be used.</exception>
    public async Task<SwarmAnswer> SendAsync(
        AccountId account, Func<long, SnodeAddress, IEnumerable<StorageRequest>> create, bool inOrder, SnodeAddress? preferred = null,
        Func<SwarmAnswer, bool>? accept = null, CancellationToken cancellationToken = default) =>
        await RetryAsync<SwarmAnswer>(
            async attempt =>
            {
                var swarm = await GetSwarmAsync(account, cancellationToken).ConfigureAwait(false);
                var node = preferred is not null && attempt.Tried.Count == 0 ? preferred : Choose(swarm, attempt.Tried);
                attempt.Try(node);
                var requests = create(Clock.NowMs, node).ToImmutableArray();
                StorageRequest request = inOrder ? new SequenceRequest { Requests = requests } : new BatchRequest { Requests = requests };
                var reply = await SendOnceAsync(node, StorageRequestWriter.ToArray(request), account, cancellationToken).ConfigureAwait(false);
                if (reply.Reaction is not ErrorReaction.Done)
                    return (null, reply.Reaction, reply.Error);
                if (ReadResults(reply.Body) is not { Length: > 0 } results || (!inOrder && results.Length != requests.Length))
                    return (null, ErrorReaction.Unreadable, new SessionClientException("The reply has no results."));
                LearnTime(results, reply);
                // Statuses that concern the whole of it; a 401 or 400 of one request is the caller's business.
                foreach (var result in results)
                {
                    var reaction = ErrorReactions.ForStorage(result.Status);
                    if (reaction is ErrorReaction.WrongSwarm or ErrorReaction.DestinationFailure or ErrorReaction.ClockOutOfSync)
                    {
                        Apply(reaction, node, account, result.Body);
                        return (null, reaction, Error(result.Status, result.Text));
                    }
                }

                var answer = new SwarmAnswer(node, results);
                if (accept?.Invoke(answer) is false)
                {
                    Apply(ErrorReaction.DestinationFailure, node, account, default);
                    return (null, ErrorReaction.DestinationFailure, new SessionClientException("No member of the swarm confirmed the request."));
                }

                Pool.Forgive(node.Ed25519, asDestination: true);
                return (answer, ErrorReaction.Done, null);
            },
            cancellationToken).ConfigureAwait(false);

    /// <summary>Sends a v4 request to a server outside the network (onion-requests.md, 10).</summary>
    /// <param name="server">The server.</param>
    /// <param name="request">The request.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The server's answer, whatever its code.</returns>
    /// <exception cref="SessionClientException">The server can't be reached, or no path gets there.</exception>
    public async Task<OnionV4Response> SendToServerAsync(ServerAddress server, OnionV4Request request, CancellationToken cancellationToken = default)
    {
        var payload = request.Encode();
        return await RetryAsync<OnionV4Response>(
            async _ =>
            {
                var path = await GetPathAsync(null, cancellationToken).ConfigureAwait(false);
                var onion = OnionRequestBuilder.BuildToServer(
                    [.. path.Hops.Select(hop => new OnionHop(hop.Ed25519, hop.X25519))], _options.Cipher, server.Key, server.Url.Host, payload,
                    protocol: server.Url.Scheme, port: server.Url.Port);
                var (status, body, error) = await PostAsync(path.Guard, onion.HttpBody, cancellationToken).ConfigureAwait(false);
                var reaction = ErrorReactions.ForHttp(status, status == 200 ? "" : Encoding.UTF8.GetString(body), toServer: true, out var unknown);
                if (reaction is not ErrorReaction.Done)
                {
                    ApplyToPath(reaction, path, unknown);
                    return (null, reaction, error ?? Error(status, Encoding.UTF8.GetString(body)));
                }

                if (!OnionReply.TryOpenRaw(onion.ReplyKey, body, onion.Base64, out var plaintext) || !OnionV4Response.TryParse(plaintext, out var response))
                    return (null, ErrorReaction.Unreadable, new SessionClientException("The server's reply can't be read."));
                Paths.ReportSuccess(path);
                return (response, ErrorReaction.Done, null);
            },
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Sends the same request to a server without onions: the server then knows the client's address, and the request is as safe as
    /// <paramref name="server"/>'s HTTPS. Lost connections are tried again with the same bytes.
    /// </summary>
    /// <param name="server">The server.</param>
    /// <param name="request">The request.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The server's answer, whatever its code.</returns>
    /// <exception cref="SessionClientException">The server can't be reached.</exception>
    public async Task<OnionV4Response> SendDirectlyAsync(ServerAddress server, OnionV4Request request, CancellationToken cancellationToken = default) =>
        await RetryAsync<OnionV4Response>(
            async _ =>
            {
                using var message = new HttpRequestMessage(new(request.Method), new Uri(server.Url.GetLeftPart(UriPartial.Authority) + request.Endpoint));
                if (request.Body is { } body)
                    message.Content = new ReadOnlyMemoryContent(body);
                foreach (var (name, value) in request.Headers)
                {
                    if (!message.Headers.TryAddWithoutValidation(name, value))
                        message.Content?.Headers.TryAddWithoutValidation(name, value);
                }

                try
                {
                    using var response = await _http.SendAsync(message, cancellationToken).ConfigureAwait(false);
                    var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
                    foreach (var (name, values) in response.Headers.NonValidated.Concat(response.Content.Headers.NonValidated))
                        headers[name] = values.ToString();
                    var content = await response.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
                    return (new((int)response.StatusCode, headers, content), ErrorReaction.Done, null);
                }
                catch (Exception exception) when (exception is HttpRequestException or IOException)
                {
                    return (null, ErrorReaction.Unreadable, new SessionClientException($"{server.Url.Authority} can't be reached: {exception.Message}", exception));
                }
                catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
                {
                    return (null, ErrorReaction.Unreadable, new SessionClientException($"{server.Url.Authority} did not answer in time.", exception));
                }
            },
            cancellationToken).ConfigureAwait(false);

    /// <summary>Asks as many different random nodes the same, each through a path of its own choice; a node that fails is replaced by another.</summary>
    /// <returns>The answers to the request, one per node.</returns>
    /// <exception cref="SessionClientException">There are too few nodes that answer.</exception>
    internal Task<StorageResult[]> AskNodesAsync(StorageRequest request, int count, CancellationToken cancellationToken)
    {
        var bytes = StorageRequestWriter.ToArray(new BatchRequest { Requests = [request] });
        var asked = new HashSet<Ed25519PublicKey>();
        return Task.WhenAll(Enumerable.Range(0, count).Select(_ => RetryAsync(
            async _ =>
            {
                SnodeAddress node;
                lock (asked)
                {
                    node = Pool.Draw(asked, NoSubnets) ?? throw new SessionClientException("Too few service nodes are known.");
                    asked.Add(node.Ed25519);
                }

                var reply = await SendOnceAsync(node, bytes, default, cancellationToken).ConfigureAwait(false);
                if (reply.Reaction is not ErrorReaction.Done)
                    return (default, reply.Reaction, reply.Error);
                return ReadResults(reply.Body) is [var result]
                    ? (result, ErrorReaction.Done, null)
                    : (default(StorageResult), ErrorReaction.Unreadable, new SessionClientException("The reply has no result."));
            },
            cancellationToken)));
    }

    /// <summary>
    /// Asks for the list of nodes again: three nodes, of whose lists the common part counts, or the seeds if that is too small
    /// (network.md, 1).
    /// </summary>
    public async Task RefreshPoolAsync(CancellationToken cancellationToken = default)
    {
        await _refreshing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await RefreshAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _refreshing.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _http.Dispose();
        _seedHttp.Dispose();
        _refreshing.Dispose();
        Paths.Dispose();
    }

    private static SnodeAddress Choose(ImmutableArray<SnodeAddress> swarm, HashSet<Ed25519PublicKey> tried)
    {
        var fresh = swarm.Where(node => !tried.Contains(node.Ed25519)).ToArray();
        return fresh.Length > 0 ? fresh[RandomNumberGenerator.GetInt32(fresh.Length)] : swarm[RandomNumberGenerator.GetInt32(swarm.Length)];
    }

    private static SessionClientException Error(int status, string text) =>
        new(string.Create(CultureInfo.InvariantCulture, $"Answered {status}: {text.Trim()}"), status);

    private async Task<T> RetryAsync<T>(
        Func<Attempt, Task<(T? Result, ErrorReaction Reaction, SessionClientException? Error)>> attempt, CancellationToken cancellationToken)
    {
        var state = new Attempt();
        var clockLearned = false;
        for (var i = 1; ; i++)
        {
            var (result, reaction, error) = await attempt(state).ConfigureAwait(false);
            switch (reaction)
            {
                case ErrorReaction.Done:
                    return result!;
                case ErrorReaction.ClockOutOfSync when !clockLearned:
                    // Once: if it was our clock, another request with the right time will do. If not, repeating changes nothing.
                    clockLearned = true;
                    if (!await TryCorrectClockAsync(cancellationToken).ConfigureAwait(false))
                        throw error!;
                    continue;
                case ErrorReaction.ReturnToCaller or ErrorReaction.Unauthorized or ErrorReaction.ClockOutOfSync or ErrorReaction.Stop or ErrorReaction.ServerUnreachable:
                    throw error!;
                default:
                    if (i >= _options.Attempts)
                        throw error!;
                    break;
            }

            await Task.Delay(_options.RetryDelay * (1 << (i - 1)), _options.Time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Asks a random node for the time; false if the clock was right already, or nobody tells.</summary>
    private async Task<bool> TryCorrectClockAsync(CancellationToken cancellationToken)
    {
        if (Pool.Draw(NoNodes, NoSubnets) is not { } node)
            return false;
        var before = Clock.OffsetMs;
        var reply = await SendOnceAsync(node, StorageRequestWriter.ToArray(new InfoRequest()), default, cancellationToken).ConfigureAwait(false);
        return reply.Reaction is ErrorReaction.Done && Math.Abs(Clock.OffsetMs - before) >= LeastCorrectionMs;
    }

    /// <summary>One attempt through one path, with the reaction to what went wrong already applied.</summary>
    private async Task<SingleReply> SendOnceAsync(SnodeAddress node, byte[] request, AccountId account, CancellationToken cancellationToken)
    {
        var path = await GetPathAsync(node.Ed25519, cancellationToken).ConfigureAwait(false);
        return await SendOnceAsync(path, node, request, account, cancellationToken).ConfigureAwait(false);
    }

    private async Task<SingleReply> SendOnceAsync(OnionPath path, SnodeAddress node, byte[] request, AccountId account, CancellationToken cancellationToken)
    {
        var onion = OnionRequestBuilder.BuildToNode(path.To(node), _options.Cipher, request);
        var sent = Clock.LocalMs;
        var (status, body, error) = await PostAsync(path.Guard, onion.HttpBody, cancellationToken).ConfigureAwait(false);
        var received = Clock.LocalMs;
        var text = status == 200 ? "" : Encoding.UTF8.GetString(body);
        var reaction = ErrorReactions.ForHttp(status, text, toServer: false, out var unknown);
        if (reaction is not ErrorReaction.Done)
        {
            ApplyToPath(reaction, path, unknown);
            if (reaction is ErrorReaction.WrongSwarm)
                Apply(reaction, node, account, TryParse(body));
            return new(default, sent, received, reaction, error ?? Error(status, text));
        }

        if (!OnionReply.TryOpen(onion.ReplyKey, body, onion.Base64, out var content))
            return new(default, sent, received, ErrorReaction.Unreadable, new SessionClientException("The reply was not encrypted by the destination."));
        Paths.ReportSuccess(path);
        var json = TryParse(content.Body);
        if (json.TryNumber("t", out var server))
            Clock.Learn(server, sent, received);
        reaction = ErrorReactions.ForStorage(content.Status);
        if (reaction is not ErrorReaction.Done)
        {
            Apply(reaction, node, account, json);
            return new(json, sent, received, reaction, Error(content.Status, Encoding.UTF8.GetString(content.Body.Span)));
        }

        return json is { ValueKind: JsonValueKind.Object }
            ? new(json, sent, received, ErrorReaction.Done, null)
            : new(default, sent, received, ErrorReaction.Unreadable, new SessionClientException("The reply is not JSON."));
    }

    private async Task<OnionPath> GetPathAsync(Ed25519PublicKey? destination, CancellationToken cancellationToken)
    {
        // A testnet may have fewer nodes from the start: only what was lost since is worth asking for.
        if (Pool.Nodes.Length < Math.Min(SnodePool.RefreshBelow, _nodesAtRefresh))
            await TryRefreshPoolAsync(cancellationToken).ConfigureAwait(false);
        return await Paths.GetAsync(destination, cancellationToken).ConfigureAwait(false);
    }

    // Goes on with the nodes that are left if nobody tells of others.
    private async Task TryRefreshPoolAsync(CancellationToken cancellationToken)
    {
        await _refreshing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (Pool.Nodes.Length < Math.Min(SnodePool.RefreshBelow, _nodesAtRefresh))
                await RefreshAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (SessionClientException) when (Pool.Nodes.Length > OnionPath.DefaultLength)
        {
            _nodesAtRefresh = Pool.Nodes.Length;
        }
        finally
        {
            _refreshing.Release();
        }
    }

    private async Task RefreshAsync(CancellationToken cancellationToken)
    {
        var common = await AskNodesAsync(cancellationToken).ConfigureAwait(false);
        Learn(common.Count >= _options.LeastCommonNodes ? common : await AskSeedsAsync(cancellationToken).ConfigureAwait(false));
    }

    private void Learn(IReadOnlyList<SnodeAddress> nodes)
    {
        Pool.Replace(nodes);
        _nodesAtRefresh = nodes.Count;
    }

    private async Task<(int Status, byte[] Body, SessionClientException? Error)> PostAsync(SnodeAddress guard, byte[] body, CancellationToken cancellationToken)
    {
        var url = new Uri(guard.Url, "/onion_req/v2");
        using var content = new ByteArrayContent(body);
        content.Headers.ContentType = JsonType;
        try
        {
            using var response = await _http.PostAsync(url, content, cancellationToken).ConfigureAwait(false);
            return ((int)response.StatusCode, await response.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false), null);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            return (0, [], new SessionClientException($"{url.Authority} can't be reached: {exception.Message}", exception));
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            return (0, [], new SessionClientException($"{url.Authority} did not answer in time.", exception));
        }
    }

    private void ApplyToPath(ErrorReaction reaction, OnionPath path, Ed25519PublicKey unknown)
    {
        if (reaction is ErrorReaction.PathFailure)
            Paths.ReportFailure(path);
        else if (reaction is ErrorReaction.DropNode)
        {
            Pool.Drop(unknown);
            Paths.Replace(unknown);
            RemoveFromSwarms(unknown);
        }
    }

    private void Apply(ErrorReaction reaction, SnodeAddress node, AccountId account, JsonElement body)
    {
        if (reaction is ErrorReaction.WrongSwarm)
        {
            // Without a swarm in the answer the node is at least no member of it.
            if (LearnSwarm(account, body) is not { Length: > 0 } && _swarms.TryGetValue(account, out var members))
                _swarms[account] = members.RemoveAll(member => member.Ed25519 == node.Ed25519);
        }
        else if (reaction is ErrorReaction.DestinationFailure && Pool.Strike(node.Ed25519, asDestination: true))
        {
            Paths.Replace(node.Ed25519);
            RemoveFromSwarms(node.Ed25519);
        }
    }

    private void RemoveFromSwarms(Ed25519PublicKey node)
    {
        _swarmsById.Clear();
        foreach (var (account, members) in _swarms)
        {
            if (members.Any(member => member.Ed25519 == node))
                _ = _swarms.TryUpdate(account, members.RemoveAll(member => member.Ed25519 == node), members);
        }
    }

    private ImmutableArray<SnodeAddress> LearnSwarm(AccountId account, JsonElement body)
    {
        if (!body.TryList("snodes", out var snodes))
            return [];
        var members = ImmutableArray.CreateBuilder<SnodeAddress>();
        foreach (var snode in snodes.EnumerateArray())
        {
            if (ReadNode(snode, "ip", "port_https") is { } node || (node = ReadNode(snode, "ip", "port")) is not null)
                members.Add(node);
        }

        if (members.Count == 0)
            return [];
        // Accounts of one swarm share the list: there may be tens of thousands of them.
        var id = body.TryText("swarm", out var text) ? text : "";
        var learned = members.ToImmutable();
        if (_swarmsById.TryGetValue(id, out var shared) && shared.AsSpan().SequenceEqual(learned.AsSpan()))
            learned = shared;
        else
            _swarmsById[id] = learned;
        _swarms[account] = learned;
        return learned;
    }

    private void LearnTime(ImmutableArray<StorageResult> results, SingleReply reply)
    {
        foreach (var result in results)
        {
            if (result.Body.TryNumber("t", out var server))
            {
                Clock.Learn(server, reply.SentMs, reply.ReceivedMs);
                return;
            }
        }
    }

    private static ImmutableArray<StorageResult> ReadResults(JsonElement body)
    {
        if (!body.TryList("results", out var results))
            return [];
        var read = ImmutableArray.CreateBuilder<StorageResult>();
        foreach (var result in results.EnumerateArray())
        {
            if (!result.TryNumber("code", out var status) || !result.TryGetProperty("body", out var inner))
                return [];
            read.Add(new((int)status, inner));
        }

        return read.ToImmutable();
    }

    private static JsonElement TryParse(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            return document.RootElement.Clone();
        }
        catch (JsonException)
        {
            return default;
        }
    }

    // A direct request for a random account: a guard sees the client's address anyway, and must not learn whose it is.
    private async Task<bool> TestGuardAsync(SnodeAddress node, CancellationToken cancellationToken)
    {
        Span<byte> random = stackalloc byte[Bytes32.Length];
        RandomNumberGenerator.Fill(random);
        var request = new GetSwarmRequest { Account = new(AccountId.SessionPrefix, new Bytes32(random)) };
        using var content = new ByteArrayContent(StorageRequestWriter.ToArray(request));
        content.Headers.ContentType = JsonType;
        try
        {
            using var response = await _http.PostAsync(new Uri(node.Url, "/storage_rpc/v1"), content, cancellationToken).ConfigureAwait(false);
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }

    private async Task<IReadOnlyList<SnodeAddress>> AskSeedsAsync(CancellationToken cancellationToken)
    {
        SessionClientException? last = null;
        for (var i = 0; i < SeedAttempts; i++)
        {
            if (i > 0)
                await Task.Delay(_options.RetryDelay * (1 << i), _options.Time, cancellationToken).ConfigureAwait(false);
            using var others = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var asked = _options.Seeds.Select(seed => SeedClient.GetServiceNodesAsync(_seedHttp, seed, others.Token)).ToList();
            while (asked.Count > 0)
            {
                var answered = await Task.WhenAny(asked).ConfigureAwait(false);
                _ = asked.Remove(answered);
                try
                {
                    if (await answered.ConfigureAwait(false) is { Count: > 0 } nodes)
                    {
                        await others.CancelAsync().ConfigureAwait(false);
                        return nodes;
                    }
                }
                catch (SessionClientException exception)
                {
                    last = exception;
                }
            }
        }

        throw last ?? new SessionClientException("No seed knows any service node.");
    }

    private async Task<IReadOnlyList<SnodeAddress>> AskNodesAsync(CancellationToken cancellationToken)
    {
        var nodes = Pool.Nodes;
        if (nodes.Length < Math.Max(_options.LeastCommonNodes, RefreshSources + OnionPath.DefaultLength))
            return [];
        var request = StorageRequestWriter.ToArray(new BatchRequest
        {
            Requests =
            [
                new OxendRequest
                {
                    Endpoint = "get_service_nodes",
                    ParametersJson = """{"active_only":true,"fields":{"public_ip":true,"storage_port":true,"pubkey_x25519":true,"pubkey_ed25519":true}}"""u8.ToArray(),
                },
            ],
        });
        var sources = nodes.ToArray();
        RandomNumberGenerator.Shuffle<SnodeAddress>(sources);
        // Not by GetPathAsync, which may be what waits for this refresh.
        var replies = await Task.WhenAll(sources.Take(RefreshSources).Select(async source =>
        {
            var path = await Paths.GetAsync(source.Ed25519, cancellationToken).ConfigureAwait(false);
            return await SendOnceAsync(path, source, request, default, cancellationToken).ConfigureAwait(false);
        })).ConfigureAwait(false);
        var lists = replies.Select(reply => reply.Reaction is ErrorReaction.Done ? ReadNodes(reply.Body) : []).ToArray();
        return [.. lists.Aggregate((common, list) => [.. common.Intersect(list)])];
    }

    private static SnodeAddress[] ReadNodes(JsonElement body)
    {
        return ReadResults(body) is [{ Status: 200, Body.ValueKind: JsonValueKind.Object } result]
            && result.Body.TryGetProperty("result", out var inner) && inner.TryList("service_node_states", out var states)
            ? [.. states.EnumerateArray().Select(node => ReadNode(node, "public_ip", "storage_port")).OfType<SnodeAddress>()] : [];
    }

    private static SnodeAddress? ReadNode(JsonElement node, string ip, string port) =>
        node.TryText("pubkey_ed25519", out var ed25519) && Ed25519PublicKey.TryParseHex(ed25519, out var address)
        && node.TryText("pubkey_x25519", out var x25519) && X25519PublicKey.TryParseHex(x25519, out var key)
        && node.TryText(ip, out var host) && host is not ("" or "0.0.0.0")
        && node.TryNumber(port, out var number) && number is > 0 and <= ushort.MaxValue ? new(address, key, host, (int)number) : null;

    /// <summary>Which nodes an operation has asked already.</summary>
    private sealed class Attempt
    {
        public HashSet<Ed25519PublicKey> Tried { get; } = [];

        public void Try(SnodeAddress node) => Tried.Add(node.Ed25519);
    }

    private readonly record struct SingleReply(JsonElement Body, long SentMs, long ReceivedMs, ErrorReaction Reaction, SessionClientException? Error);
}

/// <summary>A server outside the network that nodes relay to.</summary>
/// <param name="Url">Its root, <c>https</c> or <c>http</c>.</param>
/// <param name="Key">The X25519 key that requests are encrypted for.</param>
public sealed record ServerAddress(Uri Url, X25519PublicKey Key);

/// <summary>What a swarm member answered.</summary>
/// <param name="Node">The member.</param>
/// <param name="Results">One per request, in order.</param>
public sealed record SwarmAnswer(SnodeAddress Node, ImmutableArray<StorageResult> Results);

/// <summary>The answer to one request.</summary>
/// <param name="Status">Its status: 200 for success (storage-rpc.md).</param>
/// <param name="Body">JSON: an object, or a string for an error.</param>
public readonly record struct StorageResult(int Status, JsonElement Body)
{
    /// <summary>The body as text, for people.</summary>
    public string Text => Body.ValueKind switch
    {
        JsonValueKind.String => Body.GetString()!,
        JsonValueKind.Undefined => "",
        _ => Body.GetRawText(),
    };
}
