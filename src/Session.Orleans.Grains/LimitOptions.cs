using System.ComponentModel.DataAnnotations;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Grains;

/// <summary>Limits of requests; the defaults are the protocol's (storage-rpc.md, 14 and 15). Clients count on them: lower ones can break them.</summary>
public sealed class LimitOptions
{
    /// <summary>Configuration section.</summary>
    public const string Section = "Limits";

    /// <summary>Largest request body, in bytes; more is answered 413.</summary>
    [Range(1024, 64 * 1024 * 1024, ErrorMessage = "Limits:RequestBytes must be between 1 KiB and 64 MiB.")]
    public int RequestBytes { get; set; } = StorageLimits.MaxRequestBytes;

    /// <summary>Largest stored message, in bytes.</summary>
    [Range(1, 16 * 1024 * 1024, ErrorMessage = "Limits:MessageBytes must be between 1 byte and 16 MiB.")]
    public int MessageBytes { get; set; } = StorageLimits.MaxMessageBytes;

    /// <summary>Largest retrieve reply by the protocol's formula, in bytes. Not more than the protocol's, which fits what nodes can relay.</summary>
    [Range(1024, StorageLimits.MaxRetrieveSize, ErrorMessage = "Limits:RetrieveBytes must be between 1024 and 7800000.")]
    public int RetrieveBytes { get; set; } = StorageLimits.MaxRetrieveSize;

    /// <summary>Most sub-requests of a batch or sequence.</summary>
    [Range(1, 1000, ErrorMessage = "Limits:BatchRequests must be between 1 and 1000.")]
    public int BatchRequests { get; set; } = StorageLimits.MaxBatchRequests;

    /// <summary>How deep requests may stand in each other; the protocol has no limit but that of JSON.</summary>
    [Range(1, StorageLimits.MaxJsonDepth, ErrorMessage = "Limits:Nesting must be between 1 and 64.")]
    public int Nesting { get; set; } = StorageLimits.MaxJsonDepth;

    /// <summary>Most tokens in one <c>revoke_subaccount</c>.</summary>
    [Range(1, 1000, ErrorMessage = "Limits:RevocationsPerRequest must be between 1 and 1000.")]
    public int RevocationsPerRequest { get; set; } = StorageLimits.MaxRevocationsPerRequest;

    /// <summary>Most revoked tokens kept per account; the oldest drop out.</summary>
    [Range(1, 1000, ErrorMessage = "Limits:Revocations must be between 1 and 1000.")]
    public int Revocations { get; set; } = StorageLimits.MaxRevocations;

    /// <summary>
    /// Requests per second, and at once after a pause, that one node takes from another of its swarm; those beyond fail with 429 in the reply.
    /// Null, the default, is the protocol's 600, and no limit while the nodes advertise loopback: there a load test comes from one machine.
    /// </summary>
    [Range(1, 1_000_000, ErrorMessage = "Limits:BetweenNodesPerSecond must be between 1 and 1000000.")]
    public int? BetweenNodesPerSecond { get; set; }

    internal RequestLimits OfRequests() => new()
    {
        MessageBytes = MessageBytes,
        BatchRequests = BatchRequests,
        Nesting = Nesting,
        RevocationsPerRequest = RevocationsPerRequest,
        RetrieveBytes = RetrieveBytes,
    };
}
