using System.Globalization;
using Session.Orleans.Conformance.Harness;

[assembly: AssemblyFixture(typeof(Networks))]

namespace Session.Orleans.Conformance.Harness;

/// <summary>The networks under test, started when the first rule needs them; one per store for all rules.</summary>
public sealed class Networks : IAsyncDisposable
{
    private readonly Dictionary<Store, Lazy<Task<Network>>> _networks;
    private readonly List<IAsyncDisposable> _started = [];
    private readonly Lazy<Task<OutsideServer>> _server;

    /// <summary>Nothing is started yet.</summary>
    public Networks()
    {
        _networks = new()
        {
            [Store.Embedded] = new(() => StartAsync("--ephemeral")),
            [Store.Redis] = new(StartOnRedisAsync),
            [Store.Url] = new(() => Network.DiscoverAsync(
                Targets.ForeignSeed!, Environment.GetEnvironmentVariable(FileServer.UrlVariable), Environment.GetEnvironmentVariable(FileServer.KeyVariable),
                CommunityHost.Parse(Environment.GetEnvironmentVariable(CommunityHost.RoomVariable)))),
        };
        _server = new(async () => Own(await OutsideServer.StartAsync()));
    }

    /// <summary>A port on the started networks' allow-list where nobody listens.</summary>
    internal int DeadPort { get; } = Ports.Find(1);

    /// <summary>Skips a rule that needs a network in a special state, which only a network of its own can be in.</summary>
    internal static void RequireOwnNetwork(string why) =>
        Assert.SkipWhen(Targets.ForeignSeed is not null, $"Needs a network started for it ({why}); SESSION_SEED_URL names one that is not ours.");

    internal Task<Network> GetAsync(Store store) => _networks[store].Value;

    /// <summary>A server outside, to which the started networks may relay.</summary>
    internal Task<OutsideServer> GetServerAsync()
    {
        RequireOwnNetwork("one that may relay to a server of the test");
        return _server.Value;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var network in _networks.Values.Where(network => network is { IsValueCreated: true, Value.IsCompletedSuccessfully: true }))
            (await network.Value).Dispose();
        foreach (var started in Enumerable.Reverse(_started))
            await started.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    private async Task<Network> StartOnRedisAsync()
    {
        var redis = Own(await RedisServer.StartAsync());
        return await StartAsync($"--redis {redis.ConnectionString}");
    }

    private async Task<Network> StartAsync(string options)
    {
        var server = await _server.Value;
        var process = Own(await TestnetProcess.StartAsync(options: options, environment: new Dictionary<string, string>
        {
            ["SESSION_ServerRelay__AllowedHosts__0"] = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{server.Port}"),
            ["SESSION_ServerRelay__AllowedHosts__1"] = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{DeadPort}"),
            ["SESSION_ServerRelay__Timeout"] = "00:00:08", // waited out by one rule, and long enough for a busy machine
        }));
        return await Network.DiscoverAsync(
            process.Seed, process.Description.GetProperty("fileServerUrl").GetString(), process.Description.GetProperty("fileServerX25519").GetString(),
            new(new(process.Description.GetProperty("communityUrl").GetString()!), Convert.FromHexString(process.Description.GetProperty("communityX25519").GetString()!), null, new AdminDoor(process)));
    }

    private T Own<T>(T started)
        where T : IAsyncDisposable
    {
        lock (_started)
            _started.Add(started);
        return started;
    }
}
