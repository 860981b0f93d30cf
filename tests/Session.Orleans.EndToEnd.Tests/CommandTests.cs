using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>What <c>session-testnet</c> prints and writes while a network runs, and its admin API.</summary>
[Collection(SharedNetwork.Name)]
public sealed partial class CommandTests(NetworkFixture fixture)
{
    private readonly TestNetwork _network = fixture.Network;

    [Fact]
    public void Up_WhenReady_SaysSoInOneLine()
    {
        var match = ReadyLine().Match(_network.Process.ReadyLine);

        Assert.True(match.Success, _network.Process.ReadyLine);
        Assert.Equal(_network.Process.Seed.Port, int.Parse(match.Groups["seed"].Value, CultureInfo.InvariantCulture));
        Assert.Equal(_network.Process.Admin.Port, int.Parse(match.Groups["admin"].Value, CultureInfo.InvariantCulture));
    }

    [Fact]
    public async Task Description_OfTheNetwork_IsTrue()
    {
        var description = _network.Process.Description;
        Assert.Equal(_network.Process.Process.Id, description.GetProperty("processId").GetInt32());
        Assert.Equal(("embedded", "19.4", 7),
            (description.GetProperty("store").GetString(), description.GetProperty("hardFork").GetString(), description.GetProperty("swarmSize").GetInt32()));
        Assert.Equal(32, _network.Nodes.Count);
        Assert.Equal(Enumerable.Range(0, 32), _network.Nodes.Select(node => node.Index));
        Assert.Equal(32, _network.Nodes.Select(node => node.Ed25519).Distinct().Count());

        // Every node is in exactly the swarm that both lists name, and the nodes themselves say so too.
        var swarms = description.GetProperty("swarms").EnumerateArray().ToArray();
        Assert.Equal(4, swarms.Length);
        foreach (var swarm in swarms)
        {
            var id = swarm.GetProperty("id").GetString();
            var members = swarm.GetProperty("members").EnumerateArray().Select(member => member.GetInt32()).ToArray();
            Assert.Equal(_network.Nodes.Where(node => node.Swarm == id).Select(node => node.Index), members);
        }

        var account = new TestAccount();
        var mine = await _network.SwarmOfAsync(account.Id);
        Assert.All(_network.Nodes, node => Assert.Equal(mine.Contains(node), node.Swarm == mine[0].Swarm));
        foreach (var node in _network.Nodes)
            Assert.Equal(mine.Contains(node) ? 200 : 421, (await _network.RpcAsync(node, account.Retrieve())).Status);
    }

    [Fact]
    public async Task Demo_OnARunningNetwork_ShowsEveryStep()
    {
        var result = await TestnetProcess.RunAsync($"demo --data \"{_network.Process.Directory}\" --text \"good morning\"");

        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Contains("knows 32 service nodes", Flat(result.Output), StringComparison.Ordinal);
        Assert.Matches(@"Alice 05[0-9a-f]{64}\b", Flat(result.Output));
        Assert.Matches(@"swarm [0-9a-f]+: ([0-9a-f]{8} ?)+", Flat(result.Output));
        Assert.Matches(@"Alice -> [0-9a-f]{8} -> [0-9a-f]{8} -> [0-9a-f]{8} -> [0-9a-f]{8} \(destination\)", Flat(result.Output));
        Assert.Matches(@"Bob -> [0-9a-f]{8} -> [0-9a-f]{8} -> [0-9a-f]{8} -> [0-9a-f]{8} \(destination\)", Flat(result.Output));
        var signatures = Regex.Match(Flat(result.Output), @"(\d+) of (\d+) swarm members signed");
        Assert.True(signatures.Success && signatures.Groups[1].Value == signatures.Groups[2].Value, result.Output);
        Assert.Matches(@"received\s+good morning", Flat(result.Output));
        Assert.Matches(@"three-hops\.png, \d+ bytes, .*/file/\S+ Bob downloaded it .* the same bytes", Flat(result.Output));
        Assert.Matches(@"/demo\?public_key=[0-9a-f]{64} there Alice is 15[0-9a-f]{64} Alice posted .* Bob read it", Flat(result.Output));
        Assert.Matches(@"Bob bought bob-[0-9a-f]{8} at height \d+ three nodes .* Bob received", Flat(result.Output));

        // The room is there now, and the names are others.
        var again = await TestnetProcess.RunAsync($"demo --data \"{_network.Process.Directory}\"");
        Assert.Equal((0, ""), (again.ExitCode, again.Error));
        Assert.DoesNotContain("skipped", again.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Demo_SaysWhatItSkips()
    {
        await using var process = await TestnetProcess.StartAsync(null, "--no-files --no-communities", 5);
        var result = await TestnetProcess.RunAsync($"demo --data \"{process.Directory}\"");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Matches(@"picture\s+skipped: .*\n", result.Output);
        Assert.Matches(@"community\s+skipped: .*\n", result.Output);
        Assert.Contains("Bob bought", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Demo_WithASeedUrl_NeedsNoFolder()
    {
        var result = await TestnetProcess.RunAsync($"demo --seed {_network.Process.Seed} --data \"{Path.Combine(_network.Process.Directory, "nothing")}\"");

        Assert.Equal(0, result.ExitCode);
    }

    [Fact]
    public async Task Status_AsJson_CountsWhatIsStored()
    {
        var before = await StatusAsync();
        for (var i = 0; i < 3; i++)
        {
            var account = new TestAccount();
            var member = await _network.MemberForAsync(account.Id);
            for (var j = 0; j < 4; j++)
                Assert.Equal(200, (await _network.RpcAsync(member, account.Store(new byte[] { 1, (byte)j }))).Status);
            Assert.Equal(200, (await _network.RpcAsync(member, account.Store(new byte[] { 1, 0 }))).Status); // a duplicate does not count
        }

        var after = await StatusAsync();

        Assert.Equal(before.GetProperty("mailboxes").GetInt64() + 3, after.GetProperty("mailboxes").GetInt64());
        Assert.Equal(before.GetProperty("liveMessages").GetInt64() + 12, after.GetProperty("liveMessages").GetInt64());
        Assert.Equal((32, 32), (after.GetProperty("nodes").GetInt32(), after.GetProperty("activeNodes").GetInt32()));
        Assert.Equal("19.4", after.GetProperty("hardFork").GetString());
        Assert.Equal(32, after.GetProperty("swarms").EnumerateArray().Sum(swarm => swarm.GetProperty("members").GetInt32()));
        Assert.InRange(after.GetProperty("height").GetInt64(), before.GetProperty("height").GetInt64(), long.MaxValue);
    }

    [Fact]
    public async Task Status_ForPeople_NamesTheNetwork()
    {
        var result = await TestnetProcess.RunAsync($"status --data \"{_network.Process.Directory}\"");

        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Contains("32 active of 32", result.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/health/live")]
    [InlineData("/health/startup")]
    [InlineData("/health/ready")]
    public async Task Health_NeedsNoToken(string path) =>
        Assert.Equal(200, (await _network.SendAsync(HttpMethod.Get, new(_network.Process.Admin, path))).Status);

    [Fact]
    public async Task Admin_WithoutTheToken_Is401()
    {
        var file = _network.Process.Description.GetProperty("adminTokenFile").GetString()!;
        var token = (await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken)).Trim();
        var url = new Uri(_network.Process.Admin, "/v1/status");
        AuthenticationHeaderValue?[] wrong =
        [
            null, new("Bearer"), new("Bearer", token[..^1]), new("Bearer", token + "0"), new("Bearer", new string('0', token.Length)), new("Basic", token),
        ];
        foreach (var header in wrong)
        {
            var reply = await _network.SendAsync(HttpMethod.Get, url, change: request => request.Headers.Authorization = header);
            Assert.Equal(401, reply.Status);
            Assert.DoesNotContain(token, reply.Text, StringComparison.Ordinal);
        }

        var allowed = await _network.SendAsync(HttpMethod.Get, url, change: request => request.Headers.Authorization = new("Bearer", token));
        Assert.Equal((200, "application/json; charset=utf-8"), (allowed.Status, allowed.Header("Content-Type")));
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
    }

    [Fact]
    public async Task Admin_UnknownPath_Is404() =>
        Assert.Equal(404, (await _network.SendAsync(HttpMethod.Get, new(_network.Process.Admin, "/nothing"))).Status);

    [Fact]
    public async Task Up_OnADirectoryInUse_FailsAndLeavesTheOtherAlone()
    {
        var result = await TestnetProcess.RunAsync(TestnetProcess.UpArguments(_network.Process.Directory, Ports.Find(32 + TestnetProcess.OtherPorts)));

        UpFailureTests.AssertFailed(result, "in use");
        Assert.True(File.Exists(_network.Process.DescriptionFile));
        Assert.Equal(200, (await _network.RpcAsync(_network.Nodes[0], """{"method":"info","params":{}}""")).Status);
    }

    private async Task<JsonElement> StatusAsync()
    {
        var result = await TestnetProcess.RunAsync($"status --output json --data \"{_network.Process.Directory}\"");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        return JsonElement.Parse(result.Output);
    }

    /// <summary>The text without the line breaks that fit it to a terminal.</summary>
    private static string Flat(string output) => Regex.Replace(output, @"\s+", " ");

    [GeneratedRegex(@"^testnet ready: seed=https://127\.0\.0\.1:(?<seed>\d+) nodes=32 swarms=4 admin=http://127\.0\.0\.1:(?<admin>\d+)$")]
    private static partial Regex ReadyLine();
}
