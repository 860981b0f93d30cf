namespace Session.Orleans.Chain.Blocks;

/// <summary>Something that happened in a block.</summary>
public abstract record ChainEvent
{
    /// <summary>What it changed.</summary>
    public abstract BlockChanges Changes { get; }
}
