using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Placement;
using Session.Orleans.Contracts.Communities;
using Session.Orleans.Grains.Mailboxes;
using Session.Orleans.Grains.Placement;
using Session.Orleans.Storage.Blobs;
using Session.Orleans.Storage.Communities;

namespace Session.Orleans.Grains.Communities;

/// <summary>
/// A room. Reads interleave; changes take turns. Each change is computed from memory and committed at the version that memory stands for: if
/// another activation has written meanwhile, possible for a moment after a silo died, the commit is refused, the room read again and the change
/// computed anew.
/// </summary>
[GrainType("room"), HashBasedPlacement, Reentrant, PrefersRole(SiloRole.Silo)]
[SuppressMessage("Design", "CA1001", Justification = "The semaphore holds nothing to dispose of, and a call that is late may still ask it.")]
internal sealed partial class RoomGrain(
    ICommunityStore store, RoomFiles files, ClusterChanges cluster, IOptions<CommunityOptions> options, GrainsMetrics metrics, TimeProvider time, ILogger<RoomGrain> logger)
    : Grain, IRoomGrain
{
    private const string RoomTable = "room", MemberTable = "members", PinTable = "pins", ScheduleTable = "schedule", PostTable = "posts", FileTable = "files";
    private const string UpdateIndex = "updates", LiveIndex = "live", ActiveIndex = "active", ExpiryIndex = "expiry";
    private const string InfoName = "info", SequenceName = "sequence";
    private const int Attempts = 5;

    private static readonly TimeSpan TurnLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan ActivityPeriod = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan ActivityKept = TimeSpan.FromDays(60);

    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly Dictionary<string, Queue<double>> _rates = [];
    private Dictionary<string, long> _active = [];
    private long _activityAt;
    private Task _activity = Task.CompletedTask;
    private Task<RoomMemory>? _loading;
    private RoomMemory? _room;
    private int _generation;
    private long _epoch;
    private CommunityScope _scope;

    private double Now => time.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _scope = CommunityScope.Room(this.GetPrimaryKeyString());
        _epoch = cluster.StoreEpoch;
        return Task.CompletedTask;
    }

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        await _activity;
        if (_active.Count > 0)
            await FlushActivityAsync();
    }

    public async Task<bool> CreateAsync(string token, string name, string? description)
    {
        var created = false;
        await ChangeAsync(room =>
        {
            created = false;
            if (room.Record is not null)
                return new(CommunityReply.Done);
            var record = new RoomRecord { Token = token, Name = name, Description = description, Created = Now };
            var changes = new CommunityChanges().Set(RoomTable, InfoName, Records.Pack(record, CommunityJson.Default.RoomRecord))
                .Set(RoomTable, SequenceName, "0"u8.ToArray());
            return new(new RoomStep(changes, memory =>
            {
                memory.Record = record;
                created = true;
                return CommunityReply.Done;
            }));
        }, mustExist: false);
        return created;
    }

    public async Task<bool> RemoveAsync()
    {
        var removed = false;
        await ChangeAsync(async room =>
        {
            removed = false;
            if (room.Record is null)
                return CommunityReply.Done;
            var changes = new CommunityChanges();
            // What belongs to single messages and authors is found by the messages.
            HashSet<string> authors = [];
            await foreach (var post in AllPostsAsync())
            {
                if (authors.Add(post.Author))
                    changes.DropIndex(AuthorIndex(post.Author));
                if (post.Reacted > 0)
                    changes.DropTable(Reactions.Table(post.Id));
            }

            foreach (var table in (string[])[RoomTable, MemberTable, PinTable, ScheduleTable, PostTable, FileTable])
                changes.DropTable(table);
            foreach (var index in (string[])[UpdateIndex, LiveIndex, ActiveIndex, ExpiryIndex])
                changes.DropIndex(index);
            var ended = await FilesToRemoveAsync();
            return new RoomStep(changes, _ =>
            {
                removed = true;
                Forget();
                _active = [];
                return CommunityReply.Done;
            }, ended);
        }, mustExist: false);
        return removed;
    }

    public async Task<RoomSummary?> DescribeAsync()
    {
        var room = await GetRoomAsync();
        return room.Record is not { } record ? null : new(
            record.Token, record.Name, record.Description, record.Created, room.Sequence, record.InfoUpdates, room.ActiveUsers,
            record.Read, record.Accessible, record.Write, record.Upload,
            [
                .. room.Members.OrderBy(member => member.Key, StringComparer.Ordinal).Select(member => new RoomMember(
                    member.Key, member.Value.Admin, member.Value.Moderator || member.Value.Admin, member.Value.Visible, member.Value.Banned,
                    member.Value.Read, member.Value.Accessible, member.Value.Write, member.Value.Upload)),
            ]);
    }

    public async Task<RoomRank> GetRankAsync(CommunityCaller caller) => (await GetRoomAsync()).RankOf(caller);

    public async Task<CommunityReply> GetAsync(CommunityCaller caller)
    {
        var room = await GetRoomAsync();
        return room.Record is null || !room.RightsOf(caller).MayAccess ? CommunityReply.NotFound : RoomJson.Room(room, caller, options.Value.ActiveCutoff);
    }

    public async Task<CommunityReply> PollAsync(CommunityCaller caller, long infoUpdates)
    {
        var room = await GetRoomAsync();
        if (room.Record is null)
            return CommunityReply.NotFound;
        if (!room.RightsOf(caller).Read)
            return CommunityReply.ReadRequired;
        Touch(caller);
        return RoomJson.Poll(room, caller, infoUpdates, options.Value.ActiveCutoff);
    }

    public Task<CommunityReply> ChangeAsync(CommunityCaller caller, RoomChange change) => ChangeAsync(async room =>
    {
        if (!room.RightsOf(caller).Admin)
            return CommunityReply.AdminRequired;
        var record = room.Record!;
        var changes = new CommunityChanges();
        List<FileStep> images = [];
        var changed = record with
        {
            Read = change.Read ?? record.Read,
            Accessible = change.Accessible ?? record.Accessible,
            Write = change.Write ?? record.Write,
            Upload = change.Upload ?? record.Upload,
        };
        if (change.Name is { } name && name != record.Name)
            changed = changed with { Name = name, InfoUpdates = changed.InfoUpdates + 1 };
        if (change.SetsDescription && change.Description != record.Description)
            changed = changed with { Description = change.Description, InfoUpdates = changed.InfoUpdates + 1 };
        if (change.Image is { } image && image != record.Image)
        {
            if (await FindFileAsync(image) is not { } file || !file.IsLive(Now))
                return CommunityReply.Text(406, "Not Acceptable");
            images.Add(SetExpiry(changes, image, file, null));
            if (record.Image is { } old && await FindFileAsync(old) is { } oldFile)
                images.Add(SetExpiry(changes, old, oldFile, Now));
            changed = changed with { Image = image, InfoUpdates = changed.InfoUpdates + 1 };
        }

        return new RoomStep(SetInfo(changes, changed), memory =>
        {
            memory.Record = changed;
            return RoomJson.InfoUpdates(changed.InfoUpdates);
        }, images);
    });

    public async Task<long?> GlobalModeratorsChangedAsync()
    {
        await ChangeAsync(async room =>
        {
            var (globals, seen) = await GlobalsAsync();
            if (room.Record!.GlobalSeen == seen)
                return CommunityReply.Done;
            var changed = room.Record with { GlobalSeen = seen, InfoUpdates = room.Record.InfoUpdates + 1 };
            return new RoomStep(SetInfo(new(), changed), memory =>
            {
                (memory.Record, memory.Globals) = (changed, globals);
                return CommunityReply.Done;
            });
        });
        return (await GetRoomAsync()).Record?.InfoUpdates;
    }

    /// <summary>The frame of all changes.</summary>
    private async Task<CommunityReply> ChangeAsync(Func<RoomMemory, ValueTask<RoomStep>> compute, bool mustExist = true)
    {
        var (startedAt, status) = (metrics.Now, 503);
        if (!await _turn.WaitAsync(TurnLimit))
        {
            metrics.Room(status, startedAt);
            return CommunityReply.Text(status, "Server busy, try again later");
        }

        using var span = GrainsTelemetry.Source.StartInGrain(GrainsTelemetry.RoomSpan);
        try
        {
            for (var attempt = 0; attempt < Attempts; attempt++)
            {
                var room = await LoadedAsync(checkVersion: attempt == 0);
                await RunScheduleAsync(room);
                var step = room.Record is null && mustExist ? CommunityReply.NotFound : await compute(room);
                if (step.Changes is null)
                {
                    status = step.Reply!.Status;
                    return step.Reply;
                }

                await PrepareAsync(step.Files);
                if (await store.CommitAsync(_scope, room.Version, step.Changes) is { } version)
                {
                    room.Version = version;
                    var reply = step.Apply!(room);
                    await ApplyAsync(step.Files);
                    status = reply.Status;
                    return reply;
                }

                Forget(); // somebody else wrote
            }

            throw new CommunityStoreException("Another activation of the room kept writing.");
        }
        catch (Exception exception) when (exception is CommunityStoreException or BlobScheduleException or OperationCanceledException)
        {
            Forget(); // what was written is unknown
            span?.SetStatus(ActivityStatusCode.Error).SetTag("error.type", exception.GetType().Name);
            throw;
        }
        finally
        {
            _turn.Release();
            metrics.Room(status, startedAt);
        }
    }

    /// <summary>The room, with all that is due carried out.</summary>
    private async ValueTask<RoomMemory> GetRoomAsync()
    {
        var room = await LoadedAsync(checkVersion: true);
        if (!IsScheduleDue(room))
            return room;
        await ChangeAsync(_ => new(CommunityReply.Done), mustExist: false);
        return await LoadedAsync(checkVersion: false);
    }

    private async ValueTask<RoomMemory> LoadedAsync(bool checkVersion)
    {
        if (_epoch != cluster.StoreEpoch)
        {
            // The store was replaced: what is known of the room and its users is of no use.
            _epoch = cluster.StoreEpoch;
            Forget();
            _rates.Clear();
        }

        if (checkVersion && cluster.AreRecent && _room is { } known && await store.GetVersionAsync(_scope) != known.Version && ReferenceEquals(known, _room))
            Forget();
        if (_room is { } room)
            return room;
        // Whoever comes while the room is being read waits for the same reading.
        if (_loading is not { IsCompleted: false })
            _loading = LoadAsync();
        return await _loading;
    }

    private void Forget()
    {
        (_room, _loading) = (null, null);
        _generation++;
    }

    private async Task<RoomMemory> LoadAsync()
    {
        await Task.Yield(); // _loading is set before anything is done
        while (true)
        {
            var generation = _generation;
            var version = await store.GetVersionAsync(_scope);
            var room = await ReadAsync();
            room.Version = version;
            // What was written meanwhile, here or elsewhere, may be in it only in part.
            if (await store.GetVersionAsync(_scope) != version || generation != _generation)
                continue;
            _room = room;
            return room;
        }
    }

    private async Task<RoomMemory> ReadAsync()
    {
        var tables = await store.GetAllAsync(_scope, [RoomTable, MemberTable, PinTable, ScheduleTable]);
        var room = new RoomMemory();
        if (!tables[0].TryGetValue(InfoName, out var info))
            return room;
        room.Record = Records.Unpack(info, CommunityJson.Default.RoomRecord);
        room.Sequence = long.Parse(Encoding.ASCII.GetString(tables[0][SequenceName].Span), CultureInfo.InvariantCulture);
        foreach (var (user, value) in tables[1])
            room.Members[user] = Records.Unpack(value, CommunityJson.Default.MemberRecord);
        foreach (var (id, value) in tables[2])
            room.Pins[long.Parse(id, CultureInfo.InvariantCulture)] = Records.Unpack(value, CommunityJson.Default.PinRecord);
        foreach (var (name, value) in tables[3])
            room.Schedule[name] = Records.Unpack(value, CommunityJson.Default.ScheduleRecord);

        var updates = await store.RangeAsync(_scope, UpdateIndex, long.MinValue, long.MaxValue, descending: true, RoomMemory.Window);
        var live = await store.RangeAsync(_scope, LiveIndex, long.MinValue, long.MaxValue, descending: true, RoomMemory.Window);
        var posts = (await PostsAsync([.. updates.Concat(live).Select(entry => entry.Name).Distinct()])).ToDictionary(post => post.Id);
        room.Fill(
            updates.Reverse().Select(entry => posts.GetValueOrDefault(Id(entry.Name))).OfType<Post>(),
            updates.Count < RoomMemory.Window ? 0 : updates[^1].Number - 1,
            live.Reverse().Select(entry => posts.GetValueOrDefault(Id(entry.Name))).OfType<Post>(),
            live.Count < RoomMemory.Window ? 0 : live[^1].Number - 1);

        var (globals, seen) = await GlobalsAsync();
        room.Globals = globals;
        if (room.Record.GlobalSeen != seen)
            room.Record = room.Record with { GlobalSeen = seen, InfoUpdates = room.Record.InfoUpdates + 1 }; // stored with the next change of the room
        room.ActiveUsers = await store.CountAsync(_scope, ActiveIndex, (long)(Now - options.Value.ActiveCutoff.TotalSeconds));
        return room;
    }

    private async Task<(IReadOnlyDictionary<string, MemberRecord> Globals, long Seen)> GlobalsAsync()
    {
        var table = await store.GetAllAsync(CommunityScope.Server, CommunityGrain.ModeratorTable);
        return (
            table.Where(entry => entry.Key != CommunityGrain.CounterName)
                .ToDictionary(entry => entry.Key, entry => Records.Unpack(entry.Value, CommunityJson.Default.MemberRecord)),
            table.TryGetValue(CommunityGrain.CounterName, out var counter) ? long.Parse(Encoding.ASCII.GetString(counter.Span), CultureInfo.InvariantCulture) : 0);
    }

    private static CommunityChanges SetInfo(CommunityChanges changes, RoomRecord record) =>
        changes.Set(RoomTable, InfoName, Records.Pack(record, CommunityJson.Default.RoomRecord));

    private static CommunityChanges SetSequence(CommunityChanges changes, long sequence) =>
        changes.Set(RoomTable, SequenceName, Encoding.ASCII.GetBytes(sequence.ToString(CultureInfo.InvariantCulture)));

    private static long Id(string name) => long.Parse(name, CultureInfo.InvariantCulture);

    /// <summary>Marks a reader as active; the store learns of it later, in company.</summary>
    private void Touch(CommunityCaller caller)
    {
        if (caller.Id is { } id && !caller.IsSystem)
            _active[id] = (long)Now;
        if (!_activity.IsCompleted || (_activityAt != 0 && time.GetElapsedTime(_activityAt) < ActivityPeriod))
            return;
        _activityAt = time.GetTimestamp();
        _activity = FlushActivityAsync();
    }

    private async Task FlushActivityAsync()
    {
        var active = _active;
        _active = [];
        try
        {
            if (active.Count > 0)
            {
                await store.EnterAsync(
                    _scope, ActiveIndex, [.. active.Select(entry => new CommunityIndexEntry(entry.Key, entry.Value))], (long)(Now - ActivityKept.TotalSeconds));
            }

            var count = await store.CountAsync(_scope, ActiveIndex, (long)(Now - options.Value.ActiveCutoff.TotalSeconds));
            if (_room is { } room)
                room.ActiveUsers = count;
        }
        catch (CommunityStoreException exception)
        {
            // Nobody is told that he is counted: what could not be written is tried again with the next.
            foreach (var (user, at) in active)
                _active.TryAdd(user, at);
            LogActivityFailed(exception);
        }
    }

    [LoggerMessage(EventId = 2301, Level = LogLevel.Warning, Message = "The activity of a room's users could not be stored")]
    private partial void LogActivityFailed(Exception exception);

    [LoggerMessage(EventId = 2302, Level = LogLevel.Warning, Message = "The bytes of a room's file could not be changed; they stay longer than they must")]
    private partial void LogFileFailed(Exception exception);

    /// <summary>What a change wants: a reply alone, or changes and what becomes of the memory when they are confirmed.</summary>
    private sealed record RoomStep(CommunityChanges? Changes, Func<RoomMemory, CommunityReply>? Apply, IReadOnlyList<FileStep>? Files = null)
    {
        public CommunityReply? Reply { get; private init; }

        public static implicit operator RoomStep(CommunityReply reply) => new(null, null) { Reply = reply };
    }
}
