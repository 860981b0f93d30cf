using System.Collections.Concurrent;
using Session.Orleans.Client.Communities;
using Session.Orleans.Client.Names;
using Session.Orleans.Protocol.Communities;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Client;

/// <content>Communities (communities.md) and names (names.md).</content>
public sealed partial class SessionClient
{
    private readonly ConcurrentDictionary<(X25519PublicKey Key, CommunityRoute Route), CommunityServer> _communities = new();

    /// <summary>The community servers in use.</summary>
    public IReadOnlyCollection<CommunityServer> Communities => [.. _communities.Values];

    /// <summary>
    /// Joins a room by its join URL. All rooms of a server are polled together by <see cref="CommunityServer.IncomingAsync"/>. Communities are kept
    /// by this client alone, not in the configs that one's devices share.
    /// </summary>
    /// <param name="url"><c>http(s)://host[:port]/room?public_key=64 hex</c>.</param>
    /// <param name="route">How requests get there.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="FormatException">It is no join URL.</exception>
    /// <exception cref="SessionClientException">There is no such room for one (404), the server is another than the URL says, or it can't be reached.</exception>
    public async Task<CommunityRoom> JoinCommunityAsync(string url, CommunityRoute route = CommunityRoute.Onion, CancellationToken cancellationToken = default)
    {
        if (!CommunityUrl.TryParse(url, out var address))
            throw new FormatException("A join URL is http(s)://host[:port]/room?public_key= and 64 hex digits.");
        var server = GetCommunityServer(new(address.Base), address.Server, route);
        _ = await server.GetCapabilitiesAsync(cancellationToken).ConfigureAwait(false);
        return await server.JoinAsync(address.Token, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>One's account at a community server, without joining a room: to see which rooms there are.</summary>
    /// <param name="url">The server's root.</param>
    /// <param name="key">The server's X25519 key.</param>
    /// <param name="route">How requests get there.</param>
    public CommunityServer GetCommunityServer(Uri url, X25519PublicKey key, CommunityRoute route = CommunityRoute.Onion) =>
        _communities.GetOrAdd((key, route), _ => new(this, url, key, route));

    /// <summary>The Session ID behind a name, or the Session ID itself: three nodes are asked through onion paths and must agree.</summary>
    /// <param name="nameOrId">A name, in any case, or 66 hex digits beginning with 05.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="SessionClientException">
    /// It is neither, nobody has the name (status 404), a node refused, the nodes disagree, or the record can't be decrypted.
    /// </exception>
    public async Task<AccountId> ResolveAsync(string nameOrId, CancellationToken cancellationToken = default)
    {
        if (AccountId.TryParse(nameOrId, out var id) && id.Prefix == AccountId.SessionPrefix)
            return id;
        return await new NameResolver(Network).ResolveAsync(nameOrId, cancellationToken).ConfigureAwait(false)
            ?? throw new SessionClientException($"Nobody has the name '{nameOrId}'.", 404);
    }

    /// <summary>Sends a text to whoever has a name.</summary>
    /// <param name="nameOrId">A name, in any case, or a Session ID.</param>
    /// <param name="text">1..2000 characters.</param>
    /// <param name="cancellationToken">Ends the wait. The message may be stored all the same.</param>
    /// <exception cref="SessionClientException">As for <see cref="ResolveAsync"/>, or no member of the recipient's swarm confirmed the message.</exception>
    public async Task<SentMessage> SendTextAsync(string nameOrId, string text, CancellationToken cancellationToken = default) =>
        await SendTextAsync(await ResolveAsync(nameOrId, cancellationToken).ConfigureAwait(false), text, cancellationToken).ConfigureAwait(false);

    internal void TellPollFailed(SessionClientException exception) => _options.PollFailed?.Invoke(exception);
}
