using Session.Orleans.Protocol.Identity;
using StackExchange.Redis;

namespace Session.Orleans.Storage;

/// <content>Mailboxes out of a snapshot.</content>
public sealed partial class RedisMailboxStore
{
    /// <summary>
    /// Empties a mailbox and gives it these revocations. Its messages follow by <see cref="RestoreAsync"/>. Writers that keep its index in
    /// memory must be told by other means.
    /// </summary>
    /// <param name="account">The mailbox's account.</param>
    /// <param name="revoked">The revocations it shall have, each with its time.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async ValueTask ClearAsync(AccountId account, IReadOnlyList<RevokedToken> revoked, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(revoked);
        var (_, messages, old) = await LoadAsync(account, cancellationToken).ConfigureAwait(false);
        if (messages.Count > 0)
            await RemoveAsync(account, messages.Select(static message => message.Hash).ToArray(), cancellationToken).ConfigureAwait(false);
        if (old.Count + revoked.Count == 0)
            return;
        using var call = Start(StorageTelemetry.Revoke, "EVALSHA");
        try
        {
            await Scripts.RestoreRevocations.RunAsync(
                _database, [new MailboxKeys(_prefix, account).Revoked],
                [.. revoked.SelectMany(static token => new RedisValue[] { TimeToScore(token.InsertedAt), token.Token })])
                .WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (Failure(e, "restore revocations", account, call) is { } failure)
        {
            throw failure;
        }
    }

    /// <summary>
    /// Puts messages into a mailbox with the sequences they had, beside what is there, in one atomic step.
    /// </summary>
    /// <param name="account">The mailbox's account.</param>
    /// <param name="version">The version that the mailbox had: the new one is larger.</param>
    /// <param name="messages">Live messages and their payloads; the caller bounds their number and size.</param>
    /// <param name="cancellationToken">Ends the wait; they may be there all the same.</param>
    public async ValueTask RestoreAsync(
        AccountId account, long version, IReadOnlyList<(MessageEntry Message, ReadOnlyMemory<byte> Data)> messages, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        using var call = Start(StorageTelemetry.Append, "EVALSHA", messages.Count);
        try
        {
            var now = Now;
            var keys = new MailboxKeys(_prefix, account);
            List<RedisValue> values =
            [
                // Above what any activation remembers, as every mailbox that begins anew.
                Math.Max(version + 1, FirstVersion(now)),
                messages.Count == 0 ? RevocationVersionLife : messages.Max(each => TimeToLive(each.Message.Expiry, now)),
            ];
            foreach (var (message, data) in messages)
                values.AddRange([message.Hash.AsSpan().ToArray(), IndexEntry.Pack(message), TimeToLive(message.Expiry, now), data]);
            await Scripts.Restore.RunAsync(
                _database, keys.IndexAndPayloads(messages.Select(static each => each.Message.Hash).ToArray()), [.. values])
                .WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (Failure(e, "restore", account, call) is { } failure)
        {
            throw failure;
        }
    }
}
