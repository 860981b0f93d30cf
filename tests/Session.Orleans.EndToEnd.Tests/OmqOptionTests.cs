using System.Net.Sockets;
using System.Text;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>Networks whose OxenMQ is set up in another way than by default.</summary>
public sealed class OmqOptionTests
{
    [Fact]
    public async Task RateLimit_IsTheOneOfHttp()
    {
        using var network = await TestNetwork.StartAsync(nodes: 3, environment: new Dictionary<string, string>
        {
            ["SESSION_RateLimit__Burst"] = "4",
            ["SESSION_RateLimit__PerSecond"] = "1",
            ["SESSION_RateLimit__Exempt__0"] = "10.0.0.0/8",
        });
        await using var process = network.Process;
        using var client = new OmqClient(network.Nodes[0]);

        var replies = Enumerable.Range(0, 60).Select(_ => client.Request("storage.info", "de"u8.ToArray())).ToArray();
        Assert.All(replies[..4], reply => Assert.Single(reply));
        Assert.Contains(replies, reply => reply.Length == 2
            && (Encoding.ASCII.GetString(reply[0]), Encoding.ASCII.GetString(reply[1])) == ("429", "Too many requests, try again later"));
        Assert.Equal("pong"u8, client.Request("sn.ping")[0]);   // only storage requests are limited
    }

    [Fact]
    public async Task NoOmq_OpensNoPorts()
    {
        using var network = await TestNetwork.StartAsync(nodes: 3, options: "--no-omq");
        await using var process = network.Process;
        foreach (var node in network.Nodes)
        {
            Assert.Null(node.OmqUrl);
            using var socket = new TcpClient();
            await Assert.ThrowsAnyAsync<SocketException>(() => socket.ConnectAsync("127.0.0.1", node.Url.Port + 500, TestContext.Current.CancellationToken).AsTask());
        }
    }
}
