using Session.Orleans.Chain.Accounts;
using Session.Orleans.Chain.PeerTests;
using Session.Orleans.Chain.StorageTests;

namespace Session.Orleans.Chain.Nodes;

/// <summary>A registered node with everything the rules remember about it.</summary>
internal sealed class Node
{
    public required int Index { get; init; }

    public required Ed25519PublicKey PublicKey { get; init; }

    public required WalletAddress Operator { get; init; }

    /// <summary>Parts in a million.</summary>
    public required int OperatorFee { get; init; }

    /// <summary>The operator's own first.</summary>
    public required List<Contribution> Contributions { get; init; }

    public required long RegistrationHeight { get; init; }

    /// <summary>Small number of its own, from 0 without large gaps: place in tables and in the testers' rounds.</summary>
    public int Slot { get; set; } = -1;

    public NodeStatus Status { get; set; }

    public long StateHeight { get; set; }

    /// <summary>Credit at <see cref="StateHeight"/>.</summary>
    public long CreditAtState { get; set; }

    /// <summary>0 if nobody asked.</summary>
    public long RequestedUnlockHeight { get; set; }

    public RewardPlace RewardPlace { get; set; }

    public int DecommissionCount { get; set; }

    public DecommissionReasons ReasonsAll { get; set; }

    public DecommissionReasons ReasonsAny { get; set; }

    /// <summary>Decommissioned by an operator: validators do not bring it back.</summary>
    public bool Held { get; set; }

    public long? LastProofHeight { get; set; }

    public string? PublicIp { get; set; }

    public SwarmId Swarm { get; set; } = SwarmId.Unassigned;

    public TestRound Round { get; set; }

    /// <summary>The nodes that this one has found failing, by slot.</summary>
    public SortedDictionary<int, PeerFailure> Failures { get; } = [];

    public StorageTestCounts StorageTests { get; set; }

    public bool IsFunded => Status is not NodeStatus.Awaiting;

    public long TotalContributed => Contributions.Sum(contribution => contribution.Amount);

    public long CreditAt(ChainRules rules, long height) => Status switch
    {
        NodeStatus.Active => DowntimeCredit.WhileActive(rules, CreditAtState, height - StateHeight),
        NodeStatus.Decommissioned => DowntimeCredit.WhileDecommissioned(CreditAtState, height - StateHeight),
        _ => 0,
    };

    /// <summary>
    /// True while the last proof is young enough. A node that has just become active is given the time to send its first one.
    /// </summary>
    public bool HasFreshProof(ChainRules rules, long height)
    {
        var since = LastProofHeight;
        if (Status is NodeStatus.Active && !(since >= StateHeight))
            since = StateHeight;
        return height - since <= rules.ProofMaxAge;
    }
}
