using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Swarms;

/// <summary>
/// Which node is in which swarm. Every node computes it alike from the set of active nodes and the block hash (network.md, 4).
/// </summary>
public static class SwarmComposition
{
    // The ids of real swarms are 0 .. 2^64-2, so their ring has 2^64-1 places.
    private const ulong RingSize = ulong.MaxValue;

    /// <summary>
    /// The swarms after a block that changed the set of active nodes. Swarms of equal size are ordered by id, which the deployed network
    /// leaves open. Afterwards every given node is in exactly one swarm, and none is smaller than the minimum unless it is the only one.
    /// </summary>
    /// <param name="before">
    /// Active nodes by swarm, each list in ascending order of primary key; those without a swarm under <see cref="SwarmId.Unassigned"/>.
    /// Swarms without members do not exist and are ignored. A node listed twice counts where it comes first, in order of swarm id.
    /// </param>
    /// <param name="blockHash">The block's hash; the first 8 bytes are used.</param>
    /// <param name="rules">Sizes.</param>
    /// <exception cref="ArgumentException">The hash is too short or the rules are out of range.</exception>
    public static SortedDictionary<SwarmId, List<Ed25519PublicKey>> Update(
        IReadOnlyDictionary<SwarmId, IReadOnlyList<Ed25519PublicKey>> before, ReadOnlySpan<byte> blockHash, SwarmRules rules)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(blockHash.Length, MersenneTwister64.BlockHashSeedLength, nameof(blockHash));
        rules.Validate();

        var swarms = new SortedDictionary<SwarmId, List<Ed25519PublicKey>>();
        var unassigned = new List<Ed25519PublicKey>();
        var seen = new HashSet<Ed25519PublicKey>();
        foreach (var (id, members) in before.OrderBy(swarm => swarm.Key))
        {
            var unique = members.Where(seen.Add).ToList();
            if (id == SwarmId.Unassigned)
                unassigned = unique;
            else if (unique.Count > 0)
                swarms.Add(id, unique);
        }

        if (seen.Count == 0)
            return swarms;
        if (swarms.Count == 0)
            swarms.Add(new(0), []);

        var random = MersenneTwister64.FromBlockHash(blockHash);
        Assign(unassigned, swarms, random, rules, rules.FillPercentile);
        Steal(swarms, random, rules);
        Split(swarms, random, rules);
        Dissolve(swarms, random, rules);
        return swarms;
    }

    /// <summary>
    /// The id of a new swarm: the middle of the widest gap between the existing ones, 0 if there are none (section 4, New id). Of equally
    /// wide gaps the first counts, and the one across the wrap last.
    /// </summary>
    public static SwarmId NewSwarmId(IEnumerable<SwarmId> existing)
    {
        ulong[] ids = [.. existing.Where(id => id != SwarmId.Unassigned).Select(id => id.Value).Order()];
        if (ids.Length == 0)
            return new(0);

        ulong widest = 0, start = 0;
        for (var i = 1; i < ids.Length; i++)
        {
            if (ids[i] - ids[i - 1] > widest)
                (widest, start) = (ids[i] - ids[i - 1], ids[i - 1]);
        }

        // Modulo 2^64, which is right: the true value is at most 2^64-1.
        var wrap = unchecked(RingSize - ids[^1] + ids[0]);
        if (wrap > widest)
            (widest, start) = (wrap, ids[^1]);

        var half = widest / 2;
        return new(half >= RingSize - start ? half - (RingSize - start) : start + half);
    }

    // Step 2, and the second half of step 5: each node goes to a random one of the smaller swarms.
    private static void Assign(
        List<Ed25519PublicKey> nodes, SortedDictionary<SwarmId, List<Ed25519PublicKey>> swarms, MersenneTwister64 random, SwarmRules rules,
        int percentile)
    {
        foreach (var node in nodes)
        {
            var bySize = BySize(swarms);
            var size = bySize[AtPercentile(percentile, bySize.Count)].Size;
            var candidates = bySize.FindLastIndex(swarm => swarm.Size == size) + 1;
            bySize[random.NextBelow(candidates)].Members.Add(node);
            Split(swarms, random, rules);
        }
    }

    // Step 3. The sizes that order the swarms and fix the percentile are those at the start.
    private static void Steal(SortedDictionary<SwarmId, List<Ed25519PublicKey>> swarms, MersenneTwister64 random, SwarmRules rules)
    {
        var bySize = BySize(swarms);
        var above = Math.Max(rules.Minimum, bySize[AtPercentile(rules.StealPercentile, bySize.Count)].Size - 1);
        foreach (var (size, _, poor) in bySize)
        {
            if (size >= rules.Minimum)
                return;
            while (poor.Count < rules.Minimum)
            {
                var excess = swarms.Values.Where(members => members.Count > above).Sum(members => members.Count - rules.Minimum);
                if (excess < rules.Minimum - poor.Count)
                    return;
                poor.Add(TakeRandom(swarms, above, random));
            }
        }
    }

    // New swarms are made of random members that the others can spare, as long as enough is left over for a margin everywhere.
    private static void Split(SortedDictionary<SwarmId, List<Ed25519PublicKey>> swarms, MersenneTwister64 random, SwarmRules rules)
    {
        if (swarms.Values.Any(members => members.Count < rules.Minimum))
            return;
        while (swarms.Values.Sum(members => (long)members.Count - rules.Minimum) >= rules.Ideal + (long)rules.Margin * swarms.Count)
        {
            var fresh = new List<Ed25519PublicKey>(rules.Ideal);
            while (fresh.Count < rules.Ideal)
                fresh.Add(TakeRandom(swarms, rules.Minimum, random));
            swarms.Add(NewSwarmId(swarms.Keys), fresh);
        }
    }

    // Step 5. Ends: every round removes one swarm below the minimum, and no step makes a new one.
    private static void Dissolve(SortedDictionary<SwarmId, List<Ed25519PublicKey>> swarms, MersenneTwister64 random, SwarmRules rules)
    {
        while (swarms.Count > 1)
        {
            var (poor, members) = swarms.FirstOrDefault(swarm => swarm.Value.Count < rules.Minimum);
            if (members is null)
                return;
            _ = swarms.Remove(poor);
            Assign(members, swarms, random, rules, rules.RedistributePercentile);
        }
    }

    // Removes a random one of all members of swarms with more than `above` members, counted in id order.
    private static Ed25519PublicKey TakeRandom(
        SortedDictionary<SwarmId, List<Ed25519PublicKey>> swarms, int above, MersenneTwister64 random)
    {
        var rich = swarms.Values.Where(members => members.Count > above).ToList();
        var index = random.NextBelow(rich.Sum(members => members.Count));
        foreach (var members in rich)
        {
            if (index < members.Count)
            {
                var node = members[index];
                members.RemoveAt(index);
                return node;
            }

            index -= members.Count;
        }

        throw new InvalidOperationException("The index lies beyond the members that were counted.");
    }

    private static List<(int Size, SwarmId Id, List<Ed25519PublicKey> Members)> BySize(
        SortedDictionary<SwarmId, List<Ed25519PublicKey>> swarms)
    {
        var list = new List<(int Size, SwarmId Id, List<Ed25519PublicKey> Members)>(swarms.Count);
        foreach (var (id, members) in swarms)
            list.Add((members.Count, id, members));
        list.Sort(static (a, b) => a.Size != b.Size ? a.Size.CompareTo(b.Size) : a.Id.CompareTo(b.Id));
        return list;
    }

    private static int AtPercentile(int percentile, int count) => percentile * (count - 1) / 100;
}
