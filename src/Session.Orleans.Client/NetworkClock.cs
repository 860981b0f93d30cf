namespace Session.Orleans.Client;

/// <summary>
/// Network time (messages.md, 8.3): the local clock corrected by the server times in replies, so that a device with a wrong clock still signs
/// times that nodes accept. Safe for concurrent use.
/// </summary>
/// <param name="time">The local clock.</param>
public sealed class NetworkClock(TimeProvider time)
{
    private long _offset;

    /// <summary>What is added to the local clock, in milliseconds.</summary>
    public long OffsetMs => Interlocked.Read(ref _offset);

    /// <summary>Network time, unix ms.</summary>
    public long NowMs => LocalMs + OffsetMs;

    /// <summary>The local clock, unix ms.</summary>
    internal long LocalMs => time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>Learns from a reply. The server is taken to have looked at its clock half way between sending and receiving.</summary>
    /// <param name="serverMs">The reply's <c>t</c>, unix ms.</param>
    /// <param name="sentMs">Local time of sending, unix ms.</param>
    /// <param name="receivedMs">Local time of receiving, unix ms.</param>
    public void Learn(long serverMs, long sentMs, long receivedMs) => Interlocked.Exchange(ref _offset, serverMs - ((sentMs + receivedMs) / 2));
}
