using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Session.Orleans.Contracts.Communities;
using Session.Orleans.Storage.Blobs;
using Session.Orleans.Storage.Communities;

namespace Session.Orleans.Grains.Communities;

/// <summary>
/// The bytes of rooms' files, past the rooms: a room knows its files, but never holds one in memory. They are blobs, in Redis or S3, and have a
/// time of their own in the schedule of removals: bytes whose line in the room never came are removed by it.
/// </summary>
public sealed class RoomFiles(ICommunityStore store, IBlobStore blobs, BlobSchedule schedule, TimeProvider time)
{
    /// <summary>What an upload lives that is attached to nothing (communities.md, 8).</summary>
    public static readonly TimeSpan UploadLifetime = TimeSpan.FromHours(1);

    // Files of older versions are tables in pieces, which end by themselves.
    private static readonly TimeSpan OlderSlack = TimeSpan.FromMinutes(1);

    private const int OlderPieceLength = 256 * 1024;
    private const string OlderTable = "bytes";

    /// <summary>A number for a new file.</summary>
    public ValueTask<long> NextIdAsync(CancellationToken cancellationToken) => store.NextAsync("file", cancellationToken);

    /// <summary>Stores bytes for <see cref="UploadLifetime"/> and gives their key.</summary>
    public async ValueTask<string> PutAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        var blob = Guid.NewGuid().ToString("N");
        await schedule.SetAsync(blob, DueAt(time.GetUtcNow() + BlobSchedule.AbandonedAfter)).WaitAsync(cancellationToken);
        await using var stream = MemoryMarshal.TryGetArray(bytes, out var array)
            ? new MemoryStream(array.Array!, array.Offset, array.Count, writable: false) : new MemoryStream(bytes.ToArray(), writable: false);
        await blobs.WriteAsync(blob, stream, cancellationToken);
        return blob;
    }

    /// <summary>Reads a file piece by piece.</summary>
    /// <exception cref="BlobMissingException">It is gone.</exception>
    public IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(string room, RoomFile file, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(file);
        return file.Blob is { } blob ? blobs.ReadAsync(blob, file.Size, cancellationToken) : ReadOlderAsync(room, file, cancellationToken);
    }

    /// <summary>Sees to it that the bytes stay as long as their file will; before the room says so.</summary>
    internal async ValueTask KeepAsync(string? blob, double? expiry)
    {
        if (blob is not null)
            await schedule.KeepAsync(blob, DueAt(expiry));
    }

    /// <summary>Lets the bytes end with their file; after the room has said so.</summary>
    internal async ValueTask SetExpiryAsync(string room, long id, string? blob, double? expiry)
    {
        if (blob is not null)
            await schedule.SetAsync(blob, DueAt(expiry));
        else
            await store.SetLifetimeAsync(OlderScope(room, id), OlderTable, expiry is { } at ? TimeSpan.FromSeconds(Math.Max(0, at - Seconds(time.GetUtcNow()))) + OlderSlack : null);
    }

    private async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadOlderAsync(string room, RoomFile file, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var (at, piece) = (0L, 0); at < file.Size; at += OlderPieceLength, piece++)
        {
            yield return (await store.GetAsync(OlderScope(room, file.Id), OlderTable, [piece.ToString(CultureInfo.InvariantCulture)], cancellationToken))[0]
                ?? throw new BlobMissingException();
        }
    }

    /// <summary>When the bytes of a file may be removed that ends at <paramref name="expiry"/> (Unix seconds; null: never), Unix milliseconds.</summary>
    internal static long DueAt(double? expiry) => expiry is { } at ? DueAt(DateTimeOffset.FromUnixTimeMilliseconds((long)(at * 1000)) + BlobSchedule.Slack) : BlobSchedule.Never;

    private static long DueAt(DateTimeOffset at) => at.ToUnixTimeMilliseconds();

    private static double Seconds(DateTimeOffset at) => at.ToUnixTimeMilliseconds() / 1000.0;

    private static CommunityScope OlderScope(string room, long id) => new(string.Create(CultureInfo.InvariantCulture, $"file:{room}:{id}"));
}
