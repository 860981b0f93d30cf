using Session.Orleans.Storage.Blobs;
using Session.Orleans.Storage.S3;
using Session.Orleans.Storage.Tests.Mailboxes;

namespace Session.Orleans.Storage.Tests.Blobs;

public sealed class EmbeddedBlobStoreTests(DurableEmbeddedFixture fixture) : RedisBlobStoreTests(fixture), IClassFixture<DurableEmbeddedFixture>;

public sealed class RealRedisBlobStoreTests(RedisFixture fixture) : RedisBlobStoreTests(fixture), IClassFixture<RedisFixture>;

public abstract class RedisBlobStoreTests(StoreFixture fixture) : BlobStoreTests(RedisBlobStore.ChunkLength)
{
    protected override IBlobStore Create()
    {
        Assert.SkipWhen(fixture.SkipReason is not null, fixture.SkipReason ?? "");
        return new RedisBlobStore(fixture.Connection);
    }

    [Fact]
    public async Task Delete_OfWhatAnInterruptedOneLeft_RemovesTheRest()
    {
        var store = Create();
        await store.WriteAsync("half", new MemoryStream(Bytes(5 * RedisBlobStore.ChunkLength)), Cancel);
        var database = fixture.Connection.GetDatabase();
        await database.KeyDeleteAsync("blob:{half}:4"); // removal starts at the end

        await store.DeleteAsync("half", Cancel);

        Assert.False(await database.KeyExistsAsync("blob:{half}:0"));
        Assert.False(await database.KeyExistsAsync("blob:{half}:3"));
    }
}

public sealed class S3BlobStoreTests(S3Server server) : BlobStoreTests(S3BlobStore.PartLength), IClassFixture<S3Server>
{
    protected override IBlobStore Create()
    {
        Assert.SkipWhen(server.SkipReason is not null, server.SkipReason ?? "");
        return new S3BlobStore(server.Options);
    }

    [Fact]
    public async Task Check_FindsTheBucketOrSaysWhatIsWrong()
    {
        _ = Create();
        using var good = new S3BlobStore(server.Options);
        await good.CheckAsync(Cancel);
        using var bad = new S3BlobStore(server.Options with { Bucket = "nowhere" });
        Assert.Contains("nowhere", (await Assert.ThrowsAsync<InvalidOperationException>(() => bad.CheckAsync(Cancel))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Delete_LeavesNoObject()
    {
        var store = Create();
        await store.WriteAsync("gone-soon", new MemoryStream(Bytes(S3BlobStore.PartLength + 1)), Cancel);
        Assert.Contains(server.Objects, name => name.Contains("gone-soon", StringComparison.Ordinal));
        await store.DeleteAsync("gone-soon", Cancel);
        Assert.DoesNotContain(server.Objects, name => name.Contains("gone-soon", StringComparison.Ordinal));
    }
}

/// <summary>What every blob store must do.</summary>
public abstract class BlobStoreTests(int pieceLength)
{
    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    protected abstract IBlobStore Create();

    protected static byte[] Bytes(int length)
    {
        var bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        return bytes;
    }

    [Fact]
    public async Task WhatIsWritten_IsReadAndThenRemoved()
    {
        var store = Create();
        foreach (var length in (int[])[1, 100, pieceLength - 1, pieceLength, pieceLength + 1, (2 * pieceLength) + 7])
        {
            var key = $"blob-{length}";
            var bytes = Bytes(length);
            await store.WriteAsync(key, new TricklingStream(bytes), Cancel);
            Assert.Equal(bytes, await ReadAsync(store, key, length));
            await store.DeleteAsync(key, Cancel);
            await Assert.ThrowsAsync<BlobMissingException>(() => ReadAsync(store, key, length));
            await store.DeleteAsync(key, Cancel);
        }
    }

    [Fact]
    public async Task Read_OfAnotherLengthThanWritten_IsAnError()
    {
        var store = Create();
        await store.WriteAsync("short", new MemoryStream(Bytes(1000)), Cancel);
        await Assert.ThrowsAsync<BlobMissingException>(() => ReadAsync(store, "short", 1001));
        await Assert.ThrowsAsync<BlobMissingException>(() => ReadAsync(store, "short", pieceLength + 1000));
    }

    [Fact]
    public async Task Write_WhoseSourceFails_FailsWithItAndCanBeRemoved()
    {
        var store = Create();
        var source = new TricklingStream(Bytes((2 * pieceLength) + 100)) { FailAt = (2 * pieceLength) + 50 };
        await Assert.ThrowsAsync<IOException>(async () => await store.WriteAsync("broken", source, Cancel));
        await store.DeleteAsync("broken", Cancel);
        await Assert.ThrowsAsync<BlobMissingException>(() => ReadAsync(store, "broken", (2 * pieceLength) + 100));
    }

    [Fact]
    public async Task ManyAtOnce_DoNotMix()
    {
        var store = Create();
        await Parallel.ForAsync(0, 20, Cancel, async (i, cancel) =>
        {
            var bytes = Bytes(100_000 + i);
            await store.WriteAsync($"many-{i}", new TricklingStream(bytes), cancel);
            Assert.Equal(bytes, await ReadAsync(store, $"many-{i}", bytes.Length));
        });
    }

    protected static async Task<byte[]> ReadAsync(IBlobStore store, string key, int length)
    {
        using var all = new MemoryStream();
        await foreach (var piece in store.ReadAsync(key, length, Cancel))
            all.Write(piece.Span);
        return all.ToArray();
    }
}

/// <summary>Gives its bytes in pieces of odd sizes, as a network does.</summary>
internal sealed class TricklingStream(byte[] bytes) : Stream
{
    private int _position;
    private int _calls;

    /// <summary>Where it fails; null: nowhere.</summary>
    public int? FailAt { get; init; }

    /// <summary>The most bytes ever asked for at once.</summary>
    public int LargestRead { get; private set; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        LargestRead = Math.Max(LargestRead, buffer.Length);
        if (_position >= FailAt)
            throw new IOException("The source broke.");
        var length = Math.Min(Math.Min(buffer.Length, bytes.Length - _position), 1 + (_calls++ * 7919 % 50_000));
        bytes.AsSpan(_position, length).CopyTo(buffer.Span);
        _position += length;
        return new(length);
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
