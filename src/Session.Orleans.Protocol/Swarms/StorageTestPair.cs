using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Swarms;

/// <summary>Who tests whose storage at a block (network.md, 8).</summary>
public static class StorageTestPair
{
    /// <summary>How many blocks below the tip the block lies whose hash chooses the pair.</summary>
    public const int BlocksBelowTip = 4;

    /// <summary>
    /// Chooses two different members of a swarm. False with fewer than two.
    /// </summary>
    /// <param name="sortedMembers">All members of the swarm, the choosing node included, in ascending order of primary key.</param>
    /// <param name="blockHash">Hash of the block; at least 4 bytes.</param>
    /// <param name="tester">The node that asks.</param>
    /// <param name="testee">The node that answers.</param>
    public static bool TryChoose(
        IReadOnlyList<Ed25519PublicKey> sortedMembers, ReadOnlySpan<byte> blockHash, out Ed25519PublicKey tester, out Ed25519PublicKey testee)
    {
        tester = testee = default;
        if (sortedMembers.Count < 2)
            return false;
        var random = MersenneTwister64.FromBlockHashText(blockHash);
        var first = random.NextBelow(sortedMembers.Count);
        int second;
        do
            second = random.NextBelow(sortedMembers.Count);
        while (second == first);
        tester = sortedMembers[first];
        testee = sortedMembers[second];
        return true;
    }
}
