using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.FileServer;

namespace Session.Orleans.Storage.Files;

/// <summary>More bytes came than are allowed.</summary>
internal sealed class FileTooLargeException : IOException
{
    public FileTooLargeException()
        : base("The file is too large.")
    {
    }
}

/// <summary>Passes on what it reads, counts and hashes it, and stops at a limit. Does not own the stream it reads.</summary>
internal sealed class MeasuredStream(Stream inner, long limit) : Stream
{
    private readonly SaltedBlake2b _hash = FileId.StartHash();

    /// <summary>Bytes read so far.</summary>
    public long Count { get; private set; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>The content-derived id of what was read; once, at the end.</summary>
    public string FinishId() => FileId.Finish(_hash);

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var read = await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        Count += read;
        if (Count > limit)
            throw new FileTooLargeException();
        _hash.Append(buffer.Span[..read]);
        return read;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Reading waits for the network.");

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
