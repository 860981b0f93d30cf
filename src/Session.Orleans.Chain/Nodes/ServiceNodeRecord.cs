using Session.Orleans.Chain.Accounts;
using Session.Orleans.Chain.StorageTests;

namespace Session.Orleans.Chain.Nodes;

/// <summary>A registered node at one block, with the fields of <c>get_service_nodes</c> that the chain decides (network.md, 2 and 6).</summary>
public sealed record ServiceNodeRecord
{
    /// <summary>Number of the node, from which its keys are derived.</summary>
    public required int Index { get; init; }

    /// <summary>Primary key, 32 bytes.</summary>
    public required Ed25519PublicKey PublicKey { get; init; }

    /// <summary>Place in the life cycle.</summary>
    public required NodeStatus Status { get; init; }

    /// <summary>The node's swarm; <see cref="Protocol.Swarms.SwarmId.Unassigned"/> unless it is active.</summary>
    public required SwarmId SwarmId { get; init; }

    /// <summary>Height at which it was registered.</summary>
    public required long RegistrationHeight { get; init; }

    /// <summary>Height at which <see cref="Status"/> last changed.</summary>
    public required long StateHeight { get; init; }

    /// <summary>Height at which it leaves on request; 0 if nobody asked.</summary>
    public required long RequestedUnlockHeight { get; init; }

    /// <summary>Downtime credit in blocks; below 0 the next failing vote deregisters a decommissioned node.</summary>
    public required long EarnedDowntimeBlocks { get; init; }

    /// <summary>How often it was decommissioned.</summary>
    public required int DecommissionCount { get; init; }

    /// <summary>Reasons that all validators named who voted for the last decommission.</summary>
    public required DecommissionReasons LastDecommissionReasonsAll { get; init; }

    /// <summary>Reasons that any of them named.</summary>
    public required DecommissionReasons LastDecommissionReasonsAny { get; init; }

    /// <summary>True if an operator decommissioned it, so that only an operator brings it back.</summary>
    public required bool IsHeld { get; init; }

    /// <summary><c>last_reward_block_height</c> and <c>last_reward_transaction_index</c>.</summary>
    public required RewardPlace RewardPlace { get; init; }

    /// <summary>Height of the last uptime proof; null before the first.</summary>
    public required long? LastProofHeight { get; init; }

    /// <summary>Address in the last proof that named one; null before that.</summary>
    public required string? PublicIp { get; init; }

    /// <summary>Account of the operator.</summary>
    public required WalletAddress Operator { get; init; }

    /// <summary>The operator's share of the reward before it is divided by stake, in parts of a million.</summary>
    public required int OperatorFee { get; init; }

    /// <summary>Stakes, the operator's first.</summary>
    public required ImmutableArray<Contribution> Contributions { get; init; }

    /// <summary>Results of storage tests in which it was the tested node.</summary>
    public required StorageTestCounts StorageTests { get; init; }

    /// <summary>Stake complete.</summary>
    public bool IsFunded => Status is not NodeStatus.Awaiting;

    /// <summary>Sum of the stakes, in atomic units.</summary>
    public long TotalContributed => Contributions.Sum(contribution => contribution.Amount);

    internal static ServiceNodeRecord Of(Node node, ChainRules rules, long height) => new()
    {
        Index = node.Index,
        PublicKey = node.PublicKey,
        Status = node.Status,
        SwarmId = node.Swarm,
        RegistrationHeight = node.RegistrationHeight,
        StateHeight = node.StateHeight,
        RequestedUnlockHeight = node.RequestedUnlockHeight,
        EarnedDowntimeBlocks = node.CreditAt(rules, height),
        DecommissionCount = node.DecommissionCount,
        LastDecommissionReasonsAll = node.ReasonsAll,
        LastDecommissionReasonsAny = node.ReasonsAny,
        IsHeld = node.Held,
        RewardPlace = node.RewardPlace,
        LastProofHeight = node.LastProofHeight,
        PublicIp = node.PublicIp,
        Operator = node.Operator,
        OperatorFee = node.OperatorFee,
        Contributions = [.. node.Contributions],
        StorageTests = node.StorageTests,
    };
}
