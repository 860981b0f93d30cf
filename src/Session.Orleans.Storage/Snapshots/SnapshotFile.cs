using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;

namespace Session.Orleans.Storage.Snapshots;

/// <summary>
/// A snapshot in one file. It begins with 6 bytes <c>SOSNAP</c> and the version of the layout (2 bytes, little-endian, as all numbers); then
/// come the records, each with its part's id (1), its length (4) and its bytes, the records of one part behind each other and the parts in
/// ascending order; a part begins with an empty record, which says that it is there even if it has no other; last a record of the id 0 that holds the SHA-256 of everything before it, header of that record included.
/// </summary>
public static class SnapshotFile
{
    /// <summary>Version of the layout that this version writes and reads.</summary>
    public const ushort Version = 1;

    /// <summary>Greatest length of a record in bytes.</summary>
    public const int MaxRecordLength = 64 << 20;

    private const int HeaderLength = 8;
    private const int RecordHeaderLength = 5;
    private const byte End = 0;

    private static ReadOnlySpan<byte> Magic => "SOSNAP"u8;

    /// <summary>Writes all <paramref name="parts"/>.</summary>
    /// <param name="parts">What to save.</param>
    /// <param name="target">Where to; is not closed.</param>
    /// <param name="cancellationToken">Ends it; what has been written is of no use then, and is recognised as damaged.</param>
    public static async Task WriteAsync(IEnumerable<ISnapshotPart> parts, Stream target, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(target);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var header = new byte[HeaderLength];
        Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(Magic.Length), Version);
        await WriteAsync(header).ConfigureAwait(false);
        foreach (var part in parts.OrderBy(part => part.Format.Id))
        {
            await WriteAsync(RecordHeader(part.Format.Id, 0)).ConfigureAwait(false);
            await foreach (var record in part.SaveAsync(cancellationToken).ConfigureAwait(false))
            {
                await WriteAsync(RecordHeader(part.Format.Id, record.Length)).ConfigureAwait(false);
                await WriteAsync(record).ConfigureAwait(false);
            }
        }

        await WriteAsync(RecordHeader(End, SHA256.HashSizeInBytes)).ConfigureAwait(false);
        await target.WriteAsync(hash.GetHashAndReset(), cancellationToken).ConfigureAwait(false);
        await target.FlushAsync(cancellationToken).ConfigureAwait(false);

        async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes)
        {
            hash.AppendData(bytes.Span);
            await target.WriteAsync(bytes, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Reads the whole file and says what is in it. Changes nothing.</summary>
    /// <param name="file">The file, from its beginning; must be seekable, and is left at its end.</param>
    /// <param name="formats">The parts there may be.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>The figures of each part that is in it, by the part's name.</returns>
    /// <exception cref="SnapshotException">It is no snapshot, or a damaged one, or one of another version.</exception>
    public static async Task<IReadOnlyDictionary<string, IReadOnlyDictionary<string, long>>> CheckAsync(
        Stream file, IReadOnlyCollection<SnapshotPartFormat> formats, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(file);
        // The checksum first: what is damaged shall be called damaged, and not by what a part happens to stumble over.
        var ids = await VerifyAsync(file, cancellationToken).ConfigureAwait(false);
        if (ids.Except(formats.Select(format => format.Id)).ToArray() is [var unknown, ..])
            throw new SnapshotException($"It holds a part that this version does not know (number {unknown}): it was made by a newer one.");
        var figures = new Dictionary<string, IReadOnlyDictionary<string, long>>(StringComparer.Ordinal);
        foreach (var format in formats.Where(format => ids.Contains(format.Id)))
            figures[format.Name] = await format.CheckAsync(ReadPartAsync(file, format.Id, cancellationToken)).ConfigureAwait(false);
        file.Seek(0, SeekOrigin.End);
        return figures;
    }

    /// <summary>The records of one part of a file that has been checked. Each is valid until the next one is asked for.</summary>
    /// <param name="file">The file; must be seekable.</param>
    /// <param name="id">The part.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="SnapshotException">The file ends early.</exception>
    public static async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadPartAsync(
        Stream file, byte id, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(file);
        file.Position = HeaderLength;
        var header = new byte[RecordHeaderLength];
        var buffer = Array.Empty<byte>();
        while (true)
        {
            await ReadExactlyAsync(file, header, cancellationToken).ConfigureAwait(false);
            var length = LengthOf(header);
            if (header[0] is End || header[0] > id)
                yield break;
            if (header[0] < id || length == 0)
            {
                file.Seek(length, SeekOrigin.Current);
                continue;
            }

            if (buffer.Length < length)
                buffer = new byte[Math.Max(length, 4096)];
            await ReadExactlyAsync(file, buffer.AsMemory(0, length), cancellationToken).ConfigureAwait(false);
            yield return buffer.AsMemory(0, length);
        }
    }

    private static async Task<HashSet<byte>> VerifyAsync(Stream file, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        file.Position = 0;
        var header = new byte[HeaderLength];
        if (await file.ReadAtLeastAsync(header, HeaderLength, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false) < HeaderLength
            || !header.AsSpan().StartsWith(Magic))
        {
            throw new SnapshotException("It is not a snapshot.");
        }

        if (BinaryPrimitives.ReadUInt16LittleEndian(header.AsSpan(Magic.Length)) is var version and not Version)
            throw new SnapshotException(string.Create(CultureInfo.InvariantCulture, $"Its format is version {version}; this version reads {Version}."));
        hash.AppendData(header);

        var ids = new HashSet<byte>();
        var record = new byte[RecordHeaderLength];
        var buffer = new byte[64 << 10];
        byte latest = 1;
        while (true)
        {
            await ReadExactlyAsync(file, record, cancellationToken).ConfigureAwait(false);
            hash.AppendData(record);
            var length = LengthOf(record);
            if (record[0] is End)
                break;
            if (record[0] < latest)
                throw Damaged("its parts are out of order");
            ids.Add(latest = record[0]);
            for (; length > 0; length -= Math.Min(length, buffer.Length))
            {
                var piece = buffer.AsMemory(0, Math.Min(length, buffer.Length));
                await ReadExactlyAsync(file, piece, cancellationToken).ConfigureAwait(false);
                hash.AppendData(piece.Span);
            }
        }

        var sum = new byte[SHA256.HashSizeInBytes];
        if (LengthOf(record) != sum.Length)
            throw Damaged("its end is malformed");
        await ReadExactlyAsync(file, sum, cancellationToken).ConfigureAwait(false);
        if (!hash.GetHashAndReset().AsSpan().SequenceEqual(sum))
            throw Damaged("its checksum is wrong");
        if (file.Position != file.Length)
            throw Damaged("something follows its end");
        return ids;
    }

    private static int LengthOf(byte[] recordHeader) =>
        BinaryPrimitives.ReadUInt32LittleEndian(recordHeader.AsSpan(1)) is var length and <= MaxRecordLength
            ? (int)length : throw Damaged("a record is too long");

    private static async ValueTask ReadExactlyAsync(Stream file, Memory<byte> bytes, CancellationToken cancellationToken)
    {
        if (await file.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false) < bytes.Length)
            throw Damaged("it ends early");
    }

    private static SnapshotException Damaged(string how) => new($"The snapshot is damaged: {how}.");

    private static byte[] RecordHeader(byte id, int length)
    {
        if (length > MaxRecordLength)
            throw new InvalidOperationException($"A record of {length} bytes is longer than a snapshot takes.");
        var header = new byte[RecordHeaderLength];
        header[0] = id;
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(1), (uint)length);
        return header;
    }
}
