using System.Runtime.CompilerServices;
using System.Text;
using Session.Orleans.Protocol.Identity;
using StackExchange.Redis;

namespace Session.Orleans.Storage;

/// <summary>Counts what all mailboxes together hold, for people and dashboards. Walks the whole store: never part of a request.</summary>
public sealed class MailboxCensus
{
    private readonly IConnectionMultiplexer _connection;
    private readonly MailboxStoreOptions _options;
    private readonly KeyWalk _walk;

    /// <summary>Over a shared connection, which it does not own.</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="options">Database and key prefix of the mailboxes.</param>
    /// <param name="walk">How to go through the keys; null: over the shared connection.</param>
    public MailboxCensus(IConnectionMultiplexer connection, MailboxStoreOptions? options = null, KeyWalk? walk = null)
    {
        ArgumentNullException.ThrowIfNull(connection);
        _connection = connection;
        _options = options ?? new();
        _walk = walk ?? new(connection);
    }

    /// <summary>
    /// Counts mailboxes and live messages. Changes made meanwhile may or may not be counted; a message counts up to half a minute longer than
    /// it can be read.
    /// </summary>
    /// <exception cref="MailboxStoreException">The store did not answer.</exception>
    public async Task<MailboxCount> CountAsync(CancellationToken cancellationToken = default)
    {
        var count = new MailboxCount();
        await foreach (var key in KeysAsync("count", cancellationToken).ConfigureAwait(false))
            count = count.Plus(MailboxKeys.KindOf(key));
        return count;
    }

    /// <summary>The same, divided: each mailbox counts in the group that <paramref name="groupOf"/> puts its account in.</summary>
    /// <exception cref="MailboxStoreException">The store did not answer.</exception>
    public async Task<IReadOnlyDictionary<TGroup, MailboxCount>> CountByAsync<TGroup>(
        Func<AccountId, TGroup> groupOf, CancellationToken cancellationToken = default)
        where TGroup : notnull
    {
        ArgumentNullException.ThrowIfNull(groupOf);
        var groups = new Dictionary<TGroup, MailboxCount>();
        await foreach (var key in KeysAsync("count", cancellationToken).ConfigureAwait(false))
        {
            var kind = MailboxKeys.KindOf(key);
            if (kind is not (MailboxKeyKind.Index or MailboxKeyKind.Payload) || MailboxKeys.AccountOf(key) is not { } account)
                continue;
            var group = groupOf(account);
            groups[group] = groups.GetValueOrDefault(group).Plus(kind);
        }

        return groups;
    }

    /// <summary>
    /// All accounts with messages or revocations. One whose mailbox comes or goes meanwhile may be left out, and one may come twice.
    /// </summary>
    /// <exception cref="MailboxStoreException">The store did not answer.</exception>
    public async IAsyncEnumerable<AccountId> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var database = _connection.GetDatabase(_options.Database);
        await foreach (var key in KeysAsync("list", cancellationToken).ConfigureAwait(false))
        {
            if (MailboxKeys.KindOf(key) is not (MailboxKeyKind.Index or MailboxKeyKind.Revoked) || MailboxKeys.AccountOf(key) is not { } account)
                continue;
            // Revocations outlive the index of an empty mailbox; with an index they are listed by that.
            if (MailboxKeys.KindOf(key) is MailboxKeyKind.Revoked
                && await database.KeyExistsAsync(new MailboxKeys(Encoding.UTF8.GetBytes(_options.KeyPrefix), account).Index)
                    .WaitAsync(cancellationToken).ConfigureAwait(false))
            {
                continue;
            }

            yield return account;
        }
    }

    private async IAsyncEnumerable<RedisKey> KeysAsync(string operation, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var keys = _walk.KeysAsync(_options.Database, _options.KeyPrefix + "{*", cancellationToken)
            .GetAsyncEnumerator(cancellationToken);
        while (true)
        {
            try
            {
                if (!await keys.MoveNextAsync().ConfigureAwait(false))
                    break;
            }
            catch (Exception exception) when (exception is RedisException or TimeoutException)
            {
                throw new MailboxStoreException($"{operation}: the store did not answer: {exception.Message}");
            }

            yield return keys.Current;
        }
    }
}

/// <summary>Size of all mailboxes together.</summary>
/// <param name="Mailboxes">Accounts with an index in the store.</param>
/// <param name="Messages">Stored messages that have not expired.</param>
public readonly record struct MailboxCount(long Mailboxes, long Messages)
{
    /// <summary>With another key that was found in the store.</summary>
    internal MailboxCount Plus(MailboxKeyKind kind) => kind switch
    {
        MailboxKeyKind.Index => this with { Mailboxes = Mailboxes + 1 },
        MailboxKeyKind.Payload => this with { Messages = Messages + 1 },
        _ => this,
    };
}
