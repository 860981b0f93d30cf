using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Storage;

/// <summary>
/// The durable log of mailboxes. A mailbox is all messages of one account over all namespaces, plus its revoked subaccount tokens.
/// <para>
/// A mailbox normally has one writer, which keeps the index in memory. The store does not rely on it: each call is atomic, sequence
/// numbers and duplicates are decided in the store, so several writers lose and reorder nothing, and each of them notices the others by
/// <see cref="VersionStep"/>. Every call returns only when the store has confirmed it, at the durability it is configured for.
/// </para>
/// <para>
/// All calls are idempotent and may be repeated after a failure. All throw <see cref="MailboxStoreException"/> when the store does not
/// confirm, and <see cref="OperationCanceledException"/> when cancelled; a change may have taken effect in both cases.
/// </para>
/// </summary>
public interface IMailboxStore
{
    /// <summary>Revocations kept per account unless configured otherwise; the oldest drop out (storage-rpc.md, 3.3).</summary>
    const int MaxRevocations = 50;

    /// <summary>Length of a subaccount token in bytes.</summary>
    const int TokenLength = 36;

    /// <summary>
    /// The index of all live messages and the revocations. Never reads payloads; one round trip for a thousand messages, then for twice
    /// as many each time, up to sixteen thousand. Takes expired entries out of the stored index on its way.
    /// </summary>
    /// <param name="account">The mailbox's account. One that was never stored to has an empty mailbox of version 0.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask<MailboxSnapshot> LoadAsync(AccountId account, CancellationToken cancellationToken = default);

    /// <summary>The mailbox's current version: tells in one cheap call whether somebody else has written.</summary>
    /// <param name="account">The mailbox's account.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask<long> GetVersionAsync(AccountId account, CancellationToken cancellationToken = default);

    /// <summary>
    /// Stores a message, in one atomic step whose cost does not depend on the mailbox's size. If a live message has the hash, only its
    /// expiry moves, to the later one.
    /// </summary>
    /// <param name="account">The mailbox's account.</param>
    /// <param name="message">What the index shall know of the message.</param>
    /// <param name="data">The payload, possibly empty. Must not change before the call has ended.</param>
    /// <param name="replaces">
    /// Messages to remove in the same step, whether the message is new or not (a public outbox keeps one); the message's own hash is
    /// passed over.
    /// </param>
    /// <param name="cancellationToken">Ends the wait; the message may be stored all the same.</param>
    ValueTask<AppendResult> AppendAsync(
        AccountId account, NewMessage message, ReadOnlyMemory<byte> data,
        ReadOnlyMemory<MessageHash> replaces = default, CancellationToken cancellationToken = default);

    /// <summary>The payloads of messages, in one round trip.</summary>
    /// <param name="account">The mailbox's account.</param>
    /// <param name="hashes">The messages; the caller bounds their number and size.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>One payload per hash, in the same order; null where there is none (any more).</returns>
    ValueTask<IReadOnlyList<ReadOnlyMemory<byte>?>> ReadAsync(
        AccountId account, ReadOnlyMemory<MessageHash> hashes, CancellationToken cancellationToken = default);

    /// <summary>Removes messages, in one atomic step and round trip per thousand.</summary>
    /// <param name="account">The mailbox's account.</param>
    /// <param name="hashes">The messages, without repetitions.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask<ChangeResult> RemoveAsync(
        AccountId account, ReadOnlyMemory<MessageHash> hashes, CancellationToken cancellationToken = default);

    /// <summary>
    /// Takes those messages out of the index that the latest sweep has ended (<see cref="MessageLifetime"/>), and leaves the others:
    /// unlike <see cref="RemoveAsync"/> it cannot remove a message that another writer has given a longer life meanwhile.
    /// Does not change the version, since nobody can see what it removes.
    /// </summary>
    /// <param name="account">The mailbox's account.</param>
    /// <param name="hashes">Messages the caller believes to be expired.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>How many were removed. Fewer than asked for is no error; a writer that sees it may load the index again.</returns>
    ValueTask<int> PruneAsync(AccountId account, ReadOnlyMemory<MessageHash> hashes, CancellationToken cancellationToken = default);

    /// <summary>
    /// Gives messages new expiries, earlier or later ones as asked, in one atomic step and round trip per thousand. Messages that are
    /// not there are passed over.
    /// </summary>
    /// <param name="account">The mailbox's account.</param>
    /// <param name="changes">The messages, without repetitions, and their new expiries.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask<ChangeResult> SetExpiriesAsync(
        AccountId account, ReadOnlyMemory<ExpiryChange> changes, CancellationToken cancellationToken = default);

    /// <summary>
    /// Revokes subaccount tokens. One that is revoked already counts as inserted anew. Only the <see cref="MaxRevocations"/> most
    /// recently inserted survive; those of one call count as inserted in the order given. Revocations do not expire.
    /// </summary>
    /// <param name="account">The mailbox's account.</param>
    /// <param name="tokens">Tokens of 36 bytes each.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ArgumentException">A token of another length.</exception>
    ValueTask<RevocationResult> RevokeAsync(
        AccountId account, IReadOnlyList<ReadOnlyMemory<byte>> tokens, CancellationToken cancellationToken = default);

    /// <summary>Removes revocations; <see cref="RevocationResult.Count"/> says how many there were.</summary>
    /// <param name="account">The mailbox's account.</param>
    /// <param name="tokens">Tokens of 36 bytes each.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ArgumentException">A token of another length.</exception>
    ValueTask<RevocationResult> UnrevokeAsync(
        AccountId account, IReadOnlyList<ReadOnlyMemory<byte>> tokens, CancellationToken cancellationToken = default);
}
