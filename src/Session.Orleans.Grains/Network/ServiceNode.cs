using Session.Orleans.Protocol.Encodings;
using Session.Orleans.Protocol.Swarms;

namespace Session.Orleans.Grains.Network;

/// <summary>A service node as the view knows it: its record, its keys, its address and the grain that plays it.</summary>
public sealed class ServiceNode
{
    internal ServiceNode(NodeRecord record, Ed25519KeyPair keys, NetworkOptions options, IServiceNodeGrain grain)
    {
        Record = record;
        Keys = keys;
        Grain = grain;
        SwarmId = new(record.SwarmId);
        IpAddress = options.PublicIp;
        HttpsPort = options.NodePortBase + record.Index;
        OmqPort = options.NodePortBase + NetworkOptions.MaxNodes + record.Index;
        Address = Base32z.Encode(keys.PublicKey.AsSpan()) + ".snode";
        ShortId = keys.PublicKey.ToString()[..8];
        PingHeader = Convert.ToBase64String(keys.PublicKey.AsSpan());
    }

    /// <summary>The registry's record.</summary>
    public NodeRecord Record { get; }

    /// <summary>The node's key pair. New registrations have the legacy key equal to it and the X25519 key converted from it (network.md, 2).</summary>
    public Ed25519KeyPair Keys { get; }

    /// <summary>The grain that plays the node.</summary>
    public IServiceNodeGrain Grain { get; }

    /// <summary>Index from which the keys are derived.</summary>
    public int Index => Record.Index;

    /// <summary>Ed25519 public key: the node's address in onion requests.</summary>
    public Ed25519PublicKey PublicKey => Keys.PublicKey;

    /// <summary>First eight hex digits of the Ed25519 key, for logs and traces.</summary>
    public string ShortId { get; }

    /// <summary>Advertised IPv4 address.</summary>
    public string IpAddress { get; }

    /// <summary>Advertised HTTPS port.</summary>
    public int HttpsPort { get; }

    /// <summary>Advertised port for OxenMQ and QUIC.</summary>
    public int OmqPort { get; }

    /// <summary>base32z of the legacy key and <c>.snode</c>.</summary>
    public string Address { get; }

    /// <summary>The legacy key in base64, the answer to a ping test (storage-rpc.md, 14).</summary>
    public string PingHeader { get; }

    /// <summary>The node's swarm, or <see cref="SwarmId.Unassigned"/>.</summary>
    public SwarmId SwarmId { get; }

    /// <summary>True for funded nodes that are not decommissioned.</summary>
    public bool IsActive => Record.State is NodeState.Active;

    /// <summary>True for active nodes with a swarm.</summary>
    public bool IsInSwarm => IsActive && SwarmId != SwarmId.Unassigned;
}
