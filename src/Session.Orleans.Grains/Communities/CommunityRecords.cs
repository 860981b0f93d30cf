using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Session.Orleans.Grains.Communities;

/// <summary>A room's settings, as stored.</summary>
internal sealed record RoomRecord
{
    public required string Token { get; init; }

    public required string Name { get; init; }

    public string? Description { get; init; }

    public double Created { get; init; }

    public long? Image { get; init; }

    public bool Read { get; init; } = true;

    public bool Accessible { get; init; } = true;

    public bool Write { get; init; } = true;

    public bool Upload { get; init; } = true;

    public long InfoUpdates { get; init; }

    /// <summary>The state of the server's own moderators that <see cref="InfoUpdates"/> has counted.</summary>
    public long GlobalSeen { get; init; }
}

/// <summary>A user's permissions and rank in a room, or rank in the server, as stored.</summary>
internal sealed record MemberRecord
{
    public static MemberRecord None { get; } = new();

    public bool Banned { get; init; }

    public bool Moderator { get; init; }

    public bool Admin { get; init; }

    public bool Visible { get; init; } = true;

    public bool? Read { get; init; }

    public bool? Accessible { get; init; }

    public bool? Write { get; init; }

    public bool? Upload { get; init; }
}

/// <summary>A pin, as stored.</summary>
internal sealed record PinRecord(double At, string By);

/// <summary>A scheduled change of a user's permissions, as stored.</summary>
internal sealed record ScheduleRecord(string User, double At, bool? Read, bool? Write, bool? Upload, bool? Banned);

/// <summary>A file's line in its room, as stored.</summary>
internal sealed record FileRecord
{
    public required string Uploader { get; init; }

    public string? Name { get; init; }

    public long Size { get; init; }

    public double Uploaded { get; init; }

    /// <summary>Unix seconds; null while the file stays.</summary>
    public double? Expiry { get; init; }

    /// <summary>The message it is attached to, or 0.</summary>
    public long Post { get; init; }

    /// <summary>Key of its bytes; null for a file of an older version.</summary>
    public string? Blob { get; init; }

    public bool IsLive(double now) => Expiry is null || Expiry > now;
}

/// <summary>A direct message, as stored.</summary>
internal sealed record MessageRecord(string Sender, string Recipient, double Posted, double Expiry, byte[] Message);

/// <summary>A global ban, as stored.</summary>
/// <param name="Until">Unix seconds; null for ever.</param>
internal sealed record BanRecord(double? Until);

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(RoomRecord))]
[JsonSerializable(typeof(MemberRecord))]
[JsonSerializable(typeof(PinRecord))]
[JsonSerializable(typeof(ScheduleRecord))]
[JsonSerializable(typeof(FileRecord))]
[JsonSerializable(typeof(MessageRecord))]
[JsonSerializable(typeof(BanRecord))]
internal sealed partial class CommunityJson : JsonSerializerContext;

internal static class Records
{
    public static byte[] Pack<T>(T record, JsonTypeInfo<T> type) => JsonSerializer.SerializeToUtf8Bytes(record, type);

    public static T Unpack<T>(ReadOnlyMemory<byte> bytes, JsonTypeInfo<T> type) =>
        JsonSerializer.Deserialize(bytes.Span, type) ?? throw new InvalidDataException($"The store holds no {typeof(T).Name} where one should be.");
}

/// <summary>A message of a room. Immutable: a change makes another one.</summary>
internal sealed record Post
{
    private const byte Format = 1;

    public required long Id { get; init; }

    public required string Author { get; init; }

    public required double Posted { get; init; }

    /// <summary>The room's sequence number when it was posted.</summary>
    public required long Created { get; init; }

    /// <summary>That of the last post, edit or deletion.</summary>
    public required long Changed { get; init; }

    /// <summary>That of the last reaction, 0 if there never was one.</summary>
    public long Reacted { get; init; }

    public double? Edited { get; init; }

    public bool IsDeleted { get; init; }

    public string? WhisperTo { get; init; }

    public bool WhisperMods { get; init; }

    public ImmutableArray<long> Files { get; init; } = [];

    public ReadOnlyMemory<byte> Data { get; init; }

    public ReadOnlyMemory<byte> Signature { get; init; }

    /// <summary>Not stored with the message: each reaction has a line of its own.</summary>
    public Reactions Reactions { get; init; } = Reactions.None;

    public long Sequence => Math.Max(Changed, Reacted);

    public bool IsWhisper => WhisperTo is not null || WhisperMods;

    public byte[] Pack()
    {
        using var stream = new MemoryStream(Data.Length + 256);
        using (var writer = new BinaryWriter(stream))
        {
            writer.Write(Format);
            writer.Write(Id);
            writer.Write(Author);
            writer.Write(Posted);
            writer.Write(Created);
            writer.Write(Changed);
            writer.Write(Reacted);
            writer.Write(Edited ?? 0);
            writer.Write((byte)((IsDeleted ? 1 : 0) | (WhisperMods ? 2 : 0) | (WhisperTo is null ? 0 : 4) | (Edited is null ? 0 : 8)));
            if (WhisperTo is { } to)
                writer.Write(to);
            writer.Write7BitEncodedInt(Files.Length);
            foreach (var file in Files)
                writer.Write(file);
            writer.Write7BitEncodedInt(Signature.Length);
            writer.Write(Signature.Span);
            writer.Write(Data.Span);
        }

        return stream.ToArray();
    }

    public static Post Unpack(ReadOnlyMemory<byte> bytes)
    {
        using var stream = new MemoryStream(bytes.ToArray(), writable: false);
        using var reader = new BinaryReader(stream);
        if (reader.ReadByte() != Format)
            throw new InvalidDataException("The store holds a message of a format this version does not know.");
        var (id, author, posted, created, changed, reacted, edited, flags) = (
            reader.ReadInt64(), reader.ReadString(), reader.ReadDouble(), reader.ReadInt64(), reader.ReadInt64(), reader.ReadInt64(), reader.ReadDouble(),
            reader.ReadByte());
        var whisperTo = (flags & 4) != 0 ? reader.ReadString() : null;
        var files = ImmutableArray.CreateBuilder<long>(reader.Read7BitEncodedInt());
        for (var i = files.Capacity; i > 0; i--)
            files.Add(reader.ReadInt64());
        var signature = reader.ReadBytes(reader.Read7BitEncodedInt());
        return new()
        {
            Id = id,
            Author = author,
            Posted = posted,
            Created = created,
            Changed = changed,
            Reacted = reacted,
            Edited = (flags & 8) != 0 ? edited : null,
            IsDeleted = (flags & 1) != 0,
            WhisperMods = (flags & 2) != 0,
            WhisperTo = whisperTo,
            Files = files.MoveToImmutable(),
            Signature = signature,
            Data = reader.ReadBytes((int)(stream.Length - stream.Position)),
        };
    }
}
