using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Storage;
using StackExchange.Redis;
using StackExchange.Redis.Profiling;
using Embedded = Session.Orleans.EmbeddedStore.EmbeddedStore;

namespace Session.Orleans.Benchmarks;

/// <summary>
/// What <c>delete_all</c>, <c>expire_all</c> and a page of <c>retrieve</c> cost the store. The line at each case's end names the round trips of
/// one operation and the longest wait of another mailbox meanwhile. A page must cost the same in a small mailbox and in a large one.
/// </summary>
[Config(typeof(InThisProcess))]
public class MailboxCostBenchmark
{
    private const int PageLength = 10;

    private readonly AccountId _account = AccountId.FromBytes(RandomNumberGenerator.GetBytes(AccountId.Length));
    private readonly AccountId _other = AccountId.FromBytes(RandomNumberGenerator.GetBytes(AccountId.Length));
    private readonly byte[] _data = RandomNumberGenerator.GetBytes(1_000);
    private readonly ProfilingSession _profile = new();

    private Embedded? _embedded;
    private ConnectionMultiplexer _connection = null!;
    private ConnectionMultiplexer _otherConnection = null!;
    private RedisMailboxStore _store = null!;
    private RedisMailboxStore _otherStore = null!;
    private MessageHash[] _hashes = [];
    private TimeSpan _longestWait;
    private int _roundTrips;

    /// <summary>Messages in the mailbox.</summary>
    [Params(100, 10_000)]
    public int Messages { get; set; }

    /// <summary>Starts an embedded server, or uses the one that <c>REDIS</c> names as <c>host:port</c>.</summary>
    [GlobalSetup]
    public void Setup()
    {
        var address = Environment.GetEnvironmentVariable("REDIS");
        if (address is null)
        {
            _embedded = Embedded.Start();
            address = _embedded.ConnectionString;
        }

        _connection = ConnectionMultiplexer.Connect(address);
        _connection.RegisterProfiler(() => _profile);
        _otherConnection = ConnectionMultiplexer.Connect(address);
        _store = new(_connection, TimeProvider.System);
        _otherStore = new(_otherConnection, TimeProvider.System);
        _hashes = [.. Enumerable.Range(0, Messages).Select(_ => new MessageHash(new Bytes32(RandomNumberGenerator.GetBytes(Bytes32.Length))))];
    }

    /// <summary>Fills the mailbox.</summary>
    [IterationSetup]
    public void Fill()
    {
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        foreach (var chunk in _hashes.Chunk(500))
            Task.WhenAll(chunk.Select(hash => _store.AppendAsync(_account, new(hash, 0, now, now + 3_600_000), _data).AsTask())).GetAwaiter().GetResult();
        _profile.FinishProfiling();
    }

    /// <summary>Prints what the clock does not show.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"// {Messages} messages: {_roundTrips} round trips, another mailbox waited {_longestWait.TotalMilliseconds:F2} ms at most"));
        _connection.Dispose();
        _otherConnection.Dispose();
        _embedded?.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }

    /// <summary><c>delete_all</c>.</summary>
    [Benchmark]
    public Task DeleteAll() => BesideAnotherMailboxAsync(async () => await _store.RemoveAsync(_account, _hashes));

    /// <summary><c>expire_all</c>.</summary>
    [Benchmark]
    public Task ExpireAll()
    {
        var expiry = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() + 60_000;
        return BesideAnotherMailboxAsync(async () => await _store.SetExpiriesAsync(_account, Array.ConvertAll(_hashes, hash => new ExpiryChange(hash, expiry))));
    }

    /// <summary>A page of ten messages.</summary>
    [Benchmark]
    public Task RetrievePage() => BesideAnotherMailboxAsync(async () => await _store.ReadAsync(_account, _hashes.AsMemory(Messages - PageLength)));

    private async Task BesideAnotherMailboxAsync(Func<Task> operation)
    {
        var running = operation();
        while (!running.IsCompleted)
        {
            var start = Stopwatch.GetTimestamp();
            await _otherStore.GetVersionAsync(_other);
            var waited = Stopwatch.GetElapsedTime(start);
            _longestWait = waited > _longestWait ? waited : _longestWait;
        }

        await running;
        _roundTrips = _profile.FinishProfiling().Count();
    }

    /// <summary>Compiling a project of its own for each case would take longer than measuring it.</summary>
    private sealed class InThisProcess : ManualConfig
    {
        public InThisProcess() => AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance));
    }
}
