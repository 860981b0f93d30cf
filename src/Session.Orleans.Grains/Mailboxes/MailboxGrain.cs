using System.Collections.Immutable;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Logging;
using Orleans.Placement;
using Session.Orleans.Grains.Placement;
using Session.Orleans.Protocol.StorageRpc;
using Session.Orleans.Storage;

namespace Session.Orleans.Grains.Mailboxes;

/// <summary>
/// Keeps one account's messages. Calls come by message, one after another, or directly from the same silo on any thread
/// (<see cref="MailboxGrains"/>); so the order is kept here: changes take turns, and what is in memory is only touched under a lock.
/// Placed by hash, which spreads mailboxes evenly over the silos, whichever gateway they are first asked for at.
/// </summary>
[GrainType("mailbox"), HashBasedPlacement, PrefersRole(SiloRole.Silo)]
[SuppressMessage("Design", "CA1001", Justification = "The semaphore holds nothing to dispose of, and a late direct call may still ask it.")]
internal sealed partial class MailboxGrain(
    IMailboxStore store, MailboxGrains mailboxes, ClusterChanges cluster, GrainsMetrics metrics, TimeProvider time, ILogger<MailboxGrain> logger) : Grain, IMailboxGrain
{
    // Swept messages leave the store by themselves; only their lines in its index have to be taken out, and that can wait for company.
    private const int PruneBatch = 64;

    // A store that is out of memory may answer as if a payload weren't there. It gets this long to come back before messages are given without theirs.
    private static readonly TimeSpan MissingLimit = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan TurnLimit = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly Lock _memory = new(); // guards the five below, and what is in the index
    private MailboxIndex? _index;
    private Dictionary<MessageHash, long>? _missing; // live messages without a payload in the store, with the time when that was noticed; nearly always null
    private Task? _loading;
    private int _generation;
    private long _epoch; // of the store, when the index was read
    private AccountId _account;
    private volatile bool _closed;
    private volatile MailboxWatchers? _watchers; // null while nobody watches, which is nearly always

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _account = AccountId.Parse(this.GetPrimaryKeyString());
        mailboxes.Local.Activated(_account, this);
        return Task.CompletedTask;
    }

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        _watchers?.Leave(_account);
        mailboxes.Local.Deactivated(_account, this);
        try
        {
            // The next activation reads the index: changes that came directly must be in the store by then, and none may follow.
            await _turn.WaitAsync(cancellationToken);
        }
        finally
        {
            _closed = true;
        }

        try
        {
            if (_index is { } index)
                await PruneAsync(index, atLeast: 1, cancellationToken);
        }
        finally
        {
            _turn.Release();
        }
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
        var startedAt = metrics.Now;
        if (!await EnterAsync(cancellationToken))
            return await mailboxes.Reference(_account).StoreAsync(message, cancellationToken);
        using var activity = StartActivity("store", message.Namespace);
        var outcome = MailboxOutcome.Done;
        try
        {
            var index = await GetIndexAsync(cancellationToken);
            if (!message.Subaccount.IsEmpty && index.IsRevoked(message.Subaccount.Span))
                return new(outcome = MailboxOutcome.Revoked, false, 0);

            var replaced = Namespaces.IsPublicOutbox(message.Namespace) ? OthersThan(message, index) : [];
            var stored = new NewMessage(message.Hash, message.Namespace, message.Timestamp, message.Expiry, MissingAfter(message, index));
            var result = await store.AppendAsync(_account, stored, message.Data, replaced, cancellationToken);
            if (!TryApply(index, result.Version, () => index.Stored(stored, message.Data.Length, result, replaced)))
                await StoredBesideAnotherAsync(message, result, cancellationToken);
            metrics.Removed(replaced.Length, "replaced");
            if (_watchers is not null && !result.AlreadyStored)
                _watchers.Tell(_account, message);

            await PruneAsync(index, PruneBatch, cancellationToken);
            return new(MailboxOutcome.Done, result.AlreadyStored, result.Expiry);
        }
        catch (MailboxStoreException exception)
        {
            return new(outcome = StoreFailed(activity, exception), false, 0);
        }
        catch (OperationCanceledException)
        {
            Forget(); // the message may have been stored
            throw;
        }
        finally
        {
            _turn.Release();
            Ended(activity, "store", outcome, startedAt);
        }
    }

    /// <summary>Somebody else wrote: the message is stored all the same, but the index must be read again.</summary>
    private async ValueTask StoredBesideAnotherAsync(MessageToStore message, AppendResult result, CancellationToken cancellationToken)
    {
        if (!Namespaces.IsPublicOutbox(message.Namespace))
            return;

        // The other one's message was not known when this one replaced the others. What came later has replaced, or will replace, this one.
        var index = await GetIndexAsync(cancellationToken);
        var missed = OthersThan(message, index, result.AlreadyStored ? long.MaxValue : result.Sequence);
        if (missed.Length > 0)
        {
            await store.RemoveAsync(_account, missed, cancellationToken);
            Forget();
        }
    }

    /// <summary>Who lacks the message once it is stored: of a message that was there, those who lacked it and do not get it now either.</summary>
    private MissingMembers? MissingAfter(MessageToStore message, MailboxIndex index)
    {
        MessageEntry known;
        lock (_memory)
        {
            if (!index.TryGet(message.Hash, out known))
                return message.Missing.IsDefaultOrEmpty ? null : new(message.Height, message.Missing);
        }

        if (known.Missing is null || message.Missing.IsDefaultOrEmpty)
            return null;
        ImmutableArray<ushort> still = [.. known.Missing.Nodes.Intersect(message.Missing)];
        return still.IsEmpty ? null : new(message.Height, still);
    }

    private MessageHash[] OthersThan(MessageToStore message, MailboxIndex index, long before = long.MaxValue)
    {
        lock (_memory)
            return index.Others(message.Namespace, message.Hash, before);
    }

    public ValueTask<MessagePage> RetrieveAsync(PageRequest request, CancellationToken cancellationToken) =>
        _closed ? mailboxes.Reference(_account).RetrieveAsync(request, cancellationToken)
        : KnowsOfNothingNew(request) ? new(MessagePage.Empty)
        : RetrieveFromStoreAsync(request, cancellationToken);

    /// <summary>Most polls find nothing new: they end here, without a state machine and without asking the store.</summary>
    private bool KnowsOfNothingNew(PageRequest request)
    {
        if (cluster.AreRecent)
            return false;
        lock (_memory)
        {
            if (_index is null || _epoch != cluster.StoreEpoch)
                return false;
            metrics.Expired(_index.Sweep(Now));
            if ((!request.Subaccount.IsEmpty && _index.IsRevoked(request.Subaccount.Span))
                || !_index.Select(request.Namespace, request.After, request.MaxCount, request.MaxSize, request.Member, out _).IsEmpty)
                return false;
        }

        StartActivity("retrieve", request.Namespace)?.Dispose();
        return true;
    }

    private async ValueTask<MessagePage> RetrieveFromStoreAsync(PageRequest request, CancellationToken cancellationToken)
    {
        using var activity = StartActivity("retrieve", request.Namespace);
        var (startedAt, outcome) = (metrics.Now, MailboxOutcome.Done);
        try
        {
            var index = await GetIndexAsync(cancellationToken);
            if (!request.Subaccount.IsEmpty && index.IsRevoked(request.Subaccount.Span))
                return MessagePage.Empty with { Outcome = outcome = MailboxOutcome.Revoked };

            MessageEntry[] entries;
            bool more;
            lock (_memory)
                entries = index.Select(request.Namespace, request.After, request.MaxCount, request.MaxSize, request.Member, out more).ToArray();
            if (entries.Length == 0)
                return MessagePage.Empty;

            var payloads = await store.ReadAsync(_account, Array.ConvertAll(entries, entry => entry.Hash), cancellationToken);
            var messages = new List<MailboxMessage>(entries.Length);
            for (var i = 0; i < entries.Length; i++)
            {
                if (payloads[i] is { } data)
                    messages.Add(new(entries[i].Hash, entries[i].Timestamp, entries[i].Expiry, data));
            }

            if (_missing is not null)
                Found(messages);
            if (messages.Count < entries.Length)
                await ExplainMissingAsync(index, [.. entries.Where((_, i) => payloads[i] is null)], cancellationToken);
            return new(MailboxOutcome.Done, [.. messages], more);
        }
        catch (MailboxStoreException exception)
        {
            return MessagePage.Empty with { Outcome = outcome = StoreFailed(activity, exception) };
        }
        finally
        {
            Ended(activity, "retrieve", outcome, startedAt);
        }
    }

    /// <summary>
    /// A payload may be gone because the store's clock is ahead and the message has expired, or because the message was removed meanwhile. Otherwise the
    /// store has lost it, or can't give it now: clients that got the others would believe that they have everything up to the newest.
    /// </summary>
    /// <exception cref="MailboxStoreException">The store may have them and not be able to give them.</exception>
    private async ValueTask ExplainMissingAsync(MailboxIndex index, MessageEntry[] entries, CancellationToken cancellationToken)
    {
        MessageEntry[] missing;
        lock (_memory)
        {
            var certain = Now + MessageLifetime.PayloadSlack;
            missing = [.. entries.Where(entry => entry.Expiry > certain && ReferenceEquals(index, _index) && index.TryGet(entry.Hash, out _))];
        }

        // Another version: somebody else has written. None at all: the index is missing as well.
        if (missing.Length == 0 || (await store.GetVersionAsync(_account, cancellationToken) is var version and not 0 && version != index.Version))
            return;
        metrics.Missing(missing.Length);
        lock (_memory)
        {
            _missing ??= [];
            var now = Now;
            var isOld = true;
            foreach (var entry in missing)
            {
                if (!_missing.TryGetValue(entry.Hash, out var since))
                    _missing.Add(entry.Hash, since = now);
                isOld &= now - since >= MissingLimit.TotalMilliseconds;
            }

            if (!isOld)
                throw new MailboxStoreException($"The store has no payload for {missing.Length} messages that have not expired.");
        }

        LogMessagesLost(missing.Length);
    }

    private void Found(List<MailboxMessage> messages)
    {
        lock (_memory)
        {
            foreach (var message in messages)
                _missing?.Remove(message.Hash);
            if (_missing is { Count: 0 })
                _missing = null;
        }
    }

    public ValueTask<MailboxChange> RemoveAsync(MessageSelection selection, CancellationToken cancellationToken) => ChangeAsync(
        "remove",
        async () =>
        {
            var index = await GetIndexAsync(cancellationToken);
            if (IsRevoked(index, selection))
                return MailboxChange.None(MailboxOutcome.Revoked);
            var selected = Select(index, selection);
            if (selected.Length == 0)
                return MailboxChange.None(MailboxOutcome.Done);

            var result = await store.RemoveAsync(_account, Array.ConvertAll(selected, entry => entry.Hash), cancellationToken);
            var removed = selected.Where((_, i) => result.Found[i]).ToArray();
            _ = TryApply(index, result.Version, () =>
            {
                index.Removed([.. removed.Select(entry => entry.Hash)]);
                index.Version = result.Version.After;
            });
            metrics.Removed(removed.Length, "deleted");
            return new(MailboxOutcome.Done, [.. removed.Select(ToInfo)], []);
        },
        MailboxChange.None,
        reference => reference.RemoveAsync(selection, cancellationToken), cancellationToken);

    public ValueTask<MailboxChange> SetExpiriesAsync(
        MessageSelection selection, ImmutableArray<long> expiries, ExpireMode mode, CancellationToken cancellationToken) => ChangeAsync(
        "set_expiries",
        async () =>
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
            _ = TryApply(index, result.Version, () =>
            {
                foreach (var change in changes)
                    index.ExpirySet(change.Hash, change.Expiry);
                index.Version = result.Version.After;
            });
            return new(MailboxOutcome.Done, [.. changed.Where((_, i) => result.Found[i])], [.. unchanged]);
        },
        MailboxChange.None,
        reference => reference.SetExpiriesAsync(selection, expiries, mode, cancellationToken), cancellationToken);

    public async ValueTask<MailboxChange> FindAsync(MessageSelection selection, CancellationToken cancellationToken)
    {
        if (_closed)
            return await mailboxes.Reference(_account).FindAsync(selection, cancellationToken);
        using var activity = StartActivity("find");
        var (startedAt, outcome) = (metrics.Now, MailboxOutcome.Done);
        try
        {
            var index = await GetIndexAsync(cancellationToken);
            return IsRevoked(index, selection)
                ? MailboxChange.None(outcome = MailboxOutcome.Revoked)
                : new(MailboxOutcome.Done, [.. Select(index, selection).Where(entry => MailboxIndex.Sees(selection.Member, entry)).Select(ToInfo)], []);
        }
        catch (MailboxStoreException exception)
        {
            return MailboxChange.None(outcome = StoreFailed(activity, exception));
        }
        finally
        {
            Ended(activity, "find", outcome, startedAt);
        }
    }

    public ValueTask<RevocationReceipt> RevokeAsync(ImmutableArray<ReadOnlyMemory<byte>> tokens, CancellationToken cancellationToken) =>
        ChangeRevocationsAsync(
            "revoke", () => store.RevokeAsync(_account, tokens, cancellationToken),
            reference => reference.RevokeAsync(tokens, cancellationToken), cancellationToken);

    public ValueTask<RevocationReceipt> UnrevokeAsync(ImmutableArray<ReadOnlyMemory<byte>> tokens, CancellationToken cancellationToken) =>
        ChangeRevocationsAsync(
            "unrevoke", () => store.UnrevokeAsync(_account, tokens, cancellationToken),
            reference => reference.UnrevokeAsync(tokens, cancellationToken), cancellationToken);

    private ValueTask<RevocationReceipt> ChangeRevocationsAsync(
        string method, Func<ValueTask<RevocationResult>> change, Func<IMailboxGrain, ValueTask<RevocationReceipt>> elsewhere,
        CancellationToken cancellationToken) => ChangeAsync(
        method,
        async () =>
        {
            try
            {
                return new(MailboxOutcome.Done, (await change()).Count);
            }
            finally
            {
                // Rare, and the order of insertion is the store's: reading the list again beats keeping a second copy of its rules.
                Forget();
            }
        },
        outcome => new RevocationReceipt(outcome, 0), elsewhere, cancellationToken);

    /// <summary>The frame of a change: its turn, its span, and what becomes of the memory when the store does not confirm.</summary>
    private async ValueTask<T> ChangeAsync<T>(
        string method, Func<ValueTask<T>> change, Func<MailboxOutcome, T> failed, Func<IMailboxGrain, ValueTask<T>> elsewhere,
        CancellationToken cancellationToken)
    {
        var startedAt = metrics.Now;
        if (!await EnterAsync(cancellationToken))
            return await elsewhere(mailboxes.Reference(_account));
        using var activity = StartActivity(method);
        var outcome = MailboxOutcome.Done;
        try
        {
            return await change();
        }
        catch (MailboxStoreException exception)
        {
            return failed(outcome = StoreFailed(activity, exception));
        }
        catch (OperationCanceledException)
        {
            Forget();
            throw;
        }
        finally
        {
            _turn.Release();
            Ended(activity, method, outcome, startedAt);
        }
    }

    /// <summary>Waits for this change's turn. False if this activation has ended: its successor is to be asked.</summary>
    /// <exception cref="TimeoutException">The changes before it took too long.</exception>
    private async ValueTask<bool> EnterAsync(CancellationToken cancellationToken)
    {
        if (!await _turn.WaitAsync(TurnLimit, cancellationToken))
            throw new TimeoutException("The mailbox is busy.");
        if (!_closed)
            return true;
        _turn.Release();
        return false;
    }

    /// <summary>Brings the index up to a confirmed change, or forgets it if it stands for another state than the one that was changed.</summary>
    private bool TryApply(MailboxIndex index, VersionStep version, Action apply)
    {
        lock (_memory)
        {
            if (ReferenceEquals(index, _index) && version.Before == index.Version)
            {
                apply();
                return true;
            }

            Forget();
            return false;
        }
    }

    private static bool IsRevoked(MailboxIndex index, MessageSelection selection) =>
        !selection.Subaccount.IsEmpty && index.IsRevoked(selection.Subaccount.Span);

    private MessageEntry[] Select(MailboxIndex index, MessageSelection selection) =>
        Array.ConvertAll(SelectWithPosition(index, selection), selected => selected.Entry);

    // A hash that is asked for twice counts once, with the first one's position.
    private (MessageEntry Entry, int Position)[] SelectWithPosition(MailboxIndex index, MessageSelection selection)
    {
        lock (_memory)
        {
            if (selection.Hashes.IsDefault)
                return [.. index.All(selection.Namespace, selection.Before ?? long.MaxValue).Select(entry => (entry, 0))];

            var seen = new HashSet<MessageHash>();
            var selected = new List<(MessageEntry, int)>(selection.Hashes.Length);
            for (var i = 0; i < selection.Hashes.Length; i++)
            {
                if (index.TryGet(selection.Hashes[i], out var entry) && seen.Add(entry.Hash))
                    selected.Add((entry, i));
            }

            return [.. selected];
        }
    }

    private static MessageInfo ToInfo(MessageEntry entry) => new(entry.Hash, entry.Namespace, entry.Expiry);

    private long Now => time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>The index, read from the store if there is none yet or if somebody else may have written, and swept.</summary>
    private async ValueTask<MailboxIndex> GetIndexAsync(CancellationToken cancellationToken)
    {
        if (cluster.AreRecent && _index is { } known)
        {
            var version = await store.GetVersionAsync(_account, cancellationToken);
            lock (_memory)
            {
                if (version != known.Version && ReferenceEquals(known, _index))
                    Forget();
            }
        }

        while (true)
        {
            Task loading;
            lock (_memory)
            {
                if (_index is not null && _epoch != cluster.StoreEpoch)
                    Forget();
                if (_index is { } index)
                {
                    metrics.Expired(index.Sweep(Now));
                    return index;
                }

                // Whoever comes while the index is being read waits for the same reading.
                // One that has ended is of no use any more: it failed, or its index has been forgotten since.
                if (_loading is not { IsCompleted: false })
                    _loading = LoadAsync();
                loading = _loading;
            }

            await loading.WaitAsync(cancellationToken);
        }
    }

    private async Task LoadAsync()
    {
        while (true)
        {
            var (generation, epoch) = (Volatile.Read(ref _generation), cluster.StoreEpoch);
            var snapshot = await store.LoadAsync(_account, CancellationToken.None);
            lock (_memory)
            {
                // A change confirmed while the store was being read may not be in what was read.
                if (generation == _generation)
                {
                    _index = new(snapshot);
                    _epoch = epoch;
                    _loading = null; // nobody needs it any more, and there are many mailboxes
                    return;
                }
            }
        }
    }

    private void Forget()
    {
        lock (_memory)
        {
            _index = null;
            _generation++;
        }
    }

    private async ValueTask PruneAsync(MailboxIndex index, int atLeast, CancellationToken cancellationToken)
    {
        MessageHash[] swept;
        lock (_memory)
        {
            if (index.SweptCount < atLeast)
                return;
            swept = index.TakeSwept();
        }

        try
        {
            await store.PruneAsync(_account, swept, cancellationToken);
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

    private static Activity? StartActivity(string method, short? @namespace = null)
    {
        var activity = GrainsTelemetry.Source.StartInGrain(GrainsTelemetry.MailboxSpan);
        if (activity is { IsAllDataRequested: true })
            activity.SetTag(GrainsTelemetry.Method, method).SetTag(GrainsTelemetry.Namespace, @namespace is { } one ? NamespaceClass.Of(one) : null);
        return activity;
    }

    /// <summary>Tells how an operation ended, while its span is current, so that the figure can point to it. A change that a revocation refused is told as done.</summary>
    private void Ended(Activity? activity, string method, MailboxOutcome outcome, long startedAt)
    {
        activity?.SetTag(GrainsTelemetry.Result, outcome is MailboxOutcome.Done ? "ok" : outcome is MailboxOutcome.Revoked ? "revoked" : "failed");
        metrics.Mailbox(method, outcome, startedAt);
    }

    [LoggerMessage(EventId = 2101, Level = LogLevel.Error, Message = "The store did not confirm an operation of a mailbox")]
    private partial void LogStoreFailed(Exception exception);

    [LoggerMessage(EventId = 2103, Level = LogLevel.Error, Message = "The store has lost the payloads of {Count} messages that have not expired; a client was given the others")]
    private partial void LogMessagesLost(int count);

    [LoggerMessage(EventId = 2102, Level = LogLevel.Warning, Message = "Expired messages could not be pruned from a mailbox's index")]
    private partial void LogPruneFailed(Exception exception);
}
