using Session.Orleans.Chain.Operations;
using Session.Orleans.Chain.PeerTests;
using Session.Orleans.Chain.StorageTests;

namespace Session.Orleans.Chain.Blocks;

/// <summary>A block, and what happened since the one before.</summary>
/// <param name="Height">One more than the chain's.</param>
/// <param name="Hash">The block's hash: all of its chance.</param>
public sealed record BlockInput(long Height, Bytes32 Hash)
{
    /// <summary>What people asked for, in order.</summary>
    public IReadOnlyList<ChainOperation> Operations { get; init; } = [];

    /// <summary>Results of the tests that were planned for the block before, in order of time.</summary>
    public IReadOnlyList<PeerTestResult> PeerTestResults { get; init; } = [];

    /// <summary>Proofs that nodes sent. Those of unknown nodes count for nothing.</summary>
    public IReadOnlyList<UptimeProof> UptimeProofs { get; init; } = [];

    /// <summary>Results of storage tests. Those of unknown nodes count for nothing.</summary>
    public IReadOnlyList<StorageTestResult> StorageTestResults { get; init; } = [];

    /// <summary>Indices of nodes that are down and so cast no vote; null for none.</summary>
    public IReadOnlySet<int>? SilentNodes { get; init; }
}
