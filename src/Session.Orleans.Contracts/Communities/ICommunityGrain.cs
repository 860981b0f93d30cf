using System.Collections.Immutable;

namespace Session.Orleans.Contracts.Communities;

/// <summary>
/// The community server: which rooms there are, and what users are to all of them (communities.md, 1, 4 and 10). One writer; never on the path of
/// a poll. The key is the network's name.
/// </summary>
[Alias("session.ICommunityGrain")]
public interface ICommunityGrain : IGrainWithStringKey
{
    /// <summary>Tokens of all rooms in lower case, in their order.</summary>
    [Alias("GetRooms")]
    Task<ImmutableArray<string>> GetRoomsAsync();

    /// <summary>Makes a room; false if there is one with this token, in whatever case.</summary>
    [Alias("CreateRoom")]
    Task<bool> CreateRoomAsync(string token, string name, string? description);

    /// <summary>Removes a room with all it holds; false if there is none.</summary>
    [Alias("RemoveRoom")]
    Task<bool> RemoveRoomAsync(string token);

    /// <summary>What a user is to the server; all false for unknown ones.</summary>
    [Alias("GetUser")]
    Task<CommunityUser> GetUserAsync(string user);

    /// <summary>All moderators and admins of the server.</summary>
    [Alias("GetModerators")]
    Task<ImmutableArray<CommunityUser>> GetModeratorsAsync();

    /// <summary>
    /// The id to act on when a moderator names <paramref name="id"/>: for a Session ID, the blinded id that has been seen of it; else itself, and
    /// what is done to it will move to the blinded id once that appears (communities.md, 4).
    /// </summary>
    [Alias("Resolve")]
    Task<string> ResolveAsync(string id);

    /// <summary>Moves what was done to a Session ID to its blinded id, which has just appeared.</summary>
    [Alias("Adopt")]
    Task AdoptAsync(string blindedId);

    /// <summary>Changes a user's rank in the server, and tells all rooms.</summary>
    [Alias("SetModerator"), ResponseTimeout("00:01:00")]
    Task<CommunityReply> SetModeratorAsync(CommunityCaller caller, string user, ModeratorChange change);

    /// <summary>Bans a user from the server, or ends that.</summary>
    [Alias("SetBan")]
    Task<CommunityReply> SetBanAsync(CommunityCaller caller, string user, bool banned, TimeSpan? timeout);
}

/// <summary>What a user is to the whole server.</summary>
/// <param name="Id">The user.</param>
/// <param name="Moderator">True for moderators and admins.</param>
/// <param name="Admin">True for admins.</param>
/// <param name="Visible">True if others see the rank.</param>
/// <param name="Banned">True if banned.</param>
/// <param name="Seen">True if the id has ever been seen.</param>
[GenerateSerializer, Immutable, Alias("session.CommunityUser")]
public sealed record CommunityUser(
    [property: Id(0)] string Id, [property: Id(1)] bool Moderator, [property: Id(2)] bool Admin, [property: Id(3)] bool Visible,
    [property: Id(4)] bool Banned, [property: Id(5)] bool Seen);

/// <summary>
/// The direct messages of one user: inbox and outbox (communities.md, 9). The key is the user's id. Ids come to each box in ascending order,
/// so a reader that asks for what follows an id misses nothing.
/// </summary>
[Alias("session.IDirectMessagesGrain")]
public interface IDirectMessagesGrain : IGrainWithStringKey
{
    /// <summary>Sends a message of this user; 201, or 404 is for the caller to find out.</summary>
    [Alias("Send")]
    Task<CommunityReply> SendAsync(string recipient, ReadOnlyMemory<byte> message);

    /// <summary>Puts a message into this user's inbox and returns its id and times, Unix seconds.</summary>
    [Alias("Deliver")]
    Task<DirectMessage> DeliverAsync(string sender, ReadOnlyMemory<byte> message);

    /// <summary>A page of the inbox or the outbox, by ascending id; 304 if <paramref name="after"/> is given and nothing follows.</summary>
    [Alias("Read")]
    Task<CommunityReply> ReadAsync(bool outbox, long? after, int limit);

    /// <summary>Empties the inbox.</summary>
    [Alias("Clear")]
    Task<CommunityReply> ClearAsync();
}

/// <summary>A direct message that was delivered.</summary>
/// <param name="Id">Its number, unique in the server.</param>
/// <param name="Posted">Unix seconds.</param>
/// <param name="Expiry">Unix seconds.</param>
[GenerateSerializer, Immutable, Alias("session.DirectMessage")]
public readonly record struct DirectMessage([property: Id(0)] long Id, [property: Id(1)] double Posted, [property: Id(2)] double Expiry);
