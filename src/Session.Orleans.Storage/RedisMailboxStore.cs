using System.Globalization;
using System.Text;
using Session.Orleans.Protocol.Identity;
using StackExchange.Redis;

namespace Session.Orleans.Storage;

/// <summary>
/// Mailboxes in Redis (7.0 or later) or a server that speaks its protocol and runs Lua scripts as transactions. One instance serves all
/// mailboxes of a process; concurrent calls share the connection and are sent without waiting for each other.
/// </summary>
public sealed partial class RedisMailboxStore : IMailboxStore
{
    private const int BatchSize = 1000;

    // Longer than any stale activation lives, see Scripts on versions.
    private static readonly long RevocationVersionLife = (long)TimeSpan.FromDays(31).TotalMilliseconds;
    private static readonly RedisValue VersionField = "v"u8.ToArray();

    private readonly IDatabase _database;
    private readonly TimeProvider _time;
    private readonly byte[] _prefix;
    private readonly long _slack;
    private readonly int _maxRevocations;
    private readonly StorageMetrics? _metrics;

    /// <summary>A store over a shared connection, which it does not own.</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="time">Decides what has expired.</param>
    /// <param name="options">Where the keys are; null takes the defaults.</param>
    /// <param name="metrics">Told of every operation; null if nobody wants to know.</param>
    /// <exception cref="ArgumentException">The key prefix contains a brace, or the slack is not positive, or no revocation would be kept.</exception>
    public RedisMailboxStore(IConnectionMultiplexer connection, TimeProvider time, MailboxStoreOptions? options = null, StorageMetrics? metrics = null)
    {
        ArgumentNullException.ThrowIfNull(connection);
        ArgumentNullException.ThrowIfNull(time);
        options ??= new MailboxStoreOptions();
        if (options.KeyPrefix.AsSpan().ContainsAny('{', '}'))
            throw new ArgumentException($"{nameof(options.KeyPrefix)} must not contain braces.", nameof(options));
        _slack = (long)options.PayloadSlack.TotalMilliseconds;
        if (_slack < 1)
            throw new ArgumentException($"{nameof(options.PayloadSlack)} must be a millisecond at least.", nameof(options));
        if (options.MaxRevocations < 1)
            throw new ArgumentException($"{nameof(options.MaxRevocations)} must be at least 1.", nameof(options));
        _maxRevocations = options.MaxRevocations;
        _database = connection.GetDatabase(options.Database);
        _time = time;
        _metrics = metrics;
        _prefix = Encoding.UTF8.GetBytes(options.KeyPrefix);
    }

    private long Now => _time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <inheritdoc/>
    public async ValueTask<MailboxSnapshot> LoadAsync(AccountId account, CancellationToken cancellationToken = default)
    {
        using var call = Start(StorageTelemetry.Load, "HGETALL");
        try
        {
            var keys = new MailboxKeys(_prefix, account);
            var revoked = _database.SortedSetRangeByRankWithScoresAsync(keys.Revoked);
            var (version, live) = await ReadIndexAsync(keys.Index, cancellationToken).ConfigureAwait(false);
            var sweep = MessageLifetime.LatestSweep(Now);
            MessageHash[] swept = [.. live.Where(entry => entry.Expiry <= sweep).Select(entry => entry.Hash)];
            if (swept.Length > 0)
                _ = live.RemoveAll(entry => entry.Expiry <= sweep);
            live.Sort(static (left, right) => left.Sequence.CompareTo(right.Sequence));
            if (swept.Length > 0)
                await PruneCoreAsync(keys, swept, sweep, cancellationToken).ConfigureAwait(false);
            var tokens = Array.ConvertAll(
                await revoked.WaitAsync(cancellationToken).ConfigureAwait(false),
                static entry => new RevokedToken((ReadOnlyMemory<byte>)entry.Element, ScoreToTime(entry.Score)));
            return new MailboxSnapshot(version, live, tokens);
        }
        catch (Exception e) when (Failure(e, "load", account, call) is { } failure)
        {
            throw failure;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<long> GetVersionAsync(AccountId account, CancellationToken cancellationToken = default)
    {
        using var call = Start(StorageTelemetry.GetVersion, "HGET");
        try
        {
            return await VersionAsync(new MailboxKeys(_prefix, account).Index, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (Failure(e, "get version", account, call) is { } failure)
        {
            throw failure;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<AppendResult> AppendAsync(
        AccountId account, NewMessage message, ReadOnlyMemory<byte> data, ReadOnlyMemory<MessageHash> replaces = default,
        CancellationToken cancellationToken = default)
    {
        using var call = Start(StorageTelemetry.Append, "EVALSHA");
        try
        {
            var now = Now;
            var first = FirstVersion(now);
            var keys = new MailboxKeys(_prefix, account);
            var others = 0;
            foreach (ref readonly var hash in replaces.Span)
                others += hash == message.Hash ? 0 : 1;
            var keyArguments = new RedisKey[2 + others];
            var values = new RedisValue[8 + others];
            keyArguments[0] = keys.Index;
            keyArguments[1] = keys.Payload(message.Hash);
            values[0] = message.Hash.AsSpan().ToArray();
            values[1] = IndexEntry.PackHead(message, data.Length);
            values[2] = message.Expiry;
            values[3] = MessageLifetime.LatestSweep(now);
            values[4] = TimeToLive(message.Expiry, now);
            values[5] = first;
            values[6] = data;
            values[7] = IndexEntry.PackTail(message.Missing);
            foreach (ref readonly var hash in replaces.Span)
            {
                if (hash == message.Hash)
                    continue;
                others--;
                keyArguments[2 + others] = keys.Payload(hash);
                values[8 + others] = hash.AsSpan().ToArray();
            }

            var result = await Scripts.Append.RunAsync(_database, keyArguments, values)
                .WaitAsync(cancellationToken).ConfigureAwait(false);
            if (result.Length >= 0)
            {
                return new AppendResult(
                    true, (long)result[2], (long)result[3], (long)result[4], new VersionStep((long)result[0], (long)result[1]));
            }

            var version = (long)result;
            return new AppendResult(
                false, version, message.Timestamp, message.Expiry, new VersionStep(version == first ? 0 : version - 1, version));
        }
        catch (Exception e) when (Failure(e, "append", account, call) is { } failure)
        {
            throw failure;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<ReadOnlyMemory<byte>?>> ReadAsync(
        AccountId account, ReadOnlyMemory<MessageHash> hashes, CancellationToken cancellationToken = default)
    {
        if (hashes.IsEmpty)
            return [];
        using var call = Start(StorageTelemetry.Read, "MGET", hashes.Length);
        try
        {
            var mailbox = new MailboxKeys(_prefix, account);
            var keys = new RedisKey[hashes.Length];
            for (var i = 0; i < keys.Length; i++)
                keys[i] = mailbox.Payload(hashes.Span[i]);
            var values = await _database.StringGetAsync(keys).WaitAsync(cancellationToken).ConfigureAwait(false);
            return Array.ConvertAll(values, static value => value.IsNull ? null : (ReadOnlyMemory<byte>?)(ReadOnlyMemory<byte>)value);
        }
        catch (Exception e) when (Failure(e, "read", account, call) is { } failure)
        {
            throw failure;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<ChangeResult> RemoveAsync(
        AccountId account, ReadOnlyMemory<MessageHash> hashes, CancellationToken cancellationToken = default)
    {
        using var call = Start(StorageTelemetry.Remove, "EVALSHA", hashes.Length);
        try
        {
            var keys = new MailboxKeys(_prefix, account);
            var sweep = MessageLifetime.LatestSweep(Now);
            return await InBatchesAsync(keys, hashes, batch =>
            {
                var values = new RedisValue[1 + batch.Length];
                values[0] = sweep;
                for (var i = 0; i < batch.Length; i++)
                    values[i + 1] = batch.Span[i].AsSpan().ToArray();
                return Scripts.Remove.RunAsync(_database, keys.IndexAndPayloads(batch.Span), values);
            }, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (Failure(e, "remove", account, call) is { } failure)
        {
            throw failure;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<int> PruneAsync(
        AccountId account, ReadOnlyMemory<MessageHash> hashes, CancellationToken cancellationToken = default)
    {
        using var call = Start(StorageTelemetry.Prune, "EVALSHA", hashes.Length);
        try
        {
            return await PruneCoreAsync(
                new MailboxKeys(_prefix, account), hashes, MessageLifetime.LatestSweep(Now), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (Failure(e, "prune", account, call) is { } failure)
        {
            throw failure;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<ChangeResult> SetExpiriesAsync(
        AccountId account, ReadOnlyMemory<ExpiryChange> changes, CancellationToken cancellationToken = default)
    {
        using var call = Start(StorageTelemetry.SetExpiries, "EVALSHA", changes.Length);
        try
        {
            var keys = new MailboxKeys(_prefix, account);
            var now = Now;
            return await InBatchesAsync(keys, changes, batch =>
            {
                var keyArguments = new RedisKey[1 + batch.Length];
                var values = new RedisValue[2 + (3 * batch.Length)];
                keyArguments[0] = keys.Index;
                values[0] = MessageLifetime.LatestSweep(now);
                var longest = 0L;
                for (var i = 0; i < batch.Length; i++)
                {
                    var (hash, expiry) = batch.Span[i];
                    var life = TimeToLive(expiry, now);
                    longest = Math.Max(longest, life);
                    keyArguments[i + 1] = keys.Payload(hash);
                    values[(3 * i) + 2] = hash.AsSpan().ToArray();
                    values[(3 * i) + 3] = IndexEntry.PackExpiry(expiry);
                    values[(3 * i) + 4] = life;
                }

                values[1] = longest;
                return Scripts.SetExpiries.RunAsync(_database, keyArguments, values);
            }, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (Failure(e, "set expiries", account, call) is { } failure)
        {
            throw failure;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<RevocationResult> RevokeAsync(
        AccountId account, IReadOnlyList<ReadOnlyMemory<byte>> tokens, CancellationToken cancellationToken = default)
    {
        RequireTokens(tokens);
        using var call = Start(StorageTelemetry.Revoke, "EVALSHA", tokens.Count);
        try
        {
            var keys = new MailboxKeys(_prefix, account);
            if (tokens.Count == 0)
                return new RevocationResult(0, await UnchangedAsync(keys, cancellationToken).ConfigureAwait(false));
            var now = Now;
            var first = FirstVersion(now);
            var result = await Scripts.Revoke.RunAsync(
                _database,
                [keys.Index, keys.Revoked],
                [first, RevocationVersionLife, TimeToScore(now), _maxRevocations, .. ToValues(tokens)])
                .WaitAsync(cancellationToken).ConfigureAwait(false);
            return new RevocationResult(tokens.Count, new VersionStep((long)result[0], (long)result[1]));
        }
        catch (Exception e) when (Failure(e, "revoke", account, call) is { } failure)
        {
            throw failure;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<RevocationResult> UnrevokeAsync(
        AccountId account, IReadOnlyList<ReadOnlyMemory<byte>> tokens, CancellationToken cancellationToken = default)
    {
        RequireTokens(tokens);
        using var call = Start(StorageTelemetry.Unrevoke, "EVALSHA", tokens.Count);
        try
        {
            var keys = new MailboxKeys(_prefix, account);
            if (tokens.Count == 0)
                return new RevocationResult(0, await UnchangedAsync(keys, cancellationToken).ConfigureAwait(false));
            var result = await Scripts.Unrevoke.RunAsync(
                _database, [keys.Index, keys.Revoked], [FirstVersion(Now), RevocationVersionLife, .. ToValues(tokens)])
                .WaitAsync(cancellationToken).ConfigureAwait(false);
            return new RevocationResult((int)result[2], new VersionStep((long)result[0], (long)result[1]));
        }
        catch (Exception e) when (Failure(e, "unrevoke", account, call) is { } failure)
        {
            throw failure;
        }
    }

    /// <summary>About a thousand versions per millisecond: no mailbox catches up with the clock. Stays below 2^53 until the year 2248.</summary>
    private static long FirstVersion(long now) => now << 10;

    private static long TimeToScore(long time) => time << 10;

    private static long ScoreToTime(double score) => (long)score >> 10;

    private long TimeToLive(long expiry, long now) =>
        Math.Max(0, MessageLifetime.SweptAt(expiry) - now) + _slack;

    /// <summary>
    /// Reads the whole index, in one step: a scan in several would have to begin again whenever something was written meanwhile, and the embedded
    /// store reads all of a hash for each of them, which for a large one that it has put on disk took longer than a request may.
    /// </summary>
    /// <returns>The version and the messages; no message is there twice.</returns>
    private async Task<(long Version, List<MessageEntry> Entries)> ReadIndexAsync(RedisKey key, CancellationToken cancellationToken)
    {
        var fields = await _database.HashGetAllAsync(key).WaitAsync(cancellationToken).ConfigureAwait(false);
        var (version, entries) = (0L, new List<MessageEntry>(fields.Length));
        foreach (var field in fields)
        {
            var name = ((ReadOnlyMemory<byte>)field.Name).Span;
            if (name.Length == Bytes32.Length)
                entries.Add(IndexEntry.Parse(name, ((ReadOnlyMemory<byte>)field.Value).Span));
            else if (field.Name == VersionField)
                version = (long)field.Value;
        }

        return (version, entries);
    }

    private async Task<long> VersionAsync(RedisKey key, CancellationToken cancellationToken)
    {
        var version = await _database.HashGetAsync(key, VersionField).WaitAsync(cancellationToken).ConfigureAwait(false);
        return version.IsNull ? 0 : (long)version;
    }

    private async Task<VersionStep> UnchangedAsync(MailboxKeys keys, CancellationToken cancellationToken)
    {
        var version = await VersionAsync(keys.Index, cancellationToken).ConfigureAwait(false);
        return new VersionStep(version, version);
    }

    private async Task<int> PruneCoreAsync(
        MailboxKeys keys, ReadOnlyMemory<MessageHash> hashes, long sweep, CancellationToken cancellationToken)
    {
        var removed = 0;
        for (; !hashes.IsEmpty; hashes = hashes[Math.Min(BatchSize, hashes.Length)..])
        {
            var batch = hashes.Span[..Math.Min(BatchSize, hashes.Length)];
            var values = new RedisValue[1 + batch.Length];
            values[0] = sweep;
            for (var i = 0; i < batch.Length; i++)
                values[i + 1] = batch[i].AsSpan().ToArray();
            removed += (int)await Scripts.Prune.RunAsync(_database, [keys.Index], values)
                .WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        return removed;
    }

    /// <summary>Runs a change batch by batch and joins flags and versions.</summary>
    private async Task<ChangeResult> InBatchesAsync<T>(
        MailboxKeys keys, ReadOnlyMemory<T> items, Func<ReadOnlyMemory<T>, Task<RedisResult>> change, CancellationToken cancellationToken)
    {
        if (items.IsEmpty)
            return new ChangeResult([], await UnchangedAsync(keys, cancellationToken).ConfigureAwait(false));
        var found = new bool[items.Length];
        var joined = default(VersionStep);
        for (var start = 0; start < items.Length; start += BatchSize)
        {
            // A store in the same process answers on the caller's thread: let others through between the steps.
            if (start > 0)
                await Task.Yield();
            var batch = items.Slice(start, Math.Min(BatchSize, items.Length - start));
            var result = await change(batch).WaitAsync(cancellationToken).ConfigureAwait(false);
            var step = new VersionStep((long)result[0], (long)result[1]);
            var before = start == 0 ? step.Before : step.Before == joined.After ? joined.Before : VersionStep.Interrupted;
            joined = new VersionStep(before, step.After);
            var flags = ((ReadOnlyMemory<byte>)(RedisValue)result[2]).Span;
            for (var i = 0; i < flags.Length; i++)
                found[start + i] = flags[i] == (byte)'1';
        }

        return new ChangeResult(found, joined);
    }

    private static void RequireTokens(IReadOnlyList<ReadOnlyMemory<byte>> tokens)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        foreach (var token in tokens)
        {
            if (token.Length != IMailboxStore.TokenLength)
            {
                throw new ArgumentException(
                    string.Create(CultureInfo.InvariantCulture, $"A token has {IMailboxStore.TokenLength} bytes, not {token.Length}."),
                    nameof(tokens));
            }
        }
    }

    private static IEnumerable<RedisValue> ToValues(IReadOnlyList<ReadOnlyMemory<byte>> tokens) =>
        tokens.Select(static token => (RedisValue)token);

    private StoreCall Start(string name, string command, int batchSize = 0) => StoreCall.Start(_metrics, name, command, batchSize);

    /// <summary>
    /// Marks the span as failed and puts the failure into words without foreign types; null where the exception is to pass as it is.
    /// </summary>
    private static MailboxStoreException? Failure(Exception e, string operation, AccountId account, in StoreCall call)
    {
        var kind = e switch
        {
            OperationCanceledException => "cancelled",
            TimeoutException => "timeout", // the client's own timeout exception is one of these
            RedisConnectionException => "connection",
            RedisServerException => "server",
            _ => "other",
        };
        call.Fail(kind);
        if (kind == "cancelled" || e is MailboxStoreException)
            return null;

        // Everything but the server's own refusal leaves open whether the command arrived. The client puts keys into its messages.
        var unknown = kind != "server";
        var cause = e.Message.Replace(account.ToString(), account.ToShortString(), StringComparison.OrdinalIgnoreCase);
        return new MailboxStoreException(
            $"Mailbox {account.ToShortString()}: {operation} failed ({kind}{(unknown ? ", outcome unknown" : "")}): {e.GetType().Name}: {cause}",
            unknown);
    }
}
