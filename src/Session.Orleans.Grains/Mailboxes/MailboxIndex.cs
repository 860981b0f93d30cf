using System.Runtime.InteropServices;
using Session.Orleans.Protocol.StorageRpc;
using Session.Orleans.Storage;

namespace Session.Orleans.Grains.Mailboxes;

/// <summary>
/// What a mailbox knows of its live messages without asking the store: everything but the payloads. Not thread-safe.
/// </summary>
internal sealed class MailboxIndex
{
    // Below this many messages a backwards scan finds a hash faster than a table, and a small mailbox stays small.
    private const int TableThreshold = 128;

    private readonly Dictionary<short, List<MessageEntry>> _namespaces = [];
    private readonly RevokedToken[] _revoked;
    private List<MessageHash>? _swept; // null until something has expired: many mailboxes see nothing expire while they are active
    private Dictionary<MessageHash, (short Namespace, long Sequence)>? _table;
    private long _earliestExpiry = long.MaxValue;
    private bool _someMiss; // true once any message has been missed by any member

    public MailboxIndex(MailboxSnapshot snapshot)
    {
        Version = snapshot.Version;
        _revoked = [.. snapshot.Revoked];
        // Lists that grow by doubling would hold up to twice the memory, and most mailboxes that are active are only read.
        foreach (var (@namespace, count) in snapshot.Messages.CountBy(entry => entry.Namespace))
            _namespaces[@namespace] = new(count);
        foreach (var entry in snapshot.Messages)
            Add(entry);
    }

    /// <summary>The store's version that this index stands for.</summary>
    public long Version { get; set; }

    /// <summary>Live messages over all namespaces.</summary>
    public int Count { get; private set; }

    /// <summary>Messages that a sweep has ended and that the store's index may still name.</summary>
    public int SweptCount => _swept?.Count ?? 0;

    /// <summary>Takes the swept messages over, for the store to prune.</summary>
    public MessageHash[] TakeSwept()
    {
        MessageHash[] swept = [.. _swept ?? []];
        _swept = null;
        return swept;
    }

    /// <summary>True if the 36-byte token has been revoked.</summary>
    public bool IsRevoked(ReadOnlySpan<byte> token)
    {
        foreach (var revoked in _revoked)
        {
            if (revoked.Token.Span.SequenceEqual(token))
                return true;
        }

        return false;
    }

    /// <summary>
    /// Drops what the latest sweep has ended, and tells how much that was. Costs one comparison unless something has expired.
    /// </summary>
    public int Sweep(long now)
    {
        if (!MessageLifetime.IsSwept(_earliestExpiry, now))
            return 0;
        var swept = _swept ??= [];
        var before = swept.Count;
        _earliestExpiry = long.MaxValue;
        foreach (var (@namespace, entries) in _namespaces)
        {
            entries.RemoveAll(entry =>
            {
                if (!MessageLifetime.IsSwept(entry.Expiry, now))
                {
                    _earliestExpiry = Math.Min(_earliestExpiry, entry.Expiry);
                    return false;
                }

                Forget(entry.Hash);
                swept.Add(entry.Hash);
                return true;
            });
            if (entries.Count == 0)
                _namespaces.Remove(@namespace);
        }

        return swept.Count - before;
    }

    /// <summary>The message with this hash.</summary>
    public bool TryGet(MessageHash hash, out MessageEntry entry)
    {
        var found = TryFind(hash, out var list, out var position);
        entry = found ? list[position] : default;
        return found;
    }

    /// <summary>All messages of one namespace, or of all if it is null, up to and with a timestamp.</summary>
    public IEnumerable<MessageEntry> All(short? @namespace, long before) =>
        _namespaces.Where(one => @namespace is null || one.Key == @namespace)
            .SelectMany(one => one.Value).Where(entry => entry.Timestamp <= before);

    /// <summary>Records a removal that the store has confirmed. Its cost does not depend on how many are removed.</summary>
    public void Removed(HashSet<MessageHash> hashes)
    {
        foreach (var (@namespace, entries) in _namespaces)
        {
            entries.RemoveAll(entry =>
            {
                if (!hashes.Contains(entry.Hash))
                    return false;
                Forget(entry.Hash);
                return true;
            });
            if (entries.Count == 0)
                _namespaces.Remove(@namespace);
        }
    }

    /// <summary>Records a new expiry that the store has confirmed.</summary>
    public void ExpirySet(MessageHash hash, long expiry)
    {
        if (!TryFind(hash, out var list, out var position))
            return;
        ref var entry = ref CollectionsMarshal.AsSpan(list)[position];
        entry = entry with { Expiry = expiry };
        _earliestExpiry = Math.Min(_earliestExpiry, expiry);
    }

    /// <summary>The hashes of all messages of a namespace but <paramref name="except"/>, as far as they were stored before <paramref name="sequence"/>.</summary>
    public MessageHash[] Others(short @namespace, MessageHash except, long sequence = long.MaxValue) =>
        _namespaces.TryGetValue(@namespace, out var entries)
            ? [.. entries.Where(entry => entry.Hash != except && entry.Sequence < sequence).Select(entry => entry.Hash)]
            : [];

    /// <summary>Records an append that the store has confirmed.</summary>
    public void Stored(NewMessage message, int size, in AppendResult result, ReadOnlySpan<MessageHash> replaced)
    {
        foreach (var hash in replaced)
            Remove(hash);
        if (!result.AlreadyStored)
            Remove(message.Hash); // a sweep has ended the old copy between two looks at the clock: this one is new and comes last
        if (TryFind(message.Hash, out var list, out var position))
        {
            ref var entry = ref CollectionsMarshal.AsSpan(list)[position];
            entry = entry with { Expiry = result.Expiry, Missing = message.Missing };
            _earliestExpiry = Math.Min(_earliestExpiry, result.Expiry);
        }
        else
        {
            Add(new(message.Hash, message.Namespace, result.Timestamp, result.Expiry, size, result.Sequence, message.Missing));
        }

        Version = result.Version.After;
    }

    /// <summary>
    /// Selects messages of a namespace in storage order (storage-rpc.md, 9) that <paramref name="member"/> holds, null standing for one that
    /// holds all: those after <paramref name="after"/>, or all if it is not there, as many as the limits allow but at least one. <paramref name="more"/> tells whether a limit kept a further one out.
    /// </summary>
    public ReadOnlySpan<MessageEntry> Select(
        short @namespace, MessageHash? after, int? maxCount, int? maxSize, MemberSight? member, out bool more)
    {
        more = false;
        if (!_namespaces.TryGetValue(@namespace, out var entries))
            return [];
        var candidates = CollectionsMarshal.AsSpan(entries);
        if (after is { } hash && TryFind(hash, out var list, out var position) && ReferenceEquals(list, entries)
            && Sees(member, candidates[position]))
            candidates = candidates[(position + 1)..];
        if (member is { } sight && (_someMiss || sight.StaleSince is not null))
            candidates = candidates.ToArray().Where(entry => Sees(sight, entry)).ToArray();

        var page = new RetrievePage(maxCount, maxSize);
        var taken = 0;
        while (taken < candidates.Length && page.TryAdd(candidates[taken].Size))
            taken++;
        more = taken < candidates.Length;
        return candidates[..taken];
    }

    /// <summary>True if the member holds the message and returns it.</summary>
    public static bool Sees(MemberSight? member, in MessageEntry entry) =>
        member is not { } sight
        || ((entry.Missing is not { } missing || sight.SyncedAt > missing.Height || !missing.Nodes.Contains((ushort)sight.Node))
            && !(entry.Timestamp > sight.StaleSince));

    private void Add(MessageEntry entry)
    {
        _someMiss |= entry.Missing is not null;
        ref var entries = ref CollectionsMarshal.GetValueRefOrAddDefault(_namespaces, entry.Namespace, out _);
        (entries ??= new(capacity: 1)).Add(entry);
        Count++;
        _earliestExpiry = Math.Min(_earliestExpiry, entry.Expiry);
        if (_table is not null)
            _table[entry.Hash] = (entry.Namespace, entry.Sequence);
        else if (Count > TableThreshold)
            _table = _namespaces.Values.SelectMany(all => all).ToDictionary(one => one.Hash, one => (one.Namespace, one.Sequence));
    }

    private void Remove(MessageHash hash)
    {
        if (!TryFind(hash, out var list, out var position))
            return;
        list.RemoveAt(position);
        Forget(hash);
    }

    private void Forget(MessageHash hash)
    {
        Count--;
        _table?.Remove(hash);
    }

    private bool TryFind(MessageHash hash, out List<MessageEntry> list, out int position)
    {
        if (_table is not null)
        {
            if (_table.TryGetValue(hash, out var place))
            {
                list = _namespaces[place.Namespace];
                position = FindSequence(list, place.Sequence);
                return true;
            }
        }
        else
        {
            foreach (var entries in _namespaces.Values)
            {
                // A client polls with the last message it saw, which is mostly the last one there is.
                for (var i = entries.Count - 1; i >= 0; i--)
                {
                    if (entries[i].Hash == hash)
                    {
                        list = entries;
                        position = i;
                        return true;
                    }
                }
            }
        }

        list = [];
        position = -1;
        return false;
    }

    private static int FindSequence(List<MessageEntry> entries, long sequence)
    {
        var (low, high) = (0, entries.Count - 1);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (entries[middle].Sequence < sequence)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }
}
