using System.Net.Http.Headers;
using System.Text.Json;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>Orders to nodes over the admin API, and what clients see of them.</summary>
public sealed class NodeOrderTests
{
    private const int Nodes = 10;

    [Fact]
    public async Task Nodes_AreAddedTakenOutAndRemoved_AndClientsSeeIt()
    {
        // Blocks of an hour: what happens here happens through orders.
        await using var process = await TestnetProcess.StartAsync(options: "--ephemeral --block-time 3600 --max-nodes 11 --no-omq", nodes: Nodes, firstPort: Ports.Find(11 + TestnetProcess.OtherPorts));
        using var network = new TestNetwork(process);
        using var http = new HttpClient { BaseAddress = process.Admin };
        var token = await File.ReadAllTextAsync(process.Description.GetProperty("adminTokenFile").GetString()!, TestContext.Current.CancellationToken);
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token.Trim());

        var added = await OrderAsync("/v1/nodes", """{"count":1}""");
        Assert.Equal("active", added.GetProperty("nodes")[0].GetProperty("state").GetString());
        Assert.Equal(Nodes, added.GetProperty("nodes")[0].GetProperty("index").GetInt32());
        var port = process.FirstPort + TestnetProcess.OtherPorts + Nodes;
        Assert.Equal(200, (await network.PostAsync(new Uri($"https://127.0.0.1:{port}/ping_test/v1"), [])).Status);

        // A port more there is not.
        Assert.Equal(400, await StatusAsync("/v1/nodes", """{"count":1}"""));
        Assert.Equal(404, await StatusAsync("/v1/nodes/99/decommission", ""));

        await OrderAsync("/v1/nodes/2/decommission", "");
        Assert.Equal(400, await StatusAsync("/v1/nodes/2/decommission", ""));
        var refused = await network.RpcAsync(network.Nodes[2], """{"method":"info","params":{}}""");
        Assert.Equal((503, "Service node is not ready: not in any swarm\n"), (refused.Status, refused.Text));
        await OrderAsync("/v1/nodes/2/recommission", "");
        Assert.Equal(200, (await network.RpcAsync(network.Nodes[2], """{"method":"info","params":{}}""")).Status);

        Assert.Equal(JsonValueKind.Null, (await OrderAsync("/v1/nodes/3/deregister", "")).GetProperty("nodes")[0].GetProperty("state").ValueKind);
        var onion = await network.RpcAsync(network.Nodes[0], """{"method":"oxend_request","params":{"endpoint":"get_service_nodes","params":{"active_only":true}}}""");
        var keys = onion.Json.GetProperty("result").GetProperty("service_node_states").EnumerateArray()
            .Select(node => node.GetProperty("pubkey_ed25519").GetString()).ToArray();
        Assert.Equal(Nodes, keys.Length);
        Assert.DoesNotContain(network.Nodes[3].Ed25519.ToString(), keys);

        var chain = JsonDocument.Parse(await http.GetStringAsync("/v1/chain", TestContext.Current.CancellationToken)).RootElement;
        Assert.Equal(
            chain.GetProperty("minted").GetInt64(),
            chain.GetProperty("balances").GetInt64() + chain.GetProperty("stakes").GetInt64() + chain.GetProperty("locked").GetInt64());
        Assert.True(chain.GetProperty("locked").GetInt64() > 0);

        // The same by command.
        async Task<string> CommandAsync(string arguments, int exitCode = 0)
        {
            var result = await TestnetProcess.RunAsync($"{arguments} --data \"{process.Directory}\"");
            Assert.True(result.ExitCode == exitCode, $"{arguments}: {result.ExitCode} {result.Output}{result.Error}");
            return result.Output + result.Error;
        }

        var height = chain.GetProperty("height").GetInt64();
        Assert.Equal($"node 3 is active since block {height + 1}\n", await CommandAsync("nodes add"));
        Assert.Equal($"node 4 is decommissioned since block {height + 2}\n", await CommandAsync("nodes decommission 4"));
        Assert.Contains("only an active node can be decommissioned", await CommandAsync("nodes decommission 4", exitCode: 1), StringComparison.Ordinal);
        Assert.Equal($"node 4 is gone since block {height + 3}\n", await CommandAsync("nodes remove 4"));
        await CommandAsync("chain step 7");
        var shown = JsonDocument.Parse(await CommandAsync("chain show --output json")).RootElement;
        Assert.Equal(height + 10, shown.GetProperty("height").GetInt64());
        Assert.Contains("paused", await CommandAsync("chain pause"), StringComparison.Ordinal);
        Assert.Contains("a block every 3600 s", await CommandAsync("chain resume"), StringComparison.Ordinal);
        Assert.Contains("1 to 10000", await CommandAsync("chain step 0", exitCode: 1), StringComparison.Ordinal);

        async Task<JsonElement> OrderAsync(string path, string body)
        {
            using var content = new StringContent(body, new MediaTypeHeaderValue("application/json"));
            using var response = await http.PostAsync(path, content, TestContext.Current.CancellationToken);
            var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
            Assert.True(response.IsSuccessStatusCode, $"{path}: {(int)response.StatusCode} {text}");
            return JsonDocument.Parse(text).RootElement.Clone();
        }

        async Task<int> StatusAsync(string path, string body)
        {
            using var content = new StringContent(body, new MediaTypeHeaderValue("application/json"));
            using var response = await http.PostAsync(path, content, TestContext.Current.CancellationToken);
            return (int)response.StatusCode;
        }
    }
}
