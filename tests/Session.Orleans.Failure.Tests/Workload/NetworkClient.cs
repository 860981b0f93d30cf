using System.Text;
using System.Text.Json;
using Session.Orleans.Client;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Failure.Tests.Workload;

/// <summary>Single attempts, each through three random hops to a random member of the account's swarm.</summary>
internal sealed class NetworkClient : IDisposable
{
    private static readonly TimeSpan TimeToLive = TimeSpan.FromDays(1);

    private readonly HttpClient _http = SessionHttp.Create(new ResendingHandler(SessionHttp.CreateHandler())); // with the time limit of clients, 10 s
    private readonly OnionClient _onion;
    private readonly StorageClient _storage;
    private readonly IReadOnlyList<SnodeAddress> _pool;

    private NetworkClient(IReadOnlyList<SnodeAddress> pool)
    {
        _pool = pool;
        _onion = new(_http);
        _storage = new(_onion, pool, TimeProvider.System);
    }

    public static async Task<NetworkClient> CreateAsync(Uri seed)
    {
        using var http = SessionHttp.Create();
        return new(await SeedClient.GetServiceNodesAsync(http, seed, CancellationToken.None));
    }

    public Task<SwarmInfo> GetSwarmAsync(AccountId account) => _storage.GetSwarmAsync(account);

    /// <summary>The request for a message. Every attempt sends the same bytes, as clients do, so that it has the same hash.</summary>
    public static StoreRequest Message(AccountId recipient, string text)
    {
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        return new() { Account = recipient, Timestamp = now, Expiry = now + (long)TimeToLive.TotalMilliseconds, Data = Encoding.UTF8.GetBytes(text) };
    }

    /// <summary>One attempt to store.</summary>
    /// <exception cref="SessionClientException">It was not confirmed.</exception>
    public async Task StoreAsync(SwarmInfo swarm, StoreRequest request)
    {
        using var reply = await SendAsync(swarm, request);
        var confirmed = reply.RootElement.GetProperty("swarm").EnumerateObject().Count(member => member.Value.TryGetProperty("signature", out _));
        if (confirmed == 0)
            throw new SessionClientException("No member of the swarm confirmed: " + reply.RootElement.GetRawText(), 200);
    }

    /// <summary>One page of the default namespace.</summary>
    /// <exception cref="SessionClientException">There was no answer, or a refusal.</exception>
    public async Task<(IReadOnlyList<(string Text, MessageHash Hash)> Messages, bool More)> RetrieveAsync(SwarmInfo swarm, Ed25519KeyPair account, MessageHash? last)
    {
        var request = new RetrieveRequest
        {
            Account = account.SessionId, LastHash = last, Timestamp = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds(),
        }.SignWith(account);
        using var reply = await SendAsync(swarm, request);
        var messages = reply.RootElement.GetProperty("messages").EnumerateArray().Select(message =>
        {
            Assert.True(MessageHash.TryParse(Encoding.ASCII.GetBytes(message.GetProperty("hash").GetString()!), out var hash));
            return (Encoding.UTF8.GetString(message.GetProperty("data").GetBytesFromBase64()), hash);
        });
        return ([.. messages], reply.RootElement.GetProperty("more").GetBoolean());
    }

    public void Dispose() => _http.Dispose();

    private async Task<JsonDocument> SendAsync(SwarmInfo swarm, StorageRequest request)
    {
        var destination = swarm.Members[Random.Shared.Next(swarm.Members.Count)];
        var reply = await _onion.SendAsync(OnionPath.Choose(_pool, destination), destination, StorageRequestWriter.ToArray(request));
        return reply.Status == 200 ? JsonDocument.Parse(reply.Body)
            : throw new SessionClientException($"{request.Method} was answered {reply.Status}: {Encoding.UTF8.GetString(reply.Body.Span)}", reply.Status);
    }
}

/// <summary>
/// Sends a request once more whose connection ended before any answer, as the HTTP stacks of phones do: a server may close a connection that was
/// idle at the moment at which a client uses it.
/// </summary>
internal sealed class ResendingHandler(HttpMessageHandler inner) : DelegatingHandler(inner)
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            return await base.SendAsync(request, cancellationToken);
        }
        catch (HttpRequestException exception) when (exception.HttpRequestError is HttpRequestError.ResponseEnded)
        {
            return await base.SendAsync(request, cancellationToken);
        }
    }
}
