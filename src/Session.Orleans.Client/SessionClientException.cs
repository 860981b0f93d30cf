namespace Session.Orleans.Client;

/// <summary>The network could not be reached or answered with an error.</summary>
public sealed class SessionClientException : Exception
{
    /// <summary>With the default message.</summary>
    public SessionClientException()
    {
    }

    /// <summary>With a message for people.</summary>
    public SessionClientException(string message)
        : base(message)
    {
    }

    /// <summary>With a message for people and the cause.</summary>
    public SessionClientException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>An error answer of a service node.</summary>
    public SessionClientException(string message, int status)
        : base(message) => Status = status;

    /// <summary>Status code of the answer; 0 if there was none.</summary>
    public int Status { get; }
}
