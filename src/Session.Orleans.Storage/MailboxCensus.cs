using System.Runtime.CompilerServices;
using System.Text;
using Session.Orleans.Protocol.Identity;
using StackExchange.Redis;

namespace Session.Orleans.Storage;

/// <summary>Counts what all mailboxes together hold, for people and dashboards. Walks the whole store: never part of a request.</summary>
public sealed class MailboxCensus
{
    private const int PageSize = 5000;

    private readonly IConnectionMultiplexer _connection;
    private readonly MailboxStoreOptions _options;

    /// <summary>Over a shared connection, which it does not own.</summary>
    public MailboxCensus(IConnectionMultiplexer connection, MailboxStoreOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(connection);
        _connection = connection;
        _options = options ?? new();
    }

    /// <summary>
    /// Counts mailboxes and live messages. Changes made meanwhile may or may not be counted; a message counts up to half a minute longer than
    /// it can be read.
    /// </summary>
    /// <exception cref="MailboxStoreException">The store did not answer.</exception>
    public async Task<MailboxCount> CountAsync(CancellationToken cancellationToken = default)
    {
        var (mailboxes, messages) = (0L, 0L);
        await foreach (var key in KeysAsync("count", cancellationToken).ConfigureAwait(false))
        {
            switch (MailboxKeys.KindOf(key))
            {
                case MailboxKeyKind.Index:
                    mailboxes++;
                    break;
                case MailboxKeyKind.Payload:
                    messages++;
                    break;
            }
        }

        return new(mailboxes, messages);
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
        foreach (var server in _connection.GetServers())
        {
            if (server.IsReplica)
                continue;
            await using var keys = server.KeysAsync(_options.Database, _options.KeyPrefix + "{*", PageSize).GetAsyncEnumerator(cancellationToken);
            while (true)
            {
                try
                {
                    if (!await keys.MoveNextAsync().ConfigureAwait(false))
                        break;
                }
                catch (Exception exception) when (exception is RedisException or RedisTimeoutException)
                {
                    throw new MailboxStoreException($"{operation}: the store did not answer: {exception.Message}");
                }

                yield return keys.Current;
            }
        }
    }
}

/// <summary>Size of all mailboxes together.</summary>
/// <param name="Mailboxes">Accounts with an index in the store.</param>
/// <param name="Messages">Stored messages that have not expired.</param>
public readonly record struct MailboxCount(long Mailboxes, long Messages);
