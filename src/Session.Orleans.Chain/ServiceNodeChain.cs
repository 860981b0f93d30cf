using Session.Orleans.Chain.Accounts;
using Session.Orleans.Chain.Blocks;
using Session.Orleans.Chain.Nodes;
using Session.Orleans.Chain.Operations;
using Session.Orleans.Chain.PeerTests;
using Session.Orleans.Chain.Quorums;
using Session.Orleans.Chain.Snapshots;
using Session.Orleans.Chain.StorageTests;

namespace Session.Orleans.Chain;

/// <summary>
/// The chain without a coin that anybody would want: the rules that decide the list of service nodes, block by block (network.md, 4 to 8).
/// A state machine without clock, input or output: the same blocks give the same state everywhere. Not thread-safe; what it hands out is
/// immutable.
/// </summary>
/// <example>
/// The caller's loop: make the tests of <see cref="PlanPeerTests"/> while the block is the top, then give their results to
/// <see cref="AddBlock"/> with whatever else happened, and keep <see cref="TakeSnapshot"/>.
/// </example>
public sealed class ServiceNodeChain
{
    /// <summary>Hashes that are kept, of the top block and those below (section 8).</summary>
    public const int KeptHashes = 30;

    private static readonly IReadOnlySet<int> Nobody = ImmutableHashSet<int>.Empty;

    private readonly ChainState _state;
    private readonly List<Bytes32> _hashes; // newest last
    private PeerTestPlan? _plan;

    private ServiceNodeChain(ChainState state, IEnumerable<Bytes32> hashes) => (_state, _hashes) = (state, [.. hashes]);

    /// <summary>The rules.</summary>
    public ChainRules Rules => _state.Rules;

    /// <summary>Height of the top block.</summary>
    public long Height => _state.Height;

    /// <summary>Hash of the top block.</summary>
    public Bytes32 Hash => _hashes[^1];

    /// <summary>All registered nodes in ascending order of index.</summary>
    public ImmutableArray<ServiceNodeRecord> Nodes => [.. _state.Nodes.All.Select(node => ServiceNodeRecord.Of(node, Rules, Height))];

    /// <summary>Indices of the active nodes in the order in which they are rewarded.</summary>
    public ImmutableArray<int> RewardQueue => [.. _state.RewardQueue.InOrder.Select(node => node.Index)];

    /// <summary>Ids of the swarms, ascending.</summary>
    public ImmutableArray<SwarmId> Swarms => [.. _state.Swarms.Members.Keys];

    /// <summary>Where all coins are.</summary>
    public LedgerTotals Totals => _state.Ledger.Totals;

    /// <summary>Stakes of deregistered nodes, the first to be released first.</summary>
    public ImmutableArray<LockedStake> LockedStakes => [.. _state.Ledger.Locked];

    internal ChainState State => _state;

    internal IReadOnlyList<Bytes32> RecentHashes => _hashes;

    /// <summary>A new chain.</summary>
    /// <exception cref="ArgumentException">The rules are out of range, or an operation of the genesis can't be done; the message says why.</exception>
    public static ServiceNodeChain Create(ChainRules rules, ChainGenesis genesis)
    {
        ArgumentNullException.ThrowIfNull(rules);
        ArgumentNullException.ThrowIfNull(genesis);
        rules.Validate();
        ArgumentOutOfRangeException.ThrowIfNegative(genesis.Height);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(genesis.Height, ChainGenesis.MaxHeight);
        ThrowIfAnyNull(genesis.Operations);

        var state = new ChainState(rules, new()) { Height = genesis.Height };
        for (var i = 0; i < genesis.Operations.Count; i++)
        {
            if (OperationProcessor.Apply(state, genesis.Operations[i], i) is { } reason)
                throw new ArgumentException($"Operation {i} of the genesis can't be done: {reason}.", nameof(genesis));
        }

        var chain = new ServiceNodeChain(state, [genesis.Hash]);
        chain.UpdateSwarms();
        return chain;
    }

    /// <summary>Continues as the chain would have that made the snapshot.</summary>
    /// <exception cref="ArgumentException">The snapshot contradicts itself; the message says where.</exception>
    public static ServiceNodeChain Restore(ChainSnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        var (state, hashes) = SnapshotReader.Read(snapshot);
        return new(state, hashes);
    }

    /// <summary>The whole state.</summary>
    public ChainSnapshot TakeSnapshot() => SnapshotWriter.Write(this);

    /// <summary>A registered node, or null.</summary>
    public ServiceNodeRecord? FindNode(int index) =>
        _state.Nodes.Find(index) is { } node ? ServiceNodeRecord.Of(node, Rules, Height) : null;

    /// <summary>What an account can spend, in atomic units.</summary>
    public long BalanceOf(WalletAddress wallet) => _state.Ledger.BalanceOf(wallet);

    /// <summary>Indices of a swarm's members in ascending order of primary key; empty if there is no such swarm.</summary>
    public ImmutableArray<int> MembersOf(SwarmId swarm) =>
        _state.Swarms.Members.TryGetValue(swarm, out var members) ? [.. members.Select(node => node.Index)] : [];

    /// <summary>What a tester remembers of a node that it found failing; null if its last test passed or there was none.</summary>
    public PeerFailure? FindFailure(int tester, int testee) =>
        _state.Nodes.Find(tester) is { } from && _state.Nodes.Find(testee) is { } to && from.Failures.TryGetValue(to.Slot, out var failure)
            ? failure : null;

    /// <summary>
    /// The reachability tests to be made while the top block is the top, in order of time (section 7). About twelve for each active node, and
    /// retests. The same until the next block, also after a restore.
    /// </summary>
    public ImmutableArray<PeerTest> PlanPeerTests() => Plan().Tests;

    /// <summary>
    /// The storage tests to be made while the top block is the top: one pair in each swarm of two or more (section 8). None while the chain is
    /// younger than the block whose hash chooses them.
    /// </summary>
    public ImmutableArray<StorageTest> PlanStorageTests() =>
        _hashes.Count > StorageTestPair.BlocksBelowTip ? _state.Swarms.PlanStorageTests(_hashes[^(StorageTestPair.BlocksBelowTip + 1)]) : [];

    /// <summary>
    /// Adds a block. In this order: locked stakes and unlocked nodes whose time has come, the reward, proofs and test results, operations,
    /// the quorum's votes, and the swarms if the active nodes are not the same as before.
    /// </summary>
    /// <exception cref="ArgumentException">The height does not follow, or a member of the input is null or out of range. Nothing has changed.</exception>
    public BlockResult AddBlock(BlockInput input)
    {
        Check(input);
        Plan().Finish();
        _plan = null;
        _state.Height = input.Height;
        _state.Events.Clear();

        foreach (var stake in _state.Ledger.Release(Height))
            _state.Events.Add(new StakeReleased(stake));
        NodeLifeCycle.LeaveUnlocked(_state);
        BlockReward.Pay(_state);

        foreach (var proof in input.UptimeProofs)
            ProofBook.Record(_state, proof);
        foreach (var result in input.PeerTestResults)
            Reachability.Record(_state.Nodes, result, Height - 1);
        foreach (var (testee, outcome) in input.StorageTestResults)
        {
            if (_state.Nodes.Find(testee) is { } node)
                node.StorageTests = node.StorageTests.With(outcome);
        }

        for (var i = 0; i < input.Operations.Count; i++)
        {
            if (OperationProcessor.Apply(_state, input.Operations[i], i) is { } reason)
                _state.Events.Add(new OperationRejected(i, input.Operations[i], reason));
        }

        var quorum = HoldVotes(input);
        _hashes.Add(input.Hash);
        if (_hashes.Count > KeptHashes)
            _hashes.RemoveAt(0);
        var changes = UpdateSwarms() ? BlockChanges.Swarms : BlockChanges.None;
        foreach (var @event in _state.Events)
            changes |= @event.Changes;
        return new(Height, [.. _state.Events], changes, quorum);
    }

    private PeerTestPlan Plan() => _plan ??= PeerTestPlan.Make(_state.Nodes, Rules, Height, Hash);

    private Quorum HoldVotes(BlockInput input)
    {
        // All examine the state before the votes, so that the order among the examined does not matter.
        var (validators, tested) = QuorumDraw.Draw(_state.Nodes, Rules, input.Hash);
        var silent = input.SilentNodes ?? Nobody;
        var quorum = new Quorum([.. validators.Select(node => node.Index)], [.. tested.Select(node => node.Index)]);
        foreach (var (node, ballot) in tested.Select(node => (node, Examination.Hold(node, validators, silent, Rules, Height))).ToList())
        {
            switch (ballot.Decision)
            {
                case Vote.Decommission:
                    NodeLifeCycle.Decommission(_state, node, byOperator: false, ballot.All, ballot.Any);
                    break;
                case Vote.Recommission:
                    NodeLifeCycle.Recommission(_state, node, byOperator: false);
                    break;
                case Vote.Deregister:
                    NodeLifeCycle.Deregister(_state, node, byOperator: false, ballot.All, ballot.Any);
                    break;
                default:
                    break;
            }
        }

        return quorum;
    }

    private bool UpdateSwarms()
    {
        if (!_state.Nodes.ActiveChanged)
            return false;
        _state.Nodes.AcceptActiveChanges();
        return _state.Swarms.Recompose(_state.Nodes, Hash, Rules.Swarms, _state.Events);
    }

    private void Check(BlockInput input)
    {
        ArgumentNullException.ThrowIfNull(input);
        if (input.Height != Height + 1)
            throw new ArgumentException($"The next block has height {Height + 1}, this one has {input.Height}.", nameof(input));
        ThrowIfAnyNull(input.Operations);
        ArgumentNullException.ThrowIfNull(input.PeerTestResults);
        ArgumentNullException.ThrowIfNull(input.UptimeProofs);
        ArgumentNullException.ThrowIfNull(input.StorageTestResults);
        foreach (var result in input.PeerTestResults)
        {
            if (result.Test.Tick is < 0 or >= PeerTest.TicksPerBlock)
                throw new ArgumentException($"A test's tick is 0 to {PeerTest.TicksPerBlock - 1}, this one's is {result.Test.Tick}.", nameof(input));
        }

        foreach (var proof in input.UptimeProofs)
        {
            if (proof.PublicIp is { Length: 0 or > UptimeProof.LongestIp })
                throw new ArgumentException($"An address has 1 to {UptimeProof.LongestIp} characters, node {proof.Node}'s does not.", nameof(input));
        }
    }

    private static void ThrowIfAnyNull(IReadOnlyList<ChainOperation> operations)
    {
        ArgumentNullException.ThrowIfNull(operations);
        if (operations.Contains(null))
            throw new ArgumentException("An operation is null.", nameof(operations));
    }
}
