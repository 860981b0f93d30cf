using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Session.Orleans.Grains.Network;
using Session.Orleans.Silo;

namespace Session.Orleans.Cluster.Tests;

/// <summary>A whole host in this process: silo, gateway, HTTPS ports.</summary>
internal sealed class TestSilo : IAsyncDisposable
{
    public const int Nodes = 16;
    public const int SwarmSize = 5;
    public const string Secret = "the secret of the cluster tests";
    public static readonly TimeSpan BlockTime = TimeSpan.FromMilliseconds(500);

    private readonly WebApplication _app;

    private TestSilo(WebApplication app, int ports)
    {
        _app = app;
        Seed = new($"https://127.0.0.1:{ports.ToString(CultureInfo.InvariantCulture)}");
    }

    public Uri Seed { get; }

    public IServiceProvider Services => _app.Services;

    public IGrainFactory Grains => Services.GetRequiredService<IGrainFactory>();

    public NetworkView View => Services.GetRequiredService<NetworkViewSource>().Current!;

    public SiloAddress Address => Services.GetRequiredService<ILocalSiloDetails>().SiloAddress;

    public static async Task<TestSilo> StartAsync(string clusterId, string redis, Action<WebApplicationBuilder>? configure = null)
    {
        var ports = Ports.Find(4 + Nodes);
        var app = await SiloHost.BuildAsync(new Dictionary<string, string?>
        {
            ["Network:Nodes"] = Text(Nodes),
            ["Network:SwarmSize"] = Text(SwarmSize),
            ["Network:BlockTime"] = BlockTime.ToString("c", CultureInfo.InvariantCulture),
            ["Network:Secret"] = Secret,
            ["Network:NodePortBase"] = Text(ports + 3),
            ["Gateway:SeedPort"] = Text(ports),
            ["Gateway:AdminPort"] = Text(ports + 1),
            ["Gateway:FilePort"] = Text(ports + 3 + Nodes),
            ["Gateway:NodePortBase"] = Text(ports + 3),
            ["Gateway:NodePorts"] = Text(Nodes),
            ["Gateway:OmqEnabled"] = "false",
            ["Silo:Port"] = Text(ports + 2),
            ["Silo:ClusterId"] = clusterId,
            ["Silo:Redis"] = redis,
            ["Logging:LogLevel:Default"] = "None",
        }, configure);
        await app.StartAsync();
        var silo = new TestSilo(app, ports);
        await app.Services.GetRequiredService<NetworkViewSource>().WaitForFirstAsync(CancellationToken.None).WaitAsync(Wait.Limit);
        return silo;
    }

    /// <summary>Stops as on SIGTERM: finishes what it does and hands over.</summary>
    public Task StopAsync() => _app.StopAsync();

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
