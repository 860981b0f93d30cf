using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.IO.Hashing;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Load.Ledger;

/// <summary>
/// Every message of a run and what became of it at each of its readers: delivered once, duplicated, lost, late or corrupted. A message is known
/// by its hash before it is sent, so that nothing that a server does can hide it. Safe for concurrent use; a reader's messages come from one
/// poll at a time.
/// </summary>
/// <param name="lateAfter">A message is late if it takes longer from the moment at which it was stored and its reader online.</param>
internal sealed class MessageLedger(TimeSpan lateAfter)
{
    private readonly ConcurrentDictionary<Key, Entry> _entries = new();
    private long _expected, _delivered, _duplicated, _late, _corrupted, _refused, _unconfirmed, _foreign, _unread;

    /// <summary>Messages that were confirmed as stored and have not reached their reader yet.</summary>
    public long Outstanding => Interlocked.Read(ref _unread);

    /// <summary>Opens the account of a message. Done before it is sent: its reader may be faster than the answer to its sender.</summary>
    /// <param name="hash">Its hash in the mailbox it goes to.</param>
    /// <param name="readers">Numbers of those who will read it.</param>
    /// <param name="content">What they should find in it.</param>
    /// <param name="intended">When it was due to be sent, from the beginning of the run.</param>
    public SentMessage Open(MessageHash hash, IReadOnlyList<int> readers, ReadOnlySpan<byte> content, TimeSpan intended)
    {
        var message = new SentMessage(intended, XxHash3.HashToUInt64(content), readers, BinaryPrimitives.ReadUInt64LittleEndian(hash.AsSpan()));
        foreach (var reader in readers)
            _entries[new(message.Hash, reader)] = new(message);
        return message;
    }

    /// <summary>The swarm has confirmed it: from now on it must not be lost.</summary>
    public void Confirm(SentMessage message, TimeSpan at)
    {
        message.StoredAt = at;
        Interlocked.Add(ref _expected, message.Readers.Count);
        foreach (var reader in message.Readers)
        {
            if (!_entries.TryGetValue(new(message.Hash, reader), out var entry))
                continue;
            lock (entry)
            {
                entry.IsConfirmed = true;
                if (!entry.IsDelivered)
                    Interlocked.Increment(ref _unread);
            }
        }
    }

    /// <summary>No answer came: it may be stored or not. Nothing is expected, but what comes is still checked.</summary>
    public void GiveUp(SentMessage message) => Interlocked.Add(ref _unconfirmed, message.Readers.Count);

    /// <summary>The swarm has refused it: it is not stored.</summary>
    public void Refuse(SentMessage message)
    {
        Interlocked.Add(ref _refused, message.Readers.Count);
        foreach (var reader in message.Readers)
            _ = _entries.TryRemove(new(message.Hash, reader), out _);
    }

    /// <summary>A poll brought a message.</summary>
    /// <param name="found">What was found.</param>
    /// <param name="intended">When it was due to be sent, if it is the first time that it comes.</param>
    /// <returns>What it is.</returns>
    public Delivery Deliver(in FoundMessage found, out TimeSpan intended)
    {
        intended = default;
        if (!_entries.TryGetValue(new(BinaryPrimitives.ReadUInt64LittleEndian(found.Hash.AsSpan()), found.Reader), out var entry))
        {
            // Of another run in the same mailboxes; or, if it says that it is of this one, a copy under another hash or of one long settled.
            if (found.IsOfThisRun)
            {
                Interlocked.Increment(ref _duplicated);
                return Delivery.Duplicated;
            }

            Interlocked.Increment(ref _foreign);
            return Delivery.Foreign;
        }

        lock (entry)
        {
            if (!found.IsIntact || XxHash3.HashToUInt64(found.Content) != entry.Message.Checksum)
            {
                // Another member may still have it whole.
                if (!entry.IsCorrupted)
                    Interlocked.Increment(ref _corrupted);
                entry.IsCorrupted = true;
                return Delivery.Corrupted;
            }

            if (entry.IsDelivered)
                return Repeat(entry, found.Member, found.IsAfterOthers);
            entry.Members |= Bit(found.Member);
            entry.IsDelivered = true;
            entry.DeliveredAt = found.At;
            intended = entry.Message.Intended;
            Interlocked.Increment(ref _delivered);
            if (entry.IsConfirmed)
                Interlocked.Decrement(ref _unread);
            var possible = entry.Message.StoredAt > found.OnlineSince ? entry.Message.StoredAt : found.OnlineSince;
            if (!entry.IsConfirmed || found.At - possible <= lateAfter)
                return Delivery.InTime;
            Interlocked.Increment(ref _late);
            return Delivery.Late;
        }
    }

    /// <summary>True if the reader is to get this message, or has it.</summary>
    public bool Knows(MessageHash hash, int reader) => _entries.ContainsKey(new(BinaryPrimitives.ReadUInt64LittleEndian(hash.AsSpan()), reader));

    /// <summary>True if the reader has this message already.</summary>
    public bool IsDelivered(MessageHash hash, int reader) =>
        _entries.TryGetValue(new(BinaryPrimitives.ReadUInt64LittleEndian(hash.AsSpan()), reader), out var entry) && entry.IsDelivered;

    /// <summary>A poll brought a message again, with the same hash and therefore the same bytes.</summary>
    /// <param name="hash">Its hash.</param>
    /// <param name="reader">Number of the reader.</param>
    /// <param name="member">Position in the swarm of the member that gave it.</param>
    /// <param name="isAfterOthers">True if the member was told of an earlier message, so that it had to go on after that one.</param>
    public Delivery Repeat(MessageHash hash, int reader, int member, bool isAfterOthers)
    {
        if (!_entries.TryGetValue(new(BinaryPrimitives.ReadUInt64LittleEndian(hash.AsSpan()), reader), out var entry))
            return Delivery.Foreign;
        lock (entry)
            return Repeat(entry, member, isAfterOthers);
    }

    /// <summary>Something came that is not whole, and it can't be told which message it was. That one stays outstanding.</summary>
    public void AddCorrupted() => Interlocked.Increment(ref _corrupted);

    /// <summary>
    /// Forgets the details of messages that were delivered before <paramref name="time"/>, which keeps long runs small. If one comes again, it says
    /// by itself that it is of this run.
    /// </summary>
    public void Fold(TimeSpan time)
    {
        foreach (var (key, entry) in _entries)
        {
            if (entry.IsDelivered && entry.IsConfirmed && entry.DeliveredAt < time)
                _ = _entries.TryRemove(key, out _);
        }
    }

    /// <summary>Readers that still lack confirmed messages.</summary>
    public IReadOnlyCollection<int> ReadersToWaitFor() =>
        [.. _entries.Where(entry => entry.Value is { IsConfirmed: true, IsDelivered: false }).Select(entry => entry.Key.Reader).Distinct()];

    /// <summary>How the accounts stand. At the end, what is outstanding is lost.</summary>
    /// <param name="wasRead">False if nobody looked for what is outstanding: then it is unread, and whether it is lost can't be told.</param>
    public LedgerTotals Totals(bool wasRead = true)
    {
        // A corrupted message was read, badly: it is not lost besides.
        var corruptedOnly = _entries.Count(entry => entry.Value is { IsConfirmed: true, IsDelivered: false, IsCorrupted: true });
        var outstanding = Math.Max(0, Interlocked.Read(ref _unread) - corruptedOnly);
        return new(
            Interlocked.Read(ref _expected), Interlocked.Read(ref _delivered), wasRead ? outstanding : 0, Interlocked.Read(ref _duplicated),
            Interlocked.Read(ref _late), Interlocked.Read(ref _corrupted), Interlocked.Read(ref _refused), Interlocked.Read(ref _unconfirmed), Interlocked.Read(ref _foreign),
            wasRead ? 0 : outstanding);
    }

    private static ulong Bit(int member) => 1UL << (member & 63);

    // Every member has each message: that it comes from several is no duplicate. From one member twice, although it was told how far one is, it is.
    private Delivery Repeat(Entry entry, int member, bool isAfterOthers)
    {
        var isRepeated = isAfterOthers && (entry.Members & Bit(member)) != 0;
        entry.Members |= Bit(member);
        if (!isRepeated)
            return Delivery.Known;
        Interlocked.Increment(ref _duplicated);
        return Delivery.Duplicated;
    }

    private readonly record struct Key(ulong Hash, int Reader);

    private sealed class Entry(SentMessage message)
    {
        public SentMessage Message { get; } = message;

        public bool IsConfirmed { get; set; }

        public bool IsDelivered { get; set; }

        public bool IsCorrupted { get; set; }

        public TimeSpan DeliveredAt { get; set; }

        /// <summary>Members of the reader's swarm that have delivered it, one bit each.</summary>
        public ulong Members { get; set; }
    }
}

/// <summary>A message on its way.</summary>
/// <param name="intended">When it was due.</param>
/// <param name="checksum">Of its content.</param>
/// <param name="readers">Who will read it.</param>
/// <param name="hash">Beginning of its hash.</param>
internal sealed class SentMessage(TimeSpan intended, ulong checksum, IReadOnlyList<int> readers, ulong hash)
{
    /// <summary>When it was due to be sent, from the beginning of the run.</summary>
    public TimeSpan Intended { get; } = intended;

    /// <summary>Of its content.</summary>
    public ulong Checksum { get; } = checksum;

    /// <summary>Numbers of those who will read it.</summary>
    public IReadOnlyList<int> Readers { get; } = readers;

    /// <summary>First eight bytes of its hash.</summary>
    public ulong Hash { get; } = hash;

    /// <summary>When its swarm confirmed it.</summary>
    public TimeSpan StoredAt { get; set; }
}

/// <summary>A message as a poll brought it.</summary>
internal readonly ref struct FoundMessage
{
    /// <summary>Its hash, as the member says.</summary>
    public required MessageHash Hash { get; init; }

    /// <summary>Number of the reader.</summary>
    public required int Reader { get; init; }

    /// <summary>Position in the swarm of the member that gave it.</summary>
    public required int Member { get; init; }

    /// <summary>True if the member was told of an earlier message, so that it had to go on after that one.</summary>
    public bool IsAfterOthers { get; init; }

    /// <summary>False if the data has another hash, can't be decrypted, or its signature is wrong.</summary>
    public bool IsIntact { get; init; }

    /// <summary>True if the text inside says that this run sent it.</summary>
    public bool IsOfThisRun { get; init; }

    /// <summary>The content inside.</summary>
    public ReadOnlySpan<byte> Content { get; init; }

    /// <summary>When it was found, from the beginning of the run.</summary>
    public TimeSpan At { get; init; }

    /// <summary>Since when the reader has been online.</summary>
    public TimeSpan OnlineSince { get; init; }
}

/// <summary>What a found message is.</summary>
internal enum Delivery
{
    /// <summary>New, and in time.</summary>
    InTime,

    /// <summary>New, but late.</summary>
    Late,

    /// <summary>Delivered before by another member: as it should be.</summary>
    Known,

    /// <summary>Once too often.</summary>
    Duplicated,

    /// <summary>Not what was sent.</summary>
    Corrupted,

    /// <summary>Not of this run.</summary>
    Foreign,
}

/// <summary>How a ledger stands. All count deliveries: a message to a group of five has five.</summary>
/// <param name="Expected">Of messages that were confirmed as stored.</param>
/// <param name="Delivered">Found by their readers as they were sent.</param>
/// <param name="Lost">Confirmed, but not found.</param>
/// <param name="Duplicated">Found once too often, each time.</param>
/// <param name="Late">Found, but later than allowed.</param>
/// <param name="Corrupted">Found, but not as they were sent.</param>
/// <param name="Refused">Of messages that the network refused.</param>
/// <param name="Unconfirmed">Of messages that got no answer: they may have been stored or not.</param>
/// <param name="Foreign">Found, but of another run.</param>
/// <param name="Unread">Confirmed, and nobody looked for them any more: the run was interrupted.</param>
internal sealed record LedgerTotals(
    long Expected, long Delivered, long Lost, long Duplicated, long Late, long Corrupted, long Refused, long Unconfirmed, long Foreign, long Unread = 0)
{
    /// <summary>An empty ledger.</summary>
    public static LedgerTotals Empty { get; } = new(0, 0, 0, 0, 0, 0, 0, 0, 0);

    /// <summary>The ledgers of two shards as one.</summary>
    public static LedgerTotals operator +(LedgerTotals left, LedgerTotals right) => new(
        left.Expected + right.Expected, left.Delivered + right.Delivered, left.Lost + right.Lost, left.Duplicated + right.Duplicated, left.Late + right.Late,
        left.Corrupted + right.Corrupted, left.Refused + right.Refused, left.Unconfirmed + right.Unconfirmed, left.Foreign + right.Foreign,
        left.Unread + right.Unread);
}
