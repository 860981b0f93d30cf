namespace Session.Orleans.EndToEnd.Tests;

/// <summary>One network for all tests that keep to accounts of their own, and a server outside that it may relay to.</summary>
public sealed class NetworkFixture : IAsyncLifetime
{
    private readonly TemporaryFolder _folder = new();

    internal TestNetwork Network { get; private set; } = null!;

    internal OutsideServer Server { get; private set; } = null!;

    /// <summary>A port on the allow-list where nobody listens.</summary>
    internal int DeadPort { get; } = Ports.Find(1);

    public async ValueTask InitializeAsync()
    {
        Server = await OutsideServer.StartAsync();
        Network = await TestNetwork.StartAsync(_folder.Path, environment: new Dictionary<string, string>
        {
            ["SESSION_ServerRelay__AllowedHosts__0"] = $"127.0.0.1:{Server.Port}",
            ["SESSION_ServerRelay__AllowedHosts__1"] = $"127.0.0.1:{DeadPort}",
            ["SESSION_ServerRelay__Timeout"] = "00:00:08", // waited out by one test, and long enough for a busy machine
        });
    }

    public async ValueTask DisposeAsync()
    {
        if (Network is not null)
        {
            Network.Dispose();
            await Network.Process.DisposeAsync();
        }

        if (Server is not null)
            await Server.DisposeAsync();
        _folder.Dispose();
    }
}

/// <summary>Test classes on the shared network.</summary>
[CollectionDefinition(Name)]
public sealed class SharedNetwork : ICollectionFixture<NetworkFixture>
{
    public const string Name = "shared network";
}
