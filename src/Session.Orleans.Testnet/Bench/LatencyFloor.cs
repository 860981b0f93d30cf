using HdrHistogram;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Testnet.Bench;

/// <summary>
/// The latency of the same work on the same processors with nothing between its arrival and its end but one queue: no socket, no process but this
/// one, no hand-over. What the machine does besides, and chance, delay this as well.
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
        Work(Calibration);
        var before = Environment.CpuUsage.TotalTime;
        Work(Calibration);
        var steps = Math.Max(1, (int)Math.Round(cpuMicroseconds * Calibration / (Environment.CpuUsage.TotalTime - before).TotalMicroseconds));
        var latencies = await OpenLoop.RunAsync(
            (int)(perSecond * duration.TotalSeconds), perSecond, new(1), _ => Task.Run(() => Work(steps), cancellationToken), cancellationToken);
        return latencies.ToHistogram();
    }

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
