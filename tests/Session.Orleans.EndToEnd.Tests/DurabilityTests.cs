using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>A message that was acknowledged is never lost, however the process ends.</summary>
public sealed class DurabilityTests
{
    private const int Nodes = 16;

    private static readonly short[] Namespaces = [0, 2, -10];

    [Fact]
    public Task Store_AfterKill9_IsStillThere() => StoreKillAndReadAsync(redis: null);

    [Fact]
    public async Task Store_AfterKill9WithRedis_IsStillThere()
    {
        using var redis = await RedisServer.StartAsync();
        await StoreKillAndReadAsync(redis);
    }

    [Fact]
    public Task StoresInFlight_WhenKilled_AreThereIfAcknowledgedAndNeverTwice() => KillInFlightAsync(redis: null);

    [Fact]
    public async Task StoresInFlight_WhenKilledWithRedis_AreThereIfAcknowledgedAndNeverTwice()
    {
        using var redis = await RedisServer.StartAsync();
        await KillInFlightAsync(redis);
    }

    [Fact]
    public async Task Restart_OnOtherPortsAfterKill9_FindsItsData()
    {
        using var folder = new TemporaryFolder();
        var account = new TestAccount();
        await using (var process = await TestnetProcess.StartAsync(folder.Path, nodes: 3))
        {
            using var network = new TestNetwork(process);
            Assert.Equal(200, (await network.RpcAsync(network.Nodes[0], account.Store("moved"u8.ToArray()))).Status);
            await process.KillAsync();
        }

        await using var again = await TestnetProcess.StartAsync(folder.Path, nodes: 3);
        using var moved = new TestNetwork(again);
        var reply = await moved.RpcAsync(moved.Nodes[2], account.Retrieve());
        Assert.Equal("moved"u8, Assert.Single(reply.Json.GetProperty("messages").EnumerateArray()).GetProperty("data").GetBytesFromBase64());
    }

    private static async Task StoreKillAndReadAsync(RedisServer? redis)
    {
        using var folder = new TemporaryFolder();
        var options = redis is null ? "" : $"--redis {redis.ConnectionString}";
        var mailboxes = Enumerable.Range(0, 6).SelectMany(_ => Namespaces.Select(@namespace => new Mailbox(new TestAccount(), @namespace))).ToArray();
        int ports;
        await using (var process = await TestnetProcess.StartAsync(folder.Path, options, Nodes))
        {
            ports = process.FirstPort;
            using var network = new TestNetwork(process);
            // Mailboxes at the same time, messages of one mailbox one after another and by changing members: their order is known.
            await Task.WhenAll(mailboxes.Select(async mailbox =>
            {
                var swarm = await network.SwarmOfAsync(mailbox.Account.Id);
                for (var i = 0; i < 15; i++)
                {
                    var request = mailbox.Request(i, i == 7 ? 70_000 : 20 + i);
                    var reply = await network.RpcAsync(swarm[i % swarm.Length], request);
                    Assert.True(reply.Status == 200 && reply.Json.TryGetProperty("hash", out var hash) && hash.GetString() == request.ComputeHash().ToString(), reply.Text);
                    mailbox.Acknowledged.Enqueue(request);
                }
            }));
            await process.KillAsync();
        }

        if (redis is not null)
            await redis.KillAndStartAgainAsync();
        await using var restarted = await TestnetProcess.StartAsync(folder.Path, options, Nodes, firstPort: ports);
        using var same = new TestNetwork(restarted);
        foreach (var mailbox in mailboxes)
        {
            var swarm = await same.SwarmOfAsync(mailbox.Account.Id);
            var stored = await mailbox.ReadAsync(same, swarm[^1]);
            Assert.Equal(mailbox.Acknowledged.Select(Mailbox.Describe), stored);

            // Storing one again is noticed, and moves nothing.
            var again = await same.RpcAsync(swarm[0], mailbox.Acknowledged.First());
            Assert.Contains("\"already\":true", again.Text, StringComparison.Ordinal);
            Assert.Equal(stored, await mailbox.ReadAsync(same, swarm[0]));
        }

        Assert.Equal(0, (await restarted.StopAsync()).ExitCode);
        restarted.AssertNoErrors();
    }

    private static async Task KillInFlightAsync(RedisServer? redis)
    {
        using var folder = new TemporaryFolder();
        var options = redis is null ? "" : $"--redis {redis.ConnectionString}";
        var mailboxes = Enumerable.Range(0, 4).Select(i => new Mailbox(new TestAccount(), Namespaces[i % Namespaces.Length])).ToArray();
        int ports;
        await using (var process = await TestnetProcess.StartAsync(folder.Path, options, Nodes))
        {
            ports = process.FirstPort;
            using var network = new TestNetwork(process);
            var enough = new TaskCompletionSource();
            // Several writers per mailbox, so that at any moment stores of one mailbox overlap.
            var writers = mailboxes.SelectMany(mailbox => Enumerable.Range(0, 4).Select(writer => Task.Run(async () =>
            {
                var swarm = await network.SwarmOfAsync(mailbox.Account.Id);
                for (var i = 0; ; i++)
                {
                    var request = mailbox.Request((writer * 100_000) + i, 200);
                    mailbox.Attempted.Enqueue(request);
                    try
                    {
                        var reply = await network.RpcAsync(swarm[i % swarm.Length], request);
                        Assert.True(reply.Status == 200 && reply.Json.TryGetProperty("hash", out _), reply.Text);
                    }
                    catch (Exception exception) when (exception is HttpRequestException or IOException)
                    {
                        return; // the network is gone
                    }

                    mailbox.Acknowledged.Enqueue(request);
                    if (mailboxes.All(each => each.Acknowledged.Count >= 60))
                        enough.TrySetResult();
                }
            }))).ToArray();
            var all = Task.WhenAll(writers);
            Assert.Same(enough.Task, await Task.WhenAny(enough.Task, all, Task.Delay(TimeSpan.FromSeconds(30))));
            await process.KillAsync();
            await all.WaitAsync(TimeSpan.FromSeconds(30));
        }

        if (redis is not null)
            await redis.KillAndStartAgainAsync();
        await using var restarted = await TestnetProcess.StartAsync(folder.Path, options, Nodes, firstPort: ports);
        using var same = new TestNetwork(restarted);
        foreach (var mailbox in mailboxes)
        {
            var member = await same.MemberForAsync(mailbox.Account.Id);
            var stored = await mailbox.ReadAsync(same, member);
            Assert.Equal(stored.Length, stored.Distinct().Count());
            Assert.Empty(mailbox.Acknowledged.Select(Mailbox.Describe).Except(stored));
            Assert.Empty(stored.Except(mailbox.Attempted.Select(Mailbox.Describe)));

            // A client that got no answer asks again: known or not, there is one afterwards.
            foreach (var request in mailbox.Attempted)
            {
                var known = stored.Contains(Mailbox.Describe(request));
                var reply = await same.RpcAsync(member, request);
                Assert.Equal((200, known), (reply.Status, reply.Text.Contains("\"already\":true", StringComparison.Ordinal)));
            }

            Assert.Equal(mailbox.Attempted.Select(Mailbox.Describe).Order(StringComparer.Ordinal), (await mailbox.ReadAsync(same, member)).Order(StringComparer.Ordinal));
        }
    }

    /// <summary>One namespace of an account, and what it should hold.</summary>
    private sealed class Mailbox(TestAccount account, short @namespace)
    {
        private readonly long _start = TestNetwork.Now;

        public TestAccount Account => account;

        public ConcurrentQueue<StoreRequest> Attempted { get; } = new();

        public ConcurrentQueue<StoreRequest> Acknowledged { get; } = new();

        public static string Describe(StoreRequest request) =>
            Describe(request.ComputeHash().ToString(), request.Timestamp, request.Expiry, request.Data.Span);

        public StoreRequest Request(int number, int length)
        {
            var data = new byte[length];
            new Random(number).NextBytes(data);
            BitConverter.TryWriteBytes(data, number);
            // The timestamps fall while the numbers rise: the order of a mailbox is that of arrival.
            return @namespace % 10 == 0
                ? account.Store(data, timestamp: _start - number) with { Namespace = @namespace }
                : account.Store(data, @namespace);
        }

        public async Task<string[]> ReadAsync(TestNetwork network, Snode node)
        {
            var all = new List<string>();
            MessageHash? last = null;
            while (true)
            {
                var reply = await network.RpcAsync(node, account.Retrieve(@namespace, last, maxCount: 10));
                Assert.Equal(200, reply.Status);
                var messages = reply.Json.GetProperty("messages").EnumerateArray().ToArray();
                foreach (var message in messages)
                {
                    all.Add(Describe(message.GetProperty("hash").GetString()!, message.GetProperty("timestamp").GetInt64(),
                        message.GetProperty("expiration").GetInt64(), message.GetProperty("data").GetBytesFromBase64()));
                }

                if (!reply.Json.GetProperty("more").GetBoolean())
                    return [.. all];
                Assert.Equal(10, messages.Length);
                Assert.True(MessageHash.TryParse(Encoding.ASCII.GetBytes(messages[^1].GetProperty("hash").GetString()!), out var hash));
                last = hash;
            }
        }

        private static string Describe(string hash, long timestamp, long expiry, ReadOnlySpan<byte> data) =>
            string.Create(CultureInfo.InvariantCulture, $"{hash} {timestamp} {expiry} {data.Length} {Convert.ToHexStringLower(data[..Math.Min(data.Length, 16)])}");
    }
}
