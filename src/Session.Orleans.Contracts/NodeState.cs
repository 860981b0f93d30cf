namespace Session.Orleans.Contracts;

/// <summary>Where a service node stands in its life cycle (network.md, 6).</summary>
public enum NodeState
{
    /// <summary>Registered, stake incomplete: not funded, unknown to onion requests.</summary>
    Awaiting = 0,

    /// <summary>Serves, is in a swarm and earns.</summary>
    Active = 1,

    /// <summary>Funded but in no swarm; still forwards onion requests.</summary>
    Decommissioned = 2,
}
