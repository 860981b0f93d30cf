using System.Diagnostics;

namespace Session.Orleans.Storage;

/// <summary>Names of all spans and tags of this project. No name or value ever holds an account or a message hash.</summary>
public static class StorageTelemetry
{
    /// <summary>Name of the activity source.</summary>
    public const string SourceName = "Session.Orleans.Storage";

    /// <summary>Span of <see cref="IMailboxStore.LoadAsync"/>.</summary>
    public const string Load = "mailbox.load";

    /// <summary>Span of <see cref="IMailboxStore.GetVersionAsync"/>.</summary>
    public const string GetVersion = "mailbox.get_version";

    /// <summary>Span of <see cref="IMailboxStore.AppendAsync"/>.</summary>
    public const string Append = "mailbox.append";

    /// <summary>Span of <see cref="IMailboxStore.ReadAsync"/>.</summary>
    public const string Read = "mailbox.read";

    /// <summary>Span of <see cref="IMailboxStore.RemoveAsync"/>.</summary>
    public const string Remove = "mailbox.remove";

    /// <summary>Span of <see cref="IMailboxStore.PruneAsync"/>.</summary>
    public const string Prune = "mailbox.prune";

    /// <summary>Span of <see cref="IMailboxStore.SetExpiriesAsync"/>.</summary>
    public const string SetExpiries = "mailbox.set_expiries";

    /// <summary>Span of <see cref="IMailboxStore.RevokeAsync"/>.</summary>
    public const string Revoke = "mailbox.revoke";

    /// <summary>Span of <see cref="IMailboxStore.UnrevokeAsync"/>.</summary>
    public const string Unrevoke = "mailbox.unrevoke";

    /// <summary>Tag: the database product, always <c>redis</c>.</summary>
    public const string SystemTag = "db.system.name";

    internal const string Redis = "redis";

    /// <summary>Tag: the Redis command that carries the operation, for example <c>EVALSHA</c>.</summary>
    public const string OperationTag = "db.operation.name";

    /// <summary>Tag: how many messages or tokens the call was about; only on calls that take several.</summary>
    public const string BatchSizeTag = "db.operation.batch.size";

    /// <summary>Tag: class of a failure: <c>timeout</c>, <c>connection</c>, <c>server</c>, <c>cancelled</c> or <c>other</c>.</summary>
    public const string ErrorTag = "error.type";

    internal static ActivitySource Source { get; } = new(SourceName);
}
