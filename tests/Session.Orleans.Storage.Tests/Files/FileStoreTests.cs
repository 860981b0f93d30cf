using Microsoft.Extensions.Time.Testing;
using Session.Orleans.Protocol.FileServer;
using Session.Orleans.Storage.Blobs;
using Session.Orleans.Storage.Files;
using Session.Orleans.Storage.Tests.Blobs;
using Session.Orleans.Storage.Tests.Mailboxes;

namespace Session.Orleans.Storage.Tests.Files;

public sealed class EmbeddedFileStoreTests(DurableEmbeddedFixture fixture) : FileStoreTests(fixture), IClassFixture<DurableEmbeddedFixture>;

public sealed class RedisFileStoreTests(RedisFixture fixture) : FileStoreTests(fixture), IClassFixture<RedisFixture>;

/// <summary>Files on every server under the store. Each test has keys of its own.</summary>
public abstract class FileStoreTests : IAsyncLifetime
{
    private const long Limit = 1_000_000;

    private static readonly TimeSpan Life = TimeSpan.FromHours(1);

    private readonly StoreFixture _fixture;
    private readonly FakeTimeProvider _time = new(DateTimeOffset.FromUnixTimeMilliseconds(1_900_000_000_000));
    private CountingBlobs _blobs = null!;
    private FileStore _files = null!;

    protected FileStoreTests(StoreFixture fixture) => _fixture = fixture;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private long Now => _time.GetUtcNow().ToUnixTimeMilliseconds();

    public ValueTask InitializeAsync()
    {
        Assert.SkipWhen(_fixture.SkipReason is not null, _fixture.SkipReason ?? "");
        var prefix = Guid.NewGuid().ToString("N") + ":";
        _blobs = new(new RedisBlobStore(_fixture.Connection, prefix + "blob:"));
        _files = new(_fixture.Connection, _blobs, _time, prefix);
        return default;
    }

    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return default;
    }

    [Fact]
    public async Task Upload_IsFoundByTheIdOfItsBytes()
    {
        var bytes = Bytes(300_000);
        var file = await StoreAsync(bytes);

        Assert.Equal(FileId.OfContent(bytes), file.Id);
        Assert.Equal((300_000, Now, Now + (long)Life.TotalMilliseconds), (file.Size, file.Uploaded, file.Expires));
        Assert.Equal(file, await _files.FindAsync(file.Id));
        Assert.Equal(bytes, await ReadAsync(file));
        Assert.Null(await _files.FindAsync(FileId.OfContent([1])));
    }

    [Fact]
    public async Task SameBytesTwice_AreKeptOnceAndLiveLonger()
    {
        var bytes = Bytes(100_000);
        var first = await StoreAsync(bytes);
        _time.Advance(TimeSpan.FromMinutes(30));
        var second = await StoreAsync(bytes);

        Assert.Equal(first with { Uploaded = Now, Expires = Now + (long)Life.TotalMilliseconds }, second);
        Assert.Equal(1, await _files.CleanUpAsync(Cancel)); // the second's bytes
        Assert.Equal([first.Blob], _blobs.Keys);

        _time.Advance(TimeSpan.FromMinutes(45)); // the first would be gone
        Assert.Equal(0, await _files.CleanUpAsync(Cancel));
        Assert.Equal(bytes, await ReadAsync((await _files.FindAsync(first.Id))!));
    }

    [Fact]
    public async Task SameBytesWithAShorterLife_DoNotShortenIt()
    {
        var first = await StoreAsync(Bytes(10));
        var second = await StoreAsync(Bytes(10), life: TimeSpan.FromSeconds(1));
        Assert.Equal(first.Expires, second.Expires);
    }

    [Fact]
    public async Task SameBytesAtOnce_LeaveOneBlobAndEveryReaderSeesAll()
    {
        var bytes = Bytes(200_000);
        var id = FileId.OfContent(bytes);
        using var done = new CancellationTokenSource();
        var reader = Task.Run(async () =>
        {
            while (!done.IsCancellationRequested)
            {
                if (await _files.FindAsync(id) is { } file)
                    Assert.Equal(bytes, await ReadAsync(file));
            }
        }, Cancel);

        var stored = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => StoreAsync(bytes)));
        await done.CancelAsync();
        await reader;

        Assert.Single(stored.Select(file => file.Blob).Distinct());
        Assert.Equal(11, await _files.CleanUpAsync(Cancel));
        Assert.Equal(bytes, await ReadAsync(stored[0]));
    }

    [Fact]
    public async Task NumericIds_MakeEveryUploadANewFile()
    {
        var first = await StoreAsync(Bytes(10), FileIdMode.Numeric);
        var second = await StoreAsync(Bytes(10), FileIdMode.Numeric);
        Assert.NotEqual(first.Id, second.Id);
        Assert.Matches("^[0-9]{1,16}$", first.Id);
        Assert.Equal(Bytes(10), await ReadAsync(second));
    }

    [Fact]
    public async Task ExpiredFile_IsGoneAtOnceAndItsBytesAtTheCleanUp()
    {
        var file = await StoreAsync(Bytes(100_000));
        _time.Advance(Life - TimeSpan.FromMilliseconds(1));
        Assert.NotNull(await _files.FindAsync(file.Id));
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Null(await _files.FindAsync(file.Id));
        Assert.Null(await _files.ExtendAsync(file.Id, Life));

        Assert.Equal(0, await _files.CleanUpAsync(Cancel));
        Assert.Equal(Bytes(100_000), await ReadAsync(file)); // a download that began before goes on
        _time.Advance(TimeSpan.FromMinutes(16));
        Assert.Equal(1, await _files.CleanUpAsync(Cancel));
        await Assert.ThrowsAsync<BlobMissingException>(() => ReadAsync(file));

        var again = await StoreAsync(Bytes(100_000));
        Assert.Equal((file.Id, Bytes(100_000).Length), (again.Id, (await ReadAsync(again)).Length));
    }

    [Fact]
    public async Task Upload_OfWhatHasJustExpired_IsANewFile()
    {
        var file = await StoreAsync(Bytes(50));
        _time.Advance(Life);
        var again = await StoreAsync(Bytes(50));
        Assert.NotEqual(file.Blob, again.Blob);
        _time.Advance(TimeSpan.FromMinutes(16));
        Assert.Equal(1, await _files.CleanUpAsync(Cancel)); // the old one's
        Assert.Equal(Bytes(50), await ReadAsync((await _files.FindAsync(file.Id))!));
    }

    [Fact]
    public async Task Extend_OnlyEverPutsOff()
    {
        var file = await StoreAsync(Bytes(10));
        Assert.Equal(file, await _files.ExtendAsync(file.Id, TimeSpan.FromSeconds(5)));
        _time.Advance(TimeSpan.FromMinutes(10));
        var extended = await _files.ExtendAsync(file.Id, Life);
        Assert.Equal(file with { Expires = Now + (long)Life.TotalMilliseconds }, extended);
        _time.Advance(Life - TimeSpan.FromSeconds(1));
        Assert.Equal(0, await _files.CleanUpAsync(Cancel));
        Assert.Equal(Bytes(10), await ReadAsync((await _files.FindAsync(file.Id))!));
        Assert.Null(await _files.ExtendAsync(FileId.OfContent([9]), Life));
    }

    [Fact]
    public async Task EmptyAndTooLong_AreRefusedAndLeaveNothing()
    {
        Assert.Equal(UploadOutcome.Empty, (await UploadAsync([])).Outcome);
        var source = new TricklingStream(Bytes((int)Limit * 3));
        Assert.Equal(UploadOutcome.TooLarge, (await _files.UploadAsync(source, FileIdMode.Content, Limit, Life, Cancel)).Outcome);
        Assert.InRange(source.LargestRead, 1, RedisBlobStore.ChunkLength); // memory does not depend on the file
        Assert.Equal(UploadOutcome.Stored, (await UploadAsync(Bytes((int)Limit))).Outcome);
        Assert.Equal(2, await _files.CleanUpAsync(Cancel));
        Assert.Single(_blobs.Keys);
    }

    [Fact]
    public async Task UploadThatBreaksOff_LeavesNothing()
    {
        var source = new TricklingStream(Bytes(500_000)) { FailAt = 400_000 };
        await Assert.ThrowsAsync<IOException>(() => _files.UploadAsync(source, FileIdMode.Content, Limit, Life, Cancel));
        Assert.Equal(1, await _files.CleanUpAsync(Cancel));
        Assert.Empty(_blobs.Keys);
    }

    [Fact]
    public async Task UploadThatNeverEnds_IsRemovedWhenItsTimeIsOver()
    {
        // What a process leaves behind that dies in the middle of an upload.
        _blobs.WritesForEver = true;
        var upload = StoreAsync(Bytes(10));
        _ = await Assert.ThrowsAsync<TimeoutException>(() => upload.WaitAsync(TimeSpan.FromMilliseconds(1), Cancel));
        Assert.Equal(0, await _files.CleanUpAsync(Cancel));
        _time.Advance(TimeSpan.FromHours(3));
        Assert.Equal(1, await _files.CleanUpAsync(Cancel));
        Assert.Empty(_blobs.Keys);
    }

    private static byte[] Bytes(int length)
    {
        var bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        return bytes;
    }

    private Task<UploadResult> UploadAsync(byte[] bytes) => _files.UploadAsync(new TricklingStream(bytes), FileIdMode.Content, Limit, Life, Cancel);

    private async Task<StoredFile> StoreAsync(byte[] bytes, FileIdMode mode = FileIdMode.Content, TimeSpan? life = null)
    {
        var result = await _files.UploadAsync(new TricklingStream(bytes), mode, Limit, life ?? Life, Cancel);
        Assert.Equal(UploadOutcome.Stored, result.Outcome);
        return result.File!;
    }

    private async Task<byte[]> ReadAsync(StoredFile file)
    {
        using var all = new MemoryStream();
        await foreach (var piece in _files.ReadAsync(file, Cancel))
            all.Write(piece.Span);
        return all.ToArray();
    }

    /// <summary>Knows which blobs were begun and not removed.</summary>
    private sealed class CountingBlobs(IBlobStore inner) : IBlobStore
    {
        private readonly System.Collections.Concurrent.ConcurrentDictionary<string, bool> _keys = new();

        public bool WritesForEver { get; set; }

        public IEnumerable<string> Keys => _keys.Keys;

        public ValueTask WriteAsync(string key, Stream content, CancellationToken cancellationToken = default)
        {
            _keys[key] = true;
            return WritesForEver ? new(Task.Delay(Timeout.Infinite, cancellationToken)) : inner.WriteAsync(key, content, cancellationToken);
        }

        public IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(string key, long length, CancellationToken cancellationToken = default) =>
            inner.ReadAsync(key, length, cancellationToken);

        public async ValueTask DeleteAsync(string key, CancellationToken cancellationToken = default)
        {
            await inner.DeleteAsync(key, cancellationToken);
            _ = _keys.TryRemove(key, out _);
        }
    }
}
