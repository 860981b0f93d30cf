namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>Numbers of the protocol (storage-rpc.md, 15 and the sections named). They are the same on every node and not options.</summary>
public static class StorageLimits
{
    /// <summary>Largest message, in bytes.</summary>
    public const int MaxMessageBytes = 76800;

    /// <summary>Largest message as base64, in characters.</summary>
    public const int MaxMessageBase64Length = 102400;

    /// <summary>Shortest time to live, in milliseconds (10 s).</summary>
    public const long MinTtlMs = 10_000;

    /// <summary>Longest time to live in a public inbox, in milliseconds (14 days).</summary>
    public const long MaxTtlPublicInboxMs = 14L * 24 * 3600 * 1000;

    /// <summary>Longest time to live anywhere else, and for <c>expire</c>, in milliseconds (30 days).</summary>
    public const long MaxTtlMs = 30L * 24 * 3600 * 1000;

    /// <summary>How far a stored message's times may be off, in milliseconds (section 8, check 3).</summary>
    public const long StoreToleranceMs = 10_000;

    /// <summary>How far a signed time may be off, in milliseconds.</summary>
    public const long SignatureToleranceMs = 60_000;

    /// <summary>The same on a member that got <c>delete_all</c> or <c>expire_all</c> from another member, in milliseconds (section 7).</summary>
    public const long ForwardedToleranceMs = 70_000;

    /// <summary>A <c>timestamp</c> below this is taken for seconds and refused (section 2).</summary>
    public const long MinTimestampMs = 1_000_000_000;

    /// <summary>Size of a retrieve reply by the formula of section 9.</summary>
    public const int MaxRetrieveSize = 7_800_000;

    /// <summary>The <c>max_size</c> of a retrieve that names no limit: a fifth of <see cref="MaxRetrieveSize"/>.</summary>
    public const int DefaultRetrieveSize = -5;

    /// <summary>What a message counts in a retrieve reply besides its data: 100 and the 43 characters of the hash.</summary>
    public const int RetrieveOverhead = 143;

    /// <summary>Largest request body and network message, in bytes.</summary>
    public const int MaxRequestBytes = 10_485_760;

    /// <summary>Most sub-requests of a batch or sequence.</summary>
    public const int MaxBatchRequests = 20;

    /// <summary>Most revoked tokens kept per account; older ones drop out.</summary>
    public const int MaxRevocations = 50;

    /// <summary>Most tokens in one <c>revoke_subaccount</c>.</summary>
    public const int MaxRevocationsPerRequest = 50;

    /// <summary>How long a member may take to answer, in milliseconds (5 s).</summary>
    public const int MemberTimeoutMs = 5_000;

    /// <summary>How often expired messages are swept, in milliseconds (10 s).</summary>
    public const int SweepIntervalMs = 10_000;

    /// <summary>Size of a node's database, in bytes (3584 MiB); beyond it stores fail with <c>query_failure</c>.</summary>
    public const long MaxDatabaseBytes = 3584L * 1024 * 1024;

    /// <summary>Deepest nesting of a request. Ours: the reference has none, and no client comes near it.</summary>
    public const int MaxJsonDepth = 64;

    /// <summary>The storage server release whose behaviour this is.</summary>
    public static ReadOnlySpan<int> Version => [2, 8, 0];
}
