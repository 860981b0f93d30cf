namespace Session.Orleans.Chain.Blocks;

/// <summary>A running node's sign of life (network.md, 6).</summary>
/// <param name="Node">Index of the node.</param>
/// <param name="PublicIp">Address it serves at; null if that is not known to have changed.</param>
public readonly record struct UptimeProof(int Node, string? PublicIp);
