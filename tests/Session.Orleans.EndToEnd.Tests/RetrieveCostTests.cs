using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>What a poll costs the store, as the store itself sees it.</summary>
public sealed class RetrieveCostTests
{
    private const int Stored = 60;

    [Fact]
    public async Task Retrieve_ReadsOnlyThePayloadsThatItReturns()
    {
        using var redis = await RedisServer.StartAsync();
        await using var process = await TestnetProcess.StartAsync(options: $"--redis {redis.ConnectionString}", nodes: 3);
        using var network = new TestNetwork(process);
        var account = new TestAccount();
        var node = network.Nodes[0];
        var hashes = new List<MessageHash>();
        for (var i = 0; i < Stored; i++)
        {
            var request = account.Store(BitConverter.GetBytes(i));
            Assert.Equal(200, (await network.RpcAsync(node, request)).Status);
            hashes.Add(request.ComputeHash());
        }

        await using var monitor = await RedisMonitor.StartAsync(redis.ConnectionString, account.Id.ToString());
        await AssertReadsAsync(await network.RpcAsync(node, account.Retrieve(maxCount: 7)), 7);
        await AssertReadsAsync(await network.RpcAsync(node, account.Retrieve(lastHash: hashes[49])), 10);
        await AssertReadsAsync(await network.RpcAsync(node, account.Retrieve(lastHash: hashes[^1])), 0);
        await AssertReadsAsync(await network.RpcAsync(node, account.Retrieve(5)), 0);
        await AssertReadsAsync(await network.RpcAsync(node, account.Retrieve(maxCount: 1, lastHash: hashes[20])), 1);
        await AssertReadsAsync(await network.RpcAsync(node, account.Retrieve()), Stored);

        async Task AssertReadsAsync(Reply reply, int expected)
        {
            Assert.Equal(expected, reply.Json.GetProperty("messages").GetArrayLength());
            Assert.Equal(expected, await monitor.TakePayloadReadsAsync());
        }
    }

    /// <summary>Watches the commands of a server for the payload keys of one account.</summary>
    private sealed class RedisMonitor : IAsyncDisposable
    {
        private readonly TcpClient _watching = new();
        private readonly TcpClient _marking = new();
        private readonly ConcurrentDictionary<string, TaskCompletionSource<int>> _marks = new();
        private readonly string _payloadKey;
        private Task _reading = Task.CompletedTask;
        private int _reads;
        private int _mark;

        private RedisMonitor(string account) => _payloadKey = $"{{{account}}}:m:";

        public static async Task<RedisMonitor> StartAsync(string address, string account)
        {
            var monitor = new RedisMonitor(account);
            var (host, port) = (address.Split(':')[0], int.Parse(address.Split(':')[1], CultureInfo.InvariantCulture));
            await monitor._watching.ConnectAsync(host, port);
            await monitor._marking.ConnectAsync(host, port);
            var reader = new StreamReader(monitor._watching.GetStream(), Encoding.Latin1);
            await monitor._watching.GetStream().WriteAsync("MONITOR\r\n"u8.ToArray());
            Assert.Equal("+OK", await reader.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(20)));
            monitor._reading = monitor.ReadAsync(reader);
            return monitor;
        }

        /// <summary>Number of payload keys in reading commands since the last call.</summary>
        public async Task<int> TakePayloadReadsAsync()
        {
            // A command of our own marks the point up to which the server has told everything.
            var mark = $"mark-{++_mark}";
            var reached = _marks[mark] = new(TaskCreationOptions.RunContinuationsAsynchronously);
            await _marking.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"ECHO {mark}\r\n"));
            return await reached.Task.WaitAsync(TimeSpan.FromSeconds(20));
        }

        public async ValueTask DisposeAsync()
        {
            _watching.Dispose();
            _marking.Dispose();
            await _reading;
        }

        private async Task ReadAsync(StreamReader reader)
        {
            try
            {
                while (await reader.ReadLineAsync() is { } line)
                {
                    var command = line[(line.IndexOf(']', StringComparison.Ordinal) + 1)..].TrimStart();
                    if (command.StartsWith("\"ECHO\"", StringComparison.OrdinalIgnoreCase))
                    {
                        if (_marks.TryRemove(command.Split('"')[3], out var mark))
                            mark.SetResult(Interlocked.Exchange(ref _reads, 0));
                    }
                    else if (command.StartsWith("\"MGET\"", StringComparison.OrdinalIgnoreCase) || command.StartsWith("\"GET\"", StringComparison.OrdinalIgnoreCase))
                    {
                        Interlocked.Add(ref _reads, command.Split(_payloadKey).Length - 1);
                    }
                }
            }
            catch (Exception exception) when (exception is IOException or ObjectDisposedException)
            {
                // the end of the test
            }
        }
    }
}
