using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Session.Orleans.Grains.Mailboxes;

/// <summary>
/// This silo's watch over mailboxes of the whole cluster, on behalf of its clients. Each mailbox is asked again every minute, which renews the
/// lease and keeps it in memory; at once when it says that it leaves; and every few seconds after the cluster has changed, for a mailbox whose
/// silo died could not say so. What is stored before the new activation has been asked is not heard of.
/// </summary>
public sealed partial class MailboxWatchHub : IDisposable
{
    private static readonly TimeSpan RenewPeriod = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan UnsettledPeriod = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(1);
    private const int MaxCallsAtOnce = 64;

    private readonly ConcurrentDictionary<AccountId, Watched> _watched = new();
    private readonly MailboxGrains _mailboxes;
    private readonly ClusterChanges _cluster;
    private readonly TimeProvider _time;
    private readonly ILogger<MailboxWatchHub> _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lazy<IMailboxObserver> _self;
    private readonly Observer _observer;   // Orleans refers to it weakly
    private readonly Lock _starting = new();
    private Task? _renewing;

    internal MailboxWatchHub(
        IGrainFactory grains, MailboxGrains mailboxes, ClusterChanges cluster, TimeProvider time, ILogger<MailboxWatchHub> logger)
    {
        (_mailboxes, _cluster, _time, _logger) = (mailboxes, cluster, time, logger);
        _observer = new(this);
        _self = new(() => grains.CreateObjectReference<IMailboxObserver>(_observer));
    }

    /// <summary>Called for every new message of a watched mailbox, also of namespaces that nobody asked for. Must not block.</summary>
    public event Action<StoredNews>? Stored;

    /// <summary>
    /// Watches a mailbox until <see cref="Unwatch"/>. Returns once the mailbox knows, so that a message stored afterwards is heard of.
    /// </summary>
    /// <param name="account">The account.</param>
    /// <param name="withData">True if the messages themselves are wanted. Once wanted, they stay wanted.</param>
    /// <param name="cancellationToken">Ends the wait, not the watch.</param>
    public async ValueTask WatchAsync(AccountId account, bool withData, CancellationToken cancellationToken)
    {
        var watched = _watched.GetOrAdd(account, static _ => new());
        watched.WithData |= withData;
        Start();
        await RenewAsync(account, watched, cancellationToken);
    }

    /// <summary>Ends the watch over a mailbox.</summary>
    public void Unwatch(AccountId account) => _watched.TryRemove(account, out _);

    /// <summary>Ends every watch.</summary>
    public void Dispose()
    {
        _stopping.Cancel();
        _stopping.Dispose();
    }

    private void Start()
    {
        // Not before there is something to watch: an idle process does not wake up every second.
        lock (_starting)
            _renewing ??= Task.Run(RenewAllAsync);
    }

    private async Task RenewAllAsync()
    {
        var stopping = _stopping.Token;
        var calls = new ParallelOptions { MaxDegreeOfParallelism = MaxCallsAtOnce, CancellationToken = stopping };
        using var timer = new PeriodicTimer(Tick, _time);
        while (await timer.WaitForNextTickAsync(stopping))
        {
            var period = _cluster.AreRecent ? UnsettledPeriod : RenewPeriod;
            var due = _watched.Where(entry => _time.GetElapsedTime(entry.Value.RenewedAt) >= period);
            await Parallel.ForEachAsync(due, calls, (entry, token) => RenewAsync(entry.Key, entry.Value, token));
        }
    }

    private async ValueTask RenewAsync(AccountId account, Watched watched, CancellationToken cancellationToken)
    {
        if (_cluster.IsLeaving)
            return;   // the clients of this silo are going too
        try
        {
            // By message also on this silo: only that keeps the mailbox in memory, and reaches its successor when it is ending.
            await _mailboxes.Reference(account).WatchAsync(_self.Value, watched.WithData, cancellationToken);
            watched.RenewedAt = _time.GetTimestamp();
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            LogRenewFailed(exception);   // and try again at the next tick
        }
    }

    [LoggerMessage(EventId = 2111, Level = LogLevel.Warning, Message = "A watched mailbox did not answer; trying again")]
    private partial void LogRenewFailed(Exception exception);

    private sealed class Watched
    {
        private volatile bool _withData;
        private long _renewedAt = long.MinValue / 2;

        public bool WithData
        {
            get => _withData;
            set => _withData = value;
        }

        public long RenewedAt
        {
            get => Volatile.Read(ref _renewedAt);
            set => Volatile.Write(ref _renewedAt, value);
        }
    }

    private sealed class Observer(MailboxWatchHub hub) : IMailboxObserver
    {
        public Task StoredAsync(StoredNews news)
        {
            hub.Stored?.Invoke(news);
            return Task.CompletedTask;
        }

        public async Task LeftAsync(string account)
        {
            if (AccountId.TryParse(account, out var id) && hub._watched.TryGetValue(id, out var watched))
                await hub.RenewAsync(id, watched, hub._stopping.Token);
        }
    }
}
