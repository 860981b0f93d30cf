using System.Collections.Immutable;
using Session.Orleans.Chain;
using Session.Orleans.Chain.Accounts;
using Session.Orleans.Chain.Blocks;
using Session.Orleans.Chain.Operations;
using Session.Orleans.Chain.PeerTests;
using Session.Orleans.Chain.Snapshots;
using Session.Orleans.Chain.StorageTests;
using Session.Orleans.Protocol.Swarms;

namespace Session.Orleans.Grains.Network;

/// <summary>
/// The chain of this network: its nodes are virtual, so what they would do by themselves (send proofs, test each other) is done here, with the
/// outcome that the faults in force give it.
/// </summary>
internal sealed class NetworkChain
{
    /// <summary>Who stakes for all nodes of the network.</summary>
    public static readonly WalletAddress Operator = new("operator");

    // A ping counts as failed after this time (network.md, 7).
    private static readonly TimeSpan PingLimit = TimeSpan.FromSeconds(5);

    private readonly ServiceNodeChain _chain;
    private readonly NetworkKeys _keys;

    private NetworkChain(ServiceNodeChain chain, NetworkKeys keys) => (_chain, _keys) = (chain, keys);

    public long Height => _chain.Height;

    public LedgerState Ledger => new(_chain.Totals.Minted, _chain.Totals.Balances, _chain.Totals.Stakes, _chain.Totals.Locked);

    /// <summary>True if the operator has this many atomic units.</summary>
    public bool CanPay(long amount) => _chain.BalanceOf(Operator) >= amount;

    /// <summary>A new chain with nodes 0 to <c>plan.Nodes</c> - 1, all of them active.</summary>
    public static NetworkChain Create(NetworkPlan plan, long height, NetworkKeys keys)
    {
        var rules = RulesOf(plan);
        return new(ServiceNodeChain.Create(rules, new(height, new(keys.BlockHash(height)))
        {
            Operations = [.. Enumerable.Range(0, plan.Nodes).SelectMany(index => Registration(index, rules, keys))],
        }), keys);
    }

    /// <summary>The chain that <see cref="Save"/> wrote, under the rules of <paramref name="plan"/>.</summary>
    public static NetworkChain Restore(byte[] saved, NetworkPlan plan, NetworkKeys keys) =>
        new(ServiceNodeChain.Restore(ChainSnapshot.FromJson(saved) with { Rules = RulesOf(plan) }), keys);

    public byte[] Save() => _chain.TakeSnapshot().ToJson();

    /// <summary>The operations that bring the registry to nodes 0 to <paramref name="count"/> - 1.</summary>
    public ImmutableArray<ChainOperation> Resize(int count)
    {
        var known = _chain.Nodes.Select(node => node.Index).ToHashSet();
        return
        [
            .. known.Where(index => index >= count).Order().Select(index => new Deregister(index)),
            .. Enumerable.Range(0, count).Where(index => !known.Contains(index)).SelectMany(index => Registration(index, _chain.Rules, _keys)),
        ];
    }

    /// <summary>The operations that carry out an order.</summary>
    public ImmutableArray<ChainOperation> Order(NodeOrderKind order, int node) => order switch
    {
        NodeOrderKind.Register => Registration(node, _chain.Rules, _keys),
        NodeOrderKind.Decommission => [new Decommission(node)],
        NodeOrderKind.Recommission => [new Recommission(node)],
        NodeOrderKind.Deregister => [new Deregister(node)],
        NodeOrderKind.Leave => [new RequestUnlock(node, Operator)],
        _ => throw new NetworkOrderException($"There is no order {order}."),
    };

    /// <summary>Adds the next block.</summary>
    public BlockResult AddBlock(IReadOnlyList<ChainOperation> operations, FaultTable? faults, string publicIp)
    {
        var height = _chain.Height + 1;
        bool IsDown(int node) => faults?.At(node) is { CutsOff: true };
        var funded = _chain.Nodes.Where(node => node.IsFunded).Select(node => node.Index).ToArray();
        return _chain.AddBlock(new(height, new(_keys.BlockHash(height)))
        {
            Operations = operations,
            UptimeProofs = [.. funded.Where(node => _chain.Rules.IsProofDue(node, height) && !IsDown(node)).Select(node => new UptimeProof(node, publicIp))],
            SilentNodes = faults is null ? null : funded.Where(IsDown).ToHashSet(),
            PeerTestResults = [.. Ping(faults, IsDown)],
            StorageTestResults = [.. _chain.PlanStorageTests().Where(test => !IsDown(test.Tester)).Select(test => new StorageTestResult(test.Testee, Examine(faults, test)))],
        });
    }

    public NodeRecord[] Nodes() =>
        [.. _chain.Nodes.Select(node => new NodeRecord(
            node.Index, node.PublicKey.ToString(), (NodeState)node.Status, node.SwarmId.Value, node.RegistrationHeight, node.StateHeight))];

    public ImmutableArray<NodeLife> Lives(FaultTable? faults)
    {
        var nodes = _chain.Nodes;
        return
        [
            .. nodes.Select(node => new NodeLife(
                node.Index, node.RequestedUnlockHeight, node.EarnedDowntimeBlocks, node.DecommissionCount, (int)node.LastDecommissionReasonsAll,
                (int)node.LastDecommissionReasonsAny, node.RewardPlace.Height, node.RewardPlace.TransactionIndex, node.LastProofHeight,
                FailingSince(node.Index), node.TotalContributed)),
        ];

        // Without faults nobody fails for long, and asking every pair costs the square of the nodes.
        long? FailingSince(int testee) => faults is null || !faults.Mentions(testee) ? null
            : nodes.Select(tester => _chain.FindFailure(tester.Index, testee)?.FirstHeight).Min();
    }

    /// <summary>The tests that were due since the last block. Passed ones are told only where a failure was known.</summary>
    private IEnumerable<PeerTestResult> Ping(FaultTable? faults, Func<int, bool> isDown)
    {
        foreach (var test in _chain.PlanPeerTests())
        {
            if (faults is null)
            {
                if (test.IsRetest)
                    yield return new(test, Passed: true);
                continue;
            }

            if (isDown(test.Tester))
                continue; // a node that is down tests nobody
            var arrival = faults.Arrive(test.Tester, test.Testee, bytes: 0);
            var passed = arrival.Arrives && arrival.Delay <= PingLimit && faults.At(test.Testee)?.Strikes(FaultKind.CorruptReply) is not true;
            if (!passed || test.IsRetest)
                yield return new(test, passed);
        }
    }

    private static StorageTestOutcome Examine(FaultTable? faults, StorageTest test)
    {
        if (faults is null)
            return StorageTestOutcome.Ok;
        if (!faults.Arrive(test.Tester, test.Testee, bytes: 0).Arrives)
            return StorageTestOutcome.Other;
        return faults.At(test.Testee)?.Strikes(FaultKind.CorruptReply) is true ? StorageTestOutcome.Mismatch : StorageTestOutcome.Ok;
    }

    private static ImmutableArray<ChainOperation> Registration(int index, ChainRules rules, NetworkKeys keys) =>
    [
        new Mint(Operator, rules.StakingRequirement),
        new Register(index, keys.ForNode(index).PublicKey, [new(Operator, rules.StakingRequirement)]),
    ];

    // The real network's minimum is two below its ideal size.
    private static ChainRules RulesOf(NetworkPlan plan) => ChainRules.ForTestnet(
        plan.ChainSpeed, SwarmRules.Network with { Ideal = plan.SwarmSize, Minimum = Math.Max(1, plan.SwarmSize - 2) });
}
