namespace Session.Orleans.Grains.Mailboxes;

/// <summary>
/// Who watches a mailbox, each until its lease runs out. Telling them costs a one-way message and waits for nothing. Safe for concurrent use: a
/// watch interleaves with stores.
/// </summary>
internal sealed class MailboxWatchers(TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<IMailboxObserver, (bool WithData, long Until)> _observers = [];

    /// <summary>Adds an observer or renews its lease.</summary>
    public void Add(IMailboxObserver observer, bool withData)
    {
        lock (_lock)
        {
            RemoveExpired();
            _observers[observer] = (withData, time.GetTimestamp() + (long)(MailboxWatch.Lease.TotalSeconds * time.TimestampFrequency));
        }
    }

    /// <summary>Tells of a message that is stored durably.</summary>
    public void Tell(AccountId account, MessageToStore message)
    {
        lock (_lock)
        {
            RemoveExpired();
            if (_observers.Count == 0)
                return;
            var news = new StoredNews(account.ToString(), message.Hash, message.Namespace, message.Timestamp, message.Expiry, message.Data, message.Missing);
            foreach (var (observer, watch) in _observers)
                observer.StoredAsync(watch.WithData ? news : news with { Data = default }).Ignore();
        }
    }

    /// <summary>Tells that the mailbox goes away.</summary>
    public void Leave(AccountId account)
    {
        lock (_lock)
        {
            RemoveExpired();
            foreach (var observer in _observers.Keys)
                observer.LeftAsync(account.ToString()).Ignore();
            _observers.Clear();
        }
    }

    private void RemoveExpired()
    {
        var now = time.GetTimestamp();
        foreach (var (observer, watch) in _observers)
        {
            if (watch.Until <= now)
                _observers.Remove(observer);
        }
    }
}
