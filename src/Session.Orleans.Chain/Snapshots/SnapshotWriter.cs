using Session.Orleans.Chain.Nodes;

namespace Session.Orleans.Chain.Snapshots;

/// <summary>Copies a chain's state into plain values.</summary>
internal static class SnapshotWriter
{
    public static ChainSnapshot Write(ServiceNodeChain chain)
    {
        var ledger = chain.State.Ledger;
        return new()
        {
            Rules = chain.Rules,
            Height = chain.Height,
            Hashes = [.. chain.RecentHashes.Select(hash => hash.ToString())],
            SlotCount = chain.State.Nodes.SlotCount,
            Nodes = [.. chain.State.Nodes.All.Select(Write)],
            Ledger = new()
            {
                Minted = ledger.Totals.Minted,
                Balances = ledger.Balances.ToImmutableSortedDictionary(pair => pair.Key.ToString(), pair => pair.Value, StringComparer.Ordinal),
                Locked = [.. ledger.Locked.Select(stake => new LockedStakeSnapshot(
                    stake.Wallet.ToString(), stake.Amount, stake.ReleaseHeight, stake.Node))],
            },
        };
    }

    private static NodeSnapshot Write(Node node) => new()
    {
        Index = node.Index,
        PublicKey = node.PublicKey.ToString(),
        Slot = node.Slot,
        Status = node.Status,
        RegistrationHeight = node.RegistrationHeight,
        StateHeight = node.StateHeight,
        CreditAtState = node.CreditAtState,
        RequestedUnlockHeight = node.RequestedUnlockHeight > 0 ? node.RequestedUnlockHeight : null,
        RewardPlace = node.RewardPlace,
        Decommission = node.DecommissionCount > 0 ? new(node.DecommissionCount, node.ReasonsAll, node.ReasonsAny, node.Held) : null,
        LastProofHeight = node.LastProofHeight,
        PublicIp = node.PublicIp,
        Swarm = node.Swarm != SwarmId.Unassigned ? node.Swarm.Value : null,
        OperatorFee = node.OperatorFee,
        Contributions = [.. node.Contributions.Select(part => new ContributionSnapshot(part.Wallet.ToString(), part.Amount))],
        Round = node.Round.Bits > 0 ? node.Round : null,
        Failures = node.Failures.Count > 0 ? [.. node.Failures.Select(pair => new FailureSnapshot(pair.Key, pair.Value))] : null,
        StorageTests = node.StorageTests != default ? node.StorageTests : null,
    };
}
