using System.Diagnostics;
using System.Text.RegularExpressions;
using Session.Orleans.Client;

namespace Session.Orleans.Cluster.Tests.Failure;

public sealed partial class SiloFailureTests
{
    private const int Senders = 8;

    // A request that hangs on a dead silo is given up and tried again: clients do that after some seconds too.
    private static readonly TimeSpan ClientTimeout = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan RecoveryLimit = TimeSpan.FromSeconds(15);

    [Fact]
    public async Task KilledSilo_UnderTraffic_LosesNothingAndIsReplacedWithinSeconds()
    {
        await using var store = EmbeddedStore.EmbeddedStore.Start();
        // The first silo has the network grain, and the one that is killed should.
        await using var victim = await ChildSilo.StartAsync("kill", store.ConnectionString);
        await using var a = await TestSilo.StartAsync("kill", store.ConnectionString);
        await using var b = await TestSilo.StartAsync("kill", store.ConnectionString);
        await TestCluster.UntilAllSeeAsync([a, b], 3);
        using var clientA = await TestClient.CreateAsync(a.Seed, TimeProvider.System, ClientTimeout);
        using var clientB = await TestClient.CreateAsync(b.Seed, TimeProvider.System, ClientTimeout);
        using var clientC = await TestClient.CreateAsync(victim.Seed, TimeProvider.System, ClientTimeout);

        await RunTrafficAsync([clientA, clientB, clientC], clientA, async senders =>
        {
            var places = (await a.Grains.GetGrain<IManagementGrain>(0).GetDetailedGrainStatistics())
                .Where(one => !one.SiloAddress.Equals(a.Address) && !one.SiloAddress.Equals(b.Address)).Select(one => one.GrainId.Type.ToString()).ToList();
            Assert.Contains("network", places);
            Assert.Contains("mailbox", places);
            Assert.Contains("service-node", places);
            var height = a.View.Height;
            var killed = Stopwatch.GetTimestamp();
            await victim.KillAsync();
            await Wait.UntilAsync(() => senders.All(sender => sender.LastStart > killed), "every mailbox takes messages again", RecoveryLimit);
            var traffic = Stopwatch.GetElapsedTime(killed);
            await TestCluster.UntilAllSeeAsync([a, b], 2);
            await Wait.UntilAsync(() => a.View.Height > height + 1 && b.View.Height > height + 1, "blocks go on", RecoveryLimit);
            TestContext.Current.TestOutputHelper!.WriteLine(
                $"traffic after {traffic.TotalSeconds:F1} s, two silos and new blocks after {Stopwatch.GetElapsedTime(killed).TotalSeconds:F1} s");
            Assert.True(Stopwatch.GetElapsedTime(killed) < RecoveryLimit, "The cluster took too long to heal.");
        });
    }

    [Fact]
    public async Task StoppedSilo_UnderTraffic_LosesNothingAndHandsOver()
    {
        await using var store = EmbeddedStore.EmbeddedStore.Start();
        await using var leaver = await TestSilo.StartAsync("stop", store.ConnectionString);
        await using var a = await TestSilo.StartAsync("stop", store.ConnectionString);
        await using var b = await TestSilo.StartAsync("stop", store.ConnectionString);
        await TestCluster.UntilAllSeeAsync([leaver, a, b], 3);
        using var clientA = await TestClient.CreateAsync(a.Seed, TimeProvider.System, ClientTimeout);
        using var clientB = await TestClient.CreateAsync(b.Seed, TimeProvider.System, ClientTimeout);
        using var clientC = await TestClient.CreateAsync(leaver.Seed, TimeProvider.System, ClientTimeout);

        await RunTrafficAsync([clientA, clientB, clientC], clientA, async senders =>
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

    private static async Task RunTrafficAsync(TestClient[] clients, TestClient survivor, Func<SequentialSender[], Task> disturb)
    {
        var senders = Enumerable.Range(0, Senders).Select(_ => new SequentialSender(clients)).ToArray();
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

    // No answer at all, or one that makes a client try another path.
    private static bool IsRetryable(SessionClientException failure) => failure.Status is 0 or 502 or 503 or 504;

    private static string Summary(SessionClientException[] failures) => string.Join(
        "; ", failures.CountBy(failure => Address().Replace(failure.Message, "a node")).Select(pair => $"{pair.Value} x {pair.Key}"));

    [GeneratedRegex(@"127\.0\.0\.1:\d+")]
    private static partial Regex Address();
}
