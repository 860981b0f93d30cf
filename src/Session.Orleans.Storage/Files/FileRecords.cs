using System.Globalization;
using System.Text;
using StackExchange.Redis;

namespace Session.Orleans.Storage.Files;

/// <summary>
/// What is known of files, in Redis: <c>file:{id}</c> is one string, <c>blob size uploaded expires</c>, which expires by itself; and
/// <c>file-blobs</c> a sorted set of all blobs by the time when they may be removed.
/// <para>
/// A blob enters the set before its first byte is written, and its time is put off before a record's is. So no death of a process leaves a
/// record without its blob, or a blob that nobody removes.
/// </para>
/// </summary>
internal sealed class FileRecords(IConnectionMultiplexer connection, string prefix)
{
    /// <summary>
    /// KEYS: record. ARGV: 1 now, 2 the new record, 3 its time to live. Stores it and returns nil, or returns the live record that is there.
    /// </summary>
    private static readonly Script Create = new("""
        local old = redis.call('GET', KEYS[1])
        if old and tonumber(string.match(old, '(%d+)$')) > tonumber(ARGV[1]) then return old end
        redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
        return false
        """);

    /// <summary>
    /// KEYS: record. ARGV: 1 now, 2 blob, 3 new expiry, 4 time to live for it, 5 new time of upload or ''. Returns the record as it is then, or
    /// nil if it is gone or has another blob. The expiry never gets earlier.
    /// </summary>
    private static readonly Script Renew = new("""
        local old = redis.call('GET', KEYS[1])
        if not old then return false end
        local blob, size, uploaded, expires = string.match(old, '^(%S+) (%d+) (%d+) (%d+)$')
        if blob ~= ARGV[2] or tonumber(expires) <= tonumber(ARGV[1]) then return false end
        local later = tonumber(ARGV[3]) > tonumber(expires)
        if later then expires = ARGV[3] end
        if ARGV[5] ~= '' then uploaded = ARGV[5] end
        local new = blob .. ' ' .. size .. ' ' .. uploaded .. ' ' .. expires
        if later then
          redis.call('SET', KEYS[1], new, 'PX', ARGV[4])
        elseif new ~= old then
          redis.call('SET', KEYS[1], new, 'KEEPTTL')
        end
        return new
        """);

    private readonly IDatabase _database = connection.GetDatabase();
    private readonly RedisKey _blobs = prefix + "file-blobs";

    /// <summary>How long a record is kept beyond its expiry, by which clocks may differ; reading decides by the caller's clock.</summary>
    public static readonly TimeSpan RecordSlack = TimeSpan.FromMinutes(1);

    public async Task<StoredFile?> FindAsync(string id, long now)
    {
        var file = Parse(id, await _database.StringGetAsync(Key(id)).ConfigureAwait(false));
        return file?.Expires > now ? file : null;
    }

    /// <summary>Stores a record. If a live one is there already, nothing is changed and that one is returned.</summary>
    public async Task<StoredFile?> CreateAsync(StoredFile file, long now)
    {
        var record = string.Create(CultureInfo.InvariantCulture, $"{file.Blob} {file.Size} {file.Uploaded} {file.Expires}");
        var old = await Create.RunAsync(_database, [Key(file.Id)], [now, record, TimeToLive(file.Expires, now)]).ConfigureAwait(false);
        return Parse(file.Id, (RedisValue)old);
    }

    /// <summary>Puts a live file's expiry off, if that is later than it is; null if it is gone meanwhile.</summary>
    public async Task<StoredFile?> RenewAsync(StoredFile file, long expires, long? uploaded, long now) => Parse(file.Id, (RedisValue)await Renew.RunAsync(
        _database, [Key(file.Id)], [now, file.Blob, expires, TimeToLive(expires, now), uploaded is { } time ? time : RedisValue.EmptyString]).ConfigureAwait(false));

    /// <summary>Has the blob removed at <paramref name="due"/>, or later if it is to be removed later already.</summary>
    public Task KeepBlobAsync(string blob, long due) => _database.SortedSetAddAsync(_blobs, blob, due, SortedSetWhen.GreaterThan);

    /// <summary>Has a blob that no record names removed at <paramref name="due"/>; 0: by the next clean-up.</summary>
    public Task ScheduleBlobAsync(string blob, long due) => _database.SortedSetAddAsync(_blobs, blob, due, SortedSetWhen.Always);

    /// <summary>Blobs whose time has come.</summary>
    public async Task<string[]> DueAsync(long now, int most) => Array.ConvertAll(
        await _database.SortedSetRangeByScoreAsync(_blobs, double.NegativeInfinity, now, take: most).ConfigureAwait(false), static blob => blob.ToString());

    /// <summary>Forgets a blob that was removed.</summary>
    public Task ForgetBlobAsync(string blob) => _database.SortedSetRemoveAsync(_blobs, blob);

    private static long TimeToLive(long expires, long now) => Math.Max(1, expires - now) + (long)RecordSlack.TotalMilliseconds;

    private static StoredFile? Parse(string id, RedisValue record)
    {
        if (record.IsNull)
            return null;
        var parts = record.ToString().Split(' ');
        return new(id, parts[0], Number(parts[1]), Number(parts[2]), Number(parts[3]));

        static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
    }

    private RedisKey Key(string id) => Encoding.ASCII.GetBytes($"{prefix}file:{{{id}}}");
}
