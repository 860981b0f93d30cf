using System.Diagnostics;
using Session.Orleans.Load;

namespace Session.Orleans.Testnet.Bench;

/// <summary>Begins pieces of work at random moments, whether or not earlier ones have ended.</summary>
internal static class OpenLoop
{
    /// <summary>The longest latency that is told apart, in microseconds.</summary>
    public const long MaxLatencyMicroseconds = 60_000_000;

    /// <summary>
    /// Latency of each in microseconds, from the moment that the schedule says: time by which the loop itself is late is in it.
    /// </summary>
    /// <param name="count">How many.</param>
    /// <param name="perSecond">Mean rate; what is between two moments is distributed exponentially.</param>
    /// <param name="random">Chooses the moments.</param>
    /// <param name="begin">Begins one of them, of which it is told the number; ends when it has ended.</param>
    /// <param name="cancellationToken">Ends the loop.</param>
    public static async Task<long[]> RunAsync(int count, double perSecond, Random random, Func<int, Task> begin, CancellationToken cancellationToken)
    {
        var latencies = new long[count];
        var running = new Task[count];
        var (start, due) = (Stopwatch.GetTimestamp(), 0.0);
        for (var next = 0; next < count; next++)
        {
            due -= Math.Log(1 - random.NextDouble()) / perSecond;
            var at = TimeSpan.FromSeconds(due);
            while (at - Stopwatch.GetElapsedTime(start) is var left && left > TimeSpan.Zero)
                await PreciseTime.Instance.DelayAsync(left, cancellationToken).ConfigureAwait(false);
            running[next] = MeasureAsync(next, at);
        }

        await Task.WhenAll(running).ConfigureAwait(false);
        return latencies;

        async Task MeasureAsync(int number, TimeSpan at)
        {
            await begin(number).ConfigureAwait(false);
            latencies[number] = Math.Clamp((long)(Stopwatch.GetElapsedTime(start) - at).TotalMicroseconds, 1, MaxLatencyMicroseconds);
        }
    }
}
