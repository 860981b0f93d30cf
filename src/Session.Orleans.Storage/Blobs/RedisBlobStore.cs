using System.Buffers;
using System.Globalization;
using System.Runtime.CompilerServices;
using StackExchange.Redis;

namespace Session.Orleans.Storage.Blobs;

/// <summary>
/// Blobs in Redis, in chunks of 64 KiB: <c>{prefix}{key}:n</c>, n from 0, with the key as hash tag. The chunks are written in order and
/// removed in the opposite one, so that those of a half-done blob, too, are found by counting from 0.
/// </summary>
public sealed class RedisBlobStore : IBlobStore
{
    /// <summary>Bytes of a chunk: below the size from which .NET keeps arrays on the large object heap.</summary>
    public const int ChunkLength = 64 * 1024;

    private const int DeleteBatch = 64;

    private readonly IDatabase _database;
    private readonly string _prefix;

    /// <summary>A store over a shared connection, which it does not own.</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="keyPrefix">What all its keys begin with; no braces.</param>
    public RedisBlobStore(IConnectionMultiplexer connection, string keyPrefix = "blob:")
    {
        ArgumentNullException.ThrowIfNull(connection);
        if (keyPrefix.AsSpan().ContainsAny('{', '}'))
            throw new ArgumentException("The key prefix must not contain braces.", nameof(keyPrefix));
        _database = connection.GetDatabase();
        _prefix = keyPrefix;
    }

    /// <inheritdoc/>
    public async ValueTask WriteAsync(string key, Stream content, CancellationToken cancellationToken = default)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(ChunkLength);
        try
        {
            for (var index = 0L; ; index++)
            {
                var length = await content.ReadAtLeastAsync(buffer.AsMemory(0, ChunkLength), ChunkLength, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
                if (length > 0)
                    // Not cancelled: the buffer belongs to the command until it is answered.
                    _ = await _database.StringSetAsync(ChunkKey(key, index), buffer.AsMemory(0, length)).ConfigureAwait(false);
                if (length < ChunkLength)
                    return;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(string key, long length, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        // The next chunk is on its way while the caller works on this one.
        var next = length > 0 ? GetAsync(key, 0) : null;
        for (long index = 0, left = length; next is not null; index++)
        {
            using var chunk = await next.ConfigureAwait(false);
            var expected = (int)Math.Min(left, ChunkLength);
            left -= expected;
            next = null;
            if (chunk?.Length != expected)
                throw new BlobMissingException(string.Create(CultureInfo.InvariantCulture, $"Chunk {index} of a blob of {length} bytes is missing."));
            cancellationToken.ThrowIfCancellationRequested();
            if (left > 0)
                next = GetAsync(key, index + 1);
            yield return chunk.Memory;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DeleteAsync(string key, CancellationToken cancellationToken = default)
    {
        var end = 0L;
        while (await _database.KeyExistsAsync(Batch(key, end)).WaitAsync(cancellationToken).ConfigureAwait(false) > 0)
            end += DeleteBatch;
        for (var start = end - DeleteBatch; start >= 0; start -= DeleteBatch)
            _ = await _database.KeyDeleteAsync(Batch(key, start)).WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    private Task<Lease<byte>?> GetAsync(string key, long index) => _database.StringGetLeaseAsync(ChunkKey(key, index));

    private RedisKey[] Batch(string key, long start)
    {
        var keys = new RedisKey[DeleteBatch];
        for (var i = 0; i < keys.Length; i++)
            keys[i] = ChunkKey(key, start + i);
        return keys;
    }

    private RedisKey ChunkKey(string key, long index) => string.Create(CultureInfo.InvariantCulture, $"{_prefix}{{{key}}}:{index}");
}
