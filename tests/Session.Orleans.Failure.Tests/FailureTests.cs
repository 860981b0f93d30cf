using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Session.Orleans.Failure.Tests.Workload;

namespace Session.Orleans.Failure.Tests;

/// <summary>
/// What goes wrong in machine rooms, under traffic: nothing acknowledged is lost, doubled or moved, and all comes right by itself. Short by
/// default; <c>SESSION_FAILURE=long</c> repeats and prolongs.
/// </summary>
public sealed class FailureTests(FailureCluster cluster) : IClassFixture<FailureCluster>
{
    private static int Mailboxes => FailureCluster.IsLong ? 12 : 6;

    private static int KilledSilos => FailureCluster.IsLong ? 20 : 1;

    // In the short run at least until the others have declared it dead.
    private static TimeSpan Frozen => TimeSpan.FromSeconds(FailureCluster.IsLong ? 60 : 10);

    private static TimeSpan RedisAway => TimeSpan.FromSeconds(FailureCluster.IsLong ? 10 : 6);

    [Fact]
    public async Task KilledSilos_OneAfterAnother()
    {
        await RunAsync(async (traffic, _) =>
        {
            for (var round = 1; round <= KilledSilos; round++)
            {
                var silos = cluster.Members().Where(member => member.IsSilo).ToArray();
                var victim = silos[Random.Shared.Next(silos.Length)];
                var start = Stopwatch.GetTimestamp();
                Signals.Send(victim.ProcessId, Signals.Kill);
                await traffic.UntilAllMailboxesWorkAsync();
                var served = Stopwatch.GetElapsedTime(start);
                await cluster.UntilWholeAsync(victim.ProcessId);
                Write($"{round}. {victim.Name} killed: every mailbox serves after {served.TotalSeconds:0.0} s, whole after {Stopwatch.GetElapsedTime(start).TotalSeconds:0.0} s");
            }
        });
    }

    [Fact]
    public async Task KilledGateway()
    {
        await RunAsync(async (traffic, _) =>
        {
            var victim = cluster.Members().First(member => !member.IsSilo);
            var start = Stopwatch.GetTimestamp();
            Signals.Send(victim.ProcessId, Signals.Kill);
            await traffic.UntilAllMailboxesWorkAsync();
            await cluster.UntilWholeAsync(victim.ProcessId);
            Write($"{victim.Name} killed: whole after {Stopwatch.GetElapsedTime(start).TotalSeconds:0.0} s");
        });
    }

    [Fact]
    public async Task RollingRestart_NoClientNotices()
    {
        await RunAsync(async (traffic, _) =>
        {
            var before = cluster.Members().Select(member => member.ProcessId).ToArray();
            var result = await TestnetProcess.RunAsync($"silos restart --data \"{cluster.Testnet.Directory}\"", TimeSpan.FromMinutes(3));
            Assert.True(result.ExitCode == 0, result.Error);
            Write(result.Output.Trim());
            await cluster.UntilWholeAsync(before);
            await traffic.UntilAllMailboxesWorkAsync();
            AssertNoneFailed(traffic);
        });
    }

    [Fact]
    public async Task FrozenSilo_ThatIsDeclaredDeadAndThaws()
    {
        await RunAsync(async (traffic, cancellationToken) =>
        {
            var victim = cluster.Members().Last(member => member.IsSilo);
            Signals.Send(victim.ProcessId, Signals.Stop);
            try
            {
                var start = Stopwatch.GetTimestamp();
                await traffic.UntilAllMailboxesWorkAsync();
                var served = Stopwatch.GetElapsedTime(start);
                Write($"{victim.Name} frozen: every mailbox serves after {served.TotalSeconds:0.0} s");
                if (served < Frozen)
                    await Task.Delay(Frozen - served, cancellationToken); // the fault itself
            }
            finally
            {
                Signals.Send(victim.ProcessId, Signals.Continue);
            }

            // Declared dead, it ends when it learns of it, and another takes its place.
            await cluster.UntilWholeAsync(victim.ProcessId);
            await traffic.UntilAllMailboxesWorkAsync();
        });
    }

    [Fact]
    public async Task KilledStore_ComesBack()
    {
        await RunAsync(async (traffic, _) =>
        {
            await cluster.Redis.KillAndStartAgainAsync();
            await traffic.UntilAllMailboxesWorkAsync();
            await cluster.UntilWholeAsync();
        });
    }

    [Fact]
    public async Task PausedStore_GoesOn()
    {
        await RunAsync(async (traffic, cancellationToken) =>
        {
            cluster.Redis.Pause();
            try
            {
                await Task.Delay(RedisAway, cancellationToken); // the fault itself
            }
            finally
            {
                cluster.Redis.Resume();
            }

            await traffic.UntilAllMailboxesWorkAsync();
            await cluster.UntilWholeAsync();
        });
    }

    [Fact]
    public async Task CutConnectionsToTheStore_AreMadeAgain()
    {
        await RunAsync(async (traffic, _) =>
        {
            for (var cut = 0; cut < 3; cut++)
            {
                await cluster.Redis.CutConnectionsAsync();
                await traffic.UntilAllMailboxesWorkAsync();
            }

            await cluster.UntilWholeAsync();
        });
    }

    [Fact]
    public async Task Scaling_OutAndIn_NoClientNotices()
    {
        await RunAsync(async (traffic, _) =>
        {
            foreach (var silos in (int[])[FailureCluster.Silos + 1, FailureCluster.Silos])
            {
                var result = await TestnetProcess.RunAsync($"silos scale {silos} --data \"{cluster.Testnet.Directory}\"", TimeSpan.FromMinutes(2));
                Assert.True(result.ExitCode == 0, result.Error);
                Assert.Equal(silos, cluster.Members().Count(member => member.IsSilo));
                await traffic.UntilAllMailboxesWorkAsync();
            }

            AssertNoneFailed(traffic);
        });
    }

    [Fact]
    public async Task KilledSupervisor_LeavesNoProcessBehind()
    {
        // With the store inside, so that its processes lose both.
        await using var testnet = await TestnetProcess.StartAsync(options: "--silos 1 --no-omq", siloPort: Ports.Find(FailureCluster.ClusterPorts));
        using var description = JsonDocument.Parse(await File.ReadAllTextAsync(testnet.DescriptionFile, TestContext.Current.CancellationToken));
        var processes = description.RootElement.GetProperty("processes").EnumerateArray().Select(process => process.GetProperty("processId").GetInt32()).ToArray();
        Assert.Equal(2, processes.Length);
        await testnet.KillAsync();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(90));
        while (processes.Any(process => Directory.Exists($"/proc/{process}")))
            await Task.Delay(200, limit.Token);
    }

    private async Task RunAsync(Func<MailboxTraffic, CancellationToken, Task> disturb)
    {
        await using var traffic = await MailboxTraffic.StartAsync(cluster.Testnet.Seed, Mailboxes);
        try
        {
            await disturb(traffic, TestContext.Current.CancellationToken);
            Assert.Empty(await traffic.JudgeAsync());
        }
        finally
        {
            Write(traffic.Summary());
        }
    }

    /// <summary>
    /// Nobody was refused or cut off. A lone request without an answer is let pass: where a machine has far more to do than it can, one that comes
    /// in the last moment of a silo may get lost, as any packet may, and its client repeats it.
    /// </summary>
    private static void AssertNoneFailed(MailboxTraffic traffic)
    {
        var lost = traffic.Failures.Count(failure => failure.IsUnanswered);
        Assert.True(lost == traffic.Failures.Count && lost <= traffic.Acknowledged / 2000, string.Join('\n', traffic.Failures.Take(20)));
    }

    private static void Write(FormattableString text) => Write(text.ToString(CultureInfo.InvariantCulture));

    private static void Write(string text) => TestContext.Current.TestOutputHelper!.WriteLine(text);
}
