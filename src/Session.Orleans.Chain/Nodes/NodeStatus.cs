namespace Session.Orleans.Chain.Nodes;

/// <summary>Where a registered node stands in its life (network.md, 6). Removed nodes are no longer in the list.</summary>
public enum NodeStatus
{
    /// <summary>Registered, stake incomplete: not funded.</summary>
    Awaiting = 0,

    /// <summary>Serves, is in a swarm, tests, votes and earns.</summary>
    Active = 1,

    /// <summary>Funded, in no swarm, unrewarded; still tested and still forwards onion requests.</summary>
    Decommissioned = 2,
}
