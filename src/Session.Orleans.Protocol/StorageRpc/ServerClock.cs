namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>A hard fork and its service node revision, <c>[19,4]</c> on the wire.</summary>
/// <param name="Major">Hard fork.</param>
/// <param name="Minor">Service node revision within it.</param>
public readonly record struct HardFork(int Major, int Minor) : IComparable<HardFork>
{
    /// <summary>The first one at which <c>expire</c> may carry several expiries (storage-rpc.md, 11).</summary>
    public static HardFork MultiExpiry { get; } = new(19, 4);

    /// <summary>Order by hard fork, then revision.</summary>
    public int CompareTo(HardFork other) => (Major, Minor).CompareTo((other.Major, other.Minor));

    /// <summary>Order by hard fork, then revision.</summary>
    public static bool operator <(HardFork left, HardFork right) => left.CompareTo(right) < 0;

    /// <summary>Order by hard fork, then revision.</summary>
    public static bool operator >(HardFork left, HardFork right) => left.CompareTo(right) > 0;

    /// <summary>Order by hard fork, then revision.</summary>
    public static bool operator <=(HardFork left, HardFork right) => left.CompareTo(right) <= 0;

    /// <summary>Order by hard fork, then revision.</summary>
    public static bool operator >=(HardFork left, HardFork right) => left.CompareTo(right) >= 0;
}

/// <summary>What a check or a reply needs to know of the server's moment.</summary>
/// <param name="NowMs">Server time, Unix milliseconds.</param>
/// <param name="HardFork">Hard fork in force.</param>
/// <param name="Forwarded">True on a swarm member that got the request from another member (70 s instead of 60 s, section 7).</param>
public readonly record struct ServerClock(long NowMs, HardFork HardFork, bool Forwarded = false)
{
    /// <summary>The moment as a clock that is ahead (or behind, if negative) shows it.</summary>
    public ServerClock Ahead(TimeSpan deviation, bool forwarded = false) =>
        this with { NowMs = NowMs + (long)deviation.TotalMilliseconds, Forwarded = forwarded };

    // A request at the edge must not be good at the first node and late at the others.
    internal long RepeatedToleranceMs => Forwarded ? StorageLimits.ForwardedToleranceMs : StorageLimits.SignatureToleranceMs;

    // Written without a difference: a client's time may be any 64-bit number.
    internal bool IsWithin(long timeMs, long toleranceMs) => timeMs >= NowMs - toleranceMs && timeMs <= NowMs + toleranceMs;
}
