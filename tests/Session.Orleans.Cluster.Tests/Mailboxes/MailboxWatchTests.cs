using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Core.Internal;
using Session.Orleans.Grains.Mailboxes;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Cluster.Tests.Mailboxes;

/// <summary>Watching mailboxes from any silo (storage-rpc.md, 17: push).</summary>
public sealed class MailboxWatchTests(TestCluster cluster)
{
    [Fact]
    public async Task NewMessage_IsToldToEverySiloThatWatches()
    {
        var account = Ed25519KeyPair.Generate().SessionId;
        var watches = cluster.Silos.Select(silo => new WatchedAccount(silo, account)).ToArray();
        for (var i = 0; i < watches.Length; i++)
            await watches[i].StartAsync(withData: i == 1);

        var message = await watches[0].StoreAsync();
        var again = await watches[0].Mailbox.StoreAsync(message);
        var next = await watches[0].StoreAsync();

        Assert.True(again.AlreadyStored);
        foreach (var watch in watches)
        {
            await Wait.UntilAsync(() => watch.News.Count == 2, "both messages are told of");
            // The repetition is not. On their way to another silo they may overtake each other.
            var news = watch.News.ToDictionary(one => one.Hash);
            Assert.Contains(next.Hash, news.Keys);
            var first = news[message.Hash];
            Assert.Equal((message.Timestamp, message.Expiry, message.Namespace), (first.Timestamp, first.Expiry, first.Namespace));
            Assert.Equal(watch == watches[1] ? message.Data.ToArray() : [], first.Data.ToArray());
        }

        foreach (var watch in watches)
            watch.Stop();
    }

    [Fact]
    public async Task MailboxThatLeaves_IsWatchedAgain()
    {
        var watch = new WatchedAccount(cluster.Silos[0]);
        await watch.StartAsync(withData: false);

        await watch.Mailbox.Cast<IGrainManagementExtension>().DeactivateOnIdle();

        await Wait.UntilAsync(watch.IsToldOfANewOneAsync, "new messages are told of again");
        watch.Stop();
    }
}

/// <summary>An account that a silo watches, and what it was told of it.</summary>
internal sealed class WatchedAccount
{
    private readonly MailboxWatchHub _hub;
    private int _stored;

    public WatchedAccount(TestSilo silo, AccountId? account = null)
    {
        Account = account ?? Ed25519KeyPair.Generate().SessionId;
        Mailbox = silo.Grains.GetGrain<IMailboxGrain>(Account.ToString());
        _hub = silo.Services.GetRequiredService<MailboxWatchHub>();
    }

    public AccountId Account { get; }

    public IMailboxGrain Mailbox { get; }

    public ConcurrentQueue<StoredNews> News { get; } = [];

    public async Task StartAsync(bool withData)
    {
        _hub.Stored += Hear;
        await _hub.WatchAsync(Account, withData, CancellationToken.None);
    }

    public void Stop()
    {
        _hub.Unwatch(Account);
        _hub.Stored -= Hear;
    }

    public async Task<MessageToStore> StoreAsync()
    {
        var data = BitConverter.GetBytes(++_stored);
        var now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        var message = new MessageToStore(MessageHash.Compute(Account, 0, data), 0, now, now + 3_600_000, data, default);
        await Mailbox.StoreAsync(message);
        return message;
    }

    /// <summary>Stores a message; true once any is told of. A mailbox whose silo is dead refuses for a while.</summary>
    public async Task<bool> IsToldOfANewOneAsync()
    {
        News.Clear();
        try
        {
            await StoreAsync();
        }
        catch (Exception exception) when (exception is TimeoutException or OrleansMessageRejectionException or SiloUnavailableException)
        {
            return false;
        }

        // Told of within the round trip of the next message, or not at all.
        await Mailbox.FindAsync(new([], null, null, default));
        return !News.IsEmpty;
    }

    private void Hear(StoredNews news)
    {
        if (news.Account == Account.ToString())
            News.Enqueue(news);
    }
}
