namespace Session.Orleans.Contracts.Communities;

/// <summary>
/// A room of the community server: its settings, permissions, messages, reactions, pins and files (communities.md, 6 to 8 and 10). The key is its
/// token in lower case. It is the single writer of its room; a change is answered when the store has confirmed it, and a poll that finds nothing
/// new without asking the store.
/// </summary>
[Alias("session.IRoomGrain")]
public interface IRoomGrain : IGrainWithStringKey
{
    /// <summary>Makes the room; false if it is there already.</summary>
    [Alias("Create")]
    Task<bool> CreateAsync(string token, string name, string? description);

    /// <summary>Removes the room with all it holds; false if there is none.</summary>
    [Alias("Remove")]
    Task<bool> RemoveAsync();

    /// <summary>The room as its operator sees it; null if there is none.</summary>
    [Alias("Describe")]
    Task<RoomSummary?> DescribeAsync();

    /// <summary>The caller's rank.</summary>
    [Alias("GetRank")]
    Task<RoomRank> GetRankAsync(CommunityCaller caller);

    /// <summary>The room object, or 404.</summary>
    [Alias("Get")]
    Task<CommunityReply> GetAsync(CommunityCaller caller);

    /// <summary>What a poller wants to know; the whole room if its counter is not <paramref name="infoUpdates"/>.</summary>
    [Alias("Poll")]
    Task<CommunityReply> PollAsync(CommunityCaller caller, long infoUpdates);

    /// <summary>Changes settings.</summary>
    [Alias("Change")]
    Task<CommunityReply> ChangeAsync(CommunityCaller caller, RoomChange change);

    /// <summary>Messages or updates.</summary>
    [Alias("GetMessages")]
    Task<CommunityReply> GetMessagesAsync(CommunityCaller caller, MessageQuery query);

    /// <summary>One message.</summary>
    [Alias("GetMessage")]
    Task<CommunityReply> GetMessageAsync(CommunityCaller caller, long id, int reactors);

    /// <summary>Posts a message.</summary>
    [Alias("Post")]
    Task<CommunityReply> PostAsync(CommunityCaller caller, PostDraft draft);

    /// <summary>Gives the caller's own message new content.</summary>
    [Alias("Edit")]
    Task<CommunityReply> EditAsync(CommunityCaller caller, long id, PostDraft draft);

    /// <summary>Deletes a message.</summary>
    [Alias("Delete")]
    Task<CommunityReply> DeleteAsync(CommunityCaller caller, long id);

    /// <summary>Deletes all messages of <paramref name="user"/> and lets the user's uploads expire.</summary>
    /// <param name="caller">Who asks.</param>
    /// <param name="user">The author.</param>
    /// <param name="isGlobalAdmin">True if the author is an admin of the server.</param>
    [Alias("DeleteAll"), ResponseTimeout("00:01:00")]
    Task<RoomPurge> DeleteAllAsync(CommunityCaller caller, string user, bool isGlobalAdmin);

    /// <summary>Adds the caller's reaction to a message, or takes it back.</summary>
    [Alias("React")]
    Task<CommunityReply> ReactAsync(CommunityCaller caller, long id, string emoji, bool add);

    /// <summary>Removes everybody's reactions: all, or those with one emoji.</summary>
    [Alias("ClearReactions")]
    Task<CommunityReply> ClearReactionsAsync(CommunityCaller caller, long id, string? emoji);

    /// <summary>Who reacted with an emoji.</summary>
    [Alias("GetReactors")]
    Task<CommunityReply> GetReactorsAsync(CommunityCaller caller, long id, string emoji, int limit);

    /// <summary>Pins a message.</summary>
    [Alias("Pin")]
    Task<CommunityReply> PinAsync(CommunityCaller caller, long id);

    /// <summary>Unpins a message, or all if there is no id.</summary>
    [Alias("Unpin")]
    Task<CommunityReply> UnpinAsync(CommunityCaller caller, long? id);

    /// <summary>The permissions of one user, or of all that have any.</summary>
    [Alias("GetPermissions")]
    Task<CommunityReply> GetPermissionsAsync(CommunityCaller caller, string? user);

    /// <summary>Changes a user's permissions.</summary>
    [Alias("SetPermissions")]
    Task<CommunityReply> SetPermissionsAsync(CommunityCaller caller, string user, PermissionChange change);

    /// <summary>Scheduled changes of one user, or of all.</summary>
    [Alias("GetSchedule")]
    Task<CommunityReply> GetScheduleAsync(CommunityCaller caller, string? user);

    /// <summary>Schedules a change.</summary>
    [Alias("Schedule")]
    Task<CommunityReply> ScheduleAsync(CommunityCaller caller, string user, ScheduledChange change);

    /// <summary>Changes a user's rank.</summary>
    [Alias("SetModerator")]
    Task<CommunityReply> SetModeratorAsync(CommunityCaller caller, string user, ModeratorChange change);

    /// <summary>Bans a user, or ends a ban.</summary>
    /// <param name="caller">Who asks.</param>
    /// <param name="user">The user.</param>
    /// <param name="banned">True to ban.</param>
    /// <param name="timeout">After which time the ban ends by itself.</param>
    /// <param name="isGlobalModerator">True if the user is a moderator of the server, who can't be banned from a room.</param>
    [Alias("SetBan")]
    Task<CommunityReply> SetBanAsync(CommunityCaller caller, string user, bool banned, TimeSpan? timeout, bool isGlobalModerator);

    /// <summary>Null if the caller may upload, else the refusal.</summary>
    [Alias("CheckUpload")]
    Task<CommunityReply?> CheckUploadAsync(CommunityCaller caller);

    /// <summary>Enters a file whose bytes are in the store of files.</summary>
    [Alias("AddFile")]
    Task<CommunityReply> AddFileAsync(CommunityCaller caller, RoomFile file);

    /// <summary>A live file.</summary>
    [Alias("GetFile")]
    Task<RoomFileReply> GetFileAsync(CommunityCaller caller, long id);

    /// <summary>Tells that the server's own moderators have changed.</summary>
    /// <returns>The room's counter; null if there is no room.</returns>
    [Alias("GlobalModeratorsChanged")]
    Task<long?> GlobalModeratorsChangedAsync();

    /// <summary>Moves everything a room knows of one id to another: a Session ID's rights to the blinded id that has now appeared.</summary>
    [Alias("MoveUser")]
    Task MoveUserAsync(string from, string to);
}
