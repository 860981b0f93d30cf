using Session.Orleans.Chain.Accounts;
using Session.Orleans.Chain.Blocks;
using Session.Orleans.Chain.Nodes;
using Session.Orleans.Chain.Swarms;

namespace Session.Orleans.Chain;

/// <summary>Everything the rules work on, and what the block in work has done so far.</summary>
internal sealed class ChainState(ChainRules rules, Ledger ledger)
{
    public ChainRules Rules { get; } = rules;

    public Ledger Ledger { get; } = ledger;

    public NodeRegistry Nodes { get; } = new();

    public RewardQueue RewardQueue { get; } = new();

    public SwarmTable Swarms { get; } = new();

    /// <summary>Nodes that asked to leave, by height and slot.</summary>
    public SortedSet<(long Height, int Slot)> Unlocks { get; } = [];

    /// <summary>Height of the block in work, or of the top block.</summary>
    public long Height { get; set; }

    /// <summary>What the block in work has done so far.</summary>
    public List<ChainEvent> Events { get; } = [];
}
