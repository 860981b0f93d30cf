using System.Collections.Immutable;
using Session.Orleans.Protocol.Attachments;
using Session.Orleans.Protocol.Groups;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Client;

/// <summary>What names a message everywhere: its author and its time (messages.md, 5).</summary>
/// <param name="Author">Who wrote it.</param>
/// <param name="Timestamp">When, unix ms.</param>
public readonly record struct MessageId(AccountId Author, long Timestamp);

/// <summary>When messages of a conversation disappear (messages.md, 9.7).</summary>
public enum ExpirationMode
{
    /// <summary>Not at all.</summary>
    Off,

    /// <summary>A time after they were read.</summary>
    AfterRead,

    /// <summary>A time after they were sent.</summary>
    AfterSend,
}

/// <summary>A conversation's timer.</summary>
/// <param name="Mode">From when it counts.</param>
/// <param name="Timer">How long; whole seconds.</param>
public readonly record struct Expiration(ExpirationMode Mode, TimeSpan Timer)
{
    /// <summary>Messages stay.</summary>
    public static Expiration Off => default;
}

/// <summary>A file of a message: where it is and how to read it.</summary>
/// <param name="Url">Where it is.</param>
/// <param name="Key">64 bytes, or 32 if the URL marks it as deterministically encrypted.</param>
/// <param name="Digest">SHA-256 of the encrypted file; empty for deterministic encryption.</param>
/// <param name="Size">Length of the file, in bytes.</param>
public sealed record SessionAttachment(FileUrl Url, ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte> Digest, uint Size)
{
    /// <summary>MIME type.</summary>
    public string ContentType { get; init; } = "application/octet-stream";

    /// <summary>Name of the file; may be empty.</summary>
    public string FileName { get; init; } = "";

    /// <summary>Whether it is a recorded voice message.</summary>
    public bool IsVoiceMessage { get; init; }
}

/// <summary>Something that arrived, with a proven sender.</summary>
/// <param name="Sender">Who sent it; oneself for what another of one's devices did.</param>
/// <param name="Timestamp">The message's time, unix ms.</param>
/// <param name="Conversation">Where it belongs: the other account, or the group.</param>
public abstract record IncomingMessage(AccountId Sender, long Timestamp, AccountId Conversation)
{
    /// <summary>Its hash in the swarm, 43 characters.</summary>
    public string Hash { get; init; } = "";

    /// <summary>When its copy in the swarm expires, unix ms.</summary>
    public long ExpiresMs { get; init; }

    /// <summary>What others name it by.</summary>
    public MessageId Id => new(Sender, Timestamp);
}

/// <summary>A visible message.</summary>
/// <param name="Sender">Who wrote it.</param>
/// <param name="Timestamp">The message's time, unix ms.</param>
/// <param name="Conversation">Where it belongs.</param>
/// <param name="Body">The text; may be empty if there are attachments.</param>
public sealed record IncomingText(AccountId Sender, long Timestamp, AccountId Conversation, string Body) : IncomingMessage(Sender, Timestamp, Conversation)
{
    /// <summary>Files.</summary>
    public ImmutableArray<SessionAttachment> Attachments { get; init; } = [];

    /// <summary>The message that it answers.</summary>
    public MessageId? Quote { get; init; }

    /// <summary>The timer it was sent under.</summary>
    public Expiration Expiration { get; init; }

    /// <summary>The sender's name, if it said it.</summary>
    public string? SenderName { get; init; }

    /// <summary>True if the sender is no approved contact: a message request.</summary>
    public bool IsRequest { get; init; }
}

/// <summary>A reaction, or its removal.</summary>
/// <param name="Sender">Who reacted.</param>
/// <param name="Timestamp">When, unix ms.</param>
/// <param name="Conversation">Where it belongs.</param>
/// <param name="Target">The message that is meant.</param>
/// <param name="Emoji">The reaction.</param>
/// <param name="IsRemoved">Whether it was taken back.</param>
public sealed record IncomingReaction(AccountId Sender, long Timestamp, AccountId Conversation, MessageId Target, string Emoji, bool IsRemoved)
    : IncomingMessage(Sender, Timestamp, Conversation);

/// <summary>The other side has read messages.</summary>
/// <param name="Sender">Who read.</param>
/// <param name="Timestamp">When, unix ms.</param>
/// <param name="Conversation">Where it belongs.</param>
/// <param name="Timestamps">The times of one's own messages that were read.</param>
public sealed record IncomingReceipt(AccountId Sender, long Timestamp, AccountId Conversation, ImmutableArray<long> Timestamps)
    : IncomingMessage(Sender, Timestamp, Conversation);

/// <summary>The other side types, or stopped. Show it for at most 15 s.</summary>
/// <param name="Sender">Who types.</param>
/// <param name="Timestamp">When, unix ms.</param>
/// <param name="Conversation">Where it belongs.</param>
/// <param name="IsTyping">False if it stopped.</param>
public sealed record IncomingTyping(AccountId Sender, long Timestamp, AccountId Conversation, bool IsTyping) : IncomingMessage(Sender, Timestamp, Conversation);

/// <summary>The author wants a message deleted.</summary>
/// <param name="Sender">The author.</param>
/// <param name="Timestamp">When, unix ms.</param>
/// <param name="Conversation">Where it belongs.</param>
/// <param name="Target">The message.</param>
public sealed record IncomingUnsend(AccountId Sender, long Timestamp, AccountId Conversation, MessageId Target) : IncomingMessage(Sender, Timestamp, Conversation);

/// <summary>The conversation's timer was set.</summary>
/// <param name="Sender">Who set it.</param>
/// <param name="Timestamp">When, unix ms.</param>
/// <param name="Conversation">Where it belongs.</param>
/// <param name="Expiration">The new setting.</param>
public sealed record IncomingTimerChange(AccountId Sender, long Timestamp, AccountId Conversation, Expiration Expiration) : IncomingMessage(Sender, Timestamp, Conversation);

/// <summary>The other side accepted one's message request.</summary>
/// <param name="Sender">Who accepted.</param>
/// <param name="Timestamp">When, unix ms.</param>
/// <param name="Conversation">Where it belongs.</param>
/// <param name="SenderName">Its name, if it said it.</param>
public sealed record IncomingAcceptance(AccountId Sender, long Timestamp, AccountId Conversation, string? SenderName) : IncomingMessage(Sender, Timestamp, Conversation);

/// <summary>The other side took a screenshot or saved a file.</summary>
/// <param name="Sender">Who did.</param>
/// <param name="Timestamp">When, unix ms.</param>
/// <param name="Conversation">Where it belongs.</param>
/// <param name="SavedMessage">The time of the message whose file was saved; null for a screenshot.</param>
public sealed record IncomingExtraction(AccountId Sender, long Timestamp, AccountId Conversation, long? SavedMessage) : IncomingMessage(Sender, Timestamp, Conversation);

/// <summary>A step of a call, passed on as it is.</summary>
/// <param name="Sender">Who calls.</param>
/// <param name="Timestamp">When, unix ms.</param>
/// <param name="Conversation">Where it belongs.</param>
/// <param name="Step">The protocol's number of the step, 1..6 (messages.md, 2.4).</param>
/// <param name="CallId">The call's uuid.</param>
/// <param name="Descriptions">Session descriptions or candidates.</param>
public sealed record IncomingCall(AccountId Sender, long Timestamp, AccountId Conversation, int Step, string CallId, ImmutableArray<string> Descriptions)
    : IncomingMessage(Sender, Timestamp, Conversation);

/// <summary>An invitation to a group: <see cref="SessionClient.JoinAsync(IncomingInvitation, CancellationToken)"/> accepts it.</summary>
/// <param name="Sender">Who invites.</param>
/// <param name="Timestamp">When, unix ms.</param>
/// <param name="Group">The group's id.</param>
/// <param name="Name">The group's name.</param>
/// <param name="AuthData">The right to use the group's mailbox, checked.</param>
public sealed record IncomingInvitation(AccountId Sender, long Timestamp, AccountId Group, string Name, GroupAuthData AuthData) : IncomingMessage(Sender, Timestamp, Group);

/// <summary>One was made an admin of a group: <see cref="SessionClient.JoinAsync(IncomingPromotion, CancellationToken)"/> accepts it.</summary>
/// <param name="Sender">Who promotes.</param>
/// <param name="Timestamp">When, unix ms.</param>
/// <param name="Group">The group's id.</param>
/// <param name="Name">The group's name.</param>
/// <param name="Keys">The group's keys.</param>
public sealed record IncomingPromotion(AccountId Sender, long Timestamp, AccountId Group, string Name, Ed25519KeyPair Keys) : IncomingMessage(Sender, Timestamp, Group);

/// <summary>What happened in a group.</summary>
public enum GroupEvent
{
    /// <summary>Members were added.</summary>
    Added,

    /// <summary>Members were removed.</summary>
    Removed,

    /// <summary>Members became admins.</summary>
    Promoted,

    /// <summary>The sender left.</summary>
    Left,

    /// <summary>The sender accepted its invitation.</summary>
    Joined,

    /// <summary>The name, picture or timer changed.</summary>
    InfoChanged,

    /// <summary>Messages are to be deleted.</summary>
    ContentDeleted,

    /// <summary>One was removed oneself: the group is gone.</summary>
    Kicked,

    /// <summary>The group was destroyed by an admin.</summary>
    Destroyed,
}

/// <summary>Something happened in a group.</summary>
/// <param name="Sender">Who did it.</param>
/// <param name="Timestamp">When, unix ms.</param>
/// <param name="Group">The group.</param>
/// <param name="Event">What happened.</param>
/// <param name="Subjects">The members or, for deleted content, members and hashes it concerns; the new name for a changed one.</param>
public sealed record IncomingGroupEvent(AccountId Sender, long Timestamp, AccountId Group, GroupEvent Event, ImmutableArray<string> Subjects)
    : IncomingMessage(Sender, Timestamp, Group);

/// <summary>Another of one's devices changed a config; it is merged already.</summary>
/// <param name="Sender">Oneself, or the group.</param>
/// <param name="Timestamp">When it was stored, unix ms.</param>
/// <param name="Namespace">Which config (messages.md, 13.1).</param>
public sealed record IncomingConfig(AccountId Sender, long Timestamp, short Namespace) : IncomingMessage(Sender, Timestamp, Sender);
