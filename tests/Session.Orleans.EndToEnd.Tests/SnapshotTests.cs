using System.Text;
using System.Text.Json;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary><c>snapshot save</c> and <c>restore</c> on real processes.</summary>
public sealed class SnapshotTests
{
    private const int Nodes = 8;
    private const string Secret = "--network-secret \"the secret of a snapshot\"";

    [Fact]
    public async Task Network_MovesToAnotherProcess_WithKeysHeightLedgerAndMessages()
    {
        using var folder = new TemporaryFolder();
        var file = folder.File("network.snapshot");
        var account = new TestAccount();
        JsonElement saved, chain;
        string[] keys;
        await using (var process = await TestnetProcess.StartAsync(options: $"--ephemeral --block-time 3600 {Secret}", nodes: Nodes))
        {
            using var network = new TestNetwork(process);
            keys = [.. network.Nodes.Select(node => node.Ed25519.ToString())];
            await StoreAsync(network, account, "first");
            await StoreAsync(network, account, "second");
            await RunAsync(process, "nodes remove 5");
            await RunAsync(process, "nodes label eu 1-3");
            await RunAsync(process, "chain step 10");
            await RunAsync(process, $"names buy alice {account.Id}");
            saved = JsonElement.Parse(await RunAsync(process, $"snapshot save \"{file}\" --output json"));
            Assert.Equal((7, 2, 1), (saved.GetProperty("nodes").GetInt32(), saved.GetProperty("messages").GetInt32(), saved.GetProperty("mailboxes").GetInt32()));
            chain = JsonElement.Parse(await RunAsync(process, "chain show --output json"));
        }

        Assert.False(File.Exists(file + ".part"));
        await using var other = await TestnetProcess.StartAsync(options: $"--ephemeral --block-time 3600 {Secret}", nodes: Nodes);
        using var moved = new TestNetwork(other);
        var stranger = new TestAccount();
        await StoreAsync(moved, stranger, "of the other network");
        await RunAsync(other, $"names buy alice {stranger.Id}");
        await RunAsync(other, $"names buy mallory {stranger.Id}");
        Assert.Equal(["of the other network"], await TextsAsync(moved, stranger));

        Assert.Equal(saved.GetRawText(), JsonElement.Parse(await RunAsync(other, $"snapshot restore \"{file}\" --output json")).GetRawText());

        Assert.Equal(["first", "second"], await TextsAsync(moved, account));
        Assert.Empty(await TextsAsync(moved, stranger));
        Assert.Equal(account.Id.ToString(), (await RunAsync(other, "names resolve alice")).Trim());
        UpFailureTests.AssertFailed(await TestnetProcess.RunAsync($"names resolve mallory --data \"{other.Directory}\""), "Nobody has");
        Assert.Equal(chain.GetRawText(), JsonElement.Parse(await RunAsync(other, "chain show --output json")).GetRawText());
        var nodes = JsonElement.Parse(await RunAsync(other, "nodes list --output json")).EnumerateArray().ToArray();
        Assert.Equal(keys.Where((_, index) => index != 5), nodes.Select(node => node.GetProperty("ed25519").GetString()));
        Assert.Equal([1, 2, 3], nodes.Where(node => node.GetProperty("labels").GetArrayLength() > 0).Select(node => node.GetProperty("index").GetInt32()));
    }

    [Fact]
    public async Task FileThatDoesNotFit_IsRefusedAndNothingChanges()
    {
        using var folder = new TemporaryFolder();
        await using var process = await TestnetProcess.StartAsync(options: $"--ephemeral {Secret}", nodes: 3);
        using var network = new TestNetwork(process);
        var account = new TestAccount();
        await StoreAsync(network, account, "saved");
        var file = folder.File("good");
        await RunAsync(process, $"snapshot save \"{file}\"");
        await StoreAsync(network, account, "later");

        var bytes = await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken);
        await File.WriteAllBytesAsync(folder.File("cut"), bytes[..^40], TestContext.Current.CancellationToken);
        var changed = bytes.ToArray();
        changed[bytes.Length / 2] ^= 1;
        await File.WriteAllBytesAsync(folder.File("changed"), changed, TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(folder.File("other"), "name: not a snapshot", TestContext.Current.CancellationToken);
        foreach (var (name, reason) in ((string, string)[])[("cut", "it ends early"), ("changed", "checksum is wrong"), ("other", "not a snapshot"), ("missing", "missing")])
        {
            // The command looks itself, and the network does, for those who come without the command.
            UpFailureTests.AssertFailed(await TestnetProcess.RunAsync($"snapshot restore \"{folder.File(name)}\" --data \"{process.Directory}\""), reason);
            if (!File.Exists(folder.File(name)))
                continue;
            var reply = await PutAsync(process, network, await File.ReadAllBytesAsync(folder.File(name), TestContext.Current.CancellationToken));
            Assert.Equal((400, "application/problem+json"), (reply.Status, reply.Header("Content-Type")));
            Assert.Contains(reason, reply.Json.GetProperty("detail").GetString()!, StringComparison.Ordinal);
        }

        Assert.Equal(["saved", "later"], await TextsAsync(network, account));

        // Another network's nodes have other keys.
        await using var stranger = await TestnetProcess.StartAsync(options: "--ephemeral", nodes: 3);
        var refused = await TestnetProcess.RunAsync($"snapshot restore \"{file}\" --data \"{stranger.Directory}\"");
        UpFailureTests.AssertFailed(refused, "another network secret");

        // The good one is none the worse for it, also without the command.
        Assert.Equal(200, (await PutAsync(process, network, bytes)).Status);
        Assert.Equal(["saved"], await TextsAsync(network, account));
        process.AssertNoErrors();
    }

    [Fact]
    public async Task Restored_SurvivesARestart()
    {
        using var folder = new TemporaryFolder();
        using var data = new TemporaryFolder();
        var file = folder.File("snapshot");
        var account = new TestAccount();
        await using (var process = await TestnetProcess.StartAsync(data.Path, "--block-time 3600", nodes: 4))
        {
            using var network = new TestNetwork(process);
            await StoreAsync(network, account, "kept");
            await RunAsync(process, "nodes remove 3");
            await RunAsync(process, $"snapshot save \"{file}\"");
            await StoreAsync(network, account, "not kept");
            await RunAsync(process, "nodes add");
            await RunAsync(process, $"snapshot restore \"{file}\"");
            await process.KillAsync();
        }

        await using var again = await TestnetProcess.StartAsync(data.Path, "--block-time 3600", nodes: 4);
        using var same = new TestNetwork(again);
        Assert.Equal(["kept"], await TextsAsync(same, account));
        Assert.Equal([0, 1, 2], same.Nodes.Select(node => node.Index));
    }

    private static async Task<string> RunAsync(TestnetProcess process, string command)
    {
        var result = await TestnetProcess.RunAsync($"{command} --data \"{process.Directory}\"");
        Assert.True(result is { ExitCode: 0, Error: "" }, $"{command}: {result}");
        return result.Output;
    }

    private static async Task<Reply> PutAsync(TestnetProcess process, TestNetwork network, byte[] body)
    {
        var token = await File.ReadAllTextAsync(process.Description.GetProperty("adminTokenFile").GetString()!, TestContext.Current.CancellationToken);
        return await network.SendAsync(HttpMethod.Put, new(process.Admin, "/v1/snapshot"), body, change: request =>
        {
            request.Headers.Authorization = new("Bearer", token.Trim());
            request.Content!.Headers.ContentType = new("application/octet-stream");
        });
    }

    private static async Task StoreAsync(TestNetwork network, TestAccount account, string text) => Assert.Equal(
        200, (await network.RpcAsync(await network.MemberForAsync(account.Id), account.Store(Encoding.UTF8.GetBytes(text)))).Status);

    private static async Task<string[]> TextsAsync(TestNetwork network, TestAccount account)
    {
        var reply = await network.RpcAsync(await network.MemberForAsync(account.Id), account.Retrieve());
        Assert.Equal(200, reply.Status);
        return [.. reply.Json.GetProperty("messages").EnumerateArray().Select(message => Encoding.UTF8.GetString(message.GetProperty("data").GetBytesFromBase64()))];
    }
}
