using System.Buffers;
using System.Globalization;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc.Writing;

namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>
/// Writes the replies of swarm-wide methods (storage-rpc.md, 7, 8, 10-12): one entry per member, each signed by that member. All members that
/// did not fail report the same effect, so what they sign is put together once. Members may come in any order, at most one being the own.
/// </summary>
public static class SwarmReplies
{
    /// <summary>Reply to <c>store</c>.</summary>
    public static void WriteStore(IBufferWriter<byte> output, ReadOnlySpan<SwarmMember> members, in StoreEffect effect, in ServerClock clock)
    {
        Span<byte> signed = stackalloc byte[MessageHash.TextLength];
        effect.Hash.WriteText(signed);
        var ownSucceeded = false;
        foreach (ref readonly var member in members)
            ownSucceeded |= member is { IsOwn: true, Succeeded: true };

        var json = new Utf8Output(output);
        json.Raw("{"u8);
        if (ownSucceeded)
        {
            json.Raw("\"hash\":"u8);
            json.Hash(effect.Hash);
            json.Raw(","u8);
        }

        var common = new Fragment(0);
        common.Json.Raw("\"expiry\":"u8);
        common.Json.Number(effect.Expiry);
        common.Json.Raw(",\"hash\":"u8);
        common.Json.Hash(effect.Hash);
        common.Json.Raw(","u8);
        var end = new Fragment(1);
        end.Json.Raw(",\"t\":"u8);
        end.Json.Number(clock.NowMs);

        var fields = common.Finish();
        ReadOnlySpan<byte> ownHead = fields, otherHead = fields;
        if (effect.Already)
        {
            ownHead = (byte[])[.. "\"already\":true,"u8, .. fields];
            otherHead = (byte[])[.. "\"already\":1,"u8, .. fields];   // entries of others travelled bencoded, where true is 1
        }

        WriteSwarm(ref json, members, signed, new() { OwnHead = ownHead, Head = otherHead, OwnTail = end.Finish() }, clock);
    }

    /// <summary>Reply to <c>delete</c>.</summary>
    /// <param name="output">Where to write.</param>
    /// <param name="members">The swarm.</param>
    /// <param name="request">The request.</param>
    /// <param name="deleted">Those of its messages that were found and deleted, in any order.</param>
    /// <param name="clock">Server time and hard fork.</param>
    /// <returns>The status: 404 if the request is <see cref="DeleteRequest.Required"/> and no member deleted anything, else 200.</returns>
    public static int WriteDelete(
        IBufferWriter<byte> output, ReadOnlySpan<SwarmMember> members, DeleteRequest request, ReadOnlySpan<MessageHash> deleted,
        in ServerClock clock)
    {
        var sorted = Sorting.ByHash(deleted);
        var requested = request.Messages.AsSpan();
        var signed = new SignedText(new byte[
            AccountId.HexLength + SignedText.LengthOf(requested) + (sorted.Length * MessageHash.TextLength)]);
        signed.Add(request.Account);
        signed.Add(requested);
        foreach (var hash in sorted)
            signed.Add(hash);

        var head = new Fragment();
        head.Json.Raw("\"deleted\":"u8);
        head.Json.Hashes(sorted);
        head.Json.Raw(","u8);
        WriteSwarm(output, members, signed.Written, head.Finish(), [], clock);

        var anyDeleted = false;
        foreach (ref readonly var member in members)
            anyDeleted |= member.Succeeded && sorted.Length > 0;
        return request.Required && !anyDeleted ? 404 : 200;
    }

    /// <summary>Reply to <c>delete_all</c>; <paramref name="deleted"/> in any order.</summary>
    public static void WriteDeleteAll(
        IBufferWriter<byte> output, ReadOnlySpan<SwarmMember> members, DeleteAllRequest request, ReadOnlySpan<NamespacedHash> deleted,
        in ServerClock clock) =>
        WriteByNamespace(output, members, request.Account, request.Timestamp, request.Namespace, isUpdate: false, deleted, clock);

    /// <summary>Reply to <c>delete_before</c>; <paramref name="deleted"/> in any order.</summary>
    public static void WriteDeleteBefore(
        IBufferWriter<byte> output, ReadOnlySpan<SwarmMember> members, DeleteBeforeRequest request, ReadOnlySpan<NamespacedHash> deleted,
        in ServerClock clock) =>
        WriteByNamespace(output, members, request.Account, request.Before, request.Namespace, isUpdate: false, deleted, clock);

    /// <summary>Reply to <c>expire_all</c>; <paramref name="updated"/> in any order.</summary>
    public static void WriteExpireAll(
        IBufferWriter<byte> output, ReadOnlySpan<SwarmMember> members, ExpireAllRequest request, ReadOnlySpan<NamespacedHash> updated,
        in ServerClock clock) =>
        WriteByNamespace(output, members, request.Account, request.Expiry, request.Namespace, isUpdate: true, updated, clock);

    /// <summary>Reply to <c>expire</c>.</summary>
    /// <param name="output">Where to write.</param>
    /// <param name="members">The swarm.</param>
    /// <param name="request">The request.</param>
    /// <param name="updated">Messages that count as updated, with the expiry set (<see cref="ExpireRequest.ExpiryOf"/>), in any order.</param>
    /// <param name="unchanged">Messages that were found and not updated, with their expiry, in any order.</param>
    /// <param name="clock">Server time and hard fork.</param>
    public static void WriteExpire(
        IBufferWriter<byte> output, ReadOnlySpan<SwarmMember> members, ExpireRequest request, ReadOnlySpan<HashExpiry> updated,
        ReadOnlySpan<HashExpiry> unchanged, in ServerClock clock)
    {
        var changed = Sorting.ByHash(updated);
        var kept = request.ReportsUnchanged ? Sorting.ByHash(unchanged) : null;
        // With one expiry it is reported even if nothing was updated; otherwise take it as it was set, for it may be relative to a clock.
        long? single = request.Expiries.Length > 1 ? null : changed.Length > 0 ? changed[0].Expiry : request.ExpiryOf(0, clock.NowMs);

        var requested = request.Messages.AsSpan();
        var signed = new SignedText(new byte[
            AccountId.HexLength + SignedText.MaxNumberLength + SignedText.LengthOf(requested)
            + ((changed.Length + (kept?.Length ?? 0)) * (MessageHash.TextLength + SignedText.MaxNumberLength))]);
        signed.Add(request.Account);
        if (single is { } expiry)
        {
            signed.Add(expiry);
        }
        else
        {
            foreach (var entry in changed)
                signed.Add(entry.Expiry);
        }

        signed.Add(requested);
        foreach (var entry in changed)
            signed.Add(entry.Hash);
        foreach (var entry in kept ?? [])
        {
            signed.Add(entry.Hash);
            signed.Add(entry.Expiry);
        }

        var head = new Fragment();
        head.Json.Raw("\"expiry\":"u8);
        if (single is { } one)
        {
            head.Json.Number(one);
        }
        else
        {
            for (var i = 0; i < changed.Length; i++)
            {
                head.Json.Raw(i > 0 ? ","u8 : "["u8);
                head.Json.Number(changed[i].Expiry);
            }

            head.Json.Raw(changed.Length > 0 ? "]"u8 : "[]"u8);
        }

        head.Json.Raw(","u8);
        var tail = new Fragment();
        if (kept is not null)
        {
            tail.Json.Raw(",\"unchanged\":"u8);
            tail.Json.Expiries(kept);
        }

        tail.Json.Raw(",\"updated\":"u8);
        tail.Json.Hashes(Array.ConvertAll(changed, static entry => entry.Hash));
        WriteSwarm(output, members, signed.Written, head.Finish(), tail.Finish(), clock);
    }

    /// <summary>Reply to <c>revoke_subaccount</c>.</summary>
    public static void WriteRevoke(
        IBufferWriter<byte> output, ReadOnlySpan<SwarmMember> members, RevokeSubaccountRequest request, in ServerClock clock) =>
        WriteRevocation(output, members, request, null, clock);

    /// <summary>Reply to <c>unrevoke_subaccount</c>; <paramref name="count"/> is the number of entries really removed.</summary>
    public static void WriteUnrevoke(
        IBufferWriter<byte> output, ReadOnlySpan<SwarmMember> members, UnrevokeSubaccountRequest request, int count, in ServerClock clock) =>
        WriteRevocation(output, members, request, count, clock);

    private static void WriteRevocation(
        IBufferWriter<byte> output, ReadOnlySpan<SwarmMember> members, RevocationRequest request, int? count, in ServerClock clock)
    {
        var signed = new SignedText(new byte[
            AccountId.HexLength + SignedText.MaxNumberLength + (request.Tokens.Length * SubaccountToken.Length)]);
        signed.Add(request.Account);
        signed.Add(request.Timestamp);
        foreach (var token in request.Tokens)
            signed.Add(token.AsSpan());

        var head = new Fragment();
        if (count is { } removed)
        {
            head.Json.Raw("\"count\":"u8);
            head.Json.Number(removed);
            head.Json.Raw(","u8);
        }

        WriteSwarm(output, members, signed.Written, head.Finish(), [], clock);
    }

    private static void WriteByNamespace(
        IBufferWriter<byte> output, ReadOnlySpan<SwarmMember> members, AccountId account, long time, NamespaceSelector selector, bool isUpdate,
        ReadOnlySpan<NamespacedHash> affected, in ServerClock clock)
    {
        var sorted = Sorting.ByHash(affected);
        var signed = new SignedText(new byte[
            AccountId.HexLength + SignedText.MaxNumberLength + (sorted.Length * MessageHash.TextLength)]);
        signed.Add(account);
        signed.Add(time);
        foreach (var entry in sorted)
            signed.Add(entry.Hash);   // one order across namespaces, while the reply groups them

        var list = new Fragment();
        if (selector.IsAll)
            WriteGroups(ref list.Json, sorted);
        else
            list.Json.Hashes(Array.ConvertAll(sorted, static entry => entry.Hash));
        var hashes = list.Finish();
        // "deleted" stands before "signature", "updated" after it.
        if (isUpdate)
            WriteSwarm(output, members, signed.Written, [], [.. ",\"updated\":"u8, .. hashes], clock);
        else
            WriteSwarm(output, members, signed.Written, [.. "\"deleted\":"u8, .. hashes, (byte)','], [], clock);
    }

    private static void WriteGroups(ref Utf8Output json, NamespacedHash[] sorted)
    {
        var groups = sorted.GroupBy(static entry => entry.Namespace, static entry => entry.Hash)
            .Select(static group => (Name: group.Key.ToString(CultureInfo.InvariantCulture), Hashes: group.ToArray()))
            .OrderBy(static group => group.Name, StringComparer.Ordinal);
        var isFirst = true;
        json.Raw("{"u8);
        foreach (var (name, hashes) in groups)
        {
            if (!isFirst)
                json.Raw(","u8);
            isFirst = false;
            json.Text(name);
            json.Raw(":"u8);
            json.Hashes(hashes);
        }

        json.Raw("}"u8);
    }

    private static void WriteSwarm(
        IBufferWriter<byte> output, ReadOnlySpan<SwarmMember> members, ReadOnlySpan<byte> signed, ReadOnlySpan<byte> head,
        ReadOnlySpan<byte> tail, in ServerClock clock)
    {
        var json = new Utf8Output(output);
        json.Raw("{"u8);
        WriteSwarm(ref json, members, signed, new() { OwnHead = head, OwnTail = tail, Head = head, Tail = tail }, clock);
    }

    private static void WriteSwarm(
        ref Utf8Output json, scoped ReadOnlySpan<SwarmMember> members, scoped ReadOnlySpan<byte> signed, scoped EntryParts parts, in ServerClock clock)
    {
        Span<byte> signature = stackalloc byte[Ed25519.SignatureLength];
        var sorted = Sorted(members);

        json.Raw("\"hf\":"u8);
        json.HardFork(clock.HardFork);
        json.Raw(",\"swarm\":{"u8);
        for (var i = 0; i < sorted.Length; i++)
        {
            var member = sorted[i];
            if (i > 0)
                json.Raw(","u8);
            json.Hex(member.Keys.PublicKey.AsSpan());
            json.Raw(":{"u8);
            if (member.Succeeded)
            {
                member.Keys.Sign(signed, signature);
                if (member.SignsWrongly)
                    signature[0] ^= 1;
                json.Raw(member.IsOwn ? parts.OwnHead : parts.Head);
                json.Raw("\"signature\":"u8);
                json.Base64(signature);
                json.Raw(member.IsOwn ? parts.OwnTail : parts.Tail);
            }
            else
            {
                WriteFailure(ref json, member);
            }

            json.Raw("}"u8);
        }

        json.Raw("},\"t\":"u8);
        json.Number(clock.NowMs);
        json.Raw("}"u8);
        json.Complete();
    }

    /// <summary>By public key, as the objects of the real replies are; mostly they already are.</summary>
    private static ReadOnlySpan<SwarmMember> Sorted(ReadOnlySpan<SwarmMember> members)
    {
        for (var i = 1; i < members.Length; i++)
        {
            if (members[i - 1].Keys.PublicKey.CompareTo(members[i].Keys.PublicKey) <= 0)
                continue;
            var sorted = members.ToArray();
            Array.Sort(sorted, static (left, right) => left.Keys.PublicKey.CompareTo(right.Keys.PublicKey));
            return sorted;
        }

        return members;
    }

    private static void WriteFailure(ref Utf8Output json, in SwarmMember member)
    {
        var failure = member.Failure;
        switch (failure.Kind)
        {
            case MemberFailureKind.Timeout:
                json.Raw("\"failed\":true,\"timeout\":true"u8);
                break;
            case MemberFailureKind.Error:
                json.Raw("\"code\":\""u8);
                json.Number(failure.Status);
                json.Raw("\",\"failed\":true,\"reason\":"u8);
                json.Text(failure.Reason ?? "");
                break;
            case MemberFailureKind.QueryFailure:
                // The member itself reports this one, so another member's booleans travelled bencoded.
                json.Raw(member.IsOwn ? "\"failed\":true,\"query_failure\":true"u8 : "\"failed\":1,\"query_failure\":1"u8);
                if (failure.Reason is not null)
                {
                    json.Raw(",\"reason\":"u8);
                    json.Text(failure.Reason);
                }

                break;
            default:
                json.Raw("\"bad_peer_response\":true,\"failed\":true"u8);
                break;
        }
    }

    /// <summary>What stands before and after the <c>signature</c> of a good entry.</summary>
    private readonly ref struct EntryParts
    {
        public ReadOnlySpan<byte> OwnHead { get; init; }

        public ReadOnlySpan<byte> OwnTail { get; init; }

        public ReadOnlySpan<byte> Head { get; init; }

        public ReadOnlySpan<byte> Tail { get; init; }
    }

    /// <summary>A piece of JSON that is the same in several entries, written once.</summary>
    private ref struct Fragment
    {
        // Of the thread, for replies that there are thousands of in a second.
        [ThreadStatic]
        private static ArrayBufferWriter<byte>?[]? _kept;

        private readonly ArrayBufferWriter<byte> _buffer;

        public Utf8Output Json;

        public Fragment() => Json = new(_buffer = new());

        /// <param name="place">0 or 1: the part is good until the next one in the same place is begun on this thread.</param>
        public Fragment(int place)
        {
            _buffer = (_kept ??= new ArrayBufferWriter<byte>?[2])[place] ??= new();
            _buffer.ResetWrittenCount();
            Json = new(_buffer);
        }

        public ReadOnlySpan<byte> Finish()
        {
            Json.Complete();
            return _buffer.WrittenSpan;
        }
    }
}
