namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>Rules of an account's 65536 mailboxes (storage-rpc.md, 5).</summary>
public static class Namespaces
{
    /// <summary>One-to-one messages.</summary>
    public const short Default = 0;

    /// <summary>Messages of legacy groups: the one inbox that is read without a signature.</summary>
    public const short LegacyGroup = -10;

    /// <summary>Divisible by 10: anyone may store, unsigned, for up to 14 days.</summary>
    public static bool IsPublicInbox(short @namespace) => @namespace % 10 == 0;

    /// <summary>-1, -21, -41, ...: anyone may read, the owner stores, and only one message is kept.</summary>
    public static bool IsPublicOutbox(short @namespace) => @namespace < 0 && -@namespace % 20 == 1;

    /// <summary>-11, -111, -211, ...: a revoked token may still read.</summary>
    public static bool IsUnrevocable(short @namespace) => @namespace < 0 && -@namespace % 100 == 11;

    /// <summary>True unless the namespace is -10 or a public outbox.</summary>
    public static bool RequiresSignatureToRetrieve(short @namespace) => @namespace != LegacyGroup && !IsPublicOutbox(@namespace);

    /// <summary>Longest time to live, in milliseconds.</summary>
    public static long MaxTtlMs(short @namespace) =>
        IsPublicInbox(@namespace) ? StorageLimits.MaxTtlPublicInboxMs : StorageLimits.MaxTtlMs;
}
