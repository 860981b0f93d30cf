using System.Globalization;
using System.Runtime.CompilerServices;
using StackExchange.Redis;

namespace Session.Orleans.Storage.Communities;

/// <summary>A key of a scope with all it holds.</summary>
/// <param name="Key">What follows the scope in the key: <c>v</c>, <c>t:NAME</c>, <c>i:NAME</c> or <c>c:NAME</c>.</param>
/// <param name="Expires">When it ends by itself, Unix milliseconds; 0: never.</param>
/// <param name="Entries">Names and values of a table, names and numbers of an index as 8 bytes, or one value without a name.</param>
public sealed record CommunityArchiveKey(string Key, long Expires, IReadOnlyList<(ReadOnlyMemory<byte> Name, ReadOnlyMemory<byte> Value)> Entries);

/// <summary>
/// Reads and replaces whole scopes of <see cref="RedisCommunityStore"/>, for snapshots. It walks the store: never part of a request. Nonces are
/// no scope: they stay as they are, or requests that were made meanwhile could be made again.
/// </summary>
/// <param name="connection">A shared connection; not owned.</param>
/// <param name="keyPrefix">As the store's.</param>
/// <param name="walk">How to go through the keys; null: over the shared connection.</param>
public sealed class CommunityArchive(IConnectionMultiplexer connection, string keyPrefix = "", KeyWalk? walk = null)
{
    private const string VersionKey = "v";
    private const string Staged = "new:"; // before the name of a key that has not taken its place yet
    private const int Attempts = 3, Batch = 1000;

    // KEYS: version. ARGV: the snapshot's version. Versions only ever grow: what an activation has in memory is old then.
    private static readonly Script Advance = new("""
        local next = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), tonumber(ARGV[1])) + 1
        redis.call('SET', KEYS[1], string.format('%.0f', next))
        return next
        """);

    // KEYS: counter. ARGV: the snapshot's. A number is never given twice, also when it was given after the snapshot.
    private static readonly Script Raise = new("""
        local next = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), tonumber(ARGV[1]))
        redis.call('SET', KEYS[1], string.format('%.0f', next))
        return next
        """);

    private readonly IDatabase _database = connection.GetDatabase();
    private readonly KeyWalk _walk = walk ?? new(connection);

    /// <summary>All scopes with their keys, as they are now.</summary>
    public async Task<IReadOnlyDictionary<string, IReadOnlyList<string>>> ListAsync(CancellationToken cancellationToken = default)
    {
        var scopes = new Dictionary<string, HashSet<string>>(StringComparer.Ordinal);
        await foreach (var (scope, key) in ScanAsync("*", cancellationToken).ConfigureAwait(false))
        {
            if (!scopes.TryGetValue(scope, out var keys))
                scopes[scope] = keys = new(StringComparer.Ordinal);
            keys.Add(key);
        }

        return scopes.ToDictionary(static scope => scope.Key, static IReadOnlyList<string> (scope) => [.. scope.Value], StringComparer.Ordinal);
    }

    /// <summary>A scope as it is at one moment; empty if it is gone.</summary>
    /// <param name="scope">The scope.</param>
    /// <param name="keys">Its keys as <see cref="ListAsync"/> gave them. Those that have come since are looked for if the scope has changed.</param>
    /// <param name="version">The scope's version when they were listed; null looks for them at once.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<IReadOnlyList<CommunityArchiveKey>> ReadAsync(
        CommunityScope scope, IReadOnlyList<string> keys, long? version, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(keys);
        for (var attempt = 1; ; attempt++)
        {
            var (now, content) = await ReadOnceAsync(scope, keys).ConfigureAwait(false);
            // A scope that is written all the time is taken as it is: what came meanwhile may be in it or not.
            if (now == version || attempt == Attempts)
                return content;
            version = (long)await _database.StringGetAsync(Key(scope, VersionKey)).WaitAsync(cancellationToken).ConfigureAwait(false);
            var found = new HashSet<string>(StringComparer.Ordinal);
            await foreach (var (_, key) in ScanAsync(Escape(scope.Name), cancellationToken).ConfigureAwait(false))
                found.Add(key);
            keys = [.. found];
        }
    }

    /// <summary>Versions of scopes, in the order asked for.</summary>
    public async Task<long[]> GetVersionsAsync(IReadOnlyList<string> scopes, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(scopes);
        var versions = new long[scopes.Count];
        for (var at = 0; at < versions.Length; at += Batch)
        {
            var part = await Task.WhenAll(scopes.Skip(at).Take(Batch).Select(scope => _database.StringGetAsync(Key(new(scope), VersionKey)))).WaitAsync(cancellationToken).ConfigureAwait(false);
            for (var i = 0; i < part.Length; i++)
                versions[at + i] = (long)part[i];
        }

        return versions;
    }

    /// <summary>Puts entries of a key aside, where nobody reads them yet.</summary>
    public async Task StageAsync(CommunityScope scope, CommunityArchiveKey key, bool isFirst, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(key);
        var target = Key(scope, Staged + key.Key);
        if (isFirst)
            _ = await _database.KeyDeleteAsync(target).WaitAsync(cancellationToken).ConfigureAwait(false);
        foreach (var entries in key.Entries.Chunk(Batch))
        {
            await (key.Key[0] switch
            {
                't' => _database.HashSetAsync(target, [.. entries.Select(static entry => new HashEntry(entry.Name, entry.Value))]),
                'i' => _database.SortedSetAddAsync(target, [.. entries.Select(static entry => new SortedSetEntry(entry.Name, BitConverter.ToInt64(entry.Value.Span)))]),
                _ => _database.StringSetAsync(target, entries[0].Value),
            }).WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Replaces a scope by what was put aside for it, at once.</summary>
    /// <param name="scope">The scope.</param>
    /// <param name="staged">Keys that were put aside, with when they end; none removes the scope.</param>
    /// <param name="present">Keys that the scope has had.</param>
    /// <param name="version">The snapshot's version.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task PublishAsync(
        CommunityScope scope, IReadOnlyDictionary<string, long> staged, IReadOnlyList<string> present, long version, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(staged);
        ArgumentNullException.ThrowIfNull(present);
        var counters = staged.Keys.Where(static key => key[0] == 'c').ToArray();
        var step = _database.CreateTransaction();
        List<Task> parts = [];
        foreach (var key in present.Where(static key => key[0] is 't' or 'i'))
            parts.Add(step.KeyDeleteAsync(Key(scope, key)));
        foreach (var (key, expires) in staged.Where(static key => key.Key[0] is 't' or 'i'))
        {
            parts.Add(step.KeyRenameAsync(Key(scope, Staged + key), Key(scope, key)));
            if (expires > 0)
                parts.Add(step.KeyExpireAsync(Key(scope, key), DateTimeOffset.FromUnixTimeMilliseconds(expires).UtcDateTime));
        }

        if (parts.Count > 0)
        {
            _ = await step.ExecuteAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
            await Task.WhenAll(parts).WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        foreach (var counter in counters)
        {
            var value = await _database.StringGetAsync(Key(scope, Staged + counter)).WaitAsync(cancellationToken).ConfigureAwait(false);
            _ = await Raise.RunAsync(_database, [Key(scope, counter)], [value]).WaitAsync(cancellationToken).ConfigureAwait(false);
            _ = await _database.KeyDeleteAsync(Key(scope, Staged + counter)).WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        _ = await Advance.RunAsync(_database, [Key(scope, VersionKey)], [version]).WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task<(long Version, IReadOnlyList<CommunityArchiveKey> Content)> ReadOnceAsync(CommunityScope scope, IReadOnlyList<string> keys)
    {
        var step = _database.CreateTransaction();
        var version = step.StringGetAsync(Key(scope, VersionKey));
        var parts = keys.Where(static key => key != VersionKey).Select(key =>
        {
            var name = Key(scope, key);
            Task<CommunityArchiveKey> content = key[0] switch
            {
                't' => TableAsync(key, step.HashGetAllAsync(name), step.KeyTimeToLiveAsync(name)),
                'i' => IndexAsync(key, step.SortedSetRangeByRankWithScoresAsync(name), step.KeyTimeToLiveAsync(name)),
                _ => ValueAsync(key, step.StringGetAsync(name)),
            };
            return content;
        }).ToArray();
        _ = await step.ExecuteAsync().ConfigureAwait(false);
        var content = await Task.WhenAll(parts).ConfigureAwait(false);
        var number = (long)await version.ConfigureAwait(false);
        return (number,
        [
            new(VersionKey, 0, [(ReadOnlyMemory<byte>.Empty, BitConverter.GetBytes(number))]),
            .. content.Where(static key => key.Entries.Count > 0),
        ]);
    }

    private static async Task<CommunityArchiveKey> TableAsync(string key, Task<HashEntry[]> entries, Task<TimeSpan?> left) => new(
        key, Expires(await left.ConfigureAwait(false)),
        Array.ConvertAll(await entries.ConfigureAwait(false), static entry => ((ReadOnlyMemory<byte>)entry.Name, (ReadOnlyMemory<byte>)entry.Value)));

    private static async Task<CommunityArchiveKey> IndexAsync(string key, Task<SortedSetEntry[]> entries, Task<TimeSpan?> left) => new(
        key, Expires(await left.ConfigureAwait(false)),
        Array.ConvertAll(
            await entries.ConfigureAwait(false),
            static entry => ((ReadOnlyMemory<byte>)entry.Element, (ReadOnlyMemory<byte>)BitConverter.GetBytes((long)entry.Score))));

    private static async Task<CommunityArchiveKey> ValueAsync(string key, Task<RedisValue> value) =>
        new(key, 0, await value.ConfigureAwait(false) is { IsNull: false } some ? [(ReadOnlyMemory<byte>.Empty, (ReadOnlyMemory<byte>)some)] : []);

    private static long Expires(TimeSpan? left) => left is { } time ? (DateTimeOffset.UtcNow + time).ToUnixTimeMilliseconds() : 0; // the store's clock, not the network's

    private async IAsyncEnumerable<(string Scope, string Key)> ScanAsync(string scope, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var before = keyPrefix + "{community:";
        await foreach (var found in _walk.KeysAsync(_database.Database, $"{Escape(keyPrefix)}{{community:{scope}}}:*", cancellationToken).ConfigureAwait(false))
        {
            if ((string?)found is not { } text || !text.StartsWith(before, StringComparison.Ordinal) || text.IndexOf("}:", StringComparison.Ordinal) is not (> 0 and var end))
                continue;
            var key = text[(end + 2)..];
            if (!key.StartsWith(Staged, StringComparison.Ordinal))
                yield return (text[before.Length..end], key);
        }
    }

    private static string Escape(string text) => string.Concat(text.Select(static c => c is '*' or '?' or '[' or ']' or '\\' ? $"\\{c}" : c.ToString(CultureInfo.InvariantCulture)));

    private RedisKey Key(CommunityScope scope, string what) => $"{keyPrefix}{{community:{scope.Name}}}:{what}";
}
