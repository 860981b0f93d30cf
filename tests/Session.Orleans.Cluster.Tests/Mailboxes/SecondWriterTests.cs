using System.Text;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;
using Session.Orleans.Storage;

namespace Session.Orleans.Cluster.Tests.Mailboxes;

/// <summary>What a mailbox does when another activation of it writes at the same time.</summary>
public sealed class SecondWriterTests(TestCluster cluster) : IDisposable
{
    private readonly AccountId _account = Ed25519KeyPair.Generate().SessionId;

    private IMailboxGrain Mailbox => cluster.Mailbox(_account);

    [Fact]
    public async Task Store_AfterAnotherWriter_NoticesItAndKeepsTheStoresOrder()
    {
        await StoreAsync("one");
        await StoreBehindItsBackAsync("two");
        await StoreAsync("three");
        await StoreBehindItsBackAsync("four");
        await StoreAsync("five");
        Assert.Equal(["one", "two", "three", "four", "five"], await RetrieveAsync());
    }

    [Fact]
    public async Task Store_OfWhatAnotherWriterStored_IsADuplicateInItsPlace()
    {
        await StoreAsync("one");
        await StoreBehindItsBackAsync("two");
        await StoreBehindItsBackAsync("three");
        Assert.True((await StoreAsync("two")).AlreadyStored);
        Assert.Equal(["one", "two", "three"], await RetrieveAsync());
    }

    [Fact]
    public async Task Retrieve_WhileTheClusterIsUnsettled_SeesAnotherWritersMessageAtOnce()
    {
        await StoreAsync("one");
        Assert.Equal(["one"], await RetrieveAsync());
        cluster.Unsettle();
        await StoreBehindItsBackAsync("two");
        Assert.Equal(["one", "two"], await RetrieveAsync());
    }

    [Fact]
    public async Task Retrieve_WhileTheClusterIsUnsettled_SeesAnotherWritersRemovalAtOnce()
    {
        await StoreAsync("one");
        await StoreAsync("two");
        cluster.Unsettle();
        await cluster.BehindTheirBack.RemoveAsync(_account, new[] { HashOf("one") });
        Assert.Equal(["two"], await RetrieveAsync());
    }

    [Fact]
    public async Task Retrieve_OnceTheClusterHasSettled_AnswersFromMemory()
    {
        await StoreAsync("one");
        await RetrieveAsync();
        var loads = cluster.Store.LoadsOf(_account);
        for (var i = 0; i < 5; i++)
            Assert.Equal(["one"], await RetrieveAsync());
        Assert.Equal(loads, cluster.Store.LoadsOf(_account));
    }

    [Fact]
    public async Task RemoveAndExpire_AfterAnotherWriter_DoNotHideItsMessages()
    {
        await StoreAsync("one");
        await StoreBehindItsBackAsync("two");
        await Mailbox.RemoveAsync(new([HashOf("one")], null, null, default));
        Assert.Equal(["two"], await RetrieveAsync());

        await StoreBehindItsBackAsync("three");
        var change = await Mailbox.SetExpiriesAsync(new([HashOf("two")], null, null, default), [Later(2)], ExpireMode.Set);
        Assert.Equal(Later(2) / 100_000, Assert.Single(change.Changed).Expiry / 100_000);
        Assert.Equal(["two", "three"], await RetrieveAsync());
    }

    [Fact]
    public async Task PublicOutbox_WithTwoWriters_KeepsTheLastMessageOnly()
    {
        const short Outbox = -1;
        await StoreAsync("one", Outbox);
        await StoreBehindItsBackAsync("two", Outbox);
        await StoreAsync("three", Outbox);
        Assert.Equal(["three"], await RetrieveAsync(Outbox));
        Assert.Single((await cluster.BehindTheirBack.LoadAsync(_account)).Messages);
    }

    [Fact]
    public async Task TwoWritersAtOnce_WhileTheClusterIsUnsettled_NoReaderMissesOrRepeatsAMessage()
    {
        const int Each = 60;
        cluster.Unsettle();
        var writing = Task.WhenAll(
            Task.Run(() => WriteAsync("grain", text => StoreAsync(text))),
            Task.Run(() => WriteAsync("other", text => StoreBehindItsBackAsync(text))));

        // A client follows its last hash, as clients do.
        List<string> read = [];
        MessageHash? last = null;
        var finished = false;
        while (true)
        {
            finished |= writing.IsCompleted;
            var page = await PageAsync(0, last);
            foreach (var message in page.Messages)
            {
                read.Add(Encoding.UTF8.GetString(message.Data.Span));
                last = message.Hash;
            }

            if (finished && page.Messages.IsEmpty)
                break;
        }

        await writing;
        foreach (var writer in new[] { "grain", "other" })
        {
            Assert.Equal(
                Enumerable.Range(0, Each).Select(i => $"{writer} {i}"), read.Where(text => text.StartsWith(writer, StringComparison.Ordinal)));
        }

        Assert.Equal(read, await RetrieveAsync());

        static async Task WriteAsync(string writer, Func<string, Task> write)
        {
            for (var i = 0; i < Each; i++)
                await write($"{writer} {i}");
        }
    }

    public void Dispose() => cluster.SettleDown();

    private async Task<StoreReceipt> StoreAsync(string text, short @namespace = 0)
    {
        var receipt = await Mailbox.StoreAsync(
            new(HashOf(text, @namespace), @namespace, cluster.Clock.NowMs, Later(1), Encoding.UTF8.GetBytes(text), default));
        Assert.Equal(MailboxOutcome.Done, receipt.Outcome);
        return receipt;
    }

    private async Task StoreBehindItsBackAsync(string text, short @namespace = 0) => await cluster.BehindTheirBack.AppendAsync(
        _account, new(HashOf(text, @namespace), @namespace, cluster.Clock.NowMs, Later(1)), Encoding.UTF8.GetBytes(text));

    private async Task<MessagePage> PageAsync(short @namespace, MessageHash? after = null)
    {
        var page = await Mailbox.RetrieveAsync(new(@namespace, after, 1000, null, default));
        Assert.Equal(MailboxOutcome.Done, page.Outcome);
        return page;
    }

    private async Task<List<string>> RetrieveAsync(short @namespace = 0) =>
        [.. (await PageAsync(@namespace)).Messages.Select(message => Encoding.UTF8.GetString(message.Data.Span))];

    private MessageHash HashOf(string text, short @namespace = 0) => MessageHash.Compute(_account, @namespace, Encoding.UTF8.GetBytes(text));

    private long Later(int days) => cluster.Clock.NowMs + (days * 86_400_000L);
}
