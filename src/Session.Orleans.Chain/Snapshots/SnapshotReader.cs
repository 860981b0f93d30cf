using Session.Orleans.Chain.Accounts;
using Session.Orleans.Chain.Nodes;
using Session.Orleans.Chain.Operations;
using Session.Orleans.Chain.PeerTests;

namespace Session.Orleans.Chain.Snapshots;

/// <summary>Builds a chain's state from plain values, and does not believe them blindly: they come from a store.</summary>
internal static class SnapshotReader
{
    private const int MostSlotBits = 24;

    public static (ChainState State, IReadOnlyList<Bytes32> Hashes) Read(ChainSnapshot snapshot)
    {
        Require(snapshot.Format == ChainSnapshot.CurrentFormat, $"its format is {snapshot.Format}, this version reads {ChainSnapshot.CurrentFormat}");
        snapshot.Rules.Validate();
        Require(snapshot.Height is >= 0 and < long.MaxValue / 4, $"its height is {snapshot.Height}");
        Require(!snapshot.Hashes.IsDefaultOrEmpty && snapshot.Hashes.Length <= ServiceNodeChain.KeptHashes, "its hashes are missing or too many");
        Require(snapshot.SlotCount is >= 0 and <= 1 << MostSlotBits, $"it has {snapshot.SlotCount} slots");
        Require(!snapshot.Nodes.IsDefault && !snapshot.Ledger.Locked.IsDefault, "a list is missing");

        List<Node> nodes = [.. snapshot.Nodes.Select(node => Read(node, snapshot))];
        Int128 stakes = 0;
        foreach (var part in nodes.SelectMany(node => node.Contributions))
            stakes += part.Amount;
        Require(stakes <= long.MaxValue, "the stakes are more than a ledger can count");
        var ledger = new Ledger(
            snapshot.Ledger.Minted,
            snapshot.Ledger.Balances.Select(pair => KeyValuePair.Create(Wallet(pair.Key), pair.Value)),
            snapshot.Ledger.Locked.Select(stake => new LockedStake(Wallet(stake.Wallet), stake.Amount, stake.ReleaseHeight, stake.Node)),
            (long)stakes);

        var state = new ChainState(snapshot.Rules, ledger) { Height = snapshot.Height };
        state.Nodes.Restore(nodes, snapshot.SlotCount);
        foreach (var node in nodes)
        {
            if (node.Status is NodeStatus.Active)
                state.RewardQueue.Add(node);
            if (node.RequestedUnlockHeight > 0)
                _ = state.Unlocks.Add((node.RequestedUnlockHeight, node.Slot));
            Require(node.Failures.Keys.All(slot => slot != node.Slot && state.Nodes.InSlot(slot) is { IsFunded: true }),
                $"node {node.Index} failed to reach a node that is not there");
        }

        state.Swarms.Restore(state.Nodes);
        return (state, [.. snapshot.Hashes.Select(Hash)]);
    }

    private static Node Read(NodeSnapshot snapshot, ChainSnapshot chain)
    {
        var name = $"node {snapshot.Index}";
        Require(snapshot.Index >= 0 && Enum.IsDefined(snapshot.Status), $"number or status of {name} is out of range");
        Require(Ed25519PublicKey.TryParseHex(snapshot.PublicKey, out var key), $"the key of {name} is no key");
        Require(snapshot.StateHeight <= chain.Height && snapshot.RegistrationHeight <= snapshot.StateHeight, $"the heights of {name} lie in the future");
        Require(!snapshot.Contributions.IsDefaultOrEmpty && snapshot.Contributions.All(part => part.Amount > 0), $"the stakes of {name} are not positive");
        Require(snapshot.OperatorFee is >= 0 and <= Register.WholeFee, $"the fee of {name} is out of range");
        Require(snapshot.LastProofHeight is null or >= 0 && !(snapshot.LastProofHeight > chain.Height), $"the last proof of {name} lies in the future");
        Require(snapshot.Round is not { } round || (round.Bits is > 0 and <= MostSlotBits && round.Position >= 0 && round.Position <= 1 << round.Bits
            && round.DueTick >= 0), $"the test round of {name} is out of range");

        // Stakes add up to the requirement exactly when the node is funded; a rule changed by hand would break that.
        var funded = snapshot.Contributions.Aggregate((Int128)0, (sum, part) => sum + part.Amount) == chain.Rules.StakingRequirement;
        Require(funded == snapshot.Status is not NodeStatus.Awaiting, $"{name} is {snapshot.Status}, which does not fit its stake");

        var node = new Node
        {
            Index = snapshot.Index,
            PublicKey = key,
            Slot = snapshot.Slot,
            Status = snapshot.Status,
            Operator = Wallet(snapshot.Contributions[0].Wallet),
            OperatorFee = snapshot.OperatorFee,
            Contributions = [.. snapshot.Contributions.Select(part => new Contribution(Wallet(part.Wallet), part.Amount))],
            RegistrationHeight = snapshot.RegistrationHeight,
            StateHeight = snapshot.StateHeight,
            CreditAtState = snapshot.CreditAtState,
            RequestedUnlockHeight = snapshot.RequestedUnlockHeight ?? 0,
            RewardPlace = snapshot.RewardPlace,
            DecommissionCount = snapshot.Decommission?.Count ?? 0,
            ReasonsAll = snapshot.Decommission?.All ?? DecommissionReasons.None,
            ReasonsAny = snapshot.Decommission?.Any ?? DecommissionReasons.None,
            Held = snapshot.Decommission?.Held ?? false,
            LastProofHeight = snapshot.LastProofHeight,
            PublicIp = snapshot.PublicIp,
            Swarm = snapshot.Swarm is { } swarm ? new(swarm) : SwarmId.Unassigned,
            Round = snapshot.Round ?? default,
            StorageTests = snapshot.StorageTests ?? default,
        };
        foreach (var (slot, failure) in snapshot.Failures ?? [])
        {
            Require(failure.FirstHeight >= 0 && failure.LastHeight >= failure.FirstHeight && failure.LastHeight <= chain.Height && failure.Count > 0
                && failure.LastTick is >= 0 and < PeerTest.TicksPerBlock, $"a failure that {name} found is out of range");
            Require(node.Failures.TryAdd(slot, failure), $"{name} failed to reach the same node twice");
        }

        return node;
    }

    private static WalletAddress Wallet(string text) =>
        WalletAddress.TryParse(text, out var wallet) ? wallet : throw Damaged($"'{text}' is no wallet address");

    private static Bytes32 Hash(string hex) =>
        Bytes32.TryParseHex(hex, out var hash) ? hash : throw Damaged($"'{hex}' is no block hash");

    private static void Require(bool condition, string problem)
    {
        if (!condition)
            throw Damaged(problem);
    }

    private static ArgumentException Damaged(string problem) => new($"The snapshot is damaged: {problem}.");
}
