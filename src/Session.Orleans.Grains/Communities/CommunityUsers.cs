using Microsoft.Extensions.Options;
using Session.Orleans.Contracts.Communities;
using Session.Orleans.Grains.Network;
using Session.Orleans.Protocol.Communities;
using Session.Orleans.Storage.Communities;

namespace Session.Orleans.Grains.Communities;

/// <summary>
/// Authenticates requests (communities.md, 3). One round trip to the store uses up the nonce and tells what the user is to the server; so a ban
/// holds everywhere at once, and no silo keeps a copy that could be old.
/// </summary>
public sealed class CommunityUsers(
    ICommunityStore store, CommunityKeys keys, IGrainFactory grains, IOptions<CommunityOptions> options, IOptions<NetworkOptions> network, TimeProvider time)
{
    /// <summary>
    /// Finds out who sent a request.
    /// </summary>
    /// <param name="header">Gives a header's value; null or empty if it is missing.</param>
    /// <param name="method">HTTP method in upper case.</param>
    /// <param name="path">The path, percent-decoded.</param>
    /// <param name="query">What follows the first <c>?</c>, as it was sent.</param>
    /// <param name="body">The body's bytes.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The caller, anonymous without the headers; or why the request is refused.</returns>
    public async ValueTask<(CommunityCaller Caller, CommunityAuthenticationError? Error)> AuthenticateAsync(
        Func<string, string?> header, string method, string path, string query, ReadOnlyMemory<byte> body, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow().ToUnixTimeSeconds();
        if (CommunityCredentials.Read(header, options.Value.IdRules, now, out var credentials) is { } malformed)
            return (CommunityCaller.Anonymous, malformed);
        if (credentials is null)
            return (CommunityCaller.Anonymous, null);
        // Before the nonce is used up: nobody can use up or register anything in the name of another.
        if (!credentials.IsSignatureOf(keys.PublicKey, method, path, query, body.Span))
            return (CommunityCaller.Anonymous, CommunityAuthenticationError.BadSignature);

        var id = credentials.Id.ToString();
        var absolute = Blinding.Absolute(credentials.Id).ToString();
        var admission = await store.AdmitAsync(
            CommunityScope.Server, credentials.Nonce, options.Value.NonceLifetime, id, now, CommunityGrain.SeenIndex,
            [(CommunityGrain.BlindingTable, absolute), (CommunityGrain.ModeratorTable, id), (CommunityGrain.BanTable, id)], cancellationToken);
        var (rank, ban) = (admission.Values[1], admission.Values[2]);
        if (admission.Values[0] is not null && Blinding.IsBlinded(credentials.Id))
        {
            // Seen for the first time after something was done to the Session ID behind it.
            var server = grains.GetGrain<ICommunityGrain>(network.Value.Name);
            await server.AdoptAsync(id);
            var moved = await Task.WhenAll(
                store.GetAsync(CommunityScope.Server, CommunityGrain.ModeratorTable, [id], cancellationToken).AsTask(),
                store.GetAsync(CommunityScope.Server, CommunityGrain.BanTable, [id], cancellationToken).AsTask());
            (rank, ban) = (moved[0][0], moved[1][0]);
        }

        if (ban is { } packed && Records.Unpack(packed, CommunityJson.Default.BanRecord) is { Until: var until } && (until is null || until > now))
            return (CommunityCaller.Anonymous, CommunityAuthenticationError.Banned);
        if (!admission.IsNonceFresh)
            return (CommunityCaller.Anonymous, CommunityAuthenticationError.NonceReused);
        var member = rank is { } known ? Records.Unpack(known, CommunityJson.Default.MemberRecord) : MemberRecord.None;
        return (new(id, member.Moderator || member.Admin, member.Admin), null);
    }

    /// <summary>The operator, who may do everything.</summary>
    public CommunityCaller System => CommunityCaller.System(keys.PublicKey.ToString());
}
