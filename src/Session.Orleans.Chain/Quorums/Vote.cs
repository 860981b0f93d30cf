namespace Session.Orleans.Chain.Quorums;

/// <summary>What a validator wants done with a node that it examined.</summary>
internal enum Vote
{
    /// <summary>Nothing.</summary>
    Keep,

    /// <summary>Out of its swarm.</summary>
    Decommission,

    /// <summary>Back into a swarm.</summary>
    Recommission,

    /// <summary>Out of the network.</summary>
    Deregister,
}
