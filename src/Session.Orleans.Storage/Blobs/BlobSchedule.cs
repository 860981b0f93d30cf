using StackExchange.Redis;

namespace Session.Orleans.Storage.Blobs;

/// <summary>
/// When blobs may be removed, in Redis: a sorted set <c>file-blobs</c> by Unix milliseconds.
/// <para>
/// A blob enters the set before its first byte is written, and its time is put off before that of whatever names it. So no death of a process
/// leaves a name without its blob, or a blob that nobody removes.
/// </para>
/// </summary>
/// <param name="connection">A shared connection; not owned.</param>
/// <param name="keyPrefix">What all keys begin with.</param>
public sealed class BlobSchedule(IConnectionMultiplexer connection, string keyPrefix = "")
{
    /// <summary>How much longer than its name a blob stays: for downloads that began before, and clocks that differ.</summary>
    public static readonly TimeSpan Slack = TimeSpan.FromMinutes(15);

    /// <summary>After this time what is there of an upload is taken for left behind.</summary>
    public static readonly TimeSpan AbandonedAfter = TimeSpan.FromHours(2);

    /// <summary>A time that never comes.</summary>
    public const long Never = 1L << 53;

    private readonly IDatabase _database = connection.GetDatabase();
    private readonly RedisKey _blobs = keyPrefix + "file-blobs";

    /// <summary>Has the blob removed at <paramref name="due"/>, or later if it is to be removed later already.</summary>
    /// <exception cref="BlobScheduleException">The store did not confirm it.</exception>
    public Task KeepAsync(string blob, long due) => AddAsync(blob, due, SortedSetWhen.GreaterThan);

    /// <summary>Has the blob removed at <paramref name="due"/>, whatever was said before; 0: by the next clean-up.</summary>
    /// <exception cref="BlobScheduleException">The store did not confirm it.</exception>
    public Task SetAsync(string blob, long due) => AddAsync(blob, due, SortedSetWhen.Always);

    /// <summary>Blobs whose time has come.</summary>
    public async Task<string[]> DueAsync(long now, int most) => Array.ConvertAll(
        await _database.SortedSetRangeByScoreAsync(_blobs, double.NegativeInfinity, now, take: most).ConfigureAwait(false), static blob => blob.ToString());

    /// <summary>Forgets a blob that was removed.</summary>
    public Task ForgetAsync(string blob) => _database.SortedSetRemoveAsync(_blobs, blob);

    private async Task AddAsync(string blob, long due, SortedSetWhen when)
    {
        try
        {
            _ = await _database.SortedSetAddAsync(_blobs, blob, due, when).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException)
        {
            // The text alone: grains pass it on between silos, which do not know the client library's types.
            throw new BlobScheduleException($"The time of a blob was not stored: {exception.GetType().Name}");
        }
    }
}

/// <summary>The store did not confirm when a blob may be removed. Can cross silos.</summary>
public sealed class BlobScheduleException : Exception
{
    /// <summary>An exception without details.</summary>
    public BlobScheduleException()
    {
    }

    /// <summary>An exception with a message.</summary>
    /// <param name="message">What failed.</param>
    public BlobScheduleException(string message)
        : base(message)
    {
    }

    /// <summary>An exception with a message and its cause, which must itself be able to cross silos.</summary>
    /// <param name="message">What failed.</param>
    /// <param name="innerException">Why.</param>
    public BlobScheduleException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
