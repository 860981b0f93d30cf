using Session.Orleans.Chain.Nodes;

namespace Session.Orleans.Chain.Quorums;

/// <summary>
/// Draws a block's quorum. The active nodes in ascending order of primary key are shuffled (Fisher and Yates from the front, draws of section
/// 4, generator of <see cref="ChainRandom.ForQuorum"/>) until the validators stand in front. The other active nodes, followed by the
/// decommissioned ones in order of key, are shuffled on in the same way until the examined ones stand in front. Where the others are fewer
/// than are to be examined, as in small networks, the validators are examined too, each by its fellows.
/// </summary>
internal static class QuorumDraw
{
    public static (Node[] Validators, Node[] Tested) Draw(NodeRegistry nodes, ChainRules rules, Bytes32 hash)
    {
        var random = ChainRandom.ForQuorum(hash);
        Node[] pool = [.. nodes.Active, .. nodes.Decommissioned];
        var validators = Math.Min(rules.QuorumSize, nodes.Active.Length);
        ShuffleFront(pool.AsSpan(0, nodes.Active.Length), validators, random);

        var wanted = Math.Min(pool.Length, Math.Max(rules.TestedMinimum, (int)(pool.Length * (long)rules.TestedPercent / 100)));
        var others = pool.AsSpan(validators);
        var examined = Math.Min(wanted, others.Length);
        ShuffleFront(others, examined, random);
        return (pool[..validators], [.. others[..examined], .. pool.AsSpan(0, wanted - examined)]);
    }

    private static void ShuffleFront(Span<Node> nodes, int count, MersenneTwister64 random)
    {
        for (var i = 0; i < count; i++)
        {
            var j = i + random.NextBelow(nodes.Length - i);
            (nodes[i], nodes[j]) = (nodes[j], nodes[i]);
        }
    }
}
