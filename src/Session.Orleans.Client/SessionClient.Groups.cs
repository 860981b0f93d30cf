using System.Collections.Concurrent;
using Google.Protobuf;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Groups;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Messages.Wire;

namespace Session.Orleans.Client;

/// <content>Groups (groups.md).</content>
public sealed partial class SessionClient
{
    private readonly ConcurrentDictionary<AccountId, SessionGroup> _groups = new();

    /// <summary>The groups one is in.</summary>
    public IReadOnlyCollection<SessionGroup> Groups => [.. _groups.Values];

    /// <summary>Founds a group and invites its members (groups.md, 7).</summary>
    /// <param name="name">1..100 bytes of UTF-8.</param>
    /// <param name="members">Session IDs, without one's own; at most 99.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ArgumentException">The name or the number of members is not allowed.</exception>
    /// <exception cref="SessionClientException">The group's swarm does not confirm it.</exception>
    public async Task<SessionGroup> CreateGroupAsync(string name, IReadOnlyCollection<AccountId> members, CancellationToken cancellationToken = default)
    {
        if (!Protocol.Identity.DisplayName.IsValid(name))
            throw new ArgumentException("A name has 1 to 100 bytes.", nameof(name));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(members.Count, SessionGroup.MaxMembers - 1);
        var keys = Ed25519KeyPair.Generate();
        var id = new AccountId(AccountId.GroupPrefix, keys.PublicKey.Value);
        var group = new SessionGroup(this, id, keys, auth: null);
        await group.CreateAsync(name.Trim(), members, cancellationToken).ConfigureAwait(false);
        _groups[id] = group;
        ChangeGroups(id, data =>
        {
            data.SetBytes("K"u8, keys.SecretKey[..Ed25519.SeedLength]);
            data.SetText("n"u8, name.Trim());
            data.SetNumber("j"u8, Network.Clock.NowMs / 1000);
        });
        await PushConfigsAsync(cancellationToken).ConfigureAwait(false);
        foreach (var member in members.Where(member => member != Id))
            await group.SendInvitationAsync(member, cancellationToken).ConfigureAwait(false);
        return group;
    }

    /// <summary>Accepts an invitation: learns the group's keys, tells the members, and deletes the invitation from one's own swarm.</summary>
    public async Task<SessionGroup> JoinAsync(IncomingInvitation invitation, CancellationToken cancellationToken = default)
    {
        var group = AddGroup(invitation.Group, keys: null, invitation.AuthData);
        ChangeGroups(invitation.Group, data =>
        {
            data.SetBytes("s"u8, invitation.AuthData.Bytes.Span);
            data.SetText("n"u8, invitation.Name);
            data.SetNumber("j"u8, Network.Clock.NowMs / 1000);
        });
        await group.AcceptAsync(cancellationToken).ConfigureAwait(false);
        await FinishJoinAsync(invitation.Hash, cancellationToken).ConfigureAwait(false);
        return group;
    }

    /// <summary>Becomes an admin of a group.</summary>
    public async Task<SessionGroup> JoinAsync(IncomingPromotion promotion, CancellationToken cancellationToken = default)
    {
        var group = AddGroup(promotion.Group, promotion.Keys, auth: null);
        ChangeGroups(promotion.Group, data =>
        {
            data.SetBytes("K"u8, promotion.Keys.SecretKey[..Ed25519.SeedLength]);
            data.SetText("n"u8, promotion.Name);
        });
        await group.BecomeAdminAsync(promotion.Keys, cancellationToken).ConfigureAwait(false);
        await FinishJoinAsync(promotion.Hash, cancellationToken).ConfigureAwait(false);
        return group;
    }

    internal SessionGroup AddGroup(AccountId id, Ed25519KeyPair? keys, GroupAuthData? auth) =>
        _groups.GetOrAdd(id, _ => new SessionGroup(this, id, keys, auth));

    internal void RemoveGroup(AccountId id)
    {
        if (_groups.TryRemove(id, out _))
            ForgetGroup(id);
    }

    internal Task<string> SendInvitationAsync(AccountId member, GroupInvite invite, long timestamp, CancellationToken cancellationToken) =>
        SendGroupUpdateAsync(member, new() { Invite = invite }, timestamp, cancellationToken);

    internal Task<string> SendPromotionAsync(AccountId member, Ed25519KeyPair group, string name, CancellationToken cancellationToken) =>
        SendGroupUpdateAsync(
            member, new() { Promote = new() { GroupSeed = ByteString.CopyFrom(group.SecretKey[..Ed25519.SeedLength]), Name = name } }, NextTimestamp(), cancellationToken);

    private Task<string> SendGroupUpdateAsync(AccountId member, GroupUpdateMessage update, long timestamp, CancellationToken cancellationToken)
    {
        var data = new DataMessage { GroupUpdate = update };
        AddProfile(data);
        var content = new Content { DataMessage = data, SignatureTimestamp = (ulong)timestamp };
        return StoreDirectAsync(member, content.ToByteArray(), timestamp, MessageTtlMs, cancellationToken);
    }

    private async Task FinishJoinAsync(string hash, CancellationToken cancellationToken)
    {
        await PushConfigsAsync(cancellationToken).ConfigureAwait(false);
        if (hash.Length > 0)
            await DeleteAsync([hash], cancellationToken).ConfigureAwait(false);
    }
}
