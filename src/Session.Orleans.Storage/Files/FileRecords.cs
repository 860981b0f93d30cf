using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using StackExchange.Redis;

namespace Session.Orleans.Storage.Files;

/// <summary>
/// What is known of files, in Redis: <c>file:{id}</c> is one string, <c>blob size uploaded expires</c>, which expires by itself. When its blob is
/// removed stands in the <see cref="Blobs.BlobSchedule"/>.
/// </summary>
internal sealed class FileRecords(IConnectionMultiplexer connection, string prefix, KeyWalk walk)
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
        var record = Text(file);
        var old = await Create.RunAsync(_database, [Key(file.Id)], [now, record, TimeToLive(file.Expires, now)]).ConfigureAwait(false);
        return Parse(file.Id, (RedisValue)old);
    }

    /// <summary>Puts a live file's expiry off, if that is later than it is; null if it is gone meanwhile.</summary>
    public async Task<StoredFile?> RenewAsync(StoredFile file, long expires, long? uploaded, long now) => Parse(file.Id, (RedisValue)await Renew.RunAsync(
        _database, [Key(file.Id)], [now, file.Blob, expires, TimeToLive(expires, now), uploaded is { } time ? time : RedisValue.EmptyString]).ConfigureAwait(false));

    /// <summary>Stores a record, whatever is there.</summary>
    public Task SetAsync(StoredFile file, long now) =>
        _database.StringSetAsync(Key(file.Id), Text(file), TimeSpan.FromMilliseconds(TimeToLive(file.Expires, now)));

    public Task RemoveAsync(string id) => _database.KeyDeleteAsync(Key(id));

    public async IAsyncEnumerable<StoredFile> ListAsync(long now, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var before = prefix + "file:{";
        await foreach (var key in walk.KeysAsync(_database.Database, before + "*", cancellationToken).ConfigureAwait(false))
        {
            if ((string?)key is { } text && text.StartsWith(before, StringComparison.Ordinal) && text.EndsWith('}')
                && await FindAsync(text[before.Length..^1], now).ConfigureAwait(false) is { } file)
                yield return file;
        }
    }

    private static string Text(StoredFile file) => string.Create(CultureInfo.InvariantCulture, $"{file.Blob} {file.Size} {file.Uploaded} {file.Expires}");

    private static long TimeToLive(long expires, long now) => Math.Max(1, expires - now) + (long)RecordSlack.TotalMilliseconds;

    private static StoredFile? Parse(string id, RedisValue record)
    {
        if (record.IsNull)
            return null;
        var parts = record.ToString().Split(' ');
        return new(id, parts[0], Number(parts[1]), Number(parts[2]), Number(parts[3]));

        static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
    }

    /// <summary>True for the key of a record, of a store without a prefix.</summary>
    internal static bool IsKey(RedisKey key) => ((byte[]?)key).AsSpan().StartsWith("file:{"u8);

    /// <summary>Bytes of a live file; null if it has expired or is gone.</summary>
    internal static long? SizeOf(RedisValue record, long now) => Parse("", record) is { } file && file.Expires > now ? file.Size : null;

    private RedisKey Key(string id) => Encoding.ASCII.GetBytes($"{prefix}file:{{{id}}}");
}
