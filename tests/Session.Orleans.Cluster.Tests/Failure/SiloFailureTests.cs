using System.Diagnostics;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Core.Internal;
using Orleans.Runtime.Placement;
using Session.Orleans.Client;
using Session.Orleans.Cluster.Tests.Mailboxes;
using Session.Orleans.Grains.Network;

namespace Session.Orleans.Cluster.Tests.Failure;

public sealed partial class SiloFailureTests
{
    private const int Senders = 8;

    // A request that hangs on a dead silo is given up and tried again: clients do that after some seconds too.
    private static readonly TimeSpan ClientTimeout = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan RecoveryLimit = TimeSpan.FromSeconds(60); // so that the test ends; it says what it took

    [Fact]
    public async Task KilledSilo_UnderTraffic_LosesNothingAndIsReplacedWithinSeconds()
    {
        await using var store = EmbeddedStore.EmbeddedStore.Start(new() { Port = 0 });
        await using var victim = await ChildSilo.StartAsync("kill", store.ConnectionString);
        await using var a = await TestSilo.StartAsync("kill", store.ConnectionString);
        await using var b = await TestSilo.StartAsync("kill", store.ConnectionString);
        await TestCluster.UntilAllSeeAsync([a, b], 3);
        using var clientA = await TestClient.CreateAsync(a.Seed, TimeProvider.System, ClientTimeout);
        using var clientB = await TestClient.CreateAsync(b.Seed, TimeProvider.System, ClientTimeout);
        using var clientC = await TestClient.CreateAsync(victim.Seed, TimeProvider.System, ClientTimeout);

        var address = a.Services.GetRequiredService<ISiloStatusOracle>().GetApproximateSiloStatuses(onlyActive: true).Keys
            .Single(silo => !silo.Equals(a.Address) && !silo.Equals(b.Address));

        // The worst case: the silo has the network, a share of the nodes, and the mailboxes of half of the senders.
        await MoveNetworkAsync(a.Grains, address);
        var nodes = a.View.Nodes.Take(TestSilo.Nodes / 3).Select(node => node.PublicKey.ToString());
        await PlaceAsync(nodes, address, key => a.Grains.GetGrain<IServiceNodeGrain>(key).StorageRpcAsync("{}"u8.ToArray()).AsTask());
        async Task PlaceMailboxesAsync(SequentialSender[] senders) => await PlaceAsync(
            senders.Take(Senders / 2).Select(sender => sender.Account.SessionId.ToString()), address,
            key => a.Grains.GetGrain<IMailboxGrain>(key).FindAsync(new([], null, null, default)).AsTask());

        await RunTrafficAsync([clientA, clientB, clientC], clientA, PlaceMailboxesAsync, async senders =>
        {
            var places = await TypesOnAsync(a.Grains, address);
            Assert.Superset(new HashSet<string> { "network", "mailbox", "service-node" }, places);
            var height = a.View.Height;
            var killed = Stopwatch.GetTimestamp();
            await victim.KillAsync();
            await Wait.UntilAsync(() => senders.All(sender => sender.LastStart > killed), "every mailbox takes messages again", RecoveryLimit);
            var traffic = Stopwatch.GetElapsedTime(killed);
            await TestCluster.UntilAllSeeAsync([a, b], 2);
            await Wait.UntilAsync(() => a.View.Height > height + 1 && b.View.Height > height + 1, "blocks go on", RecoveryLimit);
            TestContext.Current.TestOutputHelper!.WriteLine(
                $"traffic after {traffic.TotalSeconds:F1} s, two silos and new blocks after {Stopwatch.GetElapsedTime(killed).TotalSeconds:F1} s");
        });
    }

    [Fact]
    public async Task StoppedSilo_UnderTraffic_LosesNothingAndHandsOver()
    {
        await using var store = EmbeddedStore.EmbeddedStore.Start(new() { Port = 0 });
        await using var leaver = await TestSilo.StartAsync("stop", store.ConnectionString);
        await using var a = await TestSilo.StartAsync("stop", store.ConnectionString);
        await using var b = await TestSilo.StartAsync("stop", store.ConnectionString);
        await TestCluster.UntilAllSeeAsync([leaver, a, b], 3);
        using var clientA = await TestClient.CreateAsync(a.Seed, TimeProvider.System, ClientTimeout);
        using var clientB = await TestClient.CreateAsync(b.Seed, TimeProvider.System, ClientTimeout);
        using var clientC = await TestClient.CreateAsync(leaver.Seed, TimeProvider.System, ClientTimeout);

        await RunTrafficAsync([clientA, clientB, clientC], clientA, _ => Task.CompletedTask, async senders =>
        {
            var height = a.View.Height;
            var watch = Stopwatch.StartNew();
            await leaver.StopAsync();
            var stopped = Stopwatch.GetTimestamp();
            var took = watch.Elapsed;
            await Wait.UntilAsync(() => senders.All(sender => sender.LastStart > stopped), "every mailbox takes messages again", RecoveryLimit);
            var traffic = watch.Elapsed;
            await Wait.UntilAsync(() => a.View.Height > height + 1 && b.View.Height > height + 1, "blocks go on", RecoveryLimit);
            TestContext.Current.TestOutputHelper!.WriteLine(
                $"stopped in {took.TotalSeconds:F1} s, traffic after {traffic.TotalSeconds:F1} s, new blocks after {watch.Elapsed.TotalSeconds:F1} s");
        });
    }

    [Fact]
    public async Task KilledSilo_ItsMailboxes_AreWatchedAgain()
    {
        await using var store = EmbeddedStore.EmbeddedStore.Start(new() { Port = 0 });
        await using var victim = await ChildSilo.StartAsync("watch", store.ConnectionString);
        await using var a = await TestSilo.StartAsync("watch", store.ConnectionString);
        await TestCluster.UntilAllSeeAsync([a], 2);
        var address = a.Services.GetRequiredService<ISiloStatusOracle>().GetApproximateSiloStatuses(onlyActive: true).Keys.Single(silo => !silo.Equals(a.Address));
        var watch = new WatchedAccount(a);
        await PlaceAsync([watch.Account.ToString()], address, _ => watch.Mailbox.FindAsync(new([], null, null, default)).AsTask());
        await watch.StartAsync(withData: false);
        await watch.StoreAsync();
        await Wait.UntilAsync(() => watch.News.Count == 1, "the first message is told of");
        Assert.Contains("mailbox", await TypesOnAsync(a.Grains, address));

        await victim.KillAsync();

        var after = await Wait.UntilAsync(watch.IsToldOfANewOneAsync, "new messages are told of again");
        TestContext.Current.TestOutputHelper!.WriteLine($"watched again after {after.TotalSeconds:F1} s");
    }

    private static async Task RunTrafficAsync(TestClient[] clients, TestClient survivor, Func<SequentialSender[], Task> prepare, Func<SequentialSender[], Task> disturb)
    {
        var senders = Enumerable.Range(0, Senders).Select(_ => new SequentialSender(clients)).ToArray();
        await prepare(senders);
        using var stop = new CancellationTokenSource();
        var running = Task.WhenAll(senders.Select(sender => sender.RunAsync(stop.Token)));
        try
        {
            await Wait.UntilAsync(() => senders.All(sender => sender.Acknowledged >= 5), "traffic runs");
            await disturb(senders);
        }
        finally
        {
            await stop.CancelAsync();
            await running.WaitAsync(Wait.Limit);
        }

        var failures = senders.SelectMany(sender => sender.Failures).ToArray();
        TestContext.Current.TestOutputHelper!.WriteLine($"{senders.Sum(sender => sender.Acknowledged)} messages; failed attempts: {Summary(failures)}");
        foreach (var sender in senders)
            await sender.AssertNothingLostAsync(survivor);
        Assert.All(failures, failure => Assert.True(IsRetryable(failure), failure.Message));
    }

    private static async Task<HashSet<string>> TypesOnAsync(IGrainFactory grains, SiloAddress silo) =>
        [.. (await grains.GetGrain<IManagementGrain>(0).GetDetailedGrainStatistics(hostsIds: [silo])).Select(one => one.GrainId.Type.ToString()!)];

    private static async Task MoveNetworkAsync(IGrainFactory grains, SiloAddress silo)
    {
        var network = grains.GetGrain<INetworkGrain>(new NetworkOptions().Name).Cast<IGrainManagementExtension>();
        RequestContext.Set(IPlacementDirector.PlacementHintKey, silo);
        await Wait.UntilAsync(
            async () =>
            {
                if ((await TypesOnAsync(grains, silo)).Contains("network"))
                    return true;
                await network.MigrateOnIdle();
                return false;
            },
            "the network grain has moved");
        RequestContext.Clear();
    }

    /// <summary>Makes grains that are not active yet so, by a call, on a certain silo.</summary>
    private static async Task PlaceAsync(IEnumerable<string> keys, SiloAddress silo, Func<string, Task> call)
    {
        RequestContext.Set(IPlacementDirector.PlacementHintKey, silo);
        foreach (var key in keys)
            await call(key);
        RequestContext.Clear();
    }

    // No answer at all, or one that makes a client try another path.
    private static bool IsRetryable(SessionClientException failure) => failure.Status is 0 or 502 or 503 or 504;

    private static string Summary(SessionClientException[] failures) => string.Join(
        "; ", failures.CountBy(failure => Address().Replace(failure.Message, "a node")).Select(pair => $"{pair.Value} x {pair.Key}"));

    [GeneratedRegex(@"127\.0\.0\.1:\d+")]
    private static partial Regex Address();
}
