using Session.Orleans.Protocol.FileServer;
using Session.Orleans.Storage.Blobs;
using StackExchange.Redis;

namespace Session.Orleans.Storage.Files;

/// <summary>
/// The files of a file server: their records in Redis, their bytes in a blob store. Every change of a record is one atomic step of Redis, so
/// any number of processes may serve the same files, and no grain stands between them and the bytes.
/// </summary>
public sealed class FileStore
{
    /// <summary>The longest that an upload may take.</summary>
    public static readonly TimeSpan MaxUploadTime = TimeSpan.FromHours(1);

    private const int CleanUpBatch = 100;

    private static readonly long AbandonedAfter = (long)BlobSchedule.AbandonedAfter.TotalMilliseconds; // nothing that still runs is that old
    private static readonly long BlobSlack = (long)BlobSchedule.Slack.TotalMilliseconds;

    private readonly FileRecords _records;
    private readonly BlobSchedule _schedule;
    private readonly IBlobStore _blobs;
    private readonly TimeProvider _time;

    /// <summary>A store over a shared connection, which it does not own.</summary>
    /// <param name="connection">Where the records are.</param>
    /// <param name="blobs">Where the bytes are.</param>
    /// <param name="time">Decides what has expired.</param>
    /// <param name="keyPrefix">What all keys in Redis begin with.</param>
    /// <param name="walk">How to go through the keys; null: over the shared connection.</param>
    public FileStore(IConnectionMultiplexer connection, IBlobStore blobs, TimeProvider time, string keyPrefix = "", KeyWalk? walk = null)
    {
        ArgumentNullException.ThrowIfNull(connection);
        ArgumentNullException.ThrowIfNull(blobs);
        ArgumentNullException.ThrowIfNull(time);
        _records = new(connection, keyPrefix, walk ?? new(connection));
        _schedule = new(connection, keyPrefix);
        _blobs = blobs;
        _time = time;
    }

    private long Now => _time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>
    /// Stores what <paramref name="content"/> yields. In <see cref="FileIdMode.Content"/> the same bytes are kept once: a second upload counts as
    /// new, and the file's expiry becomes the later one. Nobody sees a file before all of it is stored.
    /// </summary>
    /// <param name="content">Read to its end, or to the byte after the last one allowed.</param>
    /// <param name="mode">How the id is made.</param>
    /// <param name="maxLength">Most bytes.</param>
    /// <param name="timeToLive">From the end of the upload.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    public async Task<UploadResult> UploadAsync(
        Stream content, FileIdMode mode, long maxLength, TimeSpan timeToLive, CancellationToken cancellationToken = default)
    {
        var blob = Guid.NewGuid().ToString("N");
        await _schedule.SetAsync(blob, Now + AbandonedAfter).ConfigureAwait(false);
        var used = false;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(MaxUploadTime);
        try
        {
            await using var measured = new MeasuredStream(content, maxLength);
            try
            {
                await _blobs.WriteAsync(blob, measured, limit.Token).ConfigureAwait(false);
            }
            catch (FileTooLargeException)
            {
                return new(UploadOutcome.TooLarge, null);
            }

            if (measured.Count == 0)
                return new(UploadOutcome.Empty, null);

            var now = Now;
            var expires = now + (long)timeToLive.TotalMilliseconds;
            await _schedule.SetAsync(blob, expires + BlobSlack).ConfigureAwait(false);
            var file = new StoredFile("", blob, measured.Count, now, expires);
            used = true; // until the store has said that it isn't: a failure leaves it open
            var stored = mode == FileIdMode.Content
                ? await PublishAsync(file with { Id = measured.FinishId() }, now).ConfigureAwait(false)
                : await PublishAtRandomAsync(file, now).ConfigureAwait(false);
            used = stored?.Blob == blob;
            return stored is null ? new(UploadOutcome.NoFreeId, null) : new(UploadOutcome.Stored, stored);
        }
        finally
        {
            if (!used)
                await _schedule.SetAsync(blob, due: 0).ConfigureAwait(false);
        }
    }

    /// <summary>The live file with this id, or null.</summary>
    public Task<StoredFile?> FindAsync(string id) => _records.FindAsync(id, Now);

    /// <summary>
    /// Lets a file live until <paramref name="timeToLive"/> from now, if that is later than it would anyway. Null if there is no live file with this id.
    /// </summary>
    public async Task<StoredFile?> ExtendAsync(string id, TimeSpan timeToLive)
    {
        var now = Now;
        return await _records.FindAsync(id, now).ConfigureAwait(false) is { } file
            ? await RenewAsync(file, now + (long)timeToLive.TotalMilliseconds, uploaded: null, now).ConfigureAwait(false)
            : null;
    }

    /// <summary>Reads a file piece by piece; see <see cref="IBlobStore.ReadAsync"/>.</summary>
    public IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(StoredFile file, CancellationToken cancellationToken = default) =>
        _blobs.ReadAsync(file.Blob, file.Size, cancellationToken);

    /// <summary>Removes the bytes of files that have expired, also those of rooms, and of uploads that were broken off. Returns how many blobs that were.</summary>
    public async Task<int> CleanUpAsync(CancellationToken cancellationToken = default)
    {
        for (var count = 0; ;)
        {
            var due = await _schedule.DueAsync(Now, CleanUpBatch).ConfigureAwait(false);
            foreach (var blob in due)
            {
                await _blobs.DeleteAsync(blob, cancellationToken).ConfigureAwait(false);
                await _schedule.ForgetAsync(blob).ConfigureAwait(false);
                count++;
            }

            if (due.Length < CleanUpBatch)
                return count;
        }
    }

    /// <summary>All live files. One that comes or goes meanwhile may be left out, and one may come twice. Walks the store: never part of a request.</summary>
    internal IAsyncEnumerable<StoredFile> ListAsync(CancellationToken cancellationToken) => _records.ListAsync(Now, cancellationToken);

    /// <summary>Stores a file of a snapshot under its own id and blob, whatever is there.</summary>
    internal async Task RestoreAsync(StoredFile file, Stream content, CancellationToken cancellationToken)
    {
        await _schedule.SetAsync(file.Blob, file.Expires + BlobSlack).ConfigureAwait(false);
        await _blobs.WriteAsync(file.Blob, content, cancellationToken).ConfigureAwait(false);
        if (await _records.FindAsync(file.Id, Now).ConfigureAwait(false) is { } other && other.Blob != file.Blob)
            await _schedule.SetAsync(other.Blob, due: 0).ConfigureAwait(false);
        await _records.SetAsync(file, Now).ConfigureAwait(false);
    }

    /// <summary>Removes a file before its time.</summary>
    internal async Task RemoveAsync(StoredFile file)
    {
        await _records.RemoveAsync(file.Id).ConfigureAwait(false);
        await _schedule.SetAsync(file.Blob, due: 0).ConfigureAwait(false);
    }

    private async Task<StoredFile?> PublishAsync(StoredFile file, long now)
    {
        while (await _records.CreateAsync(file, now).ConfigureAwait(false) is { } old)
        {
            if (await RenewAsync(old, file.Expires, file.Uploaded, now).ConfigureAwait(false) is { } renewed)
                return renewed;
        }

        return file;
    }

    private async Task<StoredFile?> PublishAtRandomAsync(StoredFile file, long now)
    {
        for (var attempt = 0; attempt < FileServerLimits.MaxIdAttempts; attempt++)
        {
            file = file with { Id = FileId.NewNumeric() };
            if (await _records.CreateAsync(file, now).ConfigureAwait(false) is null)
                return file;
        }

        return null;
    }

    // The blob first, so that it never goes before the record.
    private async Task<StoredFile?> RenewAsync(StoredFile file, long expires, long? uploaded, long now)
    {
        await _schedule.KeepAsync(file.Blob, expires + BlobSlack).ConfigureAwait(false);
        return await _records.RenewAsync(file, expires, uploaded, now).ConfigureAwait(false);
    }
}
