namespace Session.Orleans.Gateway.Hosting;

/// <summary>Bytes that many requests may hold in memory at once.</summary>
internal sealed class MemoryBudget(long limit)
{
    private long _taken;

    /// <summary>Takes memory; false if there is not so much left.</summary>
    public bool TryTake(long bytes)
    {
        if (Interlocked.Add(ref _taken, bytes) <= limit)
            return true;
        Return(bytes);
        return false;
    }

    /// <summary>Gives memory back.</summary>
    public void Return(long bytes) => Interlocked.Add(ref _taken, -bytes);
}

/// <summary>The budget is used up.</summary>
internal sealed class MemoryBudgetException() : IOException("The memory for large requests is taken.");

/// <summary>Collects a reply, for which it takes from a budget until it is disposed.</summary>
internal sealed class BudgetedStream(MemoryBudget? budget) : MemoryStream
{
    private long _taken;

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (budget?.TryTake(buffer.Length) == false)
            throw new MemoryBudgetException();
        _taken += buffer.Length;
        // The base's own way to write a span leads back here in a class that derives from it.
        var end = (int)Length;
        SetLength(end + buffer.Length);
        buffer.CopyTo(GetBuffer().AsSpan(end));
        Position = Length;
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Write(buffer.Span);
        return default;
    }

    protected override void Dispose(bool disposing)
    {
        budget?.Return(_taken);
        _taken = 0;
        base.Dispose(disposing);
    }
}
