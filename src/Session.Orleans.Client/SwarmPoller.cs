using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Client;

/// <summary>A stored message as a poll finds it.</summary>
/// <param name="Namespace">Where it is.</param>
/// <param name="Hash">Its hash, 43 characters.</param>
/// <param name="StoredMs">The time given when it was stored, unix ms.</param>
/// <param name="ExpiresMs">When it expires, unix ms.</param>
/// <param name="Data">The data.</param>
public sealed record StoredEntry(short Namespace, string Hash, long StoredMs, long ExpiresMs, ReadOnlyMemory<byte> Data);

/// <summary>What a round of polling found.</summary>
/// <param name="Entries">New messages in the order of the namespaces, each once.</param>
/// <param name="Unauthorized">Namespaces that were refused (401): a removed member of a group sees that.</param>
public sealed record PollResult(ImmutableArray<StoredEntry> Entries, ImmutableHashSet<short> Unauthorized);

/// <summary>
/// Polls an account's swarm (messages.md, 10): two members at once, because one may lack what the other has. Every member has its own order,
/// so where to go on is kept per member and namespace. Not for concurrent use.
/// </summary>
/// <param name="network">Carries the requests.</param>
/// <param name="account">Whose swarm.</param>
/// <param name="sign">Signs a request.</param>
/// <param name="namespaces">What is polled, in this order.</param>
/// <param name="important">The namespace that gets half of a reply; the others share the rest.</param>
public sealed class SwarmPoller(SessionNetwork network, AccountId account, Func<AccountRequest, AccountRequest> sign, ImmutableArray<short> namespaces, short important)
{
    private const int Members = 2;
    private const int ImportantSize = -2;
    private const int OtherSize = -8;
    private const int PruneAbove = 256;

    private readonly Dictionary<(Ed25519PublicKey Node, short Namespace), (MessageHash Hash, long ExpiresMs)> _last = [];
    private readonly Dictionary<MessageHash, long> _seen = [];

    /// <summary>Hashes that need not be looked at again: one's own messages.</summary>
    public void MarkSeen(string hash, long expiresMs)
    {
        if (MessageHash.TryParse(Encoding.ASCII.GetBytes(hash), out var parsed))
            _seen[parsed] = expiresMs;
    }

    /// <summary>One round.</summary>
    /// <param name="keepAlive">Hashes whose life is prolonged to 30 days: config messages in use.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="SessionClientException">No member answered.</exception>
    public async Task<PollResult> PollAsync(IReadOnlyCollection<string>? keepAlive = null, CancellationToken cancellationToken = default)
    {
        Prune();
        var swarm = (await network.GetSwarmAsync(account, cancellationToken).ConfigureAwait(false)).ToArray();
        RandomNumberGenerator.Shuffle<SnodeAddress>(swarm);
        var polls = swarm.Take(Members).Select(node => PollMemberAsync(node, keepAlive ?? [], cancellationToken)).ToArray();
        var answers = new List<SwarmAnswer>();
        SessionClientException? failure = null;
        foreach (var poll in polls)
        {
            try
            {
                answers.Add(await poll.ConfigureAwait(false));
            }
            catch (SessionClientException exception)
            {
                failure = exception;
            }
        }

        return answers.Count > 0 ? Merge(answers) : throw failure ?? new SessionClientException("The account's swarm has no members.");
    }

    private Task<SwarmAnswer> PollMemberAsync(SnodeAddress node, IReadOnlyCollection<string> keepAlive, CancellationToken cancellationToken) =>
        network.SendAsync(account, (now, member) => CreateRequests(now, member, keepAlive), inOrder: false, node, cancellationToken: cancellationToken);

    private List<StorageRequest> CreateRequests(long now, SnodeAddress member, IReadOnlyCollection<string> keepAlive)
    {
        var requests = new List<StorageRequest>(namespaces.Length + 1);
        lock (_last)
        {
            foreach (var space in namespaces)
            {
                requests.Add(sign(new RetrieveRequest
                {
                    Account = account,
                    Namespace = space,
                    LastHash = _last.TryGetValue((member.Ed25519, space), out var last) ? last.Hash : null,
                    MaxSize = space == important ? ImportantSize : OtherSize,
                    Timestamp = now,
                }));
            }
        }

        if (keepAlive.Count > 0)
        {
            requests.Add(sign(new ExpireRequest
            {
                Account = account,
                Messages = [.. keepAlive.Select(hash => new MessageHashText(Encoding.ASCII.GetBytes(hash)))],
                Expiries = [now + StorageLimits.MaxTtlMs],
            }));
        }

        return requests;
    }

    private PollResult Merge(List<SwarmAnswer> answers)
    {
        var entries = new List<StoredEntry>();
        var unauthorized = ImmutableHashSet.CreateBuilder<short>();
        foreach (var answer in answers)
        {
            for (var i = 0; i < namespaces.Length; i++)
            {
                var result = answer.Results[i];
                if (result.Status == 401)
                    unauthorized.Add(namespaces[i]);
                if (result.Status == 200 && result.Body.TryList("messages", out var messages))
                    Read(answer.Node, namespaces[i], messages, entries);
            }
        }

        var order = namespaces.Index().ToDictionary(item => item.Item, item => item.Index);
        return new([.. entries.OrderBy(entry => order[entry.Namespace])], unauthorized.ToImmutable());
    }

    private void Read(SnodeAddress node, short space, System.Text.Json.JsonElement messages, List<StoredEntry> entries)
    {
        foreach (var message in messages.EnumerateArray())
        {
            if (!message.TryText("hash", out var text) || !MessageHash.TryParse(Encoding.ASCII.GetBytes(text), out var hash)
                || !message.TryNumber("expiration", out var expires) || !message.TryNumber("timestamp", out var stored))
                continue;
            lock (_last)
                _last[(node.Ed25519, space)] = (hash, expires);
            // Whatever comes of it: a broken message is tried once.
            if (!_seen.TryAdd(hash, expires))
                continue;
            var data = message.TryText("data", out var base64) ? Decode(base64) : null;
            if (data is not null)
                entries.Add(new(space, text, stored, expires, data));
        }
    }

    private static byte[]? Decode(string base64)
    {
        var data = new byte[base64.Length / 4 * 3 + 3];
        return Convert.TryFromBase64String(base64, data, out var written) ? data[..written] : null;
    }

    // What has expired is gone from the swarm as well.
    private void Prune()
    {
        if (_seen.Count + _last.Count < PruneAbove)
            return;
        var now = network.Clock.NowMs;
        foreach (var (hash, _) in _seen.Where(item => item.Value < now).ToArray())
            _ = _seen.Remove(hash);
        lock (_last)
        {
            foreach (var (key, _) in _last.Where(item => item.Value.ExpiresMs < now).ToArray())
                _ = _last.Remove(key);
        }
    }
}
