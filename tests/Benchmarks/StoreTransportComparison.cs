using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Session.Orleans.EmbeddedStore;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Storage;
using StackExchange.Redis;
using Embedded = Session.Orleans.EmbeddedStore.EmbeddedStore;

namespace Session.Orleans.Benchmarks;

/// <summary>
/// An append of 1,000 bytes to the embedded store: through a socket against within the process. What counts is the processor time of the
/// process, client and server; both ways take turns in one run, because a machine that others use changes from minute to minute. Not a
/// BenchmarkDotNet class: that measures one case after the other, and the wall clock.
/// </summary>
internal static class StoreTransportComparison
{
    /// <summary>The first argument that starts this instead of a benchmark.</summary>
    public const string Name = "transports";

    private const int Rounds = 9;
    private static readonly byte[] Data = RandomNumberGenerator.GetBytes(1_000);
    private static readonly AccountId[] Accounts =
        [.. Enumerable.Range(0, 256).Select(static _ => AccountId.FromBytes(RandomNumberGenerator.GetBytes(AccountId.Length)))];

    /// <summary>Prints the medians of CPU and wall time per append, and the median of the rounds' ratios.</summary>
    public static async Task RunAsync()
    {
        Console.WriteLine("| store | in flight | TCP CPU us | in-process CPU us | CPU ratio | TCP us | in-process us | time ratio |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|");
        foreach (var kind in new[] { "memory", "durable", "durable on disk" })
        {
            var directory = Directory.CreateTempSubdirectory("transport-comparison-").FullName;
            var options = new EmbeddedStoreOptions
            {
                Directory = kind == "memory" ? null : directory, FlushToDisk = kind == "durable on disk", Port = 0,
            };
            await using (var store = Embedded.Start(options))
            {
                await using var socket = await ConnectionMultiplexer.ConnectAsync(store.ConnectionString);
                await using var local = await ConnectionMultiplexer.ConnectAsync(store.Configure());
                var overSocket = new RedisMailboxStore(socket, TimeProvider.System);
                var inProcess = new RedisMailboxStore(local, TimeProvider.System);
                foreach (var inFlight in new[] { 1, 16, 64 })
                    await CompareAsync(kind, inFlight, options.FlushToDisk ? 20 * inFlight : inFlight == 1 ? 2_000 : 8_000, overSocket, inProcess);
            }

            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task CompareAsync(
        string name, int inFlight, int appends, RedisMailboxStore overSocket, RedisMailboxStore inProcess)
    {
        List<Cost> socket = [], local = [];
        await MeasureAsync(overSocket, inFlight, appends); // compiles, loads scripts
        await MeasureAsync(inProcess, inFlight, appends);
        for (var round = 0; round < Rounds; round++)
        {
            socket.Add(await MeasureAsync(overSocket, inFlight, appends));
            local.Add(await MeasureAsync(inProcess, inFlight, appends));
        }

        var processorRatio = Median(socket.Zip(local, static (before, after) => after.Processor / before.Processor));
        var timeRatio = Median(socket.Zip(local, static (before, after) => after.Time / before.Time));
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {name} | {inFlight} | {Median(socket.Select(static cost => cost.Processor)):F1} | {Median(local.Select(static cost => cost.Processor)):F1} | {processorRatio:F2} | {Median(socket.Select(static cost => cost.Time)):F1} | {Median(local.Select(static cost => cost.Time)):F1} | {timeRatio:F2} |"));
    }

    private static async Task<Cost> MeasureAsync(RedisMailboxStore store, int inFlight, int appends)
    {
        using var self = Process.GetCurrentProcess();
        var processor = self.TotalProcessorTime;
        var clock = Stopwatch.GetTimestamp();
        var next = 0;
        await Task.WhenAll(Enumerable.Range(0, inFlight).Select(_ => Task.Run(async () =>
        {
            int i;
            while ((i = Interlocked.Increment(ref next)) <= appends)
            {
                var now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
                var hash = new MessageHash(new Bytes32(RandomNumberGenerator.GetBytes(Bytes32.Length)));
                await store.AppendAsync(Accounts[i % Accounts.Length], new NewMessage(hash, 0, now, now + 600_000), Data);
            }
        })));
        var time = Stopwatch.GetElapsedTime(clock);
        self.Refresh();
        return new((self.TotalProcessorTime - processor).TotalMicroseconds / appends, time.TotalMicroseconds / appends);
    }

    private static double Median(IEnumerable<double> values) => values.Order().ElementAt(Rounds / 2);

    private readonly record struct Cost(double Processor, double Time);
}
