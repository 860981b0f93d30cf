using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Session.Orleans.EmbeddedStore;
using StackExchange.Redis;

namespace Session.Orleans.Storage.Tests.Mailboxes;

/// <summary>A running server that the suite talks to, or the reason why there is none.</summary>
public abstract class StoreFixture : IAsyncLifetime
{
    /// <summary>Null when the server runs.</summary>
    public string? SkipReason { get; protected set; }

    /// <summary>How another client of the server connects.</summary>
    public ConfigurationOptions Configuration { get; protected set; } = new();

    public IConnectionMultiplexer Connection { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        await StartAsync();
        if (SkipReason is null)
            Connection = await ConnectionMultiplexer.ConnectAsync(Configuration);
    }

    public async ValueTask DisposeAsync()
    {
        if (Connection is not null)
            await Connection.DisposeAsync();
        await StopAsync();
        GC.SuppressFinalize(this);
    }

    protected abstract ValueTask StartAsync();

    protected abstract ValueTask StopAsync();
}

/// <summary>The embedded server, with what it can be told and how it is reached.</summary>
public abstract class EmbeddedStoreFixture(bool durable, bool socket) : StoreFixture
{
    private readonly string _directory = Directory.CreateTempSubdirectory("storage-tests-").FullName;
    private EmbeddedStore.EmbeddedStore? _store;

    protected override ValueTask StartAsync()
    {
        _store = EmbeddedStore.EmbeddedStore.Start(
            new EmbeddedStoreOptions { Directory = durable ? _directory : null, Port = socket ? 0 : null });
        Configuration = socket ? ConfigurationOptions.Parse(_store.ConnectionString) : _store.Configure();
        return default;
    }

    protected override async ValueTask StopAsync()
    {
        if (_store is not null)
            await _store.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }
}

public sealed class EmbeddedFixture() : EmbeddedStoreFixture(durable: false, socket: false);

public sealed class DurableEmbeddedFixture() : EmbeddedStoreFixture(durable: true, socket: false);

public sealed class EmbeddedSocketFixture() : EmbeddedStoreFixture(durable: false, socket: true);

public sealed class DurableEmbeddedSocketFixture() : EmbeddedStoreFixture(durable: true, socket: true);

/// <summary>A real <c>redis-server</c> from the PATH. Its absence skips the tests, except on CI, where it fails them.</summary>
public sealed class RedisFixture : StoreFixture
{
    private readonly string _directory = Directory.CreateTempSubdirectory("storage-tests-").FullName;
    private Process? _process;

    protected override async ValueTask StartAsync()
    {
        var binary = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .Select(static folder => Path.Combine(folder, OperatingSystem.IsWindows() ? "redis-server.exe" : "redis-server"))
            .FirstOrDefault(File.Exists);
        if (binary is null)
        {
            SkipReason = "No redis-server in the PATH (Debian: apt-get install redis-server).";
            Assert.False(Environment.GetEnvironmentVariable("CI") == "true", SkipReason);
            return;
        }

        var port = Ports.Find(1);

        _process = Process.Start(new ProcessStartInfo(
            binary,
            [
                "--port", port.ToString(CultureInfo.InvariantCulture), "--bind", "127.0.0.1", "--dir", _directory,
                "--save", "", "--appendonly", "yes", "--appendfsync", "everysec",
            ])
        { RedirectStandardOutput = true })!;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (await _process.StandardOutput.ReadLineAsync(limit.Token) is { } line)
        {
            if (line.Contains("Ready to accept connections", StringComparison.Ordinal))
                break;
        }

        Assert.False(_process.HasExited, "redis-server ended while it started.");
        _ = _process.StandardOutput.ReadToEndAsync(); // or its log would fill the pipe and stop it
        Configuration = new ConfigurationOptions { EndPoints = { { "127.0.0.1", port } } };
    }

    protected override async ValueTask StopAsync()
    {
        if (_process is not null)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
            _process.Dispose();
        }

        Directory.Delete(_directory, recursive: true);
    }
}
