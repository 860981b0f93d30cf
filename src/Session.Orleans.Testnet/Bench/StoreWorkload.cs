using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Testnet.Bench;

/// <summary>Stores a new message of 1 KiB in namespace 0, which anybody may write to.</summary>
internal sealed class StoreWorkload : Workload
{
    /// <summary>Size of a message before base64.</summary>
    public const int MessageLength = 1024;

    // One reply in so many has all its signatures verified; every reply has everything else checked.
    private const int VerifyEvery = 16;
    private const long TtlMs = 24 * 60 * 60 * 1000;

    private readonly ImmutableArray<ImmutableArray<AccountId>> _accounts;
    private readonly OnionCipher _cipher;
    private readonly bool _isDirect;
    private int _next;
    private int _checked;

    public StoreWorkload(NetworkMap map, OnionCipher cipher)
        : base(map, seed: 2)
    {
        _cipher = cipher;
        var key = new byte[Bytes32.Length];
        _accounts = SpreadOverSwarms(
            () =>
            {
                Random.NextBytes(key);
                return new AccountId(AccountId.SessionPrefix, new Bytes32(key));
            },
            account => account);
    }

    /// <summary>Stores to these mailboxes, straight to a member of their swarm.</summary>
    /// <param name="map">The network.</param>
    /// <param name="accounts">Accounts of each swarm, at least one.</param>
    /// <param name="seed">Of the messages: with the same one they are the same, and a second store of a message is no store.</param>
    public StoreWorkload(NetworkMap map, ImmutableArray<ImmutableArray<AccountId>> accounts, int seed)
        : base(map, seed) =>
        (_accounts, _isDirect) = (accounts, true);

    public override string Name => _isDirect ? "direct store" : "store";

    public override BenchRequest Build(int worker, long nowMs)
    {
        var swarm = _next++ % _accounts.Length;
        var request = CreateRequest(swarm, nowMs);
        if (_isDirect)
        {
            var members = Map.Swarms[swarm].Members;
            return new(members[worker % members.Length].StorageRpcUrl, StorageRequestWriter.ToArray(request)) { Swarm = Map.Swarms[swarm], ExpectedHash = request.ComputeHash() };
        }

        var guard = Map.GuardOf(worker);
        var onion = OnionRequestBuilder.BuildToNode(
            Map.ChoosePath(guard, Map.Swarms[swarm], Random), _cipher, StorageRequestWriter.ToArray(request));
        return new(guard.OnionUrl, onion.HttpBody) { Onion = onion, Swarm = Map.Swarms[swarm], ExpectedHash = request.ComputeHash() };
    }

    public override ServerFloor CreateFloor(int replyLength) => new(
        _cipher, StorageRequestWriter.ToArray(CreateRequest(swarm: 0, nowMs: 1_700_000_000_000)), replyLength, verifies: false,
        signatures: (int)Math.Round(Map.AverageSwarmSize), hashedLength: MessageLength);

    protected override string? CheckReply(BenchRequest request, JsonElement reply)
    {
        var expected = request.ExpectedHash.ToString();
        if (reply.GetProperty("hash").GetString() != expected)
            return "the hash is not the message's";
        var members = reply.GetProperty("swarm");
        var verify = _checked++ % VerifyEvery == 0;
        var signed = Encoding.ASCII.GetBytes(expected);
        foreach (var member in request.Swarm.Members)
        {
            if (!members.TryGetProperty(member.Hop.Ed25519.ToString(), out var entry) || !entry.TryGetProperty("signature", out var signature))
                return $"node {member.Index} did not confirm the message";
            if (entry.GetProperty("hash").GetString() != expected)
                return $"node {member.Index} confirmed another message";
            if (verify && !Ed25519.Verify(member.Hop.Ed25519.AsSpan(), signed, signature.GetBytesFromBase64()))
                return $"the signature of node {member.Index} is wrong";
        }

        return members.EnumerateObject().Count() == request.Swarm.Members.Length ? null : "the swarm has more members than the network says";
    }

    private StoreRequest CreateRequest(int swarm, long nowMs)
    {
        var data = new byte[MessageLength];
        Random.NextBytes(data);
        var account = _accounts[swarm][Random.Next(_accounts[swarm].Length)];
        return new() { Account = account, Timestamp = nowMs, Expiry = nowMs + TtlMs, Data = data };
    }
}
