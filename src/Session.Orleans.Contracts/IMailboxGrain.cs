using System.Collections.Immutable;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Contracts;

/// <summary>
/// All messages of one account over all namespaces. The single writer of the account: what it acknowledges is in the store. Callers have
/// checked swarm, times and signatures; the mailbox checks what only it knows, revocations. The key is the account, 66 lower-case hex
/// digits.
/// </summary>
[Alias("session.IMailboxGrain")]
public interface IMailboxGrain : IGrainWithStringKey
{
    /// <summary>Stores one message. Storing the same bytes again keeps the first copy's place, so a retry is safe.</summary>
    [Alias("Store"), ResponseTimeout("00:00:05")]
    ValueTask<StoreReceipt> StoreAsync(MessageToStore message, CancellationToken cancellationToken = default);

    /// <summary>
    /// Returns stored messages of one namespace in the order in which they were stored. Answers from memory when there is nothing new.
    /// </summary>
    /// <remarks>Interleaves: it reads a consistent picture of the index before its only await, and a store changes the index only once it is durable.</remarks>
    [Alias("Retrieve"), ResponseTimeout("00:00:05"), AlwaysInterleave]
    ValueTask<MessagePage> RetrieveAsync(PageRequest request, CancellationToken cancellationToken = default);

    /// <summary>Removes messages.</summary>
    /// <returns>The messages that were there.</returns>
    [Alias("Remove"), ResponseTimeout("00:00:05")]
    ValueTask<MailboxChange> RemoveAsync(MessageSelection selection, CancellationToken cancellationToken = default);

    /// <summary>Changes when messages expire (storage-rpc.md, 11).</summary>
    /// <param name="selection">The messages.</param>
    /// <param name="expiries">Unix ms: one for all messages, or one per hash of the selection.</param>
    /// <param name="mode">Which changes to make.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    [Alias("SetExpiries"), ResponseTimeout("00:00:05")]
    ValueTask<MailboxChange> SetExpiriesAsync(
        MessageSelection selection, ImmutableArray<long> expiries, ExpireMode mode, CancellationToken cancellationToken = default);

    /// <summary>Looks messages up.</summary>
    /// <returns>The messages that are there.</returns>
    [Alias("Find"), ResponseTimeout("00:00:05"), AlwaysInterleave]
    ValueTask<MailboxChange> FindAsync(MessageSelection selection, CancellationToken cancellationToken = default);

    /// <summary>Revokes subaccount tokens of 36 bytes; the 50 most recent ones stay revoked (storage-rpc.md, 3.3).</summary>
    [Alias("Revoke"), ResponseTimeout("00:00:05")]
    ValueTask<RevocationReceipt> RevokeAsync(ImmutableArray<ReadOnlyMemory<byte>> tokens, CancellationToken cancellationToken = default);

    /// <summary>Lifts revocations; tokens that are not revoked are passed over.</summary>
    [Alias("Unrevoke"), ResponseTimeout("00:00:05")]
    ValueTask<RevocationReceipt> UnrevokeAsync(ImmutableArray<ReadOnlyMemory<byte>> tokens, CancellationToken cancellationToken = default);

    /// <summary>
    /// Tells <paramref name="observer"/> of every new message from now on, for as long as <see cref="MailboxWatch.Lease"/>; calling again renews.
    /// </summary>
    /// <param name="observer">Who wants to know.</param>
    /// <param name="withData">True if the messages themselves are wanted.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    [Alias("Watch"), ResponseTimeout("00:00:05"), AlwaysInterleave]
    ValueTask WatchAsync(IMailboxObserver observer, bool withData, CancellationToken cancellationToken = default);
}

/// <summary>
/// Is told what happens in the mailboxes it watches. Nobody waits for it and nothing is told twice: news can get lost, and between silos they can
/// overtake each other.
/// </summary>
[Alias("session.IMailboxObserver")]
public interface IMailboxObserver : IGrainObserver
{
    /// <summary>A message was stored that was not there before.</summary>
    [Alias("Stored"), OneWay]
    Task StoredAsync(StoredNews news);

    /// <summary>The mailbox has left its silo and has forgotten who watches it; the next call finds it elsewhere.</summary>
    /// <param name="account">The account, 66 lower-case hex digits.</param>
    [Alias("Left"), OneWay]
    Task LeftAsync(string account);
}

/// <summary>How mailboxes are watched.</summary>
public static class MailboxWatch
{
    /// <summary>How long a mailbox remembers who watches it. It has to be renewed well before, for a mailbox also forgets when it moves.</summary>
    public static readonly TimeSpan Lease = TimeSpan.FromMinutes(3);
}

/// <summary>A new message, for those who watch its mailbox.</summary>
/// <param name="Account">The account, 66 lower-case hex digits.</param>
/// <param name="Hash">The message's hash.</param>
/// <param name="Namespace">Its namespace, -32768..32767.</param>
/// <param name="Timestamp">The sender's time, unix ms.</param>
/// <param name="Expiry">When the message runs out, unix ms.</param>
/// <param name="Data">The message; empty if the watcher did not ask for it.</param>
/// <param name="Missing">Indices of the swarm members that did not get it.</param>
[GenerateSerializer, Immutable, Alias("session.StoredNews")]
public sealed record StoredNews(
    [property: Id(0)] string Account,
    [property: Id(1)] MessageHash Hash,
    [property: Id(2)] short Namespace,
    [property: Id(3)] long Timestamp,
    [property: Id(4)] long Expiry,
    [property: Id(5)] ReadOnlyMemory<byte> Data,
    [property: Id(6)] ImmutableArray<ushort> Missing = default);

/// <summary>Some messages of a mailbox: those with the given hashes, or all that pass a filter.</summary>
/// <param name="Hashes">The messages; default to select by the filter.</param>
/// <param name="Namespace">Filter: only this namespace; null for all.</param>
/// <param name="Before">Filter: only messages with this timestamp or an earlier one, unix ms; null for all.</param>
/// <param name="Subaccount">Token of 36 bytes if a subaccount signed the request; empty otherwise.</param>
/// <param name="Member">For a look-up: the member that was asked; null to see everything.</param>
[GenerateSerializer, Immutable, Alias("session.MessageSelection")]
public sealed record MessageSelection(
    [property: Id(0)] ImmutableArray<MessageHash> Hashes,
    [property: Id(1)] short? Namespace,
    [property: Id(2)] long? Before,
    [property: Id(3)] ReadOnlyMemory<byte> Subaccount,
    [property: Id(4)] MemberSight? Member = null);

/// <summary>What an operation found and did.</summary>
/// <param name="Outcome">How it ended.</param>
/// <param name="Changed">Messages that were removed, changed or found.</param>
/// <param name="Unchanged">Messages that are there and were left as they are.</param>
[GenerateSerializer, Immutable, Alias("session.MailboxChange")]
public sealed record MailboxChange(
    [property: Id(0)] MailboxOutcome Outcome,
    [property: Id(1)] ImmutableArray<MessageInfo> Changed,
    [property: Id(2)] ImmutableArray<MessageInfo> Unchanged)
{
    /// <summary>Nothing was done, and why.</summary>
    public static MailboxChange None(MailboxOutcome outcome) => new(outcome, [], []);
}

/// <summary>A stored message without its data.</summary>
/// <param name="Hash">The message's hash.</param>
/// <param name="Namespace">Its namespace.</param>
/// <param name="Expiry">The expiry now in force, unix ms.</param>
[GenerateSerializer, Immutable, Alias("session.MessageInfo")]
public readonly record struct MessageInfo(
    [property: Id(0)] MessageHash Hash, [property: Id(1)] short Namespace, [property: Id(2)] long Expiry);

/// <summary>What became of revocations.</summary>
/// <param name="Outcome">How it ended.</param>
/// <param name="Count">Entries really added, refreshed or removed.</param>
[GenerateSerializer, Immutable, Alias("session.RevocationReceipt")]
public sealed record RevocationReceipt([property: Id(0)] MailboxOutcome Outcome, [property: Id(1)] int Count);

/// <summary>One message on its way into a mailbox (storage-rpc.md, 8).</summary>
/// <param name="Hash">The message's hash.</param>
/// <param name="Namespace">Namespace, -32768..32767.</param>
/// <param name="Timestamp">The sender's time, unix ms.</param>
/// <param name="Expiry">When the message runs out, unix ms.</param>
/// <param name="Data">The message, at most 76800 bytes.</param>
/// <param name="Subaccount">Token of 36 bytes if a subaccount signed the request; empty otherwise.</param>
/// <param name="Missing">Indices of the swarm members that do not get it; default if all do.</param>
/// <param name="Height">Height of the top block.</param>
[GenerateSerializer, Immutable, Alias("session.MessageToStore")]
public sealed record MessageToStore(
    [property: Id(0)] MessageHash Hash,
    [property: Id(1)] short Namespace,
    [property: Id(2)] long Timestamp,
    [property: Id(3)] long Expiry,
    [property: Id(4)] ReadOnlyMemory<byte> Data,
    [property: Id(5)] ReadOnlyMemory<byte> Subaccount,
    [property: Id(6)] ImmutableArray<ushort> Missing = default,
    [property: Id(7)] long Height = 0);

/// <summary>How an operation of a mailbox ended.</summary>
public enum MailboxOutcome
{
    /// <summary>Done.</summary>
    Done = 0,

    /// <summary>The subaccount that signed the request has been revoked; nothing was done.</summary>
    Revoked = 1,

    /// <summary>The store refused or did not answer: whether anything was written is unknown, and nothing is acknowledged.</summary>
    StoreFailed = 2,
}

/// <summary>What became of a message.</summary>
/// <param name="Outcome">How it ended; the other members are meaningful for <see cref="MailboxOutcome.Done"/>.</param>
/// <param name="AlreadyStored">True if the message was there before.</param>
/// <param name="Expiry">The expiry now in force, unix ms.</param>
[GenerateSerializer, Immutable, Alias("session.StoreReceipt")]
public sealed record StoreReceipt(
    [property: Id(0)] MailboxOutcome Outcome,
    [property: Id(1)] bool AlreadyStored,
    [property: Id(2)] long Expiry);

/// <summary>Which messages to return (storage-rpc.md, 9).</summary>
/// <param name="Namespace">Namespace, -32768..32767.</param>
/// <param name="After">Return messages stored after this one; all if it is null or not in the namespace any more.</param>
/// <param name="MaxCount"><c>max_count</c> as the client gave it.</param>
/// <param name="MaxSize"><c>max_size</c> as the client gave it.</param>
/// <param name="Subaccount">Token of 36 bytes to look up among the revoked ones; empty if there is none or it does not matter.</param>
/// <param name="Member">The member that was asked; null to see everything.</param>
[GenerateSerializer, Immutable, Alias("session.PageRequest")]
public sealed record PageRequest(
    [property: Id(0)] short Namespace,
    [property: Id(1)] MessageHash? After,
    [property: Id(2)] int? MaxCount,
    [property: Id(3)] int? MaxSize,
    [property: Id(4)] ReadOnlyMemory<byte> Subaccount,
    [property: Id(5)] MemberSight? Member = null);

/// <summary>Whose view of the mailbox is asked for: each member of a swarm sees only what reached it.</summary>
/// <param name="Node">Index of the member.</param>
/// <param name="SyncedAt">Height of the last block at which it caught up with its swarm.</param>
/// <param name="StaleSince">It hides messages with a later timestamp, unix ms; null if it hides none.</param>
[GenerateSerializer, Immutable, Alias("session.MemberSight")]
public readonly record struct MemberSight(
    [property: Id(0)] int Node, [property: Id(1)] long SyncedAt, [property: Id(2)] long? StaleSince = null);

/// <summary>Some messages of a namespace.</summary>
/// <param name="Outcome">How it ended.</param>
/// <param name="Messages">The messages in storage order.</param>
/// <param name="More">True if a limit kept a further message out.</param>
[GenerateSerializer, Immutable, Alias("session.MessagePage")]
public sealed record MessagePage(
    [property: Id(0)] MailboxOutcome Outcome,
    [property: Id(1)] ImmutableArray<MailboxMessage> Messages,
    [property: Id(2)] bool More)
{
    /// <summary>The answer to most polls: nothing new.</summary>
    public static readonly MessagePage Empty = new(MailboxOutcome.Done, [], More: false);
}

/// <summary>A stored message.</summary>
/// <param name="Hash">The message's hash.</param>
/// <param name="Timestamp">The sender's time, unix ms.</param>
/// <param name="Expiry">When the message runs out, unix ms.</param>
/// <param name="Data">The message.</param>
[GenerateSerializer, Immutable, Alias("session.MailboxMessage")]
public readonly record struct MailboxMessage(
    [property: Id(0)] MessageHash Hash,
    [property: Id(1)] long Timestamp,
    [property: Id(2)] long Expiry,
    [property: Id(3)] ReadOnlyMemory<byte> Data);
