using System.Net;
using Microsoft.Extensions.Options;
using Session.Orleans.Grains.Network;

namespace Session.Orleans.Grains.ServiceNodes;

/// <summary>How many requests a node takes from another one (storage-rpc.md, 14).</summary>
internal sealed class NodeRateLimiter
{
    private const int DefaultPerSecond = 600;

    private readonly TokenBuckets<(int From, int To)>? _buckets;

    public NodeRateLimiter(IOptions<LimitOptions> limits, IOptions<NetworkOptions> network, TimeProvider time)
    {
        var onLoopback = IPAddress.TryParse(network.Value.PublicIp, out var address) && IPAddress.IsLoopback(address);
        if ((limits.Value.BetweenNodesPerSecond ?? (onLoopback ? null : DefaultPerSecond)) is { } perSecond)
            _buckets = new(perSecond, perSecond, NetworkOptions.MaxNodes * NetworkOptions.MaxNodes, time);
    }

    /// <summary>False while nothing is limited.</summary>
    public bool IsOn => _buckets is not null;

    /// <summary>Takes one request of the pair's allowance; false if there is none left.</summary>
    public bool TryTake(ServiceNode from, ServiceNode to) => _buckets is null || _buckets.TryTake((from.Index, to.Index));
}
