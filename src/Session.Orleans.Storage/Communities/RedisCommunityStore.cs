using StackExchange.Redis;

namespace Session.Orleans.Storage.Communities;

/// <summary>
/// Communities in Redis (7.0 or later) or a server that speaks its protocol and runs Lua scripts as transactions. Keys of a scope share the hash
/// tag <c>{community:SCOPE}</c>: <c>:v</c> the version, <c>:t:NAME</c> a table (hash), <c>:i:NAME</c> an index (sorted set). Nonces are keys
/// of their own, so that they end by themselves.
/// </summary>
public sealed class RedisCommunityStore : ICommunityStore
{
    // KEYS: version, then the keys that change. ARGV: 1 expected version or -1, 2 time to live in ms or 0, then per change: kind, number of
    // its key, name, value or number. Returns the new version, or -1 if it is not as expected.
    private static readonly Script Commit = new("""
        local version = tonumber(redis.call('GET', KEYS[1]) or '0')
        local expected = tonumber(ARGV[1])
        if expected >= 0 and expected ~= version then return -1 end
        for i = 3, #ARGV, 4 do
          local kind, key = ARGV[i], KEYS[tonumber(ARGV[i + 1])]
          if kind == 's' then redis.call('HSET', key, ARGV[i + 2], ARGV[i + 3])
          elseif kind == 'r' then redis.call('HDEL', key, ARGV[i + 2])
          elseif kind == 'e' then redis.call('ZADD', key, ARGV[i + 3], ARGV[i + 2])
          elseif kind == 'l' then redis.call('ZREM', key, ARGV[i + 2])
          elseif kind == 'b' then redis.call('ZREMRANGEBYSCORE', key, '-inf', '(' .. ARGV[i + 3])
          else redis.call('DEL', key) end
        end
        local after = redis.call('INCR', KEYS[1])
        if ARGV[2] ~= '0' then
          for i = 1, #KEYS do redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
        end
        return after
        """);

    private const int NarrowAttempts = 4;

    private readonly IDatabase _database;
    private readonly string _prefix;
    private readonly StorageMetrics? _metrics;

    /// <summary>A store over a shared connection, which it does not own.</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="keyPrefix">Put before every key, so that several networks can share one Redis. Must not contain braces.</param>
    /// <param name="metrics">Told of every operation; null if nobody wants to know.</param>
    public RedisCommunityStore(IConnectionMultiplexer connection, string keyPrefix = "", StorageMetrics? metrics = null)
    {
        ArgumentNullException.ThrowIfNull(connection);
        ArgumentNullException.ThrowIfNull(keyPrefix);
        if (keyPrefix.AsSpan().ContainsAny('{', '}'))
            throw new ArgumentException("The key prefix must not contain braces.", nameof(keyPrefix));
        _database = connection.GetDatabase();
        _prefix = keyPrefix;
        _metrics = metrics;
    }

    /// <inheritdoc/>
    public ValueTask<long> GetVersionAsync(CommunityScope scope, CancellationToken cancellationToken = default) =>
        RunAsync("community.get_version", "GET", async () =>
            (long)await _database.StringGetAsync(VersionKey(scope)).WaitAsync(cancellationToken).ConfigureAwait(false));

    /// <inheritdoc/>
    public ValueTask<long?> CommitAsync(
        CommunityScope scope, long? expected, CommunityChanges changes, TimeSpan? lifetime = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(changes);
        return RunAsync("community.commit", "EVALSHA", async () =>
        {
            List<RedisKey> keys = [VersionKey(scope)];
            Dictionary<string, int> numbers = [];
            var values = new RedisValue[2 + (4 * changes.Count)];
            values[0] = expected ?? -1;
            values[1] = lifetime is { } life ? (long)life.TotalMilliseconds : 0;
            var at = 2;
            foreach (var change in changes.All)
            {
                if (!numbers.TryGetValue(change.Key, out var number))
                {
                    keys.Add(Key(scope, change.Key));
                    numbers[change.Key] = number = keys.Count;
                }

                values[at++] = change.Kind switch
                {
                    CommunityChanges.ChangeKind.Set => "s",
                    CommunityChanges.ChangeKind.Remove => "r",
                    CommunityChanges.ChangeKind.Enter => "e",
                    CommunityChanges.ChangeKind.Leave => "l",
                    CommunityChanges.ChangeKind.LeaveBelow => "b",
                    _ => "d",
                };
                values[at++] = number;
                values[at++] = change.Name;
                values[at++] = change.Kind is CommunityChanges.ChangeKind.Set ? change.Value : change.Number;
            }

            var version = (long)await Commit.RunAsync(_database, [.. keys], values).WaitAsync(cancellationToken).ConfigureAwait(false);
            return version < 0 ? (long?)null : version;
        });
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<ReadOnlyMemory<byte>?>> GetAsync(
        CommunityScope scope, string table, IReadOnlyList<string> names, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(names);
        return names.Count == 0 ? new([]) : RunAsync<IReadOnlyList<ReadOnlyMemory<byte>?>>("community.get", "HMGET", async () => Array.ConvertAll(
            await _database.HashGetAsync(Key(scope, "t:" + table), [.. names.Select(static name => (RedisValue)name)]).WaitAsync(cancellationToken).ConfigureAwait(false),
            ToMemory));
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyDictionary<string, ReadOnlyMemory<byte>>> GetAllAsync(
        CommunityScope scope, string table, CancellationToken cancellationToken = default) =>
        (await GetAllAsync(scope, [table], cancellationToken).ConfigureAwait(false))[0];

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<IReadOnlyDictionary<string, ReadOnlyMemory<byte>>>> GetAllAsync(
        CommunityScope scope, IReadOnlyList<string> tables, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(tables);
        return tables.Count == 0 ? new([]) : RunAsync<IReadOnlyList<IReadOnlyDictionary<string, ReadOnlyMemory<byte>>>>("community.get_all", "HGETALL", async () =>
        {
            var all = await Task.WhenAll(tables.Select(table => _database.HashGetAllAsync(Key(scope, "t:" + table))))
                .WaitAsync(cancellationToken).ConfigureAwait(false);
            return Array.ConvertAll(all, static IReadOnlyDictionary<string, ReadOnlyMemory<byte>> (entries) =>
                entries.ToDictionary(static entry => (string)entry.Name!, static entry => (ReadOnlyMemory<byte>)entry.Value));
        });
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Some servers walk all of a score range before they apply its limit: asking for the last 400 of an open range costs the more the longer the
    /// index is. So open ranges are asked for by rank, and others by a part of the range that grows until it has enough.
    /// </remarks>
    public ValueTask<IReadOnlyList<CommunityIndexEntry>> RangeAsync(
        CommunityScope scope, string index, long after, long before, bool descending, int count, CancellationToken cancellationToken = default) =>
        after >= before ? new([]) // the client library would turn the bounds round
        : RunAsync<IReadOnlyList<CommunityIndexEntry>>("community.range", "ZRANGE", async () =>
        {
            var key = Key(scope, "i:" + index);
            var order = descending ? Order.Descending : Order.Ascending;
            if (descending ? before == long.MaxValue : after == long.MinValue)
            {
                var ranked = await _database.SortedSetRangeByRankWithScoresAsync(key, 0, count - 1, order).WaitAsync(cancellationToken).ConfigureAwait(false);
                return [.. ranked.Where(entry => entry.Score > Bound(after) && entry.Score < Bound(before)).Select(ToEntry)];
            }

            for (var (width, attempt) = (4.0 * count, 1); ; width *= 16, attempt++)
            {
                var isWhole = attempt == NarrowAttempts;
                var (low, high) = (Bound(after), Bound(before));
                if (!isWhole && descending)
                    low = Math.Max(low, high - width);
                else if (!isWhole)
                    high = Math.Min(high, low + width);
                var found = await _database.SortedSetRangeByScoreWithScoresAsync(key, low, high, Exclude.Both, order, 0, count).WaitAsync(cancellationToken).ConfigureAwait(false);
                if (found.Length == count || (low == Bound(after) && high == Bound(before)))
                    return Array.ConvertAll(found, ToEntry);
            }
        });

    /// <inheritdoc/>
    public ValueTask<long?> GetNumberAsync(CommunityScope scope, string index, string name, CancellationToken cancellationToken = default) =>
        RunAsync("community.get_number", "ZSCORE", async () =>
            (long?)await _database.SortedSetScoreAsync(Key(scope, "i:" + index), name).WaitAsync(cancellationToken).ConfigureAwait(false));

    /// <inheritdoc/>
    public ValueTask<long> CountAsync(CommunityScope scope, string index, long from, CancellationToken cancellationToken = default) =>
        RunAsync("community.count", "ZCOUNT", async () =>
            await _database.SortedSetLengthAsync(Key(scope, "i:" + index), from).WaitAsync(cancellationToken).ConfigureAwait(false));

    /// <inheritdoc/>
    public async ValueTask EnterAsync(
        CommunityScope scope, string index, IReadOnlyList<CommunityIndexEntry> entries, long keepFrom, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(entries);
        _ = await RunAsync("community.enter", "ZADD", async () =>
        {
            var key = Key(scope, "i:" + index);
            var entered = _database.SortedSetAddAsync(key, [.. entries.Select(static entry => new SortedSetEntry(entry.Name, entry.Number))]);
            var left = _database.SortedSetRemoveRangeByScoreAsync(key, double.NegativeInfinity, keepFrom, Exclude.Stop);
            return await Task.WhenAll(entered, left).WaitAsync(cancellationToken).ConfigureAwait(false);
        }).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask SetLifetimeAsync(CommunityScope scope, string table, TimeSpan? lifetime, CancellationToken cancellationToken = default) =>
        _ = await RunAsync("community.set_lifetime", lifetime is null ? "PERSIST" : "PEXPIRE", async () =>
            await (lifetime is { } life
                ? _database.KeyExpireAsync(Key(scope, "t:" + table), life > TimeSpan.Zero ? life : TimeSpan.FromMilliseconds(1))
                : _database.KeyPersistAsync(Key(scope, "t:" + table))).WaitAsync(cancellationToken).ConfigureAwait(false)).ConfigureAwait(false);

    /// <inheritdoc/>
    public ValueTask<long> NextAsync(string counter, CancellationToken cancellationToken = default) =>
        RunAsync("community.next", "INCR", async () =>
            await _database.StringIncrementAsync(Key(CommunityScope.Server, "c:" + counter)).WaitAsync(cancellationToken).ConfigureAwait(false));

    /// <inheritdoc/>
    public ValueTask<CommunityAdmission> AdmitAsync(
        CommunityScope scope, ReadOnlyMemory<byte> nonce, TimeSpan nonceLifetime, string user, long now, string seen,
        IReadOnlyList<(string Table, string Name)> lookups, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(lookups);
        return RunAsync("community.admit", "SET", async () =>
        {
            // All are sent before the first answer is awaited: one round trip.
            var fresh = _database.StringSetAsync(((RedisKey)(_prefix + "community:n:")).Append(nonce.ToArray()), "", nonceLifetime, When.NotExists);
            var touched = _database.SortedSetAddAsync(Key(scope, "i:" + seen), user, now);
            var values = Task.WhenAll(lookups.Select(lookup => _database.HashGetAsync(Key(scope, "t:" + lookup.Table), lookup.Name)));
            await Task.WhenAll(fresh, touched, values).WaitAsync(cancellationToken).ConfigureAwait(false);
            return new CommunityAdmission(await fresh.ConfigureAwait(false), Array.ConvertAll(await values.ConfigureAwait(false), ToMemory));
        });
    }

    private static CommunityIndexEntry ToEntry(SortedSetEntry entry) => new((string)entry.Element!, (long)entry.Score);

    private static double Bound(long number) => number switch
    {
        long.MinValue => double.NegativeInfinity,
        long.MaxValue => double.PositiveInfinity,
        _ => number,
    };

    private static ReadOnlyMemory<byte>? ToMemory(RedisValue value) => value.IsNull ? null : (ReadOnlyMemory<byte>?)(ReadOnlyMemory<byte>)value;

    private RedisKey VersionKey(CommunityScope scope) => Key(scope, "v");

    private RedisKey Key(CommunityScope scope, string what) => Key(_prefix, scope, what);

    private static RedisKey Key(string prefix, CommunityScope scope, string what) => $"{prefix}{{community:{scope.Name}}}:{what}";

    /// <summary>The key of a table.</summary>
    internal static RedisKey TableKey(string prefix, CommunityScope scope, string table) => Key(prefix, scope, "t:" + table);

    private async ValueTask<T> RunAsync<T>(string operation, string command, Func<Task<T>> run)
    {
        using var call = StoreCall.Start(_metrics, operation, command);
        try
        {
            return await run().ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException)
        {
            var kind = exception switch
            {
                TimeoutException => "timeout",
                RedisConnectionException => "connection",
                RedisServerException => "server",
                _ => "other",
            };
            call.Fail(kind);
            // The client library puts keys, and with them users' ids, into its messages; only the server's own words are free of them.
            throw new CommunityStoreException($"{operation} failed ({kind}){(kind is "server" ? ": " + exception.Message : "")}");
        }
    }
}
