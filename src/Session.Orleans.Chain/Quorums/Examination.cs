using Session.Orleans.Chain.Nodes;
using Session.Orleans.Chain.PeerTests;

namespace Session.Orleans.Chain.Quorums;

/// <summary>
/// The validators' votes on one node (network.md, 6). Proofs are known to all alike, but each judges reachability by its own tests.
/// </summary>
internal static class Examination
{
    /// <summary>What enough validators agree on, with the reasons that all and that any of them had.</summary>
    /// <param name="node">The node; it does not vote on itself.</param>
    /// <param name="validators">The quorum.</param>
    /// <param name="silent">Nodes that are down and cast no vote. They still count when the needed votes are computed.</param>
    /// <param name="rules">Rules.</param>
    /// <param name="height">Height of the block.</param>
    public static (Vote Decision, DecommissionReasons All, DecommissionReasons Any) Hold(
        Node node, ReadOnlySpan<Node> validators, IReadOnlySet<int> silent, ChainRules rules, long height)
    {
        var proofReason = node.HasFreshProof(rules, height) ? DecommissionReasons.None : DecommissionReasons.UptimeProof;
        Span<int> votes = stackalloc int[4];
        DecommissionReasons all = ~DecommissionReasons.None, any = DecommissionReasons.None;
        var electorate = 0;
        foreach (var validator in validators)
        {
            if (validator == node)
                continue;
            electorate++;
            if (silent.Contains(validator.Index))
                continue;
            var reasons = proofReason
                | (Reachability.IsUnreachable(validator, node, rules, height) ? DecommissionReasons.StorageUnreachable : DecommissionReasons.None);
            votes[(int)Judge(node, reasons, rules, height)]++;
            // Credit is the same for all, so all who find a fault vote alike, and no other vote has reasons.
            if (reasons is not DecommissionReasons.None)
            {
                all &= reasons;
                any |= reasons;
            }
        }

        var needed = NeededVotes(rules, electorate);
        for (var vote = Vote.Decommission; vote <= Vote.Deregister; vote++)
        {
            if (electorate > 0 && votes[(int)vote] >= needed)
                return (vote, any is DecommissionReasons.None ? any : all, any);
        }

        return (Vote.Keep, DecommissionReasons.None, DecommissionReasons.None);
    }

    /// <summary>7 of 10, and the same share, rounded up, of fewer: also 7 of the 9 that remain if the examined node is in the quorum.</summary>
    public static int NeededVotes(ChainRules rules, int electorate) =>
        (int)(((long)rules.QuorumVotes * electorate + rules.QuorumSize - 1) / rules.QuorumSize);

    private static Vote Judge(Node node, DecommissionReasons reasons, ChainRules rules, long height)
    {
        var failing = reasons is not DecommissionReasons.None;
        var credit = node.CreditAt(rules, height);
        return node.Status switch
        {
            NodeStatus.Active when failing => credit >= rules.CreditToDecommission ? Vote.Decommission : Vote.Deregister,
            NodeStatus.Decommissioned when failing => credit < 0 ? Vote.Deregister : Vote.Keep,
            NodeStatus.Decommissioned when !node.Held => Vote.Recommission,
            _ => Vote.Keep,
        };
    }
}
