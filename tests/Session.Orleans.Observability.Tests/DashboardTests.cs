using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Session.Orleans.Observability.Tests.Dashboards;
using YamlDotNet.RepresentationModel;

namespace Session.Orleans.Observability.Tests;

/// <summary>Dashboards and alert rules against a real Prometheus that scrapes a real network under a mixed load.</summary>
[Collection(SharedObservedNetwork.Name)]
public sealed partial class DashboardTests(ObservedNetwork observed)
{
    private const string DataLimitVariable = "SESSION_DATA_LIMIT_SECONDS";

    /// <summary>Queries that give nothing on a well network, and why. Their metrics are there all the same.</summary>
    private static readonly Dictionary<string, string> QuietQueries = new()
    {
        ["Results by hop"] = "no hop fails",
        ["Not stored"] = "nothing is stored twice, and the store confirms everything",
        ["Failures of session-load-test"] = "no operation fails",
    };

    [Fact]
    public void Files_AreWhatTheCodeSays()
    {
        Directory.CreateDirectory(Repository.Dashboards);
        foreach (var dashboard in SessionDashboards.All)
        {
            var file = Path.Combine(Repository.Dashboards, dashboard.Uid + ".json");
            if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") is "1")
                File.WriteAllText(file, DashboardJson.Write(dashboard));
            Assert.True(File.Exists(file) && File.ReadAllText(file) == DashboardJson.Write(dashboard), $"{file} is stale: run the tests with UPDATE_GOLDEN=1.");
        }

        Assert.Equal(SessionDashboards.All.Select(dashboard => dashboard.Uid + ".json").Order(), Directory.GetFiles(Repository.Dashboards).Select(file => Path.GetFileName(file)!).Order());
    }

    [Fact]
    public void Dashboards_AreComplete()
    {
        Assert.Equal(SessionDashboards.All.Count, SessionDashboards.All.Select(dashboard => dashboard.Uid).Distinct().Count());
        foreach (var dashboard in SessionDashboards.All)
        {
            Assert.InRange(dashboard.Uid.Length, 1, 40); // Grafana's limit
            using var json = JsonDocument.Parse(DashboardJson.Write(dashboard));
            var panels = json.RootElement.GetProperty("panels").EnumerateArray().ToArray();
            Assert.Equal(panels.Length, panels.Select(panel => panel.GetProperty("id").GetInt32()).Distinct().Count());
            foreach (var panel in dashboard.Panels)
            {
                Assert.EndsWith(".", panel.Description, StringComparison.Ordinal);
                Assert.NotEmpty(panel.Unit);
                Assert.NotEmpty(panel.Queries);
                Assert.All(panel.Queries, query => Assert.DoesNotContain(query.Expression, "[$", StringComparison.Ordinal));
            }

            // Nothing lies on top of anything else.
            var places = panels.Select(panel => panel.GetProperty("gridPos")).Select(place => (
                X: place.GetProperty("x").GetInt32(), Y: place.GetProperty("y").GetInt32(), W: place.GetProperty("w").GetInt32(), H: place.GetProperty("h").GetInt32())).ToArray();
            Assert.All(places, place => Assert.InRange(place.X + place.W, 1, 24));
            for (var i = 0; i < places.Length; i++)
            {
                for (var j = i + 1; j < places.Length; j++)
                {
                    var (a, b) = (places[i], places[j]);
                    Assert.False(a.X < b.X + b.W && b.X < a.X + a.W && a.Y < b.Y + b.H && b.Y < a.Y + a.H, $"{dashboard.Uid}: panels {i} and {j} overlap.");
                }
            }
        }
    }

    [Fact]
    public async Task EveryQuery_ReturnsDataUnderLoad()
    {
        var (loadPort, watchPort) = (Ports.Find(1), Ports.Find(1));
        var process = observed.Network.Process;
        await using var prometheus = await PrometheusServer.StartAsync(process.Admin.Authority, $"127.0.0.1:{loadPort}", $"127.0.0.1:{watchPort}");
        var data = $"--data \"{process.Directory}\"";
        await using var load = ObservedNetwork.Run(string.Create(CultureInfo.InvariantCulture, $"load {data} --rate 8/s --users 25 --poll-interval 2s --duration 2m --trace 5% --metrics-port {loadPort}"));
        await using var watch = ObservedNetwork.Run(string.Create(CultureInfo.InvariantCulture, $"watch {data} --every 1s --for 2m --metrics-port {watchPort}"));
        using var ended = new CancellationTokenSource();
        var rest = KeepBusyAsync(data, ended.Token);
        try
        {
            await AllHaveDataAsync(prometheus, [.. DashboardQueries(), .. RuleQueries()], () => load.HasEnded || watch.HasEnded);

            // From a point of a line to the trace behind it.
            var exemplars = await prometheus.ExemplarsAsync("session_gateway_request_duration_seconds_bucket");
            var known = observed.Collector.Spans.Select(span => span.Trace).ToHashSet();
            Assert.NotEmpty(exemplars);
            Assert.Contains(exemplars, known.Contains);

            await NamesMatchAsync(prometheus);
        }
        finally
        {
            await ended.CancelAsync();
            await Task.WhenAny(rest); // lest its failure hide another one
        }

        await rest;
    }

    /// <summary>What a load of messages does not do: files, rooms, names, short-lived messages, faults, requests that are turned away.</summary>
    private async Task KeepBusyAsync(string data, CancellationToken ended)
    {
        var slow = observed.Network.Nodes[^1];
        Assert.Equal(0, (await TestnetProcess.RunAsync($"faults add {data} --node {slow.Index} --latency 5ms --for 20s")).ExitCode);
        while (!ended.IsCancellationRequested)
        {
            var account = new TestAccount();
            using var tooLarge = await observed.Http.PostAsync(new Uri(observed.Network.Nodes[0].Url, "/storage_rpc/v1"), new ByteArrayContent(new byte[11_000_000]), CancellationToken.None);
            using var malformed = await observed.Http.PostAsync(new Uri(observed.Network.Nodes[0].Url, "/storage_rpc/v1"), new ByteArrayContent([1]), CancellationToken.None);
            _ = await observed.OnionAsync(account, account.Store(new byte[1000]));
            var demo = await TestnetProcess.RunAsync($"demo {data}");
            Assert.True(demo.ExitCode == 0, demo.Error);
        }
    }

    private static async Task AllHaveDataAsync(PrometheusServer prometheus, IReadOnlyList<(string Name, string Legend, string Expression, bool Quiet)> queries, Func<bool> loadHasEnded)
    {
        Assert.True(queries.Count > 100);
        var limit = TimeSpan.FromSeconds(double.Parse(Environment.GetEnvironmentVariable(DataLimitVariable) ?? "40", CultureInfo.InvariantCulture));
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var pending = queries.ToList();
        while (true)
        {
            var empty = new List<(string Name, string Legend, string Expression, bool Quiet)>();
            foreach (var query in pending)
            {
                var result = await prometheus.QueryAsync(query.Expression); // fails the test if it does not parse
                if (!HasData(result))
                    empty.Add(query);
                else
                    AssertLabels(query.Legend, query.Expression, result);
            }

            pending = empty;
            if (pending.All(query => query.Quiet))
                return;
            Assert.False(loadHasEnded(), "The load has ended.");
            Assert.True(clock.Elapsed < limit, "No data after " + limit + ":\n" + string.Join('\n', pending.Where(query => !query.Quiet).Select(query => $"{query.Name}: {query.Expression}")));
            await Task.Delay(TimeSpan.FromMilliseconds(500));
        }
    }

    /// <summary>A legend must not name a label that the lines don't have. Pods are Kubernetes'.</summary>
    private static void AssertLabels(string legend, string expression, JsonElement result) => Assert.All(
        LegendLabel().Matches(legend).Select(match => match.Groups[1].Value).Where(label => label is not "pod"),
        label => Assert.True(result.EnumerateArray().Any(series => series.GetProperty("metric").TryGetProperty(label, out _)), $"No {label} in {expression}"));

    // NaN is what a quantile of nothing is.
    private static bool HasData(JsonElement result) =>
        result.EnumerateArray().Any(series => series.GetProperty("value")[1].GetString() is not "NaN");

    private static IEnumerable<(string Name, string Legend, string Expression, bool Quiet)> DashboardQueries() =>
        from dashboard in SessionDashboards.All
        from panel in dashboard.Panels
        from query in panel.Queries
        select ($"{dashboard.Uid}, {panel.Title}", query.Legend, Substituted(query.Text), QuietQueries.ContainsKey(panel.Title) || QuietQueries.ContainsKey($"{panel.Title} of {dashboard.Uid}"));

    /// <summary>Every rule must parse; that it gives something is for a network that is unwell (AlertTests).</summary>
    private static IEnumerable<(string Name, string Legend, string Expression, bool Quiet)> RuleQueries() =>
        AlertTests.Rules().Select(rule => (rule.Name, "", rule.Expression, Quiet: true));

    private static string Substituted(string expression) => expression
        .Replace("$__rate_interval", "15s", StringComparison.Ordinal).Replace("$namespace", ".*", StringComparison.Ordinal).Replace("$pod", ".*", StringComparison.Ordinal);

    /// <summary>No name that nobody emits, and no figure of the network that no dashboard shows.</summary>
    private static async Task NamesMatchAsync(PrometheusServer prometheus)
    {
        // What was told at any time: figures of the census are missing while it is late, as on a machine with too much to do.
        const string Series = "last_over_time({job=\"session\"}[10m])";
        var emitted = (await prometheus.QueryAsync($"count by (__name__) ({Series})")).EnumerateArray()
            .Select(series => series.GetProperty("metric").GetProperty("__name__").GetString()!).ToHashSet();
        var texts = SessionDashboards.All.SelectMany(dashboard => Names().Matches(DashboardJson.Write(dashboard)).Select(match => match.Value))
            .Concat(AlertTests.Rules().SelectMany(rule => Names().Matches(rule.Expression).Select(match => match.Value))).ToHashSet();
        var labels = (await prometheus.QueryAsync(Series)).EnumerateArray()
            .SelectMany(series => series.GetProperty("metric").EnumerateObject()).Select(label => label.Name).ToHashSet();
        Assert.Empty(texts.Except(emitted).Except(labels));

        var figures = emitted.Where(name => (name.StartsWith("session_", StringComparison.Ordinal) || name.StartsWith("db_", StringComparison.Ordinal)) && !name.EndsWith("_created", StringComparison.Ordinal))
            .Select(name => Suffix().Replace(name, "")).ToHashSet();
        var shown = SessionDashboards.All.SelectMany(dashboard => Names().Matches(DashboardJson.Write(dashboard))).Select(match => Suffix().Replace(match.Value, "")).ToHashSet();
        Assert.True(figures.Count > 30);
        Assert.Empty(figures.Except(shown));
    }

    [GeneratedRegex(@"\b(session|db|dotnet|kestrel|orleans|http_server)_[a-z0-9_]+\b")]
    private static partial Regex Names();

    [GeneratedRegex(@"\{\{([a-z_]+)\}\}")]
    private static partial Regex LegendLabel();

    [GeneratedRegex("_(bucket|count|sum)$")]
    private static partial Regex Suffix();
}
