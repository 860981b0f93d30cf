using System.Collections.Concurrent;
using HdrHistogram;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Testnet.Bench;

/// <summary>
/// The latency of the same work on the same processors with nothing between its arrival and its end but one queue, first come, first served, by as
/// many threads as there are processors: no socket, no process but this one, no hand-over. What the machine does besides, and chance, delay this as well.
/// </summary>
internal sealed class LatencyFloor
{
    private const int Calibration = 2000;

    private readonly Ed25519KeyPair _keys = Ed25519KeyPair.Generate();

    /// <summary>Measures it.</summary>
    /// <param name="cpuMicroseconds">CPU time of each piece of work.</param>
    /// <param name="perSecond">Mean rate of arrivals.</param>
    /// <param name="duration">How long they come.</param>
    /// <param name="cancellationToken">Ends the run.</param>
    public async Task<LongHistogram> MeasureAsync(double cpuMicroseconds, double perSecond, TimeSpan duration, CancellationToken cancellationToken)
    {
        // On all of them at once: two that are one core's threads slow each other down.
        await OnAllProcessorsAsync(() => Work(Calibration));
        var before = Environment.CpuUsage.TotalTime;
        await OnAllProcessorsAsync(() => Work(Calibration));
        var stepMicroseconds = (Environment.CpuUsage.TotalTime - before).TotalMicroseconds / Calibration / Environment.ProcessorCount;
        var steps = Math.Max(1, (int)Math.Round(cpuMicroseconds / stepMicroseconds));

        // Not the pool: a pool's thread takes the newest of what it has queued itself, and there are more threads than processors.
        using var queue = new BlockingCollection<TaskCompletionSource>();
        var workers = OnAllProcessorsAsync(() =>
        {
            foreach (var done in queue.GetConsumingEnumerable(CancellationToken.None))
            {
                Work(steps);
                done.SetResult();
            }
        });
        try
        {
            var latencies = await OpenLoop.RunAsync((int)(perSecond * duration.TotalSeconds), perSecond, new(1), _ => Queue(), cancellationToken);
            return latencies.ToHistogram();
        }
        finally
        {
            queue.CompleteAdding();
            await workers;
        }

        Task Queue()
        {
            var done = new TaskCompletionSource();
            queue.Add(done, cancellationToken);
            return done.Task;
        }
    }

    private static Task OnAllProcessorsAsync(Action action) => Task.WhenAll(Enumerable.Range(0, Environment.ProcessorCount).Select(_ =>
        Task.Factory.StartNew(action, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));

    private void Work(int steps)
    {
        Span<byte> signature = stackalloc byte[Ed25519.SignatureLength];
        for (var step = 0; step < steps; step++)
            _keys.Sign("work"u8, signature);
    }
}

/// <summary>Counts latencies.</summary>
internal static class Latencies
{
    /// <summary>Latencies in microseconds as a histogram with three digits.</summary>
    public static LongHistogram ToHistogram(this IEnumerable<long> latencies)
    {
        var histogram = new LongHistogram(OpenLoop.MaxLatencyMicroseconds, 3);
        foreach (var latency in latencies)
            histogram.RecordValue(latency);
        return histogram;
    }
}
