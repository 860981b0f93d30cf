namespace Session.Orleans.Storage;

/// <summary>
/// When an expired message goes. The network sweeps every ten seconds (storage-rpc.md, 9), so a message lives until the first sweep
/// at or after its expiry. Sweeps are taken to happen at whole multiples of ten seconds of Unix time: then every part of the system
/// agrees about a message without asking another one. All times are Unix milliseconds.
/// </summary>
public static class MessageLifetime
{
    /// <summary>Milliseconds between two sweeps.</summary>
    public const long SweepInterval = 10_000;

    /// <summary>
    /// How long a payload outlives its sweep unless configured otherwise, in milliseconds. A reader that has just decided that a
    /// message is alive still finds it,
    /// even if its clock is this much behind the store's.
    /// </summary>
    public const long PayloadSlack = 20_000;

    /// <summary>Time of the latest sweep at <paramref name="now"/>: messages with this expiry or an earlier one are gone.</summary>
    public static long LatestSweep(long now) => now - (now % SweepInterval);

    /// <summary>Time of the sweep that takes a message with this expiry.</summary>
    public static long SweptAt(long expiry) => LatestSweep(expiry + SweepInterval - 1);

    /// <summary>Whether a message with this expiry is gone.</summary>
    public static bool IsSwept(long expiry, long now) => expiry <= LatestSweep(now);
}
