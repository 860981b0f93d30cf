using System.Collections.Immutable;
using System.Globalization;
using Session.Orleans.Contracts.Communities;

namespace Session.Orleans.Grains.Communities;

/// <summary>
/// What a room's activation knows: all settings and permissions, and the latest messages. Older messages are read from the store when somebody
/// wants them, so a room's memory does not grow with its history.
/// </summary>
internal sealed class RoomMemory
{
    /// <summary>Latest messages that are kept at least, both by id and by sequence number; the protocol's pages have at most 256.</summary>
    public const int Window = 400;

    private readonly List<Post> _updates = []; // by sequence number: all above _updatesFloor
    private readonly List<Post> _live = []; // by id: all live ones above _liveFloor
    private readonly Dictionary<long, Post> _byId = [];
    private long _updatesFloor;
    private long _liveFloor;

    /// <summary>The store's version that all of this stands for.</summary>
    public long Version { get; set; }

    /// <summary>Null if there is no such room.</summary>
    public RoomRecord? Record { get; set; }

    /// <summary>Number of changes of messages so far.</summary>
    public long Sequence { get; set; }

    public Dictionary<string, MemberRecord> Members { get; } = [];

    /// <summary>Moderators of the whole server.</summary>
    public IReadOnlyDictionary<string, MemberRecord> Globals { get; set; } = ImmutableDictionary<string, MemberRecord>.Empty;

    public Dictionary<long, PinRecord> Pins { get; } = [];

    /// <summary>Scheduled changes by name.</summary>
    public Dictionary<string, ScheduleRecord> Schedule { get; } = [];

    /// <summary>Null before it was counted.</summary>
    public long ActiveUsers { get; set; }

    /// <summary>True if every change after <paramref name="sequence"/> is in memory.</summary>
    public bool KnowsUpdatesAfter(long sequence) => sequence >= _updatesFloor;

    /// <summary>Changes after a sequence number, in their order; only if they are in memory.</summary>
    public IEnumerable<Post> UpdatesAfter(long sequence)
    {
        var (low, high) = (0, _updates.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_updates[middle].Sequence > sequence)
                high = middle;
            else
                low = middle + 1;
        }

        return _updates.Skip(low);
    }

    /// <summary>Live messages with an id below <paramref name="before"/>, newest first, as far as they are in memory.</summary>
    /// <param name="before">Exclusive upper end.</param>
    /// <param name="floor">Where memory ends: older ones are at or below this id; 0 if there are none.</param>
    public IEnumerable<Post> LiveBefore(long before, out long floor)
    {
        floor = _liveFloor;
        return Enumerable.Range(1, _live.Count).Select(i => _live[^i]).SkipWhile(post => post.Id >= before);
    }

    public Post? Find(long id) => _byId.GetValueOrDefault(id);

    /// <summary>Fills the memory.</summary>
    /// <param name="updates">The latest by sequence number, ascending.</param>
    /// <param name="updatesFloor">All with a larger sequence number are among them.</param>
    /// <param name="live">The latest live ones by id, ascending.</param>
    /// <param name="liveFloor">All live ones with a larger id are among them.</param>
    public void Fill(IEnumerable<Post> updates, long updatesFloor, IEnumerable<Post> live, long liveFloor)
    {
        _updates.AddRange(updates);
        _live.AddRange(live);
        (_updatesFloor, _liveFloor) = (updatesFloor, liveFloor);
        foreach (var post in _updates.Concat(_live))
            _byId[post.Id] = post;
    }

    /// <summary>Takes in a message that was posted or changed; its sequence number is now the largest.</summary>
    public void Put(Post post, Post? before)
    {
        if (before is not null && before.Sequence > _updatesFloor)
            _ = _updates.RemoveAll(other => other.Id == post.Id);
        _updates.Add(post);
        if (before is null)
        {
            _live.Add(post);
        }
        else if (post.Id > _liveFloor)
        {
            var at = _live.FindLastIndex(other => other.Id == post.Id);
            if (at >= 0 && post.IsDeleted)
                _live.RemoveAt(at);
            else if (at >= 0)
                _live[at] = post;
        }

        _byId[post.Id] = post;
        if (_updates.Count > 2 * Window || _live.Count > 2 * Window)
            Trim();
    }

    /// <summary>The effective rights of a caller (communities.md, 6.2).</summary>
    public Rights RightsOf(CommunityCaller caller)
    {
        var record = Record!;
        var own = caller.Id is null ? MemberRecord.None : Members.GetValueOrDefault(caller.Id, MemberRecord.None);
        var admin = caller.IsGlobalAdmin || own.Admin;
        var moderator = admin || caller.IsGlobalModerator || own.Moderator;
        bool May(bool? flag, bool standard) => moderator || (!own.Banned && (flag ?? standard));
        var write = May(own.Write, record.Write);
        return new(
            own.Banned && !moderator, May(own.Read, record.Read), May(own.Accessible, record.Accessible), write, write && May(own.Upload, record.Upload), moderator, admin);
    }

    public RoomRank RankOf(CommunityCaller caller) =>
        Record is null ? RoomRank.NoRoom
        : RightsOf(caller) is var rights && rights.Admin ? RoomRank.Admin : rights.Moderator ? RoomRank.Moderator : RoomRank.None;

    public static string Name(long id) => id.ToString(CultureInfo.InvariantCulture);

    private void Trim()
    {
        if (_updates.Count > 2 * Window)
        {
            _updatesFloor = _updates[Window - 1].Sequence;
            _updates.RemoveRange(0, Window);
        }

        if (_live.Count > 2 * Window)
        {
            _liveFloor = _live[Window - 1].Id;
            _live.RemoveRange(0, Window);
        }

        _byId.Clear();
        foreach (var post in _live.Concat(_updates))
            _byId[post.Id] = post;
    }
}

/// <summary>What a caller may do in a room.</summary>
internal readonly record struct Rights(bool Banned, bool Read, bool Accessible, bool Write, bool Upload, bool Moderator, bool Admin)
{
    /// <summary>True if the room is there for the caller: neither banned nor shut out.</summary>
    public bool MayAccess => !Banned && (Accessible || Read);

    /// <summary>Whether a message is for the caller's eyes (communities.md, 7.3).</summary>
    public bool Sees(Post post, CommunityCaller caller) =>
        !post.IsWhisper || (caller.Id is { } id && (id == post.WhisperTo || (Moderator && (post.WhisperMods || id == post.Author))));
}
