using System.Text;
using Session.Orleans.Storage.Communities;
using Session.Orleans.Storage.Files;
using StackExchange.Redis;

namespace Session.Orleans.Storage;

/// <summary>
/// Counts what the whole store holds, for metrics. It walks all keys, so it is never part of a request: one process of the cluster does it now and
/// then, and the others know nothing of the result.
/// </summary>
/// <param name="connection">A shared connection; not owned.</param>
/// <param name="time">Decides how old a result is.</param>
/// <param name="namePrefix">What the keys of names begin with.</param>
/// <param name="walk">How to go through the keys; null: over the shared connection.</param>
public sealed class StoreCensus(IConnectionMultiplexer connection, TimeProvider time, string namePrefix, KeyWalk? walk = null)
{
    private const int FilesAtOnce = 1000;
    private const string AllKeys = "*", Holder = "session:census";

    // KEYS: holder. ARGV: 1 who asks, 2 time to live in ms. Returns 1 if the census is his: he held it, or nobody did.
    private static readonly Script Take = new("""
        local holder = redis.call('GET', KEYS[1])
        if holder and holder ~= ARGV[1] then return 0 end
        redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
        return 1
        """);

    private readonly string _self = Guid.NewGuid().ToString("N");
    private readonly byte[] _namePrefix = Encoding.UTF8.GetBytes(namePrefix);
    private readonly KeyWalk _walk = walk ?? new(connection);
    private Result? _latest;

    /// <summary>The latest result of this process; null if it has none, or another process counts by now.</summary>
    public StoreCount? Latest => Volatile.Read(ref _latest) is { } latest && time.GetElapsedTime(latest.At) < latest.Life ? latest.Count : null;

    /// <summary>Counts, unless another process of the cluster does so already.</summary>
    /// <param name="interval">About the time until the next call: the result is forgotten after three of them, and so is who counts.</param>
    /// <param name="cancellationToken">Ends the walk.</param>
    /// <returns>True if this process has counted.</returns>
    /// <exception cref="RedisException">The store did not answer.</exception>
    /// <exception cref="TimeoutException">The store did not answer in time.</exception>
    public async Task<bool> CountAsync(TimeSpan interval, CancellationToken cancellationToken = default)
    {
        var life = 3 * interval;
        var database = connection.GetDatabase();
        if ((int)await Take.RunAsync(database, [Holder], [_self, (long)life.TotalMilliseconds]).ConfigureAwait(false) == 0)
            return false;
        var count = await WalkAsync(database, cancellationToken).ConfigureAwait(false);
        Volatile.Write(ref _latest, new(count, time.GetTimestamp(), life));
        return true;
    }

    private async Task<StoreCount> WalkAsync(IDatabase database, CancellationToken cancellationToken)
    {
        var count = new StoreCount { Rooms = await database.HashLengthAsync(RedisCommunityStore.TableKey("", CommunityScope.Server, "rooms")).ConfigureAwait(false) };
        var files = new List<RedisKey>(FilesAtOnce);
        await foreach (var key in _walk.KeysAsync(database.Database, AllKeys, cancellationToken).ConfigureAwait(false))
        {
            var kind = MailboxKeys.KindOf(key);
            count = count with { Keys = count.Keys + 1, Held = count.Held.Plus(kind) };
            if (kind is not MailboxKeyKind.Other)
                continue;
            if (FileRecords.IsKey(key))
            {
                files.Add(key);
                if (files.Count == FilesAtOnce)
                    count = await AddFilesAsync(count, database, files).ConfigureAwait(false);
            }
            else if (((byte[]?)key).AsSpan().StartsWith(_namePrefix))
            {
                count = count with { Names = count.Names + 1 };
            }
        }

        return await AddFilesAsync(count, database, files).ConfigureAwait(false);
    }

    private async Task<StoreCount> AddFilesAsync(StoreCount count, IDatabase database, List<RedisKey> keys)
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        // One at a time for the server, all at once on the way: the keys may be in several slots of a cluster.
        var records = await Task.WhenAll(keys.Select(key => database.StringGetAsync(key))).ConfigureAwait(false);
        keys.Clear();
        foreach (var record in records)
        {
            if (FileRecords.SizeOf(record, now) is { } size)
                count = count with { Files = count.Files + 1, FileBytes = count.FileBytes + size };
        }

        return count;
    }

    private sealed record Result(StoreCount Count, long At, TimeSpan Life);
}

/// <summary>What the store holds. Messages and files are counted up to a minute longer than they can be read.</summary>
public readonly record struct StoreCount
{
    /// <summary>All keys.</summary>
    public long Keys { get; init; }

    /// <summary>Mailboxes and their messages.</summary>
    public MailboxCount Held { get; init; }

    /// <summary>Files of the file server that have not expired.</summary>
    public long Files { get; init; }

    /// <summary>Bytes of those files.</summary>
    public long FileBytes { get; init; }

    /// <summary>Rooms of the community server.</summary>
    public long Rooms { get; init; }

    /// <summary>Names that were ever bought.</summary>
    public long Names { get; init; }
}
