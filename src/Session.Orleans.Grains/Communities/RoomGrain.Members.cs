using System.Globalization;
using Session.Orleans.Contracts.Communities;
using Session.Orleans.Storage.Communities;

namespace Session.Orleans.Grains.Communities;

/// <summary>Permissions, their schedule, moderators and bans (communities.md, 6.2 and 10).</summary>
internal sealed partial class RoomGrain
{
    public async Task<CommunityReply> GetPermissionsAsync(CommunityCaller caller, string? user)
    {
        var room = await GetRoomAsync();
        return room.Record is null ? CommunityReply.NotFound
            : !room.RightsOf(caller).Moderator ? CommunityReply.ModeratorRequired
            : user is null ? RoomJson.AllPermissions(room.Members) : RoomJson.Permissions(room.Members.GetValueOrDefault(user, MemberRecord.None));
    }

    public Task<CommunityReply> SetPermissionsAsync(CommunityCaller caller, string user, PermissionChange change) => ChangeAsync(room =>
    {
        if (!room.RightsOf(caller).Moderator)
            return new(CommunityReply.ModeratorRequired);
        var member = room.Members.GetValueOrDefault(user, MemberRecord.None);
        var changed = member with
        {
            Read = After(change.Read, member.Read),
            Accessible = After(change.Accessible, member.Accessible),
            Write = After(change.Write, member.Write),
            Upload = After(change.Upload, member.Upload),
        };
        var changes = new CommunityChanges();
        SetMember(changes, user, changed);
        List<(string Name, ScheduleRecord? Record)> schedule = [];
        if (change.Unschedule)
        {
            foreach (var (name, record) in room.Schedule.Where(entry => entry.Value.User == user))
            {
                var left = record with
                {
                    Read = change.Read is PermissionStep.Keep ? record.Read : null,
                    Write = change.Write is PermissionStep.Keep ? record.Write : null,
                    Upload = change.Upload is PermissionStep.Keep ? record.Upload : null,
                };
                if (left != record)
                    schedule.Add((name, left is { Read: null, Write: null, Upload: null, Banned: null } ? null : left));
            }
        }

        SetSchedule(changes, schedule);
        return new(new RoomStep(changes, memory =>
        {
            PutMember(memory, user, changed);
            PutSchedule(memory, schedule);
            return RoomJson.Permissions(changed);
        }));
    });

    public async Task<CommunityReply> GetScheduleAsync(CommunityCaller caller, string? user)
    {
        var room = await GetRoomAsync();
        return room.Record is null ? CommunityReply.NotFound
            : !room.RightsOf(caller).Moderator ? CommunityReply.ModeratorRequired : RoomJson.Schedule(room.Schedule.Values, user);
    }

    public Task<CommunityReply> ScheduleAsync(CommunityCaller caller, string user, ScheduledChange change) => ChangeAsync(async room =>
    {
        if (!room.RightsOf(caller).Moderator)
            return CommunityReply.ModeratorRequired;
        var name = RoomMemory.Name(await store.NextAsync("schedule"));
        List<(string, ScheduleRecord?)> schedule = [(name, new(user, Now + change.After.TotalSeconds, change.Read, change.Write, change.Upload, null))];
        var changes = new CommunityChanges();
        SetSchedule(changes, schedule);
        return new RoomStep(changes, memory =>
        {
            PutSchedule(memory, schedule);
            return RoomJson.Schedule(memory.Schedule.Values, user);
        });
    });

    public Task<CommunityReply> SetModeratorAsync(CommunityCaller caller, string user, ModeratorChange change) => ChangeAsync(room =>
    {
        if (!room.RightsOf(caller).Admin)
            return new(CommunityReply.AdminRequired);
        var member = room.Members.GetValueOrDefault(user, MemberRecord.None);
        var (moderator, admin) = change.From(member.Moderator, member.Admin);
        // Who moderates is not banned; and a hidden rank is only meant while there is one.
        var changed = member with { Moderator = moderator, Admin = admin, Visible = !moderator || change.Visible, Banned = member.Banned && !moderator };
        if (changed == member)
            return new(RoomJson.InfoUpdates(room.Record!.InfoUpdates));
        var record = room.Record! with { InfoUpdates = room.Record.InfoUpdates + 1 };
        var changes = SetInfo(new(), record);
        SetMember(changes, user, changed);
        return new(new RoomStep(changes, memory =>
        {
            memory.Record = record;
            PutMember(memory, user, changed);
            return RoomJson.InfoUpdates(record.InfoUpdates);
        }));
    });

    public Task<CommunityReply> SetBanAsync(CommunityCaller caller, string user, bool banned, TimeSpan? timeout, bool isGlobalModerator) =>
        ChangeAsync(async room =>
        {
            var rights = room.RightsOf(caller);
            if (!rights.Moderator)
                return CommunityReply.ModeratorRequired;
            var member = room.Members.GetValueOrDefault(user, MemberRecord.None);
            if (banned && (user == caller.Id || isGlobalModerator || ((member.Moderator || member.Admin) && !rights.Admin)))
                return CommunityReply.Denied;

            var changed = banned ? member with { Banned = true, Moderator = false, Admin = false, Visible = true } : member with { Banned = false };
            var record = member.Moderator != changed.Moderator ? room.Record! with { InfoUpdates = room.Record.InfoUpdates + 1 } : room.Record!;
            // A new ban, or the end of one, replaces whatever was planned.
            List<(string, ScheduleRecord?)> schedule =
            [
                .. room.Schedule.Where(entry => entry.Value.User == user && entry.Value.Banned is not null).Select(entry =>
                    (entry.Key, entry.Value is { Read: null, Write: null, Upload: null } ? null : entry.Value with { Banned = null })),
            ];
            if (banned && timeout is { } time)
                schedule.Add((RoomMemory.Name(await store.NextAsync("schedule")), new(user, Now + time.TotalSeconds, null, null, null, false)));
            var changes = SetInfo(new(), record);
            SetMember(changes, user, changed);
            SetSchedule(changes, schedule);
            return new RoomStep(changes, memory =>
            {
                memory.Record = record;
                PutMember(memory, user, changed);
                PutSchedule(memory, schedule);
                return CommunityReply.Done;
            });
        });

    public Task MoveUserAsync(string from, string to) => ChangeAsync(room =>
    {
        var moved = room.Members.GetValueOrDefault(from);
        List<(string, ScheduleRecord?)> schedule =
            [.. room.Schedule.Where(entry => entry.Value.User == from).Select(entry => (entry.Key, (ScheduleRecord?)(entry.Value with { User = to })))];
        if (moved is null && schedule.Count == 0)
            return new(CommunityReply.Done);
        var ranks = moved is { Moderator: true } or { Admin: true };
        var record = ranks ? room.Record! with { InfoUpdates = room.Record.InfoUpdates + 1 } : room.Record!;
        var changes = SetInfo(new(), record);
        SetSchedule(changes, schedule);
        if (moved is not null)
        {
            SetMember(changes, from, MemberRecord.None);
            SetMember(changes, to, moved);
        }

        return new(new RoomStep(changes, memory =>
        {
            memory.Record = record;
            PutSchedule(memory, schedule);
            if (moved is not null)
            {
                PutMember(memory, from, MemberRecord.None);
                PutMember(memory, to, moved);
            }

            return CommunityReply.Done;
        }));
    });

    private static bool? After(PermissionStep step, bool? value) => step switch
    {
        PermissionStep.Grant => true,
        PermissionStep.Deny => false,
        PermissionStep.Clear => null,
        _ => value,
    };

    private static void SetMember(CommunityChanges changes, string user, MemberRecord member)
    {
        if (member == MemberRecord.None)
            changes.Remove(MemberTable, user);
        else
            changes.Set(MemberTable, user, Records.Pack(member, CommunityJson.Default.MemberRecord));
    }

    private static void PutMember(RoomMemory memory, string user, MemberRecord member)
    {
        if (member == MemberRecord.None)
            memory.Members.Remove(user);
        else
            memory.Members[user] = member;
    }

    private static void SetSchedule(CommunityChanges changes, List<(string Name, ScheduleRecord? Record)> schedule)
    {
        foreach (var (name, record) in schedule)
        {
            if (record is null)
                changes.Remove(ScheduleTable, name);
            else
                changes.Set(ScheduleTable, name, Records.Pack(record, CommunityJson.Default.ScheduleRecord));
        }
    }

    private static void PutSchedule(RoomMemory memory, List<(string Name, ScheduleRecord? Record)> schedule)
    {
        foreach (var (name, record) in schedule)
        {
            if (record is null)
                memory.Schedule.Remove(name);
            else
                memory.Schedule[name] = record;
        }
    }

    private bool IsScheduleDue(RoomMemory room) => room.Schedule.Count > 0 && Now is var now && room.Schedule.Values.Any(entry => entry.At <= now);

    /// <summary>
    /// Carries out what is due, in the order of its time and within a turn. Nobody can see a room without asking it, so this is when it is asked
    /// rather than every ten seconds.
    /// </summary>
    private async ValueTask RunScheduleAsync(RoomMemory room)
    {
        if (room.Record is null || !IsScheduleDue(room))
            return;
        var now = Now;
        var due = room.Schedule.Where(entry => entry.Value.At <= now)
            .OrderBy(entry => entry.Value.At).ThenBy(entry => long.Parse(entry.Key, CultureInfo.InvariantCulture)).ToArray();
        Dictionary<string, MemberRecord> members = [];
        var changes = new CommunityChanges();
        var record = room.Record;
        foreach (var (name, entry) in due)
        {
            var member = members.GetValueOrDefault(entry.User) ?? room.Members.GetValueOrDefault(entry.User, MemberRecord.None);
            members[entry.User] = member with
            {
                Read = Value(entry.Read, record.Read, member.Read),
                Write = Value(entry.Write, record.Write, member.Write),
                Upload = Value(entry.Upload, record.Upload, member.Upload),
                Banned = entry.Banned ?? member.Banned,
            };
            changes.Remove(ScheduleTable, name);
        }

        foreach (var (user, member) in members)
            SetMember(changes, user, member);
        if (await store.CommitAsync(_scope, room.Version, changes) is not { } version)
            return; // somebody else wrote: so will the change that follows find out
        room.Version = version;
        foreach (var (name, _) in due)
            room.Schedule.Remove(name);
        foreach (var (user, member) in members)
            PutMember(room, user, member);

        // A value equal to the default is no override.
        static bool? Value(bool? wanted, bool standard, bool? known) => wanted is null ? known : wanted == standard ? null : wanted;
    }
}
