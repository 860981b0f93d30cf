using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using Orleans.Placement;
using Session.Orleans.Contracts.Communities;
using Session.Orleans.Grains.Mailboxes;
using Session.Orleans.Grains.Placement;
using Session.Orleans.Storage.Communities;

namespace Session.Orleans.Grains.Communities;

/// <summary>
/// A user's inbox and outbox. Both only grow at their ends, so any activation may append; what is in memory is the last id of each, by which a
/// poll that finds nothing is answered without the store. Numbers are drawn within a turn of the box they go to: nobody sees a message before
/// one with a smaller number is in its place.
/// </summary>
[GrainType("direct-messages"), HashBasedPlacement, Reentrant, PrefersRole(SiloRole.Silo)]
[SuppressMessage("Design", "CA1001", Justification = "The semaphores hold nothing to dispose of, and a call that is late may still ask them.")]
internal sealed class DirectMessagesGrain(ICommunityStore store, ClusterChanges cluster, TimeProvider time) : Grain, IDirectMessagesGrain
{
    private const string InboxTable = "in", OutboxTable = "out", InboxIndex = "in", OutboxIndex = "out";
    private const int SweepBatch = 50;

    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(15);
    private static readonly TimeSpan TurnLimit = TimeSpan.FromSeconds(10);

    private readonly SemaphoreSlim _sending = new(1, 1);
    private readonly SemaphoreSlim _receiving = new(1, 1);
    private readonly long?[] _last = new long?[2]; // of the inbox, of the outbox; null before they were read

    private long _epoch;

    private CommunityScope Scope => CommunityScope.Messages(this.GetPrimaryKeyString());

    private double Now => time.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0;

    public async Task<CommunityReply> SendAsync(string recipient, ReadOnlyMemory<byte> message)
    {
        if (!await _sending.WaitAsync(TurnLimit))
            return CommunityReply.Text(503, "Server busy, try again later");
        try
        {
            var sender = this.GetPrimaryKeyString();
            var delivered = await GrainFactory.GetGrain<IDirectMessagesGrain>(recipient).DeliverAsync(sender, message);
            await AppendAsync(outbox: true, delivered.Id, new(sender, recipient, delivered.Posted, delivered.Expiry, message.ToArray()));
            return RoomJson.Write(json => WriteMessage(json, delivered.Id, new(sender, recipient, delivered.Posted, delivered.Expiry, []), withMessage: false), status: 201);
        }
        finally
        {
            _sending.Release();
        }
    }

    public async Task<DirectMessage> DeliverAsync(string sender, ReadOnlyMemory<byte> message)
    {
        if (!await _receiving.WaitAsync(TurnLimit))
            throw new CommunityStoreException("The inbox is busy.");
        try
        {
            var now = Now;
            var delivered = new DirectMessage(await store.NextAsync("direct-message"), now, now + Lifetime.TotalSeconds);
            await AppendAsync(outbox: false, delivered.Id, new(sender, this.GetPrimaryKeyString(), now, delivered.Expiry, message.ToArray()));
            return delivered;
        }
        finally
        {
            _receiving.Release();
        }
    }

    public async Task<CommunityReply> ReadAsync(bool outbox, long? after, int limit)
    {
        if (after is { } cursor && await LastAsync(outbox) <= cursor)
            return CommunityReply.Text(304, "");
        var now = Now;
        List<(long Id, MessageRecord Message)> page = [];
        for (var from = after ?? 0; page.Count < limit;)
        {
            var entries = await store.RangeAsync(Scope, outbox ? OutboxIndex : InboxIndex, from, long.MaxValue, descending: false, limit - page.Count);
            if (entries.Count == 0)
                break;
            var messages = await store.GetAsync(Scope, outbox ? OutboxTable : InboxTable, [.. entries.Select(entry => entry.Name)]);
            for (var i = 0; i < entries.Count; i++)
            {
                if (messages[i] is { } bytes && Records.Unpack(bytes, CommunityJson.Default.MessageRecord) is var message && message.Expiry > now)
                    page.Add((entries[i].Number, message));
            }

            from = entries[^1].Number;
        }

        return page.Count == 0 && after is not null ? CommunityReply.Text(304, "") : RoomJson.Write(json =>
        {
            json.WriteStartArray();
            foreach (var (id, message) in page)
                WriteMessage(json, id, message, withMessage: true);
            json.WriteEndArray();
        });
    }

    public async Task<CommunityReply> ClearAsync()
    {
        if (!await _receiving.WaitAsync(TurnLimit))
            return CommunityReply.Text(503, "Server busy, try again later");
        try
        {
            var now = Now;
            var live = (await store.GetAllAsync(Scope, InboxTable)).Values.Count(bytes => Records.Unpack(bytes, CommunityJson.Default.MessageRecord).Expiry > now);
            await store.CommitAsync(Scope, null, new CommunityChanges().DropTable(InboxTable).DropIndex(InboxIndex), Lifetime);
            return RoomJson.Write(json =>
            {
                json.WriteStartObject();
                json.WriteNumber("deleted"u8, live);
                json.WriteEndObject();
            });
        }
        finally
        {
            _receiving.Release();
        }
    }

    private async ValueTask AppendAsync(bool outbox, long id, MessageRecord message)
    {
        var (table, index) = outbox ? (OutboxTable, OutboxIndex) : (InboxTable, InboxIndex);
        var name = id.ToString(CultureInfo.InvariantCulture);
        var changes = new CommunityChanges().Set(table, name, Records.Pack(message, CommunityJson.Default.MessageRecord)).Enter(index, name, id);
        // Those that have ended are the first ones; a box that gets messages clears itself.
        var oldest = await store.RangeAsync(Scope, index, long.MinValue, long.MaxValue, descending: false, SweepBatch);
        var ended = await store.GetAsync(Scope, table, [.. oldest.Select(entry => entry.Name)]);
        for (var i = 0; i < oldest.Count; i++)
        {
            if (ended[i] is not { } bytes || Records.Unpack(bytes, CommunityJson.Default.MessageRecord).Expiry <= message.Posted)
                changes.Remove(table, oldest[i].Name).Leave(index, oldest[i].Name);
        }

        await store.CommitAsync(Scope, null, changes, Lifetime);
        var box = outbox ? 1 : 0;
        if (_last[box] is { } last)
            _last[box] = Math.Max(last, id);
    }

    private async ValueTask<long> LastAsync(bool outbox)
    {
        var box = outbox ? 1 : 0;
        if (_epoch != cluster.StoreEpoch)
        {
            _epoch = cluster.StoreEpoch; // the store was replaced
            Array.Clear(_last);
        }

        if (_last[box] is { } known && !cluster.AreRecent)
            return known;
        var newest = await store.RangeAsync(Scope, outbox ? OutboxIndex : InboxIndex, long.MinValue, long.MaxValue, descending: true, 1);
        var last = Math.Max(_last[box] ?? 0, newest.Count > 0 ? newest[0].Number : 0);
        _last[box] = last;
        return last;
    }

    private static void WriteMessage(Utf8JsonWriter json, long id, MessageRecord message, bool withMessage)
    {
        json.WriteStartObject();
        json.WriteNumber("id"u8, id);
        json.WriteNumber("posted_at"u8, message.Posted);
        json.WriteNumber("expires_at"u8, message.Expiry);
        json.WriteString("sender"u8, message.Sender);
        json.WriteString("recipient"u8, message.Recipient);
        if (withMessage)
            json.WriteBase64String("message"u8, message.Message);
        json.WriteEndObject();
    }
}
