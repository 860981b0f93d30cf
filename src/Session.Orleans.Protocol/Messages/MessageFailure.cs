namespace Session.Orleans.Protocol.Messages;

/// <summary>Why a stored message was not accepted: the first check that failed, in their order (messages.md, 11).</summary>
public enum MessageFailure
{
    /// <summary>It was accepted.</summary>
    None,

    /// <summary>The data are not base64.</summary>
    Base64,

    /// <summary>The outermost message is malformed.</summary>
    WebSocketParse,

    /// <summary>The outermost message is no request.</summary>
    WebSocketType,

    /// <summary>The outermost message is empty.</summary>
    WebSocketBody,

    /// <summary>The envelope is malformed, or its <c>proSig</c> has not 64 bytes.</summary>
    EnvelopeParse,

    /// <summary>The envelope is of another kind than its namespace's.</summary>
    EnvelopeType,

    /// <summary>The envelope is empty.</summary>
    EnvelopeContent,

    /// <summary>There is no room for a message beside key and signature.</summary>
    TooShort,

    /// <summary>Sealed for somebody else, or altered.</summary>
    SealOpen,

    /// <summary>The sender's signature does not verify for this recipient.</summary>
    Signature,

    /// <summary>The sender's key has no X25519 form, so that no Session ID belongs to it.</summary>
    SenderKey,

    /// <summary>Nothing but zeros.</summary>
    Padding,

    /// <summary>The content is malformed.</summary>
    ContentParse,

    /// <summary>The signed time and that of the envelope differ: a replay under another time.</summary>
    SignatureTimestamp,

    /// <summary>A copy for the sender's own devices that comes from somebody else.</summary>
    SyncNotFromSelf,

    /// <summary>Somebody wants another one's message unsent.</summary>
    UnsendAuthor,

    /// <summary>A typing indicator whose own time differs from the envelope's.</summary>
    TypingTimestamp,

    /// <summary>None of the group's keys opens it.</summary>
    GroupKey,

    /// <summary>What the group's key opened is no group message.</summary>
    GroupParse,
}
