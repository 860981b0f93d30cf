using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Session.Orleans.EmbeddedStore;
using Session.Orleans.Protocol.Identity;
using StackExchange.Redis;
using StackExchange.Redis.Profiling;
using Store = Session.Orleans.EmbeddedStore.EmbeddedStore;

namespace Session.Orleans.Storage.Tests.Embedded;

public sealed class EmbeddedStoreTests : IDisposable
{
    private const string WriterDirectory = "STORAGE_TEST_WRITER_DIRECTORY";
    private const string WriterAcknowledgements = "STORAGE_TEST_WRITER_ACKNOWLEDGEMENTS";

    // The writer process is killed and could not clean up, so it gets no directory of its own.
    private readonly string _root = Environment.GetEnvironmentVariable(WriterDirectory)
        ?? Directory.CreateTempSubdirectory("embedded-tests-").FullName;

    private readonly string _directory;

    public EmbeddedStoreTests() => _directory = Path.Combine(_root, "data");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        if (Environment.GetEnvironmentVariable(WriterDirectory) is null)
            Directory.Delete(_root, recursive: true);
    }

    [Fact]
    public async Task Start_PortZero_ServesOnAFreeLoopbackPort()
    {
        await using var first = Store.Start(new EmbeddedStoreOptions { Port = 0 });
        await using var second = Store.Start(new EmbeddedStoreOptions { Port = 0 });

        Assert.NotEqual(first.EndPoint.Port, second.EndPoint.Port);
        Assert.Equal(IPAddress.Loopback, first.EndPoint.Address);
        await using var connection = await ConnectionMultiplexer.ConnectAsync(first.ConnectionString);
        await connection.GetDatabase().StringSetAsync("key", "value");
        Assert.Equal("value", (string?)await connection.GetDatabase().StringGetAsync("key"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Life_WithoutTrouble_LogsNoError(bool durable)
    {
        var log = new Lines();
        await using (var store = Store.Start(new EmbeddedStoreOptions { Directory = durable ? _directory : null, Port = 0 }, log))
        {
            await using var connection = await ConnectionMultiplexer.ConnectAsync(store.ConnectionString);
            var mailboxes = new RedisMailboxStore(connection, TimeProvider.System);
            await AppendAsync(mailboxes, AccountId.FromBytes(RandomNumberGenerator.GetBytes(AccountId.Length)), 1);
        }

        Assert.NotEmpty(log.All);
        Assert.DoesNotContain(log.All, static line => line.Level >= LogLevel.Error);
    }

    [Fact]
    public async Task Census_FindsEveryKey_OverSeveralConnections()
    {
        const int Keys = 5000;
        await using var store = Store.Start(new EmbeddedStoreOptions());
        await using var connection = await ConnectionMultiplexer.ConnectAsync(store.Configure());
        var database = connection.GetDatabase();
        await Task.WhenAll(Enumerable.Range(0, Keys).Select(i => database.StringSetAsync(string.Create(CultureInfo.InvariantCulture, $"name/{i}"), "x")));

        Assert.Equal(ProductVariant.Garnet, connection.GetServers().Single().GetProductVariant(out _)); // or the walk would not have connections of its own
        var walk = new KeyWalk(connection, store.Configure()) { GarnetPageSize = 100 };
        var census = new StoreCensus(connection, TimeProvider.System, "name/", walk);
        Assert.True(await census.CountAsync(TimeSpan.FromMinutes(1), Cancel));
        Assert.Equal((Keys, Keys + 1), (census.Latest!.Value.Names, census.Latest.Value.Keys)); // and who counts
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Value_OfTenMebibytes_RoundTrips(bool durable)
    {
        var data = RandomNumberGenerator.GetBytes(10 << 20);
        var options = new EmbeddedStoreOptions { Directory = durable ? _directory : null };
        await using (var store = Store.Start(options))
        {
            await using var connection = await ConnectionMultiplexer.ConnectAsync(store.Configure());
            await connection.GetDatabase().StringSetAsync("key", data);
            Assert.Equal(data, (byte[]?)await connection.GetDatabase().StringGetAsync("key"));
        }

        if (durable)
        {
            await using var store = Store.Start(options);
            await using var connection = await ConnectionMultiplexer.ConnectAsync(store.Configure());
            Assert.Equal(data, (byte[]?)await connection.GetDatabase().StringGetAsync("key"));
        }
    }

    [Fact]
    public void Start_PortTaken_SaysSo()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var port = ((IPEndPoint)other.LocalEndpoint).Port;

        var e = Assert.Throws<EmbeddedStoreException>(() => Store.Start(new EmbeddedStoreOptions { Port = port, Directory = _directory }));

        Assert.Contains(port.ToString(CultureInfo.InvariantCulture), e.Message, StringComparison.Ordinal);
        using (new FileStream(Path.Combine(_directory, Store.LockFileName), FileMode.Open, FileAccess.ReadWrite, FileShare.None))
        {
            // Opens only if the failed start has given the directory back.
        }
    }

    [Fact]
    public async Task Start_DirectoryInUse_SaysSoAndWorksOnceItIsFree()
    {
        var options = new EmbeddedStoreOptions { Directory = _directory };
        await using (Store.Start(options))
        {
            var e = Assert.Throws<EmbeddedStoreException>(() => Store.Start(options));
            Assert.Contains("in use", e.Message, StringComparison.Ordinal);
        }

        await using var store = Store.Start(options);
    }

    [Fact]
    public void Start_DirectoryCannotBeWritten_SaysSo()
    {
        var file = Path.Combine(_root, "file");
        File.WriteAllText(file, "");

        var e = Assert.Throws<EmbeddedStoreException>(() => Store.Start(new EmbeddedStoreOptions { Directory = Path.Combine(file, "data") }));

        Assert.Contains(file, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 100, 256)]
    [InlineData(0, 256, 8)]
    [InlineData(-1, 256, 256)]
    [InlineData(65_536, 256, 256)]
    public void Start_OptionOutOfRange_SaysSo(int port, int memory, int appendOnlyFile) =>
        Assert.Throws<EmbeddedStoreException>(() => Store.Start(
            new EmbeddedStoreOptions { Port = port, MemoryMiB = memory, AppendOnlyFileMiB = appendOnlyFile }));

    [Fact]
    public async Task Reopen_AfterGracefulStop_HasEverything()
    {
        var options = new EmbeddedStoreOptions { Directory = _directory };
        var account = AccountId.FromBytes(RandomNumberGenerator.GetBytes(AccountId.Length));
        MailboxSnapshot before;
        await using (var store = Store.Start(options))
        {
            await using var connection = await ConnectionMultiplexer.ConnectAsync(store.Configure());
            var mailboxes = new RedisMailboxStore(connection, TimeProvider.System);
            for (var i = 0; i < 100; i++)
                await AppendAsync(mailboxes, account, i);
            await mailboxes.RemoveAsync(account, new[] { Hash(account, 5) }, Cancel);
            await mailboxes.RevokeAsync(account, [new byte[IMailboxStore.TokenLength]], Cancel);
            before = await mailboxes.LoadAsync(account, Cancel);
            var clock = Stopwatch.StartNew();
            await store.DisposeAsync();
            Assert.InRange(clock.Elapsed.TotalSeconds, 0, 4);
        }

        await using (var store = Store.Start(options))
        {
            await using var connection = await ConnectionMultiplexer.ConnectAsync(store.Configure());
            var mailboxes = new RedisMailboxStore(connection, TimeProvider.System);
            var after = await mailboxes.LoadAsync(account, Cancel);
            Assert.Equal(before.Version, after.Version);
            Assert.Equal(before.Messages, after.Messages);
            Assert.Single(after.Revoked);
            var hashes = after.Messages.Select(static message => message.Hash).ToArray();
            Assert.All(await mailboxes.ReadAsync(account, hashes, Cancel), static payload => Assert.NotNull(payload));
            Assert.NotNull(await connection.GetDatabase().KeyTimeToLiveAsync($"{{{account}}}:idx"));
        }
    }

    [Fact]
    public async Task Load_OfALargeIndexThatWasPutOnDisk_TakesOneStep()
    {
        const int Count = 20_000, Others = 3_000, Size = 65_536; // three times the memory
        await using var store = Store.Start(new EmbeddedStoreOptions { MemoryMiB = 64 });
        await using var connection = await ConnectionMultiplexer.ConnectAsync(store.Configure());
        var mailboxes = new RedisMailboxStore(connection, TimeProvider.System);
        var account = AccountId.FromBytes(RandomNumberGenerator.GetBytes(AccountId.Length));
        foreach (var numbers in Enumerable.Range(0, Count).Chunk(500))
            await Task.WhenAll(numbers.Select(number => AppendAsync(mailboxes, account, number)));
        var before = await mailboxes.LoadAsync(account, Cancel);
        foreach (var numbers in Enumerable.Range(0, Others).Chunk(100))
        {
            await Task.WhenAll(numbers.Select(number =>
                connection.GetDatabase().StringSetAsync(string.Create(CultureInfo.InvariantCulture, $"other/{number}"), Data(number, Size))));
        }

        var profile = new ProfilingSession();
        connection.RegisterProfiler(() => profile);
        var after = await mailboxes.LoadAsync(account, Cancel);

        Assert.Equal(["HGETALL", "ZRANGE"], profile.FinishProfiling().Select(static command => command.Command).Order());
        Assert.Equal(Count, after.Messages.Count);
        Assert.Equal(before.Version, after.Version);
        Assert.Equal(before.Messages, after.Messages);
    }

    [Fact]
    public async Task AppendOnlyFile_PastItsLimit_IsTruncatedWithoutLoss()
    {
        const int Count = 1_500, Size = 65_536; // six times the limit
        var options = new EmbeddedStoreOptions { Directory = _directory, AppendOnlyFileMiB = 16, MemoryMiB = 64 };
        await using (var store = Store.Start(options))
        {
            await using var connection = await ConnectionMultiplexer.ConnectAsync(store.Configure());
            var database = connection.GetDatabase();
            foreach (var chunk in Enumerable.Range(0, Count).Chunk(50))
                await Task.WhenAll(chunk.Select(i => database.StringSetAsync($"key{i}", Data(i, Size))));
            await Waiting.UntilAsync(
                "the append-only file to shrink",
                () => Task.FromResult(Directory.EnumerateFiles(Path.Combine(_directory, "AOF")).Sum(LengthOf)),
                static length => length <= 48 << 20);
        }

        static long LengthOf(string file)
        {
            try
            {
                return new FileInfo(file).Length;
            }
            catch (FileNotFoundException)
            {
                return 0; // cut off since the folder was listed
            }
        }

        await using (var store = Store.Start(options))
        {
            await using var connection = await ConnectionMultiplexer.ConnectAsync(store.Configure());
            var database = connection.GetDatabase();
            for (var i = 0; i < Count; i++)
                Assert.Equal(Data(i, Size), (byte[]?)await database.StringGetAsync($"key{i}"));
        }
    }

    [Fact]
    public async Task Kill_WhileAppending_LosesNothingAcknowledged()
    {
        const int Wanted = 400;
        var acknowledgements = Path.Combine(_root, "acknowledged");
        await File.WriteAllTextAsync(acknowledgements, "", Cancel);
        var start = new ProcessStartInfo(
            Environment.ProcessPath!,
            [
                .. Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet"
                    ? [typeof(EmbeddedStoreTests).Assembly.Location] : Array.Empty<string>(),
                "--filter-method", $"*.{nameof(Writer_RunByTheTestAbove)}", "--explicit", "only", "--results-directory", _root,
            ])
        { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment[WriterDirectory] = _directory;
        start.Environment[WriterAcknowledgements] = acknowledgements;
        using var writer = Process.Start(start)!;
        var output = writer.StandardOutput.ReadToEndAsync(Cancel);
        _ = writer.StandardError.ReadToEndAsync(Cancel);
        await Waiting.UntilAsync(
            "acknowledgements",
            async () => writer.HasExited ? throw new InvalidOperationException(await output) : (await AcknowledgedAsync(acknowledgements)).Count,
            static count => count >= Wanted);

        writer.Kill(); // SIGKILL: it cannot do anything about it
        await writer.WaitForExitAsync(Cancel);

        await using var store = Store.Start(new EmbeddedStoreOptions { Directory = _directory });
        await using var connection = await ConnectionMultiplexer.ConnectAsync(store.Configure());
        var mailboxes = new RedisMailboxStore(connection, TimeProvider.System);
        var acknowledged = await AcknowledgedAsync(acknowledgements);
        Assert.True(acknowledged.Count >= Wanted);
        foreach (var group in acknowledged.GroupBy(static line => line.Account))
        {
            var stored = (await mailboxes.LoadAsync(group.Key, Cancel)).Messages.ToDictionary(static message => message.Hash);
            foreach (var (account, number, sequence) in group)
            {
                var hash = Hash(account, number);
                Assert.Equal(sequence, stored[hash].Sequence);
                Assert.Equal(Data(number, 1000), (await mailboxes.ReadAsync(account, new[] { hash }, Cancel))[0]!.Value.ToArray());
            }

            var key = (RedisKey)$"{{{group.Key}}}:idx";
            Assert.InRange((await connection.GetDatabase().KeyTimeToLiveAsync(key))!.Value.TotalMinutes, 50, 61);
        }
    }

    [Fact(Explicit = true)]
    public async Task Writer_RunByTheTestAbove()
    {
        if (Environment.GetEnvironmentVariable(WriterDirectory) is not { } directory)
            return;
        await using var acknowledgements = new StreamWriter(Environment.GetEnvironmentVariable(WriterAcknowledgements)!) { AutoFlush = true };
        await using var store = Store.Start(new EmbeddedStoreOptions { Directory = directory });
        await using var connection = await ConnectionMultiplexer.ConnectAsync(store.Configure());
        var mailboxes = new RedisMailboxStore(connection, TimeProvider.System);
        var gate = new Lock();
        await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            var account = AccountId.FromBytes(RandomNumberGenerator.GetBytes(AccountId.Length));
            for (var i = 0; !Cancel.IsCancellationRequested; i++)
            {
                var result = await AppendAsync(mailboxes, account, i);
                lock (gate)
                    acknowledgements.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{account} {i} {result.Sequence}"));
            }
        }));
    }

    private static async Task<List<(AccountId Account, int Number, long Sequence)>> AcknowledgedAsync(string path)
    {
        await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var reader = new StreamReader(file);
        var text = await reader.ReadToEndAsync(Cancel);
        return [.. text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(static line => line.Split(' '))
            .Select(static parts => (
                AccountId.Parse(parts[0]), int.Parse(parts[1], CultureInfo.InvariantCulture), long.Parse(parts[2], CultureInfo.InvariantCulture)))];
    }

    private static async Task<AppendResult> AppendAsync(RedisMailboxStore mailboxes, AccountId account, int number)
    {
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        return await mailboxes.AppendAsync(
            account, new NewMessage(Hash(account, number), 0, now, now + 3_600_000), Data(number, 1000), default, Cancel);
    }

    private sealed class Lines : ILoggerFactory, ILogger
    {
        public ConcurrentQueue<(LogLevel Level, string Text)> All { get; } = new();

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            All.Enqueue((logLevel, formatter(state, exception)));

        public void Dispose()
        {
        }
    }

    private static byte[] Data(int number, int size)
    {
        var data = new byte[size];
        new Random(number).NextBytes(data);
        return data;
    }

    private static MessageHash Hash(AccountId account, int number) => MessageHash.Compute(account, 0, Data(number, 1000));
}
