using Session.Orleans.Load.Plan;
using YamlDotNet.RepresentationModel;

namespace Session.Orleans.Testnet.Scenarios;

/// <summary>Reads scenario files. Anything it does not know is an error with its place, for a slip would make a weaker experiment than was meant.</summary>
internal static class ScenarioReader
{
    /// <summary>The keys of each kind of mapping; the JSON schema for editors says the same.</summary>
    public static IReadOnlyDictionary<string, IReadOnlyList<string>> Keys { get; } = new Dictionary<string, IReadOnlyList<string>>
    {
        ["scenario"] = ["name", "description", "seed", "duration", "settle", "groups", "traffic", "phases", "assert"],
        ["traffic"] = ["accounts", "stores", "polls", "size", "timeout", "attempts"],
        ["phase"] = ["name", "at", "every", "for", "do"],
        ["action"] = ["fault", "clear", "wait"],
        ["fault"] =
        [
            "on", "to", "offline", "refuse", "latency", "loss", "bandwidth", "corrupt_layer", "corrupt_reply", "wrong_signature", "stale", "skew",
            "slow_storage", "spread", "distribution", "probability", "for", "label",
        ],
        ["selection"] = ["nodes", "swarm", "group", "pick", "next"],
        ["assertion"] = [.. ScenarioMetrics.All.Select(metric => metric.Name), "during", "after"],
    };

    /// <summary>Reads the file at <paramref name="path"/>.</summary>
    /// <exception cref="YamlFormatException">It is no scenario.</exception>
    /// <exception cref="IOException">It can't be read.</exception>
    public static Scenario Read(string path)
    {
        using var text = File.OpenText(path);
        return Read(text, path);
    }

    /// <summary>Reads a scenario.</summary>
    /// <param name="text">YAML.</param>
    /// <param name="file">The file's name, for messages.</param>
    /// <exception cref="YamlFormatException">It is no scenario.</exception>
    public static Scenario Read(TextReader text, string file) => new Reading(file).Scenario(YamlMap.Load(text, file, "A scenario file"));

    private sealed class Reading(string file)
    {
        public Scenario Scenario(YamlNode node)
        {
            var map = Map(node, "scenario", "A scenario");
            map.Require("name");
            map.Require("phases");
            var groups = Groups(map);
            var phases = map.List("phases").Select(phase => Phase(phase, groups)).ToArray();
            foreach (var (phase, place) in phases.Zip(map.List("phases")))
            {
                if (phases.First(other => other.Name == phase.Name) != phase)
                    throw map.Error(place, $"There are two phases with the name '{phase.Name}'.");
            }

            var traffic = map.Has("traffic") ? Traffic(map.At("traffic")) : null;
            var assertions = map.List("assert").Select(assertion => Assertion(assertion, phases)).ToArray();
            if (assertions.Length > 0 && traffic is null)
                throw map.Error(map.At("assert"), "Assertions are about the traffic; a scenario with 'assert' needs 'traffic'.");
            var scenario = new Scenario
            {
                Name = map.Text("name")!,
                Description = map.Text("description"),
                Duration = map.PositiveDuration("duration"),
                Groups = groups,
                Traffic = traffic,
                Phases = phases,
                Assertions = assertions,
            };
            return scenario with
            {
                Seed = map.Number("seed", 0, int.MaxValue) ?? scenario.Seed,
                Settle = map.PositiveDuration("settle") ?? scenario.Settle,
            };
        }

        private List<KeyValuePair<string, NodeSelection>> Groups(YamlMap scenario)
        {
            var groups = new List<KeyValuePair<string, NodeSelection>>();
            if (!scenario.Has("groups"))
                return groups;
            var node = scenario.At("groups") as YamlMappingNode ?? throw scenario.Error(scenario.At("groups"), "'groups' must be a mapping of names to nodes.");
            foreach (var (name, nodes) in node.Children)
                groups.Add(new(((YamlScalarNode)name).Value!, Selection(nodes, groups, inTurn: false)));
            return groups;
        }

        private TrafficSettings Traffic(YamlNode node)
        {
            var map = Map(node, "traffic", "'traffic'");
            var defaults = new TrafficSettings();
            var size = map.Size("size") ?? defaults.Size;
            if (size is < TrafficClient.LeastSize or > TrafficClient.MostSize)
                throw map.Error(map.At("size"), $"'size' must be from {TrafficClient.LeastSize}B to {TrafficClient.MostSize}B.");
            return new()
            {
                Accounts = map.Number("accounts", 1, 10_000) ?? defaults.Accounts,
                Stores = map.Rate("stores") ?? defaults.Stores,
                Polls = map.Rate("polls") ?? defaults.Polls,
                Size = (int)size,
                Timeout = map.PositiveDuration("timeout") ?? defaults.Timeout,
                Attempts = map.Number("attempts", 1, 20) ?? defaults.Attempts,
            };
        }

        private ScenarioPhase Phase(YamlNode node, IReadOnlyList<KeyValuePair<string, NodeSelection>> groups)
        {
            var map = Map(node, "phase", "A phase");
            map.Require("name");
            map.Require("do");
            var (every, length) = (map.PositiveDuration("every"), map.PositiveDuration("for"));
            if (every is not null && length is null)
                throw map.Error(map.At("every"), "'every' needs 'for': how long the phase goes on.");
            return new(
                map.Text("name")!, map.Duration("at") ?? TimeSpan.Zero, every, length, [.. map.List("do").Select(action => Action(action, groups, every is not null))]);
        }

        private ScenarioAction Action(YamlNode node, IReadOnlyList<KeyValuePair<string, NodeSelection>> groups, bool repeats)
        {
            var map = Map(node, "action", "An action");
            if (map.Keys.Count() != 1)
                throw map.Error(node, $"An action is one of {string.Join(", ", Keys["action"])}.");
            return map.Keys.Single() switch
            {
                "fault" => Fault(map.At("fault"), groups, repeats),
                "clear" => map.Texts("clear")! is var labels && labels.Contains("all")
                    ? labels.Count == 1 ? new ClearAction([]) : throw map.Error(map.At("clear"), "'clear' takes all, or labels.")
                    : new ClearAction(labels),
                _ => new WaitAction(map.PositiveDuration("wait")!.Value),
            };
        }

        private FaultAction Fault(YamlNode node, IReadOnlyList<KeyValuePair<string, NodeSelection>> groups, bool repeats)
        {
            var map = Map(node, "fault", "A fault");
            map.Require("on");
            if (map.Text("distribution") is { } distribution and not ("uniform" or "normal"))
                throw map.Error(map.At("distribution"), $"'distribution' must be uniform or normal, not '{distribution}'.");
            var faults = new FaultSet
            {
                Offline = map.Flag("offline"),
                Refuse = map.Flag("refuse"),
                Latency = map.Duration("latency"),
                Loss = map.Share("loss"),
                Bandwidth = map.Bandwidth("bandwidth"),
                CorruptLayer = map.Flag("corrupt_layer"),
                CorruptReply = map.Flag("corrupt_reply"),
                WrongSignature = map.Flag("wrong_signature"),
                Stale = map.Flag("stale"),
                Skew = map.Duration("skew", signed: true),
                SlowStorage = map.Duration("slow_storage"),
                Spread = map.Duration("spread"),
                Distribution = map.Text("distribution"),
                Probability = map.Share("probability"),
                For = map.Duration("for"),
                Label = map.Text("label"),
            };
            if (faults.Problem(name => name.Replace('-', '_')) is { } problem)
                throw map.Error(node, problem);
            return new(
                Selection(map.At("on"), groups, repeats), map.Has("to") ? Selection(map.At("to"), groups, repeats) : null, faults);
        }

        private NodeSelection Selection(YamlNode node, IReadOnlyList<KeyValuePair<string, NodeSelection>> groups, bool inTurn)
        {
            var map = Map(node, "selection", "A selection of nodes");
            var selection = new NodeSelection
            {
                Nodes = map.Texts("nodes") ?? [],
                Swarm = map.Text("swarm"),
                Group = map.Text("group"),
                Pick = map.Number("pick", 1, 500),
                Next = map.Number("next", 1, 500),
            };
            if (selection.Group is { } group && !groups.Any(known => known.Key == group))
                throw map.Error(map.At("group"), $"There is no group '{group}'{(groups.Count > 0 ? $"; there are {string.Join(", ", groups.Select(known => known.Key))}" : "")}.");
            if (selection is { Pick: not null, Next: not null })
                throw map.Error(map.At("next"), "'pick' draws nodes and 'next' takes them in turn; one of them is enough.");
            if (selection.Next is not null && !inTurn)
                throw map.Error(map.At("next"), "'next' is for phases with 'every'.");
            return selection;
        }

        private ScenarioAssertion Assertion(YamlNode node, IReadOnlyList<ScenarioPhase> phases)
        {
            var map = Map(node, "assertion", "An assertion");
            if (map.Keys.Select(ScenarioMetrics.Find).OfType<ScenarioMetric>().ToArray() is not [var metric])
                throw map.Error(node, $"An assertion is about exactly one of {string.Join(", ", ScenarioMetrics.All.Select(known => known.Name))}.");
            var limit = map.Text(metric.Name)!;
            if (!ScenarioMetrics.TryParseLimit(metric.Unit, limit, out var comparison, out var number))
                throw map.Error(map.At(metric.Name), $"'{metric.Name}' must be {ScenarioMetrics.LimitForm(metric.Unit)}, not '{limit}'.");
            foreach (var window in (string[])["during", "after"])
            {
                if (map.Text(window) is not { } phase)
                    continue;
                if (!metric.HasWindow)
                    throw map.Error(map.At(window), $"'{metric.Name}' is known at the end alone, not {window} a phase.");
                if (!phases.Any(known => known.Name == phase))
                    throw map.Error(map.At(window), $"There is no phase '{phase}'.");
                if (map.Has("during") && map.Has("after"))
                    throw map.Error(map.At("after"), "An assertion is about what began during a phase or after it, not both.");
            }

            return new(metric.Name, comparison, number, map.Text("during"), map.Text("after"));
        }

        private YamlMap Map(YamlNode node, string kind, string what) => new(file, node, what, Keys[kind]);
    }
}
