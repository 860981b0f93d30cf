namespace Session.Orleans.EmbeddedStore;

/// <summary>
/// Whether the disk has refused a write, full or broken. Nothing may be acknowledged from then on: what is in memory and what is in the files
/// have parted, and only a start that reads the files again brings them together.
/// </summary>
internal sealed class WriteFailure
{
    private readonly TaskCompletionSource<Exception> _first = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends with the first failure.</summary>
    public Task<Exception> First => _first.Task;

    public void Report(Exception exception) => _first.TrySetResult(exception);

    /// <exception cref="EmbeddedStoreException">A write has failed.</exception>
    public void Throw()
    {
        if (_first.Task.IsCompleted)
            throw new EmbeddedStoreException("The embedded store can't write and acknowledges nothing more.", _first.Task.Result);
    }
}
