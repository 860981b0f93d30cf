using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Session.Orleans.Load.Plan;
using Session.Orleans.Testnet;
using Session.Orleans.Testnet.Scenarios;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>Scenario files: what they may say, where errors are, and that the schema for editors says the same.</summary>
public sealed partial class ScenarioFormatTests
{
    private const string Whole = """
        name: everything
        description: all keys at once
        seed: 42
        duration: 1m30s
        settle: 10s
        groups:
          first: { nodes: [0, "1", 2], swarm: random }
          second: { group: first, pick: 2 }
        traffic: { accounts: 5, stores: 10/s, polls: 30/m, size: 2kB, timeout: 2s, attempts: 4 }
        phases:
          - name: one
            at: 0
            every: 5s
            for: 1m
            do:
              - fault:
                  on: { group: second, next: 1 }
                  to: { swarm: 3fffffffffffffff }
                  offline: false
                  refuse: true
                  latency: 200ms
                  spread: 50ms
                  distribution: normal
                  bandwidth: 64kB/s
                  probability: 0.5
                  for: 3s
                  label: links
              - wait: 1s
              - clear: [links, other]
          - name: two
            at: 1m
            do:
              - fault: { on: { nodes: 3 }, loss: 5%, corrupt_layer: true, corrupt_reply: true, wrong_signature: true, stale: true, skew: -10m, slow_storage: 1s }
              - clear: all
        assert:
          - lost: 0
          - duplicated: "= 0"
          - corrupted: 0
          - stored: "> 10"
          - failed: < 5
            during: one
          - bad_confirmations: 0
          - success_rate: ">= 95%"
            after: one
          - success_rate: 0.5
          - p50: < 500ms
          - p95: <= 1s
          - p99: < 1m30s
          - max: 10s
        """;

    private static readonly ScenarioNetwork Network = new(
        [.. Enumerable.Range(0, 10).Select(index => (
            index, Convert.ToHexStringLower([(byte)index, 0xab, 0xcd, 0xef]), (IReadOnlyList<string>)(index < 3 ? ["eu", "old"] : ["us"])))],
        [new("0", [0, 1, 2, 3, 4]), new("3fffffffffffffff", [5, 6, 7, 8, 9])]);

    private static readonly JsonObject Schema = JsonNode.Parse(File.ReadAllText(RepositoryFiles.Path("docs", "scenario.schema.json")))!.AsObject();

    [Fact]
    public void WholeScenario_IsReadAsWritten()
    {
        var scenario = Read(Whole);

        Assert.Equal(("everything", 42, TimeSpan.FromSeconds(90)), (scenario.Name, scenario.Seed, scenario.Duration));
        Assert.Equal(["first", "second"], scenario.Groups.Select(group => group.Key));
        Assert.Equal(new() { Accounts = 5, Stores = 10, Polls = 0.5, Size = 2000, Timeout = TimeSpan.FromSeconds(2), Attempts = 4 }, scenario.Traffic);
        var fault = Assert.IsType<FaultAction>(scenario.Phases[0].Actions[0]);
        Assert.Equal("next 1 of group second", fault.On.ToString());
        Assert.Equal(new()
        {
            Refuse = true, Latency = TimeSpan.FromMilliseconds(200), Spread = TimeSpan.FromMilliseconds(50), Distribution = "normal",
            Bandwidth = 64_000, Probability = 0.5, For = TimeSpan.FromSeconds(3), Label = "links",
        }, fault.Faults);
        Assert.Equal(TimeSpan.FromMinutes(-10), Assert.IsType<FaultAction>(scenario.Phases[1].Actions[0]).Faults.Skew);
        Assert.Empty(Assert.IsType<ClearAction>(scenario.Phases[1].Actions[1]).Labels);
        Assert.Equal(new("success_rate", Comparison.AtLeast, 0.95, null, "one"), scenario.Assertions[6]);
        Assert.Equal(new("p99", Comparison.Less, 90_000, null, null), scenario.Assertions[10]);
    }

    /// <summary>Each change of the whole scenario is wrong for parser and schema alike; the parser says where.</summary>
    [Theory]
    [InlineData("name: everything", "nane: everything", "1:1", "no key 'nane'")]
    [InlineData("name: everything", "name: [a]", "1:7", "'name' must be a text")]
    [InlineData("name: everything", "name:", "1:6", "empty")]
    [InlineData("seed: 42", "seed: many", "3:7", "'seed' must be a number")]
    [InlineData("seed: 42", "seed: \"42\"", "3:7", "'seed' must be a number")]
    [InlineData("duration: 1m30s", "duration: 90", "4:11", "200ms")]
    [InlineData("duration: 1m30s", "duration: { s: 90 }", "4:11", "a mapping")]
    [InlineData("swarm: random }", "swam: random }", "7:32", "no key 'swam'")]
    [InlineData("pick: 2", "pick: 0", "8:33", "from 1 to 500")]
    [InlineData("pick: 2", "pick: 2, next: 1", "8:42", "in turn")]
    [InlineData("stores: 10/s", "stores: 10", "9:33", "10/s")]
    [InlineData("size: 2kB", "size: 2k", "9:58", "500B")]
    [InlineData("attempts: 4", "attempts: 4.5", "9:86", "'attempts' must be a number")]
    [InlineData("    for: 1m\n", "", "13:12", "'every' needs 'for'")]
    [InlineData("refuse: true", "refuse: \"yes\"", "20:19", "true or false")]
    [InlineData("distribution: normal", "distribution: odd", "23:25", "uniform or normal")]
    [InlineData("          spread: 50ms\n", "", "17:11", "distribution needs spread")]
    [InlineData("probability: 0.5", "probability: 50", "25:24", "5%")]
    [InlineData("      - wait: 1s\n", "      - {}\n", "28:9", "one of fault, clear, wait")]
    [InlineData("      - wait: 1s\n", "      - wait: 1s\n        clear: all\n", "28:9", "one of fault, clear, wait")]
    [InlineData("      - wait: 1s\n", "      - fault: { on: {} }\n", "28:16", "at least one fault")]
    [InlineData("      - wait: 1s\n", "      - fault: { refuse: true }\n", "28:16", "needs 'on'")]
    [InlineData("loss: 5%", "loss: 5", "33:42", "5%")]
    [InlineData("skew: -10m", "skew: 10", "33:130", "200ms")]
    [InlineData("- lost: 0", "- lost: 0%", "36:11", "'lost' must be a number")]
    [InlineData("- lost: 0", "- lots: 0", "36:5", "no key 'lots'")]
    [InlineData("- lost: 0", "- during: one", "36:5", "exactly one of lost")]
    [InlineData("- lost: 0", "- { failed: 0, stored: 5 }", "36:5", "exactly one of lost")]
    [InlineData("success_rate: 0.5", "success_rate: 5", "45:19", "95%")]
    [InlineData("p50: < 500ms", "p50: < 500", "46:10", "500ms")]
    public void WrongScenario_IsRefusedByParserAndSchema(string good, string bad, string where, string why)
    {
        Assert.Contains(good, Whole, StringComparison.Ordinal);
        var text = Whole.Replace(good, bad, StringComparison.Ordinal);

        var refused = Assert.Throws<YamlFormatException>(() => Read(text));
        Assert.StartsWith($"file.yaml:{where}: ", refused.Message, StringComparison.Ordinal);
        Assert.Contains(why, refused.Message, StringComparison.Ordinal);
        Assert.NotEmpty(Violations(text));
    }

    /// <summary>What depends on other parts of the file is beyond a schema.</summary>
    [Theory]
    [InlineData("group: second", "group: third", "no group 'third'; there are first, second")]
    [InlineData("- name: two", "- name: one", "two phases with the name 'one'")]
    [InlineData("during: one", "during: three", "no phase 'three'")]
    [InlineData("- lost: 0", "- lost: 0\n    during: one", "at the end alone")]
    [InlineData("\">= 95%\"", ">= 95%", "needs quotes")]
    [InlineData("size: 2kB", "size: 1B", "from 16B")]
    [InlineData("seed: 42", "seed: 42\nseed: 43", "not YAML")]
    public void WrongReference_IsRefusedByTheParser(string good, string bad, string why)
    {
        Assert.Contains(good, Whole, StringComparison.Ordinal);
        var refused = Assert.Throws<YamlFormatException>(() => Read(Whole.Replace(good, bad, StringComparison.Ordinal)));
        Assert.Matches(@"^file\.yaml:\d+:\d+: ", refused.Message);
        Assert.Contains(why, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Schema_HasTheParsersKeys()
    {
        Assert.Equal(ScenarioReader.Keys["scenario"].Order(), Properties(Schema));
        foreach (var (kind, keys) in ScenarioReader.Keys.Where(kind => kind.Key != "scenario"))
            Assert.Equal(keys.Order(), Properties(Schema["$defs"]![kind]!.AsObject()));

        static IEnumerable<string> Properties(JsonObject of)
        {
            Assert.False(of["additionalProperties"]!.GetValue<bool>());
            Assert.All(of["properties"]!.AsObject(), property => Assert.NotNull(property.Value!["description"]));
            return of["properties"]!.AsObject().Select(property => property.Key).Order();
        }
    }

    [Fact]
    public void Schema_TakesWhatTheParserTakes()
    {
        Assert.Empty(Violations(Whole));
        foreach (var file in Directory.GetFiles(RepositoryFiles.Path("examples", "scenarios")))
            Assert.Empty(Violations(File.ReadAllText(file)));
    }

    [Fact]
    public void Plan_IsDrawnFromTheSeed()
    {
        const string Text = """
            name: draws
            seed: 1
            phases:
              - name: draws
                every: 1s
                for: 10s
                do: [{ fault: { on: { pick: 3 }, refuse: true } }]
            """;
        var drawn = Draws(Text);
        Assert.Equal(drawn, Draws(Text));
        Assert.NotEqual(drawn, Draws(Text.Replace("seed: 1", "seed: 2", StringComparison.Ordinal)));
        Assert.Equal(10, drawn.Length);
        Assert.InRange(drawn.Distinct().Count(), 2, 10);

        static string[] Draws(string text) => [.. Plan(text).Events.Where(one => one.Kind is ScenarioEventKind.Fault).Select(one => Tables.Ranges(one.On))];
    }

    [Fact]
    public void Plan_LaysPhasesOutInTime()
    {
        var plan = Plan("""
            name: times
            groups: { half: { swarm: 3fffffffffffffff } }
            phases:
              - name: turns
                at: 10s
                every: 10s
                for: 30s
                do:
                  - fault: { on: { group: half, next: 2 }, refuse: true, for: 4s }
                  - wait: 2s
                  - clear: turns
              - name: long
                at: 20s
                do: [{ fault: { on: { nodes: [1, 02abcdef] }, to: { swarm: "0" }, latency: 1s, for: 1m } }]
              - name: region
                at: 30s
                do: [{ fault: { on: { nodes: [eu, 7] }, offline: true, for: 4s } }]
            """, speed: 2);

        Assert.Equal(
        [
            "5 turns refuse at 5,6 for 2s", "6 turns clear turns", "10 turns refuse at 7,8 for 2s", "10 long latency 1s at 1,2 → 0-4 for 30s",
            "11 turns clear turns", "15 turns refuse at 5,9 for 2s", "15 region offline at 0-2,7 for 2s", "16 turns clear turns", "20 turns end of phase",
        ], plan.Events.Select(one => string.Create(CultureInfo.InvariantCulture, $"{one.At.TotalSeconds} {one.Phase} {one.Describe()}")));
        Assert.Equal(TimeSpan.FromSeconds(40), plan.Duration);
        Assert.Equal((TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(20)), plan.Windows["turns"]);
        Assert.Equal((TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(40)), plan.Windows["long"]);
    }

    [Fact]
    public void Figures_AreOfTheirWindow()
    {
        static TrafficSample At(int second, int took, bool succeeded = true, int bad = 0) => new(TimeSpan.FromSeconds(second), true, TimeSpan.FromMilliseconds(took), succeeded, bad);
        var figures = new ScenarioFigures(
            [At(0, 10), At(1, 20), At(5, 500, succeeded: false), At(6, 400, bad: 2), At(10, 30)],
            new Dictionary<string, (TimeSpan, TimeSpan)> { ["p"] = (TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(10)), ["late"] = (TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(30)) },
            new(1, 0, 0));

        Assert.Equal(("1", false), Check("lost", Comparison.Equal, 0));
        Assert.Equal(("80%", true), Check("success_rate", Comparison.AtLeast, 0.8));
        Assert.Equal(("50%", false), Check("success_rate", Comparison.More, 0.5, during: "p"));
        Assert.Equal(("100%", true), Check("success_rate", Comparison.Equal, 1, after: "p"));
        Assert.Equal(("400ms", true), Check("max", Comparison.AtMost, 400));
        Assert.Equal(("20ms", true), Check("p50", Comparison.Less, 21));
        Assert.Equal(("2", true), Check("bad_confirmations", Comparison.More, 0, during: "p"));
        Assert.Equal((null, false), Check("p99", Comparison.Less, 1000, during: "late")); // nothing was measured: nothing is shown

        (string?, bool?) Check(string metric, Comparison comparison, double limit, string? during = null, string? after = null)
        {
            var report = figures.Check(new(metric, comparison, limit, during, after));
            return (report.Figure, report.Passed);
        }
    }

    private static Scenario Read(string text) => ScenarioReader.Read(new StringReader(text), "file.yaml");

    private static ScenarioPlan Plan(string text, double speed = 1) => ScenarioPlan.Create(Read(text), Network, speed);

    private static List<string> Violations(string text)
    {
        var yaml = new YamlStream();
        yaml.Load(new StringReader(text));
        var found = new List<string>();
        Validate(Schema, ToJson(yaml.Documents[0].RootNode), "$", found);
        return found;
    }

    // As editors read it: plain scalars have the type that they look like.
    private static JsonNode? ToJson(YamlNode node) => node switch
    {
        YamlMappingNode map => new JsonObject(map.Children.Select(child => KeyValuePair.Create(((YamlScalarNode)child.Key).Value!, ToJson(child.Value)))),
        YamlSequenceNode list => new JsonArray([.. list.Children.Select(ToJson)]),
        YamlScalarNode { Style: not ScalarStyle.Plain } text => JsonValue.Create(text.Value),
        YamlScalarNode { Value: "" or "null" or "~" } => null,
        YamlScalarNode { Value: "true" or "false" } flag => JsonValue.Create(flag.Value is "true"),
        YamlScalarNode { Value: { } number } when Number().IsMatch(number) => JsonNode.Parse(number),
        _ => JsonValue.Create(((YamlScalarNode)node).Value),
    };

    // The part of JSON Schema that the file uses; a keyword it does not know fails, lest it be passed over.
    private static void Validate(JsonObject schema, JsonNode? value, string at, List<string> found)
    {
        bool Holds(JsonNode? part)
        {
            var inner = new List<string>();
            Validate(part!.AsObject(), value, at, inner);
            return inner.Count == 0;
        }

        var properties = value as JsonObject;
        foreach (var (keyword, rule) in schema)
        {
            var holds = keyword switch
            {
                "$schema" or "$defs" or "title" or "description" or "additionalProperties" => true,
                "$ref" => Holds(Schema["$defs"]![rule!.GetValue<string>()["#/$defs/".Length..]]),
                "type" => (rule is JsonArray types ? types.Select(type => type!.GetValue<string>()) : [rule!.GetValue<string>()]).Any(type => IsOfType(value, type)),
                "const" => JsonNode.DeepEquals(rule, value),
                "enum" => rule!.AsArray().Any(one => JsonNode.DeepEquals(one, value)),
                "pattern" => value is not JsonValue text || text.GetValueKind() is not JsonValueKind.String || Regex.IsMatch(text.GetValue<string>(), rule!.GetValue<string>()),
                "minimum" => value?.GetValueKind() is not JsonValueKind.Number || NumberOf(value) >= NumberOf(rule!),
                "maximum" => value?.GetValueKind() is not JsonValueKind.Number || NumberOf(value) <= NumberOf(rule!),
                "anyOf" => rule!.AsArray().Any(Holds),
                "oneOf" => rule!.AsArray().Count(Holds) == 1,
                "not" => !Holds(rule),
                "required" => properties is null || rule!.AsArray().All(name => properties.ContainsKey(name!.GetValue<string>())),
                "dependentRequired" => properties is null || rule!.AsObject().All(pair =>
                    !properties.ContainsKey(pair.Key) || pair.Value!.AsArray().All(name => properties.ContainsKey(name!.GetValue<string>()))),
                "minProperties" => properties is null || properties.Count >= NumberOf(rule!),
                "maxProperties" => properties is null || properties.Count <= NumberOf(rule!),
                "minItems" => value is not JsonArray list || list.Count >= NumberOf(rule!),
                "items" => ForEach((value as JsonArray ?? []).Select((item, i) => (item, $"{at}[{i}]", rule))),
                "properties" => ForEach((properties ?? []).Select(property => (property.Value, $"{at}.{property.Key}",
                    rule![property.Key] ?? (schema["additionalProperties"] is JsonObject others ? others : Unknown(property.Key))))),
                _ => throw new NotSupportedException($"The test does not know the keyword '{keyword}'."),
            };
            if (!holds)
                found.Add($"{at}: {keyword}");
        }

        if (!schema.ContainsKey("properties") && schema["additionalProperties"] is JsonObject any)
            ForEach((properties ?? []).Select(property => (property.Value, $"{at}.{property.Key}", (JsonNode?)any)));

        bool ForEach(IEnumerable<(JsonNode? Value, string At, JsonNode? Schema)> parts)
        {
            foreach (var part in parts)
            {
                if (part.Schema is not null)
                    Validate(part.Schema.AsObject(), part.Value, part.At, found);
            }

            return true;
        }

        JsonObject? Unknown(string key)
        {
            found.Add($"{at}.{key}: unknown");
            return null;
        }
    }

    private static double NumberOf(JsonNode node) => double.Parse(node.ToJsonString(), CultureInfo.InvariantCulture);

    private static bool IsOfType(JsonNode? value, string type) => type switch
    {
        "object" => value is JsonObject,
        "array" => value is JsonArray,
        "string" => value?.GetValueKind() is JsonValueKind.String,
        "boolean" => value?.GetValueKind() is JsonValueKind.True or JsonValueKind.False,
        "number" => value?.GetValueKind() is JsonValueKind.Number,
        "integer" => value?.GetValueKind() is JsonValueKind.Number && double.IsInteger(NumberOf(value)),
        _ => throw new NotSupportedException($"The test does not know the type '{type}'."),
    };

    [GeneratedRegex(@"^-?(0|[1-9]\d*)(\.\d+)?$")]
    private static partial Regex Number();
}
