namespace Session.Orleans.Grains.Network;

/// <summary>What the network grain persists.</summary>
[GenerateSerializer, Alias("session.NetworkGrainState")]
public sealed class NetworkGrainState
{
    /// <summary>Fingerprint of the secret the nodes were derived from; empty before the first configuration.</summary>
    [Id(0)]
    public string SecretFingerprint { get; set; } = "";

    /// <summary>Version of the state, see <see cref="NetworkState.Version"/>.</summary>
    [Id(1)]
    public long Version { get; set; }

    /// <summary>Version of the node table.</summary>
    [Id(2)]
    public long TableVersion { get; set; }

    /// <summary>Height of the top block.</summary>
    [Id(3)]
    public long Height { get; set; }

    /// <summary>The plan in force; null before the first configuration.</summary>
    [Id(4)]
    public NetworkPlan? Plan { get; set; }

    /// <summary>All registered nodes in ascending order of their index.</summary>
    [Id(5)]
    public NodeRecord[] Nodes { get; set; } = [];

    /// <summary>What is made to go wrong.</summary>
    [Id(6)]
    public Fault[] Faults { get; set; } = [];

    /// <summary>Number of the latest fault, from which its id is made.</summary>
    [Id(7)]
    public long LastFault { get; set; }

    /// <summary>Nodes that have not caught up with their swarms.</summary>
    [Id(8)]
    public NodeLag[] Lagging { get; set; } = [];

    /// <summary>The chain, as JSON; null before the first configuration.</summary>
    [Id(9)]
    public byte[]? Chain { get; set; }

    /// <summary>True while no block comes by itself.</summary>
    [Id(10)]
    public bool IsPaused { get; set; }

    /// <summary>How often the mailboxes in the store were replaced.</summary>
    [Id(11)]
    public long StoreEpoch { get; set; }

    /// <summary>Labels of nodes, in ascending order of node and label.</summary>
    [Id(12)]
    public NodeLabel[] Labels { get; set; } = [];

    /// <summary>True once the network has been configured.</summary>
    public bool IsConfigured => Plan is not null;
}
