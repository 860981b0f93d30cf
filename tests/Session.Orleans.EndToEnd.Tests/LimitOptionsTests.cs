using System.Text.Json.Nodes;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>Limits other than the protocol's, set by environment.</summary>
public sealed class LimitOptionsTests
{
    [Fact]
    public async Task Limits_AreWhatTheOperatorSays()
    {
        await using var process = await TestnetProcess.StartAsync(options: "--ephemeral --no-omq --public-ip 127.0.0.1", nodes: 12, environment: new Dictionary<string, string>
        {
            ["SESSION_Limits__RequestBytes"] = "2000",
            ["SESSION_Limits__MessageBytes"] = "10",
            ["SESSION_Limits__BatchRequests"] = "2",
            ["SESSION_Limits__Nesting"] = "2",
            ["SESSION_Limits__RevocationsPerRequest"] = "1",
            ["SESSION_Limits__RetrieveBytes"] = "1024",
            ["SESSION_Limits__BetweenNodesPerSecond"] = "1",
        });
        using var network = new TestNetwork(process);
        var account = Ed25519KeyPair.Generate().SessionId;
        var member = await network.MemberForAsync(account);

        Assert.Equal((413, "Request body too large"), await AskAsync(new string(' ', 2001)));
        Assert.Equal((400, "invalid request: Invalid batch request: subrequest limit exceeded"), await AskAsync(
            """{"method":"batch","params":{"requests":[{"method":"info","params":{}},{"method":"info","params":{}},{"method":"info","params":{}}]}}"""));
        Assert.Equal((400, "invalid request: Message body exceeds maximum allowed length of 10 bytes"), await AskAsync(Store(11)));
        Assert.Equal(200, (await AskAsync(Nested(2))).Status);
        Assert.Equal((400, "invalid request: Invalid ifelse request: nested too deeply"), await AskAsync(Nested(3)));
        Assert.Equal(400, (await AskAsync(
            $$"""{"method":"revoke_subaccount","params":{"pubkey":"03{{new string('0', 64)}}","timestamp":{{TestNetwork.Now}},"signature":"{{new string('A', 86)}}","revoke":["{{new string('A', 48)}}","{{new string('B', 48)}}"] } }""")).Status);

        // The second store within a second finds the other members' allowance used up.
        Assert.Equal(200, (await AskAsync(Store(10))).Status);
        var replies = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => network.RpcAsync(member, Store(9))));
        Assert.Contains(replies, reply => reply.Json.GetProperty("swarm").EnumerateObject().Any(entry =>
            entry.Value.TryGetProperty("code", out var code) && code.GetString() == "429"
            && entry.Value.GetProperty("reason").GetString() == "Too Many Requests\n"));

        async Task<(int Status, string Text)> AskAsync(string json)
        {
            var reply = await network.RpcAsync(member, json);
            return (reply.Status, reply.Text);
        }

        string Store(int length) => new JsonObject
        {
            ["method"] = "store",
            ["params"] = new JsonObject
            {
                ["pubkey"] = account.ToString(), ["timestamp"] = TestNetwork.Now, ["ttl"] = 60_000,
                ["data"] = Convert.ToBase64String(Random.Shared.GetItems<byte>([1, 2, 3, 4, 5, 6, 7], length)),
            },
        }.ToJsonString();

        static string Nested(int depth)
        {
            var request = """{"method":"info","params":{}}""";
            for (var i = 0; i < depth; i++)
                request = """{"method":"ifelse","params":{"if":{"height_at_least":0},"then":""" + request + "}}";
            return request;
        }
    }
}
