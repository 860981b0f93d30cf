using System.Collections.Immutable;
using Session.Orleans.Grains.Mailboxes;
using Session.Orleans.Grains.Network;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Gateway.Omq;

/// <summary>
/// Who wants to hear of which new messages (storage-rpc.md, 17): one subscription per connection and account, for 65 minutes. Renewing it unites
/// the namespaces, and data once wanted stay wanted.
/// </summary>
internal sealed class OmqMonitors : IDisposable
{
    private static readonly TimeSpan SweepPeriod = TimeSpan.FromMinutes(1);

    private readonly MailboxWatchHub _hub;
    private readonly NetworkViewSource _views;
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private readonly Dictionary<AccountId, Dictionary<OmqConnection, Subscription>> _accounts = [];
    private readonly Dictionary<OmqConnection, HashSet<AccountId>> _connections = [];
    private ITimer? _sweeping;

    public OmqMonitors(MailboxWatchHub hub, NetworkViewSource views, TimeProvider time)
    {
        (_hub, _views, _time) = (hub, views, time);
        _hub.Stored += Tell;
    }

    /// <summary>Adds or renews a subscription. Returns once messages are watched for.</summary>
    public async ValueTask SubscribeAsync(OmqConnection connection, MonitorSubscription wanted, CancellationToken cancellationToken)
    {
        var account = wanted.Account;
        bool withData;
        lock (_lock)
        {
            _sweeping ??= _time.CreateTimer(_ => Sweep(), null, SweepPeriod, SweepPeriod);
            if (!_accounts.TryGetValue(account, out var subscriptions))
                _accounts[account] = subscriptions = [];
            var until = _time.GetUtcNow() + MonitorRequests.Lifetime;
            subscriptions[connection] = subscriptions.TryGetValue(connection, out var known) && known.Until > _time.GetUtcNow()
                ? new([.. known.Namespaces.Union(wanted.Namespaces)], known.WithData || wanted.WithData, until)
                : new(wanted.Namespaces, wanted.WithData, until);
            withData = subscriptions.Values.Any(subscription => subscription.WithData);
            if (!_connections.TryGetValue(connection, out var accounts))
                _connections[connection] = accounts = [];
            accounts.Add(account);
        }

        await _hub.WatchAsync(account, withData, cancellationToken);
        lock (_lock)
        {
            if (!_accounts.ContainsKey(account))
                _hub.Unwatch(account); // the connection ended meanwhile
        }
    }

    /// <summary>Ends all subscriptions of a connection.</summary>
    public void Leave(OmqConnection connection)
    {
        lock (_lock)
        {
            if (!_connections.Remove(connection, out var accounts))
                return;
            foreach (var account in accounts)
                Remove(account, connection);
        }
    }

    public void Dispose()
    {
        _hub.Stored -= Tell;
        _sweeping?.Dispose();
    }

    private void Tell(StoredNews news)
    {
        var account = AccountId.Parse(news.Account);
        ReadOnlyMemory<byte>? brief = null, full = null;
        lock (_lock)
        {
            if (!_accounts.TryGetValue(account, out var subscriptions) || _views.Current is not { } view)
                return;
            var (now, swarm) = (_time.GetUtcNow(), view.SwarmOf(account)?.Id);
            foreach (var (connection, subscription) in subscriptions)
            {
                // A node tells of what it stores, and that is what its swarm stores.
                var isMember = view.TryGetNode(connection.Node.Index, out var node) && node.SwarmId == swarm
                    && (news.Missing.IsDefaultOrEmpty || !news.Missing.Contains((ushort)node.Index));
                if (subscription.Until <= now || !isMember || !subscription.Namespaces.Contains(news.Namespace))
                    continue;
                connection.Notify(subscription.WithData ? full ??= Write(news, news.Data) : brief ??= Write(news, data: null));
            }
        }

        ReadOnlyMemory<byte> Write(StoredNews message, ReadOnlyMemory<byte>? data) =>
            MonitorRequests.WriteNotification(account, message.Hash, message.Namespace, message.Timestamp, message.Expiry, data);
    }

    private void Sweep()
    {
        lock (_lock)
        {
            var now = _time.GetUtcNow();
            var expired = _accounts.SelectMany(account => account.Value, (account, entry) => (Account: account.Key, Connection: entry.Key, entry.Value.Until))
                .Where(entry => entry.Until <= now).ToList();
            foreach (var (account, connection, _) in expired)
            {
                Remove(account, connection);
                if (_connections.TryGetValue(connection, out var accounts) && accounts.Remove(account) && accounts.Count == 0)
                    _connections.Remove(connection);
            }
        }
    }

    private void Remove(AccountId account, OmqConnection connection)
    {
        if (!_accounts.TryGetValue(account, out var subscriptions) || !subscriptions.Remove(connection) || subscriptions.Count > 0)
            return;
        _accounts.Remove(account);
        _hub.Unwatch(account);
    }

    private sealed record Subscription(ImmutableArray<short> Namespaces, bool WithData, DateTimeOffset Until);
}
