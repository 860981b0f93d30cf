using System.Collections.Immutable;
using Google.Protobuf;
using Session.Orleans.Protocol.Attachments;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Messages;
using Session.Orleans.Protocol.Messages.Wire;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Client;

/// <summary>Settings of one account's client.</summary>
public sealed record SessionClientOptions
{
    /// <summary>Pause between the end of a round of polling and the next; clients use 5 s.</summary>
    public TimeSpan PollInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Whether a copy of each sent message is stored for one's other devices.</summary>
    public bool SyncToSelf { get; init; } = true;

    /// <summary>
    /// Told of a round of polling that failed while <see cref="SessionClient.IncomingAsync"/> goes on; null: nobody. What was missed comes
    /// with a later round.
    /// </summary>
    public Action<SessionClientException>? PollFailed { get; init; }

    /// <summary>Where files go; null if none are sent or read.</summary>
    public FileServer? FileServer { get; init; }
}

/// <summary>A visible message to send.</summary>
public sealed record OutgoingMessage
{
    /// <summary>Longest text, in characters.</summary>
    public const int MaxBodyLength = 2000;

    /// <summary>The text.</summary>
    public string Body { get; init; } = "";

    /// <summary>Files, at most 32, from <see cref="SessionClient.UploadAsync"/>.</summary>
    public ImmutableArray<SessionAttachment> Attachments { get; init; } = [];

    /// <summary>The message that it answers.</summary>
    public MessageId? Quote { get; init; }

    /// <summary>The timer; null for the conversation's own.</summary>
    public Expiration? Expiration { get; init; }
}

/// <summary>A message that a swarm has confirmed.</summary>
/// <param name="Id">What others name it by.</param>
/// <param name="Conversation">Where it was sent.</param>
/// <param name="Hash">Its hash in the recipient's swarm, 43 characters.</param>
/// <param name="SyncHash">The hash of the copy in one's own swarm; null if there is none.</param>
public sealed record SentMessage(MessageId Id, AccountId Conversation, string Hash, string? SyncHash);

/// <summary>
/// An account at work: sends, polls, keeps its configs. Many clients share one <see cref="SessionNetwork"/>; a client holds little more than
/// its keys and what it has seen. Sending is safe for concurrent use; poll from one place at a time.
/// </summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001", Justification = "A semaphore whose wait handle is not used holds nothing to dispose of.")]
public sealed partial class SessionClient
{
    private const long MessageTtlMs = StorageLimits.MaxTtlPublicInboxMs;
    private const long TypingTtlMs = 20_000;
    private const int MaxAttachments = DirectMessage.MaxAttachments;

    private static readonly ImmutableArray<short> Namespaces = [0, 2, 3, 5, 4];

    private readonly SessionClientOptions _options;
    private readonly FileServerClient? _files;
    private readonly SwarmPoller _poller;
    private long _lastTimestamp;

    /// <summary>A client for an account.</summary>
    /// <param name="network">The network; not owned.</param>
    /// <param name="identity">The account.</param>
    /// <param name="options">Settings; null for the defaults.</param>
    public SessionClient(SessionNetwork network, SessionIdentity identity, SessionClientOptions? options = null)
    {
        Network = network;
        Identity = identity;
        _options = options ?? new();
        _files = _options.FileServer is { } server ? new(network, server) : null;
        _poller = new(network, identity.Id, request => request.SignWith(identity.Keys), Namespaces, important: 0);
    }

    /// <summary>The network.</summary>
    public SessionNetwork Network { get; }

    /// <summary>The account.</summary>
    public SessionIdentity Identity { get; }

    /// <summary>The account's Session ID.</summary>
    public AccountId Id => Identity.Id;

    /// <summary>Sends a text.</summary>
    /// <param name="to">A Session ID; one's own for a note.</param>
    /// <param name="text">1..2000 characters.</param>
    /// <param name="cancellationToken">Ends the wait. The message may be stored all the same.</param>
    /// <exception cref="SessionClientException">No member of the recipient's swarm confirmed it.</exception>
    public Task<SentMessage> SendTextAsync(AccountId to, string text, CancellationToken cancellationToken = default) =>
        SendAsync(to, new OutgoingMessage { Body = text }, cancellationToken);

    /// <summary>Sends a message: stores it in the recipient's swarm, then a copy in one's own (messages.md, 9.1 and 9.2).</summary>
    /// <inheritdoc cref="SendTextAsync(AccountId, string, CancellationToken)"/>
    /// <param name="to">A Session ID; one's own for a note.</param>
    /// <param name="message">What to send.</param>
    /// <param name="cancellationToken">Ends the wait. The message may be stored all the same.</param>
    public async Task<SentMessage> SendAsync(AccountId to, OutgoingMessage message, CancellationToken cancellationToken = default)
    {
        ThrowIfEmpty(message);
        var sent = await SendSyncedAsync(to, CreateData(message), message.Expiration ?? GetExpiration(to), cancellationToken).ConfigureAwait(false);
        Approve(to);
        return sent;
    }

    /// <summary>Reacts to a message, or takes a reaction back.</summary>
    public Task<SentMessage> ReactAsync(AccountId to, MessageId target, string emoji, bool remove = false, CancellationToken cancellationToken = default) =>
        SendSyncedAsync(to, CreateReaction(target, emoji, remove), GetExpiration(to), cancellationToken);

    /// <summary>Sets a conversation's timer, which is a message itself and sent under the new setting.</summary>
    public async Task<SentMessage> SetExpirationAsync(AccountId to, Expiration expiration, CancellationToken cancellationToken = default)
    {
        var sent = await SendSyncedAsync(to, new DataMessage { Flags = DataFlags.ExpirationTimerUpdate }, expiration, cancellationToken).ConfigureAwait(false);
        SetContactExpiration(to, expiration);
        return sent;
    }

    /// <summary>
    /// Unsends a message of one's own (messages.md, 9.6): deletes the copy in one's own swarm and asks the recipient to delete its. Nobody can
    /// delete what is in another one's swarm.
    /// </summary>
    public async Task UnsendAsync(SentMessage message, CancellationToken cancellationToken = default)
    {
        if (message.SyncHash is { } hash)
            await DeleteAsync([hash], cancellationToken).ConfigureAwait(false);
        var request = new UnsendRequest { Timestamp = (ulong)message.Id.Timestamp, Author = Id.ToString() };
        var timestamp = NextTimestamp();
        var content = new Content { UnsendRequest = request, SignatureTimestamp = (ulong)timestamp }.ToByteArray();
        if (message.Conversation != Id)
            _ = await StoreDirectAsync(message.Conversation, content, timestamp, MessageTtlMs, cancellationToken).ConfigureAwait(false);
        if (_options.SyncToSelf)
            _ = await StoreDirectAsync(Id, content, timestamp, MessageTtlMs, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Says that messages were read, if wished to their sender, and starts the timer of those that disappear after reading by shortening their
    /// life in one's own swarm.
    /// </summary>
    /// <param name="messages">Messages of one conversation.</param>
    /// <param name="tellSender">Whether to send a receipt.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task MarkReadAsync(IReadOnlyCollection<IncomingText> messages, bool tellSender = true, CancellationToken cancellationToken = default)
    {
        var incoming = messages.Where(message => message.Sender != Id && message.Conversation == message.Sender).ToArray();
        foreach (var conversation in incoming.GroupBy(message => message.Sender))
        {
            if (tellSender && IsApproved(conversation.Key))
            {
                var receipt = new ReceiptMessage { Type = ReceiptMessage.Types.Type.Read };
                receipt.Timestamp.AddRange(conversation.Select(message => (ulong)message.Timestamp));
                var timestamp = NextTimestamp();
                var content = new Content { ReceiptMessage = receipt, SignatureTimestamp = (ulong)timestamp }.ToByteArray();
                _ = await StoreDirectAsync(conversation.Key, content, timestamp, MessageTtlMs, cancellationToken).ConfigureAwait(false);
            }

            MarkConversationRead(conversation.Key, conversation.Max(message => message.Timestamp));
        }

        // One request per expiry, at most 20 of them at a time.
        var timers = incoming.Where(message => message.Expiration is { Mode: ExpirationMode.AfterRead, Timer.Ticks: > 0 } && message.Hash.Length > 0)
            .GroupBy(message => message.Expiration.Timer).ToArray();
        foreach (var group in timers.Chunk(StorageLimits.MaxBatchRequests))
        {
            await Network.SendAsync(
                Id,
                (now, _) => group.Select(timer => new ExpireRequest
                {
                    Account = Id,
                    Messages = [.. ConfigState.ToTexts(timer.Select(message => message.Hash))],
                    Expiries = [now + (long)timer.Key.TotalMilliseconds],
                    Shorten = true,
                }.SignWith(Identity.Keys)),
                inOrder: false, cancellationToken: cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Tells an approved contact that one types, or stopped. Sent once, not synced, forgotten after 20 s.</summary>
    public Task SetTypingAsync(AccountId to, bool isTyping, CancellationToken cancellationToken = default)
    {
        var timestamp = NextTimestamp();
        var content = new Content
        {
            TypingMessage = new()
            {
                Timestamp = (ulong)timestamp,
                Action = isTyping ? TypingMessage.Types.Action.Started : TypingMessage.Types.Action.Stopped,
            },
            SignatureTimestamp = (ulong)timestamp,
        };
        return StoreDirectAsync(to, content.ToByteArray(), timestamp, TypingTtlMs, cancellationToken);
    }

    /// <summary>Accepts a message request: tells the sender and approves it as a contact. Declining sends nothing.</summary>
    public async Task AcceptRequestAsync(AccountId from, CancellationToken cancellationToken = default)
    {
        var timestamp = NextTimestamp();
        var response = new MessageRequestResponse { IsApproved = true, Profile = CreateProfile() };
        if (ProfileKey is { Length: > 0 } key)
            response.ProfileKey = ByteString.CopyFrom(key.Span);
        var content = new Content { RequestResponse = response, SignatureTimestamp = (ulong)timestamp };
        _ = await StoreDirectAsync(from, content.ToByteArray(), timestamp, MessageTtlMs, cancellationToken).ConfigureAwait(false);
        Approve(from);
    }

    /// <summary>Tells the other side that a file of its message was saved.</summary>
    public Task NotifySavedAsync(IncomingText message, CancellationToken cancellationToken = default)
    {
        var timestamp = NextTimestamp();
        var expiration = GetExpiration(message.Sender);
        // Such a notice can't be timed from its sending: nobody would see it.
        if (expiration.Mode is ExpirationMode.AfterSend)
            expiration = expiration with { Mode = ExpirationMode.AfterRead };
        var content = new Content
        {
            DataExtraction = new() { Type = DataExtractionNotification.Types.Type.MediaSaved, Timestamp = (ulong)message.Timestamp },
            SignatureTimestamp = (ulong)timestamp,
        };
        SetExpiration(content, expiration);
        return StoreDirectAsync(message.Sender, content.ToByteArray(), timestamp, MessageTtlMs, cancellationToken);
    }

    /// <summary>Encrypts and uploads a file for a message. Deterministic encryption gives the same file the same place.</summary>
    /// <param name="file">The file.</param>
    /// <param name="fileName">Its name.</param>
    /// <param name="contentType">Its MIME type.</param>
    /// <param name="deterministic">False for the encryption that every client reads.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="InvalidOperationException">The client was made without a file server.</exception>
    /// <exception cref="SessionClientException">The server refused it or can't be reached.</exception>
    public async Task<SessionAttachment> UploadAsync(
        ReadOnlyMemory<byte> file, string fileName, string contentType, bool deterministic = false, CancellationToken cancellationToken = default)
    {
        var server = _files ?? throw new InvalidOperationException("The client knows no file server.");
        if (deterministic)
        {
            var (upload, key) = DeterministicEncryption.Encrypt(file.Span, Identity.Keys.SecretKey[..Ed25519.SeedLength]);
            var stored = await server.UploadAsync(upload, deterministic: true, cancellationToken).ConfigureAwait(false);
            return new(stored.Url, key, default, (uint)file.Length) { FileName = fileName, ContentType = contentType };
        }

        var encrypted = AttachmentEncryption.Encrypt(file.Span);
        var uploaded = await server.UploadAsync(encrypted.Upload, deterministic: false, cancellationToken).ConfigureAwait(false);
        return new(uploaded.Url, encrypted.Key, encrypted.Digest, (uint)encrypted.Size) { FileName = fileName, ContentType = contentType };
    }

    /// <summary>Downloads, verifies and decrypts a file of a message.</summary>
    /// <exception cref="InvalidOperationException">The client was made without a file server.</exception>
    /// <exception cref="SessionClientException">The file is gone, or not the one that the message means.</exception>
    public async Task<byte[]> DownloadAsync(SessionAttachment attachment, CancellationToken cancellationToken = default)
    {
        var server = _files ?? throw new InvalidOperationException("The client knows no file server.");
        var upload = await server.DownloadAsync(attachment.Url, cancellationToken).ConfigureAwait(false);
        byte[]? file;
        AttachmentFailure failure;
        var valid = attachment.Url.IsDeterministic
            ? DeterministicEncryption.TryDecrypt(upload.Span, attachment.Key.Span, out file, out failure)
            : AttachmentEncryption.TryDecrypt(upload.Span, attachment.Key.Span, attachment.Digest.Span, attachment.Size, out file, out failure);
        return valid ? file! : throw new SessionClientException($"The file is not the one that the message means ({failure}).");
    }

    /// <summary>Deletes messages from one's own swarm.</summary>
    /// <param name="hashes">Their hashes; at least one.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public Task DeleteAsync(IReadOnlyCollection<string> hashes, CancellationToken cancellationToken = default) => Network.SendAsync(
        Id, (_, _) => [new DeleteRequest { Account = Id, Messages = [.. ConfigState.ToTexts(hashes)] }.SignWith(Identity.Keys)], inOrder: true,
        cancellationToken: cancellationToken);

    /// <summary>A time that no other message of this client has: two with one time would count as one.</summary>
    internal long NextTimestamp()
    {
        while (true)
        {
            var last = Interlocked.Read(ref _lastTimestamp);
            var next = Math.Max(last + 1, Network.Clock.NowMs);
            if (Interlocked.CompareExchange(ref _lastTimestamp, next, last) == last)
                return next;
        }
    }

    internal static DataMessage CreateReaction(MessageId target, string emoji, bool remove) => new()
    {
        Reaction = new()
        {
            Id = (ulong)target.Timestamp,
            Author = target.Author.ToString(),
            Emoji = emoji,
            Action = remove ? Reaction.Types.Action.Remove : Reaction.Types.Action.React,
        },
    };

    internal static DataMessage CreateData(OutgoingMessage message)
    {
        var data = new DataMessage();
        if (message.Body.Length > 0)
            data.Body = message.Body;
        foreach (var attachment in message.Attachments)
            data.Attachments.Add(ToPointer(attachment));
        if (message.Quote is { } quote)
            data.Quote = new() { Id = (ulong)quote.Timestamp, Author = quote.Author.ToString() };
        return data;
    }

    internal static void ThrowIfEmpty(OutgoingMessage message)
    {
        if (message.Body.Length == 0 && message.Attachments.IsEmpty)
            throw new ArgumentException("A message needs a text or a file.", nameof(message));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(message.Body.Length, OutgoingMessage.MaxBodyLength);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(message.Attachments.Length, MaxAttachments);
    }

    internal static void SetExpiration(Content content, Expiration expiration)
    {
        content.ExpirationType = expiration.Mode switch
        {
            ExpirationMode.AfterRead => Content.Types.ExpirationType.DeleteAfterRead,
            ExpirationMode.AfterSend => Content.Types.ExpirationType.DeleteAfterSend,
            _ => Content.Types.ExpirationType.None,
        };
        content.ExpirationTimer = (uint)expiration.Timer.TotalSeconds;
    }

    /// <summary>The profile as it is sent with messages; recipients learn one's name only this way.</summary>
    internal void AddProfile(DataMessage data)
    {
        if (CreateProfile() is not { } profile)
            return;
        data.Profile = profile;
        if (ProfileKey is { Length: > 0 } key)
            data.ProfileKey = ByteString.CopyFrom(key.Span);
    }

    private async Task<SentMessage> SendSyncedAsync(AccountId to, DataMessage data, Expiration expiration, CancellationToken cancellationToken)
    {
        var timestamp = NextTimestamp();
        var content = new Content { DataMessage = data, SignatureTimestamp = (ulong)timestamp };
        SetExpiration(content, expiration);
        string? hash = null;
        if (to != Id)
        {
            AddProfile(data);
            var ttl = expiration.Mode is ExpirationMode.AfterSend ? TtlOf(expiration) : MessageTtlMs;
            hash = await StoreDirectAsync(to, content.ToByteArray(), timestamp, ttl, cancellationToken).ConfigureAwait(false);
            if (!_options.SyncToSelf)
                return new(new(Id, timestamp), to, hash, null);
        }

        data.ClearProfileKey();
        data.Profile = null;
        data.SyncTarget = to.ToString();
        var syncTtl = expiration.Mode is ExpirationMode.Off ? MessageTtlMs : TtlOf(expiration);
        var syncHash = await StoreDirectAsync(Id, content.ToByteArray(), timestamp, syncTtl, cancellationToken).ConfigureAwait(false);
        return new(new(Id, timestamp), to, hash ?? syncHash, syncHash);
    }

    private static long TtlOf(Expiration expiration) =>
        Math.Clamp((long)expiration.Timer.TotalMilliseconds, StorageLimits.MinTtlMs, MessageTtlMs);

    /// <summary>Stores a content in namespace 0 of an account and returns its hash.</summary>
    internal Task<string> StoreDirectAsync(AccountId to, ReadOnlyMemory<byte> content, long timestamp, long ttlMs, CancellationToken cancellationToken)
    {
        // Sealed once: a repeated attempt stores the same bytes, so that a lost reply does not make a second message.
        var data = DirectMessage.Encode(Identity.Keys, to, content.Span, timestamp);
        return StoreAsync(to, 0, data, ttlMs, cancellationToken);
    }

    private async Task<string> StoreAsync(AccountId to, short space, byte[] data, long ttlMs, CancellationToken cancellationToken)
    {
        var hash = MessageHash.Compute(to, space, data).ToString();
        var answer = await Network.SendAsync(
            to,
            (now, _) => [new StoreRequest { Account = to, Namespace = space, Timestamp = now, Expiry = now + ttlMs, Data = data }],
            inOrder: true, accept: answer => answer.Results[0].Status != 200 || Confirms(answer.Results[0], hash), cancellationToken: cancellationToken).ConfigureAwait(false);
        ThrowIfRefused(answer.Results[0], "The message");
        if (to == Id)
            _poller.MarkSeen(hash, Network.Clock.NowMs + ttlMs);
        return hash;
    }

    /// <summary>True if the answer or any member names the hash.</summary>
    internal static bool Confirms(StorageResult result, string hash)
    {
        if (result.Body.TryText("hash", out var given))
            return given == hash;
        return result.Body.ValueKind is System.Text.Json.JsonValueKind.Object && result.Body.TryGetProperty("swarm", out var swarm)
            && swarm.ValueKind is System.Text.Json.JsonValueKind.Object
            && swarm.EnumerateObject().Any(member => member.Value.TryText("hash", out var said) && said == hash);
    }

    internal static void ThrowIfRefused(StorageResult result, string what)
    {
        if (result.Status != 200)
            throw new SessionClientException($"{what} was refused ({result.Status}): {result.Text}", result.Status);
    }

    private static AttachmentPointer ToPointer(SessionAttachment attachment)
    {
        var pointer = new AttachmentPointer
        {
            DeprecatedId = attachment.Url.DeprecatedId,
            ContentType = attachment.ContentType,
            Key = ByteString.CopyFrom(attachment.Key.Span),
            Size = attachment.Size,
            Url = attachment.Url.ToString(),
        };
        if (!attachment.Digest.IsEmpty)
            pointer.Digest = ByteString.CopyFrom(attachment.Digest.Span);
        if (attachment.FileName.Length > 0)
            pointer.FileName = attachment.FileName;
        if (attachment.IsVoiceMessage)
            pointer.Flags = 1;
        return pointer;
    }
}
