using System.Diagnostics;
using System.Text.Json;
using Session.Orleans.Testnet;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>The commands that look at a running network and make things go wrong in it.</summary>
[Collection(SharedNetwork.Name)]
public sealed class NetworkCommandTests(NetworkFixture fixture) : IAsyncLifetime
{
    private readonly TestNetwork _network = fixture.Network;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        using var admin = AdminClient.Open(_network.Process.Directory);
        await admin.RemoveFaultsAsync([], CancellationToken.None);
    }

    [Fact]
    public async Task Faults_AddedTogether_AreListed_AndEndByLabel()
    {
        var added = await JsonAsync("faults add --node 3,5 --node 6-7 --latency 200ms --spread 50ms --distribution normal --loss 5% --skew -10m --for 10m --label demo");
        Assert.Equal(["latency", "loss", "clockSkew"], added.EnumerateArray().Select(fault => fault.GetProperty("kind").GetString()));
        Assert.All(added.EnumerateArray(), fault => Assert.Equal([3, 5, 6, 7], fault.GetProperty("nodes").EnumerateArray().Select(node => node.GetInt32())));
        Assert.Equal((200, 50, "normal"), (added[0].GetProperty("delayMs").GetDouble(), added[0].GetProperty("spreadMs").GetDouble(), added[0].GetProperty("distribution").GetString()));
        Assert.Equal(0.05, added[1].GetProperty("probability").GetDouble(), 1e-9);
        Assert.Equal(-600_000, added[2].GetProperty("delayMs").GetDouble());
        Assert.All(added.EnumerateArray(), fault => Assert.InRange(
            (fault.GetProperty("until").GetDateTimeOffset() - fault.GetProperty("since").GetDateTimeOffset()).TotalMinutes, 9.9, 10.1));

        var list = (await RunAsync("faults list")).Output;
        Assert.Contains("latency 200ms ±50ms normal", list, StringComparison.Ordinal);
        Assert.Contains("loss 5%", list, StringComparison.Ordinal);
        Assert.Contains("clock -10m", list, StringComparison.Ordinal);
        Assert.Matches(@"│ 3,5-7 +│ in (10m|9m\d+s) +│ demo", list);
        Assert.Contains(added[0].GetProperty("id").GetString()!, (await RunAsync("nodes show 5")).Output, StringComparison.Ordinal);

        Assert.Equal(3, (await JsonAsync("faults clear demo")).GetArrayLength());
        Assert.Equal("no faults", (await RunAsync("faults list")).Output.Trim());
    }

    [Fact]
    public async Task Fault_OnALink_NamesBothEnds()
    {
        var swarm = _network.Nodes[0].Swarm;
        var added = await JsonAsync($"faults add --node 0 --to-swarm {swarm} --refuse --bandwidth 64kB/s --probability 0.5");

        var members = _network.Nodes.Where(node => node.Swarm == swarm).Select(node => node.Index);
        Assert.All(added.EnumerateArray(), fault => Assert.Equal(members, fault.GetProperty("peers").EnumerateArray().Select(node => node.GetInt32())));
        Assert.All(added.EnumerateArray(), fault => Assert.Equal(0.5, fault.GetProperty("probability").GetDouble()));
        Assert.Equal(64_000, added[1].GetProperty("bytesPerSecond").GetInt64());
    }

    [Theory]
    [InlineData("faults add --offline", 2, "--node")]
    [InlineData("faults add --node 1", 2, "--offline")]
    [InlineData("faults add --node 1 --latency 5", 2, "200ms")]
    [InlineData("faults add --node 1 --loss 5", 2, "5%")]
    [InlineData("faults add --node 1 --spread 5ms --offline", 2, "--latency")]
    [InlineData("faults add --node 1,99 --offline", 1, "no node 99")]
    [InlineData("faults add --swarm 1234 --offline", 1, "no swarm '1234'")]
    [InlineData("faults add --node 1 --offline --stale --to 2", 1, "can't be on a link")]
    [InlineData("faults clear nothing", 1, "'nothing'")]
    [InlineData("faults clear", 2, "--all")]
    [InlineData("nodes show 99", 1, "no node 99")]
    [InlineData("swarms map 05", 2, "66 hex digits")]
    public async Task Order_ThatIsWrong_SaysWhy_AndChangesNothing(string command, int exitCode, string named)
    {
        var result = await RunAsync(command);

        UpFailureTests.AssertFailed(result, named);
        Assert.Equal(exitCode, result.ExitCode);
        using var admin = AdminClient.Open(_network.Process.Directory);
        Assert.Empty((await admin.GetFaultsAsync(TestContext.Current.CancellationToken)).Value);
    }

    [Fact]
    public async Task NodesAndSwarms_AreThoseOfTheNetwork()
    {
        var nodes = await JsonAsync("nodes list");
        Assert.Equal(_network.Nodes.Select(node => (node.Ed25519.ToString(), node.Swarm)),
            nodes.EnumerateArray().Select(node => (node.GetProperty("ed25519").GetString()!, node.GetProperty("swarm").GetString()!)));
        Assert.Equal(36, (await RunAsync("nodes list")).Output.TrimEnd().Split('\n').Length); // 32 nodes, head and border

        var account = new TestAccount();
        var swarm = await _network.SwarmOfAsync(account.Id);
        var mapped = await JsonAsync($"swarms map {account.Id}");
        Assert.Equal(swarm[0].Swarm, mapped.GetProperty("id").GetString());
        Assert.Equal(swarm.Select(node => node.Index).Order(), mapped.GetProperty("members").EnumerateArray().Select(member => member.GetInt32()));
        var shown = (await RunAsync($"swarms show {swarm[0].Swarm}")).Output;
        Assert.All(swarm, node => Assert.Contains(node.Ed25519.ToString()[..8], shown, StringComparison.Ordinal));
        Assert.Contains(swarm[0].Swarm, (await RunAsync("swarms list")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Completion_InBash_KnowsCommandsAndTheRunningNetwork()
    {
        var fault = (await JsonAsync("faults add --node 1 --offline --label storm"))[0].GetProperty("id").GetString()!;
        var data = $"--data {_network.Process.Directory}";
        using var folder = new TemporaryFolder();
        var script = folder.File("completion");
        await File.WriteAllTextAsync(script, (await TestnetProcess.RunAsync("completion bash")).Output, TestContext.Current.CancellationToken);

        Assert.Equal(["faults"], await CompleteAsync(script, "session-testnet fau"));
        Assert.Equal(["--label", "--latency", "--loss"], await CompleteAsync(script, "session-testnet faults add --l"));
        Assert.Equal(["30", "31"], (await CompleteAsync(script, $"session-testnet faults add {data} --node 3")).Except(["3"]));
        Assert.Contains(_network.Nodes[0].Swarm, await CompleteAsync(script, $"session-testnet swarms show {data} "));
        Assert.Equal([fault, "storm"], (await CompleteAsync(script, $"session-testnet faults clear {data} ")).Intersect([fault, "storm"]));
    }

    /// <summary>Loads the script into a shell and asks it as a key press would.</summary>
    private static async Task<string[]> CompleteAsync(string script, string line)
    {
        using var folder = new TemporaryFolder();
        await File.WriteAllTextAsync(folder.File("ask"), $$"""
            session-testnet() { dotnet "{{TestnetProcess.ProgramFile}}" "$@"; }
            source "{{script}}"
            COMP_LINE='{{line}}' COMP_POINT={{line.Length}}
            read -ra COMP_WORDS <<< "$COMP_LINE"
            [[ "$COMP_LINE" == *' ' ]] && COMP_WORDS+=('')
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _session_testnet
            printf '%s\n' "${COMPREPLY[@]}"
            """, TestContext.Current.CancellationToken);
        using var shell = Process.Start(new ProcessStartInfo("bash", $"--norc \"{folder.File("ask")}\"") { RedirectStandardOutput = true })!;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var output = await shell.StandardOutput.ReadToEndAsync(limit.Token);
        await shell.WaitForExitAsync(limit.Token);
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    private async Task<JsonElement> JsonAsync(string command)
    {
        var result = await RunAsync(command + " --output json");
        Assert.True(result is { ExitCode: 0, Error: "" }, $"{command}: {result}");
        return JsonElement.Parse(result.Output);
    }

    private Task<CommandResult> RunAsync(string command) => TestnetProcess.RunAsync($"{command} --data \"{_network.Process.Directory}\"");
}
