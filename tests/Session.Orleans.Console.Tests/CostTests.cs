using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using Session.Orleans.ConsolePage.Watch;
using Session.Orleans.Gateway;
using Session.Orleans.Testnet.Bench;
using static Microsoft.Playwright.Assertions;

namespace Session.Orleans.ConsolePage.Tests;

/// <summary>
/// What an open page costs the network: processor time of its process with the page open and closed, in turns, and what a page makes every request
/// pay. A network at its limit uses some percent more or less from minute to minute, in which a page's cost can't be seen; so the network has little to do here,
/// but enough for every figure and list on the page to change each time, and the requests' part is measured alone. To be run by hand on a quiet machine:
/// <c>--explicit only --show-live-output on</c>.
/// </summary>
public sealed class CostTests(SteadyFixture fixture, ITestOutputHelper output) : IClassFixture<SteadyFixture>
{
    private const int Turns = 4;
    private const int RequestsPerSecond = 100, BusyRequestsPerSecond = 5000; // the latter is what two processors can do
    private const int RequestsPerRound = 500_000, TapRounds = 15;

    // A method is compiled for good once it was called thirty times, and the page reads every two seconds.
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(80);

    private static readonly TimeSpan Round = TimeSpan.FromSeconds(8);

    // Until what opening a page takes is over, and after it is closed until the silo no longer counts for it.
    private static readonly TimeSpan AfterOpening = TimeSpan.FromSeconds(4), AfterClosing = TimeSpan.FromSeconds(11);

    private readonly ProcessClock _clock = new(fixture.Network.Process.Process);

    [Fact(Explicit = true)]
    public async Task OpenPage_TakesAtMostOnePercentOfAProcessor_Idle() => Assert.InRange(await MeasurePageAsync("idle"), -1, 0.01);

    [Fact(Explicit = true)]
    public async Task OpenPage_TakesAtMostOnePercentOfAProcessor_UnderLoad()
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        var traffic = SendAsync(stop.Token);
        var page = await MeasurePageAsync($"{RequestsPerSecond} requests a second");
        await stop.CancelAsync();
        await traffic;
        var tap = MeasureTap();
        var sum = page + tap * BusyRequestsPerSecond;
        Tell($"each request pays {tap * 1e9:F0} ns; at {BusyRequestsPerSecond} requests a second all takes {sum:P2} of a processor");
        Assert.InRange(sum, -1, 0.01);
    }

    /// <summary>The share of a processor that an open page takes: closed, open, open, closed, so that what changes by and by is as much in the one as in the other.</summary>
    private async Task<double> MeasurePageAsync(string what)
    {
        await using (var tab = await OpenAsync())
        {
            await Task.Delay(WarmUp, TestContext.Current.CancellationToken);
            await tab.LeaveAsync();
        }

        await Task.Delay(AfterClosing, TestContext.Current.CancellationToken);
        var pairs = new List<(double Closed, double Open)>();
        for (var turn = 0; turn < Turns; turn++)
        {
            var closed = await BusyAsync();
            double open, stillOpen;
            var before = _clock.Elapsed;
            await using (var tab = await OpenAsync())
            {
                await Task.Delay(AfterOpening, TestContext.Current.CancellationToken);
                Tell($"opening: {(_clock.Elapsed - before).TotalMilliseconds:F0} ms of a processor in its first seconds, the network's own with it");
                (open, stillOpen) = (await BusyAsync(), await BusyAsync());
                await tab.LeaveAsync();
            }

            await Task.Delay(AfterClosing, TestContext.Current.CancellationToken);
            pairs.AddRange([(closed, open), (await BusyAsync(), stillOpen)]);
        }

        var added = Median(pairs.Select(pair => pair.Open - pair.Closed));
        Tell($"{what}: {Median(pairs.Select(pair => pair.Closed)):P2} of a processor closed, {Median(pairs.Select(pair => pair.Open)):P2} open; median of {pairs.Count} pairs {added:P2} more");
        Tell($"pairs: {string.Join(", ", pairs.Select(pair => (pair.Open - pair.Closed).ToString("P2", CultureInfo.InvariantCulture)))}");
        return added;
    }

    private async Task<double> BusyAsync()
    {
        var (before, watch) = (_clock.Elapsed, Stopwatch.StartNew());
        await Task.Delay(Round, TestContext.Current.CancellationToken);
        return (_clock.Elapsed - before) / watch.Elapsed;
    }

    private async Task SendAsync(CancellationToken cancellationToken)
    {
        var account = new TestAccount();
        var member = await fixture.Network.MemberForAsync(account.Id);
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1.0 / RequestsPerSecond));
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken))
                Assert.Equal(200, (await fixture.Network.RpcAsync(member, account.Retrieve().ToJson())).Status);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The measurement is over.
        }
    }

    /// <summary>Seconds that a request's duration and its span cost more with a page's listener than without.</summary>
    private static double MeasureTap()
    {
        using var meter = new Meter(GatewayTelemetry.SourceName);
        var duration = meter.CreateHistogram<double>(GatewayTelemetry.RequestDuration);
        using var source = new ActivitySource(GatewayTelemetry.SourceName);
        _ = Run();
        return Median(Enumerable.Range(0, TapRounds).Select(_ =>
        {
            var without = Run();
            using var tap = new SiloTap(TimeProvider.System);
            return (Run() - without).TotalSeconds / RequestsPerRound;
        }).ToArray());

        TimeSpan Run()
        {
            var before = Environment.CpuUsage.TotalTime;
            for (var i = 0; i < RequestsPerRound; i++)
            {
                using var activity = source.StartActivity(GatewayTelemetry.OnionSpan, ActivityKind.Server);
                duration.Record(0.004, new(GatewayTelemetry.Door, "node"), new(GatewayTelemetry.HttpStatus, "200"));
            }

            return Environment.CpuUsage.TotalTime - before;
        }
    }

    private async Task<ConsoleTab> OpenAsync()
    {
        var tab = await fixture.LogInAsync();
        await Expect(tab.Nodes).ToHaveCountAsync(32);
        await Expect(tab.Tile("Requests").Locator(".value")).Not.ToBeEmptyAsync();
        return tab;
    }

    private void Tell(FormattableString text) => output.WriteLine(text.ToString(CultureInfo.InvariantCulture));

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}

/// <summary>
/// A network whose methods are compiled for good as soon as they have been called often: after some time no round is cheaper than the one before, or
/// dearer because of the compiler.
/// </summary>
public sealed class SteadyFixture(Chromium chromium) : ConsoleFixture(chromium)
{
    protected override IReadOnlyDictionary<string, string>? Environment { get; } = new Dictionary<string, string> { ["DOTNET_TieredPGO"] = "0", ["DOTNET_TC_CallCountingDelayMs"] = "0" };
}
