using Microsoft.Extensions.Hosting;
using Session.Orleans.Grains.Network;

namespace Session.Orleans.Gateway.Nodes;

/// <summary>Whether a node serves at all (network.md, 2; storage-rpc.md, 14).</summary>
internal sealed class NodeReadiness(IHostApplicationLifetime lifetime)
{
    /// <summary>True while the process takes requests.</summary>
    public bool IsShuttingDown => lifetime.ApplicationStopping.IsCancellationRequested;

    /// <summary>The reasons, joined by "; ", or null if the node is ready.</summary>
    public string? WhyNotReady(ServiceNode node, NetworkView? view)
    {
        // The usual case first, without building anything.
        if (view is { IsHardForkReady: true } && node.IsInSwarm && !IsShuttingDown)
            return null;

        List<string> reasons = [];
        if (view is { IsHardForkReady: false })
            reasons.Add("not yet on hardfork 19.3");
        if (view is not null && !node.IsInSwarm)
            reasons.Add("not in any swarm");
        if (view is null)
            reasons.Add("not done syncing");
        if (IsShuttingDown)
            reasons.Add("shutting down");
        return string.Join("; ", reasons);
    }
}
