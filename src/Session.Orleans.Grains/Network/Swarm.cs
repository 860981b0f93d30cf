using System.Collections.Immutable;
using Session.Orleans.Protocol.StorageRpc;
using Session.Orleans.Protocol.Swarms;

namespace Session.Orleans.Grains.Network;

/// <summary>A swarm as the view knows it.</summary>
public sealed class Swarm
{
    private readonly SwarmMember[]?[] _undisturbed;

    internal Swarm(SwarmId id, ImmutableArray<ServiceNode> members)
    {
        _undisturbed = new SwarmMember[]?[members.Length];
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

    /// <summary>The members as a reply of <paramref name="self"/> lists them if all of them did what they were asked; not to be changed.</summary>
    internal SwarmMember[] Undisturbed(ServiceNode self)
    {
        var index = Members.IndexOf(self);
        if (index < 0)
            return List(self);
        return _undisturbed[index] ??= List(self);
    }

    private SwarmMember[] List(ServiceNode self)
    {
        var members = new SwarmMember[Members.Length];
        for (var i = 0; i < members.Length; i++)
            members[i] = new(Members[i].Keys, ReferenceEquals(Members[i], self));
        return members;
    }
}
