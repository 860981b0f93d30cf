namespace Session.Orleans.Chain.Quorums;

/// <summary>Who votes at a block, and about whom (network.md, 6).</summary>
/// <param name="Validators">Indices of the nodes that vote.</param>
/// <param name="Tested">Indices of the nodes that are examined.</param>
public sealed record Quorum(ImmutableArray<int> Validators, ImmutableArray<int> Tested);
