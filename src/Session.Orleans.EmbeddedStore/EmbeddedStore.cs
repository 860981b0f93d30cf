using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Garnet.server;
using Garnet.server.Auth.Settings;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;
using Tsavorite.core;

namespace Session.Orleans.EmbeddedStore;

/// <summary>
/// A Redis-compatible server (Microsoft Garnet) inside this process. It speaks the same protocol as the Redis of a cluster, so everything
/// above it is the same code: clients of this process get to it without a socket by <see cref="Configure"/>, and others at
/// <see cref="EndPoint"/>, if it listens.
/// </summary>
public sealed class EmbeddedStore : IAsyncDisposable
{
    /// <summary>The lock file's name in the data directory.</summary>
    public const string LockFileName = "in-use.lock";

    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(2);

    private readonly StoreServer _server;
    private readonly WriteFailure _failure;
    private readonly IPEndPoint? _endPoint;
    private readonly FileStream? _lock;
    private readonly string? _temporary;
    private readonly bool _durable;
    private int _disposed;

    private EmbeddedStore(StoreServer server, WriteFailure failure, IPEndPoint? endPoint, FileStream? lockFile, string? temporary)
    {
        _server = server;
        _failure = failure;
        _lock = lockFile;
        _temporary = temporary;
        _durable = temporary is null;
        _endPoint = endPoint;
    }

    /// <summary>
    /// Ends when the disk has refused a write, full or broken, with the reason. From then on nothing is acknowledged, and the process should end:
    /// the next start finds everything that was acknowledged.
    /// </summary>
    public Task<Exception> Failed => _failure.First;

    /// <summary>Where the store listens.</summary>
    /// <exception cref="InvalidOperationException">It does not, see <see cref="EmbeddedStoreOptions.Port"/>.</exception>
    public IPEndPoint EndPoint =>
        _endPoint ?? throw new InvalidOperationException($"The store listens only if {nameof(EmbeddedStoreOptions.Port)} is set.");

    /// <summary>The connection string for a Redis client of any process, for example <c>127.0.0.1:6379</c>.</summary>
    /// <exception cref="InvalidOperationException">The store does not listen, see <see cref="EmbeddedStoreOptions.Port"/>.</exception>
    public string ConnectionString => EndPoint.ToString();

    /// <summary>
    /// Options that connect a Redis client of this process without a socket. A command runs on the thread that sends it, so its
    /// reply is mostly there at once. Subscriptions are switched off: they would take a second connection.
    /// </summary>
    public ConfigurationOptions Configure() => new()
    {
        EndPoints = { InProcessServer.Name },
        Tunnel = new InProcessTunnel(_server.Local),
        ConfigurationChannel = "",
        TieBreaker = "",
        CommandMap = CommandMap.Create(
            new HashSet<string> { "SUBSCRIBE", "UNSUBSCRIBE", "PSUBSCRIBE", "PUNSUBSCRIBE", "SSUBSCRIBE", "SUNSUBSCRIBE" }, available: false),
    };

    /// <summary>
    /// Starts a store. When this returns it has recovered what its directory holds and accepts connections.
    /// </summary>
    /// <param name="options">Where and how; null takes the defaults.</param>
    /// <param name="loggerFactory">Receives the server's log; null discards it.</param>
    /// <exception cref="EmbeddedStoreException">
    /// The port is taken, the directory cannot be written or is in use, the data cannot be recovered, or an option is out of range.
    /// </exception>
    public static EmbeddedStore Start(EmbeddedStoreOptions? options = null, ILoggerFactory? loggerFactory = null)
    {
        options ??= new EmbeddedStoreOptions();
        RequirePowerOfTwo(options.MemoryMiB, 64, nameof(options.MemoryMiB));
        RequirePowerOfTwo(options.AppendOnlyFileMiB, 16, nameof(options.AppendOnlyFileMiB));
        if (options.Port is < 0 or > IPEndPoint.MaxPort)
            throw new EmbeddedStoreException($"{nameof(options.Port)} must be 0 (any free port) to {IPEndPoint.MaxPort}, or null.");

        FileStream? lockFile = null;
        string? temporary = null;
        StoreServer? server = null;
        try
        {
            if (options.Directory is { } directory)
                lockFile = Lock(directory);
            else
                temporary = Directory.CreateTempSubdirectory("embedded-store-").FullName;

            // A port that was free may be taken before the server has it: worth another try only if any port will do.
            for (var attempt = 0; ; attempt++)
            {
                var endPoint = options.Port is { } wanted ? new IPEndPoint(IPAddress.Loopback, ReservePort(wanted)) : null;
                var failure = new WriteFailure();
                server = StoreServer.Create(
                    ToServerOptions(options, endPoint, options.Directory ?? temporary!, failure), endPoint, failure,
                    loggerFactory is null ? null : new StoreLog(loggerFactory));
                try
                {
                    server.Start();
                    return new EmbeddedStore(server, failure, endPoint, lockFile, temporary);
                }
                catch (SocketException) when (options.Port == 0 && attempt < 3)
                {
                    server.Dispose();
                    server = null;
                }
            }
        }
        catch (Exception e)
        {
            server?.Dispose();
            lockFile?.Dispose();
            if (temporary is not null)
                Directory.Delete(temporary, recursive: true);
            if (e is EmbeddedStoreException)
                throw;
            throw new EmbeddedStoreException(
                e is SocketException && options.Port is { } port ? PortTaken(port) : $"The embedded store could not start: {e.Message}", e);
        }
    }

    /// <summary>Stops the store: hands every write to the operating system, closes the connections and frees the directory.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        try
        {
            if (_durable && !_failure.First.IsCompleted)
            {
                // Acknowledged writes are in the file already; this adds those that nobody waits for any more.
                using var timeout = new CancellationTokenSource(StopTimeout);
                await _server.Store.CommitAOFAsync(timeout.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            // Nothing acknowledged is at stake, and the caller was promised an end.
        }
        finally
        {
            _server.Dispose();
            if (_lock is not null)
                await _lock.DisposeAsync().ConfigureAwait(false);
            if (_temporary is not null)
                Directory.Delete(_temporary, recursive: true);
        }
    }

    private static GarnetServerOptions ToServerOptions(EmbeddedStoreOptions options, EndPoint? endPoint, string directory, WriteFailure failure)
    {
        var durable = options.Directory is not null;
        var devices = new LocalStorageNamedDeviceFactoryCreator(deviceType: DeviceType.RandomAccess);
        return new GarnetServerOptions
        {
            EndPoints = [endPoint ?? InProcessServer.Name],
            AuthSettings = new NoAuthSettings(),
            QuietMode = true,
            MaxDatabases = 1,

            // Scripts must be transactions, or two writers can both win a check.
            EnableLua = true,
            LuaTransactionMode = true,
            LuaOptions = new LuaOptions(
                LuaMemoryManagementMode.Native, "", Timeout.InfiniteTimeSpan, LuaLoggingMode.Silent, [], logger: null),

            LogMemorySize = Text(options.MemoryMiB),
            PageSize = "4m",
            SegmentSize = "64m",
            IndexMemorySize = "4m",
            IndexMaxMemorySize = "256m",
            IndexResizeFrequencySecs = 1,

            // Where a snapshot is restored keys come faster than the index grows. Until it has they wait in chains; a chain that may not grow is an error.
            IndexOverflowThreshold = 2000, // percent of the index
            EnableStorageTier = true,
            LogDir = directory,
            CheckpointDir = directory,
            CompactionType = LogCompactionType.Scan,
            CompactionMaxSegments = 16,
            ExpiredKeyDeletionScanFrequencySecs = 60,

            // The default device needs libaio, which a laptop seldom has.
            DeviceType = DeviceType.RandomAccess,
            DeviceFactoryCreator = durable && options.FlushToDisk ? devices : new BufferedDeviceFactoryCreator(devices, failure),

            EnableAOF = durable,
            Recover = durable,
            FailOnRecoveryError = true,
            CommitFrequencyMs = durable ? -1 : 0, // the durable server commits
            AofMemorySize = "32m",
            AofPageSize = "16m",
            AofSegmentSize = "16m",
            AofSizeLimit = durable ? Text(options.AppendOnlyFileMiB) : "",
        };

        static string Text(int mebibytes) => string.Create(CultureInfo.InvariantCulture, $"{mebibytes}m");
    }

    private static FileStream Lock(string directory)
    {
        try
        {
            Directory.CreateDirectory(directory);
            // The operating system gives the lock back however the process ends; the file itself may stay.
            return new FileStream(
                Path.Combine(directory, LockFileName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 1);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new EmbeddedStoreException($"The data directory '{directory}' is not writable.", e);
        }
        catch (IOException e) when (File.Exists(Path.Combine(directory, LockFileName)))
        {
            throw new EmbeddedStoreException(
                $"The data directory '{directory}' is in use by another store. Stop that one or give another directory.", e);
        }
        catch (IOException e)
        {
            throw new EmbeddedStoreException($"The data directory '{directory}' cannot be created or written: {e.Message}", e);
        }
    }

    private static int ReservePort(int wanted)
    {
        // The server reports a taken port late and only in its log, so it is tried here first.
        using var probe = new TcpListener(IPAddress.Loopback, wanted) { ExclusiveAddressUse = true };
        try
        {
            probe.Start();
        }
        catch (SocketException e)
        {
            throw new EmbeddedStoreException(PortTaken(wanted), e);
        }

        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }

    private static string PortTaken(int port) =>
        $"Port {port} on the loopback address is taken. Stop what listens there, " +
        $"or set {nameof(EmbeddedStoreOptions.Port)} to 0 for a free one.";

    private static void RequirePowerOfTwo(int value, int least, string name)
    {
        if (value < least || !int.IsPow2(value))
            throw new EmbeddedStoreException($"{name} must be a power of two, {least} at least; it is {value}.");
    }
}
