using System.Text.Json;
using Session.Orleans.Testnet;
using Session.Orleans.Testnet.Scenarios;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>Scenarios on a real network, above all the documented examples, each in a fraction of its time.</summary>
public sealed class ScenarioTests(ScenarioTests.QuickNetwork fixture) : IClassFixture<ScenarioTests.QuickNetwork>
{
    private const string Speed = "25";

    private readonly TestNetwork _network = fixture.Network;

    public static TheoryData<string> Examples => [.. Directory.GetFiles(RepositoryFiles.Path("examples", "scenarios")).Select(file => Path.GetFileName(file))];

    [Theory, MemberData(nameof(Examples))]
    public async Task Example_Holds_AndLeavesNoFaultBehind(string file)
    {
        var result = await RunAsync($"scenario run \"{RepositoryFiles.Path("examples", "scenarios", file)}\" --speed {Speed} --output json");

        Assert.True(result.ExitCode == 0, $"{result.Output}\n{result.Error}");
        var report = JsonElement.Parse(result.Output);
        Assert.True(report.GetProperty("passed").GetBoolean());
        Assert.NotEmpty(report.GetProperty("assertions").EnumerateArray());
        Assert.All(report.GetProperty("assertions").EnumerateArray(), assertion => Assert.True(assertion.GetProperty("passed").GetBoolean()));
        Assert.InRange(report.GetProperty("traffic").GetProperty("acknowledged").GetInt32(), 10, int.MaxValue);
        Assert.NotEmpty(report.GetProperty("events").EnumerateArray());
        Assert.Equal("no faults", (await RunAsync("faults list")).Output.Trim());
    }

    [Fact]
    public async Task FailingAssertion_IsExitCode4_WithItsFigure()
    {
        using var folder = new TemporaryFolder();
        await File.WriteAllTextAsync(folder.File("healthy.yaml"), """
            name: too healthy
            duration: 1s
            settle: 1s
            traffic: { accounts: 2, stores: 10/s, polls: 10/s }
            phases:
              - name: quiet
                do:
                  - fault: { on: { pick: 1 }, latency: 1ms }
            assert:
              - lost: 0
              - success_rate: "< 50%"
            """, TestContext.Current.CancellationToken);

        var result = await RunAsync($"scenario run \"{folder.File("healthy.yaml")}\"");

        Assert.Equal(4, result.ExitCode);
        Assert.Contains("1 of 2 assertions failed: success_rate was", result.Error, StringComparison.Ordinal);
        Assert.Matches("lost +│ = 0 +│ +0 │ pass", result.Output);
        Assert.Matches("success_rate +│ < 50% +│ +[0-9.]+% │ FAIL", result.Output);
    }

    [Fact]
    public async Task DryRun_ShowsTheSamePlanEveryTime_AndDoesNothing()
    {
        var command = $"scenario run \"{RepositoryFiles.Path("examples", "scenarios", "byzantine-member.yaml")}\" --dry-run --output json";
        var first = await RunAsync(command);
        Assert.True(first is { ExitCode: 0, Error: "" }, first.ToString());
        Assert.Equal(first.Output, (await RunAsync(command)).Output);

        var plan = JsonElement.Parse(first.Output);
        Assert.Equal(JsonValueKind.Null, plan.GetProperty("passed").ValueKind);
        var liar = Assert.Single(plan.GetProperty("groups").GetProperty("liar").EnumerateArray()).GetInt32();
        Assert.Equal($"wrong signature + stale data at {liar}", plan.GetProperty("events")[0].GetProperty("what").GetString());
        Assert.Equal("no faults", (await RunAsync("faults list")).Output.Trim());
    }

    [Fact]
    public async Task Interrupted_EndsItsFaults()
    {
        using var admin = AdminClient.Open(_network.Process.Directory);
        using var stop = new CancellationTokenSource();
        var scenario = ScenarioReader.Read(new StringReader("""
            name: long
            duration: 1h
            traffic: { accounts: 1 }
            phases:
              - name: slow
                do:
                  - fault: { on: { pick: 2 }, latency: 1ms }
            """), "long.yaml");
        // The runner tells what has happened when it has.
        var running = new ScenarioRunner(admin, 1, line =>
        {
            if (line.Contains("latency", StringComparison.Ordinal))
                stop.Cancel();
        }).RunAsync(scenario, stop.Token);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        Assert.True(stop.IsCancellationRequested);
        Assert.Empty((await admin.GetFaultsAsync(TestContext.Current.CancellationToken)).Value);
    }

    [Theory]
    [InlineData("name: x\nphases:\n  - name: p\n    do:\n      - fault: { on: { nodes: 99 }, refuse: true }\n", 1, "no node '99'")]
    [InlineData("name: x\nphase: []\n", 8, ":2:1: A scenario has no key 'phase'")]
    [InlineData(null, 2, "scenario.yaml")]
    public async Task Scenario_ThatCantBe_SaysWhy(string? text, int exitCode, string named)
    {
        using var folder = new TemporaryFolder();
        if (text is not null)
            await File.WriteAllTextAsync(folder.File("scenario.yaml"), text, TestContext.Current.CancellationToken);

        var result = await RunAsync($"scenario run \"{folder.File("scenario.yaml")}\"");

        UpFailureTests.AssertFailed(result, named);
        Assert.Equal(exitCode, result.ExitCode);
    }

    private Task<CommandResult> RunAsync(string command) => TestnetProcess.RunAsync($"{command} --data \"{_network.Process.Directory}\"");

    /// <summary>A network of its own, for scenarios break it; members that missed something catch up at blocks, so these come quickly.</summary>
    public sealed class QuickNetwork : IAsyncLifetime
    {
        internal TestNetwork Network { get; private set; } = null!;

        public async ValueTask InitializeAsync() => Network = await TestNetwork.StartAsync(options: "--ephemeral --block-time 0.5");

        public async ValueTask DisposeAsync()
        {
            Network.Dispose();
            await Network.Process.DisposeAsync();
        }
    }
}

/// <summary>Files of the repository that tests read where they stand.</summary>
internal static class RepositoryFiles
{
    public static string Path(params IEnumerable<string> parts)
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(System.IO.Path.Combine(directory.FullName, "Session.Orleans.sln")))
            directory = directory.Parent;
        Assert.NotNull(directory);
        return System.IO.Path.Combine([directory.FullName, .. parts]);
    }
}
