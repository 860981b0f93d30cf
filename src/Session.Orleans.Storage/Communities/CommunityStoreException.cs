namespace Session.Orleans.Storage.Communities;

/// <summary>
/// The store did not confirm a call of a community. Carries text only, so that it can cross silos without the client library's types, and no
/// user's id.
/// </summary>
public sealed class CommunityStoreException : Exception
{
    /// <summary>An exception without details.</summary>
    public CommunityStoreException()
    {
    }

    /// <summary>An exception with a message.</summary>
    /// <param name="message">What failed.</param>
    public CommunityStoreException(string message)
        : base(message)
    {
    }

    /// <summary>An exception with a message and an inner exception.</summary>
    /// <param name="message">What failed.</param>
    /// <param name="innerException">Why; must itself be able to cross silos.</param>
    public CommunityStoreException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
