using System.Collections.Immutable;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Client.Communities;

/// <summary>Something that polling a community server brought.</summary>
public abstract record CommunityEvent;

/// <summary>A change of a message of a room.</summary>
/// <param name="Room">The room.</param>
/// <param name="Id">The message's number, which grows over the whole server.</param>
/// <param name="Sequence">The change's number in the room.</param>
public abstract record CommunityMessageEvent(CommunityRoom Room, long Id, long Sequence) : CommunityEvent;

/// <summary>A message of a room, new or edited, whose signature was verified.</summary>
/// <param name="Room">The room.</param>
/// <param name="Id">The message's number, which grows over the whole server.</param>
/// <param name="Sequence">The number of its latest change in the room.</param>
/// <param name="Author">Who wrote it: a blinded id, or a Session ID where the server does not require blinding.</param>
/// <param name="Posted">When the server took it.</param>
/// <param name="Body">The text; may be empty if there are files.</param>
public sealed record CommunityPost(CommunityRoom Room, long Id, long Sequence, AccountId Author, DateTimeOffset Posted, string Body)
    : CommunityMessageEvent(Room, Id, Sequence)
{
    /// <summary>Files, which are not encrypted.</summary>
    public ImmutableArray<CommunityFile> Files { get; init; } = [];

    /// <summary>The message that it answers, by author and time of posting in Unix milliseconds.</summary>
    public MessageId? Quote { get; init; }

    /// <summary>The author's name, if it said it.</summary>
    public string? AuthorName { get; init; }

    /// <summary>When it was edited last; null if never.</summary>
    public DateTimeOffset? Edited { get; init; }

    /// <summary>Reactions in the order of their first use.</summary>
    public ImmutableArray<CommunityReaction> Reactions { get; init; } = [];

    /// <summary>True for a message that only some may read.</summary>
    public bool IsWhisper { get; init; }

    /// <summary>What others name it by when they answer.</summary>
    public MessageId MessageId => new(Author, Posted.ToUnixTimeMilliseconds());
}

/// <summary>A message was deleted.</summary>
/// <param name="Room">The room.</param>
/// <param name="Id">The message's number.</param>
/// <param name="Sequence">The number of the deletion in the room.</param>
public sealed record CommunityDeletion(CommunityRoom Room, long Id, long Sequence) : CommunityMessageEvent(Room, Id, Sequence);

/// <summary>The reactions to a message changed, and nothing else of it.</summary>
/// <param name="Room">The room.</param>
/// <param name="Id">The message's number.</param>
/// <param name="Sequence">The number of the change in the room.</param>
/// <param name="Reactions">All that are left, in the order of their first use.</param>
public sealed record CommunityReactionChange(CommunityRoom Room, long Id, long Sequence, ImmutableArray<CommunityReaction> Reactions)
    : CommunityMessageEvent(Room, Id, Sequence);

/// <summary>A room's name, description, picture, pins, moderators or one's own rights changed.</summary>
/// <param name="Room">The room, with the new <see cref="CommunityRoom.Info"/>.</param>
public sealed record CommunityRoomChange(CommunityRoom Room) : CommunityEvent;

/// <summary>A room is gone, or one may no longer read it: it is polled no more.</summary>
/// <param name="Room">The room.</param>
/// <param name="Status">403 without the right to read, 404 if it is gone or one was banned.</param>
public sealed record CommunityRoomLost(CommunityRoom Room, int Status) : CommunityEvent;

/// <summary>A direct message between two members of a server (communities.md, 9); only they can read it.</summary>
/// <param name="Server">The server that keeps it.</param>
/// <param name="Id">Its number.</param>
/// <param name="Sender">The sender's blinded id.</param>
/// <param name="Recipient">The recipient's blinded id.</param>
/// <param name="Posted">When the server took it.</param>
/// <param name="Body">The text; may be empty.</param>
public sealed record CommunityDirectMessage(CommunityServer Server, long Id, AccountId Sender, AccountId Recipient, DateTimeOffset Posted, string Body) : CommunityEvent
{
    /// <summary>The sender's Session ID, which the message proves: from here on one can write to it outside the community.</summary>
    public AccountId SenderAccount { get; init; }

    /// <summary>The sender's name, if it said it.</summary>
    public string? SenderName { get; init; }

    /// <summary>True for what one sent oneself.</summary>
    public bool IsOutgoing => Sender == Server.Id;
}

/// <summary>A reaction with those who chose it.</summary>
/// <param name="Emoji">1..12 code points.</param>
/// <param name="Count">How many chose it.</param>
/// <param name="Reactors">The first of them.</param>
/// <param name="IsOwn">True if one chose it oneself.</param>
public sealed record CommunityReaction(string Emoji, int Count, ImmutableArray<AccountId> Reactors, bool IsOwn);

/// <summary>A file of a room. Members who may read the room may download it; it is not encrypted.</summary>
/// <param name="Id">Its number at the server.</param>
/// <param name="Url">Where it is.</param>
public sealed record CommunityFile(long Id, Uri Url)
{
    /// <summary>Its name; may be empty.</summary>
    public string FileName { get; init; } = "";

    /// <summary>MIME type.</summary>
    public string ContentType { get; init; } = "application/octet-stream";

    /// <summary>Length in bytes, as its author says.</summary>
    public uint Size { get; init; }
}

/// <summary>A message to post.</summary>
public sealed record CommunityDraft
{
    /// <summary>The text, at most <see cref="OutgoingMessage.MaxBodyLength"/> characters.</summary>
    public string Body { get; init; } = "";

    /// <summary>Files from <see cref="CommunityRoom.UploadAsync"/>, within an hour of their upload; at most 32.</summary>
    public ImmutableArray<CommunityFile> Files { get; init; } = [];

    /// <summary>The message that it answers.</summary>
    public CommunityPost? Quote { get; init; }

    /// <summary>The only one who may read it besides its author; for moderators.</summary>
    public AccountId? WhisperTo { get; init; }

    /// <summary>Whether it is for moderators; for moderators.</summary>
    public bool WhisperToModerators { get; init; }
}

/// <summary>A room as its server describes it to the caller (communities.md, 6.1).</summary>
/// <param name="Token">Its name in URLs.</param>
/// <param name="Name">Its name for people.</param>
public sealed record CommunityRoomInfo(string Token, string Name)
{
    /// <summary>What it is about; null if nobody said it.</summary>
    public string? Description { get; init; }

    /// <summary>Number of changes of what is described here, but for messages and users.</summary>
    public long InfoUpdates { get; init; }

    /// <summary>Number of changes of messages.</summary>
    public long MessageSequence { get; init; }

    /// <summary>Users who were here within the last week.</summary>
    public long ActiveUsers { get; init; }

    /// <summary>The picture's file number; null if there is none.</summary>
    public long? ImageId { get; init; }

    /// <summary>Numbers of the pinned messages, in the order of pinning.</summary>
    public ImmutableArray<long> Pinned { get; init; } = [];

    /// <summary>Ids of visible moderators who are no admins.</summary>
    public ImmutableArray<string> Moderators { get; init; } = [];

    /// <summary>Ids of visible admins.</summary>
    public ImmutableArray<string> Admins { get; init; } = [];

    /// <summary>Whether one may read.</summary>
    public bool MayRead { get; init; }

    /// <summary>Whether one may post and react.</summary>
    public bool MayWrite { get; init; }

    /// <summary>Whether one may upload files.</summary>
    public bool MayUpload { get; init; }

    /// <summary>Whether one is a moderator.</summary>
    public bool IsModerator { get; init; }

    /// <summary>Whether one is an admin.</summary>
    public bool IsAdmin { get; init; }
}

/// <summary>What one user may do in a room, apart from what everybody may; null leaves it to the room (communities.md, 6.2).</summary>
/// <param name="Read">Read messages.</param>
/// <param name="Accessible">See that the room is there.</param>
/// <param name="Write">Post and react.</param>
/// <param name="Upload">Upload files.</param>
public sealed record CommunityPermissions(bool? Read = null, bool? Accessible = null, bool? Write = null, bool? Upload = null);

/// <summary>How requests get to a community server.</summary>
public enum CommunityRoute
{
    /// <summary>Through an onion path, as clients do: the server does not learn one's address.</summary>
    Onion,

    /// <summary>Straight over HTTP or HTTPS, for tests and for operators.</summary>
    Direct,
}
