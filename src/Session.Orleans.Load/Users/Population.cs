using Session.Orleans.Load.Network;
using Session.Orleans.Load.Plan;
using Session.Orleans.Protocol.Communities;
using Session.Orleans.Protocol.Groups;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Load.Users;

/// <summary>The users of a shard with their contacts and groups: the same for the same plan, seed and shard.</summary>
internal sealed class Population
{
    private const int MostMembers = 100;

    private readonly ContactGraph _contacts;
    private readonly ContactSettings _settings;
    private readonly double _namesShare;

    /// <summary>Makes the accounts.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="shard">The part of the run.</param>
    /// <param name="rooms">Rooms of the shard that users join; null for none.</param>
    public Population(LoadPlan plan, Shard shard, IReadOnlyList<CommunityUrl>? rooms = null)
    {
        var users = new VirtualUser[Math.Max(1, shard.PartOf(plan.Population))];
        Parallel.For(0, users.Length, number =>
        {
            var global = shard.GlobalIndex(number);
            Span<byte> seed = stackalloc byte[AccountSeed.Length];
            SeededRandom.For(plan.Seed, RandomPurpose.Keys, global).Fill(seed);
            users[number] = new(number, AccountSeed.CreateKeys(seed), SeededRandom.For(plan.Seed, RandomPurpose.Behaviour, global));
        });
        Users = users;
        _settings = plan.Contacts;
        _contacts = new(users.Length, plan.Contacts, SeededRandom.For(plan.Seed, RandomPurpose.Contacts, shard.Index));
        Groups = plan.Groups is { } groups ? CreateGroups(plan, groups, shard) : [];
        Rooms = plan.Communities is { } communities && rooms is not null ? CreateRooms(plan, communities, shard, rooms) : [];
        _namesShare = plan.Names?.Share ?? 0;
        Names = plan.Names is { } names
            ? [.. Enumerable.Range(0, Math.Min(shard.PartOf(names.Count), Users.Count)).Select(number => new LoadName(NameSettings.NameOf(plan.Seed, shard.GlobalIndex(number)), Users[number]))] : [];
    }

    /// <summary>The users.</summary>
    public IReadOnlyList<VirtualUser> Users { get; }

    /// <summary>Their groups.</summary>
    public IReadOnlyList<LoadGroup> Groups { get; }

    /// <summary>Rooms that users are in.</summary>
    public IReadOnlyList<LoadRoom> Rooms { get; }

    /// <summary>Names of users.</summary>
    public IReadOnlyList<LoadName> Names { get; }

    /// <summary>The name to which a user writes next; null for a message to somebody whose Session ID it knows.</summary>
    public LoadName? DrawName(VirtualUser sender) => Names.Count > 0 && sender.Draw((ref SeededRandom random) => random.NextDouble()) < _namesShare
        ? Names[sender.Draw((ref SeededRandom random) => random.Next(Names.Count))] : null;

    /// <summary>Whom a user writes to next.</summary>
    public VirtualUser DrawRecipient(VirtualUser sender) => Users[sender.Draw((ref SeededRandom random) =>
        _settings.Hot > 0 && random.NextDouble() < _settings.HotShare
            ? random.Next(Math.Min(_settings.Hot, Users.Count)) : _contacts.Draw(sender.Number, ref random))];

    private LoadGroup[] CreateGroups(LoadPlan plan, GroupSettings settings, Shard shard)
    {
        var groups = new LoadGroup[shard.PartOf(settings.Count)];
        Span<byte> secrets = stackalloc byte[2 * Bytes32.Length];
        for (var number = 0; number < groups.Length; number++)
        {
            var random = SeededRandom.For(plan.Seed, RandomPurpose.Groups, shard.GlobalIndex(number));
            random.Fill(secrets);
            var keys = new Ed25519KeyPair(secrets[..Bytes32.Length]);
            var numbers = DrawMembers(settings.Members, MostMembers, ref random);
            var mailbox = new Mailbox(new(AccountId.GroupPrefix, keys.PublicKey.Value));
            groups[number] = new(
                keys, new(0, 0, new Bytes32(secrets[Bytes32.Length..])), mailbox, numbers,
                [.. numbers.Select(member => GroupAuthData.Issue(keys, Users[member].Keys.SessionId))]);
            for (var position = 0; position < numbers.Length; position++)
                Users[numbers[position]].Groups.Add(new(mailbox, groups[number], position));
        }

        return groups;
    }

    private LoadRoom[] CreateRooms(LoadPlan plan, CommunitySettings settings, Shard shard, IReadOnlyList<CommunityUrl> urls)
    {
        var rooms = new LoadRoom[urls.Count];
        for (var number = 0; number < rooms.Length; number++)
        {
            var random = SeededRandom.For(plan.Seed, RandomPurpose.Rooms, shard.GlobalIndex(number));
            var room = rooms[number] = new(urls[number], DrawMembers(settings.Members, CommunitySettings.MostMembers, ref random));
            foreach (var member in room.Members)
                Users[member].Join(room);
        }

        return rooms;
    }

    private int[] DrawMembers(Distribution count, int most, ref SeededRandom random)
    {
        var members = new SortedSet<int>();
        var wanted = Math.Min(Users.Count, (int)Math.Clamp(Math.Round(count.Draw(ref random)), 2, most));
        while (members.Count < wanted)
            _ = members.Add(random.Next(Users.Count));
        return [.. members];
    }
}
