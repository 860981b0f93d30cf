using System.Collections.Immutable;
using System.Text.Json;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Testnet.Bench;

/// <summary>Authenticated polls of filled mailboxes, one after another, by a client that has seen all but their latest messages.</summary>
/// <param name="map">The network.</param>
/// <param name="mailboxes">The mailboxes, in the order of the polls; after the last one comes the first again.</param>
/// <param name="unseen">How many messages each poll finds.</param>
/// <param name="isDirect">Straight to a member of the swarm, without hops.</param>
internal sealed class MailboxPollWorkload(NetworkMap map, ImmutableArray<BenchMailbox> mailboxes, int unseen, bool isDirect) : Workload(map, seed: 4)
{
    private int _next;

    public override string Name => isDirect ? "direct poll" : "poll";

    public override BenchRequest Build(int worker, long nowMs)
    {
        var mailbox = mailboxes[_next++ % mailboxes.Length];
        var swarm = Map.Swarms[mailbox.Swarm];
        var seen = mailbox.Messages.Length - unseen;
        ImmutableArray<MessageHash> expected = mailbox.Messages[Math.Max(0, seen)..];
        var body = StorageRequestWriter.ToArray(new RetrieveRequest
        {
            Account = mailbox.Keys.SessionId,
            Timestamp = nowMs,
            LastHash = seen > 0 ? mailbox.Messages[seen - 1] : null,
        }.SignWith(mailbox.Keys));
        if (isDirect)
            return new(swarm.Members[worker % swarm.Members.Length].StorageRpcUrl, body) { Swarm = swarm, ExpectedMessages = expected };
        var guard = Map.GuardOf(worker);
        var onion = OnionRequestBuilder.BuildToNode(Map.ChoosePath(guard, swarm, Random), OnionCipher.XChaCha20, body);
        return new(guard.OnionUrl, onion.HttpBody) { Onion = onion, Swarm = swarm, ExpectedMessages = expected };
    }

    public override ServerFloor CreateFloor(int replyLength) => throw new NotSupportedException("Mailboxes are compared with one another, not with their cryptography.");

    protected override string? CheckReply(BenchRequest request, JsonElement reply)
    {
        var messages = reply.GetProperty("messages");
        return messages.GetArrayLength() != request.ExpectedMessages.Count ? $"{messages.GetArrayLength()} messages instead of {request.ExpectedMessages.Count}"
            : messages.EnumerateArray().Zip(request.ExpectedMessages).All(pair => pair.First.GetProperty("hash").GetString() == pair.Second.ToString()) ? null
            : "another message than the one that was stored";
    }
}
