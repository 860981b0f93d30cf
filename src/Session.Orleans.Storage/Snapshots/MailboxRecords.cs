using System.Buffers.Binary;
using System.Collections.Immutable;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Storage.Snapshots;

/// <summary>
/// How mailboxes stand in a snapshot. All numbers are little-endian. A record of kind 0 begins a mailbox: kind 1 byte, account 33, version 8,
/// then its revocations, each a token of 36 and the time 8 at which it was revoked. A record of kind 1 is a message of the latest mailbox:
/// kind 1, hash 32, namespace 2, timestamp 8, expiry 8, sequence 8, number of members that lack it 2, if any the height 8 at which they missed
/// it and the index 2 of each, then the payload.
/// </summary>
internal static class MailboxRecords
{
    private const byte Mailbox = 0;
    private const byte Message = 1;
    private const int MailboxLength = 1 + AccountId.Length + sizeof(long);
    private const int RevocationLength = IMailboxStore.TokenLength + sizeof(long);
    private const int MessageLength = 1 + Bytes32.Length + (2 * sizeof(short)) + (3 * sizeof(long));

    public static bool IsMailbox(ReadOnlySpan<byte> record) =>
        record is [Mailbox, ..] || (record is [Message, ..] ? false : throw Unknown());

    public static byte[] Write(AccountId account, MailboxSnapshot mailbox)
    {
        var record = new byte[MailboxLength + (mailbox.Revoked.Count * RevocationLength)];
        account.CopyTo(record.AsSpan(1));
        BinaryPrimitives.WriteInt64LittleEndian(record.AsSpan(1 + AccountId.Length), mailbox.Version);
        var at = record.AsSpan(MailboxLength);
        foreach (var revoked in mailbox.Revoked)
        {
            revoked.Token.Span.CopyTo(at);
            BinaryPrimitives.WriteInt64LittleEndian(at[IMailboxStore.TokenLength..], revoked.InsertedAt);
            at = at[RevocationLength..];
        }

        return record;
    }

    public static (AccountId Account, long Version, ImmutableArray<RevokedToken> Revoked) ReadMailbox(ReadOnlySpan<byte> record)
    {
        if (record.Length < MailboxLength || (record.Length - MailboxLength) % RevocationLength != 0)
            throw Unknown();
        var revoked = ImmutableArray.CreateBuilder<RevokedToken>();
        for (var at = record[MailboxLength..]; !at.IsEmpty; at = at[RevocationLength..])
            revoked.Add(new(at[..IMailboxStore.TokenLength].ToArray(), BinaryPrimitives.ReadInt64LittleEndian(at[IMailboxStore.TokenLength..])));
        return (AccountId.FromBytes(record.Slice(1, AccountId.Length)), BinaryPrimitives.ReadInt64LittleEndian(record[(1 + AccountId.Length)..]), revoked.ToImmutable());
    }

    public static byte[] Write(in MessageEntry message, ReadOnlySpan<byte> data)
    {
        var missing = message.Missing?.Nodes.Length ?? 0;
        var record = new byte[MessageLength + (missing > 0 ? sizeof(long) + (sizeof(ushort) * missing) : 0) + data.Length];
        var at = record.AsSpan();
        at[0] = Message;
        message.Hash.AsSpan().CopyTo(at[1..]);
        at = at[(1 + Bytes32.Length)..];
        BinaryPrimitives.WriteInt16LittleEndian(at, message.Namespace);
        BinaryPrimitives.WriteInt64LittleEndian(at[2..], message.Timestamp);
        BinaryPrimitives.WriteInt64LittleEndian(at[10..], message.Expiry);
        BinaryPrimitives.WriteInt64LittleEndian(at[18..], message.Sequence);
        BinaryPrimitives.WriteUInt16LittleEndian(at[26..], (ushort)missing);
        at = at[28..];
        if (message.Missing is { } members)
        {
            BinaryPrimitives.WriteInt64LittleEndian(at, members.Height);
            at = at[sizeof(long)..];
            foreach (var node in members.Nodes)
            {
                BinaryPrimitives.WriteUInt16LittleEndian(at, node);
                at = at[sizeof(ushort)..];
            }
        }

        data.CopyTo(at);
        return record;
    }

    public static (MessageEntry Message, int DataAt) ReadMessage(ReadOnlySpan<byte> record)
    {
        if (record.Length < MessageLength)
            throw Unknown();
        var at = record[(1 + Bytes32.Length)..];
        int missing = BinaryPrimitives.ReadUInt16LittleEndian(at[26..]);
        var dataAt = MessageLength + (missing > 0 ? sizeof(long) + (sizeof(ushort) * missing) : 0);
        if (record.Length < dataAt)
            throw Unknown();
        MissingMembers? members = null;
        if (missing > 0)
        {
            var nodes = ImmutableArray.CreateBuilder<ushort>(missing);
            for (var i = 0; i < missing; i++)
                nodes.Add(BinaryPrimitives.ReadUInt16LittleEndian(at[(36 + (sizeof(ushort) * i))..]));
            members = new(BinaryPrimitives.ReadInt64LittleEndian(at[28..]), nodes.MoveToImmutable());
        }

        return (new(
            new MessageHash(new Bytes32(record.Slice(1, Bytes32.Length))),
            BinaryPrimitives.ReadInt16LittleEndian(at), BinaryPrimitives.ReadInt64LittleEndian(at[2..]), BinaryPrimitives.ReadInt64LittleEndian(at[10..]),
            record.Length - dataAt, BinaryPrimitives.ReadInt64LittleEndian(at[18..]), members), dataAt);
    }

    private static SnapshotException Unknown() => new("The snapshot holds a mailbox in a form that this version does not know.");
}
