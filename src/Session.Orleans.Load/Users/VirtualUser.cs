using Session.Orleans.Load.Network;
using Session.Orleans.Load.Plan;
using Session.Orleans.Protocol.Groups;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Load.Users;

/// <summary>
/// An account that behaves like a client. There may be tens of thousands of them, so it holds keys, two paths, and how far it has read; whatever
/// can be shared is in <see cref="LoadNetwork"/>.
/// </summary>
internal sealed class VirtualUser
{
    private const int PathLength = Client.OnionPath.DefaultLength;
    private const int DrawsBeforeScan = 32;

    private readonly Lock _lock = new();
    private SeededRandom _random;
    private CommunityReader[] _communities = []; // most runs have none
    private LoadNode[]? _first, _second;
    private byte _firstFailures, _secondFailures;

    /// <summary>User with this number in its shard.</summary>
    /// <param name="number">Number in the shard.</param>
    /// <param name="keys">Its keys.</param>
    /// <param name="random">What its behaviour is drawn from.</param>
    public VirtualUser(int number, Ed25519KeyPair keys, SeededRandom random)
    {
        (Number, Keys, _random) = (number, keys, random);
        Mailbox = new(keys.SessionId);
        Reader = new(Mailbox, group: null, position: 0);
        Rank = _random.NextDouble();
    }

    /// <summary>Number in the shard.</summary>
    public int Number { get; }

    /// <summary>The account's keys.</summary>
    public Ed25519KeyPair Keys { get; }

    /// <summary>The account's own mailbox.</summary>
    public Mailbox Mailbox { get; }

    /// <summary>How far the own mailbox is read.</summary>
    public MailboxReader Reader { get; }

    /// <summary>Groups that the user is in.</summary>
    public List<MailboxReader> Groups { get; } = [];

    /// <summary>Community servers with rooms that the user is in.</summary>
    public IReadOnlyList<CommunityReader> Communities => _communities;

    /// <summary>From 0 to 1: users below the connected share of a stage are connected.</summary>
    public double Rank { get; }

    /// <summary>True while it polls.</summary>
    public bool IsOnline { get; set; }

    /// <summary>False while it is away by its own habits.</summary>
    public bool IsPresent { get; set; } = true;

    /// <summary>Since when it has been online, from the beginning of the run.</summary>
    public TimeSpan OnlineSince { get; set; }

    /// <summary>Counts the times it came and went: what was planned before is no longer valid.</summary>
    public int Epoch { get; set; }

    /// <summary>Makes the user a member of a room, before the run.</summary>
    public void Join(LoadRoom room)
    {
        if (_communities.FirstOrDefault(reader => reader.Server == room.Server) is not { } at)
            _communities = [.. _communities, at = new(this, room.Server)];
        at.Rooms.Add(new(room, at));
    }

    /// <summary>Draws with the user's own random numbers.</summary>
    public T Draw<T>(DrawFrom<T> draw)
    {
        lock (_lock)
            return draw(ref _random);
    }

    /// <summary>A path that does not hold the destination (onion-requests.md, 8): one of two, whose guards stay as long as they work.</summary>
    /// <returns>Null if the network has too few nodes.</returns>
    public LoadNode[]? ChoosePath(LoadNetwork network, LoadNode? destination)
    {
        var nodes = network.Nodes;
        lock (_lock)
        {
            _first = Keep(nodes, _first, _second);
            _second = Keep(nodes, _second, _first);
            var (one, other) = _random.Next(2) == 0 ? (_first, _second) : (_second, _first);
            if (one is not null && !one.Contains(destination))
                return one;
            if (other is not null && !other.Contains(destination))
                return other;
            // Only in small networks: both hold it, so one with a kept guard is made for this request alone.
            var guard = one is not null && one[0] != destination ? one[0] : other is not null && other[0] != destination ? other[0] : null;
            return Build(nodes, guard, destination, avoided: null);
        }
    }

    /// <summary>Something on the path failed; after three times in a row it is given up with its guard.</summary>
    public void ReportFailure(LoadNode[] path)
    {
        lock (_lock)
        {
            if (path == _first && ++_firstFailures >= Client.ErrorReactions.Threshold)
                (_first, _firstFailures) = (null, 0);
            else if (path == _second && ++_secondFailures >= Client.ErrorReactions.Threshold)
                (_second, _secondFailures) = (null, 0);
        }
    }

    /// <summary>A request came through.</summary>
    public void ReportSuccess(LoadNode[] path)
    {
        lock (_lock)
        {
            if (path == _first)
                _firstFailures = 0;
            else if (path == _second)
                _secondFailures = 0;
        }
    }

    private LoadNode[]? Keep(IReadOnlyList<LoadNode> nodes, LoadNode[]? path, LoadNode[]? other)
    {
        if (path is not null && !path.Any(node => node.IsGone))
            return path;
        // A node that has left is replaced; if it is the guard, so is the path.
        var guard = path is not null && !path[0].IsGone ? path[0] : null;
        return Build(nodes, guard, destination: null, other?[0]) ?? Build(nodes, guard, destination: null, avoided: null);
    }

    private LoadNode[]? Build(IReadOnlyList<LoadNode> nodes, LoadNode? guard, LoadNode? destination, LoadNode? avoided)
    {
        var path = new LoadNode[PathLength];
        var length = 0;
        if (guard is not null)
            path[length++] = guard;
        while (length < PathLength)
        {
            if (DrawNode(nodes, path.AsSpan(0, length), destination, avoided) is not { } node)
                return null;
            path[length++] = node;
        }

        return path;
    }

    private LoadNode? DrawNode(IReadOnlyList<LoadNode> nodes, ReadOnlySpan<LoadNode> used, LoadNode? destination, LoadNode? avoided)
    {
        if (nodes.Count == 0)
            return null;
        for (var i = 0; i < DrawsBeforeScan; i++)
        {
            if (nodes[_random.Next(nodes.Count)] is var drawn && IsFree(drawn, used, destination, avoided))
                return drawn;
        }

        foreach (var node in nodes)
        {
            if (IsFree(node, used, destination, avoided))
                return node;
        }

        return null;
    }

    private static bool IsFree(LoadNode node, ReadOnlySpan<LoadNode> used, LoadNode? destination, LoadNode? avoided) =>
        !node.IsGone && node != destination && node != avoided && !used.Contains(node);
}

/// <summary>Draws something.</summary>
internal delegate T DrawFrom<out T>(ref SeededRandom random);

/// <summary>
/// How far a user has read a mailbox: per member of the swarm, because each has its own order (messages.md, 10). One round of polling at a time.
/// </summary>
/// <param name="mailbox">The mailbox.</param>
/// <param name="group">The group whose mailbox it is; null for the user's own.</param>
/// <param name="position">The user's position among the group's members.</param>
internal sealed class MailboxReader(Mailbox mailbox, LoadGroup? group, int position)
{
    private LoadSwarm? _swarm;
    private MessageHash?[]? _last;
    private readonly Lock _lock = new();
    private int _busy;

    /// <summary>The mailbox.</summary>
    public Mailbox Mailbox { get; } = mailbox;

    /// <summary>The group whose mailbox it is; null for the user's own.</summary>
    public LoadGroup? Group { get; } = group;

    /// <summary>The user's position among the group's members.</summary>
    public int Position { get; } = position;

    /// <summary>Begins a round; false if one is under way.</summary>
    public bool TryBegin() => Interlocked.Exchange(ref _busy, 1) == 0;

    /// <summary>Ends a round.</summary>
    public void End() => Volatile.Write(ref _busy, 0);

    /// <summary>The last message that this member gave; null if it gave none.</summary>
    public MessageHash? LastFrom(LoadSwarm swarm, int member)
    {
        lock (_lock)
            return swarm == _swarm ? _last?[member] : null;
    }

    /// <summary>Takes note of the last message of a reply.</summary>
    public void SetLast(LoadSwarm swarm, int member, MessageHash hash)
    {
        lock (_lock)
        {
            if (swarm != _swarm || _last is null)
                (_swarm, _last) = (swarm, new MessageHash?[swarm.Members.Length]);
            _last[member] = hash;
        }
    }
}

/// <summary>A group. Its members know its key from the beginning: inviting and joining are not part of the load.</summary>
/// <param name="Keys">The group's keys, which its admin holds.</param>
/// <param name="Key">The key of its messages.</param>
/// <param name="Mailbox">Its mailbox.</param>
/// <param name="Members">Numbers of its members.</param>
/// <param name="Rights">What lets each of them use the mailbox.</param>
internal sealed record LoadGroup(Ed25519KeyPair Keys, GroupKey Key, Mailbox Mailbox, int[] Members, GroupAuthData[] Rights);
