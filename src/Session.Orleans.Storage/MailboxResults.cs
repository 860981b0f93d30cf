namespace Session.Orleans.Storage;

/// <summary>
/// The mailbox's version around one call. A version changes with every change that another writer must know of; 0 is a mailbox that has
/// never been written or has wholly expired.
/// <para>
/// A writer that keeps the index in memory compares <see cref="Before"/> with the version it knows. Equal: nobody else wrote, and
/// <see cref="After"/> is the version to know from now on. Different: somebody else wrote (or everything expired); the call itself took
/// effect all the same, and the index must be loaded again.
/// </para>
/// </summary>
/// <param name="Before">Version the call found, or <see cref="Interrupted"/>.</param>
/// <param name="After">Version the call left; the same as <paramref name="Before"/> if it changed nothing.</param>
public readonly record struct VersionStep(long Before, long After)
{
    /// <summary>Stands for <see cref="Before"/> when a call in several batches had another writer's change between them.</summary>
    public const long Interrupted = -1;
}

/// <summary>Outcome of an append. Both outcomes are a success.</summary>
/// <param name="AlreadyStored">The hash was there before; its sequence, timestamp and payload have stayed.</param>
/// <param name="Sequence">The message's sequence, new or old.</param>
/// <param name="Timestamp">The timestamp in force, Unix milliseconds: the first store's.</param>
/// <param name="Expiry">The expiry in force, Unix milliseconds: the later of the old and the new one.</param>
/// <param name="Version">The mailbox's version around the call.</param>
public readonly record struct AppendResult(bool AlreadyStored, long Sequence, long Timestamp, long Expiry, VersionStep Version);

/// <summary>Outcome of a removal or a change of expiries.</summary>
/// <param name="Found">One flag per hash asked for, in the same order: whether a live message of that hash was there.</param>
/// <param name="Version">The mailbox's version around the call.</param>
public readonly record struct ChangeResult(IReadOnlyList<bool> Found, VersionStep Version);

/// <summary>Outcome of a change to the revocations.</summary>
/// <param name="Count">Entries really added, refreshed or removed.</param>
/// <param name="Version">The mailbox's version around the call.</param>
public readonly record struct RevocationResult(int Count, VersionStep Version);

/// <summary>The index of a mailbox at one version.</summary>
/// <param name="Version">
/// The version the index stands for: no sequence in it is larger, and every change made later has a larger one.
/// </param>
/// <param name="Messages">All live messages of all namespaces, in ascending sequence.</param>
/// <param name="Revoked">The revoked subaccount tokens, oldest first, at most <see cref="IMailboxStore.MaxRevocations"/>.</param>
public sealed record MailboxSnapshot(long Version, IReadOnlyList<MessageEntry> Messages, IReadOnlyList<RevokedToken> Revoked);
