using System.ComponentModel.DataAnnotations;

namespace Session.Orleans.Gateway.Nodes;

/// <summary>Limits of direct storage requests per client address (storage-rpc.md, 14). Onion requests are not limited.</summary>
public sealed class RateLimitOptions
{
    /// <summary>Configuration section.</summary>
    public const string Section = "RateLimit";

    /// <summary>Requests an address may make at once after a pause.</summary>
    [Range(1, 1_000_000, ErrorMessage = "RateLimit:Burst must be between 1 and 1000000.")]
    public int Burst { get; set; } = 600;

    /// <summary>Requests per second an address may make for long.</summary>
    [Range(1, 1_000_000, ErrorMessage = "RateLimit:PerSecond must be between 1 and 1000000.")]
    public int PerSecond { get; set; } = 300;

    /// <summary>Addresses watched at once; further ones are refused until an earlier one has been quiet.</summary>
    [Range(1, 10_000_000, ErrorMessage = "RateLimit:MaxAddresses must be between 1 and 10000000.")]
    public int MaxAddresses { get; set; } = 10_000;

    /// <summary>
    /// Networks that are not limited, as <c>address/bits</c>. Null, the default, exempts loopback, so that a load test from the same machine
    /// can run.
    /// </summary>
    public IReadOnlyList<string>? Exempt { get; set; }
}
