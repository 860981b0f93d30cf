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
        try
        {
            foreach (var server in _connection.GetServers())
            {
                if (server.IsReplica)
                    continue;
                await foreach (var key in server.KeysAsync(_options.Database, _options.KeyPrefix + "{*", PageSize)
                    .WithCancellation(cancellationToken).ConfigureAwait(false))
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
            }
        }
        catch (Exception exception) when (exception is RedisException or RedisTimeoutException)
        {
            throw new MailboxStoreException("count: the store did not answer: " + exception.Message);
        }

        return new(mailboxes, messages);
    }
}

/// <summary>Size of all mailboxes together.</summary>
/// <param name="Mailboxes">Accounts with an index in the store.</param>
/// <param name="Messages">Stored messages that have not expired.</param>
public readonly record struct MailboxCount(long Mailboxes, long Messages);
