using System.Collections.Concurrent;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Storage;

namespace Session.Orleans.Cluster.Tests;

/// <summary>How a store treats an account.</summary>
public enum StoreFault
{
    /// <summary>Does nothing and refuses.</summary>
    Refuse,

    /// <summary>Does what it was asked for and then fails to say so.</summary>
    LoseReply,
}

/// <summary>A real store that fails for chosen accounts and lets a test look on. Shared by all silos.</summary>
internal sealed class TestStore
{
    private readonly ConcurrentDictionary<AccountId, StoreFault> _faults = new();
    private readonly ConcurrentDictionary<AccountId, Action> _onAppend = new();
    private readonly ConcurrentDictionary<AccountId, Task> _holds = new();
    private readonly ConcurrentDictionary<AccountId, int> _loads = new();
    private readonly ConcurrentDictionary<AccountId, bool> _hidden = new();

    public IDisposable Fail(AccountId account, StoreFault fault)
    {
        _faults[account] = fault;
        return new Undo(() => _faults.TryRemove(account, out _));
    }

    /// <summary>Calls <paramref name="action"/> in the mailbox's own context whenever it appends.</summary>
    public void OnAppend(AccountId account, Action action) => _onAppend[account] = action;

    /// <summary>Lets the account's appends wait until <paramref name="until"/> has ended.</summary>
    public void HoldAppends(AccountId account, Task until) => _holds[account] = until;

    /// <summary>Answers as if the store had none of the account's payloads, as one does that is out of memory.</summary>
    public IDisposable HidePayloads(AccountId account)
    {
        _hidden[account] = true;
        return new Undo(() => _hidden.TryRemove(account, out _));
    }

    /// <summary>How often the account's index has been read.</summary>
    public int LoadsOf(AccountId account) => _loads.GetValueOrDefault(account);

    public IMailboxStore Wrap(IMailboxStore store) => new Wrapper(this, store);

    // Fails before anything is awaited, as a client library does that knows that it has no connection.
    private async ValueTask<T> RunAsync<T>(AccountId account, Func<ValueTask<T>> call)
    {
        var failing = _faults.TryGetValue(account, out var fault);
        if (failing && fault is StoreFault.Refuse)
            throw new MailboxStoreException("refused", outcomeUnknown: false);
        var result = await call();
        return failing ? throw new MailboxStoreException("reply lost", outcomeUnknown: true) : result;
    }

    private sealed class Undo(Action action) : IDisposable
    {
        public void Dispose() => action();
    }

    private sealed class Wrapper(TestStore owner, IMailboxStore store) : IMailboxStore
    {
        public ValueTask<MailboxSnapshot> LoadAsync(AccountId account, CancellationToken cancellationToken)
        {
            owner._loads.AddOrUpdate(account, 1, (_, count) => count + 1);
            return owner.RunAsync(account, () => store.LoadAsync(account, cancellationToken));
        }

        public ValueTask<long> GetVersionAsync(AccountId account, CancellationToken cancellationToken) =>
            owner.RunAsync(account, () => store.GetVersionAsync(account, cancellationToken));

        public ValueTask<AppendResult> AppendAsync(
            AccountId account, NewMessage message, ReadOnlyMemory<byte> data, ReadOnlyMemory<MessageHash> replaces, CancellationToken cancellationToken)
        {
            if (owner._onAppend.TryGetValue(account, out var action))
                action();
            return owner.RunAsync(account, async () =>
            {
                if (owner._holds.TryGetValue(account, out var until))
                    await until;
                return await store.AppendAsync(account, message, data, replaces, cancellationToken);
            });
        }

        public ValueTask<IReadOnlyList<ReadOnlyMemory<byte>?>> ReadAsync(
            AccountId account, ReadOnlyMemory<MessageHash> hashes, CancellationToken cancellationToken) =>
            owner.RunAsync(account, () => owner._hidden.ContainsKey(account)
                ? new(new ReadOnlyMemory<byte>?[hashes.Length])
                : store.ReadAsync(account, hashes, cancellationToken));

        public ValueTask<ChangeResult> RemoveAsync(
            AccountId account, ReadOnlyMemory<MessageHash> hashes, CancellationToken cancellationToken) =>
            owner.RunAsync(account, () => store.RemoveAsync(account, hashes, cancellationToken));

        public ValueTask<int> PruneAsync(AccountId account, ReadOnlyMemory<MessageHash> hashes, CancellationToken cancellationToken) =>
            owner.RunAsync(account, () => store.PruneAsync(account, hashes, cancellationToken));

        public ValueTask<ChangeResult> SetExpiriesAsync(
            AccountId account, ReadOnlyMemory<ExpiryChange> changes, CancellationToken cancellationToken) =>
            owner.RunAsync(account, () => store.SetExpiriesAsync(account, changes, cancellationToken));

        public ValueTask<RevocationResult> RevokeAsync(
            AccountId account, IReadOnlyList<ReadOnlyMemory<byte>> tokens, CancellationToken cancellationToken) =>
            owner.RunAsync(account, () => store.RevokeAsync(account, tokens, cancellationToken));

        public ValueTask<RevocationResult> UnrevokeAsync(
            AccountId account, IReadOnlyList<ReadOnlyMemory<byte>> tokens, CancellationToken cancellationToken) =>
            owner.RunAsync(account, () => store.UnrevokeAsync(account, tokens, cancellationToken));
    }
}
