using Session.Orleans.Chain.Quorums;

namespace Session.Orleans.Chain.Blocks;

/// <summary>What a block did.</summary>
/// <param name="Height">Height of the block.</param>
/// <param name="Events">Everything that happened, in order.</param>
/// <param name="Changes">The same in brief.</param>
/// <param name="Quorum">Who voted, and about whom.</param>
public sealed record BlockResult(long Height, ImmutableArray<ChainEvent> Events, BlockChanges Changes, Quorum Quorum);
