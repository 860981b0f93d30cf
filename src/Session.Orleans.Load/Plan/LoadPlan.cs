using Session.Orleans.Protocol.Communities;

namespace Session.Orleans.Load.Plan;

/// <summary>What virtual users do, how many of them, and for how long. Read from a file by <see cref="LoadPlanReader"/>, or made of options.</summary>
internal sealed record LoadPlan
{
    /// <summary>For reports.</summary>
    public string Name { get; init; } = "load";

    /// <summary>What it is for.</summary>
    public string? Description { get; init; }

    /// <summary>Of all random draws: the same seed makes the same accounts, contacts, sizes and times.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>How the load changes; at least one stage.</summary>
    public IReadOnlyList<LoadStage> Stages { get; init; } = [new(TimeSpan.FromMinutes(1))];

    /// <summary>Users, unless a stage says otherwise.</summary>
    public int Users { get; init; } = 100;

    /// <summary>The first part of the run, whose times are left out of all figures but the ledger's.</summary>
    public TimeSpan WarmUp { get; init; } = TimeSpan.Zero;

    /// <summary>How long after the end the network may take to give every message to its reader.</summary>
    public TimeSpan Settle { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>A message is late if it takes longer from the moment at which it was stored and its reader online.</summary>
    public TimeSpan LateAfter { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Limit of one request.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Attempts of a request, each on another path or at another member.</summary>
    public int Attempts { get; init; } = 3;

    /// <summary>Most operations at a time; more are not begun and count as failed.</summary>
    public int MaxInFlight { get; init; } = 10_000;

    /// <summary>How users poll.</summary>
    public PollSettings Poll { get; init; } = new();

    /// <summary>How long users are online and offline; null: always online.</summary>
    public SessionSettings? Sessions { get; init; }

    /// <summary>What users send.</summary>
    public MessageSettings Messages { get; init; } = new();

    /// <summary>Who writes to whom.</summary>
    public ContactSettings Contacts { get; init; } = new();

    /// <summary>Groups; null for none.</summary>
    public GroupSettings? Groups { get; init; }

    /// <summary>Communities; null for none.</summary>
    public CommunitySettings? Communities { get; init; }

    /// <summary>Names; null for none.</summary>
    public NameSettings? Names { get; init; }

    /// <summary>When the run has failed.</summary>
    public IReadOnlyList<Results.Threshold> FailIf { get; init; } = [];

    /// <summary>Length of all stages.</summary>
    public TimeSpan Duration => new(Stages.Sum(stage => stage.Length.Ticks));

    /// <summary>True if messages arrive at a rate, whatever the answers take; false if each user sends when its last one is answered.</summary>
    public bool IsOpen => Stages.Any(stage => stage.Rate is not null);

    /// <summary>The same plan in less time and at another size: stages shorter by <paramref name="speed"/>, rates and users times <paramref name="scale"/>.</summary>
    public LoadPlan Scaled(double speed, double scale) => speed == 1 && scale == 1 ? this : this with
    {
        WarmUp = WarmUp / speed,
        Users = Times(Users, scale),
        Stages = [.. Stages.Select(stage => stage with
        {
            Length = stage.Length / speed,
            Rate = stage.Rate * scale,
            Users = stage.Users is { } users ? Times(users, scale) : null,
        })],
    };

    private static int Times(int users, double scale) => Math.Max(1, (int)Math.Round(users * scale));

    /// <summary>Most users that are active at a time.</summary>
    public int Population => Stages.Max(stage => stage.Users ?? Users);
}

/// <summary>A part of the run.</summary>
/// <param name="Length">How long it lasts.</param>
internal sealed record LoadStage(TimeSpan Length)
{
    /// <summary>Messages per second over all users; null in a closed loop.</summary>
    public double? Rate { get; init; }

    /// <summary>Active users; null for the plan's.</summary>
    public int? Users { get; init; }

    /// <summary>Share of the active users that can reach the network; the others neither poll nor send, as in an outage on their side.</summary>
    public double Online { get; init; } = 1;

    /// <summary>True: rate, users and share move evenly from the last stage's values. False: at once.</summary>
    public bool Ramp { get; init; }
}

/// <summary>How users poll (messages.md, 10).</summary>
internal sealed record PollSettings
{
    /// <summary>Pause between the end of a round and the next; clients take 5 s.</summary>
    public Distribution Interval { get; init; } = Distribution.Fixed(5);

    /// <summary>Members of the swarm that are asked in a round; clients ask 2.</summary>
    public int Members { get; init; } = 2;

    /// <summary>Namespaces in a request; clients ask for 0, 2, 3, 5 and 4.</summary>
    public IReadOnlyList<short> Namespaces { get; init; } = ClientNamespaces;

    /// <summary>Those of clients.</summary>
    public static IReadOnlyList<short> ClientNamespaces { get; } = [0, 2, 3, 5, 4];

    /// <summary>True for a request as clients make it.</summary>
    public bool IsFull => Namespaces.Count > 1;
}

/// <summary>How long users are there.</summary>
/// <param name="Online">Seconds online.</param>
/// <param name="Offline">Seconds offline.</param>
internal sealed record SessionSettings(Distribution Online, Distribution Offline);

/// <summary>What users send.</summary>
internal sealed record MessageSettings
{
    /// <summary>Most bytes of a text: what is left of 76,800 for the layers around it.</summary>
    public const int MaxSize = 60_000;

    /// <summary>Least bytes of a text: its number in the ledger.</summary>
    public const int MinSize = 32;

    /// <summary>In a closed loop: seconds between a user's message and its next.</summary>
    public Distribution Pause { get; init; } = Distribution.Exponential(30);

    /// <summary>Bytes of a text.</summary>
    public Distribution Size { get; init; } = Distribution.LogNormal(60, 1500);

    /// <summary>Time to live in the swarm; clients give 14 days.</summary>
    public TimeSpan TimeToLive { get; init; } = TimeSpan.FromDays(14);

    /// <summary>True: a copy goes to the sender's own swarm, for its other devices, as clients do.</summary>
    public bool Sync { get; init; } = true;

    /// <summary>Share of messages with a file.</summary>
    public double Attachments { get; init; }

    /// <summary>Bytes of a file.</summary>
    public Distribution AttachmentSize { get; init; } = Distribution.LogNormal(80_000, 2_000_000);
}

/// <summary>Who writes to whom: a graph in which few users have many contacts and are in many lists.</summary>
internal sealed record ContactSettings
{
    /// <summary>Contacts of a user on average.</summary>
    public double Mean { get; init; } = 8;

    /// <summary>Exponent of the tail: the smaller, the heavier; social graphs have 2 to 3.</summary>
    public double Exponent { get; init; } = 2.3;

    /// <summary>So many users get a share of all messages for themselves; 0 for none.</summary>
    public int Hot { get; init; }

    /// <summary>That share.</summary>
    public double HotShare { get; init; }
}

/// <summary>Groups whose members read and write one mailbox.</summary>
internal sealed record GroupSettings
{
    /// <summary>Groups.</summary>
    public int Count { get; init; } = 10;

    /// <summary>Members of a group, 2..100.</summary>
    public Distribution Members { get; init; } = Distribution.LogNormal(6, 50);

    /// <summary>Share of all messages that go to a group, from users who are in one.</summary>
    public double Share { get; init; } = 0.2;
}

/// <summary>Rooms of communities that users join, post in and poll.</summary>
internal sealed record CommunitySettings
{
    /// <summary>Most members of a room.</summary>
    public const int MostMembers = 10_000;

    /// <summary>Rooms that the run makes, unless they are there from an earlier one; 0 if <see cref="Urls"/> names some.</summary>
    public int Count { get; init; }

    /// <summary>Join URLs of rooms that are there already.</summary>
    public IReadOnlyList<CommunityUrl> Urls { get; init; } = [];

    /// <summary>Members of a room, 2..10,000.</summary>
    public Distribution Members { get; init; } = Distribution.LogNormal(20, 200);

    /// <summary>Share of all messages that go to a room, from users who are in one.</summary>
    public double Share { get; init; } = 0.2;

    /// <summary>Pause between the end of a round of polling the rooms and the next; clients take 10 s.</summary>
    public Distribution Interval { get; init; } = Distribution.Fixed(10);

    /// <summary>Token of a room that the run makes.</summary>
    /// <param name="seed">The plan's seed: another run with the same finds its rooms again.</param>
    /// <param name="number">Number of the room in the whole run.</param>
    public static string TokenOf(int seed, int number) => FormattableString.Invariant($"load-{seed}-{number}");
}

/// <summary>Names that some users have, and to which others write.</summary>
internal sealed record NameSettings
{
    /// <summary>Users with a name.</summary>
    public int Count { get; init; } = 10;

    /// <summary>Share of the messages between two users that are sent to a name.</summary>
    public double Share { get; init; } = 0.2;

    /// <summary>The name of a user.</summary>
    /// <param name="seed">The plan's seed: another run with the same has the same accounts, and their names stay theirs.</param>
    /// <param name="number">Number of the user in the whole run.</param>
    public static string NameOf(int seed, int number) => FormattableString.Invariant($"load-{seed}-{number}");
}
