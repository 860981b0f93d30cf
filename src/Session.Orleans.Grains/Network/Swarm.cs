using System.Collections.Immutable;
using Session.Orleans.Protocol.StorageRpc;
using Session.Orleans.Protocol.Swarms;

namespace Session.Orleans.Grains.Network;

/// <summary>A swarm as the view knows it.</summary>
public sealed class Swarm
{
    internal Swarm(SwarmId id, ImmutableArray<ServiceNode> members)
    {
        Id = id;
        Members = members;
        SnodesJson = StorageReplies.RenderNodes([.. members.Select(node => new SwarmNode(
            node.Address, node.IpAddress, node.HttpsPort, node.OmqPort, node.PublicKey.Value, node.PublicKey, node.Keys.X25519.PublicKey))]);
    }

    /// <summary>Place on the ring.</summary>
    public SwarmId Id { get; }

    /// <summary>The members, in ascending order of their Ed25519 keys.</summary>
    public ImmutableArray<ServiceNode> Members { get; }

    /// <summary>The <c>snodes</c> list of <c>get_swarm</c> and of a 421 (storage-rpc.md, 13), rendered once: it changes only with the network.</summary>
    public ReadOnlyMemory<byte> SnodesJson { get; }
}
