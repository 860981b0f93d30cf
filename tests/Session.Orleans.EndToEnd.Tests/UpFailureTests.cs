using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>Commands that can't be done: one clear line, a code, nothing lost.</summary>
public sealed class UpFailureTests
{
    [Theory]
    [InlineData("--nodes 0", "Nodes")]
    [InlineData("--nodes 501", "500")]
    [InlineData("--nodes many", "many")]
    [InlineData("--swarm-size 2", "SwarmSize")]
    [InlineData("--block-time 0", "BlockTime")]
    [InlineData("--hard-fork nineteen", "--hard-fork")]
    [InlineData("--public-ip here", "PublicIp")]
    [InlineData("--bind nowhere", "Bind")]
    [InlineData("--network-secret short", "16 characters")]
    [InlineData("--cert missing.pem", "only one")]
    [InlineData("--key missing.pem", "only one")]
    [InlineData("--cert missing.pem --key missing-key.pem", "missing.pem")]
    [InlineData("--redis 127.0.0.1:1", "127.0.0.1:1")]
    [InlineData("--frobnicate", "--frobnicate")]
    [InlineData("--log-level loud", "loud")]
    public async Task Up_WithAWrongOption_SaysWhatIsWrong(string options, string named)
    {
        using var folder = new TemporaryFolder();
        var first = Ports.Find(3 + TestnetProcess.OtherPorts);
        // Options given last win over the ones before only where they are different ones, so none is given twice.
        var common = $"up --data \"{folder.Path}\" --seed-port {first} --admin-port {first + 1} --silo-port {first + 2} --file-port {first + 3} --node-port-base {first + TestnetProcess.OtherPorts} "
            + (options.StartsWith("--nodes", StringComparison.Ordinal) ? "" : "--nodes 3 ");

        var result = await TestnetProcess.RunAsync(common + options);

        AssertFailed(result, named);
        Assert.False(File.Exists(folder.File("testnet.json")));
    }

    [Theory]
    [InlineData("demo", 3)]
    [InlineData("status", 3)]
    [InlineData("demo --seed nonsense", 2)]
    [InlineData("demo --seed https://127.0.0.1:1", 1)]
    [InlineData("fly", 2)]
    [InlineData("", 2)]
    public async Task Command_WithoutANetwork_SaysSo(string command, int exitCode)
    {
        using var folder = new TemporaryFolder();

        var result = await TestnetProcess.RunAsync(command is "demo" or "status" ? $"{command} --data \"{folder.Path}\"" : command);

        AssertFailed(result, "");
        Assert.Equal(exitCode, result.ExitCode);
    }

    [Fact]
    public async Task Status_AfterAKill_SaysThatNothingAnswers()
    {
        using var folder = new TemporaryFolder();
        // What a killed network leaves behind.
        await File.WriteAllTextAsync(folder.File("testnet.json"),
            $$"""{"seedUrl":"https://127.0.0.1:1","adminUrl":"http://127.0.0.1:1","adminTokenFile":{{JsonSerializer.Serialize(folder.File("admin.token"))}},"processId":1,"store":"embedded","hardFork":"19.4","swarmSize":7,"nodes":[],"swarms":[]}""",
            TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(folder.File("admin.token"), "token", TestContext.Current.CancellationToken);

        AssertFailed(await TestnetProcess.RunAsync($"status --data \"{folder.Path}\""), "127.0.0.1:1");
    }

    [Fact]
    public async Task Up_OnAPortThatIsTaken_SaysWhich()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0) { ExclusiveAddressUse = true };
        listener.Start();
        var taken = ((IPEndPoint)listener.LocalEndpoint).Port;
        foreach (var option in (string[])["--seed-port", "--admin-port", "--silo-port", "--file-port", "--node-port-base"])
        {
            using var folder = new TemporaryFolder();
            var first = Ports.Find(1 + TestnetProcess.OtherPorts);
            var ports = new Dictionary<string, int> { ["--seed-port"] = first, ["--admin-port"] = first + 1, ["--silo-port"] = first + 2, ["--file-port"] = first + 3, ["--node-port-base"] = first + TestnetProcess.OtherPorts, [option] = taken };
            var result = await TestnetProcess.RunAsync($"up --data \"{folder.Path}\" --nodes 1 {string.Join(' ', ports.Select(port => $"{port.Key} {port.Value}"))}");
            AssertFailed(result, taken.ToString(System.Globalization.CultureInfo.InvariantCulture));
        }
    }

    [Fact]
    public async Task Up_WithAnotherSecretOnOldData_RefusesAndLosesNothing()
    {
        using var folder = new TemporaryFolder();
        var account = new TestAccount();
        await using (var process = await TestnetProcess.StartAsync(folder.Path, nodes: 3))
        {
            using var network = new TestNetwork(process);
            Assert.Equal(200, (await network.RpcAsync(network.Nodes[0], account.Store("kept"u8.ToArray()))).Status);
            Assert.Equal(0, (await process.StopAsync()).ExitCode);
        }

        var result = await TestnetProcess.RunAsync(TestnetProcess.UpArguments(folder.Path, Ports.Find(3 + TestnetProcess.OtherPorts), 3) + " --network-secret \"another secret altogether\"");
        // The cluster has begun to run when it learns of it, and logs its end; the reason comes last.
        AssertFailed(result with { Error = result.Error.TrimEnd().Split('\n')[^1] }, "Network:Secret differs");
        Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);

        await using var again = await TestnetProcess.StartAsync(folder.Path, nodes: 3);
        using var same = new TestNetwork(again);
        var retrieved = await same.RpcAsync(same.Nodes[0], account.Retrieve());
        Assert.Equal("kept"u8, Assert.Single(retrieved.Json.GetProperty("messages").EnumerateArray()).GetProperty("data").GetBytesFromBase64());
    }

    /// <summary>A code, exactly one line on standard error, and no stack trace anywhere.</summary>
    internal static void AssertFailed(CommandResult result, string named)
    {
        var everything = $"exit code {result.ExitCode}\n--- output\n{result.Output}\n--- error\n{result.Error}";
        Assert.True(result.ExitCode is > 0 and < 128, everything);
        var line = result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        Assert.True(line.Length == 1, everything);
        Assert.True(line[0].Contains(named, StringComparison.Ordinal), everything);
        Assert.False(everything.Contains("   at ", StringComparison.Ordinal) || everything.Contains("Exception:", StringComparison.Ordinal), everything);
    }
}
