using System.Collections.Immutable;
using System.Text.Json;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Testnet.Bench;

/// <summary>An authenticated poll that finds nothing: what a network of idle clients does all day.</summary>
internal class PollWorkload : Workload
{
    private readonly ImmutableArray<ImmutableArray<Ed25519KeyPair>> _accounts;
    private readonly OnionCipher _cipher;
    private int _next;

    public PollWorkload(NetworkMap map, OnionCipher cipher, int seed = 1)
        : base(map, seed)
    {
        _cipher = cipher;
        var keySeed = new byte[32];
        _accounts = SpreadOverSwarms(
            () =>
            {
                Random.NextBytes(keySeed);
                return new Ed25519KeyPair(keySeed);
            },
            keys => keys.SessionId);
    }

    public override string Name => "poll";

    public override BenchRequest Build(int worker, long nowMs)
    {
        var swarm = _next++ % _accounts.Length;
        var body = WriteRequest(swarm, nowMs);
        var guard = Map.GuardOf(worker);
        var onion = OnionRequestBuilder.BuildToNode(Map.ChoosePath(guard, Map.Swarms[swarm], Random), _cipher, body);
        return new(guard.OnionUrl, onion.HttpBody) { Onion = onion, Swarm = Map.Swarms[swarm] };
    }

    public override ServerFloor CreateFloor(int replyLength) =>
        new(_cipher, WriteRequest(swarm: 0, nowMs: 1_700_000_000_000), replyLength, verifies: true, signatures: 0, hashedLength: 0);

    protected byte[] WriteRequest(int swarm, long nowMs)
    {
        var account = _accounts[swarm][Random.Next(_accounts[swarm].Length)];
        return StorageRequestWriter.ToArray(new RetrieveRequest { Account = account.SessionId, Timestamp = nowMs }.SignWith(account));
    }

    protected override string? CheckReply(BenchRequest request, JsonElement reply) =>
        reply.GetProperty("messages").GetArrayLength() == 0 ? null : "an empty mailbox returned messages";
}
