using Session.Orleans.Chain.Blocks;

namespace Session.Orleans.Chain.Nodes;

/// <summary>Changes of state of a node with everything that belongs to them (network.md, 6). The caller has checked that they may happen.</summary>
internal static class NodeLifeCycle
{
    /// <summary>Stake complete.</summary>
    /// <param name="chain">The chain.</param>
    /// <param name="node">An awaiting node.</param>
    /// <param name="operation">Position of the operation that completed it, which is its place among the newcomers of the block.</param>
    public static void Activate(ChainState chain, Node node, int operation)
    {
        Enter(chain, node, NodeStatus.Active, Math.Min(chain.Rules.CreditStart, chain.Rules.CreditCap));
        node.RewardPlace = new(chain.Height, (uint)operation);
        chain.RewardQueue.Add(node);
        chain.Events.Add(new NodeActivated(node.Index));
    }

    /// <summary>An active node leaves its swarm and the reward queue; its credit begins to fall.</summary>
    public static void Decommission(
        ChainState chain, Node node, bool byOperator, DecommissionReasons all = DecommissionReasons.None, DecommissionReasons any = DecommissionReasons.None)
    {
        chain.RewardQueue.Remove(node);
        Enter(chain, node, NodeStatus.Decommissioned, node.CreditAt(chain.Rules, chain.Height));
        node.Swarm = SwarmId.Unassigned;
        node.Held = byOperator;
        node.DecommissionCount++;
        (node.ReasonsAll, node.ReasonsAny) = (all, any);
        // It tests no more. What it found would be out of date when it is back.
        node.Failures.Clear();
        chain.Events.Add(new NodeDecommissioned(node.Index, byOperator, all, any, node.CreditAtState));
    }

    /// <summary>A decommissioned node is active again, at the end of the reward queue.</summary>
    public static void Recommission(ChainState chain, Node node, bool byOperator)
    {
        var credit = DowntimeCredit.AtRecommission(chain.Rules, node.CreditAtState, chain.Height - node.StateHeight);
        Enter(chain, node, NodeStatus.Active, credit);
        node.Held = false;
        node.RewardPlace = new(chain.Height, RewardPlace.AtEnd);
        chain.RewardQueue.Add(node);
        chain.Events.Add(new NodeRecommissioned(node.Index, byOperator, credit));
    }

    /// <summary>A funded node is removed and its stake locked.</summary>
    public static void Deregister(
        ChainState chain, Node node, bool byOperator, DecommissionReasons all = DecommissionReasons.None, DecommissionReasons any = DecommissionReasons.None)
    {
        var release = chain.Height + chain.Rules.DeregistrationLock;
        Remove(chain, node);
        chain.Ledger.Lock(node.Contributions, release, node.Index);
        chain.Events.Add(new NodeDeregistered(node.Index, byOperator, all, any, release));
    }

    /// <summary>A node leaves and its stake returns at once.</summary>
    public static void Leave(ChainState chain, Node node)
    {
        Remove(chain, node);
        chain.Ledger.Return(node.Contributions);
        chain.Events.Add(new NodeLeft(node.Index));
    }

    /// <summary>Lets the nodes go whose unlock height has come.</summary>
    public static void LeaveUnlocked(ChainState chain)
    {
        while (chain.Unlocks.Count > 0 && chain.Unlocks.Min.Height <= chain.Height)
            Leave(chain, chain.Nodes.InSlot(chain.Unlocks.Min.Slot)!);
    }

    private static void Enter(ChainState chain, Node node, NodeStatus status, long credit)
    {
        chain.Nodes.SetStatus(node, status);
        (node.StateHeight, node.CreditAtState) = (chain.Height, credit);
    }

    private static void Remove(ChainState chain, Node node)
    {
        chain.RewardQueue.Remove(node);
        if (node.RequestedUnlockHeight > 0)
            _ = chain.Unlocks.Remove((node.RequestedUnlockHeight, node.Slot));
        chain.Nodes.Remove(node);
    }
}
