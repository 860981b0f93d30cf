using System.Net;

namespace Session.Orleans.Observability.Tests;

/// <summary>Where metrics are, and how many series they can become.</summary>
[Collection(SharedObservedNetwork.Name)]
public sealed class MetricsTests(ObservedNetwork observed)
{
    private const int MostSeries = 200;

    [Fact]
    public async Task Metrics_AreAtTheAdminPort_AndNowhereElse()
    {
        var process = observed.Network.Process;
        Assert.NotEmpty((await Exposition.ReadAsync(observed.Network.Http, process.Admin)).Types); // without a token
        foreach (var other in (Uri[])[process.Seed, observed.Network.Nodes[0].Url, new(process.Description.GetProperty("fileServerUrl").GetString()!), new(process.Description.GetProperty("communityUrl").GetString()!)])
        {
            using var reply = await observed.Network.Http.GetAsync(new Uri(other, "/metrics"), TestContext.Current.CancellationToken);
            Assert.NotEqual(HttpStatusCode.OK, reply.StatusCode);
        }
    }

    [Fact]
    public async Task Metrics_LeaveOverOtlpToo() =>
        await Wait.UntilAsync(() => observed.Collector.MetricExports > 0, "metrics arrive at the collector");

    /// <summary>Accounts, nodes, rooms, files, methods and statuses of many kinds: none of it may become a tag's value without bound.</summary>
    [Fact]
    public async Task Instruments_AfterMixedTraffic_StayBelow200Series()
    {
        var demo = TestnetProcess.RunAsync($"demo --data \"{observed.Network.Process.Directory}\"");
        var traffic = Enumerable.Range(0, 60).Select(async i =>
        {
            var account = new TestAccount();
            var node = observed.Network.Nodes[i % observed.Network.Nodes.Count];
            _ = await observed.OnionAsync(account, account.Store(new byte[100 + i], (short)((i * 7) - 200)));
            _ = await observed.OnionAsync(account, account.Retrieve((short)i));
            using var unknown = await observed.Http.PostAsync(new Uri(node.Url, "/storage_rpc/v1"), new StringContent($$$"""{"method":"method_{{{i}}}","params":{}}"""));
            using var path = await observed.Http.GetAsync(new Uri(node.Url, $"/path/{i}"));
            using var verb = await observed.Http.SendAsync(new(new HttpMethod($"VERB{i}"), new Uri(node.Url, "/onion_req/v2")));
            var files = observed.Network.Process.Description.GetProperty("fileServerUrl").GetString();
            using var file = await observed.Http.GetAsync(new Uri($"{files}/file/{account.Id}"));
            using var room = await observed.Http.GetAsync(new Uri($"{observed.Network.Process.Description.GetProperty("communityUrl").GetString()}/room/room{i}/{i}"));
            using var admin = await observed.Http.GetAsync(new Uri(observed.Network.Process.Admin, $"/v1/nodes/{i}"));
        });
        await Task.WhenAll(traffic);
        Assert.Equal(0, (await demo).ExitCode);

        var metrics = await Exposition.ReadAsync(observed.Network.Http, observed.Network.Process.Admin);
        Assert.True(metrics.Types.Count > 60, "Most instruments are missing.");
        Assert.All(metrics.Types.Keys, family => Assert.True(metrics.SeriesOf(family) <= MostSeries, $"{family} has {metrics.SeriesOf(family)} series."));
    }
}
