using Session.Orleans.Chain.Nodes;
using Session.Orleans.Chain.PeerTests;
using Session.Orleans.Chain.StorageTests;

namespace Session.Orleans.Chain.Snapshots;

/// <summary>A registered node. What is null is not written, so that a node to which nothing happened is short.</summary>
public sealed record NodeSnapshot
{
    /// <summary>Number of the node.</summary>
    public required int Index { get; init; }

    /// <summary>Primary key, 64 hex digits.</summary>
    public required string PublicKey { get; init; }

    /// <summary>Place in the testers' lists.</summary>
    public required int Slot { get; init; }

    /// <summary>Place in the life cycle.</summary>
    public required NodeStatus Status { get; init; }

    /// <summary>Height of its registration.</summary>
    public required long RegistrationHeight { get; init; }

    /// <summary>Height at which the status last changed.</summary>
    public required long StateHeight { get; init; }

    /// <summary>Credit at that height, in blocks.</summary>
    public required long CreditAtState { get; init; }

    /// <summary>Height at which it leaves on request; null if nobody asked.</summary>
    public long? RequestedUnlockHeight { get; init; }

    /// <summary>Place in the reward queue.</summary>
    public required RewardPlace RewardPlace { get; init; }

    /// <summary>The last decommission; null before the first.</summary>
    public DecommissionSnapshot? Decommission { get; init; }

    /// <summary>Height of the last uptime proof; null before the first.</summary>
    public long? LastProofHeight { get; init; }

    /// <summary>Address in the last proof that named one.</summary>
    public string? PublicIp { get; init; }

    /// <summary>Id of its swarm; null if it is in none.</summary>
    public ulong? Swarm { get; init; }

    /// <summary>Parts of a million.</summary>
    public required int OperatorFee { get; init; }

    /// <summary>Stakes, the operator's first.</summary>
    public required ImmutableArray<ContributionSnapshot> Contributions { get; init; }

    /// <summary>How far it has come in its list of nodes to test; null before the first.</summary>
    public TestRound? Round { get; init; }

    /// <summary>Nodes that it found failing, by ascending slot; null if none.</summary>
    public ImmutableArray<FailureSnapshot>? Failures { get; init; }

    /// <summary>Storage tests; null if none.</summary>
    public StorageTestCounts? StorageTests { get; init; }
}

/// <summary>A stake in a node.</summary>
/// <param name="Wallet">Account.</param>
/// <param name="Amount">Atomic units.</param>
public sealed record ContributionSnapshot(string Wallet, long Amount);

/// <summary>What is known of a node's decommissions.</summary>
/// <param name="Count">How many there were.</param>
/// <param name="All">Reasons that all validators had for the last one.</param>
/// <param name="Any">Reasons that any of them had.</param>
/// <param name="Held">True if an operator of the network did it and has not undone it.</param>
public sealed record DecommissionSnapshot(int Count, DecommissionReasons All, DecommissionReasons Any, bool Held);
