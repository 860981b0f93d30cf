using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;
using Session.Orleans.Protocol.FileServer;
using Session.Orleans.Storage.Files;

namespace Session.Orleans.Storage.Snapshots;

/// <summary>
/// The file server's files. A record of kind 1 begins a file: kind 1 byte, size 8, time of upload 8, expiry 8, length of the id 1, the id, then the
/// key of its blob. Records of kind 2 are its bytes, in order, each behind the kind.
/// </summary>
public sealed class FileSnapshotPart(FileStore files, TimeProvider time) : ISnapshotPart
{
    private const byte Head = 1, Bytes = 2;
    private const int FixedLength = 1 + (3 * sizeof(long)) + 1;

    /// <summary>How files stand in a snapshot; its figure is <c>files</c>.</summary>
    public static SnapshotPartFormat RecordFormat { get; } = new(5, "files", CheckAsync);

    /// <inheritdoc/>
    public SnapshotPartFormat Format => RecordFormat;

    /// <inheritdoc/>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> SaveAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var seen = new HashSet<string>();
        await foreach (var file in files.ListAsync(cancellationToken).ConfigureAwait(false))
        {
            if (!seen.Add(file.Id))
                continue;
            yield return Write(file);
            // Its bytes stay a while longer than its record: they are there, or the snapshot fails and says so.
            await foreach (var piece in files.ReadAsync(file, cancellationToken).ConfigureAwait(false))
                yield return BlobRecords.Write(Bytes, piece.Span);
        }
    }

    /// <inheritdoc/>
    public Task RequireFitAsync(IAsyncEnumerable<ReadOnlyMemory<byte>> records, CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public async Task RestoreAsync(IAsyncEnumerable<ReadOnlyMemory<byte>> records, CancellationToken cancellationToken)
    {
        var restored = new HashSet<string>();
        await using var source = new RecordSource(records, cancellationToken);
        for (var has = await source.NextAsync().ConfigureAwait(false); has; has = !source.Current.IsEmpty)
        {
            var file = Read(source.Current.Span);
            await using var content = source.ReadBytes(Bytes);
            if (file.Expires > time.GetUtcNow().ToUnixTimeMilliseconds())
            {
                await files.RestoreAsync(file, content, cancellationToken).ConfigureAwait(false);
                restored.Add(file.Id);
            }
            else
            {
                await content.CopyToAsync(Stream.Null, cancellationToken).ConfigureAwait(false);
            }
        }

        await foreach (var other in files.ListAsync(cancellationToken).ConfigureAwait(false))
        {
            if (!restored.Contains(other.Id))
                await files.RemoveAsync(other).ConfigureAwait(false);
        }
    }

    private static async Task<IReadOnlyDictionary<string, long>> CheckAsync(IAsyncEnumerable<ReadOnlyMemory<byte>> records)
    {
        var (count, left) = (0L, 0L);
        await foreach (var record in records.ConfigureAwait(false))
        {
            if (record.Span is [Bytes, ..] && count > 0)
            {
                left -= record.Length - 1;
                continue;
            }

            if (left != 0)
                throw Wrong();
            left = Read(record.Span).Size;
            count++;
        }

        return left == 0 ? new Dictionary<string, long> { ["files"] = count } : throw Wrong();
    }

    private static byte[] Write(StoredFile file)
    {
        var record = new byte[FixedLength + file.Id.Length + file.Blob.Length];
        record[0] = Head;
        BinaryPrimitives.WriteInt64LittleEndian(record.AsSpan(1), file.Size);
        BinaryPrimitives.WriteInt64LittleEndian(record.AsSpan(9), file.Uploaded);
        BinaryPrimitives.WriteInt64LittleEndian(record.AsSpan(17), file.Expires);
        record[FixedLength - 1] = (byte)file.Id.Length;
        _ = Encoding.ASCII.GetBytes(file.Id + file.Blob, record.AsSpan(FixedLength));
        return record;
    }

    private static StoredFile Read(ReadOnlySpan<byte> record)
    {
        if (record.Length < FixedLength || record[0] != Head || record.Length <= FixedLength + record[FixedLength - 1])
            throw Wrong();
        var id = Encoding.ASCII.GetString(record.Slice(FixedLength, record[FixedLength - 1]));
        var blob = Encoding.ASCII.GetString(record[(FixedLength + id.Length)..]);
        var file = new StoredFile(
            id, blob, BinaryPrimitives.ReadInt64LittleEndian(record[1..]), BinaryPrimitives.ReadInt64LittleEndian(record[9..]),
            BinaryPrimitives.ReadInt64LittleEndian(record[17..]));
        return FileId.IsWellFormed(id) && BlobRecords.IsKey(blob) && file.Size > 0 ? file : throw Wrong();
    }

    private static SnapshotException Wrong() => new("The snapshot holds a file that can't be read.");
}

/// <summary>What records with blobs have in common.</summary>
public static class BlobRecords
{
    /// <summary>A record of bytes: the kind, then they.</summary>
    public static byte[] Write(byte kind, ReadOnlySpan<byte> bytes)
    {
        var record = new byte[1 + bytes.Length];
        record[0] = kind;
        bytes.CopyTo(record.AsSpan(1));
        return record;
    }

    /// <summary>True for what can be a blob's key: lower-case letters, digits and <c>-</c>.</summary>
    public static bool IsKey(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.Length is > 0 and <= 64 && text.All(static c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-');
    }
}
