using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;
using Session.Orleans.Grains.Communities;
using Session.Orleans.Storage.Blobs;
using Session.Orleans.Storage.Communities;
using Session.Orleans.Storage.Snapshots;

namespace Session.Orleans.Grains.Snapshots;

/// <summary>
/// The community server: rooms with messages, permissions and files, users, direct messages. Each room, and each user's messages, are saved as they
/// are at one moment. All numbers are little-endian. Records, each behind its kind of 1 byte:
/// <list type="bullet">
/// <item>1: a blob of a file: when it may be removed 8, size 8, its key. The files of a room stand before it.</item>
/// <item>2: bytes of the blob, in order.</item>
/// <item>3: a scope of the store: version 8, its name.</item>
/// <item>4: a key of the scope: when it ends 8 or 0, its name.</item>
/// <item>5: entries of the key, again and again: length of the name 4, name, length of the value 4, value.</item>
/// </list>
/// </summary>
internal sealed class CommunitySnapshotPart(CommunityArchive archive, ICommunityStore store, IBlobStore blobs, BlobSchedule schedule, TimeProvider time) : ISnapshotPart
{
    private const byte Blob = 1, Bytes = 2, Scope = 3, Key = 4, Entries = 5;
    private const string RoomPrefix = "room:", FileTable = "files", RoomKey = "t:room", PostsKey = "t:posts", VersionKey = "v";
    private const int EntriesLength = 1 << 20;

    /// <summary>How communities stand in a snapshot; its figures are <c>rooms</c> and <c>posts</c>.</summary>
    public static SnapshotPartFormat RecordFormat { get; } = new(4, "communities", CheckAsync);

    public SnapshotPartFormat Format => RecordFormat;

    private long Now => time.GetUtcNow().ToUnixTimeMilliseconds();

    public async IAsyncEnumerable<ReadOnlyMemory<byte>> SaveAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // Versions before keys: whatever has changed since is seen by its version, and read with the keys it has then.
        string[] before = [.. (await archive.ListAsync(cancellationToken)).Keys];
        var versions = await archive.GetVersionsAsync(before, cancellationToken);
        var known = before.Zip(versions).ToDictionary(pair => pair.First, pair => pair.Second);
        foreach (var (name, keys) in await archive.ListAsync(cancellationToken))
        {
            var content = await archive.ReadAsync(new(name), keys, known.TryGetValue(name, out var version) ? version : null, cancellationToken);
            if (content.Count < 2)
                continue; // a version alone: of what is gone
            foreach (var file in FilesOf(name, content))
            {
                await using var pieces = blobs.ReadAsync(file.Blob!, file.Size, cancellationToken).GetAsyncEnumerator(cancellationToken);
                if (!await HasBytesAsync(pieces))
                    continue;
                yield return WriteBlob(file);
                do
                    yield return BlobRecords.Write(Bytes, pieces.Current.Span);
                while (await pieces.MoveNextAsync());
            }

            yield return WriteHead(Scope, BinaryPrimitives.ReadInt64LittleEndian(content.Single(key => key.Key == VersionKey).Entries[0].Value.Span), name);
            foreach (var key in content.Where(key => key.Key != VersionKey))
            {
                yield return WriteHead(Key, key.Expires, key.Key);
                foreach (var batch in WriteEntries(key.Entries))
                    yield return batch;
            }
        }
    }

    public Task RequireFitAsync(IAsyncEnumerable<ReadOnlyMemory<byte>> records, CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task RestoreAsync(IAsyncEnumerable<ReadOnlyMemory<byte>> records, CancellationToken cancellationToken)
    {
        var present = await archive.ListAsync(cancellationToken);
        var (restored, kept) = (new HashSet<string>(), new HashSet<string>());
        (string Name, long Version, Dictionary<string, long> Keys)? scope = null;
        (string Name, long Expires) key = ("", 0);
        await using var source = new RecordSource(records, cancellationToken);
        for (var has = await source.NextAsync(); has;)
        {
            var record = source.Current;
            switch (record.Span[0])
            {
                case Blob:
                    var (due, blob) = ReadBlob(record.Span);
                    await using (var content = source.ReadBytes(Bytes))
                    {
                        if (due <= Now)
                        {
                            await content.CopyToAsync(Stream.Null, cancellationToken);
                        }
                        else
                        {
                            kept.Add(blob);
                            await schedule.SetAsync(blob, due);
                            await blobs.WriteAsync(blob, content, cancellationToken);
                        }
                    }

                    has = !source.Current.IsEmpty; // behind the bytes
                    continue;
                case Scope:
                    await PublishAsync();
                    var (version, name) = ReadHead(record.Span);
                    scope = (name, version, []);
                    restored.Add(name);
                    break;
                case Key:
                    var (expires, what) = ReadHead(record.Span);
                    key = (what, expires);
                    break;
                default:
                    var (owner, _, keys) = scope ?? throw Wrong();
                    await archive.StageAsync(new(owner), new(key.Name, key.Expires, ReadEntries(record)), isFirst: keys.TryAdd(key.Name, key.Expires), cancellationToken);
                    break;
            }

            has = await source.NextAsync();
        }

        await PublishAsync();
        foreach (var gone in present.Keys.Where(name => !restored.Contains(name)))
        {
            scope = (gone, 0, []);
            await PublishAsync();
        }

        async ValueTask PublishAsync()
        {
            if (scope is not { } done)
                return;
            scope = null;
            var before = done.Name.StartsWith(RoomPrefix, StringComparison.Ordinal) ? await store.GetAllAsync(new(done.Name), FileTable, cancellationToken) : null;
            await archive.PublishAsync(new(done.Name), done.Keys, present.GetValueOrDefault(done.Name, []), done.Version, cancellationToken);
            // Files that came later go with the rooms that knew them.
            foreach (var file in before?.Values.Select(bytes => Records.Unpack(bytes, CommunityJson.Default.FileRecord)) ?? [])
            {
                if (file.Blob is { } blob && !kept.Contains(blob))
                    await schedule.SetAsync(blob, due: 0);
            }
        }
    }

    private static async Task<IReadOnlyDictionary<string, long>> CheckAsync(IAsyncEnumerable<ReadOnlyMemory<byte>> records)
    {
        var (rooms, posts, left) = (0L, 0L, 0L);
        string? scope = null, key = null;
        await foreach (var record in records)
        {
            if (record.Span is not [>= Blob and <= Entries and var kind, ..])
                throw Wrong();
            if (kind == Bytes)
            {
                left -= record.Length - 1;
                continue;
            }

            if (left != 0)
                throw Wrong();
            switch (kind)
            {
                case Blob:
                    _ = ReadBlob(record.Span);
                    left = BinaryPrimitives.ReadInt64LittleEndian(record.Span[9..]);
                    (scope, key) = (null, null);
                    break;
                case Scope:
                    (_, scope) = ReadHead(record.Span);
                    key = null;
                    break;
                case Key:
                    (_, key) = ReadHead(record.Span);
                    if (scope is null || key.Length < 3 || key[1] != ':' || key[0] is not ('t' or 'i' or 'c'))
                        throw Wrong();
                    rooms += key is RoomKey && scope.StartsWith(RoomPrefix, StringComparison.Ordinal) ? 1 : 0;
                    break;
                default:
                    var entries = ReadEntries(record);
                    if (key is null || (key[0] == 'i' && entries.Any(entry => entry.Value.Length != sizeof(long))))
                        throw Wrong();
                    posts += key is PostsKey ? entries.Count : 0;
                    break;
            }
        }

        return left == 0 ? new Dictionary<string, long> { ["rooms"] = rooms, ["posts"] = posts } : throw Wrong();
    }

    private IEnumerable<FileRecord> FilesOf(string scope, IReadOnlyList<CommunityArchiveKey> content) => !scope.StartsWith(RoomPrefix, StringComparison.Ordinal) ? []
        : content.Where(key => key.Key == "t:" + FileTable).SelectMany(key => key.Entries).Select(entry => Records.Unpack(entry.Value, CommunityJson.Default.FileRecord))
            .Where(file => file.Blob is not null && file.IsLive(Now / 1000.0));

    // What has ended since the room was read is no part of the snapshot.
    private static async ValueTask<bool> HasBytesAsync(IAsyncEnumerator<ReadOnlyMemory<byte>> pieces)
    {
        try
        {
            return await pieces.MoveNextAsync();
        }
        catch (BlobMissingException)
        {
            return false;
        }
    }

    private static byte[] WriteBlob(FileRecord file)
    {
        var record = new byte[17 + file.Blob!.Length];
        record[0] = Blob;
        BinaryPrimitives.WriteInt64LittleEndian(record.AsSpan(1), RoomFiles.DueAt(file.Expiry));
        BinaryPrimitives.WriteInt64LittleEndian(record.AsSpan(9), file.Size);
        _ = Encoding.ASCII.GetBytes(file.Blob, record.AsSpan(17));
        return record;
    }

    private static (long Due, string Key) ReadBlob(ReadOnlySpan<byte> record) =>
        record.Length > 17 && Encoding.ASCII.GetString(record[17..]) is var key && BlobRecords.IsKey(key) && BinaryPrimitives.ReadInt64LittleEndian(record[9..]) > 0
            ? (BinaryPrimitives.ReadInt64LittleEndian(record[1..]), key) : throw Wrong();

    private static byte[] WriteHead(byte kind, long number, string name)
    {
        var record = new byte[9 + Encoding.UTF8.GetByteCount(name)];
        record[0] = kind;
        BinaryPrimitives.WriteInt64LittleEndian(record.AsSpan(1), number);
        _ = Encoding.UTF8.GetBytes(name, record.AsSpan(9));
        return record;
    }

    private static (long Number, string Name) ReadHead(ReadOnlySpan<byte> record) =>
        record.Length > 9 ? (BinaryPrimitives.ReadInt64LittleEndian(record[1..]), Encoding.UTF8.GetString(record[9..])) : throw Wrong();

    private static IEnumerable<ReadOnlyMemory<byte>> WriteEntries(IReadOnlyList<(ReadOnlyMemory<byte> Name, ReadOnlyMemory<byte> Value)> entries)
    {
        var batch = new MemoryStream();
        foreach (var (name, value) in entries)
        {
            if (batch.Length == 0)
                batch.WriteByte(Entries);
            foreach (var part in (ReadOnlyMemory<byte>[])[name, value])
            {
                batch.Write(BitConverter.GetBytes(part.Length));
                batch.Write(part.Span);
            }

            if (batch.Length < EntriesLength)
                continue;
            yield return batch.ToArray();
            batch.SetLength(0);
        }

        if (batch.Length > 0)
            yield return batch.ToArray();
    }

    private static List<(ReadOnlyMemory<byte> Name, ReadOnlyMemory<byte> Value)> ReadEntries(ReadOnlyMemory<byte> record)
    {
        List<(ReadOnlyMemory<byte>, ReadOnlyMemory<byte>)> entries = [];
        for (var left = record[1..]; !left.IsEmpty;)
            entries.Add((Take(ref left), Take(ref left)));
        return entries;

        static ReadOnlyMemory<byte> Take(ref ReadOnlyMemory<byte> left)
        {
            if (left.Length < sizeof(int) || BinaryPrimitives.ReadInt32LittleEndian(left.Span) is var length && (length < 0 || length > left.Length - sizeof(int)))
                throw Wrong();
            var taken = left.Slice(sizeof(int), length);
            left = left[(sizeof(int) + length)..];
            return taken;
        }
    }

    private static SnapshotException Wrong() => new("The snapshot holds a community that can't be read.");
}
