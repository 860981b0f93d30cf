using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using RESPite.Transports;
using Session.Orleans.EmbeddedStore;
using StackExchange.Redis;
using StackExchange.Redis.Configuration;
using Store = Session.Orleans.EmbeddedStore.EmbeddedStore;

#pragma warning disable SER009 // the transport is what these tests are about

namespace Session.Orleans.Storage.Tests.Embedded;

public sealed class InProcessTransportTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("transport-tests-").FullName;

    public enum Mode
    {
        Memory,
        Durable,
        DurableOnDisk,
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task Commands_SplitAnywhere_AnswerTheSame()
    {
        await using var store = Store.Start();
        var commands = Encoding.ASCII.GetBytes(string.Concat(
            Command("FLUSHALL"), Command("SET", "key", "value"), Command("MULTI"), Command("INCR", "number"), Command("GET", "key"),
            Command("EXEC"), Command("EVAL", "return {redis.call('INCRBY', KEYS[1], ARGV[1]), KEYS[1]}", "1", "number", "41"), Command("NOPE"),
            Command("HSET", "hash", "field", new string('x', 300)), Command("HGETALL", "hash")));
        const string Expected =
            "+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n$5\r\nvalue\r\n*2\r\n:42\r\n$6\r\nnumber\r\n-ERR unknown command\r\n:1\r\n";

        for (var split = 0; split <= commands.Length; split++)
        {
            var (transport, receiver) = await OpenAsync(store);
            await using (transport)
            {
                Write(transport, commands.AsSpan(0, split));
                Write(transport, commands.AsSpan(split));
                await receiver.UntilAsync(Expected.Length + 300);
                Assert.StartsWith(Expected, receiver.Text, StringComparison.Ordinal);
            }
        }

        var (bytewise, replies) = await OpenAsync(store);
        await using (bytewise)
        {
            foreach (var one in commands)
                Write(bytewise, [one]);
            await replies.UntilAsync(Expected.Length + 300);
            Assert.StartsWith(Expected, replies.Text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Commands_ManyInOneWrite_AreAnsweredInOrder()
    {
        const int Count = 20_000;
        await using var store = Store.Start();
        var (transport, receiver) = await OpenAsync(store);
        await using (transport)
        {
            var expected = new StringBuilder();
            for (var i = 1; i <= Count; i++)
            {
                transport.Write(Encoding.ASCII.GetBytes(Command("INCR", "number")));
                expected.Append(CultureInfo.InvariantCulture, $":{i}\r\n");
            }

            transport.Flush();
            await receiver.UntilAsync(expected.Length);
            Assert.Equal(expected.ToString(), receiver.Text);
        }
    }

    [Fact]
    public async Task Command_Malformed_IsAnsweredAndEndsTheConnection()
    {
        await using var store = Store.Start();
        var (transport, receiver) = await OpenAsync(store);
        await using (transport)
        {
            Write(transport, "*1\r\n$nonsense\r\n"u8);
            await receiver.Closed.WaitAsync(Cancel);
            Assert.StartsWith("-ERR Protocol Error", receiver.Text, StringComparison.Ordinal);
        }
    }

    [Theory, InlineData(Mode.Memory), InlineData(Mode.Durable), InlineData(Mode.DurableOnDisk)]
    public async Task Writers_SixtyFour_LoseNothing(Mode mode)
    {
        const int Writers = 64, Each = 200;
        await using var store = Store.Start(Options(mode));
        await using var connection = await ConnectionMultiplexer.ConnectAsync(store.Configure());
        await using var other = await ConnectionMultiplexer.ConnectAsync(store.Configure());
        var numbers = await Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => Task.Run(async () =>
        {
            var database = (writer % 4 == 0 ? other : connection).GetDatabase();
            var seen = new long[Each];
            for (var i = 0; i < Each; i++)
                seen[i] = (long)await database.ScriptEvaluateAsync("return redis.call('INCR', KEYS[1])", ["number"]);
            return seen;
        })));

        Assert.Equal(Enumerable.Range(1, Writers * Each).Select(static i => (long)i), numbers.SelectMany(static seen => seen).Order());
        Assert.All(numbers, static seen => Assert.Equal(seen.Order(), seen));
    }

    [Theory, InlineData(Mode.Memory), InlineData(Mode.Durable), InlineData(Mode.DurableOnDisk)]
    public async Task Values_LargeAndMany_RoundTrip(Mode mode)
    {
        const int Count = 300, Size = 76_800;
        await using var store = Store.Start(Options(mode));
        await using var connection = await ConnectionMultiplexer.ConnectAsync(store.Configure());
        var database = connection.GetDatabase();
        var values = Enumerable.Range(0, Count).Select(static _ => RandomNumberGenerator.GetBytes(Size)).ToArray();

        await Task.WhenAll(values.Select((value, i) => database.StringSetAsync($"key{i}", value)));
        var read = await database.StringGetAsync([.. Enumerable.Range(0, Count).Select(static i => (RedisKey)$"key{i}")]);

        for (var i = 0; i < Count; i++)
            Assert.Equal(values[i], (byte[]?)read[i]);
    }

    [Fact]
    public async Task Reply_ToOneCommandAtATime_IsThereWhenTheCallReturns()
    {
        await using var store = Store.Start();
        await using var connection = await ConnectionMultiplexer.ConnectAsync(store.Configure());
        var database = connection.GetDatabase();
        await database.ScriptEvaluateAsync("return 1");

        // The client's own heartbeat may be in the way of one, not of all.
        Assert.Contains(Enumerable.Range(0, 10), _ => database.ScriptEvaluateAsync("return 1").IsCompletedSuccessfully);
    }

    [Fact]
    public async Task BlockingCalls_Return()
    {
        await using var store = Store.Start();
        await using var connection = await ConnectionMultiplexer.ConnectAsync(store.Configure());
        var database = connection.GetDatabase();
        for (var i = 0; i < 100; i++)
        {
            Assert.True(database.StringSet("key", i));
            Assert.Equal(i, (int)database.StringGet("key"));
            Assert.Equal(i, (int)database.ScriptEvaluate("return tonumber(redis.call('GET', KEYS[1]))", ["key"]));
            Assert.True(database.KeyExists("key"));
        }
    }

    [Fact]
    public async Task Transactions_WithConditions_AreExactAndPrompt()
    {
        const int Writers = 4, Each = 50;
        await using var store = Store.Start();
        var clock = Stopwatch.StartNew();
        var won = await Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => Task.Run(async () =>
        {
            await using var connection = await ConnectionMultiplexer.ConnectAsync(store.Configure());
            var database = connection.GetDatabase();
            var wins = 0;
            while (wins < Each)
            {
                var before = await database.HashGetAsync("row", "version");
                var transaction = database.CreateTransaction();
                transaction.AddCondition(before.IsNull ? Condition.HashNotExists("row", "version") : Condition.HashEqual("row", "version", before));
                _ = transaction.HashSetAsync("row", "version", (long)before + 1);
                if (await transaction.ExecuteAsync())
                    wins++;
            }

            return wins;
        })));

        await using var reader = await ConnectionMultiplexer.ConnectAsync(store.Configure());
        Assert.Equal(won.Sum(), (int)await reader.GetDatabase().HashGetAsync("row", "version"));
        // A missed pulse costs the client's timeout of five seconds each time.
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 20);
    }

    [Theory, InlineData(Mode.Memory), InlineData(Mode.Durable), InlineData(Mode.DurableOnDisk)]
    public async Task Dispose_CommandsInFlight_EndsThemAll(Mode mode)
    {
        var store = Store.Start(Options(mode));
        var configuration = store.Configure();
        (configuration.AsyncTimeout, configuration.ConnectTimeout, configuration.ConnectRetry) = (2_000, 500, 1);
        await using var connection = await ConnectionMultiplexer.ConnectAsync(configuration);
        var database = connection.GetDatabase();
        var answered = 0;
        var writers = Enumerable.Range(0, 16).Select(writer => Task.Run(async () =>
        {
            try
            {
                for (var i = 0; ; i++)
                {
                    await database.StringSetAsync($"key{writer}:{i}", new byte[1_000]);
                    Interlocked.Increment(ref answered);
                }
            }
            catch (RedisException)
            {
                // what a caller is told, and may answer by trying again
            }
            catch (RedisTimeoutException)
            {
                // likewise
            }
        })).ToArray();
        await Waiting.UntilAsync("answers", () => Task.FromResult(Volatile.Read(ref answered)), static count => count > 200);

        await store.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(10), Cancel);

        await Task.WhenAll(writers).WaitAsync(TimeSpan.FromSeconds(20), Cancel);
        await Assert.ThrowsAnyAsync<Exception>(() => ConnectionMultiplexer.ConnectAsync(configuration));
    }

    [Fact]
    public async Task Client_Disposed_LeavesTheStoreToOthers()
    {
        await using var store = Store.Start();
        await using var stays = await ConnectionMultiplexer.ConnectAsync(Admin(store));
        for (var i = 0; i < 20; i++)
        {
            var leaves = await ConnectionMultiplexer.ConnectAsync(store.Configure());
            var pending = Task.WhenAll(Enumerable.Range(0, 50).Select(number => leaves.GetDatabase().StringSetAsync($"key{number}", number)));
            await leaves.DisposeAsync();
            await Task.WhenAny(pending, Task.Delay(TimeSpan.FromSeconds(10), Cancel));
            Assert.True(pending.IsCompleted);
        }

        await stays.GetDatabase().StringSetAsync("key", "value");
        Assert.Equal("value", (string?)await stays.GetDatabase().StringGetAsync("key"));
        await Waiting.UntilAsync(
            "the connections to close",
            async () => ((string)(await stays.GetDatabase().ExecuteAsync("CLIENT", "LIST"))!).Split('\n', StringSplitOptions.RemoveEmptyEntries).Length,
            static count => count == 1);
    }

    [Fact]
    public async Task Connection_KilledByTheServer_IsMadeAnew()
    {
        await using var store = Store.Start();
        await using var victim = await ConnectionMultiplexer.ConnectAsync(Admin(store));
        await using var killer = await ConnectionMultiplexer.ConnectAsync(Admin(store));
        var id = (long)await victim.GetDatabase().ExecuteAsync("CLIENT", "ID");

        Assert.Equal(1, (int)await killer.GetDatabase().ExecuteAsync("CLIENT", "KILL", "ID", id));

        await Waiting.UntilAsync(
            "a new connection",
            async () =>
            {
                try
                {
                    return (long)await victim.GetDatabase().ExecuteAsync("CLIENT", "ID");
                }
                catch (RedisException)
                {
                    return id;
                }
            },
            now => now != id);
    }

    private static ConfigurationOptions Admin(Store store)
    {
        var configuration = store.Configure();
        configuration.AllowAdmin = true;
        return configuration;
    }

    private static string Command(params string[] parts) => string.Concat(
        [$"*{parts.Length}\r\n", .. parts.Select(static part => $"${part.Length}\r\n{part}\r\n")]);

    private static void Write(DuplexTransport transport, ReadOnlySpan<byte> bytes)
    {
        transport.Write(bytes);
        transport.Flush();
    }

    private static async Task<(DuplexTransport Transport, Receiver Receiver)> OpenAsync(Store store)
    {
        var configuration = store.Configure();
        var transport = await configuration.Tunnel!.ConnectTransportAsync(
            configuration.EndPoints[0], ConnectionType.Interactive, new TlsOptions(configuration), Cancel);
        var receiver = new Receiver();
        transport!.Start(receiver);
        return (transport, receiver);
    }

    private EmbeddedStoreOptions Options(Mode mode) =>
        new() { Directory = mode == Mode.Memory ? null : Path.Combine(_directory, "data"), FlushToDisk = mode == Mode.DurableOnDisk };

    private sealed class Receiver : TransportReceiver
    {
        private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly StringBuilder _text = new();

        public Task Closed => _closed.Task;

        public string Text
        {
            get
            {
                lock (_text)
                    return _text.ToString();
            }
        }

        public async Task UntilAsync(int length)
        {
            for (var clock = Stopwatch.StartNew(); Text.Length < length; await Task.Yield())
                Assert.True(clock.Elapsed.TotalSeconds < 30, $"Waited for {length} bytes of replies, got: {Text}");
        }

        public override bool OnReceived(ReadOnlySpan<byte> payload)
        {
            lock (_text)
                _text.Append(Encoding.Latin1.GetString(payload));
            return true;
        }

        public override void OnClosed(Exception? fault) => _closed.TrySetResult();
    }
}
