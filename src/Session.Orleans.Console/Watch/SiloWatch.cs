using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Orleans.Runtime.Services;
using Session.Orleans.Grains.Network;

namespace Session.Orleans.ConsolePage.Watch;

/// <summary>Answers for its silo. One on every silo, at no cost while nobody asks.</summary>
internal sealed class SiloWatch(GrainId id, Silo silo, ILoggerFactory loggers, NetworkViewSource views, TimeProvider time)
    : GrainService(id, silo, loggers), ISiloWatch
{
    /// <summary>How long a silo goes on counting after a question; pages ask every two seconds.</summary>
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(10);

    /// <summary>Most spans in one answer.</summary>
    public const int MaxSpans = 1000;

    private static readonly DateTimeOffset ProcessStart = Process.GetCurrentProcess().StartTime.ToUniversalTime();

    private readonly Lock _lock = new();
    private SiloTap? _tap;
    private ITimer? _end;

    public Task<SiloReading> ReadAsync(long epoch, long afterSpan)
    {
        var tap = Renew();
        var (last, spans) = tap.ReadSpans(epoch == tap.Epoch ? afterSpan : 0, MaxSpans);
        var (activations, refused) = tap.Observe();
        return Task.FromResult(new SiloReading(
            tap.Epoch, tap.Elapsed, ProcessStart, Environment.CpuUsage.TotalTime, Environment.ProcessorCount, Environment.WorkingSet,
            activations, views.Current?.State.Version ?? 0, tap.ReadDoors(), last, spans, refused));
    }

    public override Task Stop()
    {
        EndWatch();
        return base.Stop();
    }

    private SiloTap Renew()
    {
        lock (_lock)
        {
            _end ??= time.CreateTimer(static watch => ((SiloWatch)watch!).EndWatch(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _end.Change(Lease, Timeout.InfiniteTimeSpan);
            return _tap ??= new(time);
        }
    }

    private void EndWatch()
    {
        lock (_lock)
        {
            _tap?.Dispose();
            _end?.Dispose();
            (_tap, _end) = (null, null);
        }
    }
}

/// <summary>Asks the watch of any silo.</summary>
internal sealed class SiloWatchClient(IServiceProvider services) : GrainServiceClient<ISiloWatch>(services)
{
    /// <summary>The watch of this silo.</summary>
    public ISiloWatch Of(SiloAddress silo) => GetGrainService(silo);
}
