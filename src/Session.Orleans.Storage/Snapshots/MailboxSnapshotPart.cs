using System.Runtime.CompilerServices;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Storage.Snapshots;

/// <summary>All mailboxes with their live messages and revocations.</summary>
/// <param name="store">The mailboxes.</param>
/// <param name="census">Which there are.</param>
/// <param name="time">Decides what has expired since a snapshot was made.</param>
public sealed class MailboxSnapshotPart(RedisMailboxStore store, MailboxCensus census, TimeProvider time) : ISnapshotPart
{
    // What is read or written at once.
    private const int BatchMessages = 256;
    private const int BatchBytes = 4 << 20;

    /// <summary>How mailboxes stand in a snapshot; its figures are <c>mailboxes</c> and <c>messages</c>.</summary>
    public static SnapshotPartFormat RecordFormat { get; } = new(2, "mailboxes", CheckAsync);

    /// <inheritdoc/>
    public SnapshotPartFormat Format => RecordFormat;

    /// <inheritdoc/>
    /// <remarks>Each mailbox is saved as it is at one moment; of what is stored meanwhile, some is in it and some is not.</remarks>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> SaveAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var seen = new HashSet<AccountId>();
        await foreach (var account in census.ListAsync(cancellationToken).ConfigureAwait(false))
        {
            if (!seen.Add(account))
                continue;
            var mailbox = await store.LoadAsync(account, cancellationToken).ConfigureAwait(false);
            if (mailbox.Messages.Count + mailbox.Revoked.Count == 0)
                continue;
            yield return MailboxRecords.Write(account, mailbox);
            foreach (var batch in Batches(mailbox.Messages))
            {
                var payloads = await store.ReadAsync(account, batch.Select(static message => message.Hash).ToArray(), cancellationToken).ConfigureAwait(false);
                for (var i = 0; i < batch.Count; i++)
                {
                    // One without a payload was deleted or has expired since the index was read.
                    if (payloads[i] is { } data)
                        yield return MailboxRecords.Write(batch[i], data.Span);
                }
            }
        }
    }

    /// <inheritdoc/>
    public Task RequireFitAsync(IAsyncEnumerable<ReadOnlyMemory<byte>> records, CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public async Task RestoreAsync(IAsyncEnumerable<ReadOnlyMemory<byte>> records, CancellationToken cancellationToken)
    {
        var restored = new HashSet<AccountId>();
        var batch = new List<(MessageEntry, ReadOnlyMemory<byte>)>();
        var (account, version, bytes) = (default(AccountId), 0L, 0);
        await foreach (var record in records.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            if (MailboxRecords.IsMailbox(record.Span))
            {
                await WriteAsync().ConfigureAwait(false);
                (account, version, var revoked) = MailboxRecords.ReadMailbox(record.Span);
                restored.Add(account);
                await store.ClearAsync(account, revoked, cancellationToken).ConfigureAwait(false);
                if (!revoked.IsEmpty)
                    await store.RestoreAsync(account, version, [], cancellationToken).ConfigureAwait(false);
                continue;
            }

            var (message, dataAt) = MailboxRecords.ReadMessage(record.Span);
            if (MessageLifetime.IsSwept(message.Expiry, time.GetUtcNow().ToUnixTimeMilliseconds()))
                continue;
            batch.Add((message, record[dataAt..].ToArray()));
            bytes += message.Size;
            if (batch.Count >= BatchMessages || bytes >= BatchBytes)
                await WriteAsync().ConfigureAwait(false);
        }

        await WriteAsync().ConfigureAwait(false);
        await foreach (var other in census.ListAsync(cancellationToken).ConfigureAwait(false))
        {
            if (!restored.Contains(other))
                await store.ClearAsync(other, [], cancellationToken).ConfigureAwait(false);
        }

        async ValueTask WriteAsync()
        {
            if (batch.Count > 0)
                await store.RestoreAsync(account, version, batch, cancellationToken).ConfigureAwait(false);
            batch.Clear();
            bytes = 0;
        }
    }

    private static async Task<IReadOnlyDictionary<string, long>> CheckAsync(IAsyncEnumerable<ReadOnlyMemory<byte>> records)
    {
        var (mailboxes, messages) = (0L, 0L);
        await foreach (var record in records.ConfigureAwait(false))
        {
            if (MailboxRecords.IsMailbox(record.Span))
            {
                _ = MailboxRecords.ReadMailbox(record.Span);
                mailboxes++;
            }
            else
            {
                _ = MailboxRecords.ReadMessage(record.Span);
                messages += mailboxes > 0 ? 1 : throw new SnapshotException("The snapshot holds a message without a mailbox.");
            }
        }

        return new Dictionary<string, long> { ["mailboxes"] = mailboxes, ["messages"] = messages };
    }

    private static IEnumerable<IReadOnlyList<MessageEntry>> Batches(IReadOnlyList<MessageEntry> messages)
    {
        var batch = new List<MessageEntry>();
        var bytes = 0;
        foreach (var message in messages)
        {
            batch.Add(message);
            bytes += message.Size;
            if (batch.Count < BatchMessages && bytes < BatchBytes)
                continue;
            yield return batch;
            batch = [];
            bytes = 0;
        }

        if (batch.Count > 0)
            yield return batch;
    }
}
