namespace Session.Orleans.Chain.Snapshots;

/// <summary>All coins but those in the stakes of registered nodes.</summary>
public sealed record LedgerSnapshot
{
    /// <summary>Everything ever minted, in atomic units.</summary>
    public required long Minted { get; init; }

    /// <summary>Atomic units by wallet address, only accounts that have some.</summary>
    public required ImmutableSortedDictionary<string, long> Balances { get; init; }

    /// <summary>In order of release.</summary>
    public required ImmutableArray<LockedStakeSnapshot> Locked { get; init; }
}

/// <summary>A stake of a deregistered node.</summary>
/// <param name="Wallet">Account to which it returns.</param>
/// <param name="Amount">Atomic units.</param>
/// <param name="ReleaseHeight">Height that returns it.</param>
/// <param name="Node">Index of the node.</param>
public sealed record LockedStakeSnapshot(string Wallet, long Amount, long ReleaseHeight, int Node);
