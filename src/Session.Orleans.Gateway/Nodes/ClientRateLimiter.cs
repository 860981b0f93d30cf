using System.Net;
using Microsoft.Extensions.Options;
using Session.Orleans.Grains;

namespace Session.Orleans.Gateway.Nodes;

/// <summary>Limits how many requests each client address makes; addresses of exempt networks make as many as they like.</summary>
internal sealed class ClientRateLimiter
{
    private static readonly string[] Loopback = ["127.0.0.0/8", "::1/128"];

    private readonly IPNetwork[] _exempt;
    private readonly TokenBuckets<IPAddress> _buckets;

    /// <exception cref="InvalidOperationException">An exempt network is none.</exception>
    public ClientRateLimiter(IOptions<RateLimitOptions> options, TimeProvider time)
    {
        var limits = options.Value;
        _buckets = new(limits.Burst, limits.PerSecond, limits.MaxAddresses, time);
        _exempt = [.. (limits.Exempt ?? Loopback).Select(text => IPNetwork.TryParse(text, out var network)
            ? network
            : throw new InvalidOperationException($"RateLimit:Exempt has '{text}', which is no network such as 10.0.0.0/8."))];
    }

    /// <summary>Takes one request of the address's allowance; false if there is none left, or if too many addresses are watched.</summary>
    public bool TryTake(IPAddress? address)
    {
        if (address is null)
            return true; // no network connection, for example an in-process test server
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        foreach (var network in _exempt)
        {
            if (network.Contains(address))
                return true;
        }

        return _buckets.TryTake(address);
    }
}
