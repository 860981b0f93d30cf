using System.Globalization;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Core.Internal;
using Session.Orleans.Grains.Mailboxes;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Cluster.Tests.Mailboxes;

/// <summary>Mailboxes that are called directly on their silo, on any thread, beside those that call them by message.</summary>
public sealed class LocalMailboxTests(TestCluster cluster)
{
    private readonly AccountId _account = Ed25519KeyPair.Generate().SessionId;

    [Fact]
    public async Task For_IsTheActivationOnItsSilo_AndAReferenceOnTheOthers()
    {
        await StoreAsync(cluster.Mailbox(_account), "one");
        Assert.Single(cluster.Silos, silo => Mailboxes(silo).For(_account) is not GrainReference);
    }

    [Fact]
    public async Task Changes_FromManyThreadsAndByMessage_AreAllKept_EachOnce()
    {
        var local = await ActivateAsync();
        var texts = Enumerable.Range(0, 300).Select(i => i.ToString(CultureInfo.InvariantCulture)).ToArray();
        await Parallel.ForEachAsync(texts, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (text, _) =>
        {
            var number = int.Parse(text, CultureInfo.InvariantCulture);
            await StoreAsync(number % 2 == 0 ? local : cluster.Mailbox(_account), text);
            var page = await local.RetrieveAsync(new(0, null, null, null, default), TestContext.Current.CancellationToken);
            Assert.Contains(text, page.Messages.Select(message => Encoding.UTF8.GetString(message.Data.Span)));
        });
        Assert.Equal(texts.Order(), (await RetrieveAsync(local)).Order());
        Assert.Equal(await RetrieveAsync(cluster.Mailbox(_account)), await RetrieveAsync(local));
    }

    [Fact]
    public async Task Deactivation_WaitsForADirectChange_SoThatTheNextActivationKnowsIt()
    {
        var local = await ActivateAsync();
        var release = new TaskCompletionSource();
        cluster.Store.HoldAppends(_account, release.Task);
        var storing = StoreAsync(local, "held");
        await cluster.Mailbox(_account).Cast<IGrainManagementExtension>().DeactivateOnIdle();
        await Wait.UntilAsync(() => cluster.Silos.All(silo => Mailboxes(silo).For(_account) is GrainReference), "the mailbox ends");
        var polling = RetrieveAsync(cluster.Mailbox(_account));
        Assert.False(storing.IsCompleted);
        release.SetResult();
        await storing;
        Assert.Equal(["held"], await polling);
    }

    [Fact]
    public async Task AnEndedActivation_PassesCallsOnToItsSuccessor()
    {
        var ended = await ActivateAsync();
        await cluster.Mailbox(_account).Cast<IGrainManagementExtension>().DeactivateOnIdle();
        await Wait.UntilAsync(() => cluster.Silos.All(silo => !ReferenceEquals(Mailboxes(silo).For(_account), ended)), "the mailbox ends");
        await StoreAsync(cluster.Mailbox(_account), "one");
        await StoreAsync(ended, "two");
        Assert.Equal(["one", "two"], await RetrieveAsync(ended));
        Assert.Equal(["one", "two"], await RetrieveAsync(cluster.Mailbox(_account)));
        Assert.Equal(2, (await ended.RemoveAsync(new(default, null, null, default), TestContext.Current.CancellationToken)).Changed.Length);
        Assert.Empty(await RetrieveAsync(cluster.Mailbox(_account)));
    }

    private static MailboxGrains Mailboxes(TestSilo silo) => silo.Services.GetRequiredService<MailboxGrains>();

    private async Task<IMailboxGrain> ActivateAsync()
    {
        await RetrieveAsync(cluster.Mailbox(_account));
        return cluster.Silos.Select(silo => Mailboxes(silo).For(_account)).Single(mailbox => mailbox is not GrainReference);
    }

    private async Task<StoreReceipt> StoreAsync(IMailboxGrain mailbox, string text)
    {
        var data = Encoding.UTF8.GetBytes(text);
        var now = cluster.Clock.GetUtcNow().ToUnixTimeMilliseconds();
        return await mailbox.StoreAsync(
            new(MessageHash.Compute(_account, 0, data), 0, now, now + 86_400_000, data, default), TestContext.Current.CancellationToken);
    }

    private static async Task<string[]> RetrieveAsync(IMailboxGrain mailbox)
    {
        var page = await mailbox.RetrieveAsync(new(0, null, null, null, default), TestContext.Current.CancellationToken);
        return [.. page.Messages.Select(message => Encoding.UTF8.GetString(message.Data.Span))];
    }
}
