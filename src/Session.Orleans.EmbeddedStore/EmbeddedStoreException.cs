namespace Session.Orleans.EmbeddedStore;

/// <summary>The embedded store could not start; the message says why and what to change.</summary>
public sealed class EmbeddedStoreException : Exception
{
    /// <summary>An exception without details.</summary>
    public EmbeddedStoreException()
    {
    }

    /// <summary>An exception with a message.</summary>
    /// <param name="message">What is wrong and what to change.</param>
    public EmbeddedStoreException(string message)
        : base(message)
    {
    }

    /// <summary>An exception with a message and its cause.</summary>
    /// <param name="message">What is wrong and what to change.</param>
    /// <param name="innerException">The cause.</param>
    public EmbeddedStoreException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
