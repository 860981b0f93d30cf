namespace Session.Orleans.Storage.Snapshots;

/// <summary>Records of a part one after the other, of which some are the bytes of a blob: these can be read as a stream.</summary>
public sealed class RecordSource : IAsyncDisposable
{
    private readonly IAsyncEnumerator<ReadOnlyMemory<byte>> _records;

    /// <summary>Reads <paramref name="records"/> from their start.</summary>
    public RecordSource(IAsyncEnumerable<ReadOnlyMemory<byte>> records, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(records);
        _records = records.GetAsyncEnumerator(cancellationToken);
    }

    /// <summary>The record; valid until the next one is asked for. Empty at the end.</summary>
    public ReadOnlyMemory<byte> Current { get; private set; }

    /// <summary>Goes to the next record; false at the end.</summary>
    public async ValueTask<bool> NextAsync()
    {
        var has = await _records.MoveNextAsync().ConfigureAwait(false);
        Current = has ? _records.Current : default;
        return has;
    }

    /// <summary>What follows the current record, as long as it begins with <paramref name="kind"/>; without that byte. Ends on the record behind it.</summary>
    public Stream ReadBytes(byte kind) => new BytesStream(this, kind);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _records.DisposeAsync();

    private sealed class BytesStream(RecordSource source, byte kind) : Stream
    {
        private ReadOnlyMemory<byte> _left;
        private bool _ended;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            while (_left.IsEmpty && !_ended && buffer.Length > 0)
            {
                _ended = !await source.NextAsync().ConfigureAwait(false) || source.Current.IsEmpty || source.Current.Span[0] != kind;
                _left = _ended ? default : source.Current[1..];
            }

            var count = Math.Min(buffer.Length, _left.Length);
            _left[..count].CopyTo(buffer);
            _left = _left[count..];
            return count;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Reading waits for the file.");

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
