using Session.Orleans.Storage.Snapshots;

namespace Session.Orleans.Storage.Tests.Snapshots;

/// <summary>The file as such: what was written is read, and whatever is not exactly that is refused.</summary>
public sealed class SnapshotFileTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Parts_ComeBackInOrderWithEveryRecord()
    {
        byte[][] small = [[1], [2, 3], [4]];
        byte[][] large = [new byte[100_000], [5]];
        using var file = await WriteAsync(new Part(3, large), new Part(1, small), new Part(7, []));

        var figures = await SnapshotFile.CheckAsync(file, Formats(1, 3, 7), Cancel);

        Assert.Equal([("1", 3L), ("3", 2L), ("7", 0L)], figures.Select(part => (part.Key, part.Value["records"])).Order());
        Assert.Equal(small, await ReadAsync(file, 1));
        Assert.Equal(large, await ReadAsync(file, 3));
        Assert.Empty(await ReadAsync(file, 7));
        Assert.Empty(await ReadAsync(file, 5));
    }

    [Fact]
    public async Task PartThatIsNotThere_HasNoFigures()
    {
        using var file = await WriteAsync(new Part(2, [[1]]));
        Assert.Equal(["2"], (await SnapshotFile.CheckAsync(file, Formats(1, 2), Cancel)).Keys);
    }

    [Fact]
    public async Task EveryTruncation_IsRefused()
    {
        using var file = await WriteAsync(new Part(1, [[1, 2, 3], [4]]), new Part(2, []));
        for (var length = 0; length < file.Length; length++)
        {
            using var cut = new MemoryStream(file.ToArray()[..length]);
            await AssertRefusedAsync(cut, Formats(1, 2));
        }
    }

    [Fact]
    public async Task EveryChangedBit_IsRefused()
    {
        using var file = await WriteAsync(new Part(1, [[1, 2, 3], [4]]), new Part(2, []));
        for (var bit = 0; bit < file.Length * 8; bit++)
        {
            var bytes = file.ToArray();
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            using var changed = new MemoryStream(bytes);
            await AssertRefusedAsync(changed, Formats(1, 2));
        }
    }

    [Theory]
    [InlineData("SOSNAP\u0002\u0000", "version 2")]
    [InlineData("", "not a snapshot")]
    [InlineData("PK\u0003\u0004 something else", "not a snapshot")]
    public async Task AnotherFile_IsRefusedForWhatItIs(string text, string reason)
    {
        using var file = new MemoryStream(System.Text.Encoding.Latin1.GetBytes(text));
        Assert.Contains(reason, await AssertRefusedAsync(file, Formats(1)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task SomethingBehindTheEnd_IsRefused()
    {
        using var file = await WriteAsync(new Part(1, [[1]]));
        using var longer = new MemoryStream([.. file.ToArray(), 0]);
        Assert.Contains("follows its end", await AssertRefusedAsync(longer, Formats(1)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task PartOfANewerVersion_IsRefusedByName()
    {
        using var file = await WriteAsync(new Part(1, []), new Part(9, [[1]]));
        Assert.Contains("number 9", await AssertRefusedAsync(file, Formats(1)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task RecordThatItsPartRefuses_IsRefused()
    {
        using var file = await WriteAsync(new Part(2, [[0, 1, 2]]));
        Assert.Contains("does not know", await AssertRefusedAsync(file, [MailboxSnapshotPart.RecordFormat]), StringComparison.Ordinal);
    }

    private static async Task<string> AssertRefusedAsync(Stream file, IReadOnlyCollection<SnapshotPartFormat> formats) =>
        (await Assert.ThrowsAsync<SnapshotException>(() => SnapshotFile.CheckAsync(file, formats, Cancel))).Message;

    private static async Task<MemoryStream> WriteAsync(params ISnapshotPart[] parts)
    {
        var file = new MemoryStream();
        await SnapshotFile.WriteAsync(parts, file, Cancel);
        return file;
    }

    private static async Task<byte[][]> ReadAsync(Stream file, byte id)
    {
        var records = new List<byte[]>();
        await foreach (var record in SnapshotFile.ReadPartAsync(file, id, Cancel))
            records.Add(record.ToArray());
        return [.. records];
    }

    private static SnapshotPartFormat[] Formats(params byte[] ids) => [.. ids.Select(id => new Part(id, []).Format)];

    private sealed class Part(byte id, byte[][] records) : ISnapshotPart
    {
        public SnapshotPartFormat Format { get; } = new(id, $"{id}", async found =>
        {
            var count = 0L;
            await foreach (var _ in found)
                count++;
            return new Dictionary<string, long> { ["records"] = count };
        });

        public async IAsyncEnumerable<ReadOnlyMemory<byte>> SaveAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
        {
            foreach (var record in records)
            {
                await Task.Yield();
                yield return record;
            }
        }

        public Task RequireFitAsync(IAsyncEnumerable<ReadOnlyMemory<byte>> records, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task RestoreAsync(IAsyncEnumerable<ReadOnlyMemory<byte>> records, CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
