using System.Collections.Immutable;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.Testnet.Bench;

/// <summary>The same poll without an onion, straight to a member of the account's swarm.</summary>
internal sealed class DirectPollWorkload : PollWorkload
{
    private readonly ImmutableArray<(BenchNode Node, int Swarm)> _members;

    public DirectPollWorkload(NetworkMap map)
        : base(map, OnionCipher.XChaCha20, seed: 3) =>
        _members = [.. map.Swarms.SelectMany((swarm, index) => swarm.Members.Select(member => (member, index)))];

    public override string Name => "direct-poll";

    public override BenchRequest Build(int worker, long nowMs)
    {
        // A worker keeps its node, as it keeps its guard elsewhere: one connection, and accounts of that node's swarm.
        var (node, swarm) = _members[worker % _members.Length];
        return new(node.StorageRpcUrl, WriteRequest(swarm, nowMs)) { Swarm = Map.Swarms[swarm] };
    }

    public override ServerFloor CreateFloor(int replyLength) =>
        new(OnionCipher.XChaCha20, onion: default, replyLength, verifies: true, signatures: 0, hashedLength: 0);
}
