namespace Session.Orleans.Chain.Blocks;

/// <summary>What a block changed, for readers that copy only what they must.</summary>
[Flags]
public enum BlockChanges
{
    /// <summary>Nothing that the flags below stand for.</summary>
    None = 0,

    /// <summary>
    /// A node was registered, removed, or changed its state, swarm, stake, address or unlock height. Credit, reward place, last proof and test
    /// counts change at nearly every block and do not set it.
    /// </summary>
    Nodes = 1,

    /// <summary>The members of a swarm changed.</summary>
    Swarms = 2,

    /// <summary>Coins were made or moved.</summary>
    Ledger = 4,
}
