using System.Diagnostics;
using Session.Orleans.Load;

namespace Session.Orleans.Testnet.Bench;

/// <summary>Begins pieces of work at random moments, whether or not earlier ones have ended, on a thread of its own: a pool's threads come late when they are busy.</summary>
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
        var start = Stopwatch.GetTimestamp();
        await Task.Factory.StartNew(BeginAll, cancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default).ConfigureAwait(false);
        await Task.WhenAll(running).ConfigureAwait(false);
        return latencies;

        void BeginAll()
        {
            var due = 0.0;
            for (var next = 0; next < count; next++)
            {
                due -= Math.Log(1 - random.NextDouble()) / perSecond;
                var at = TimeSpan.FromSeconds(due);
                PreciseTime.Sleep(at - Stopwatch.GetElapsedTime(start), cancellationToken);
                running[next] = MeasureAsync(next, at);
            }
        }

        async Task MeasureAsync(int number, TimeSpan at)
        {
            await begin(number).ConfigureAwait(false);
            latencies[number] = Math.Clamp((long)(Stopwatch.GetElapsedTime(start) - at).TotalMicroseconds, 1, MaxLatencyMicroseconds);
        }
    }
}
