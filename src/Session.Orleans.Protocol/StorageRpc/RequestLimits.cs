namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>Limits on what a request may hold that an operator may change; the defaults are the protocol's (storage-rpc.md, 15).</summary>
public sealed record RequestLimits
{
    /// <summary>The protocol's numbers.</summary>
    public static RequestLimits Protocol { get; } = new();

    /// <summary>Largest message, in bytes.</summary>
    public int MessageBytes { get; init; } = StorageLimits.MaxMessageBytes;

    /// <summary>Most sub-requests of a batch or sequence.</summary>
    public int BatchRequests { get; init; } = StorageLimits.MaxBatchRequests;

    /// <summary>How deep requests may stand in each other. The protocol has no such limit; JSON of more than 64 levels is refused in any case.</summary>
    public int Nesting { get; init; } = StorageLimits.MaxJsonDepth;

    /// <summary>Most tokens in one <c>revoke_subaccount</c>.</summary>
    public int RevocationsPerRequest { get; init; } = StorageLimits.MaxRevocationsPerRequest;

    /// <summary>Largest retrieve reply by the formula of <see cref="RetrievePage"/>, at most <see cref="StorageLimits.MaxRetrieveSize"/>.</summary>
    public int RetrieveBytes { get; init; } = StorageLimits.MaxRetrieveSize;
}
