using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Session.Orleans.Contracts.Communities;
using Session.Orleans.Grains.Mailboxes;
using Session.Orleans.Grains.Placement;
using Session.Orleans.Protocol.Communities;
using Session.Orleans.Storage.Communities;

namespace Session.Orleans.Grains.Communities;

/// <summary>
/// The server's rooms and users. Requests are authenticated against the store (<see cref="CommunityUsers"/>), not here, so this grain is asked
/// only when something changes or rooms are listed. Changes take turns and are committed as those of rooms are.
/// </summary>
[GrainType("community"), Reentrant, PrefersRole(SiloRole.Silo)]
[SuppressMessage("Design", "CA1001", Justification = "The semaphore holds nothing to dispose of, and a call that is late may still ask it.")]
internal sealed class CommunityGrain(ICommunityStore store, ClusterChanges cluster, CommunityKeys keys, TimeProvider time) : Grain, ICommunityGrain
{
    /// <summary>Table: user to rank, and <see cref="CounterName"/>.</summary>
    public const string ModeratorTable = "moderators";

    /// <summary>Name in <see cref="ModeratorTable"/>: number of changes of visible ranks.</summary>
    public const string CounterName = "changes";

    /// <summary>Table: user to <see cref="BanRecord"/>.</summary>
    public const string BanTable = "bans";

    /// <summary>Table: 15 id without sign, to the Session ID that something was done to before the blinded id was seen.</summary>
    public const string BlindingTable = "blinding";

    /// <summary>Index: every id ever seen, by the time of its last request in Unix seconds.</summary>
    public const string SeenIndex = "seen";

    private const string RoomTable = "rooms";
    private const int Attempts = 5;

    private static readonly TimeSpan TurnLimit = TimeSpan.FromSeconds(10);

    private readonly SemaphoreSlim _turn = new(1, 1);
    private Memory? _memory;
    private long _epoch;

    private double Now => time.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0;

    public async Task<ImmutableArray<string>> GetRoomsAsync() => [.. (await GetMemoryAsync()).Rooms];

    public async Task<bool> CreateRoomAsync(string token, string name, string? description)
    {
        var key = LowerCase(token);
        var created = await GrainFactory.GetGrain<IRoomGrain>(key).CreateAsync(token, name, description);
        // The list comes second: a room that is not in it yet is made whole by the next attempt.
        await ChangeAsync(memory => memory.Rooms.Contains(key) ? null
            : new(new CommunityChanges().Set(RoomTable, key, default), () => memory.Rooms.Add(key)));
        return created;
    }

    public async Task<bool> RemoveRoomAsync(string token)
    {
        var key = LowerCase(token);
        var removed = await GrainFactory.GetGrain<IRoomGrain>(key).RemoveAsync();
        await ChangeAsync(memory => !memory.Rooms.Contains(key) ? null
            : new(new CommunityChanges().Remove(RoomTable, key), () => memory.Rooms.Remove(key)));
        return removed;
    }

    public async Task<CommunityUser> GetUserAsync(string user)
    {
        var memory = await GetMemoryAsync();
        return UserOf(memory, user, await store.GetNumberAsync(CommunityScope.Server, SeenIndex, user) is not null);
    }

    public async Task<ImmutableArray<CommunityUser>> GetModeratorsAsync()
    {
        var memory = await GetMemoryAsync();
        return [.. memory.Moderators.Keys.Order(StringComparer.Ordinal).Select(user => UserOf(memory, user, true))];
    }

    public async Task<string> ResolveAsync(string id)
    {
        if (!keys.RequireBlinded || !AccountId.TryParse(id, out var account) || !Blinding.TryCandidates15(account, keys.PublicKey, out var first, out var second))
            return id;
        foreach (var candidate in (string[])[first.ToString(), second.ToString()])
        {
            if (await store.GetNumberAsync(CommunityScope.Server, SeenIndex, candidate) is not null)
                return candidate;
        }

        var absolute = Blinding.Absolute(first).ToString();
        await ChangeAsync(memory => memory.Blinding.GetValueOrDefault(absolute) == id ? null : new(
            new CommunityChanges().Set(BlindingTable, absolute, Encoding.ASCII.GetBytes(id)),
            () => memory.Blinding[absolute] = id));
        await SeeAsync(id);
        return id;
    }

    public async Task AdoptAsync(string blindedId)
    {
        var absolute = Blinding.Absolute(AccountId.Parse(blindedId)).ToString();
        if (!(await GetMemoryAsync()).Blinding.TryGetValue(absolute, out var from))
            return;
        // Rooms first: the memory that says what is left to move goes last, and moving twice does no harm.
        foreach (var room in await GetRoomsAsync())
            await GrainFactory.GetGrain<IRoomGrain>(room).MoveUserAsync(from, blindedId);
        var ranked = false;
        await ChangeAsync(memory =>
        {
            ranked = memory.Moderators.TryGetValue(from, out var rank);
            var banned = memory.Bans.TryGetValue(from, out var ban);
            var changes = new CommunityChanges().Remove(BlindingTable, absolute);
            if (ranked)
            {
                changes.Remove(ModeratorTable, from).Set(ModeratorTable, blindedId, Records.Pack(rank!, CommunityJson.Default.MemberRecord));
                Count(changes, memory.Changes + 1);
            }

            if (banned)
                changes.Remove(BanTable, from).Set(BanTable, blindedId, Records.Pack(ban!, CommunityJson.Default.BanRecord));
            return new(changes, () =>
            {
                memory.Blinding.Remove(absolute);
                if (ranked)
                {
                    memory.Moderators.Remove(from);
                    memory.Moderators[blindedId] = rank!;
                    memory.Changes++;
                }

                if (banned)
                {
                    memory.Bans.Remove(from);
                    memory.Bans[blindedId] = ban!;
                }
            });
        });
        if (ranked)
            await TellRoomsAsync();
    }

    public async Task<CommunityReply> SetModeratorAsync(CommunityCaller caller, string user, ModeratorChange change)
    {
        if (!caller.IsGlobalAdmin)
            return CommunityReply.AdminRequired;
        await SeeAsync(user);
        await ChangeAsync(memory =>
        {
            var before = memory.Moderators.GetValueOrDefault(user, MemberRecord.None);
            var (moderator, admin) = change.From(before.Moderator, before.Admin);
            var after = moderator ? new MemberRecord { Moderator = true, Admin = admin, Visible = change.Visible } : MemberRecord.None;
            if (after == before)
                return null;
            var changes = new CommunityChanges();
            if (moderator)
                changes.Set(ModeratorTable, user, Records.Pack(after, CommunityJson.Default.MemberRecord)).Remove(BanTable, user);
            else
                changes.Remove(ModeratorTable, user);
            Count(changes, memory.Changes + 1);
            return new(changes, () =>
            {
                memory.Changes++;
                if (moderator)
                {
                    memory.Moderators[user] = after;
                    memory.Bans.Remove(user);
                }
                else
                {
                    memory.Moderators.Remove(user);
                }
            });
        });
        var updates = await TellRoomsAsync();
        return RoomJson.Write(json => WriteUpdates(json, updates));
    }

    public async Task<CommunityReply> SetBanAsync(CommunityCaller caller, string user, bool banned, TimeSpan? timeout)
    {
        if (!caller.IsGlobalModerator)
            return CommunityReply.ModeratorRequired;
        if (banned && (user == caller.Id || (await GetMemoryAsync()).Moderators.ContainsKey(user)))
            return CommunityReply.Denied;
        await SeeAsync(user);
        await ChangeAsync(memory =>
        {
            if (!banned)
                return !memory.Bans.ContainsKey(user) ? null : new(new CommunityChanges().Remove(BanTable, user), () => memory.Bans.Remove(user));
            var ban = new BanRecord(timeout is { } time ? Now + time.TotalSeconds : null);
            return new(new CommunityChanges().Set(BanTable, user, Records.Pack(ban, CommunityJson.Default.BanRecord)), () => memory.Bans[user] = ban);
        });
        return CommunityReply.Done;
    }

    internal static void WriteUpdates(Utf8JsonWriter json, IEnumerable<(string Token, long InfoUpdates)> updates)
    {
        json.WriteStartObject();
        json.WriteStartObject("info_updates"u8);
        foreach (var (token, number) in updates)
            json.WriteNumber(token, number);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    [SuppressMessage("Globalization", "CA1308:Normalize strings to uppercase", Justification = "Tokens are ASCII, and lower case is what their keys have.")]
    internal static string LowerCase(string token) => token.ToLowerInvariant();

    /// <summary>Enters an id that a moderator named, unless it was seen before.</summary>
    private async ValueTask SeeAsync(string user)
    {
        if (await store.GetNumberAsync(CommunityScope.Server, SeenIndex, user) is null)
            await store.EnterAsync(CommunityScope.Server, SeenIndex, [new(user, (long)Now)], long.MinValue);
    }

    private async ValueTask<List<(string Token, long InfoUpdates)>> TellRoomsAsync()
    {
        List<(string, long)> updates = [];
        foreach (var token in await GetRoomsAsync())
        {
            if (await GrainFactory.GetGrain<IRoomGrain>(token).GlobalModeratorsChangedAsync() is { } number)
                updates.Add((token, number));
        }

        return updates;
    }

    private CommunityUser UserOf(Memory memory, string user, bool seen)
    {
        var rank = memory.Moderators.GetValueOrDefault(user, MemberRecord.None);
        var banned = memory.Bans.TryGetValue(user, out var ban) && (ban.Until is null || ban.Until > Now);
        return new(user, rank.Moderator, rank.Admin, rank.Visible, banned, seen);
    }

    private static void Count(CommunityChanges changes, long number) =>
        changes.Set(ModeratorTable, CounterName, Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture)));

    private async ValueTask ChangeAsync(Func<Memory, Step?> compute)
    {
        if (!await _turn.WaitAsync(TurnLimit))
            throw new CommunityStoreException("The community server is busy.");
        try
        {
            for (var attempt = 0; attempt < Attempts; attempt++)
            {
                var memory = await GetMemoryAsync();
                if (compute(memory) is not { } step)
                    return;
                if (await store.CommitAsync(CommunityScope.Server, memory.Version, step.Changes) is { } version)
                {
                    memory.Version = version;
                    step.Apply();
                    return;
                }

                _memory = null;
            }

            throw new CommunityStoreException("Another activation of the community server kept writing.");
        }
        catch (CommunityStoreException)
        {
            _memory = null; // what was written is unknown
            throw;
        }
        finally
        {
            _turn.Release();
        }
    }

    private async ValueTask<Memory> GetMemoryAsync()
    {
        if (_epoch != cluster.StoreEpoch)
            (_epoch, _memory) = (cluster.StoreEpoch, null); // the store was replaced
        if (cluster.AreRecent && _memory is { } known && await store.GetVersionAsync(CommunityScope.Server) != known.Version && ReferenceEquals(known, _memory))
            _memory = null;
        while (true)
        {
            if (_memory is { } memory)
                return memory;
            var version = await store.GetVersionAsync(CommunityScope.Server);
            var tables = await store.GetAllAsync(CommunityScope.Server, [RoomTable, ModeratorTable, BanTable, BlindingTable]);
            if (await store.GetVersionAsync(CommunityScope.Server) != version)
                continue;
            _memory ??= new(version, tables);
        }
    }

    private sealed record Step(CommunityChanges Changes, Action Apply);

    private sealed class Memory
    {
        public Memory(long version, IReadOnlyList<IReadOnlyDictionary<string, ReadOnlyMemory<byte>>> tables)
        {
            Version = version;
            Rooms = new(tables[0].Keys, StringComparer.Ordinal);
            foreach (var (user, value) in tables[1])
            {
                if (user == CounterName)
                    Changes = long.Parse(Encoding.ASCII.GetString(value.Span), CultureInfo.InvariantCulture);
                else
                    Moderators[user] = Records.Unpack(value, CommunityJson.Default.MemberRecord);
            }

            foreach (var (user, value) in tables[2])
                Bans[user] = Records.Unpack(value, CommunityJson.Default.BanRecord);
            foreach (var (absolute, value) in tables[3])
                Blinding[absolute] = Encoding.ASCII.GetString(value.Span);
        }

        public long Version { get; set; }

        public long Changes { get; set; }

        public SortedSet<string> Rooms { get; }

        public Dictionary<string, MemberRecord> Moderators { get; } = [];

        public Dictionary<string, BanRecord> Bans { get; } = [];

        public Dictionary<string, string> Blinding { get; } = [];
    }
}
