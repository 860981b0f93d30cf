using System.Collections.Immutable;
using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Orleans.Placement;
using Session.Orleans.Protocol.StorageRpc;
using Session.Orleans.Storage;

namespace Session.Orleans.Grains.Mailboxes;

// Placed by hash: spreads evenly over the silos there are, whichever gateway a mailbox is first asked for at.
[GrainType("mailbox"), HashBasedPlacement]
internal sealed partial class MailboxGrain(
    IMailboxStore store, ClusterChanges cluster, TimeProvider time, ILogger<MailboxGrain> logger) : Grain, IMailboxGrain
{
    // Swept messages leave the store by themselves; only their lines in its index have to be taken out, and that can wait for company.
    private const int PruneBatch = 64;

    private AccountId _account;
    private MailboxIndex? _index;
    private Task? _loading;
    private int _generation;
    private volatile MailboxWatchers? _watchers;   // null while nobody watches, which is nearly always

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _account = AccountId.Parse(this.GetPrimaryKeyString());
        return Task.CompletedTask;
    }

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        _watchers?.Leave(_account);
        if (_index is { SweptCount: > 0 })
            await PruneAsync(_index, cancellationToken);
    }

    public ValueTask WatchAsync(IMailboxObserver observer, bool withData, CancellationToken cancellationToken)
    {
        if (_watchers is null)
            Interlocked.CompareExchange(ref _watchers, new(time), null);
        _watchers.Add(observer, withData);
        return ValueTask.CompletedTask;
    }

    public async ValueTask<StoreReceipt> StoreAsync(MessageToStore message, CancellationToken cancellationToken)
    {
        using var activity = StartActivity("store");
        try
        {
            var index = await GetIndexAsync(cancellationToken);
            if (!message.Subaccount.IsEmpty && index.IsRevoked(message.Subaccount.Span))
                return new(MailboxOutcome.Revoked, false, 0);

            var replaced = Namespaces.IsPublicOutbox(message.Namespace) ? index.Others(message.Namespace, message.Hash) : [];
            var stored = new NewMessage(message.Hash, message.Namespace, message.Timestamp, message.Expiry);
            var result = await store.AppendAsync(_account, stored, message.Data, replaced, cancellationToken);
            if (ReferenceEquals(index, _index) && result.Version.Before == index.Version)
                index.Stored(stored, message.Data.Length, result, replaced);
            else
                await StoredBesideAnotherAsync(message, result, cancellationToken);
            if (_watchers is not null && !result.AlreadyStored)
                _watchers.Tell(_account, message);

            if (index.SweptCount >= PruneBatch)
                await PruneAsync(index, cancellationToken);
            return new(MailboxOutcome.Done, result.AlreadyStored, result.Expiry);
        }
        catch (MailboxStoreException exception)
        {
            return new(StoreFailed(activity, exception), false, 0);
        }
        catch (OperationCanceledException)
        {
            Forget(); // the message may have been stored
            throw;
        }
    }

    /// <summary>Somebody else wrote: the message is stored all the same, but the index must be read again.</summary>
    private async ValueTask StoredBesideAnotherAsync(MessageToStore message, AppendResult result, CancellationToken cancellationToken)
    {
        Forget();
        if (!Namespaces.IsPublicOutbox(message.Namespace))
            return;

        // The other one's message was not known when this one replaced the others. What came later has replaced, or will replace, this one.
        var index = await GetIndexAsync(cancellationToken);
        var missed = index.Others(message.Namespace, message.Hash, result.AlreadyStored ? long.MaxValue : result.Sequence);
        if (missed.Length > 0)
        {
            await store.RemoveAsync(_account, missed, cancellationToken);
            Forget();
        }
    }

    public ValueTask<MessagePage> RetrieveAsync(PageRequest request, CancellationToken cancellationToken)
    {
        // Most polls find nothing new: they end here, without a state machine and without asking the store.
        if (_index is not null && !cluster.AreRecent && !GrainsTelemetry.Source.HasListeners())
        {
            _index.Sweep(Now);
            if (request.Subaccount.IsEmpty && _index.Select(request.Namespace, request.After, request.MaxCount, request.MaxSize, out _).IsEmpty)
                return new(MessagePage.Empty);
        }

        return RetrieveFromStoreAsync(request, cancellationToken);
    }

    private async ValueTask<MessagePage> RetrieveFromStoreAsync(PageRequest request, CancellationToken cancellationToken)
    {
        using var activity = StartActivity("retrieve");
        try
        {
            var index = await GetIndexAsync(cancellationToken);
            if (!request.Subaccount.IsEmpty && index.IsRevoked(request.Subaccount.Span))
                return MessagePage.Empty with { Outcome = MailboxOutcome.Revoked };

            // A copy: while the payloads are being read, a store may change the index.
            var entries = index.Select(request.Namespace, request.After, request.MaxCount, request.MaxSize, out var more).ToArray();
            if (entries.Length == 0)
                return MessagePage.Empty;

            var payloads = await store.ReadAsync(_account, Array.ConvertAll(entries, entry => entry.Hash), cancellationToken);
            var messages = new List<MailboxMessage>(entries.Length);
            for (var i = 0; i < entries.Length; i++)
            {
                // A payload may be gone if the store's clock is ahead; the message has expired then.
                if (payloads[i] is { } data)
                    messages.Add(new(entries[i].Hash, entries[i].Timestamp, entries[i].Expiry, data));
            }

            return new(MailboxOutcome.Done, [.. messages], more);
        }
        catch (MailboxStoreException exception)
        {
            return MessagePage.Empty with { Outcome = StoreFailed(activity, exception) };
        }
    }

    public async ValueTask<MailboxChange> RemoveAsync(MessageSelection selection, CancellationToken cancellationToken)
    {
        using var activity = StartActivity("remove");
        try
        {
            var index = await GetIndexAsync(cancellationToken);
            if (IsRevoked(index, selection))
                return MailboxChange.None(MailboxOutcome.Revoked);
            var selected = Select(index, selection);
            if (selected.Length == 0)
                return MailboxChange.None(MailboxOutcome.Done);

            var result = await store.RemoveAsync(_account, Array.ConvertAll(selected, entry => entry.Hash), cancellationToken);
            var removed = selected.Where((_, i) => result.Found[i]).ToArray();
            if (ReferenceEquals(index, _index) && result.Version.Before == index.Version)
            {
                index.Removed([.. removed.Select(entry => entry.Hash)]);
                index.Version = result.Version.After;
            }
            else
            {
                Forget();
            }

            return new(MailboxOutcome.Done, [.. removed.Select(ToInfo)], []);
        }
        catch (MailboxStoreException exception)
        {
            return MailboxChange.None(StoreFailed(activity, exception));
        }
        catch (OperationCanceledException)
        {
            Forget();
            throw;
        }
    }

    public async ValueTask<MailboxChange> SetExpiriesAsync(
        MessageSelection selection, ImmutableArray<long> expiries, ExpireMode mode, CancellationToken cancellationToken)
    {
        using var activity = StartActivity("set_expiries");
        try
        {
            var index = await GetIndexAsync(cancellationToken);
            if (IsRevoked(index, selection))
                return MailboxChange.None(MailboxOutcome.Revoked);

            var changes = new List<ExpiryChange>();
            var changed = new List<MessageInfo>();
            var unchanged = new List<MessageInfo>();
            foreach (var (entry, position) in SelectWithPosition(index, selection))
            {
                var expiry = expiries[expiries.Length == 1 ? 0 : position];
                if (mode is ExpireMode.Set || (mode is ExpireMode.Shorten ? entry.Expiry > expiry : entry.Expiry < expiry))
                {
                    changes.Add(new(entry.Hash, expiry));
                    changed.Add(new(entry.Hash, entry.Namespace, expiry));
                }
                else
                {
                    unchanged.Add(ToInfo(entry));
                }
            }

            if (changes.Count == 0)
                return new(MailboxOutcome.Done, [], [.. unchanged]);
            var result = await store.SetExpiriesAsync(_account, changes.ToArray(), cancellationToken);
            if (ReferenceEquals(index, _index) && result.Version.Before == index.Version)
            {
                foreach (var change in changes)
                    index.ExpirySet(change.Hash, change.Expiry);
                index.Version = result.Version.After;
            }
            else
            {
                Forget();
            }

            return new(MailboxOutcome.Done, [.. changed.Where((_, i) => result.Found[i])], [.. unchanged]);
        }
        catch (MailboxStoreException exception)
        {
            return MailboxChange.None(StoreFailed(activity, exception));
        }
        catch (OperationCanceledException)
        {
            Forget();
            throw;
        }
    }

    public async ValueTask<MailboxChange> FindAsync(MessageSelection selection, CancellationToken cancellationToken)
    {
        using var activity = StartActivity("find");
        try
        {
            var index = await GetIndexAsync(cancellationToken);
            return IsRevoked(index, selection)
                ? MailboxChange.None(MailboxOutcome.Revoked)
                : new(MailboxOutcome.Done, [.. Select(index, selection).Select(ToInfo)], []);
        }
        catch (MailboxStoreException exception)
        {
            return MailboxChange.None(StoreFailed(activity, exception));
        }
    }

    public ValueTask<RevocationReceipt> RevokeAsync(ImmutableArray<ReadOnlyMemory<byte>> tokens, CancellationToken cancellationToken) =>
        ChangeRevocationsAsync("revoke", () => store.RevokeAsync(_account, tokens, cancellationToken));

    public ValueTask<RevocationReceipt> UnrevokeAsync(ImmutableArray<ReadOnlyMemory<byte>> tokens, CancellationToken cancellationToken) =>
        ChangeRevocationsAsync("unrevoke", () => store.UnrevokeAsync(_account, tokens, cancellationToken));

    private async ValueTask<RevocationReceipt> ChangeRevocationsAsync(string method, Func<ValueTask<RevocationResult>> change)
    {
        using var activity = StartActivity(method);
        try
        {
            return new(MailboxOutcome.Done, (await change()).Count);
        }
        catch (MailboxStoreException exception)
        {
            return new(StoreFailed(activity, exception), 0);
        }
        finally
        {
            // Rare, and the order of insertion is the store's: reading the list again beats keeping a second copy of its rules.
            Forget();
        }
    }

    private static bool IsRevoked(MailboxIndex index, MessageSelection selection) =>
        !selection.Subaccount.IsEmpty && index.IsRevoked(selection.Subaccount.Span);

    private static MessageEntry[] Select(MailboxIndex index, MessageSelection selection) =>
        [.. SelectWithPosition(index, selection).Select(selected => selected.Entry)];

    // A hash that is asked for twice counts once, with the first one's position.
    private static IEnumerable<(MessageEntry Entry, int Position)> SelectWithPosition(MailboxIndex index, MessageSelection selection)
    {
        if (selection.Hashes.IsDefault)
        {
            foreach (var entry in index.All(selection.Namespace, selection.Before ?? long.MaxValue))
                yield return (entry, 0);
            yield break;
        }

        var seen = new HashSet<MessageHash>();
        for (var i = 0; i < selection.Hashes.Length; i++)
        {
            if (index.TryGet(selection.Hashes[i], out var entry) && seen.Add(entry.Hash))
                yield return (entry, i);
        }
    }

    private static MessageInfo ToInfo(MessageEntry entry) => new(entry.Hash, entry.Namespace, entry.Expiry);

    private long Now => time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>The index, read from the store if there is none yet or if somebody else may have written, and swept.</summary>
    private async ValueTask<MailboxIndex> GetIndexAsync(CancellationToken cancellationToken)
    {
        if (_index is { } known && cluster.AreRecent && await store.GetVersionAsync(_account, cancellationToken) != known.Version
            && ReferenceEquals(known, _index))
            Forget();

        while (_index is null)
        {
            // Polls interleave: whoever comes while the index is being read waits for the same reading.
            // One that has ended is of no use any more: it failed, or its index has been forgotten since.
            if (_loading is not { IsCompleted: false })
                _loading = LoadAsync();
            await _loading.WaitAsync(cancellationToken);
        }

        _index.Sweep(Now);
        return _index;
    }

    private async Task LoadAsync()
    {
        MailboxSnapshot snapshot;
        int generation;
        do
        {
            // A change confirmed while the store was being read may not be in what was read.
            generation = _generation;
            snapshot = await store.LoadAsync(_account, CancellationToken.None);
        }
        while (generation != _generation);
        _index = new(snapshot);
    }

    private void Forget()
    {
        _index = null;
        _generation++;
    }

    private async Task PruneAsync(MailboxIndex index, CancellationToken cancellationToken)
    {
        try
        {
            await store.PruneAsync(_account, index.TakeSwept(), cancellationToken);
        }
        catch (Exception exception) when (exception is MailboxStoreException or OperationCanceledException)
        {
            // Nothing is lost: the next reading of the index leaves them out and prunes them again.
            LogPruneFailed(exception);
        }
    }

    private MailboxOutcome StoreFailed(Activity? activity, MailboxStoreException exception)
    {
        Forget(); // what was written is unknown
        activity?.SetStatus(ActivityStatusCode.Error).SetTag("error.type", nameof(MailboxStoreException));
        LogStoreFailed(exception);
        return MailboxOutcome.StoreFailed;
    }

    private static Activity? StartActivity(string method) =>
        GrainsTelemetry.Source.StartInGrain(GrainsTelemetry.MailboxSpan)?.SetTag(GrainsTelemetry.Method, method);

    [LoggerMessage(EventId = 2101, Level = LogLevel.Error, Message = "The store did not confirm an operation of a mailbox")]
    private partial void LogStoreFailed(Exception exception);

    [LoggerMessage(EventId = 2102, Level = LogLevel.Warning, Message = "Expired messages could not be pruned from a mailbox's index")]
    private partial void LogPruneFailed(Exception exception);
}
