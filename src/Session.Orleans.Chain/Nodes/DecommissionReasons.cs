namespace Session.Orleans.Chain.Nodes;

/// <summary>
/// Why validators voted a node out: the bits of <c>last_decommission_reason_consensus_all</c> and <c>_any</c> (network.md, 2). The chain
/// itself finds <see cref="UptimeProof"/> and <see cref="StorageUnreachable"/>; the others stand for duties that do not exist here.
/// </summary>
[Flags]
public enum DecommissionReasons
{
    /// <summary>None, as after a decommission by an operator.</summary>
    None = 0,

    /// <summary>The last uptime proof is too old.</summary>
    UptimeProof = 0x01,

    /// <summary>Checkpoint votes missed.</summary>
    Checkpoints = 0x02,

    /// <summary>Pulse blocks missed.</summary>
    Pulse = 0x04,

    /// <summary>The storage server was unreachable for too long.</summary>
    StorageUnreachable = 0x08,

    /// <summary>Time checks unanswered.</summary>
    TimeCheck = 0x10,

    /// <summary>The clock is off.</summary>
    Clock = 0x20,

    /// <summary>The router was unreachable for too long.</summary>
    RouterUnreachable = 0x40,
}
