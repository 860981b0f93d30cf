using Session.Orleans.Client;
using Session.Orleans.Protocol.Communities;

namespace Session.Orleans.Load.Users;

/// <summary>A room of a community.</summary>
/// <param name="url">How it is joined.</param>
/// <param name="members">Numbers of the users who are in it.</param>
internal sealed class LoadRoom(CommunityUrl url, int[] members)
{
    /// <summary>How it is joined.</summary>
    public CommunityUrl Url { get; } = url;

    /// <summary>Where it is.</summary>
    public ServerAddress Server { get; } = new(new(url.Base), url.Server);

    /// <summary>Numbers of the users who are in it.</summary>
    public int[] Members { get; } = members;

    /// <summary>The room's sequence number before the run: what comes after it, every member has to see.</summary>
    public long Start { get; set; }
}

/// <summary>What a user reads at one community server. One round of polling at a time.</summary>
/// <param name="user">Who.</param>
/// <param name="server">Where.</param>
internal sealed class CommunityReader(VirtualUser user, ServerAddress server)
{
    private BlindedKeyPair? _keys;
    private int _busy;

    /// <summary>The server.</summary>
    public ServerAddress Server { get; } = server;

    /// <summary>The user's rooms there.</summary>
    public List<RoomReader> Rooms { get; } = [];

    /// <summary>The user's keys there, made when they are needed first.</summary>
    public BlindedKeyPair Keys => Volatile.Read(ref _keys) ?? CreateKeys();

    /// <summary>Begins a round; false if one is under way.</summary>
    public bool TryBegin() => Interlocked.Exchange(ref _busy, 1) == 0;

    /// <summary>Ends a round.</summary>
    public void End() => Volatile.Write(ref _busy, 0);

    private BlindedKeyPair CreateKeys()
    {
        var keys = new BlindedKeyPair(user.Keys, Server.Key);
        return Interlocked.CompareExchange(ref _keys, keys, null) ?? keys;
    }
}

/// <summary>How far a user has read a room.</summary>
/// <param name="room">The room.</param>
/// <param name="at">The server's other rooms that the user is in.</param>
internal sealed class RoomReader(LoadRoom room, CommunityReader at)
{
    /// <summary>Posts that a server takes from a user in a room within <see cref="TurnWindow"/> (communities.md, 7.4).</summary>
    public const int Turns = 5;

    /// <summary>The 16 s of the server and a second for posts that arrive closer together than they were sent.</summary>
    public static readonly TimeSpan TurnWindow = TimeSpan.FromSeconds(17);

    private readonly Lock _lock = new();
    private TimeSpan[]? _turns;
    private int _nextTurn;
    private volatile bool _isJoined;
    private long _cursor = -1;

    /// <summary>The room.</summary>
    public LoadRoom Room { get; } = room;

    /// <summary>The server's rooms that the user is in.</summary>
    public CommunityReader At { get; } = at;

    /// <summary>True once the server has described the room to the user.</summary>
    public bool IsJoined
    {
        get => _isJoined;
        set => _isJoined = value;
    }

    /// <summary>The largest sequence number that the user has seen; the room's before the run at first.</summary>
    public long Cursor
    {
        get => Interlocked.Read(ref _cursor) is >= 0 and var seen ? seen : Room.Start;
        set => Interlocked.Exchange(ref _cursor, value);
    }

    /// <summary>Takes a turn to post; false if the user has posted as often as the server lets it.</summary>
    public bool TryTakeTurn(TimeSpan now)
    {
        lock (_lock)
        {
            if (_turns is null)
            {
                _turns = new TimeSpan[Turns];
                Array.Fill(_turns, TimeSpan.MinValue);
            }

            if (_turns[_nextTurn] > now - TurnWindow)
                return false;
            _turns[_nextTurn] = now;
            _nextTurn = (_nextTurn + 1) % Turns;
            return true;
        }
    }
}
