using System.Runtime.CompilerServices;
using Session.Orleans.Protocol.Attachments;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Groups;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Messages;
using Session.Orleans.Protocol.Messages.Wire;

namespace Session.Orleans.Client;

/// <content>Polling, and what arrives (messages.md, 10 and 11).</content>
public sealed partial class SessionClient
{
    private const int RememberedMessages = 4096;

    private readonly Queue<MessageId> _receivedOrder = new();
    private readonly HashSet<MessageId> _received = [];

    /// <summary>
    /// Everything that arrives, for as long as it is enumerated: polls one's own swarm and the groups one is in, again and again. A round
    /// that fails is told to <see cref="SessionClientOptions.PollFailed"/> and followed by the next, which brings what was missed.
    /// </summary>
    /// <param name="cancellationToken">Ends the enumeration with <see cref="OperationCanceledException"/>.</param>
    public async IAsyncEnumerable<IncomingMessage> IncomingAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        while (true)
        {
            foreach (var message in await TryPollAsync(PollAsync, cancellationToken).ConfigureAwait(false))
                yield return message;
            foreach (var group in Groups)
            {
                foreach (var message in await TryPollAsync(group.PollAsync, cancellationToken).ConfigureAwait(false))
                    yield return message;
            }

            await Task.Delay(_options.PollInterval, Network.Time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>One round of polling of one's own swarm. Groups have their own: <see cref="SessionGroup.PollAsync"/>.</summary>
    /// <returns>What is new, in the order in which it was stored; configs first, and merged already.</returns>
    /// <exception cref="SessionClientException">No member of the swarm answered.</exception>
    public async Task<IReadOnlyList<IncomingMessage>> PollAsync(CancellationToken cancellationToken = default)
    {
        var result = await _poller.PollAsync(StoredConfigs, cancellationToken).ConfigureAwait(false);
        var messages = new List<IncomingMessage>();
        MergeConfigs(result.Entries, messages);
        foreach (var entry in result.Entries.Where(entry => entry.Namespace == 0))
        {
            if (DirectMessage.TryDecode(Identity.Keys, entry.Data.Span, out var content, out _) && Accept(content) is { } message)
                messages.Add(message with { Hash = entry.Hash, ExpiresMs = entry.ExpiresMs });
        }

        if (HasPendingConfigs)
            await PushConfigsAsync(cancellationToken).ConfigureAwait(false);
        return messages;
    }

    private async Task<IReadOnlyList<IncomingMessage>> TryPollAsync(
        Func<CancellationToken, Task<IReadOnlyList<IncomingMessage>>> poll, CancellationToken cancellationToken)
    {
        try
        {
            return await poll(cancellationToken).ConfigureAwait(false);
        }
        catch (SessionClientException exception)
        {
            _options.PollFailed?.Invoke(exception);
            return [];
        }
    }

    private IncomingMessage? Accept(ReceivedContent received)
    {
        // Steps 8 to 11: who is blocked, what is a duplicate, what it is.
        var content = received.Content;
        if (IsBlocked(received.Sender) && content.DataMessage?.GroupUpdate?.Promote is null)
            return null;
        var isReaction = content.DataMessage is { Reaction: not null };
        if (!isReaction && !IsFirst(new(received.Sender, received.Timestamp), content.DataMessage is not null))
            return null;
        return Interpret(received, received.Sender == Id && content.DataMessage is { HasSyncTarget: true } data
            && AccountId.TryParse(data.SyncTarget, out var target) ? target : received.Sender);
    }

    /// <summary>From content to what a user sees; null for what is to be ignored.</summary>
    internal IncomingMessage? Interpret(ReceivedContent received, AccountId conversation)
    {
        var (content, sender, timestamp) = (received.Content, received.Sender, received.Timestamp);
        if (content.DataMessage is { } data)
            return InterpretData(data, content, sender, timestamp, conversation);
        if (content.ReceiptMessage is { } receipt)
        {
            return receipt.Type is ReceiptMessage.Types.Type.Read
                ? new IncomingReceipt(sender, timestamp, conversation, [.. receipt.Timestamp.Select(time => (long)time)]) : null;
        }

        if (content.TypingMessage is { } typing)
            return new IncomingTyping(sender, timestamp, conversation, typing.Action is TypingMessage.Types.Action.Started);
        if (content.DataExtraction is { } extraction)
        {
            return new IncomingExtraction(
                sender, timestamp, conversation, extraction.Type is DataExtractionNotification.Types.Type.MediaSaved ? (long)extraction.Timestamp : null);
        }

        if (content.UnsendRequest is { } unsend)
            return new IncomingUnsend(sender, timestamp, conversation, new(sender, (long)unsend.Timestamp));
        if (content.CallMessage is { } call)
            return new IncomingCall(sender, timestamp, conversation, (int)call.Type, call.Uuid, [.. call.Sdps]);
        if (content.RequestResponse is { IsApproved: true } response)
        {
            MarkApprovedMe(sender, response.Profile);
            return new IncomingAcceptance(sender, timestamp, conversation, NameOf(response.Profile));
        }

        return null;
    }

    internal static Expiration GetExpiration(Content content) => new(
        content.ExpirationType switch
        {
            Content.Types.ExpirationType.DeleteAfterRead => ExpirationMode.AfterRead,
            Content.Types.ExpirationType.DeleteAfterSend => ExpirationMode.AfterSend,
            _ => ExpirationMode.Off,
        },
        TimeSpan.FromSeconds(content.ExpirationTimer));

    private IncomingMessage? InterpretData(DataMessage data, Content content, AccountId sender, long timestamp, AccountId conversation)
    {
        if (data.GroupUpdate is { } update)
            return InterpretGroupUpdate(update, sender, timestamp);
        if (data.Flags == DataFlags.ExpirationTimerUpdate)
        {
            var expiration = GetExpiration(content);
            SetContactExpiration(conversation, expiration);
            return new IncomingTimerChange(sender, timestamp, conversation, expiration);
        }

        if (data.Reaction is { } reaction)
        {
            return AccountId.TryParse(reaction.Author, out var author)
                ? new IncomingReaction(sender, timestamp, conversation, new(author, (long)reaction.Id), reaction.Emoji, reaction.Action is Reaction.Types.Action.Remove)
                : null;
        }

        if (!data.HasBody && data.Attachments.Count == 0 && data.Quote is null && data.Preview.Count == 0 && data.CommunityInvitation is null)
            return null;
        LearnProfile(sender, data.Profile, data.ProfileKey.Memory);
        return new IncomingText(sender, timestamp, conversation, data.Body)
        {
            Attachments = [.. data.Attachments.Select(ToAttachment).OfType<SessionAttachment>()],
            Quote = data.Quote is { } quote && AccountId.TryParse(quote.Author, out var quoted) ? new(quoted, (long)quote.Id) : null,
            Expiration = GetExpiration(content),
            SenderName = NameOf(data.Profile),
            IsRequest = conversation.Prefix == AccountId.SessionPrefix && sender != Id && !IsApproved(sender),
        };
    }

    // Invitations and promotions come one-to-one; everything else about groups inside the group.
    private IncomingMessage? InterpretGroupUpdate(GroupUpdateMessage update, AccountId sender, long timestamp)
    {
        if (update.Invite is { } invite)
        {
            return AccountId.TryParse(invite.GroupId, out var group) && group.Prefix == AccountId.GroupPrefix
                && Ed25519.Verify(group.Key.AsSpan(), GroupSignature.Invite(Id, timestamp), invite.AdminSignature.Span)
                && GroupAuthData.TryParse(invite.MemberAuthData.Span, group, Id, out var data)
                ? new IncomingInvitation(sender, timestamp, group, invite.Name, data) : null;
        }

        if (update.Promote is { GroupSeed.Length: Ed25519.SeedLength } promote)
        {
            var keys = new Ed25519KeyPair(promote.GroupSeed.Span);
            return new IncomingPromotion(sender, timestamp, new(AccountId.GroupPrefix, keys.PublicKey.Value), promote.Name, keys);
        }

        return null;
    }

    private static SessionAttachment? ToAttachment(AttachmentPointer pointer) =>
        pointer is { HasUrl: true, Size: > 0 } && FileUrl.TryParse(pointer.Url, out var url)
            ? new(url, pointer.Key.ToByteArray(), pointer.Digest.ToByteArray(), pointer.Size)
            {
                ContentType = pointer.ContentType,
                FileName = pointer.FileName,
                IsVoiceMessage = pointer.Flags == 1,
            }
            : null;

    private static string? NameOf(Profile? profile) => profile is { DisplayName.Length: > 0 } ? profile.DisplayName : null;

    // What is no visible message is harmless when it comes twice, and its time need not be its own.
    private bool IsFirst(MessageId id, bool isData)
    {
        if (!isData)
            return true;
        if (!_received.Add(id))
            return false;
        _receivedOrder.Enqueue(id);
        if (_receivedOrder.Count > RememberedMessages)
            _ = _received.Remove(_receivedOrder.Dequeue());
        return true;
    }
}
