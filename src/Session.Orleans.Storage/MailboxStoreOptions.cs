namespace Session.Orleans.Storage;

/// <summary>Where in Redis the mailboxes live.</summary>
public sealed class MailboxStoreOptions
{
    /// <summary>Put before every key, so that several networks can share one Redis. Empty by default. Must not contain braces.</summary>
    public string KeyPrefix { get; init; } = "";

    /// <summary>Number of the database; -1, the default, takes the connection's.</summary>
    public int Database { get; init; } = -1;

    /// <summary>
    /// How long stored data outlives the sweep that ends it, at least one millisecond; by default <see
    /// cref="MessageLifetime.PayloadSlack"/>,
    /// which says what it is for.
    /// </summary>
    public TimeSpan PayloadSlack { get; init; } = TimeSpan.FromMilliseconds(MessageLifetime.PayloadSlack);

    /// <summary>Revocations kept per account, at least 1; the oldest drop out (storage-rpc.md, 3.3).</summary>
    public int MaxRevocations { get; init; } = IMailboxStore.MaxRevocations;
}
