using Session.Orleans.Load.Results;
using Session.Orleans.Protocol.Communities;
using YamlDotNet.RepresentationModel;

namespace Session.Orleans.Load.Plan;

/// <summary>Reads load plans from YAML. Anything it does not know is an error with its place, for a slip would make another load than was meant.</summary>
internal static class LoadPlanReader
{
    /// <summary>Most users of a plan.</summary>
    public const int MaxUsers = 1_000_000;

    private const int MaxRooms = 10_000;
    private const int MaxNames = 100_000;

    /// <summary>The keys of each kind of mapping; the JSON schema for editors says the same.</summary>
    public static IReadOnlyDictionary<string, IReadOnlyList<string>> Keys { get; } = new Dictionary<string, IReadOnlyList<string>>
    {
        ["plan"] =
        [
            "name", "description", "seed", "users", "stages", "warm_up", "settle", "late_after", "timeout", "attempts", "max_in_flight", "poll", "sessions", "messages",
            "contacts", "groups", "communities", "names", "fail_if",
        ],
        ["stage"] = ["for", "rate", "users", "online", "ramp"],
        ["poll"] = ["interval", "members", "namespaces"],
        ["sessions"] = ["online", "offline"],
        ["messages"] = ["pause", "size", "ttl", "sync", "attachments", "attachment_size"],
        ["contacts"] = ["mean", "exponent", "hot", "hot_share"],
        ["groups"] = ["count", "members", "share"],
        ["communities"] = ["count", "urls", "members", "share", "interval"],
        ["names"] = ["count", "share"],
        ["distribution"] = ["mean", "median", "p99", "min", "max", "exponent"],
    };

    /// <summary>Reads the file at <paramref name="path"/>.</summary>
    /// <exception cref="YamlFormatException">It is no load plan.</exception>
    /// <exception cref="IOException">It can't be read.</exception>
    public static LoadPlan Read(string path)
    {
        using var text = File.OpenText(path);
        return Read(text, path);
    }

    /// <summary>Reads a plan.</summary>
    /// <param name="text">YAML.</param>
    /// <param name="file">The file's name, for messages.</param>
    /// <exception cref="YamlFormatException">It is no load plan.</exception>
    public static LoadPlan Read(TextReader text, string file) => new Reading(file).Plan(YamlMap.Load(text, file, "A load plan"));

    private sealed class Reading(string file)
    {
        private delegate bool Parse(string text, out double value);

        public LoadPlan Plan(YamlNode node)
        {
            var map = Map(node, "plan", "A load plan");
            map.Require("name");
            map.Require("stages");
            var stages = map.List("stages").Select(Stage).ToArray();
            if (stages.Any(stage => stage.Rate is not null) && stages.Any(stage => stage.Rate is null))
                throw map.Error(map.At("stages"), "Either every stage has a 'rate', or none: messages arrive at a rate, or users wait for answers.");
            var defaults = new LoadPlan();
            var plan = new LoadPlan
            {
                Name = map.Text("name")!,
                Description = map.Text("description"),
                Seed = map.Number("seed", 0, int.MaxValue) ?? defaults.Seed,
                Users = map.Number("users", 1, MaxUsers) ?? defaults.Users,
                Stages = stages,
                WarmUp = map.Duration("warm_up") ?? defaults.WarmUp,
                Settle = map.PositiveDuration("settle") ?? defaults.Settle,
                LateAfter = map.PositiveDuration("late_after") ?? defaults.LateAfter,
                Timeout = map.PositiveDuration("timeout") ?? defaults.Timeout,
                Attempts = map.Number("attempts", 1, 20) ?? defaults.Attempts,
                MaxInFlight = map.Number("max_in_flight", 1, 1_000_000) ?? defaults.MaxInFlight,
                Poll = map.Has("poll") ? Poll(map.At("poll")) : defaults.Poll,
                Sessions = map.Has("sessions") ? Sessions(map.At("sessions")) : null,
                Messages = map.Has("messages") ? Messages(map.At("messages")) : defaults.Messages,
                Contacts = map.Has("contacts") ? Contacts(map.At("contacts")) : defaults.Contacts,
                Groups = map.Has("groups") ? Groups(map.At("groups")) : null,
                Communities = map.Has("communities") ? Communities(map.At("communities")) : null,
                Names = map.Has("names") ? Names(map.At("names")) : null,
                FailIf = Thresholds(map),
            };
            if (plan.WarmUp >= plan.Duration)
                throw map.Error(map.At("warm_up"), $"'warm_up' must be shorter than all stages together, {Quantities.Format(plan.Duration)}.");
            if (plan.IsOpen && map.Has("messages") && Map(map.At("messages"), "messages", "'messages'") is var messages && messages.Has("pause"))
                throw map.Error(messages.At("pause"), "'pause' is for users who wait for answers; with a 'rate' messages come at that.");
            return plan;
        }

        private LoadStage Stage(YamlNode node)
        {
            var map = Map(node, "stage", "A stage");
            map.Require("for");
            return new(map.PositiveDuration("for")!.Value)
            {
                Rate = map.Rate("rate"),
                Users = map.Number("users", 1, MaxUsers),
                Online = map.Share("online") ?? 1,
                Ramp = map.Flag("ramp"),
            };
        }

        private PollSettings Poll(YamlNode node)
        {
            var map = Map(node, "poll", "'poll'");
            var defaults = new PollSettings();
            return new()
            {
                Interval = Times(map, "interval") ?? defaults.Interval,
                Members = map.Number("members", 1, 10) ?? defaults.Members,
                Namespaces = Namespaces(map) ?? defaults.Namespaces,
            };
        }

        private static IReadOnlyList<short>? Namespaces(YamlMap map)
        {
            if (map.Texts("namespaces") is not { } names)
                return null;
            if (names is ["clients"])
                return PollSettings.ClientNamespaces;
            if (names is ["inbox"])
                return [0];
            throw map.Error(map.At("namespaces"), $"'namespaces' must be clients (what clients ask for) or inbox (0 alone), not '{string.Join(", ", names)}'.");
        }

        private SessionSettings Sessions(YamlNode node)
        {
            var map = Map(node, "sessions", "'sessions'");
            map.Require("online");
            map.Require("offline");
            return new(Times(map, "online")!, Times(map, "offline")!);
        }

        private MessageSettings Messages(YamlNode node)
        {
            var map = Map(node, "messages", "'messages'");
            var defaults = new MessageSettings();
            var ttl = map.PositiveDuration("ttl") ?? defaults.TimeToLive;
            if (ttl < TimeSpan.FromSeconds(10) || ttl > TimeSpan.FromDays(14))
                throw map.Error(map.At("ttl"), "'ttl' must be from 10s to 14d.");
            return new()
            {
                Pause = Times(map, "pause") ?? defaults.Pause,
                Size = Sizes(map, "size") ?? defaults.Size,
                TimeToLive = ttl,
                Sync = map.Has("sync") ? map.Flag("sync") : defaults.Sync,
                Attachments = map.Share("attachments") ?? defaults.Attachments,
                AttachmentSize = Sizes(map, "attachment_size") ?? defaults.AttachmentSize,
            };
        }

        private ContactSettings Contacts(YamlNode node)
        {
            var map = Map(node, "contacts", "'contacts'");
            var defaults = new ContactSettings();
            if (map.Has("hot") != map.Has("hot_share"))
                throw map.Error(map.Node, "'hot' users need a 'hot_share' of the messages, and the other way round.");
            return new()
            {
                Mean = map.Decimal("mean", 1, 1000) ?? defaults.Mean,
                Exponent = map.Decimal("exponent", 1.5, 10) ?? defaults.Exponent,
                Hot = map.Number("hot", 1, MaxUsers) ?? defaults.Hot,
                HotShare = map.Share("hot_share") ?? defaults.HotShare,
            };
        }

        private GroupSettings Groups(YamlNode node)
        {
            var map = Map(node, "groups", "'groups'");
            var defaults = new GroupSettings();
            return new()
            {
                Count = map.Number("count", 1, MaxUsers) ?? defaults.Count,
                Members = Distribution(map, "members", "a number such as 10", Number) ?? defaults.Members,
                Share = map.Share("share") ?? defaults.Share,
            };
        }

        private CommunitySettings Communities(YamlNode node)
        {
            var map = Map(node, "communities", "'communities'");
            if (map.Has("count") == map.Has("urls"))
                throw map.Error(map.Node, "'communities' needs a 'count' of rooms to make, or the 'urls' of rooms that are there; not both.");
            var defaults = new CommunitySettings();
            var urls = (map.Texts("urls") ?? []).Select(text => CommunityUrl.TryParse(text, out var url) ? url
                : throw map.Error(map.At("urls"), $"'urls' must be join URLs such as http://host/room?public_key= and 64 hex digits; not '{text}'.")).ToArray();
            if (map.Has("urls") && urls.Length == 0)
                throw map.Error(map.At("urls"), "'urls' must name at least one room.");
            if (urls.GroupBy(url => (url.Server, url.Token.ToUpperInvariant())).FirstOrDefault(same => same.Count() > 1) is { } twice)
                throw map.Error(map.At("urls"), $"'urls' names the room '{twice.First().Token}' twice.");
            return new()
            {
                Count = map.Number("count", 1, MaxRooms) ?? 0,
                Urls = urls,
                Members = Distribution(map, "members", "a number such as 10", Number) ?? defaults.Members,
                Share = map.Share("share") ?? defaults.Share,
                Interval = Times(map, "interval") ?? defaults.Interval,
            };
        }

        private NameSettings Names(YamlNode node)
        {
            var map = Map(node, "names", "'names'");
            var defaults = new NameSettings();
            return new() { Count = map.Number("count", 1, MaxNames) ?? defaults.Count, Share = map.Share("share") ?? defaults.Share };
        }

        private static Threshold[] Thresholds(YamlMap map) => [.. (map.Texts("fail_if") ?? []).Select(text =>
            Threshold.TryParse(text, out var threshold) ? threshold! : throw map.Error(map.At("fail_if"), $"'fail_if' must be {Threshold.Form}; not '{text}'."))];

        private Distribution? Times(YamlMap map, string key) => Distribution(map, key, Quantities.DurationForm, static (string text, out double value) =>
        {
            var isDuration = Quantities.TryParseDuration(text, out var duration);
            value = duration.TotalSeconds;
            return isDuration;
        });

        private Distribution? Sizes(YamlMap map, string key) => Distribution(map, key, "a size such as 500B or 2kB", static (string text, out double value) =>
        {
            var isSize = Quantities.TryParseSize(text, out var size);
            value = size;
            return isSize;
        });

        private static bool Number(string text, out double value) =>
            double.TryParse(text, System.Globalization.NumberStyles.AllowDecimalPoint, System.Globalization.CultureInfo.InvariantCulture, out value);

        /// <summary>A value alone is always the same; which keys a mapping has says how the quantity varies.</summary>
        private Distribution? Distribution(YamlMap parent, string key, string form, Parse parse)
        {
            if (!parent.Has(key))
                return null;
            if (parent.At(key) is YamlScalarNode)
                return Load.Plan.Distribution.Fixed(Value(parent, key, key));
            var map = Map(parent.At(key), "distribution", $"'{key}'");
            var keys = map.Keys.Order(StringComparer.Ordinal).ToArray();
            switch (keys)
            {
                case ["mean"]:
                    return Load.Plan.Distribution.Exponential(Value(map, "mean", key));
                case ["median", "p99"]:
                    var (median, p99) = (Value(map, "median", key), Value(map, "p99", key));
                    return median > 0 && p99 > median ? Load.Plan.Distribution.LogNormal(median, p99) : throw map.Error(map.At("p99"), $"'p99' of '{key}' must be more than its 'median', which must be more than 0.");
                case ["max", "min"] or ["exponent", "max", "min"]:
                    var (min, max) = (Value(map, "min", key), Value(map, "max", key));
                    if (max < min)
                        throw map.Error(map.At("max"), $"'max' of '{key}' must not be less than its 'min'.");
                    if (keys.Length == 2)
                        return Load.Plan.Distribution.Uniform(min, max);
                    return min > 0 && max > min ? Load.Plan.Distribution.Pareto(min, max, map.Decimal("exponent", 0.1, 10)!.Value)
                        : throw map.Error(map.At("min"), $"With an 'exponent', 'min' of '{key}' must be more than 0 and less than 'max'.");
                default:
                    throw map.Error(map.Node, $"'{key}' must be {form}, or a mapping of mean; of median and p99; of min and max; or of min, max and exponent.");
            }

            double Value(YamlMap from, string name, string what) =>
                parse(from.Text(name)!, out var value) ? value : throw from.Error(from.At(name), $"'{name}'{(name == what ? "" : $" of '{what}'")} must be {form}, not '{from.Text(name)}'.");
        }

        private YamlMap Map(YamlNode node, string kind, string what) => new(file, node, what, Keys[kind]);
    }
}
