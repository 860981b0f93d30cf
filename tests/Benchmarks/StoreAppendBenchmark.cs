using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Session.Orleans.EmbeddedStore;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Storage;
using StackExchange.Redis;
using Embedded = Session.Orleans.EmbeddedStore.EmbeddedStore;

namespace Session.Orleans.Benchmarks;

/// <summary>The servers that appends are measured on.</summary>
public enum Server
{
    /// <summary>Embedded and reached within the process, nothing survives the process.</summary>
    Memory,

    /// <summary>Embedded, every reply waits for the append-only file.</summary>
    Durable,

    /// <summary><c>redis-server</c> from the PATH with an append-only file, synchronised every second.</summary>
    Redis,
}

/// <summary>
/// What an append of 1,000 bytes costs: the store's script against the same writes in one MULTI. MULTI is here for comparison only: it
/// can neither use the sequence it has just drawn nor decide between duplicates. The line "CPU" at each case's end is the processor time
/// of client and server together, which the wall clock does not show.
/// </summary>
[MemoryDiagnoser]
[Config(typeof(InThisProcess))]
public class StoreAppendBenchmark
{
    private const int Appends = 4_096;
    private const int InFlight = 64;
    private const int Accounts = 256;

    private readonly byte[] _data = RandomNumberGenerator.GetBytes(1_000);
    private readonly AccountId[] _accounts =
        [.. Enumerable.Range(0, Accounts).Select(static _ => AccountId.FromBytes(RandomNumberGenerator.GetBytes(AccountId.Length)))];

    private string _directory = "";
    private Embedded? _embedded;
    private Process? _redis;
    private ConnectionMultiplexer _connection = null!;
    private RedisMailboxStore _store = null!;
    private TimeSpan _processor;
    private long _done;

    /// <summary>The server under the store.</summary>
    [Params(Server.Memory, Server.Durable, Server.Redis)]
    public Server Server { get; set; }

    /// <summary>Starts the server.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _directory = Directory.CreateTempSubdirectory("append-benchmark-").FullName;
        ConfigurationOptions configuration;
        if (Server == Server.Redis)
        {
            using var probe = new TcpListener(IPAddress.Loopback, 0);
            probe.Start();
            var port = ((IPEndPoint)probe.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture);
            probe.Stop();
            _redis = Process.Start(
                "redis-server",
                ["--port", port, "--dir", _directory, "--save", "", "--appendonly", "yes", "--logfile", "log"]);
            configuration = ConfigurationOptions.Parse($"127.0.0.1:{port},abortConnect=false,connectRetry=10");
        }
        else
        {
            _embedded = Embedded.Start(new EmbeddedStoreOptions { Directory = Server == Server.Durable ? _directory : null });
            configuration = _embedded.Configure();
        }

        _connection = ConnectionMultiplexer.Connect(configuration);
        _store = new RedisMailboxStore(_connection, TimeProvider.System);
        Script().GetAwaiter().GetResult(); // scripts known, code compiled
        _processor = Processor();
        _done = 0;
    }

    /// <summary>Stops the server and prints the processor time per append.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        var perAppend = (Processor() - _processor).TotalMicroseconds / _done;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"// CPU {Server}: {perAppend:F1} us per append, client and server"));
        _connection.Dispose();
        _embedded?.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _redis?.Kill();
        _redis?.WaitForExit();
        Directory.Delete(_directory, recursive: true);
    }

    /// <summary>The store as it is, 64 appends in flight.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = Appends)]
    public Task Script() => RunAsync((account, message) => _store.AppendAsync(account, message, _data).AsTask());

    /// <summary>The same writes in one MULTI, 64 in flight.</summary>
    [Benchmark(OperationsPerInvoke = Appends)]
    public Task Multi() => RunAsync((account, message) =>
    {
        var tag = $"{{{account}}}";
        var hash = message.Hash.AsSpan().ToArray();
        var transaction = _connection.GetDatabase().CreateTransaction();
        _ = transaction.HashIncrementAsync(tag + ":idx", "v");
        _ = transaction.HashSetAsync(tag + ":idx", hash, new byte[31], When.NotExists);
        _ = transaction.StringSetAsync(((RedisKey)(tag + ":m:")).Append(hash), _data, TimeSpan.FromMinutes(10));
        _ = transaction.KeyExpireAsync(tag + ":idx", TimeSpan.FromMinutes(10), ExpireWhen.GreaterThanCurrentExpiry);
        return transaction.ExecuteAsync();
    });

    /// <summary>The store as it is, one append after the other: what a sender waits.</summary>
    [Benchmark(OperationsPerInvoke = 64)]
    public async Task ScriptOneByOne()
    {
        for (var i = 0; i < 64; i++)
            await _store.AppendAsync(_accounts[0], Message(), _data);
        _done += 64;
    }

    private static NewMessage Message()
    {
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        return new NewMessage(new MessageHash(new Bytes32(RandomNumberGenerator.GetBytes(Bytes32.Length))), 0, now, now + 600_000);
    }

    private async Task RunAsync(Func<AccountId, NewMessage, Task> append)
    {
        var next = 0;
        await Task.WhenAll(Enumerable.Range(0, InFlight).Select(async _ =>
        {
            int i;
            while ((i = Interlocked.Increment(ref next)) <= Appends)
                await append(_accounts[i % Accounts], Message());
        }));
        _done += Appends;
    }

    /// <summary>Compiling a project of its own for each case would take longer than measuring it.</summary>
    private sealed class InThisProcess : ManualConfig
    {
        public InThisProcess() => AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance));
    }

    private TimeSpan Processor()
    {
        using var self = Process.GetCurrentProcess();
        _redis?.Refresh();
        return self.TotalProcessorTime + (_redis?.TotalProcessorTime ?? default);
    }
}
