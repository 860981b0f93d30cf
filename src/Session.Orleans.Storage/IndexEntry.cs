using System.Buffers.Binary;
using System.Collections.Immutable;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Storage;

/// <summary>
/// The stored form of an index entry. All integers are little-endian:
/// format 1 byte (1), namespace 2, timestamp 8, expiry 8, size 4, sequence 8; then, only if swarm members lack the message, the height 8
/// at which they missed it and the index 2 of each. More bytes may follow in later versions; whoever does not know them keeps them. The scripts read and write expiry, timestamp and sequence in place, so their offsets stand there too.
/// </summary>
internal static class IndexEntry
{
    /// <summary>Bytes before the sequence, which only the store can add.</summary>
    public const int HeadLength = 23;

    private const byte Format = 1;
    private const int Length = HeadLength + sizeof(long);

    public static byte[] PackHead(in NewMessage message, int size)
    {
        var head = new byte[HeadLength];
        head[0] = Format;
        BinaryPrimitives.WriteInt16LittleEndian(head.AsSpan(1), message.Namespace);
        BinaryPrimitives.WriteInt64LittleEndian(head.AsSpan(3), message.Timestamp);
        BinaryPrimitives.WriteInt64LittleEndian(head.AsSpan(11), message.Expiry);
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(19), size);
        return head;
    }

    /// <summary>All of it, for a message whose sequence is known.</summary>
    public static byte[] Pack(in MessageEntry message)
    {
        var sequence = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(sequence, message.Sequence);
        return
        [
            .. PackHead(new(message.Hash, message.Namespace, message.Timestamp, message.Expiry), message.Size), .. sequence, .. PackTail(message.Missing),
        ];
    }

    /// <summary>What follows the sequence.</summary>
    public static byte[] PackTail(MissingMembers? missing)
    {
        if (missing is null)
            return [];
        var tail = new byte[sizeof(long) + (sizeof(ushort) * missing.Nodes.Length)];
        BinaryPrimitives.WriteInt64LittleEndian(tail, missing.Height);
        for (var i = 0; i < missing.Nodes.Length; i++)
            BinaryPrimitives.WriteUInt16LittleEndian(tail.AsSpan(sizeof(long) + (sizeof(ushort) * i)), missing.Nodes[i]);
        return tail;
    }

    public static byte[] PackExpiry(long expiry)
    {
        var bytes = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, expiry);
        return bytes;
    }

    public static MessageEntry Parse(ReadOnlySpan<byte> hash, ReadOnlySpan<byte> entry)
    {
        if (entry.Length < Length || entry[0] != Format)
            throw new MailboxStoreException("The index holds an entry of a format this version does not know.");
        return new MessageEntry(
            new MessageHash(new Bytes32(hash)),
            BinaryPrimitives.ReadInt16LittleEndian(entry[1..]),
            BinaryPrimitives.ReadInt64LittleEndian(entry[3..]),
            BinaryPrimitives.ReadInt64LittleEndian(entry[11..]),
            BinaryPrimitives.ReadInt32LittleEndian(entry[19..]),
            BinaryPrimitives.ReadInt64LittleEndian(entry[HeadLength..]),
            ParseTail(entry[Length..]));
    }

    private static MissingMembers? ParseTail(ReadOnlySpan<byte> tail)
    {
        if (tail.IsEmpty)
            return null;
        if (tail.Length < sizeof(long) + sizeof(ushort) || tail.Length % sizeof(ushort) != 0)
            throw new MailboxStoreException("The index holds an entry of a format this version does not know.");
        var nodes = ImmutableArray.CreateBuilder<ushort>((tail.Length - sizeof(long)) / sizeof(ushort));
        for (var at = sizeof(long); at < tail.Length; at += sizeof(ushort))
            nodes.Add(BinaryPrimitives.ReadUInt16LittleEndian(tail[at..]));
        return new(BinaryPrimitives.ReadInt64LittleEndian(tail), nodes.MoveToImmutable());
    }
}
