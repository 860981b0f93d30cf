namespace Session.Orleans.Chain;

/// <summary>
/// The numbers of the rules that decide the node list. Every duration is a count of blocks: the deployed network's time divided by its
/// block time of 120 s. A network with blocks of 10 s therefore lives the same life twelve times as fast. The defaults are the deployed
/// network's. All writers of a network need the same rules; they are part of every snapshot.
/// </summary>
public sealed record ChainRules
{
    /// <summary>The rules of the deployed network.</summary>
    public static ChainRules Network { get; } = new();

    /// <summary>Blocks of a day (section 6).</summary>
    public long BlocksPerDay { get; init; } = 720;

    /// <summary>Validators of a block's quorum; all active nodes while there are fewer (section 6).</summary>
    public int QuorumSize { get; init; } = 10;

    /// <summary>
    /// Equal votes of a full quorum that change a node's state. A smaller quorum needs the same share, rounded up (section 6).
    /// </summary>
    public int QuorumVotes { get; init; } = 7;

    /// <summary>Nodes that a quorum examines at least, if there are as many (section 6).</summary>
    public int TestedMinimum { get; init; } = 50;

    /// <summary>Share of the funded nodes that a quorum examines, in percent, where that is more than the minimum (section 6).</summary>
    public int TestedPercent { get; init; } = 1;

    /// <summary>
    /// Greatest age of a node's last uptime proof, in blocks. 2 h 5 min are 62.5 blocks; ages are whole, so 62 is the last that passes (section 6).
    /// </summary>
    public long ProofMaxAge { get; init; } = 62;

    /// <summary>Blocks from one uptime proof of a node to its next: an hour (section 6).</summary>
    public long ProofInterval { get; init; } = 30;

    /// <summary>
    /// Blocks since the first failed test after which a tester calls a node unreachable. 65 min are 32.5 blocks, so 33 is the first age that
    /// counts (section 7).
    /// </summary>
    public long UnreachableAfter { get; init; } = 33;

    /// <summary>Age in blocks up to which a tester's last failure counts. 5 min are 2.5 blocks, rounded down (section 7).</summary>
    public long FailureStaleAfter { get; init; } = 2;

    /// <summary>Downtime credit of a node that becomes active for the first time, in blocks (section 6).</summary>
    public long CreditStart { get; init; } = 60;

    /// <summary>Credit earned in <see cref="BlocksPerDay"/> blocks of being active, in blocks (section 6).</summary>
    public long CreditPerDay { get; init; } = 24;

    /// <summary>Greatest credit, in blocks (section 6).</summary>
    public long CreditCap { get; init; } = 1440;

    /// <summary>Credit from which a failing active node is decommissioned; with less it is deregistered. In blocks (section 6).</summary>
    public long CreditToDecommission { get; init; } = 60;

    /// <summary>
    /// Credit that a recommission costs for every block the node was out, counted from its credit at the decommission; never below 0 (section 6).
    /// </summary>
    public long CreditPerBlockOut { get; init; } = 2;

    /// <summary>Blocks for which the stake of a deregistered node stays locked: 30 days (section 6).</summary>
    public long DeregistrationLock { get; init; } = 30 * 720;

    /// <summary>
    /// Blocks from a request to unlock to the node's leaving: 15 days. The specification names the request and its height but no time; this is
    /// the deployed chain's.
    /// </summary>
    public long UnlockDelay { get; init; } = 15 * 720;

    /// <summary>Blocks within which a second address costs a node its place in the reward queue: 24 h (section 6).</summary>
    public long IpChangeWindow { get; init; } = 720;

    /// <summary>Stake of a node, in atomic units: 15,000 coins of 10^9, the deployed chain's at hard fork 19.</summary>
    public long StakingRequirement { get; init; } = 15_000_000_000_000;

    /// <summary>Contributors of a node at most, operator included; the deployed chain's number.</summary>
    public int MaxContributors { get; init; } = 10;

    /// <summary>Atomic units minted in every block for the head of the reward queue: 16.5 coins, the deployed chain's; 0 for none.</summary>
    public long RewardPerBlock { get; init; } = 16_500_000_000;

    /// <summary>Mean time from one general test of a node to its next: 10 s, in ticks (section 7, <see cref="PeerTests.PeerTest.TicksPerBlock"/>).</summary>
    public int TestInterval { get; init; } = 10_000;

    /// <summary>Standard deviation of the time between tests: 3 s, in ticks (section 7).</summary>
    public int TestIntervalDeviation { get; init; } = 3_000;

    /// <summary>Time added to the wait before a retest for every failure so far: 10 s, in ticks (section 7).</summary>
    public int RetestStep { get; init; } = 10_000;

    /// <summary>Longest wait before a retest: 2 min, one block, in ticks (section 7).</summary>
    public int RetestMax { get; init; } = 120_000;

    /// <summary>Sizes of swarms (section 4).</summary>
    public SwarmRules Swarms { get; init; } = SwarmRules.Network;

    /// <summary>
    /// Rules for a private network in which nobody wants to wait. Already without a speed-up, blocks of 10 s make an unreachable node fall after
    /// 5.5 min instead of 65. <paramref name="speed"/> divides every duration, credit included, further (rounded up, at least 1 block; a failure
    /// keeps counting for 2 blocks, because retests are up to one block apart). Rates, shares, amounts and times within a block stay.
    /// At a speed of 6 proofs go out every 10 min of the deployed network's time, as in its own test network.
    /// </summary>
    /// <param name="speed">How many times faster than by block count alone, 1 to 1000.</param>
    /// <param name="swarms">Sizes of swarms; the deployed network's if null.</param>
    public static ChainRules ForTestnet(int speed = 1, SwarmRules? swarms = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(speed, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(speed, 1000);
        long Faster(long blocks) => Math.Max(1, (blocks + speed - 1) / speed);
        return Network with
        {
            ProofMaxAge = Faster(Network.ProofMaxAge),
            ProofInterval = Faster(Network.ProofInterval),
            UnreachableAfter = Faster(Network.UnreachableAfter),
            CreditStart = Faster(Network.CreditStart),
            CreditCap = Faster(Network.CreditCap),
            CreditToDecommission = Faster(Network.CreditToDecommission),
            DeregistrationLock = Faster(Network.DeregistrationLock),
            UnlockDelay = Faster(Network.UnlockDelay),
            IpChangeWindow = Faster(Network.IpChangeWindow),
            Swarms = swarms ?? SwarmRules.Network,
        };
    }

    /// <summary>True at the heights at which a running node sends its uptime proof; nodes take turns, so that every block has about as many.</summary>
    public bool IsProofDue(int node, long height) => (height + node) % ProofInterval == 0;

    /// <summary>Throws unless every number is in range.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A number is not; the parameter name says which.</exception>
    public void Validate()
    {
        InRange(BlocksPerDay, 1, nameof(BlocksPerDay));
        InRange(QuorumSize, 1, nameof(QuorumSize));
        InRange(QuorumVotes, QuorumSize / 2 + 1, nameof(QuorumVotes)); // two different majorities must not both reach it
        ArgumentOutOfRangeException.ThrowIfGreaterThan(QuorumVotes, QuorumSize);
        InRange(TestedMinimum, 0, nameof(TestedMinimum));
        InRange(TestedPercent, 0, nameof(TestedPercent));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(TestedPercent, 100);
        InRange(ProofMaxAge, 0, nameof(ProofMaxAge));
        InRange(ProofInterval, 1, nameof(ProofInterval));
        InRange(UnreachableAfter, 1, nameof(UnreachableAfter));
        InRange(FailureStaleAfter, 1, nameof(FailureStaleAfter));
        InRange(CreditStart, 0, nameof(CreditStart));
        InRange(CreditPerDay, 0, nameof(CreditPerDay));
        InRange(CreditCap, CreditStart, nameof(CreditCap));
        InRange(CreditToDecommission, 0, nameof(CreditToDecommission));
        InRange(CreditPerBlockOut, 0, nameof(CreditPerBlockOut));
        InRange(DeregistrationLock, 0, nameof(DeregistrationLock));
        InRange(UnlockDelay, 0, nameof(UnlockDelay));
        InRange(IpChangeWindow, 0, nameof(IpChangeWindow));
        ArgumentOutOfRangeException.ThrowIfLessThan(StakingRequirement, 1);
        InRange(MaxContributors, 1, nameof(MaxContributors));
        ArgumentOutOfRangeException.ThrowIfNegative(RewardPerBlock);
        InRange(TestInterval, 1, nameof(TestInterval));
        InRange(TestIntervalDeviation, 0, nameof(TestIntervalDeviation));
        InRange(RetestStep, 0, nameof(RetestStep));
        InRange(RetestMax, 1, nameof(RetestMax));
        // Swarm rules check themselves when they are used.
        _ = SwarmComposition.Update(
            new Dictionary<SwarmId, IReadOnlyList<Ed25519PublicKey>>(), stackalloc byte[MersenneTwister64.BlockHashSeedLength], Swarms);
    }

    // The upper end keeps every sum and product of a height, a duration and a rate far from overflow.
    private static void InRange(long value, long least, string name)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(value, least, name);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(value, int.MaxValue, name);
    }
}
