using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Google.Protobuf;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Messages.Wire;

namespace Session.Orleans.Protocol.Messages;

/// <summary>A content with what is proven about it.</summary>
/// <param name="Sender">The verified sender.</param>
/// <param name="Timestamp">The envelope's time, unix ms: with the sender, the message's identity.</param>
/// <param name="ContentBytes">The content as it was signed, without padding.</param>
public sealed record ReceivedContent(AccountId Sender, long Timestamp, ReadOnlyMemory<byte> ContentBytes)
{
    /// <summary>The parsed content.</summary>
    internal Content Content { get; init; } = new();
}

/// <summary>All layers of a one-to-one message between its content and the bytes that are stored in namespace 0 (messages.md, 1 to 6 and 11).</summary>
public static class DirectMessage
{
    /// <summary>Longest attachment list a receiver accepts.</summary>
    public const int MaxAttachments = 32;

    /// <summary>From the bytes of a content to the data of a store request.</summary>
    /// <param name="sender">Who signs.</param>
    /// <param name="recipient">Whose mailbox it goes to; a Session ID.</param>
    /// <param name="content">The serialised content.</param>
    /// <param name="timestamp">The message's time, unix ms, also inside the content.</param>
    /// <exception cref="ArgumentException">The recipient is no Session ID or its key has small order.</exception>
    public static byte[] Encode(Ed25519KeyPair sender, AccountId recipient, ReadOnlySpan<byte> content, long timestamp)
    {
        if (recipient.Prefix != AccountId.SessionPrefix)
            throw new ArgumentException("Only a Session ID can get a one-to-one message.", nameof(recipient));
        Span<byte> decoy = stackalloc byte[Ed25519.SignatureLength];
        CreateDecoySignature(decoy);
        var @sealed = SessionSeal.Seal(sender, new X25519PublicKey(recipient.Key), MessagePadding.Pad(content));
        return Wrap(@sealed, timestamp, decoy);
    }

    /// <summary>From stored data to the content, with every check of messages.md, 11 that needs no memory of earlier messages.</summary>
    /// <param name="recipient">The recipient's keys.</param>
    /// <param name="data">The decoded data of a retrieved message.</param>
    /// <param name="message">What was received.</param>
    /// <param name="failure">The first check that failed, if the answer is false.</param>
    public static bool TryDecode(
        Ed25519KeyPair recipient, ReadOnlySpan<byte> data, [NotNullWhen(true)] out ReceivedContent? message, out MessageFailure failure)
    {
        message = null;
        if (!TryUnwrap(data, out var @sealed, out var timestamp, out failure)
            || !SessionSeal.TryOpen(recipient.X25519, @sealed, out var opened, out failure))
            return false;
        failure = MessageFailure.Padding;
        if (!MessagePadding.TryUnpad(opened.Padded, out var length))
            return false;
        return TryReadContent(opened.Padded.AsMemory(0, length), opened.SenderId, recipient.SessionId, timestamp, out message, out failure);
    }

    /// <summary>The same from the base64 text of a reply.</summary>
    public static bool TryDecodeBase64(
        Ed25519KeyPair recipient, string data, [NotNullWhen(true)] out ReceivedContent? message, out MessageFailure failure)
    {
        message = null;
        failure = MessageFailure.Base64;
        var bytes = new byte[(data.Length + 3) / 4 * 3];
        return Convert.TryFromBase64String(data, bytes, out var written) && TryDecode(recipient, bytes.AsSpan(0, written), out message, out failure);
    }

    /// <summary>Puts sealed bytes into envelope and outermost message.</summary>
    internal static byte[] Wrap(ReadOnlySpan<byte> @sealed, long timestamp, ReadOnlySpan<byte> proSignature)
    {
        var envelope = new Envelope
        {
            Type = Envelope.Types.Type.SessionMessage,
            Timestamp = (ulong)timestamp,
            Content = ByteString.CopyFrom(@sealed),
        };
        if (!proSignature.IsEmpty)
        {
            envelope.SourceDevice = 1;
            envelope.ProSignature = ByteString.CopyFrom(proSignature);
        }

        return new WebSocketMessage
        {
            Type = WebSocketMessage.Types.Type.Request,
            Request = new() { Verb = "", Path = "", Body = envelope.ToByteString(), Id = 0 },
        }.ToByteArray();
    }

    /// <summary>Takes the sealed bytes out of outermost message and envelope.</summary>
    internal static bool TryUnwrap(ReadOnlySpan<byte> data, out ReadOnlySpan<byte> @sealed, out long timestamp, out MessageFailure failure)
    {
        @sealed = default;
        timestamp = 0;
        failure = MessageFailure.WebSocketParse;
        if (!WireParser.TryParse(WebSocketMessage.Parser, data, out var outer))
            return false;
        failure = MessageFailure.WebSocketType;
        if (outer.Type is not WebSocketMessage.Types.Type.Request)
            return false;
        failure = MessageFailure.WebSocketBody;
        if (outer.Request is not { HasBody: true, Body.IsEmpty: false } request)
            return false;
        if (!TryParseEnvelope(request.Body.Span, Envelope.Types.Type.SessionMessage, out var envelope, out failure))
            return false;
        timestamp = (long)envelope.Timestamp;
        @sealed = envelope.Content.Span;
        return true;
    }

    internal static bool TryParseEnvelope(
        ReadOnlySpan<byte> bytes, Envelope.Types.Type type, [NotNullWhen(true)] out Envelope? envelope, out MessageFailure failure)
    {
        failure = MessageFailure.EnvelopeParse;
        if (!WireParser.TryParse(Envelope.Parser, bytes, out envelope)
            || envelope is { HasProSignature: true, ProSignature.Length: not Ed25519.SignatureLength })
            return false;
        failure = MessageFailure.EnvelopeType;
        if (envelope.Type != type)
            return false;
        failure = MessageFailure.EnvelopeContent;
        return envelope is { HasContent: true, Content.IsEmpty: false };
    }

    /// <summary>The checks from step 6 on, which group messages share.</summary>
    internal static bool TryReadContent(
        ReadOnlyMemory<byte> bytes, AccountId sender, AccountId self, long timestamp, [NotNullWhen(true)] out ReceivedContent? message,
        out MessageFailure failure)
    {
        message = null;
        failure = MessageFailure.ContentParse;
        if (!WireParser.TryParse(Wire.Content.Parser, bytes.Span, out var content)
            || content.DataMessage is { } data && (data.Attachments.Count > MaxAttachments || data.Flags is not (0 or DataFlags.ExpirationTimerUpdate)))
            return false;
        failure = MessageFailure.SignatureTimestamp;
        if (content.SignatureTimestamp != 0 && content.SignatureTimestamp != (ulong)timestamp)
            return false;
        failure = MessageFailure.SyncNotFromSelf;
        if (content.DataMessage is { HasSyncTarget: true } && sender != self)
            return false;
        failure = MessageFailure.UnsendAuthor;
        if (content.UnsendRequest is { } unsend && !(AccountId.TryParse(unsend.Author, out var author) && author == sender))
            return false;
        failure = MessageFailure.TypingTimestamp;
        if (content.TypingMessage is { } typing && typing.Timestamp != (ulong)timestamp)
            return false;
        failure = MessageFailure.None;
        message = new(sender, timestamp, bytes) { Content = content };
        return true;
    }

    /// <summary>
    /// A well-formed signature that verifies nothing. Subscribers sign here; a sender with nothing to sign must look the same.
    /// </summary>
    internal static void CreateDecoySignature(Span<byte> signature)
    {
        Span<byte> noise = stackalloc byte[Ed25519.SeedLength];
        RandomNumberGenerator.Fill(noise);
        new Ed25519KeyPair(noise).Sign(noise, signature);
    }
}

/// <summary>Values of <c>DataMessage.flags</c>.</summary>
internal static class DataFlags
{
    public const uint ExpirationTimerUpdate = 2;
}

/// <summary>Parsing of protobuf without exceptions.</summary>
internal static class WireParser
{
    /// <summary>False for malformed bytes and missing required fields.</summary>
    public static bool TryParse<T>(MessageParser<T> parser, ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out T? message)
        where T : IMessage<T>
    {
        try
        {
            message = parser.ParseFrom(bytes);
            return true;
        }
        catch (InvalidProtocolBufferException)
        {
            message = default;
            return false;
        }
    }
}
