namespace Session.Orleans.Load.Users;

/// <summary>Time since the beginning of a run, its end, and what is under way in it. Safe for concurrent use.</summary>
/// <param name="time">The clock under it.</param>
internal sealed class RunClock(TimeProvider time) : IDisposable
{
    private readonly long _start = time.GetTimestamp();
    private readonly CancellationTokenSource _stop = new();
    private int _inFlight;

    /// <summary>Since the beginning.</summary>
    public TimeSpan Now => time.GetElapsedTime(_start);

    /// <summary>Cancelled when nothing is waited for any more.</summary>
    public CancellationToken Stopped => _stop.Token;

    /// <summary>Operations under way.</summary>
    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>An operation begins.</summary>
    public void Enter() => Interlocked.Increment(ref _inFlight);

    /// <summary>An operation ends.</summary>
    public void Leave() => Interlocked.Decrement(ref _inFlight);

    /// <summary>Gives up what is under way.</summary>
    public void Stop() => _stop.Cancel();

    /// <inheritdoc/>
    public void Dispose() => _stop.Dispose();
}
