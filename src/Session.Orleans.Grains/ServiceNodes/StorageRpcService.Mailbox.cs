using System.Collections.Immutable;
using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Session.Orleans.Grains.Network;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Grains.ServiceNodes;

/// <content>Requests to a mailbox.</content>
internal sealed partial class StorageRpcService
{
    // A client gives a request 10 s, and a silo that hangs is known to be dead after 7 to 9.
    private static readonly TimeSpan MailboxLimit = TimeSpan.FromSeconds(9.5);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(500);

    private ValueTask<StorageReply> ExecuteMailboxAsync(StorageCall call, AccountRequest request)
    {
        // The order is the specification's: first the swarm, then times and signature, then revocation, which only the mailbox knows.
        if (call.View.SwarmOf(request.Account) is not { } swarm || swarm.Id != call.Self.SwarmId)
            return new(SwarmOf(call, request.Account, status: 421));
        if (request.Check(call.Clock) is { } error)
            return new(StorageReply.FromError(error));

        return call.Faults?.StorageDelay() is { } delay && delay > TimeSpan.Zero
            ? ExecuteLaterAsync(call, swarm, request, delay) : ExecuteMailboxAsync(call, swarm, request);
    }

    private async ValueTask<StorageReply> ExecuteLaterAsync(StorageCall call, Swarm swarm, AccountRequest request, TimeSpan delay)
    {
        await Task.Delay(delay, time, call.CancellationToken);
        return await ExecuteMailboxAsync(call, swarm, request);
    }

    private ValueTask<StorageReply> ExecuteMailboxAsync(StorageCall call, Swarm swarm, AccountRequest request)
    {
        var mailbox = mailboxes.For(request.Account);
        var token = request.TokenCheck is { } check ? check.Token.AsSpan().ToArray() : default(ReadOnlyMemory<byte>);
        return request switch
        {
            StoreRequest store => StoreAsync(call, swarm, mailbox, store, token),
            RetrieveRequest retrieve => RetrieveAsync(call, mailbox, retrieve, token),
            GetExpiriesRequest expiries => GetExpiriesAsync(call, mailbox, expiries, token),
            DeleteRequest delete => DeleteAsync(call, swarm, mailbox, delete, token),
            DeleteAllRequest deleteAll => DeleteAllAsync(call, swarm, mailbox, deleteAll, token),
            DeleteBeforeRequest deleteBefore => DeleteBeforeAsync(call, swarm, mailbox, deleteBefore, token),
            ExpireRequest expire => ExpireAsync(call, swarm, mailbox, expire, token),
            ExpireAllRequest expireAll => ExpireAllAsync(call, swarm, mailbox, expireAll, token),
            RevokeSubaccountRequest revoke => RevokeAsync(call, swarm, mailbox, revoke),
            UnrevokeSubaccountRequest unrevoke => UnrevokeAsync(call, swarm, mailbox, unrevoke),
            _ => throw new UnreachableException(),
        };
    }

    private async ValueTask<StorageReply> StoreAsync(
        StorageCall call, Swarm swarm, IMailboxGrain mailbox, StoreRequest request, ReadOnlyMemory<byte> token)
    {
        var round = SwarmRound.Begin(call, swarm, request, limiter, metrics, time);
        var hash = request.ComputeHash();
        var receipt = await AskAsync(
            call, mailbox, request,
            new MessageToStore(hash, request.Namespace, request.Timestamp, request.Expiry, request.Data, token, round.Missing, call.View.Height),
            static (mailbox, message, token) => mailbox.StoreAsync(message, token), StoreFailed);
        metrics.Stored(request.Namespace, request.Data.Length, receipt);
        if (receipt.Outcome is MailboxOutcome.Revoked)
            return Revoked(request);
        await round.EndAsync(time, call.CancellationToken);
        var members = round.Members(call, swarm, receipt.Outcome);
        var effect = new StoreEffect(hash, receipt.Expiry, receipt.AlreadyStored);
        return Write(output => SwarmReplies.WriteStore(output, members, effect, call.Clock));
    }

    private async ValueTask<StorageReply> RetrieveAsync(
        StorageCall call, IMailboxGrain mailbox, RetrieveRequest request, ReadOnlyMemory<byte> token)
    {
        var page = await AskAsync(
            call, mailbox, request, new PageRequest(request.Namespace, request.LastHash, request.MaxCount, MaxSizeOf(request), token, call.Sight),
            static (mailbox, page, token) => mailbox.RetrieveAsync(page, token), PageFailed);
        metrics.Poll(page.Outcome switch
        {
            MailboxOutcome.Revoked => "revoked",
            MailboxOutcome.StoreFailed => "failed",
            _ => page.Messages.IsEmpty ? "empty" : "hit",
        });
        if (page.Outcome is MailboxOutcome.Revoked)
            return Revoked(request);
        if (page.Outcome is MailboxOutcome.StoreFailed)
            return RetrieveFailed(request);
        var messages = ImmutableArray.CreateRange(page.Messages, message =>
            new RetrievedMessage(message.Hash, message.Timestamp, message.Expiry, message.Data));
        return Write(output => StorageReplies.WriteRetrieve(output, messages.AsSpan(), page.More, call.Clock));
    }

    // What the request leaves open the mailbox decides by the protocol's number; where an operator's is lower, it is decided here.
    private int? MaxSizeOf(RetrieveRequest request) => _largestReply == StorageLimits.MaxRetrieveSize
        ? request.MaxSize : (int)Math.Max(1, RetrievePage.EffectiveMaxSize(request.MaxCount, request.MaxSize, _largestReply));

    private async ValueTask<StorageReply> GetExpiriesAsync(
        StorageCall call, IMailboxGrain mailbox, GetExpiriesRequest request, ReadOnlyMemory<byte> token)
    {
        var found = await AskAsync(
            call, mailbox, request, new MessageSelection(Known(request.Messages), null, null, token, call.Sight), Find, ChangeFailed);
        if (found.Outcome is MailboxOutcome.Revoked)
            return Revoked(request);
        if (found.Outcome is MailboxOutcome.StoreFailed)
            return RetrieveFailed(request);
        var expiries = ToExpiries(found.Changed);
        return Write(output => StorageReplies.WriteExpiries(output, expiries));
    }

    private async ValueTask<StorageReply> DeleteAsync(
        StorageCall call, Swarm swarm, IMailboxGrain mailbox, DeleteRequest request, ReadOnlyMemory<byte> token)
    {
        var round = SwarmRound.Begin(call, swarm, request, limiter, metrics, time);
        var change = await AskAsync(call, mailbox, request, new MessageSelection(Known(request.Messages), null, null, token), Remove, ChangeFailed);
        if (change.Outcome is MailboxOutcome.Revoked)
            return Revoked(request);
        await round.EndAsync(time, call.CancellationToken);
        var members = round.Members(call, swarm, change.Outcome);
        var deleted = change.Changed.Select(message => message.Hash).ToArray();
        var status = 200;
        var reply = Write(output => status = SwarmReplies.WriteDelete(output, members, request, deleted, call.Clock));
        return reply with { Status = status };
    }

    private async ValueTask<StorageReply> DeleteAllAsync(
        StorageCall call, Swarm swarm, IMailboxGrain mailbox, DeleteAllRequest request, ReadOnlyMemory<byte> token)
    {
        var round = SwarmRound.Begin(call, swarm, request, limiter, metrics, time);
        var change = await AskAsync(call, mailbox, request, new MessageSelection(default, Filter(request.Namespace), null, token), Remove, ChangeFailed);
        if (change.Outcome is MailboxOutcome.Revoked)
            return Revoked(request);
        await round.EndAsync(time, call.CancellationToken);
        var members = round.Members(call, swarm, change.Outcome);
        var deleted = ToNamespaced(change.Changed);
        return Write(output => SwarmReplies.WriteDeleteAll(output, members, request, deleted, call.Clock));
    }

    private async ValueTask<StorageReply> DeleteBeforeAsync(
        StorageCall call, Swarm swarm, IMailboxGrain mailbox, DeleteBeforeRequest request, ReadOnlyMemory<byte> token)
    {
        var round = SwarmRound.Begin(call, swarm, request, limiter, metrics, time);
        var change = await AskAsync(
            call, mailbox, request, new MessageSelection(default, Filter(request.Namespace), request.Before, token), Remove, ChangeFailed);
        if (change.Outcome is MailboxOutcome.Revoked)
            return Revoked(request);
        await round.EndAsync(time, call.CancellationToken);
        var members = round.Members(call, swarm, change.Outcome);
        var deleted = ToNamespaced(change.Changed);
        return Write(output => SwarmReplies.WriteDeleteBefore(output, members, request, deleted, call.Clock));
    }

    private async ValueTask<StorageReply> ExpireAsync(
        StorageCall call, Swarm swarm, IMailboxGrain mailbox, ExpireRequest request, ReadOnlyMemory<byte> token)
    {
        if (request.TokenCheck?.WhenValid is { } refusal)
        {
            // Refused in any case, but a revoked token is told so first.
            var check = await AskAsync(call, mailbox, request, new MessageSelection([], null, null, token), Find, ChangeFailed);
            return check.Outcome is MailboxOutcome.Revoked ? Revoked(request) : StorageReply.FromError(refusal);
        }

        var round = SwarmRound.Begin(call, swarm, request, limiter, metrics, time);
        // Hashes that can't be any message's are not looked up; their expiries go with them.
        var (hashes, expiries) = (new List<MessageHash>(), new List<long>());
        for (var i = 0; i < request.Messages.Length; i++)
        {
            if (request.Messages[i].TryGetHash(out var hash))
            {
                hashes.Add(hash);
                expiries.Add(request.ExpiryOf(i, call.Clock.NowMs));
            }
        }

        var change = await AskAsync(
            call, mailbox, request, (Selection: new MessageSelection([.. hashes], null, null, token), Expiries: expiries.ToImmutableArray(), request.Mode),
            SetExpiries, ChangeFailed);
        if (change.Outcome is MailboxOutcome.Revoked)
            return Revoked(request);
        await round.EndAsync(time, call.CancellationToken);
        var members = round.Members(call, swarm, change.Outcome);
        var (updated, unchanged) = (ToExpiries(change.Changed), ToExpiries(change.Unchanged));
        return Write(output => SwarmReplies.WriteExpire(output, members, request, updated, unchanged, call.Clock));
    }

    private async ValueTask<StorageReply> ExpireAllAsync(
        StorageCall call, Swarm swarm, IMailboxGrain mailbox, ExpireAllRequest request, ReadOnlyMemory<byte> token)
    {
        var round = SwarmRound.Begin(call, swarm, request, limiter, metrics, time);
        var change = await AskAsync(
            call, mailbox, request,
            (Selection: new MessageSelection(default, Filter(request.Namespace), null, token), Expiries: ImmutableArray.Create(request.Expiry), Mode: ExpireMode.Shorten),
            SetExpiries, ChangeFailed);
        if (change.Outcome is MailboxOutcome.Revoked)
            return Revoked(request);
        await round.EndAsync(time, call.CancellationToken);
        var members = round.Members(call, swarm, change.Outcome);
        var updated = ToNamespaced(change.Changed);
        return Write(output => SwarmReplies.WriteExpireAll(output, members, request, updated, call.Clock));
    }

    private async ValueTask<StorageReply> RevokeAsync(StorageCall call, Swarm swarm, IMailboxGrain mailbox, RevokeSubaccountRequest request)
    {
        var round = SwarmRound.Begin(call, swarm, request, limiter, metrics, time);
        var receipt = await AskAsync(
            call, mailbox, request, ToBytes(request.Tokens),
            static (mailbox, tokens, token) => mailbox.RevokeAsync(tokens, token), RevocationFailed);
        await round.EndAsync(time, call.CancellationToken);
        var members = round.Members(call, swarm, receipt.Outcome);
        return Write(output => SwarmReplies.WriteRevoke(output, members, request, call.Clock));
    }

    private async ValueTask<StorageReply> UnrevokeAsync(StorageCall call, Swarm swarm, IMailboxGrain mailbox, UnrevokeSubaccountRequest request)
    {
        var round = SwarmRound.Begin(call, swarm, request, limiter, metrics, time);
        var receipt = await AskAsync(
            call, mailbox, request, ToBytes(request.Tokens),
            static (mailbox, tokens, token) => mailbox.UnrevokeAsync(tokens, token), RevocationFailed);
        await round.EndAsync(time, call.CancellationToken);
        var members = round.Members(call, swarm, receipt.Outcome);
        return Write(output => SwarmReplies.WriteUnrevoke(output, members, request, receipt.Count, call.Clock));
    }

    private static readonly StoreReceipt StoreFailed = new(MailboxOutcome.StoreFailed, false, 0);
    private static readonly MessagePage PageFailed = MessagePage.Empty with { Outcome = MailboxOutcome.StoreFailed };
    private static readonly MailboxChange ChangeFailed = MailboxChange.None(MailboxOutcome.StoreFailed);
    private static readonly RevocationReceipt RevocationFailed = new(MailboxOutcome.StoreFailed, 0);

    private static readonly Func<IMailboxGrain, MessageSelection, CancellationToken, ValueTask<MailboxChange>> Find =
        static (mailbox, selection, token) => mailbox.FindAsync(selection, token);

    private static readonly Func<IMailboxGrain, MessageSelection, CancellationToken, ValueTask<MailboxChange>> Remove =
        static (mailbox, selection, token) => mailbox.RemoveAsync(selection, token);

    private static readonly Func<
        IMailboxGrain, (MessageSelection Selection, ImmutableArray<long> Expiries, ExpireMode Mode), CancellationToken, ValueTask<MailboxChange>> SetExpiries =
        static (mailbox, change, token) => mailbox.SetExpiriesAsync(change.Selection, change.Expiries, change.Mode, token);

    /// <summary>
    /// Asks the mailbox, and asks again while it moves: its silo has died or leaves, and it is soon active on another. Every operation may be
    /// repeated. What the first attempt removed, a second one reports as not there: it is true, and what a client gets that repeats its request.
    /// A mailbox that can't be reached in time is one whose store did not confirm: what it did is unknown, and nothing is acknowledged.
    /// </summary>
    private async ValueTask<T> AskAsync<TQuestion, T>(
        StorageCall call, IMailboxGrain mailbox, AccountRequest request, TQuestion question,
        Func<IMailboxGrain, TQuestion, CancellationToken, ValueTask<T>> ask, T failed)
    {
        var start = time.GetTimestamp();
        for (var pause = FirstPause; ; pause = pause + pause < LongestPause ? pause + pause : LongestPause)
        {
            try
            {
                return await ask(mailbox, question, call.CancellationToken);
            }
            catch (Exception exception) when (exception is TimeoutException or OrleansMessageRejectionException or SiloUnavailableException)
            {
                if (time.GetElapsedTime(start) + pause > MailboxLimit)
                {
                    LogMailboxUnavailable(exception);
                    return failed;
                }
            }

            await Task.Delay(pause, time, call.CancellationToken);
            mailbox = mailboxes.For(request.Account);
        }
    }

    [LoggerMessage(EventId = 2301, Level = LogLevel.Warning, Message = "A mailbox did not answer")]
    private partial void LogMailboxUnavailable(Exception exception);

    private static StorageReply Revoked(AccountRequest request) => StorageReply.FromError(request.TokenCheck!.Value.WhenRevoked);

    private static StorageReply RetrieveFailed(AccountRequest request) => StorageReply.FromError(
        new(500, $"Internal Server Error. Could not retrieve messages for {request.Account.ToShortString()}"));

    private static ImmutableArray<MessageHash> Known(ImmutableArray<MessageHashText> texts)
    {
        var hashes = ImmutableArray.CreateBuilder<MessageHash>(texts.Length);
        foreach (var text in texts)
        {
            if (text.TryGetHash(out var hash))
                hashes.Add(hash);
        }

        return hashes.DrainToImmutable();
    }

    private static short? Filter(NamespaceSelector selector) => selector.IsAll ? null : selector.Namespace;

    private static HashExpiry[] ToExpiries(ImmutableArray<MessageInfo> messages) =>
        [.. messages.Select(message => new HashExpiry(message.Hash, message.Expiry))];

    private static NamespacedHash[] ToNamespaced(ImmutableArray<MessageInfo> messages) =>
        [.. messages.Select(message => new NamespacedHash(message.Namespace, message.Hash))];

    private static ImmutableArray<ReadOnlyMemory<byte>> ToBytes(ImmutableArray<SubaccountToken> tokens) =>
        ImmutableArray.CreateRange(tokens, token => (ReadOnlyMemory<byte>)token.AsSpan().ToArray());
}
