using Session.Orleans.Protocol.Attachments;
using Session.Orleans.Protocol.Configs;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Groups;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Messages.Wire;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Client;

/// <summary>Somebody one knows, as the Contacts config has it (messages.md, 13.1).</summary>
/// <param name="Id">Its id.</param>
/// <param name="Name">The name it calls itself.</param>
/// <param name="Nickname">The name one calls it.</param>
/// <param name="IsApproved">Whether one accepted it or wrote to it.</param>
/// <param name="ApprovedMe">Whether it accepted oneself.</param>
/// <param name="IsBlocked">Whether its messages are dropped.</param>
/// <param name="Expiration">The conversation's timer.</param>
public sealed record SessionContact(AccountId Id, string Name, string Nickname, bool IsApproved, bool ApprovedMe, bool IsBlocked, Expiration Expiration);

/// <content>The account's configs: profile, contacts, what was read, groups (messages.md, 13).</content>
public sealed partial class SessionClient
{
    // Codes of timers in configs; in messages they are the other way round.
    private const int ConfigAfterSend = 1;
    private const int ConfigAfterRead = 2;

    private readonly Lock _configLock = new();
    private readonly SemaphoreSlim _pushing = new(1);
    private readonly Dictionary<short, ConfigState> _configs = [];

    /// <summary>The name one goes by; empty if none is set.</summary>
    public string DisplayName => Read(ConfigKind.UserProfile, data => data.GetText("n"u8));

    /// <summary>Everybody in the Contacts config.</summary>
    public IReadOnlyList<SessionContact> Contacts => Read(ConfigKind.Contacts, data => data.GetDictionary("c"u8) is { } contacts
        ? [.. contacts.Where(contact => contact.Key.Length == AccountId.Length).Select(contact => ToContact(AccountId.FromBytes(contact.Key), contact.Value as ConfigDictionary ?? []))]
        : (IReadOnlyList<SessionContact>)[]);

    internal bool HasPendingConfigs
    {
        get
        {
            lock (_configLock)
                return _configs.Values.Any(config => config.NeedsPush || config.Obsolete.Count > 0);
        }
    }

    private ReadOnlyMemory<byte> ProfileKey => Read(ConfigKind.UserProfile, data => data.GetBytes("q"u8));

    private IReadOnlyCollection<string> StoredConfigs
    {
        get
        {
            lock (_configLock)
                return [.. _configs.Values.SelectMany(config => config.Stored)];
        }
    }

    private ReadOnlySpan<byte> Seed => Identity.Keys.SecretKey[..Ed25519.SeedLength];

    /// <summary>Sets the name one goes by, for all one's devices and with every message from now on.</summary>
    /// <param name="name">1..100 bytes of UTF-8.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ArgumentException">The name is empty or too long.</exception>
    public Task SetDisplayNameAsync(string name, CancellationToken cancellationToken = default)
    {
        if (!Protocol.Identity.DisplayName.IsValid(name))
            throw new ArgumentException("A name has 1 to 100 bytes.", nameof(name));
        Change(ConfigKind.UserProfile, data => data.SetText("n"u8, name.Trim()));
        return PushConfigsAsync(cancellationToken);
    }

    /// <summary>Encrypts and uploads a picture and makes it one's own, for all one's devices and with every message from now on.</summary>
    /// <param name="picture">The image file; empty for none.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="InvalidOperationException">The client was made without a file server.</exception>
    /// <exception cref="SessionClientException">The server refused it or can't be reached.</exception>
    public async Task SetPictureAsync(ReadOnlyMemory<byte> picture, CancellationToken cancellationToken = default)
    {
        var url = "";
        byte[] key = [];
        if (!picture.IsEmpty)
        {
            var server = _files ?? throw new InvalidOperationException("The client knows no file server.");
            (var upload, key) = DeterministicEncryption.Encrypt(picture.Span, Seed, DeterministicFileKind.Picture);
            url = (await server.UploadAsync(upload, deterministic: true, cancellationToken).ConfigureAwait(false)).Url.ToString();
        }

        Change(ConfigKind.UserProfile, data =>
        {
            data.SetText("p"u8, url);
            data.SetBytes("q"u8, key);
        });
        await PushConfigsAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Downloads a contact's picture, or one's own.</summary>
    /// <returns>The image file; null if there is none.</returns>
    /// <exception cref="InvalidOperationException">The client was made without a file server.</exception>
    /// <exception cref="SessionClientException">The file is gone, or not the one that is meant.</exception>
    public async Task<byte[]?> GetPictureAsync(AccountId account, CancellationToken cancellationToken = default)
    {
        static (string Url, ReadOnlyMemory<byte> Key) PictureOf(ConfigDictionary data) => (data.GetText("p"u8), data.GetBytes("q"u8));
        var (text, key) = account == Id ? Read(ConfigKind.UserProfile, PictureOf) : ReadContact(account, PictureOf);
        if (!FileUrl.TryParse(text, out var url))
            return null;
        var server = _files ?? throw new InvalidOperationException("The client knows no file server.");
        var upload = await server.DownloadAsync(url, cancellationToken).ConfigureAwait(false);
        byte[]? picture;
        AttachmentFailure failure;
        var valid = url.IsDeterministic ? DeterministicEncryption.TryDecrypt(upload.Span, key.Span, out picture, out failure)
            : PictureEncryption.TryDecrypt(upload.Span, key.Span, out picture, out failure);
        return valid ? picture : throw new SessionClientException($"The picture is not the one that is meant ({failure}).");
    }

    /// <summary>Sets a contact's nickname.</summary>
    public Task SetNicknameAsync(AccountId contact, string nickname, CancellationToken cancellationToken = default)
    {
        Change(contact, data => data.SetText("N"u8, nickname));
        return PushConfigsAsync(cancellationToken);
    }

    /// <summary>Blocks an account or ends that. It is not told.</summary>
    public Task SetBlockedAsync(AccountId contact, bool blocked, CancellationToken cancellationToken = default)
    {
        Change(contact, data => data.SetNumber("b"u8, blocked ? 1 : 0));
        return PushConfigsAsync(cancellationToken);
    }

    /// <summary>
    /// Pushes what changed, all in one sequence: stores first, then the deletion of what they replace (messages.md, 13.4). Polling does it
    /// as well.
    /// </summary>
    /// <exception cref="SessionClientException">It was refused or nobody answered; the changes stay and are pushed later.</exception>
    public async Task PushConfigsAsync(CancellationToken cancellationToken = default)
    {
        await _pushing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await PushAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _pushing.Release();
        }
    }

    internal void ChangeGroups(AccountId group, Action<ConfigDictionary> change) => Change(ConfigKind.UserGroups, data =>
    {
        var key = group.Key;
        change(data.GetOrAddDictionary("g"u8).GetOrAddDictionary(key.AsSpan()));
    });

    internal void ForgetGroup(AccountId group) => Change(ConfigKind.UserGroups, data =>
    {
        var key = group.Key;
        data.GetOrAddDictionary("g"u8)[key.AsSpan()] = null;
    });

    private async Task PushAsync(CancellationToken cancellationToken)
    {
        List<(ConfigState Config, Bytes32 Version, IReadOnlyList<byte[]> Data)> pushes;
        List<string> obsolete;
        lock (_configLock)
        {
            pushes = [.. _configs.Values.Where(config => config.NeedsPush).Select(config => (config, config.Current.Hash, config.Encode(Seed)))];
            obsolete = [.. pushes.SelectMany(push => push.Config.Stored), .. _configs.Values.SelectMany(config => config.Obsolete)];
        }

        if (pushes.Count == 0 && obsolete.Count == 0)
            return;
        var stores = pushes.SelectMany(push => push.Data.Select(data => (push.Config.Kind.Namespace, Data: data))).ToArray();
        var hashes = stores.Select(store => MessageHash.Compute(Id, store.Namespace, store.Data).ToString()).ToArray();
        obsolete = [.. obsolete.Except(hashes).Distinct()];
        var answer = await Network.SendAsync(Id, (now, _) => CreateRequests(now), inOrder: true, cancellationToken: cancellationToken).ConfigureAwait(false);
        foreach (var result in answer.Results)
            ThrowIfRefused(result, "A config");

        var expiry = Network.Clock.NowMs + StorageLimits.MaxTtlMs;
        foreach (var hash in hashes)
            _poller.MarkSeen(hash, expiry);
        lock (_configLock)
        {
            var at = 0;
            foreach (var (config, version, data) in pushes)
            {
                config.Confirm(version, hashes[at..(at + data.Count)]);
                at += data.Count;
            }

            foreach (var config in _configs.Values)
                config.Obsolete.ExceptWith(obsolete);
        }

        IEnumerable<StorageRequest> CreateRequests(long now)
        {
            foreach (var (space, data) in stores)
            {
                yield return new StoreRequest { Account = Id, Namespace = space, Timestamp = now, Expiry = now + StorageLimits.MaxTtlMs, Data = data }
                    .SignWith(Identity.Keys);
            }

            if (obsolete.Count > 0)
                yield return new DeleteRequest { Account = Id, Messages = [.. ConfigState.ToTexts(obsolete)] }.SignWith(Identity.Keys);
        }
    }

    private void MergeConfigs(IEnumerable<StoredEntry> entries, List<IncomingMessage> messages)
    {
        foreach (var group in entries.Where(entry => entry.Namespace != 0).GroupBy(entry => entry.Namespace))
        {
            bool changed;
            lock (_configLock)
                changed = GetConfig(KindOf(group.Key)).Merge(group, [new Bytes32(Seed)], signer: null, admin: null);
            if (!changed)
                continue;
            messages.Add(new IncomingConfig(Id, group.Max(entry => entry.StoredMs), group.Key));
            if (group.Key == ConfigKind.UserGroups.Namespace)
                LoadGroups();
        }
    }

    private void LoadGroups()
    {
        var known = Read(ConfigKind.UserGroups, data => data.GetDictionary("g"u8) is { } groups
            ? groups.Where(group => group.Key.Length == Bytes32.Length).Select(group => (new AccountId(AccountId.GroupPrefix, new(group.Key)), Data: group.Value as ConfigDictionary ?? [])).ToArray()
            : []);
        foreach (var (id, data) in known)
        {
            if (data.GetNumber("i"u8) != 0 || data.GetNumber("r"u8) != 0)
                continue;
            var seed = data.GetBytes("K"u8);
            var keys = seed.Length == Ed25519.SeedLength ? new Ed25519KeyPair(seed.Span) : null;
            _ = GroupAuthData.TryParse(data.GetBytes("s"u8).Span, id, Id, out var auth);
            if (keys is not null || auth is not null)
                AddGroup(id, keys, auth);
        }
    }

    private static ConfigKind KindOf(short space) => space switch
    {
        2 => ConfigKind.UserProfile,
        3 => ConfigKind.Contacts,
        4 => ConfigKind.ConvoInfoVolatile,
        _ => ConfigKind.UserGroups,
    };

    private ConfigState GetConfig(ConfigKind kind)
    {
        if (!_configs.TryGetValue(kind.Namespace, out var config))
            _configs[kind.Namespace] = config = new(kind, Identity.Keys);
        return config;
    }

    private T Read<T>(ConfigKind kind, Func<ConfigDictionary, T> read)
    {
        lock (_configLock)
            return read(_configs.TryGetValue(kind.Namespace, out var config) ? config.Data : []);
    }

    private void Change(ConfigKind kind, Action<ConfigDictionary> change)
    {
        lock (_configLock)
        {
            var config = GetConfig(kind);
            var before = config.Data.Encode();
            change(config.Data);
            if (!config.Data.Encode().AsSpan().SequenceEqual(before))
                config.Commit();
        }
    }

    private void Change(AccountId contact, Action<ConfigDictionary> change)
    {
        if (contact.Prefix != AccountId.SessionPrefix || contact == Id)
            return;
        Change(ConfigKind.Contacts, data =>
        {
            var entry = data.GetOrAddDictionary("c"u8).GetOrAddDictionary(ToBytes(contact));
            if (entry.Count == 0)
                entry.SetNumber("j"u8, Network.Clock.NowMs / 1000);
            change(entry);
        });
    }

    private T ReadContact<T>(AccountId contact, Func<ConfigDictionary, T> read) =>
        Read(ConfigKind.Contacts, data => read(data.GetDictionary("c"u8)?.GetDictionary(ToBytes(contact)) ?? []));

    private bool IsApproved(AccountId contact) => ReadContact(contact, data => data.GetNumber("a"u8) != 0);

    private bool IsBlocked(AccountId contact) => ReadContact(contact, data => data.GetNumber("b"u8) != 0);

    private void Approve(AccountId contact) => Change(contact, data => data.SetNumber("a"u8, 1));

    private void MarkApprovedMe(AccountId contact, Profile? profile)
    {
        if (contact != Id)
            Change(contact, data => data.SetNumber("A"u8, 1));
        LearnProfile(contact, profile, default);
    }

    // Strangers get no entry by writing: only who is one already.
    private void LearnProfile(AccountId contact, Profile? profile, ReadOnlyMemory<byte> key)
    {
        if (profile is null || contact == Id || !ReadContact(contact, data => data.Count > 0))
            return;
        Change(contact, data =>
        {
            if (profile.DisplayName.Length > 0)
                data.SetText("n"u8, Protocol.Identity.DisplayName.Truncate(profile.DisplayName));
            if (profile.ProfilePicture.Length > 0 && key.Length == Bytes32.Length)
            {
                data.SetText("p"u8, profile.ProfilePicture);
                data.SetBytes("q"u8, key.Span);
            }
        });
    }

    private Expiration GetExpiration(AccountId conversation) => conversation == Id
        ? Read(ConfigKind.UserProfile, data => data.GetNumber("e"u8) is > 0 and var timer ? new(ExpirationMode.AfterSend, TimeSpan.FromSeconds(timer)) : Expiration.Off)
        : ReadContact(conversation, ToExpiration);

    private void SetContactExpiration(AccountId conversation, Expiration expiration)
    {
        if (conversation == Id)
            Change(ConfigKind.UserProfile, data => data.SetNumber("e"u8, (long)expiration.Timer.TotalSeconds));
        else
        {
            Change(conversation, data =>
            {
                data.SetNumber("e"u8, expiration.Mode switch { ExpirationMode.AfterSend => ConfigAfterSend, ExpirationMode.AfterRead => ConfigAfterRead, _ => 0 });
                data.SetNumber("E"u8, expiration.Mode is ExpirationMode.Off ? 0 : (long)expiration.Timer.TotalSeconds);
            });
        }
    }

    private void MarkConversationRead(AccountId conversation, long timestamp) => Change(ConfigKind.ConvoInfoVolatile, data =>
    {
        var entry = data.GetOrAddDictionary("1"u8).GetOrAddDictionary(ToBytes(conversation));
        entry.SetNumber("r"u8, Math.Max(entry.GetNumber("r"u8), timestamp));
    });

    private Profile? CreateProfile() => Read(ConfigKind.UserProfile, data =>
    {
        var name = data.GetText("n"u8);
        if (name.Length == 0)
            return null;
        var profile = new Profile { DisplayName = name };
        if (data.GetText("p"u8) is { Length: > 0 } picture)
            profile.ProfilePicture = picture;
        return profile;
    });

    private static SessionContact ToContact(AccountId id, ConfigDictionary data) => new(
        id, data.GetText("n"u8), data.GetText("N"u8), data.GetNumber("a"u8) != 0, data.GetNumber("A"u8) != 0, data.GetNumber("b"u8) != 0, ToExpiration(data));

    private static Expiration ToExpiration(ConfigDictionary data) => data.GetNumber("e"u8) switch
    {
        ConfigAfterSend => new(ExpirationMode.AfterSend, TimerOf(data)),
        ConfigAfterRead => new(ExpirationMode.AfterRead, TimerOf(data)),
        _ => Expiration.Off,
    };

    private static TimeSpan TimerOf(ConfigDictionary data) => TimeSpan.FromSeconds(Math.Clamp(data.GetNumber("E"u8), 0, uint.MaxValue));

    private static byte[] ToBytes(AccountId id)
    {
        var bytes = new byte[AccountId.Length];
        id.CopyTo(bytes);
        return bytes;
    }
}
