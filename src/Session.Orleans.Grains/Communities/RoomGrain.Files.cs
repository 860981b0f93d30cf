using System.Collections.Immutable;
using Session.Orleans.Contracts.Communities;
using Session.Orleans.Storage.Blobs;
using Session.Orleans.Storage.Communities;

namespace Session.Orleans.Grains.Communities;

/// <summary>Files (communities.md, 8). Bytes are elsewhere (<see cref="RoomFiles"/>); here is what the room knows of them.</summary>
internal sealed partial class RoomGrain
{
    private const int SweepBatch = 50;

    public async Task<CommunityReply?> CheckUploadAsync(CommunityCaller caller)
    {
        var room = await GetRoomAsync();
        return room.Record is null ? CommunityReply.NotFound
            : caller.Id is null ? CommunityReply.UserRequired
            : room.RightsOf(caller).Upload ? null : CommunityReply.Denied;
    }

    public Task<CommunityReply> AddFileAsync(CommunityCaller caller, RoomFile file) => ChangeAsync(async room =>
    {
        if (caller.Id is not { } uploader)
            return CommunityReply.UserRequired;
        if (!room.RightsOf(caller).Upload)
            return CommunityReply.Denied;
        var now = Now;
        var record = new FileRecord { Uploader = uploader, Name = file.Name, Size = file.Size, Uploaded = now, Expiry = now + RoomFiles.UploadLifetime.TotalSeconds, Blob = file.Blob };
        var changes = new CommunityChanges();
        var name = RoomMemory.Name(file.Id);
        var step = SetExpiry(changes, file.Id, record, record.Expiry);
        changes.Enter(UploaderIndex(uploader), name, file.Id);

        // Lines of files that have ended go when others come.
        foreach (var ended in await store.RangeAsync(_scope, ExpiryIndex, long.MinValue, (long)now, descending: false, SweepBatch))
        {
            if (await FindFileAsync(Id(ended.Name)) is { } gone)
                changes.Leave(UploaderIndex(gone.Uploader), ended.Name);
            changes.Remove(FileTable, ended.Name).Leave(ExpiryIndex, ended.Name);
        }

        return new RoomStep(changes, _ => RoomJson.FileId(file.Id), [step]);
    });

    public async Task<RoomFileReply> GetFileAsync(CommunityCaller caller, long id)
    {
        var room = await GetRoomAsync();
        if (room.Record is null)
            return new(null, CommunityReply.NotFound);
        if (!room.RightsOf(caller).Read)
            return new(null, CommunityReply.ReadRequired);
        return await FindFileAsync(id) is { } file && file.IsLive(Now)
            ? new(new(id, file.Size, file.Name, file.Uploaded, file.Expiry, file.Blob), null) : new(null, CommunityReply.NotFound);
    }

    private static string UploaderIndex(string user) => "up:" + user;

    private async ValueTask<FileRecord?> FindFileAsync(long id) =>
        (await store.GetAsync(_scope, FileTable, [RoomMemory.Name(id)]))[0] is { } bytes ? Records.Unpack(bytes, CommunityJson.Default.FileRecord) : null;

    /// <summary>Attaches those of the author's uploads that can be (communities.md, 8), and passes over the others.</summary>
    private async ValueTask<(ImmutableArray<long> Attached, List<FileStep> Steps)> AttachAsync(
        CommunityChanges changes, ImmutableArray<long> ids, string author, long post, double now, bool permanent = false)
    {
        if (ids.IsDefaultOrEmpty)
            return ([], []);
        long[] distinct = [.. ids.Distinct()];
        var found = await store.GetAsync(_scope, FileTable, [.. distinct.Select(RoomMemory.Name)]);
        var attached = ImmutableArray.CreateBuilder<long>();
        List<FileStep> steps = [];
        for (var i = 0; i < distinct.Length; i++)
        {
            if (found[i] is not { } bytes)
                continue;
            var file = Records.Unpack(bytes, CommunityJson.Default.FileRecord);
            if (file.Uploader != author || file.Post != 0 || file.Expiry is null || !file.IsLive(now)
                || file.Uploaded < now - RoomFiles.UploadLifetime.TotalSeconds)
                continue;
            attached.Add(distinct[i]);
            steps.Add(SetExpiry(changes, distinct[i], file with { Post = post }, permanent ? null : now + AttachedLifetime));
        }

        return (attached.ToImmutable(), steps);
    }

    private async ValueTask<List<FileStep>> SetExpiriesAsync(CommunityChanges changes, IReadOnlyList<long> ids, Func<FileRecord, double?> expiry)
    {
        List<FileStep> steps = [];
        foreach (var id in ids)
        {
            if (await FindFileAsync(id) is { } file && file.IsLive(Now))
                steps.Add(SetExpiry(changes, id, file, expiry(file)));
        }

        return steps;
    }

    private static FileStep SetExpiry(CommunityChanges changes, long id, FileRecord file, double? expiry)
    {
        var name = RoomMemory.Name(id);
        changes.Set(FileTable, name, Records.Pack(file with { Expiry = expiry }, CommunityJson.Default.FileRecord));
        if (expiry is { } at)
            changes.Enter(ExpiryIndex, name, (long)at);
        else
            changes.Leave(ExpiryIndex, name);
        return new(id, file.Blob, expiry);
    }

    /// <summary>Lets all uploads of a user expire but the room's image.</summary>
    private async ValueTask<RoomStep> ExpireUploadsAsync(RoomMemory room, string user)
    {
        var uploads = await store.RangeAsync(_scope, UploaderIndex(user), long.MinValue, long.MaxValue, descending: true, 1000);
        var changes = new CommunityChanges();
        var steps = await SetExpiriesAsync(changes, [.. uploads.Select(entry => Id(entry.Name)).Where(id => id != room.Record!.Image)], _ => Now);
        return changes.Count == 0 ? CommunityReply.Done : new RoomStep(changes, _ => CommunityReply.Done, steps);
    }

    private async ValueTask<IReadOnlyList<FileStep>> FilesToRemoveAsync() =>
        [.. (await store.GetAllAsync(_scope, FileTable)).Select(file => new FileStep(Id(file.Key), Records.Unpack(file.Value, CommunityJson.Default.FileRecord).Blob, 0))];

    /// <summary>Before a commit: bytes whose file is to live longer do so first. Without the commit they end later than they could, no more.</summary>
    private async ValueTask PrepareAsync(IReadOnlyList<FileStep>? steps)
    {
        foreach (var step in steps ?? [])
            await files.KeepAsync(step.Blob, step.Expiry);
    }

    /// <summary>Carries over to the bytes what the room has decided. Should it fail, they stay longer than they must.</summary>
    private async ValueTask ApplyAsync(IReadOnlyList<FileStep>? steps)
    {
        foreach (var step in steps ?? [])
        {
            try
            {
                await files.SetExpiryAsync(this.GetPrimaryKeyString(), step.Id, step.Blob, step.Expiry);
            }
            catch (Exception exception) when (exception is CommunityStoreException or BlobScheduleException)
            {
                LogFileFailed(exception);
            }
        }
    }

    /// <summary>A file's new end, Unix seconds; null if it stays.</summary>
    private readonly record struct FileStep(long Id, string? Blob, double? Expiry);
}
