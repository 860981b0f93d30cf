using System.Collections.Immutable;

namespace Session.Orleans.Contracts.Communities;

/// <summary>Which messages a reader wants (communities.md, 7.3).</summary>
public enum MessageRange
{
    /// <summary>The newest ones, newest first.</summary>
    Recent = 0,

    /// <summary>Those with an id below the cursor, newest first.</summary>
    Before = 1,

    /// <summary>Everything that changed after the sequence number at the cursor, in its order.</summary>
    Since = 2,
}

/// <summary>A reader's request for messages.</summary>
/// <param name="Range">Which ones.</param>
/// <param name="Cursor">Message id or sequence number, by <paramref name="Range"/>.</param>
/// <param name="Limit">Most rows, 1..256.</param>
/// <param name="Reactors">Most reactors named per reaction, 0..20.</param>
/// <param name="ReactionUpdates">True if the reader understands rows that hold new reactions alone.</param>
[GenerateSerializer, Immutable, Alias("session.MessageQuery")]
public readonly record struct MessageQuery(
    [property: Id(0)] MessageRange Range, [property: Id(1)] long Cursor, [property: Id(2)] int Limit, [property: Id(3)] int Reactors,
    [property: Id(4)] bool ReactionUpdates);

/// <summary>A message to post, or the new content of one (communities.md, 7.4).</summary>
/// <param name="Data">Opaque bytes, padding included.</param>
/// <param name="Signature">64 bytes, not verified by the server.</param>
/// <param name="Files">Uploads to attach.</param>
/// <param name="WhisperTo">The only reader besides the author, for moderators' whispers.</param>
/// <param name="WhisperMods">True if all moderators can read it as well.</param>
[GenerateSerializer, Immutable, Alias("session.PostDraft")]
public sealed record PostDraft(
    [property: Id(0)] ReadOnlyMemory<byte> Data, [property: Id(1)] ReadOnlyMemory<byte> Signature, [property: Id(2)] ImmutableArray<long> Files,
    [property: Id(3)] string? WhisperTo = null, [property: Id(4)] bool WhisperMods = false);

/// <summary>Changes of a room by its admins; null leaves as it is (communities.md, 6.1).</summary>
/// <param name="Name">New name.</param>
/// <param name="SetsDescription">True if <paramref name="Description"/> counts.</param>
/// <param name="Description">New description; null for none.</param>
/// <param name="Image">File id of the new image.</param>
/// <param name="Read">Default of read.</param>
/// <param name="Accessible">Default of accessible.</param>
/// <param name="Write">Default of write.</param>
/// <param name="Upload">Default of upload.</param>
[GenerateSerializer, Immutable, Alias("session.RoomChange")]
public sealed record RoomChange(
    [property: Id(0)] string? Name = null, [property: Id(1)] bool SetsDescription = false, [property: Id(2)] string? Description = null,
    [property: Id(3)] long? Image = null, [property: Id(4)] bool? Read = null, [property: Id(5)] bool? Accessible = null,
    [property: Id(6)] bool? Write = null, [property: Id(7)] bool? Upload = null);

/// <summary>What becomes of one permission of a user (communities.md, 6.2).</summary>
public enum PermissionStep
{
    /// <summary>It stays as it is.</summary>
    Keep = 0,

    /// <summary>Granted, whatever the room's default.</summary>
    Grant = 1,

    /// <summary>Denied, whatever the room's default.</summary>
    Deny = 2,

    /// <summary>The room's default again.</summary>
    Clear = 3,
}

/// <summary>Changes of a user's permissions in a room.</summary>
/// <param name="Read">Reading.</param>
/// <param name="Accessible">Seeing that the room is there.</param>
/// <param name="Write">Writing.</param>
/// <param name="Upload">Uploading.</param>
/// <param name="Unschedule">True to drop scheduled changes of what is touched.</param>
[GenerateSerializer, Immutable, Alias("session.PermissionChange")]
public sealed record PermissionChange(
    [property: Id(0)] PermissionStep Read = PermissionStep.Keep, [property: Id(1)] PermissionStep Accessible = PermissionStep.Keep,
    [property: Id(2)] PermissionStep Write = PermissionStep.Keep, [property: Id(3)] PermissionStep Upload = PermissionStep.Keep,
    [property: Id(4)] bool Unschedule = true);

/// <summary>A change of permissions at a later time.</summary>
/// <param name="After">How long from now.</param>
/// <param name="Read">Reading; null leaves it.</param>
/// <param name="Write">Writing; null leaves it.</param>
/// <param name="Upload">Uploading; null leaves it.</param>
[GenerateSerializer, Immutable, Alias("session.ScheduledChange")]
public sealed record ScheduledChange(
    [property: Id(0)] TimeSpan After, [property: Id(1)] bool? Read, [property: Id(2)] bool? Write, [property: Id(3)] bool? Upload);

/// <summary>A change of a moderator's rank (communities.md, 10). Both flags null, or admin without moderator, must not come here.</summary>
/// <param name="Moderator">True to make one, false to take all ranks away, null to leave it to <paramref name="Admin"/>.</param>
/// <param name="Admin">True to make an admin, false to take that rank away.</param>
/// <param name="Visible">False to keep it from other users.</param>
[GenerateSerializer, Immutable, Alias("session.ModeratorChange")]
public readonly record struct ModeratorChange([property: Id(0)] bool? Moderator, [property: Id(1)] bool? Admin, [property: Id(2)] bool Visible)
{
    /// <summary>The ranks after the change of somebody who had these.</summary>
    public (bool Moderator, bool Admin) From(bool moderator, bool admin) => (Moderator, Admin) switch
    {
        (_, true) => (true, true),
        (false, _) => (false, false),
        (true, false) => (true, false),
        (true, null) => (true, admin),
        _ => (moderator, false), // demoted only
    };
}

/// <summary>A caller's rank in a room.</summary>
public enum RoomRank
{
    /// <summary>There is no such room.</summary>
    NoRoom = -1,

    /// <summary>None.</summary>
    None = 0,

    /// <summary>Moderator of the room or the server.</summary>
    Moderator = 1,

    /// <summary>Admin of the room or the server.</summary>
    Admin = 2,
}

/// <summary>A file of a room (communities.md, 8).</summary>
/// <param name="Id">Its number, unique in the server.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Name">Name given by the uploader; null if none.</param>
/// <param name="Uploaded">Unix seconds.</param>
/// <param name="Expiry">Unix seconds; null if it stays.</param>
/// <param name="Blob">Key of its bytes in the blob store; null for a file of an older version, whose bytes are with the rooms.</param>
[GenerateSerializer, Immutable, Alias("session.RoomFile")]
public sealed record RoomFile(
    [property: Id(0)] long Id, [property: Id(1)] long Size, [property: Id(2)] string? Name, [property: Id(3)] double Uploaded, [property: Id(4)] double? Expiry,
    [property: Id(5)] string? Blob = null);

/// <summary>A file, or why there is none to be had.</summary>
/// <param name="File">The file.</param>
/// <param name="Refusal">The answer instead of it.</param>
[GenerateSerializer, Immutable, Alias("session.RoomFileReply")]
public sealed record RoomFileReply([property: Id(0)] RoomFile? File, [property: Id(1)] CommunityReply? Refusal);

/// <summary>How many posts of somebody were deleted, or why none were.</summary>
/// <param name="Deleted">Number of posts.</param>
/// <param name="Refusal">403 or 404 instead.</param>
[GenerateSerializer, Immutable, Alias("session.RoomPurge")]
public sealed record RoomPurge([property: Id(0)] int Deleted, [property: Id(1)] CommunityReply? Refusal);

/// <summary>A room, for its operator.</summary>
/// <param name="Token">Its token, in the stored case.</param>
/// <param name="Name">Its name.</param>
/// <param name="Description">Its description; null if none.</param>
/// <param name="Created">Unix seconds.</param>
/// <param name="MessageSequence">Number of changes of its messages.</param>
/// <param name="InfoUpdates">Number of changes of the room itself.</param>
/// <param name="ActiveUsers">Users that were active within the cutoff.</param>
/// <param name="Read">Default of read.</param>
/// <param name="Accessible">Default of accessible.</param>
/// <param name="Write">Default of write.</param>
/// <param name="Upload">Default of upload.</param>
/// <param name="Members">Users with permissions or ranks of their own.</param>
[GenerateSerializer, Immutable, Alias("session.RoomSummary")]
public sealed record RoomSummary(
    [property: Id(0)] string Token, [property: Id(1)] string Name, [property: Id(2)] string? Description, [property: Id(3)] double Created,
    [property: Id(4)] long MessageSequence, [property: Id(5)] long InfoUpdates, [property: Id(6)] long ActiveUsers, [property: Id(7)] bool Read,
    [property: Id(8)] bool Accessible, [property: Id(9)] bool Write, [property: Id(10)] bool Upload, [property: Id(11)] ImmutableArray<RoomMember> Members);

/// <summary>A user with permissions or a rank of their own in a room.</summary>
/// <param name="Id">The user.</param>
/// <param name="Admin">True for an admin.</param>
/// <param name="Moderator">True for a moderator or admin.</param>
/// <param name="Visible">False if the rank is hidden.</param>
/// <param name="Banned">True if banned.</param>
/// <param name="Read">Override of read; null is the room's default.</param>
/// <param name="Accessible">Override of accessible.</param>
/// <param name="Write">Override of write.</param>
/// <param name="Upload">Override of upload.</param>
[GenerateSerializer, Immutable, Alias("session.RoomMember")]
public sealed record RoomMember(
    [property: Id(0)] string Id, [property: Id(1)] bool Admin, [property: Id(2)] bool Moderator, [property: Id(3)] bool Visible, [property: Id(4)] bool Banned,
    [property: Id(5)] bool? Read, [property: Id(6)] bool? Accessible, [property: Id(7)] bool? Write, [property: Id(8)] bool? Upload);
