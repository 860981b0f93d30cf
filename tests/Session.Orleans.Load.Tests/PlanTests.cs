using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using CsCheck;
using Session.Orleans.Load.Plan;

namespace Session.Orleans.Load.Tests;

/// <summary>Load plans: what files may say, where errors are, and that stages, arrivals and contacts are what they promise.</summary>
public sealed class PlanTests
{
    private const string Whole = """
        name: everything
        description: all keys at once
        seed: 7
        users: 50
        stages:
          - { for: 10s, rate: 5/s, ramp: true }
          - { for: 20s, rate: 10/s, users: 80, online: 50% }
        warm_up: 5s
        settle: 20s
        late_after: 10s
        timeout: 4s
        attempts: 2
        max_in_flight: 500
        poll: { interval: { min: 2s, max: 4s }, members: 1, namespaces: inbox }
        sessions: { online: { median: 1m, p99: 10m }, offline: { mean: 30s } }
        messages: { size: { min: 100B, max: 9kB, exponent: 1.5 }, ttl: 1h, sync: false, attachments: 5%, attachment_size: 2kB }
        contacts: { mean: 4, exponent: 2.5, hot: 2, hot_share: 50% }
        groups: { count: 3, members: 5, share: 0.1 }
        communities: { count: 4, members: { min: 5, max: 30 }, share: 30%, interval: 8s }
        names: { count: 6, share: 15% }
        fail_if: [lost>0, p99>500ms, send.errors>1%]
        """;

    public static TheoryData<string> Examples => [.. Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "examples")).Select(Path.GetFileName).OfType<string>()];

    [Fact]
    public void WholePlan_IsReadAsWritten()
    {
        var plan = Read(Whole);

        Assert.Equal(("everything", 7, 50, 80), (plan.Name, plan.Seed, plan.Users, plan.Population));
        Assert.Equal([new(TimeSpan.FromSeconds(10)) { Rate = 5, Ramp = true }, new(TimeSpan.FromSeconds(20)) { Rate = 10, Users = 80, Online = 0.5 }], plan.Stages);
        Assert.Equal((5, 20, 10, 4, 2, 500), (plan.WarmUp.TotalSeconds, plan.Settle.TotalSeconds, plan.LateAfter.TotalSeconds, plan.Timeout.TotalSeconds, plan.Attempts, plan.MaxInFlight));
        Assert.Equal((Distribution.Uniform(2, 4), 1), (plan.Poll.Interval, plan.Poll.Members));
        Assert.Equal([(short)0], plan.Poll.Namespaces);
        Assert.Equal(new(Distribution.LogNormal(60, 600), Distribution.Exponential(30)), plan.Sessions);
        Assert.Equal(
            new() { Size = Distribution.Pareto(100, 9000, 1.5), TimeToLive = TimeSpan.FromHours(1), Sync = false, Attachments = 0.05, AttachmentSize = Distribution.Fixed(2000) },
            plan.Messages);
        Assert.Equal(new() { Mean = 4, Exponent = 2.5, Hot = 2, HotShare = 0.5 }, plan.Contacts);
        Assert.Equal(new() { Count = 3, Members = Distribution.Fixed(5), Share = 0.1 }, plan.Groups);
        Assert.Equal(
            new() { Count = 4, Members = Distribution.Uniform(5, 30), Share = 0.3, Interval = Distribution.Fixed(8), Urls = plan.Communities!.Urls }, plan.Communities);
        Assert.Empty(plan.Communities.Urls);
        Assert.Equal(new() { Count = 6, Share = 0.15 }, plan.Names);
        Assert.Equal([("lost", ">", 0.0), ("p99", ">", 500), ("send.errors", ">", 0.01)], plan.FailIf.Select(one => (one.Metric, one.Comparison, one.Limit)));
        Assert.True(plan.IsOpen);
    }

    [Theory]
    [InlineData("name: everything", "nane: everything", 1, "no key 'nane'")]
    [InlineData("users: 50", "users: 0", 4, "from 1 to")]
    [InlineData("rate: 5/s", "rate: 5", 6, "10/s")]
    [InlineData("  - { for: 10s, rate: 5/s, ramp: true }", "  - { rate: 5/s }", 6, "needs 'for'")]
    [InlineData("rate: 5/s, ramp", "ramp", 6, "Either every stage has a 'rate', or none")]
    [InlineData("online: 50%", "online: 150%", 7, "5%")]
    [InlineData("warm_up: 5s", "warm_up: 30s", 8, "shorter than all stages")]
    [InlineData("{ min: 2s, max: 4s }", "{ min: 4s, max: 2s }", 14, "must not be less")]
    [InlineData("{ min: 2s, max: 4s }", "{ min: 2s }", 14, "a mapping of mean")]
    [InlineData("{ min: 2s, max: 4s }", "{ min: 2, max: 4s }", 14, "'min' of 'interval' must be a duration")]
    [InlineData("namespaces: inbox", "namespaces: all", 14, "clients")]
    [InlineData("{ median: 1m, p99: 10m }", "{ median: 1m, p99: 1s }", 15, "more than its 'median'")]
    [InlineData("ttl: 1h", "ttl: 15d", 16, "from 10s to 14d")]
    [InlineData("hot: 2, ", "", 17, "'hot_share'")]
    [InlineData("count: 4, ", "", 19, "not both")]
    [InlineData("count: 4, ", "count: 4, urls: [http://host/room], ", 19, "not both")]
    [InlineData("count: 4, ", "urls: [http://host/room], ", 19, "join URLs such as")]
    [InlineData("interval: 8s", "interval: 8", 19, "'interval' must be a duration")]
    [InlineData("count: 6, share: 15%", "count: 0, share: 15%", 20, "from 1 to")]
    [InlineData("lost>0", "lots>0", 21, "'fail_if' must be METRIC")]
    [InlineData("p99>500ms", "p99>500", 21, "'fail_if' must be METRIC")]
    [InlineData("sync: false", "sync: false, pause: 5s", 16, "'pause' is for users who wait")]
    public void WrongPlan_IsRefusedWithItsLine(string good, string bad, int line, string why)
    {
        Assert.Contains(good, Whole, StringComparison.Ordinal);

        var refused = Assert.Throws<YamlFormatException>(() => Read(Whole.Replace(good, bad, StringComparison.Ordinal)));

        Assert.Contains(why, refused.Message, StringComparison.Ordinal);
        Assert.StartsWith($"file.yaml:{line}:", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void RoomUrls_AreReadOnceEach()
    {
        const string Key = "09a8bfa9b0036b78ad249911d2c218484dd626e91df811f149451533ac401716";
        var (one, other) = ($"http://host:1/one?public_key={Key}", $"host:2/r/other?public_key={Key}");

        var plan = Read(Whole.Replace("count: 4, ", $"urls: [\"{one}\", \"{other}\"], ", StringComparison.Ordinal));

        Assert.Equal([("http://host:1", "one"), ("http://host:2", "other")], plan.Communities!.Urls.Select(url => (url.Base, url.Token)));
        Assert.Contains("twice", Assert.Throws<YamlFormatException>(() => Read(Whole.Replace("count: 4, ", $"urls: [\"{one}\", \"{one}\"], ", StringComparison.Ordinal))).Message, StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(Examples))]
    public void Example_IsAPlan(string file)
    {
        var plan = LoadPlanReader.Read(Path.Combine(AppContext.BaseDirectory, "examples", file));

        Assert.Contains(plan.FailIf, threshold => threshold.Text == "lost>0");
        Assert.NotNull(plan.Description);
    }

    [Fact]
    public void Schema_HasTheKeysOfTheReader()
    {
        var schema = JsonNode.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "load.schema.json")))!;
        foreach (var (kind, keys) in LoadPlanReader.Keys.Where(keys => keys.Key != "distribution"))
        {
            var node = kind == "plan" ? schema : schema["$defs"]![kind]!;
            Assert.Equal(keys.Order(), node["properties"]!.AsObject().Select(property => property.Key).Order());
            Assert.False(node["additionalProperties"]!.GetValue<bool>());
        }

        // Everything that is described by a pattern takes what the examples and the whole plan say.
        var pattern = new Regex(schema["$defs"]!["threshold"]!["pattern"]!.GetValue<string>());
        Assert.All((string[])["lost>0", "p99>500ms", "send.errors>=1%", "delivery.p999 > 2s"], text => Assert.Matches(pattern, text));
    }

    [Fact]
    public void AnyText_IsAPlanOrAnErrorWithItsPlace() => Gen.String[Gen.Char["abcdefghinorstu_: {}[],-0123456789%/>\n\"'"], 0, 200].Sample(text =>
    {
        try
        {
            _ = Read(text);
        }
        catch (YamlFormatException exception)
        {
            Assert.StartsWith("file.yaml:", exception.Message, StringComparison.Ordinal);
        }
    }, iter: 2000);

    [Fact]
    public void ChangedLine_IsAPlanOrAnErrorWithItsPlace() => Gen.Select(Gen.Int[0, Whole.Length - 1], Gen.Char[" :{}[],0a%/\n"]).Sample((at, by) =>
    {
        try
        {
            _ = Read(string.Concat(Whole.AsSpan(0, at), by.ToString(), Whole.AsSpan(at + 1)));
        }
        catch (YamlFormatException exception)
        {
            Assert.StartsWith("file.yaml:", exception.Message, StringComparison.Ordinal);
        }
    }, iter: 5000);

    [Fact]
    public void Arrivals_KeepTheRate_ThroughARamp_AndAreTheSameForTheSameSeed()
    {
        var profile = new LoadProfile(new() { Stages = [new(TimeSpan.FromSeconds(100)) { Rate = 50, Ramp = true }, new(TimeSpan.FromSeconds(100)) { Rate = 50 }] });

        var arrivals = profile.Arrivals(new(3)).ToArray();

        Assert.Equal(arrivals, profile.Arrivals(new(3)));
        Assert.Equal(arrivals.Order(), arrivals);
        Assert.InRange(arrivals.Length, 7500 - 400, 7500 + 400); // half of the first stage's and all of the second's; four deviations are 346
        Assert.InRange(arrivals.Count(at => at.TotalSeconds < 50), 625 - 110, 625 + 110); // a ramp's first half has a quarter of its area
        Assert.All(arrivals, at => Assert.InRange(at.TotalSeconds, 0, 200));
    }

    [Fact]
    public void Shards_TogetherHaveTheRateAndTheUsersOfTheWhole() => Gen.Select(Gen.Int[1, 10_000], Gen.Int[1, 50]).Sample((total, count) =>
    {
        var users = Enumerable.Range(0, count).SelectMany(index =>
        {
            var shard = new Shard(index, count);
            return Enumerable.Range(0, shard.PartOf(total)).Select(shard.GlobalIndex);
        });
        Assert.Equal(Enumerable.Range(0, total), users.Order());
    }, iter: 200);

    [Theory]
    [InlineData("0/4", null, 0, 4)]
    [InlineData("3/4", "1", 3, 4)]
    [InlineData("auto/4", "2", 2, 4)]
    public void Shard_IsRead(string text, string? job, int index, int count)
    {
        Assert.True(Shard.TryParse(text, job, out var shard));
        Assert.Equal(new(index, count), shard);
    }

    [Theory]
    [InlineData("4/4", null)]
    [InlineData("-1/4", null)]
    [InlineData("1", null)]
    [InlineData("1/0", null)]
    [InlineData("auto/4", null)]
    [InlineData("auto/4", "4")]
    [InlineData("a/b", null)]
    public void WrongShard_IsRefused(string text, string? job) => Assert.False(Shard.TryParse(text, job, out _));

    [Fact]
    public void Contacts_HaveAHeavyTail_AndNobodyIsItsOwn()
    {
        const int Users = 5000;
        var graph = new ContactGraph(Users, new() { Mean = 8, Exponent = 2.3 }, new(1));

        int[] degrees = [.. Enumerable.Range(0, Users).Select(user => graph.Of(user).Count)];
        Assert.InRange(degrees.Average(), 4, 12);
        Assert.True(degrees.Max() > 10 * degrees.Average(), "no user has many contacts");
        Assert.All(Enumerable.Range(0, Users), user => Assert.DoesNotContain(user, graph.Of(user)));
        var popularity = Enumerable.Range(0, Users).SelectMany(graph.Of).CountBy(contact => contact).Max(contact => contact.Value);
        Assert.True(popularity > 10 * degrees.Average(), "nobody is in many lists");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void FewUsers_HaveContactsAllTheSame(int users)
    {
        var graph = new ContactGraph(users, new(), new(1));
        var random = new SeededRandom(1);
        for (var user = 0; user < users; user++)
            Assert.InRange(graph.Draw(user, ref random), 0, users - 1);
    }

    [Fact]
    public void Distributions_HaveTheirMediansAndLimits()
    {
        var random = new SeededRandom(5);
        var (median, p99) = Quantiles(Distribution.LogNormal(60, 1500), ref random);
        Assert.InRange(median, 54, 66);
        Assert.InRange(p99, 1200, 1900);
        Assert.InRange(Quantiles(Distribution.Exponential(10), ref random).Median, 6.5, 7.4);
        for (var i = 0; i < 1000; i++)
        {
            Assert.InRange(Distribution.Pareto(2, 50, 1.3).Draw(ref random), 2, 50);
            Assert.InRange(Distribution.Uniform(3, 4).Draw(ref random), 3, 4);
        }

        static (double Median, double P99) Quantiles(Distribution distribution, ref SeededRandom random)
        {
            var drawn = new double[20_000];
            for (var i = 0; i < drawn.Length; i++)
                drawn[i] = distribution.Draw(ref random);
            Array.Sort(drawn);
            return (drawn[drawn.Length / 2], drawn[drawn.Length * 99 / 100]);
        }
    }

    [Fact]
    public void ScaledPlan_IsShorterAndLarger()
    {
        var plan = Read(Whole).Scaled(speed: 10, scale: 2);

        Assert.Equal(TimeSpan.FromSeconds(3), plan.Duration);
        Assert.Equal((100, 160, 20.0), (plan.Users, plan.Population, plan.Stages[1].Rate));
        Assert.Equal(TimeSpan.FromSeconds(0.5), plan.WarmUp);
    }

    private static LoadPlan Read(string text) => LoadPlanReader.Read(new StringReader(text), "file.yaml");
}
