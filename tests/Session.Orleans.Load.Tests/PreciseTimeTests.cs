using System.Diagnostics;
using Microsoft.Extensions.Time.Testing;

namespace Session.Orleans.Load.Tests;

/// <summary>Timers of a schedule.</summary>
public sealed class PreciseTimeTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(0)]
    [InlineData(20)]
    [InlineData(300)]
    [InlineData(1700)]
    [InlineData(12_345)]
    public async Task Delay_NeverEndsEarly(int microseconds)
    {
        var delay = TimeSpan.FromMicroseconds(microseconds);
        for (var repeat = 0; repeat < 20; repeat++)
        {
            var start = Stopwatch.GetTimestamp();
            await PreciseTime.Instance.DelayAsync(delay, Cancel);
            Assert.True(Stopwatch.GetElapsedTime(start) >= delay);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(300)]
    [InlineData(12_345)]
    public void Sleep_NeverEndsEarly(int microseconds)
    {
        var time = TimeSpan.FromMicroseconds(microseconds);
        for (var repeat = 0; repeat < 20; repeat++)
        {
            var start = Stopwatch.GetTimestamp();
            PreciseTime.Sleep(time, Cancel);
            Assert.True(Stopwatch.GetElapsedTime(start) >= time);
        }
    }

    [Fact]
    public async Task Sleep_ThatIsCancelled_Ends()
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var sleeping = Task.Run(() => PreciseTime.Sleep(TimeSpan.FromHours(1), stop.Token), Cancel);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sleeping.WaitAsync(Limit, Cancel));
    }

    [Fact]
    public async Task DelaysOfMany_AllEnd()
    {
        var random = new Random(1);
        await Task.WhenAll(Enumerable.Range(0, 2000).Select(_ => PreciseTime.Instance.DelayAsync(TimeSpan.FromMicroseconds(random.Next(20_000)), Cancel))).WaitAsync(Limit, Cancel);
    }

    [Fact]
    public async Task EarlierTimer_DoesNotWaitForALaterOne()
    {
        using var later = new CancellationTokenSource(TimeSpan.FromHours(1), PreciseTime.Instance);
        await PreciseTime.Instance.DelayAsync(TimeSpan.FromMilliseconds(5), Cancel).WaitAsync(Limit, Cancel);
        Assert.False(later.IsCancellationRequested);
    }

    [Fact]
    public async Task Cancelled_EndsAtOnce()
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var waiting = PreciseTime.Instance.DelayAsync(TimeSpan.FromHours(1), stop.Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.WaitAsync(Limit, Cancel));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => PreciseTime.Instance.DelayAsync(TimeSpan.FromHours(1), stop.Token).WaitAsync(Limit, Cancel));
    }

    [Fact]
    public async Task Timer_ThatWasChangedOrDisposed_EndsAsItWasSetLast()
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var disposedEnded = false;
        using var changed = PreciseTime.Instance.CreateTimer(_ => ended.TrySetResult(), null, TimeSpan.FromHours(1), Timeout.InfiniteTimeSpan);
        var disposed = PreciseTime.Instance.CreateTimer(_ => disposedEnded = true, null, TimeSpan.FromSeconds(2), Timeout.InfiniteTimeSpan);
        using var stopped = PreciseTime.Instance.CreateTimer(_ => disposedEnded = true, null, TimeSpan.FromSeconds(2), Timeout.InfiniteTimeSpan);
        await disposed.DisposeAsync();
        Assert.True(stopped.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan));
        Assert.False(disposed.Change(TimeSpan.Zero, Timeout.InfiniteTimeSpan));

        Assert.True(changed.Change(TimeSpan.FromSeconds(2.1), Timeout.InfiniteTimeSpan));
        await ended.Task.WaitAsync(Limit, Cancel);

        Assert.False(disposedEnded);
    }

    [Fact]
    public async Task Delay_FollowsAnyClock()
    {
        var time = new FakeTimeProvider();
        var delay = time.DelayAsync(TimeSpan.FromMilliseconds(1.5), Cancel);
        time.Advance(TimeSpan.FromMilliseconds(1.4));
        Assert.False(delay.IsCompleted);
        time.Advance(TimeSpan.FromMilliseconds(0.1));
        await delay.WaitAsync(Limit, Cancel);
    }
}
