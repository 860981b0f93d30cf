using System.Collections.ObjectModel;
using System.Text.Json;
using Google.Protobuf;
using Session.Orleans.Client;
using Session.Orleans.Load.Ledger;
using Session.Orleans.Load.Network;
using Session.Orleans.Load.Plan;
using Session.Orleans.Load.Results;
using Session.Orleans.Protocol.Attachments;
using Session.Orleans.Protocol.Groups;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Messages;
using Session.Orleans.Protocol.Messages.Wire;
using Session.Orleans.Protocol.Onion;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Load.Users;

/// <summary>What users do: send and poll, as clients do it (messages.md, 9 and 10), with everything taken down. Safe for concurrent use.</summary>
/// <param name="plan">How they do it.</param>
/// <param name="network">Where.</param>
/// <param name="population">Who.</param>
/// <param name="requests">Carries their requests.</param>
/// <param name="messages">Makes their texts.</param>
/// <param name="communities">What they do in communities.</param>
/// <param name="ledger">Knows every message.</param>
/// <param name="recorder">Knows every time.</param>
/// <param name="clock">The run's clock.</param>
internal sealed class UserActions(
    LoadPlan plan, LoadNetwork network, Population population, UserRequests requests, RunMessages messages, CommunityActions communities, MessageLedger ledger,
    Recorder recorder, RunClock clock)
{
    private const short GroupNamespace = 11;
    private const int ImportantSize = -2;
    private const int OtherSize = -8;
    private static readonly short[] GroupNamespaces = [-11, GroupNamespace, 13, 14, 12];
    private static readonly ReadOnlyDictionary<string, string> NoHeaders = ReadOnlyDictionary<string, string>.Empty;

    private readonly NameActions _names = new(requests, recorder, clock);

    /// <summary>What they do in communities.</summary>
    public CommunityActions Communities => communities;

    /// <summary>Their actions with all that these need.</summary>
    public static UserActions Create(
        LoadPlan plan, LoadNetwork network, Population population, UserRequests requests, MessageLedger ledger, Recorder recorder, RunClock clock)
    {
        var messages = new RunMessages(plan.Messages.Size, network.Clock);
        return new(plan, network, population, requests, messages, new(network, requests, messages, ledger, recorder, clock), ledger, recorder, clock);
    }

    /// <summary>Sends a message: to a room, a group, whoever has a name, or a contact.</summary>
    /// <param name="sender">Who.</param>
    /// <param name="intended">When it was due.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task SendAsync(VirtualUser sender, TimeSpan intended, CancellationToken cancellationToken)
    {
        if (DrawRoom(sender) is { } room)
        {
            await communities.PostAsync(sender, room, intended, cancellationToken).ConfigureAwait(false);
            return;
        }

        var group = DrawGroup(sender);
        var data = new DataMessage { Body = messages.CreateText(sender, MessageSettings.MaxSize) };
        if (plan.Messages.Attachments > 0 && sender.Draw((ref SeededRandom random) => random.NextDouble()) < plan.Messages.Attachments)
        {
            if (await UploadAsync(sender, cancellationToken).ConfigureAwait(false) is not { } attachment)
            {
                recorder.Done(Operation.Send, intended, clock.Now, "no attachment");
                return;
            }

            data.Attachments.Add(attachment);
        }

        var timestamp = messages.NextTimestamp();
        var content = new Content { DataMessage = data, SignatureTimestamp = (ulong)timestamp };
        if (group is not null)
        {
            var bytes = content.ToByteArray();
            var message = GroupMessage.Encode(sender.Keys, group.Group!.Mailbox.Account, group.Group.Key.Key, bytes, timestamp);
            // All members, the sender too: the group's mailbox is what keeps its own devices in step.
            _ = await StoreAsync(sender, group.Mailbox, GroupNamespace, message, group.Group.Members, bytes, group, Operation.Send, intended, cancellationToken).ConfigureAwait(false);
            return;
        }

        var recipient = population.DrawRecipient(sender);
        if (population.DrawName(sender) is { } name)
        {
            recipient = name.Owner;
            if (await _names.ResolveAsync(sender, name, cancellationToken).ConfigureAwait(false) is { Error: not null } unresolved)
            {
                recorder.Done(Operation.Send, intended, clock.Now, NameActions.NotResolved, unresolved.Trace);
                return;
            }
        }

        var stored = await StoreDirectAsync(sender, recipient, content, timestamp, Operation.Send, intended, cancellationToken).ConfigureAwait(false);
        if (stored && plan.Messages.Sync && recipient != sender)
        {
            data.SyncTarget = recipient.Keys.SessionId.ToString();
            _ = await StoreDirectAsync(sender, sender, content, timestamp, Operation.Sync, clock.Now, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>One round of polling of a mailbox: some members of its swarm at once.</summary>
    /// <param name="user">Who.</param>
    /// <param name="reader">What it reads.</param>
    /// <param name="intended">When it was due.</param>
    /// <param name="isRecorded">False for rounds that are not part of the load.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>True if there is more to read.</returns>
    public async Task<bool> PollAsync(VirtualUser user, MailboxReader reader, TimeSpan intended, bool isRecorded, CancellationToken cancellationToken)
    {
        if (!reader.TryBegin())
            return false;
        try
        {
            var (swarm, failed) = await requests.FindSwarmAsync(user, reader.Mailbox, cancellationToken).ConfigureAwait(false);
            if (swarm is null)
            {
                if (isRecorded)
                    recorder.Done(Operation.Poll, intended, clock.Now, failed.Error, failed.Trace);
                return false;
            }

            var count = Math.Min(plan.Poll.Members, swarm.Members.Length);
            var first = user.Draw((ref SeededRandom random) => random.Next(swarm.Members.Length));
            // Neighbours from a random one on: for two of them as good as any two.
            var rounds = new Task<Round>[count];
            for (var i = 0; i < count; i++)
                rounds[i] = PollMemberAsync(user, reader, swarm.Members[(first + i) % swarm.Members.Length], cancellationToken);
            var (more, error, trace, answered) = (false, (string?)null, (string?)null, false);
            foreach (var round in rounds)
            {
                var result = await round.ConfigureAwait(false);
                (more, trace) = (more || result.More, trace ?? result.Trace);
                if (result.Error is null)
                    answered = true;
                else
                    error = result.Error;
            }

            if (isRecorded)
                recorder.Done(Operation.Poll, intended, clock.Now, answered ? null : error, trace);
            return more;
        }
        finally
        {
            reader.End();
        }
    }

    /// <summary>Makes sure that a mailbox's swarm is known; false if nobody tells.</summary>
    public async Task<bool> LearnSwarmAsync(VirtualUser user, Mailbox mailbox, CancellationToken cancellationToken) =>
        (await requests.FindSwarmAsync(user, mailbox, cancellationToken).ConfigureAwait(false)).Swarm is not null;

    /// <summary>A poll of the own mailbox as one member gets it.</summary>
    public byte[] CreatePoll(VirtualUser user, long now) => StorageRequestWriter.ToArray(new BatchRequest
    {
        Requests = [.. plan.Poll.Namespaces.Select(space => CreateRetrieve(user, user.Reader, space, last: null, plan.Poll.Namespaces.Count, important: 0, now))],
    });

    /// <summary>A room to post in; null for a message to somebody. Whoever has posted there as often as the server lets it writes to somebody instead.</summary>
    private RoomReader? DrawRoom(VirtualUser sender)
    {
        if (plan.Communities is not { } communities || sender.Communities.Count == 0 || sender.Draw((ref SeededRandom random) => random.NextDouble()) >= communities.Share)
            return null;
        var rooms = sender.Communities.SelectMany(at => at.Rooms).Where(room => room.IsJoined).ToArray();
        return rooms.Length > 0 && rooms[sender.Draw((ref SeededRandom random) => random.Next(rooms.Length))] is var room && room.TryTakeTurn(clock.Now) ? room : null;
    }

    private MailboxReader? DrawGroup(VirtualUser sender)
    {
        if (plan.Groups is not { } groups || sender.Groups.Count == 0)
            return null;
        var choice = sender.Draw((ref SeededRandom random) => random.NextDouble() < groups.Share ? random.Next(sender.Groups.Count) : -1);
        return choice >= 0 ? sender.Groups[choice] : null;
    }

    private Task<bool> StoreDirectAsync(
        VirtualUser sender, VirtualUser recipient, Content content, long timestamp, Operation operation, TimeSpan intended, CancellationToken cancellationToken)
    {
        var bytes = content.ToByteArray();
        // Sealed once: a repeated attempt stores the same bytes, so that a lost reply does not make a second message.
        var data = DirectMessage.Encode(sender.Keys, recipient.Keys.SessionId, bytes, timestamp);
        return StoreAsync(sender, recipient.Mailbox, 0, data, [recipient.Number], bytes, group: null, operation, intended, cancellationToken);
    }

    private async Task<bool> StoreAsync(
        VirtualUser sender, Mailbox mailbox, short space, byte[] data, IReadOnlyList<int> readers, byte[] content, MailboxReader? group, Operation operation,
        TimeSpan intended, CancellationToken cancellationToken)
    {
        var hash = MessageHash.Compute(mailbox.Account, space, data);
        var message = ledger.Open(hash, readers, content, intended);
        var outcome = await requests.AskSwarmAsync(
            sender, mailbox, preferred: null,
            (_, _, now) =>
            {
                AccountRequest request = new StoreRequest
                {
                    Account = mailbox.Account,
                    Namespace = space,
                    Timestamp = now,
                    Expiry = now + (long)plan.Messages.TimeToLive.TotalMilliseconds,
                    Data = data,
                };
                if (group is not null)
                    request = group.Group!.Rights[group.Position].Sign(request, sender.Keys);
                return new SequenceRequest { Requests = [request] };
            },
            (_, _, body) =>
            {
                var results = new BatchAnswer[1];
                if (!StorageAnswers.TryReadBatch(body, results))
                    return (ErrorReaction.Unreadable, ErrorClass.Unreadable);
                if (results[0].Status != 200)
                    return (ErrorReactions.ForStorage(results[0].Status), ErrorClass.Status(results[0].Status));
                return StorageAnswers.Confirms(results[0].Body, hash) ? (ErrorReaction.Done, null) : (ErrorReaction.DestinationFailure, ErrorClass.Unconfirmed);
            },
            cancellationToken).ConfigureAwait(false);
        recorder.Done(operation, intended, clock.Now, outcome.Error, outcome.Trace);
        if (outcome.Error is null)
            ledger.Confirm(message, clock.Now);
        else if (outcome.IsRefused)
            ledger.Refuse(message);
        else
            ledger.GiveUp(message);
        return outcome.Error is null;
    }

    private async Task<Round> PollMemberAsync(VirtualUser user, MailboxReader reader, LoadNode member, CancellationToken cancellationToken)
    {
        var more = false;
        var spaces = reader.Group is null ? plan.Poll.Namespaces : plan.Poll.IsFull ? GroupNamespaces : [GroupNamespace];
        short important = reader.Group is null ? (short)0 : GroupNamespace;
        MessageHash? after = null;
        var outcome = await requests.AskSwarmAsync(
            user, reader.Mailbox, member,
            (swarm, node, now) =>
            {
                after = swarm.IndexOf(node) is >= 0 and var index ? reader.LastFrom(swarm, index) : null;
                return new BatchRequest { Requests = [.. spaces.Select(space => CreateRetrieve(user, reader, space, space == important ? after : null, spaces.Count, important, now))] };
            },
            (swarm, node, body) =>
            {
                var results = new BatchAnswer[spaces.Count];
                if (!StorageAnswers.TryReadBatch(body, results))
                    return (ErrorReaction.Unreadable, ErrorClass.Unreadable);
                for (var i = 0; i < results.Length; i++)
                {
                    if (results[i].Status != 200)
                        return (ErrorReactions.ForStorage(results[i].Status), ErrorClass.Status(results[i].Status));
                    if (spaces[i] != important)
                        continue;
                    if (!StorageAnswers.TryReadPage(results[i].Body.Span, out var page))
                        return (ErrorReaction.Unreadable, ErrorClass.Unreadable);
                    Read(user, reader, swarm, node, page, after is not null);
                    more = page.More;
                }

                return (ErrorReaction.Done, null);
            },
            cancellationToken).ConfigureAwait(false);
        return new(outcome.Error, outcome.Trace, more);
    }

    private static AccountRequest CreateRetrieve(VirtualUser user, MailboxReader reader, short space, MessageHash? last, int spaces, short important, long now)
    {
        var request = new RetrieveRequest
        {
            Account = reader.Mailbox.Account,
            Namespace = space,
            LastHash = last,
            MaxSize = spaces == 1 ? null : space == important ? ImportantSize : OtherSize,
            Timestamp = now,
        };
        return reader.Group is { } group ? group.Rights[reader.Position].Sign(request, user.Keys) : request.SignWith(user.Keys);
    }

    private void Read(VirtualUser user, MailboxReader reader, LoadSwarm swarm, LoadNode node, in MessagePage page, bool isAfterOthers)
    {
        var member = swarm.IndexOf(node);
        var (space, at) = (reader.Group is null ? (short)0 : GroupNamespace, clock.Now);
        var seen = page.Messages.Count > 1 ? new HashSet<MessageHash>() : null;
        foreach (var message in page.Messages)
        {
            // Twice in one reply is once too often, wherever it began.
            var isTwice = seen?.Add(message.Hash) is false;
            if (member >= 0)
                reader.SetLast(swarm, member, message.Hash);
            var data = message.Data;
            var isIntact = data is not null && MessageHash.Compute(reader.Mailbox.Account, space, data) == message.Hash;
            // What another member gave before need not be decrypted again: its hash says that it is the same.
            if (isIntact && ledger.IsDelivered(message.Hash, user.Number))
            {
                ledger.Repeat(message.Hash, user.Number, member, isAfterOthers || isTwice);
                continue;
            }

            var content = isIntact ? Decode(user, reader, data!) : null;
            var text = content?.Content.DataMessage?.Body;
            var delivery = ledger.Deliver(
                new()
                {
                    Hash = message.Hash,
                    Reader = user.Number,
                    Member = member,
                    IsAfterOthers = isAfterOthers || isTwice,
                    IsIntact = content is not null,
                    IsOfThisRun = messages.IsOurs(text),
                    Content = content is null ? default : content.ContentBytes.Span,
                    At = at,
                    OnlineSince = user.OnlineSince,
                },
                out var intended);
            if (delivery is not (Delivery.InTime or Delivery.Late))
                continue;
            recorder.Done(Operation.Delivery, intended, at);
            foreach (var attachment in content!.Content.DataMessage!.Attachments)
                _ = DownloadAsync(user, attachment);
        }
    }

    private static ReceivedContent? Decode(VirtualUser user, MailboxReader reader, byte[] data)
    {
        ReceivedContent? content;
        return reader.Group is { } group
            ? GroupMessage.TryDecode(data, group.Mailbox.Account, [group.Key], user.Keys.SessionId, out content, out _) ? content : null
            : DirectMessage.TryDecode(user.Keys, data, out content, out _) ? content : null;
    }

    private async Task<AttachmentPointer?> UploadAsync(VirtualUser user, CancellationToken cancellationToken)
    {
        var size = (int)Math.Clamp(user.Draw((ref SeededRandom random) => plan.Messages.AttachmentSize.Draw(ref random)), 1, FileServerClient.MaxUploadBytes * 0.9);
        var seed = user.Draw((ref SeededRandom random) => random.NextBits());
        var file = new byte[size];
        new SeededRandom(seed).Fill(file);
        var encrypted = AttachmentEncryption.Encrypt(file);
        FileUrl? url = null;
        await AskFilesAsync(user, Operation.Upload, new("POST", "/file", NoHeaders, encrypted.Upload), response =>
        {
            url = ReadUrl(response.Body);
            return url is null ? ErrorClass.Unreadable : null;
        }, cancellationToken).ConfigureAwait(false);
        return url is null ? null : new()
        {
            DeprecatedId = url.DeprecatedId,
            ContentType = "application/octet-stream",
            Key = ByteString.CopyFrom(encrypted.Key),
            Digest = ByteString.CopyFrom(encrypted.Digest),
            Size = (uint)encrypted.Size,
            Url = url.ToString(),
        };
    }

    private Task DownloadAsync(VirtualUser user, AttachmentPointer pointer)
    {
        if (!FileUrl.TryParse(pointer.Url, out var url))
            return Task.CompletedTask;
        return AskFilesAsync(
            user, Operation.Download, new("GET", $"/file/{url.Id}", NoHeaders, null),
            response => AttachmentEncryption.TryDecrypt(response.Body.Span, pointer.Key.Span, pointer.Digest.Span, pointer.Size, out _, out _) ? null : "corrupted file", clock.Stopped);
    }

    private FileUrl? ReadUrl(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var json = JsonDocument.Parse(body);
            return json.RootElement.ValueKind is JsonValueKind.Object && json.RootElement.TryGetProperty("id", out var id) && id.ValueKind is JsonValueKind.String
                && FileUrl.TryParse(new FileUrl(network.Files!.Url, id.GetString()!).ToString(), out var url) ? url : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>A request to the file server with all attempts.</summary>
    private async Task AskFilesAsync(
        VirtualUser user, Operation operation, OnionV4Request request, Func<OnionV4Response, string?> accept, CancellationToken cancellationToken)
    {
        var start = clock.Now;
        clock.Enter();
        try
        {
            var outcome = await requests.AskServerAsync(user, network.Files!, () => request, accept, arrived: null, cancellationToken).ConfigureAwait(false);
            recorder.Done(operation, start, clock.Now, outcome.Error, outcome.Trace);
        }
        catch (OperationCanceledException)
        {
            // The run is over.
        }
        finally
        {
            clock.Leave();
        }
    }

    private readonly record struct Round(string? Error, string? Trace, bool More);
}
