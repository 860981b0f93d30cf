using Session.Orleans.Chain.Blocks;

namespace Session.Orleans.Chain.Nodes;

/// <summary>Takes uptime proofs in, and sees when a node's address changes (network.md, 6).</summary>
internal static class ProofBook
{
    public static void Record(ChainState chain, in UptimeProof proof)
    {
        if (chain.Nodes.Find(proof.Node) is not { } node)
            return;
        if (proof.PublicIp is { } address && address != node.PublicIp)
        {
            if (node.PublicIp is not null)
            {
                // More than one address within 24 h: the old one was still in use within that time.
                var tooSoon = chain.Height - node.LastProofHeight <= chain.Rules.IpChangeWindow;
                if (tooSoon)
                    chain.RewardQueue.Move(node, new(chain.Height, RewardPlace.AtEnd));
                chain.Events.Add(new IpChanged(node.Index, address, tooSoon));
            }
            else
            {
                chain.Events.Add(new IpChanged(node.Index, address, LostRewardPlace: false));
            }

            node.PublicIp = address;
        }

        node.LastProofHeight = chain.Height;
    }
}
