using Session.Orleans.Chain.Operations;

namespace Session.Orleans.Chain;

/// <summary>The first block of a chain.</summary>
/// <param name="Height">Its height, 0 to <see cref="MaxHeight"/>.</param>
/// <param name="Hash">Its hash.</param>
public sealed record ChainGenesis(long Height, Bytes32 Hash)
{
    /// <summary>Largest first height: far more blocks than will ever be made, and far from overflow.</summary>
    public const long MaxHeight = 1L << 48;

    /// <summary>The first coins and nodes. All must succeed.</summary>
    public IReadOnlyList<ChainOperation> Operations { get; init; } = [];
}
