using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Session.Orleans.Load;

/// <summary>
/// The system's time, with timers that end when they are due. Those of .NET follow the kernel's coarse clock, which moves every 4 ms on most machines:
/// a schedule of thousands of requests a second would come in bursts, and each would be counted as late as its burst.
/// </summary>
public sealed partial class PreciseTime : TimeProvider
{
    // Below this, what is left is slept without a chance to be woken: a timer that comes meanwhile and is due earlier waits so long at most.
    private static readonly TimeSpan Unwakeable = TimeSpan.FromMilliseconds(2);

    private readonly SortedSet<OneShot> _running = new(Comparer<OneShot>.Create(static (x, y) =>
        x.Due != y.Due ? x.Due.CompareTo(y.Due) : x.Number.CompareTo(y.Number)));

    private Thread? _thread;
    private long _lastNumber;

    private PreciseTime()
    {
    }

    /// <summary>The only one: it has a thread, begun with its first timer.</summary>
    public static PreciseTime Instance { get; } = new();

    /// <inheritdoc/>
    /// <remarks>Exact to some 0.1 ms where a processor is free, for timers that end once; others are the system's.</remarks>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ArgumentNullException.ThrowIfNull(callback);
        if (period != Timeout.InfiniteTimeSpan)
            return base.CreateTimer(callback, state, dueTime, period);
        var timer = new OneShot(this, callback, state, Interlocked.Increment(ref _lastNumber));
        _ = timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Blocks the thread so long, exact to some 0.1 ms where a processor is free.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled, which a sleep notices within some milliseconds.</exception>
    public static void Sleep(TimeSpan time, CancellationToken cancellationToken)
    {
        var start = Stopwatch.GetTimestamp();
        while (time - Stopwatch.GetElapsedTime(start) is var left && left > TimeSpan.Zero)
        {
            cancellationToken.ThrowIfCancellationRequested();
            SleepUnwakeable(left < Unwakeable ? left : Unwakeable);
        }
    }

    private void Set(OneShot timer, TimeSpan due)
    {
        lock (_running)
        {
            _ = _running.Remove(timer);
            timer.Due = GetTimestamp() + (long)(due.TotalSeconds * TimestampFrequency);
            _ = _running.Add(timer);
            if (_thread is null)
            {
                _thread = new(Run) { IsBackground = true, Name = "precise timers" };
                _thread.Start();
            }

            Monitor.Pulse(_running);
        }
    }

    private bool Remove(OneShot timer)
    {
        lock (_running)
            return _running.Remove(timer);
    }

    private void Run()
    {
        while (true)
        {
            TimeSpan left;
            lock (_running)
            {
                if (_running.Min is not { } first)
                {
                    Monitor.Wait(_running);
                    continue;
                }

                left = Stopwatch.GetElapsedTime(GetTimestamp(), first.Due);
                if (left <= TimeSpan.Zero)
                {
                    _ = _running.Remove(first);
                    _ = ThreadPool.UnsafeQueueUserWorkItem(static timer => timer.Fire(), first, preferLocal: false);
                    continue;
                }

                if (left > Unwakeable)
                {
                    Monitor.Wait(_running, left < TimeSpan.FromDays(1) ? left - (Unwakeable / 2) : TimeSpan.FromDays(1));
                    continue;
                }
            }

            SleepUnwakeable(left);
        }
    }

    private static void SleepUnwakeable(TimeSpan time)
    {
        if (OperatingSystem.IsWindows())
            Thread.Sleep(1);
        else
            _ = nanosleep(new(0, (nint)(time.Ticks * TimeSpan.NanosecondsPerTick)), 0);
    }

    [LibraryImport("libc")]
    private static partial int nanosleep(in KernelTime time, nint left);

    /// <summary><c>struct timespec</c> of 64-bit systems.</summary>
    private readonly record struct KernelTime(nint Seconds, nint Nanoseconds);

    private sealed class OneShot(PreciseTime owner, TimerCallback callback, object? state, long number) : ITimer
    {
        private volatile bool _isDisposed;

        /// <summary>Orders those that are due at the same moment.</summary>
        public long Number => number;

        /// <summary>As <see cref="TimeProvider.GetTimestamp"/> counts. Never changed while it is in the owner's set.</summary>
        public long Due { get; set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            if (period != Timeout.InfiniteTimeSpan)
                throw new NotSupportedException("A timer that ends once can't become one that repeats.");
            if (_isDisposed)
                return false;
            if (dueTime == Timeout.InfiniteTimeSpan)
                _ = owner.Remove(this);
            else
                owner.Set(this, dueTime);
            return true;
        }

        public void Fire()
        {
            if (!_isDisposed)
                callback(state);
        }

        public void Dispose()
        {
            _isDisposed = true;
            _ = owner.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}

/// <summary>Waits without rounding to milliseconds.</summary>
public static class PreciseDelay
{
    /// <summary>Ends after <paramref name="delay"/> as <paramref name="time"/> tells it, which <see cref="Task.Delay(TimeSpan, TimeProvider)"/> rounds down to milliseconds.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static async Task DelayAsync(this TimeProvider time, TimeSpan delay, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(time);
        var end = new TaskCompletionSource(); // what follows runs where it is set, which is on the pool
        using var timer = time.CreateTimer(
            static end => ((TaskCompletionSource)end!).TrySetResult(), end, delay > TimeSpan.Zero ? delay : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
        using var cancel = cancellationToken.UnsafeRegister(
            static (end, token) => _ = ThreadPool.UnsafeQueueUserWorkItem(static it => it.End.TrySetCanceled(it.Token), (End: (TaskCompletionSource)end!, Token: token), preferLocal: false), end);
        await end.Task.ConfigureAwait(false);
    }
}
