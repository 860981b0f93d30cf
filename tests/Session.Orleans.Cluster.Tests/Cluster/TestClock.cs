namespace Session.Orleans.Cluster.Tests;

/// <summary>
/// The cluster's date. It runs like the system's and can be held and moved forward; timers, which Orleans needs too, run on real time.
/// </summary>
internal sealed class TestClock : TimeProvider
{
    private readonly Lock _lock = new();
    private TimeSpan _ahead;
    private DateTimeOffset? _held;

    public long NowMs => GetUtcNow().ToUnixTimeMilliseconds();

    public override DateTimeOffset GetUtcNow()
    {
        lock (_lock)
            return _held ?? base.GetUtcNow() + _ahead;
    }

    /// <summary>Stops the clock; disposing the result lets it run on from where it is then.</summary>
    public IDisposable Hold()
    {
        lock (_lock)
            _held = base.GetUtcNow() + _ahead;
        return new Hand(this);
    }

    /// <summary>Moves a held clock forward.</summary>
    public void MoveTo(long unixMs)
    {
        lock (_lock)
        {
            var time = DateTimeOffset.FromUnixTimeMilliseconds(unixMs);
            Assert.True(_held <= time, "A clock is held, and only ever moved forward.");
            _held = time;
        }
    }

    private void Release()
    {
        lock (_lock)
        {
            _ahead = _held!.Value - base.GetUtcNow();
            _held = null;
        }
    }

    private sealed class Hand(TestClock clock) : IDisposable
    {
        public void Dispose() => clock.Release();
    }
}
