using System.Text;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Cluster.Tests.Mailboxes;

/// <summary>A store that does not have the payload of a message that its index names.</summary>
public sealed class MissingPayloadTests(TestCluster cluster)
{
    private const long Day = 86_400_000;

    private readonly AccountId _account = Ed25519KeyPair.Generate().SessionId;

    [Fact]
    public async Task Retrieve_WhileTheStoreCannotGiveThem_Fails_AndLosesNothing()
    {
        await StoreAsync("one");
        await StoreAsync("two");
        using (cluster.Store.HidePayloads(_account))
        {
            Assert.Equal(MailboxOutcome.StoreFailed, (await PageAsync()).Outcome);
            Assert.Equal(MailboxOutcome.StoreFailed, (await PageAsync()).Outcome);
        }

        Assert.Equal(["one", "two"], await RetrieveAsync());
    }

    [Fact]
    public async Task Retrieve_OfWhatTheStoreHasLost_FailsForAMinute_ThenGivesTheOthers()
    {
        await StoreAsync("one");
        using var hand = cluster.Clock.Hold();
        using (cluster.Store.HidePayloads(_account))
        {
            var start = cluster.Clock.NowMs;
            Assert.Equal(MailboxOutcome.StoreFailed, (await PageAsync()).Outcome);
            cluster.Clock.MoveTo(start + 59_999);
            Assert.Equal(MailboxOutcome.StoreFailed, (await PageAsync()).Outcome);
            cluster.Clock.MoveTo(start + 60_000);
            Assert.Empty(await RetrieveAsync());
            await StoreAsync("two", @namespace: 5);
            Assert.Equal(MailboxOutcome.StoreFailed, (await PageAsync(5)).Outcome);
        }

        Assert.Equal(["one"], await RetrieveAsync());
        Assert.Equal(["two"], await RetrieveAsync(5));
        using (cluster.Store.HidePayloads(_account))
            Assert.Equal(MailboxOutcome.StoreFailed, (await PageAsync()).Outcome); // another minute
    }

    [Fact]
    public async Task Retrieve_OfWhatAnotherHasRemoved_IsAnsweredWithoutIt()
    {
        await StoreAsync("one");
        await StoreAsync("two");
        await cluster.BehindTheirBack.RemoveAsync(_account, new[] { HashOf("one") });
        Assert.Equal(["two"], await RetrieveAsync());
    }

    [Fact]
    public async Task Retrieve_OfWhatTheStoreMayHaveExpired_IsAnsweredWithoutIt()
    {
        await StoreAsync("one", lifetime: 15_000);
        using (cluster.Store.HidePayloads(_account))
            Assert.Empty(await RetrieveAsync());
    }

    private async Task StoreAsync(string text, short @namespace = 0, long lifetime = Day)
    {
        var now = cluster.Clock.NowMs;
        var receipt = await cluster.Mailbox(_account).StoreAsync(new(HashOf(text, @namespace), @namespace, now, now + lifetime, Encoding.UTF8.GetBytes(text), default));
        Assert.Equal(MailboxOutcome.Done, receipt.Outcome);
    }

    private async Task<MessagePage> PageAsync(short @namespace = 0) =>
        await cluster.Mailbox(_account).RetrieveAsync(new(@namespace, null, 1000, null, default));

    private async Task<List<string>> RetrieveAsync(short @namespace = 0)
    {
        var page = await PageAsync(@namespace);
        Assert.Equal(MailboxOutcome.Done, page.Outcome);
        return [.. page.Messages.Select(message => Encoding.UTF8.GetString(message.Data.Span))];
    }

    private MessageHash HashOf(string text, short @namespace = 0) => MessageHash.Compute(_account, @namespace, Encoding.UTF8.GetBytes(text));
}
