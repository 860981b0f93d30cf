namespace Session.Orleans.Storage.Blobs;

/// <summary>
/// Bytes under a key, written once, read as a whole and deleted. It knows nothing of expiry, owners or lists; who has the key of a blob keeps
/// track of it. Every call moves the bytes in pieces, so its memory does not depend on their number.
/// </summary>
public interface IBlobStore
{
    /// <summary>
    /// Writes all of <paramref name="content"/>. When it returns the store has confirmed every byte; when it throws, or the process dies,
    /// some of the bytes may be there, which <see cref="DeleteAsync"/> removes.
    /// </summary>
    /// <param name="key">A key never used before: lower-case letters, digits and <c>-</c>.</param>
    /// <param name="content">Read once, from where it stands to its end.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    ValueTask WriteAsync(string key, Stream content, CancellationToken cancellationToken = default);

    /// <summary>Reads a blob piece by piece. A piece is valid until the next one is asked for.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="length">Number of its bytes, as its writer knows it.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="BlobMissingException">There is no such blob, or not all of it.</exception>
    IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(string key, long length, CancellationToken cancellationToken = default);

    /// <summary>Removes a blob, or what is there of it. Without effect if there is nothing.</summary>
    ValueTask DeleteAsync(string key, CancellationToken cancellationToken = default);
}

/// <summary>A blob that should be there is not, or not with all its bytes.</summary>
public sealed class BlobMissingException : Exception
{
    /// <summary>An exception without details.</summary>
    public BlobMissingException()
        : base("A blob is missing, or a part of it.")
    {
    }

    /// <summary>An exception with a message.</summary>
    /// <param name="message">What is missing.</param>
    public BlobMissingException(string message)
        : base(message)
    {
    }

    /// <summary>An exception with a message and its cause.</summary>
    /// <param name="message">What is missing.</param>
    /// <param name="innerException">Why.</param>
    public BlobMissingException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
