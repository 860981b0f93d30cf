namespace Session.Orleans.Chain.Blocks;

/// <summary>A swarm came into being.</summary>
/// <param name="Swarm">Its id.</param>
public sealed record SwarmCreated(SwarmId Swarm) : ChainEvent
{
    /// <inheritdoc/>
    public override BlockChanges Changes => BlockChanges.Swarms;
}

/// <summary>A swarm is gone; its accounts belong to its neighbours.</summary>
/// <param name="Swarm">Its id.</param>
public sealed record SwarmDissolved(SwarmId Swarm) : ChainEvent
{
    /// <inheritdoc/>
    public override BlockChanges Changes => BlockChanges.Swarms;
}

/// <summary>An active node is in another swarm than before.</summary>
/// <param name="Node">Index of the node.</param>
/// <param name="From">Its swarm before; <see cref="SwarmId.Unassigned"/> if it was in none.</param>
/// <param name="To">Its swarm now.</param>
public sealed record NodeMoved(int Node, SwarmId From, SwarmId To) : ChainEvent
{
    /// <inheritdoc/>
    public override BlockChanges Changes => BlockChanges.Swarms | BlockChanges.Nodes;
}
