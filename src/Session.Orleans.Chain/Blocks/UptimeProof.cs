namespace Session.Orleans.Chain.Blocks;

/// <summary>A running node's sign of life (network.md, 6).</summary>
/// <param name="Node">Index of the node.</param>
/// <param name="PublicIp">Address it serves at, 1 to <see cref="LongestIp"/> characters; null if that is not known to have changed.</param>
public readonly record struct UptimeProof(int Node, string? PublicIp)
{
    /// <summary>Characters of the longest IP address in text.</summary>
    public const int LongestIp = 45;
}
