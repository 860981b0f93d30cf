namespace Session.Orleans.Storage;

/// <summary>
/// The store did not confirm a call. Carries text only and no inner exception, so that it can cross silos without the client library's
/// types; the cause is part of the message, the account only in its short form.
/// </summary>
public sealed class MailboxStoreException : Exception
{
    /// <summary>An exception without details.</summary>
    public MailboxStoreException()
    {
    }

    /// <summary>An exception with a message.</summary>
    /// <param name="message">What failed.</param>
    public MailboxStoreException(string message)
        : base(message)
    {
    }

    /// <summary>An exception with a message and an inner exception.</summary>
    /// <param name="message">What failed.</param>
    /// <param name="innerException">Why; must itself be able to cross silos.</param>
    public MailboxStoreException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>An exception with a message that says whether the call may have taken effect.</summary>
    /// <param name="message">What failed.</param>
    /// <param name="outcomeUnknown">See <see cref="OutcomeUnknown"/>.</param>
    public MailboxStoreException(string message, bool outcomeUnknown)
        : base(message) => OutcomeUnknown = outcomeUnknown;

    /// <summary>
    /// True after a timeout or a lost connection: the change may or may not have taken effect, and repeating the call is safe. False when
    /// the store refused it.
    /// </summary>
    public bool OutcomeUnknown { get; }
}
