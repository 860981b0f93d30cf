namespace Session.Orleans.Protocol.Swarms;

/// <summary>
/// Sizes of swarms (network.md, 4). The defaults are the deployed network's; a small test network may choose others. All nodes of a
/// network need the same.
/// </summary>
/// <param name="Minimum">Members below which a swarm takes over nodes of others or dissolves; also the members that none is taken from. At least 1.</param>
/// <param name="Ideal">Members of a new swarm. At least <paramref name="Minimum"/>.</param>
/// <param name="Margin">Members above the minimum, on average over all swarms, that are kept before a new swarm is made. Not negative.</param>
/// <param name="FillPercentile">New nodes go to swarms up to this percentile of size, 0..100.</param>
/// <param name="StealPercentile">Small swarms take nodes from swarms of about this percentile of size and larger, 0..100.</param>
/// <param name="RedistributePercentile">Nodes of a dissolved swarm go to swarms up to this percentile of size, 0..100.</param>
public sealed record SwarmRules(
    int Minimum = 5, int Ideal = 7, int Margin = 2, int FillPercentile = 25, int StealPercentile = 75, int RedistributePercentile = 0)
{
    /// <summary>The rules of the deployed network.</summary>
    public static SwarmRules Network { get; } = new();

    /// <summary>Throws unless the values are in range and every new swarm reaches the minimum; without that the rules have no end.</summary>
    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Minimum, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(Ideal, Minimum);
        ArgumentOutOfRangeException.ThrowIfNegative(Margin);
        ValidatePercentile(FillPercentile);
        ValidatePercentile(StealPercentile);
        ValidatePercentile(RedistributePercentile);
    }

    private static void ValidatePercentile(int value)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(value);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(value, 100);
    }
}
