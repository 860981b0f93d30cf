using System.Collections.Immutable;
using Google.Protobuf;
using Session.Orleans.Protocol.Configs;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Groups;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Messages.Wire;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Client;

/// <summary>A member of a group, as its Members config has it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="IsAdmin">Whether it may change the group.</param>
/// <param name="IsInvited">True until it has accepted.</param>
public sealed record GroupMember(AccountId Id, bool IsAdmin, bool IsInvited);

/// <summary>
/// A group one is in (groups.md): one mailbox for all its members, encrypted with keys that the admins hand out. What changes it needs an
/// admin. Poll from one place at a time; what changes the group waits for what changes it already.
/// </summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001", Justification = "A semaphore whose wait handle is not used holds nothing to dispose of.")]
public sealed class SessionGroup
{
    /// <summary>Most members that clients allow.</summary>
    public const int MaxMembers = 100;

    private const short Messages = 11;
    private const short KeysSpace = 12;
    private const short Notices = -11;
    private const int AddedType = 1, RemovedType = 2, PromotedType = 3;
    private const int NameType = 1, TimerType = 3;
    private const int InviteSent = 1, InviteNotSent = 3;
    private const long MessageTtlMs = StorageLimits.MaxTtlPublicInboxMs;

    private static readonly ImmutableArray<short> Namespaces = [Notices, Messages, 13, 14, KeysSpace];

    private readonly SessionClient _client;
    private readonly SwarmPoller _poller;
    private readonly SemaphoreSlim _changing = new(1);
    private readonly ConfigState _info = new(ConfigKind.GroupInfo, owner: null);
    private readonly ConfigState _members = new(ConfigKind.GroupMembers, owner: null);
    private readonly HashSet<string> _keyHashes = [];
    private ImmutableSortedSet<GroupKey> _keys = [];
    private readonly GroupAuthData? _auth;
    private Ed25519KeyPair? _admin;

    internal SessionGroup(SessionClient client, AccountId id, Ed25519KeyPair? admin, GroupAuthData? auth)
    {
        (_client, Id, _admin, _auth) = (client, id, admin, auth);
        _poller = new(client.Network, id, Sign, Namespaces, Messages);
    }

    /// <summary>The group's id: 03 and its Ed25519 key.</summary>
    public AccountId Id { get; }

    /// <summary>Whether one may change the group.</summary>
    public bool IsAdmin => _admin is not null;

    /// <summary>The group's name; empty before the first poll.</summary>
    public string Name => _info.Data.GetText("n"u8);

    /// <summary>The members.</summary>
    public IReadOnlyList<GroupMember> Members => _members.Data.GetDictionary("m"u8) is { } members
        ? [.. members.Where(member => member.Key.Length == AccountId.Length).Select(member => ToMember(AccountId.FromBytes(member.Key), member.Value as ConfigDictionary ?? []))]
        : [];

    /// <summary>Number of the newest key one has; -1 before the first.</summary>
    public long Generation => _keys.IsEmpty ? -1 : _keys[^1].Generation;

    /// <summary>Sends a text to all members.</summary>
    /// <exception cref="InvalidOperationException">One has no key yet: poll first.</exception>
    /// <exception cref="SessionClientException">The swarm does not confirm it, or one was removed (status 401).</exception>
    public Task<SentMessage> SendTextAsync(string text, CancellationToken cancellationToken = default) =>
        SendAsync(new OutgoingMessage { Body = text }, cancellationToken);

    /// <summary>Sends a message to all members. Groups know only timers from sending.</summary>
    /// <inheritdoc cref="SendTextAsync"/>
    public Task<SentMessage> SendAsync(OutgoingMessage message, CancellationToken cancellationToken = default)
    {
        SessionClient.ThrowIfEmpty(message);
        return SendDataAsync(SessionClient.CreateData(message), cancellationToken);
    }

    /// <summary>Reacts to a message, or takes a reaction back.</summary>
    public Task<SentMessage> ReactAsync(MessageId target, string emoji, bool remove = false, CancellationToken cancellationToken = default) =>
        SendDataAsync(SessionClient.CreateReaction(target, emoji, remove), cancellationToken);

    /// <summary>
    /// Asks all members to delete messages (groups.md, 6). Members may do so with their own; an admin with any, and it deletes them from the
    /// swarm as well.
    /// </summary>
    /// <param name="hashes">Their hashes; at least one.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task DeleteAsync(IReadOnlyCollection<string> hashes, CancellationToken cancellationToken = default)
    {
        var timestamp = _client.NextTimestamp();
        var delete = new GroupDeleteContent();
        delete.MessageHashes.AddRange(hashes);
        if (_admin is { } admin)
        {
            delete.AdminSignature = Sign(admin, GroupSignature.DeleteContent(timestamp, [], hashes));
            var answer = await _client.Network.SendAsync(
                Id, (_, _) => [new DeleteRequest { Account = Id, Messages = [.. ConfigState.ToTexts(hashes)] }.SignWith(admin)], inOrder: true,
                cancellationToken: cancellationToken).ConfigureAwait(false);
            SessionClient.ThrowIfRefused(answer.Results[0], "A deletion");
        }

        _ = await StoreAsync([CreateUpdate(new() { DeleteContent = delete }, timestamp, NewestKey)], cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Sets the timer of the group's messages; zero for none.</summary>
    /// <exception cref="InvalidOperationException">One is no admin.</exception>
    public Task SetTimerAsync(TimeSpan timer, CancellationToken cancellationToken = default) => ChangeAsync(async admin =>
    {
        _info.Data.SetNumber("E"u8, (long)timer.TotalSeconds);
        _info.Commit(admin);
        var timestamp = _client.NextTimestamp();
        var change = new GroupInfoChange
        {
            Type = GroupInfoChange.Types.Type.DisappearingMessages,
            UpdatedExpiration = (uint)timer.TotalSeconds,
            AdminSignature = Sign(admin, GroupSignature.InfoChange(TimerType, timestamp)),
        };
        await PushAsync(admin, null, null, [CreateUpdate(new() { InfoChange = change }, timestamp, NewestKey)], [], [], cancellationToken).ConfigureAwait(false);
    }, cancellationToken);

    /// <summary>Ends the group for all members, who forget it when they see that.</summary>
    /// <exception cref="InvalidOperationException">One is no admin.</exception>
    public async Task DestroyAsync(CancellationToken cancellationToken = default)
    {
        await ChangeAsync(async admin =>
        {
            _info.Data.SetNumber("!"u8, 1);
            _info.Commit(admin);
            await PushAsync(admin, null, null, [], [], [], cancellationToken).ConfigureAwait(false);
        }, cancellationToken).ConfigureAwait(false);
        _client.RemoveGroup(Id);
        await _client.PushConfigsAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>One round of polling (groups.md, 8).</summary>
    /// <returns>What is new; keys and configs are taken in before messages are read.</returns>
    /// <exception cref="SessionClientException">No member of the swarm answered.</exception>
    public async Task<IReadOnlyList<IncomingMessage>> PollAsync(CancellationToken cancellationToken = default)
    {
        string[] keepAlive = [.. _keyHashes, .. _info.Stored, .. _members.Stored];
        var result = await _poller.PollAsync(keepAlive, cancellationToken).ConfigureAwait(false);
        var messages = new List<IncomingMessage>();
        foreach (var entry in result.Entries.Where(entry => entry.Namespace == KeysSpace))
            ReadKeys(entry);
        foreach (var config in new[] { _info, _members })
        {
            if (config.Merge(result.Entries.Where(entry => entry.Namespace == config.Kind.Namespace), KeyBytes(), new(Id.Key), _admin))
                messages.Add(new IncomingConfig(Id, _client.Network.Clock.NowMs, config.Kind.Namespace));
        }

        foreach (var entry in result.Entries.Where(entry => entry.Namespace == Notices))
        {
            // An older notice is about a removal before one was invited again.
            if (_admin is null && KickedNotice.TryRead(entry.Data.Span, Id, _client.Identity.Keys.X25519, out var generation) && generation >= Generation)
                return [.. messages, Leave(entry, GroupEvent.Kicked)];
        }

        if (_info.Data.GetNumber("!"u8) != 0)
            return [.. messages, Leave(null, GroupEvent.Destroyed)];
        foreach (var entry in result.Entries.Where(entry => entry.Namespace == Messages))
        {
            if (Read(entry) is { } message)
                messages.Add(message);
        }

        await NoteJoinedAsync(messages, cancellationToken).ConfigureAwait(false);
        return messages;
    }

    /// <summary>Invites further members: they are added, a new key is made for all, and each gets an invitation.</summary>
    /// <param name="members">Who.</param>
    /// <param name="withHistory">Whether they get the earlier keys too.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="InvalidOperationException">One is no admin.</exception>
    public async Task InviteAsync(IReadOnlyCollection<AccountId> members, bool withHistory = false, CancellationToken cancellationToken = default)
    {
        await ChangeAsync(async admin =>
        {
            foreach (var member in members)
            {
                var entry = MemberEntry(member);
                entry.SetNumber("I"u8, InviteNotSent);
                entry.SetNumber("s"u8, withHistory ? 1 : 0);
            }

            _members.Commit(admin);
            var supplement = withHistory && !_keys.IsEmpty ? GroupKeysMessage.Supplement(admin, members, _keys) : null;
            var rekey = Rekey(admin);
            await PushAsync(admin, supplement, rekey, [CreateMemberChange(admin, AddedType, members, rekey.Key, withHistory)], [], members, cancellationToken).ConfigureAwait(false);
        }, cancellationToken).ConfigureAwait(false);
        foreach (var member in members)
            await SendInvitationAsync(member, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Removes members: their tokens are revoked and they are told; then all others get a new key, so that the removed ones can't read on.
    /// </summary>
    /// <exception cref="InvalidOperationException">One is no admin.</exception>
    public Task RemoveAsync(IReadOnlyCollection<AccountId> members, CancellationToken cancellationToken = default) => ChangeAsync(async admin =>
    {
        var notice = KickedNotice.Create(admin, members, Generation);
        await PushAsync(
            admin, supplement: null, rekey: null, [(Notices, notice, StorageLimits.MaxTtlMs), CreateMemberChange(admin, RemovedType, members, NewestKey)], members, [],
            cancellationToken).ConfigureAwait(false);
        foreach (var member in members)
            MembersData()[ToBytes(member)] = null;
        _members.Commit(admin);
        await PushAsync(admin, supplement: null, Rekey(admin), [], [], [], cancellationToken).ConfigureAwait(false);
    }, cancellationToken);

    /// <summary>Makes a member an admin: it gets the group's seed.</summary>
    /// <exception cref="InvalidOperationException">One is no admin.</exception>
    public Task PromoteAsync(AccountId member, CancellationToken cancellationToken = default) => ChangeAsync(async admin =>
    {
        MemberEntry(member).SetNumber("P"u8, InviteSent);
        _members.Commit(admin);
        _ = await _client.SendPromotionAsync(member, admin, Name, cancellationToken).ConfigureAwait(false);
        await PushAsync(admin, null, null, [CreateMemberChange(admin, PromotedType, [member], NewestKey)], [], [], cancellationToken).ConfigureAwait(false);
    }, cancellationToken);

    /// <summary>Gives the group another name.</summary>
    /// <exception cref="InvalidOperationException">One is no admin.</exception>
    public Task RenameAsync(string name, CancellationToken cancellationToken = default) => ChangeAsync(async admin =>
    {
        _info.Data.SetText("n"u8, name);
        _info.Commit(admin);
        var timestamp = _client.NextTimestamp();
        var change = new GroupInfoChange
        {
            Type = GroupInfoChange.Types.Type.Name,
            UpdatedName = name,
            AdminSignature = Sign(admin, GroupSignature.InfoChange(NameType, timestamp)),
        };
        await PushAsync(admin, null, null, [CreateUpdate(new() { InfoChange = change }, timestamp, NewestKey)], [], [], cancellationToken).ConfigureAwait(false);
    }, cancellationToken);

    /// <summary>Leaves the group: tells the others and forgets it. An admin then removes one.</summary>
    public async Task LeaveAsync(CancellationToken cancellationToken = default)
    {
        var timestamp = _client.NextTimestamp();
        var next = _client.NextTimestamp();
        await StoreAsync(
            [CreateUpdate(new() { MemberLeftNotification = new() }, timestamp, NewestKey), CreateUpdate(new() { MemberLeft = new() }, next, NewestKey)],
            cancellationToken).ConfigureAwait(false);
        _client.RemoveGroup(Id);
        await _client.PushConfigsAsync(cancellationToken).ConfigureAwait(false);
    }

    internal async Task CreateAsync(string name, IReadOnlyCollection<AccountId> members, CancellationToken cancellationToken) => await ChangeAsync(async admin =>
    {
        _info.Data.SetText("n"u8, name);
        _info.Data.SetNumber("c"u8, _client.Network.Clock.NowMs / 1000);
        _info.Commit(admin);
        MemberEntry(_client.Id).SetNumber("A"u8, 1);
        foreach (var member in members.Where(member => member != _client.Id))
            MemberEntry(member).SetNumber("I"u8, InviteNotSent);
        _members.Commit(admin);
        var rekey = Rekey(admin);
        await PushAsync(admin, null, rekey, [CreateMemberChange(admin, AddedType, members, rekey.Key)], [], [], cancellationToken).ConfigureAwait(false);
    }, cancellationToken).ConfigureAwait(false);

    internal async Task SendInvitationAsync(AccountId member, CancellationToken cancellationToken) => await ChangeAsync(async admin =>
    {
        // Whoever was removed before must be let in again first.
        await PushAsync(admin, null, null, [], [], [member], cancellationToken).ConfigureAwait(false);
        var timestamp = _client.NextTimestamp();
        var invite = new GroupInvite
        {
            GroupId = Id.ToString(),
            Name = Name,
            MemberAuthData = ByteString.CopyFrom(GroupAuthData.Issue(admin, member).Bytes.Span),
            AdminSignature = Sign(admin, GroupSignature.Invite(member, timestamp)),
        };
        _ = await _client.SendInvitationAsync(member, invite, timestamp, cancellationToken).ConfigureAwait(false);
        MemberEntry(member).SetNumber("I"u8, InviteSent);
        _members.Commit(admin);
        await PushAsync(admin, null, null, [], [], [], cancellationToken).ConfigureAwait(false);
    }, cancellationToken).ConfigureAwait(false);

    internal async Task AcceptAsync(CancellationToken cancellationToken)
    {
        _ = await PollAsync(cancellationToken).ConfigureAwait(false);
        await StoreAsync([CreateUpdate(new() { InviteResponse = new() { IsApproved = true } }, _client.NextTimestamp(), NewestKey)], cancellationToken).ConfigureAwait(false);
    }

    internal async Task BecomeAdminAsync(Ed25519KeyPair admin, CancellationToken cancellationToken)
    {
        _admin = admin;
        _ = await PollAsync(cancellationToken).ConfigureAwait(false);
        await ChangeAsync(async keys =>
        {
            var entry = MemberEntry(_client.Id);
            entry.SetNumber("A"u8, 1);
            entry.SetNumber("P"u8, 0);
            entry.SetNumber("I"u8, 0);
            _members.Commit(keys);
            await PushAsync(keys, null, null, [], [], [], cancellationToken).ConfigureAwait(false);
        }, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Whoever accepted or wrote is no longer only invited; one admin puts it down.</summary>
    private async Task NoteJoinedAsync(IEnumerable<IncomingMessage> messages, CancellationToken cancellationToken)
    {
        var invited = Members.Where(member => member.IsInvited).Select(member => member.Id).ToHashSet();
        var joined = messages.Select(message => message.Sender).Where(invited.Contains).Distinct().ToArray();
        if (_admin is null || joined.Length == 0)
            return;
        await ChangeAsync(async admin =>
        {
            foreach (var member in joined)
                MemberEntry(member).SetNumber("I"u8, 0);
            _members.Commit(admin);
            await PushAsync(admin, null, null, [], [], [], cancellationToken).ConfigureAwait(false);
        }, cancellationToken).ConfigureAwait(false);
    }

    private static GroupMember ToMember(AccountId id, ConfigDictionary data) => new(id, data.GetNumber("A"u8) != 0, data.GetNumber("I"u8) != 0);

    private static byte[] ToBytes(AccountId id)
    {
        var bytes = new byte[AccountId.Length];
        id.CopyTo(bytes);
        return bytes;
    }

    private static ByteString Sign(Ed25519KeyPair admin, ReadOnlySpan<byte> text)
    {
        Span<byte> signature = stackalloc byte[Ed25519.SignatureLength];
        admin.Sign(text, signature);
        return ByteString.CopyFrom(signature);
    }

    private ConfigDictionary MembersData() => _members.Data.GetOrAddDictionary("m"u8);

    private ConfigDictionary MemberEntry(AccountId member)
    {
        var entry = MembersData().GetOrAddDictionary(ToBytes(member));
        // A member must have something in it to be there at all; a name may be empty.
        if (entry.Count == 0)
            entry["n"u8] = new ConfigBytes([]);
        return entry;
    }

    private AccountRequest Sign(AccountRequest request) =>
        _admin is { } admin ? request.SignWith(admin)
        : _auth is { } auth ? auth.Sign(request, _client.Identity.Keys)
        : throw new InvalidOperationException("One has no right to use the group.");

    private async Task ChangeAsync(Func<Ed25519KeyPair, Task> change, CancellationToken cancellationToken)
    {
        var admin = _admin ?? throw new InvalidOperationException("Only an admin can change a group.");
        await _changing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await change(admin).ConfigureAwait(false);
        }
        finally
        {
            _changing.Release();
        }
    }

    private GroupKey NewestKey => _keys.IsEmpty ? throw new InvalidOperationException("The group's key is not known yet: poll first.") : _keys[^1];

    /// <summary>
    /// A new key for whoever is in the Members config. It is used for nothing else before the swarm has it: who lacks it could not read that.
    /// </summary>
    private (byte[] Message, GroupKey Key) Rekey(Ed25519KeyPair admin)
    {
        var (message, key) = GroupKeysMessage.Rekey(admin, Members.Select(member => member.Id), Generation + 1);
        _info.Repush();
        _members.Repush();
        return (message, new(Generation + 1, _client.Network.Clock.NowMs, key));
    }

    private Bytes32[] KeyBytes() => [.. _keys.Reverse().Select(key => key.Key)];

    private (short Namespace, byte[] Data, long TtlMs) CreateMemberChange(
        Ed25519KeyPair admin, int type, IEnumerable<AccountId> members, GroupKey key, bool withHistory = false)
    {
        var timestamp = _client.NextTimestamp();
        var change = new GroupMemberChange
        {
            Type = (GroupMemberChange.Types.Type)type,
            AdminSignature = Sign(admin, GroupSignature.MemberChange(type, timestamp)),
        };
        if (type == AddedType)
            change.HistoryShared = withHistory;
        change.MemberIds.AddRange(members.Select(member => member.ToString()));
        return CreateUpdate(new() { MemberChange = change }, timestamp, key);
    }

    private (short Namespace, byte[] Data, long TtlMs) CreateUpdate(GroupUpdateMessage update, long timestamp, GroupKey key) =>
        CreateMessage(new() { GroupUpdate = update }, timestamp, key);

    private (short Namespace, byte[] Data, long TtlMs) CreateMessage(DataMessage data, long timestamp, GroupKey key)
    {
        _client.AddProfile(data);
        var content = new Content { DataMessage = data, SignatureTimestamp = (ulong)timestamp };
        var timer = _info.Data.GetNumber("E"u8);
        var expiration = timer > 0 ? new Expiration(ExpirationMode.AfterSend, TimeSpan.FromSeconds(timer)) : Expiration.Off;
        SessionClient.SetExpiration(content, expiration);
        var ttl = timer > 0 ? Math.Clamp(timer * 1000, StorageLimits.MinTtlMs, MessageTtlMs) : MessageTtlMs;
        return (Messages, GroupMessage.Encode(_client.Identity.Keys, Id, key.Key, content.ToByteArray(), timestamp), ttl);
    }

    private async Task<SentMessage> SendDataAsync(DataMessage data, CancellationToken cancellationToken)
    {
        var timestamp = _client.NextTimestamp();
        var message = CreateMessage(data, timestamp, NewestKey);
        var hash = await StoreAsync([message], cancellationToken).ConfigureAwait(false);
        return new(new(_client.Id, timestamp), Id, hash, null);
    }

    private async Task<string> StoreAsync((short Namespace, byte[] Data, long TtlMs)[] stores, CancellationToken cancellationToken)
    {
        var hashes = stores.Select(store => MessageHash.Compute(Id, store.Namespace, store.Data).ToString()).ToArray();
        var answer = await _client.Network.SendAsync(
            Id, (now, _) => stores.Select(store => Sign(CreateStore(store, now))), inOrder: true,
            accept: answer => answer.Results.Zip(hashes).All(result => result.First.Status != 200 || SessionClient.Confirms(result.First, result.Second)),
            cancellationToken: cancellationToken).ConfigureAwait(false);
        foreach (var result in answer.Results)
            SessionClient.ThrowIfRefused(result, "A message to the group");
        foreach (var (hash, store) in hashes.Zip(stores))
            _poller.MarkSeen(hash, _client.Network.Clock.NowMs + store.TtlMs);
        return hashes[0];
    }

    private StoreRequest CreateStore((short Namespace, byte[] Data, long TtlMs) store, long now) =>
        new() { Account = Id, Namespace = store.Namespace, Timestamp = now, Expiry = now + store.TtlMs, Data = store.Data };

    /// <summary>
    /// One sequence in the order of groups.md, 7: keys before what is encrypted with them, and deletions last, so that a failure half way
    /// loses nothing.
    /// </summary>
    private async Task PushAsync(
        Ed25519KeyPair admin, byte[]? supplement, (byte[] Message, GroupKey Key)? rekey, (short Namespace, byte[] Data, long TtlMs)[] others,
        IReadOnlyCollection<AccountId> revoke, IReadOnlyCollection<AccountId> unrevoke, CancellationToken cancellationToken)
    {
        var stores = new List<(short Namespace, byte[] Data, long TtlMs)>();
        if (supplement is not null)
            stores.Add((KeysSpace, supplement, StorageLimits.MaxTtlMs));
        if (rekey is { } made)
            stores.Add((KeysSpace, made.Message, StorageLimits.MaxTtlMs));
        var keyCount = stores.Count;
        var pushes = new List<(ConfigState Config, Bytes32 Version, int First, int Count)>();
        foreach (var config in new[] { _info, _members }.Where(config => config.NeedsPush))
        {
            var key = (rekey?.Key ?? NewestKey).Key;
            var data = config.Encode(key.AsSpan());
            pushes.Add((config, config.Current.Hash, stores.Count, data.Count));
            stores.AddRange(data.Select(part => (config.Kind.Namespace, part, StorageLimits.MaxTtlMs)));
        }

        stores.AddRange(others);
        var hashes = stores.Select(store => MessageHash.Compute(Id, store.Namespace, store.Data).ToString()).ToArray();
        string[] obsolete = [.. pushes.SelectMany(push => push.Config.Stored.Concat(push.Config.Obsolete)).Except(hashes).Distinct()];
        if (stores.Count == 0 && revoke.Count == 0 && unrevoke.Count == 0)
            return;
        var answer = await _client.Network.SendAsync(
            Id, (now, _) => CreateRequests(now), inOrder: true,
            accept: answer => answer.Results.Zip(hashes).All(result => result.First.Status != 200 || SessionClient.Confirms(result.First, result.Second)),
            cancellationToken: cancellationToken).ConfigureAwait(false);
        foreach (var result in answer.Results)
            SessionClient.ThrowIfRefused(result, "A change of the group");

        foreach (var (hash, store) in hashes.Zip(stores))
            _poller.MarkSeen(hash, _client.Network.Clock.NowMs + store.TtlMs);
        _keyHashes.UnionWith(hashes[..keyCount]);
        if (rekey is { } stored)
            _keys = _keys.Add(stored.Key);
        foreach (var (config, version, first, count) in pushes)
        {
            config.Confirm(version, hashes[first..(first + count)]);
            config.Obsolete.ExceptWith(obsolete);
        }

        IEnumerable<StorageRequest> CreateRequests(long now)
        {
            foreach (var store in stores)
                yield return CreateStore(store, now).SignWith(admin);
            if (obsolete.Length > 0)
                yield return new DeleteRequest { Account = Id, Messages = [.. ConfigState.ToTexts(obsolete)] }.SignWith(admin);
            if (revoke.Count > 0)
                yield return new RevokeSubaccountRequest { Account = Id, Tokens = [.. revoke.Select(member => GroupAuthData.GetToken(admin, member))], Timestamp = now }.SignWith(admin);
            if (unrevoke.Count > 0)
                yield return new UnrevokeSubaccountRequest { Account = Id, Tokens = [.. unrevoke.Select(member => GroupAuthData.GetToken(admin, member))], Timestamp = now }.SignWith(admin);
        }
    }

    private void ReadKeys(StoredEntry entry)
    {
        if (!GroupKeysMessage.TryRead(entry.Data.Span, Id, _client.Identity.Keys.X25519, _admin, entry.StoredMs, out var keys))
            return;
        _keyHashes.Add(entry.Hash);
        // A key that is known already keeps its first time.
        _keys = _keys.Union(keys.Where(key => !_keys.Any(known => known.Key == key.Key)));
    }

    private IncomingGroupEvent Leave(StoredEntry? entry, GroupEvent reason)
    {
        _client.RemoveGroup(Id);
        return new(Id, entry?.StoredMs ?? _client.Network.Clock.NowMs, Id, reason, []) { Hash = entry?.Hash ?? "" };
    }

    private IncomingMessage? Read(StoredEntry entry)
    {
        if (!GroupMessage.TryDecode(entry.Data.Span, Id, _keys, _client.Id, out var received, out _, acceptOlderSignature: true))
            return null;
        // What an admin has deleted for all counts as never received.
        if (received.Timestamp / 1000 <= _info.Data.GetNumber("d"u8) && _info.Data.GetNumber("d"u8) > 0)
            return null;
        var message = received.Content.DataMessage?.GroupUpdate is { } update
            ? ReadUpdate(update, received.Sender, received.Timestamp) : _client.Interpret(received, Id);
        return message is null ? null : message with { Hash = entry.Hash, ExpiresMs = entry.ExpiresMs };
    }

    private IncomingGroupEvent? ReadUpdate(GroupUpdateMessage update, AccountId sender, long timestamp)
    {
        if (update.MemberChange is { } change)
        {
            return IsSigned(GroupSignature.MemberChange((int)change.Type, timestamp), change.AdminSignature)
                ? new(sender, timestamp, Id, (int)change.Type switch { AddedType => GroupEvent.Added, RemovedType => GroupEvent.Removed, _ => GroupEvent.Promoted }, [.. change.MemberIds])
                : null;
        }

        if (update.InfoChange is { } info)
        {
            return IsSigned(GroupSignature.InfoChange((int)info.Type, timestamp), info.AdminSignature)
                ? new(sender, timestamp, Id, GroupEvent.InfoChanged, info.HasUpdatedName ? [info.UpdatedName] : []) : null;
        }

        if (update.DeleteContent is { } delete)
        {
            // Without an admin's signature it is about the sender's own messages.
            string[] subjects = [.. delete.MemberIds, .. delete.MessageHashes];
            return !delete.HasAdminSignature || IsSigned(GroupSignature.DeleteContent(timestamp, delete.MemberIds, delete.MessageHashes), delete.AdminSignature)
                ? new(sender, timestamp, Id, GroupEvent.ContentDeleted, [.. subjects]) : null;
        }

        if (update.InviteResponse is not null)
            return new(sender, timestamp, Id, GroupEvent.Joined, [sender.ToString()]);
        return update.MemberLeft is not null ? new(sender, timestamp, Id, GroupEvent.Left, [sender.ToString()]) : null;
    }

    private bool IsSigned(ReadOnlySpan<byte> text, ByteString signature) => Ed25519.Verify(Id.Key.AsSpan(), text, signature.Span);
}
