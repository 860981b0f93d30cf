namespace Session.Orleans.Storage.Snapshots;

/// <summary>A file is no snapshot, a damaged one, or one that does not fit this network. The message says which; nothing has changed.</summary>
public sealed class SnapshotException : Exception
{
    /// <summary>With the default message.</summary>
    public SnapshotException()
    {
    }

    /// <summary>With a message for the operator.</summary>
    public SnapshotException(string message)
        : base(message)
    {
    }

    /// <summary>With a message for the operator and the cause.</summary>
    public SnapshotException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
