using Session.Orleans.Gateway.Hosting;
using Session.Orleans.Grains.Network;

namespace Session.Orleans.Gateway.Nodes;

/// <summary>Whether a node serves at all (network.md, 2; storage-rpc.md, 14).</summary>
internal sealed class NodeReadiness(Drain drain)
{
    /// <summary>True when the process takes no more requests.</summary>
    public bool IsShuttingDown => drain.IsOver;

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
