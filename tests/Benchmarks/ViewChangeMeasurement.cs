using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Session.Orleans.Contracts;
using Session.Orleans.Grains.Network;
using Session.Orleans.Silo;
using Embedded = Session.Orleans.EmbeddedStore.EmbeddedStore;

namespace Session.Orleans.Benchmarks;

/// <summary>
/// How long a change of the network takes from the order until every silo decides by it, with the network grain on any of the silos: three
/// silos with 500 nodes in this process, which talk over sockets as silos of several machines do.
/// </summary>
internal static class ViewChangeMeasurement
{
    /// <summary>The first argument that starts this instead of a benchmark.</summary>
    public const string Name = "view-changes";

    private const int Silos = 3;
    private const int WarmUp = 20; // of the code, not of the network
    private const int Changes = 200;
    private const int Nodes = 500;

    /// <summary>Prints the times over all changes.</summary>
    public static async Task RunAsync()
    {
        await using var store = Embedded.Start(new() { Port = 0 });
        var apps = new List<WebApplication>();
        for (var i = 0; i < Silos; i++)
            apps.Add(await StartAsync(store.ConnectionString));
        var views = apps.ConvertAll(app => app.Services.GetRequiredService<NetworkViewSource>());
        foreach (var view in views)
            await view.WaitForFirstAsync(CancellationToken.None);

        var times = new List<double>();
        for (var change = 0; change < WarmUp + Changes; change++)
        {
            // Orders come from each silo in turn; every fourth one changes the node table, the others a fault.
            var network = apps[change % Silos].Services.GetRequiredService<IGrainFactory>().GetGrain<INetworkGrain>("testnet");
            var before = views.Max(view => view.Current!.State.Version);
            var watch = Stopwatch.StartNew();
            var ordered = (change % 4) switch
            {
                0 => network.OrderAsync(change % 8 == 0 ? NodeOrderKind.Decommission : NodeOrderKind.Recommission, [7]),
                1 => network.AddFaultsAsync([new() { Kind = FaultKind.Latency, Nodes = [change % Nodes], Delay = TimeSpan.FromMilliseconds(5) }]),
                2 => network.RemoveFaultsAsync([]),
                _ => (Task)network.StepAsync(1),
            };
            while (!views.TrueForAll(view => view.Current!.State.Version > before))
            {
                if (watch.Elapsed > TimeSpan.FromSeconds(30))
                    throw new TimeoutException("A silo never saw the change.");
                await Task.Yield();
            }

            if (change >= WarmUp)
                times.Add(watch.Elapsed.TotalMilliseconds);
            await ordered;
        }

        times.Sort();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{Changes} changes, {Silos} silos, {Nodes} nodes: p50 {times[Changes / 2]:0.0} ms, p99 {times[Changes * 99 / 100]:0.0} ms, most {times[^1]:0.0} ms"));
        foreach (var app in apps)
            await app.DisposeAsync();
    }

    private static async Task<WebApplication> StartAsync(string redis)
    {
        var ports = FreePorts(4);
        var app = await SiloHost.BuildAsync(new Dictionary<string, string?>
        {
            ["Network:Nodes"] = Text(Nodes),
            ["Network:BlockTime"] = "01:00:00",
            ["Network:Secret"] = "the secret of the measurement",
            ["Gateway:SeedPort"] = Text(ports[0]),
            ["Gateway:AdminPort"] = Text(ports[1]),
            ["Gateway:NodePortBase"] = Text(ports[2]),
            ["Gateway:NodePorts"] = "1",
            ["Gateway:OmqEnabled"] = "false",
            ["Gateway:FilePort"] = "0",
            ["Gateway:CommunityPort"] = "0",
            ["Silo:Port"] = Text(ports[3]),
            ["Silo:Redis"] = redis,
            ["Logging:LogLevel:Default"] = "None",
        });
        await app.StartAsync();
        return app;

        static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
    }

    private static int[] FreePorts(int count)
    {
        var listeners = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToArray();
        foreach (var listener in listeners)
            listener.Start();
        var ports = Array.ConvertAll(listeners, listener => ((IPEndPoint)listener.LocalEndpoint).Port);
        foreach (var listener in listeners)
            listener.Dispose();
        return ports;
    }
}
