using System.Security.Cryptography;
using Session.Orleans.Observability.Tests.Otlp;

namespace Session.Orleans.Observability.Tests;

/// <summary>What a collector gets of a request.</summary>
[Collection(SharedObservedNetwork.Name)]
public sealed class TraceTests(ObservedNetwork observed)
{
    private static readonly string[] SourceNames = ["Session.Orleans.Gateway", "Session.Orleans.Grains", "Session.Orleans.Storage"];

    [Fact]
    public async Task OnionStore_IsOneTrace_SpanBySpan()
    {
        var account = new TestAccount();
        var (trace, client) = (RandomHex(16), RandomHex(8));
        var (path, body, onion) = await ObservedNetwork.WrapAsync(observed.Network, account, account.Store(RandomNumberGenerator.GetBytes(500)));
        var reply = await ObservedNetwork.PostAsync(observed.Http, path[0], body, onion, $"00-{trace}-{client}-01");
        Assert.Equal(200, reply.Status);

        var spans = (await observed.Collector.WaitForAsync(
            all => all.Any(span => span.Trace == trace && span.Kind == 2), "the gateway's span arrives, which ends last")).Where(span => span.Trace == trace).ToArray();
        var chain = Chain(spans, "mailbox.append");
        Assert.Equal(
            ["POST /onion_req/v2", "session.hop", "session.hop", "session.hop", "session.hop", "session.storage_rpc", "session.mailbox", "mailbox.append"],
            chain.Select(span => span.Name));
        Assert.Equal(["mailbox.load"], spans.Except(chain).Select(span => span.Name)); // a new mailbox: its index was read once
        Assert.Equal(client, chain[0].Parent);
        Assert.All(spans, span => Assert.Contains(span.Scope, SourceNames));
        Assert.All(spans, span => Assert.False(span.HasFailed, span.ToString()));
        foreach (var (outer, inner) in chain.Zip(chain.Skip(1)))
        {
            Assert.Equal(outer.Id, inner.Parent);
            // One machine, one clock; but ends are computed from another clock, 100 µs apart at most.
            Assert.True(inner.Start + 100_000 >= outer.Start, $"{inner} starts before {outer}");
            Assert.True(inner.End <= outer.End + 100_000, $"{inner} ends after {outer}");
        }

        AssertAttributes(chain[0], ("http.request.method", "POST"), ("http.route", "/onion_req/v2"), ("http.response.status_code", "200"), ("session.node_index", $"{path[0].Index}"));
        for (var hop = 1; hop <= 4; hop++)
        {
            AssertAttributes(
                chain[hop], ("session.hop", $"{hop}"), ("session.node", path[hop - 1].Ed25519.ToString()[..8]), ("session.swarm", path[hop - 1].Swarm),
                ("session.instruction", hop == 4 ? "destination" : "node"), ("session.result", "ok"), ("session.status", "200"), ("session.fault", null));
        }

        AssertAttributes(
            chain[5], ("session.method", "store"), ("session.swarm", path[3].Swarm), ("session.node", path[3].Ed25519.ToString()[..8]),
            ("session.namespace", "messages"), ("session.result", "ok"), ("session.status", "200"));
        AssertAttributes(chain[6], ("session.method", "store"), ("session.namespace", "messages"), ("session.result", "ok"));
        AssertAttributes(chain[7], ("db.system.name", "redis"), ("db.operation.name", "EVALSHA"));
    }

    [Fact]
    public async Task RequestOfAnotherSwarm_TellsWhyItFailed()
    {
        var (account, trace) = (new TestAccount(), RandomHex(16));
        var stranger = await observed.Network.StrangerForAsync(account.Id);
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(stranger.Url, "/storage_rpc/v1"))
        {
            Content = new StringContent(account.Retrieve().ToJson()),
            Headers = { { "traceparent", $"00-{trace}-{RandomHex(8)}-01" } },
        };
        using var reply = await observed.Http.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(421, (int)reply.StatusCode);
        var spans = (await observed.Collector.WaitForAsync(all => all.Any(span => span.Trace == trace && span.Kind == 2), "the gateway's span arrives"))
            .Where(span => span.Trace == trace).ToArray();
        Assert.Equal(["POST /storage_rpc/v1", "session.storage_rpc"], spans.OrderBy(span => span.Kind == 2 ? 0 : 1).Select(span => span.Name));
        AssertAttributes(spans.Single(span => span.Kind != 2), ("session.result", "wrong_swarm"), ("session.method", "retrieve"));
    }

    [Fact]
    public async Task NoSpan_NamesAnAccountOrAnAddress()
    {
        var account = new TestAccount();
        var trace = RandomHex(16);
        _ = await observed.OnionAsync(account, account.Store("no span"u8.ToArray()), $"00-{trace}-{RandomHex(8)}-01");
        _ = await observed.OnionAsync(account, account.Retrieve(), $"00-{trace}-{RandomHex(8)}-01");
        var spans = await observed.Collector.WaitForAsync(all => all.Count(span => span.Trace == trace && span.Kind == 2) == 2, "both of the gateway's spans arrive");
        var key = account.Id.ToString()[2..18];
        Assert.All(spans, span =>
        {
            Assert.DoesNotContain(key, span.ToString(), StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain(ObservedNetwork.ClientAddress, span.ToString(), StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task LinkHopsOff_EachHopIsATraceOfItsOwn_AndUnsampledRequestsLeaveNothing()
    {
        await using var collector = await OtlpReceiver.StartAsync();
        using var network = await TestNetwork.StartAsync(nodes: 24, environment: new Dictionary<string, string>(collector.Environment)
        {
            ["SESSION_Telemetry__LinkHops"] = "false",
            ["SESSION_Telemetry__SamplingRatio"] = "0",
            ["SESSION_Telemetry__Metrics"] = "false",
        });
        await using var process = network.Process;
        var account = new TestAccount();
        var trace = RandomHex(16);

        var unsampled = await ObservedNetwork.WrapAsync(network, account, account.Store("unsampled"u8.ToArray()));
        Assert.Equal(200, (await ObservedNetwork.PostAsync(network.Http, unsampled.Path[0], unsampled.Body, unsampled.Request, null)).Status);
        var sampled = await ObservedNetwork.WrapAsync(network, account, account.Store("sampled"u8.ToArray()));
        Assert.Equal(200, (await ObservedNetwork.PostAsync(network.Http, sampled.Path[0], sampled.Body, sampled.Request, $"00-{trace}-{RandomHex(8)}-01")).Status);

        var spans = await collector.WaitForAsync(all => all.Any(span => span.Kind == 2), "the gateway's span arrives, which ends last");
        var gateway = Assert.Single(spans, span => span.Kind == 2); // of the sampled request alone
        Assert.Equal(trace, gateway.Trace);
        var hops = spans.Where(span => span.Name == "session.hop").OrderBy(span => span["session.hop"]).ToArray();
        Assert.Equal(["1", "2", "3", "4"], hops.Select(hop => hop["session.hop"]));
        Assert.All(hops, hop => Assert.Equal("", hop.Parent));
        Assert.Equal(5, hops.Select(hop => hop.Trace).Append(trace).Distinct().Count());
        Assert.Equal(hops.SkipLast(1).Prepend(gateway).Select(span => (span.Trace, span.Id)), hops.Select(hop => Assert.Single(hop.Links)));
        // What the destination does stays with it, and nothing else was made.
        var rest = spans.Except(hops).Where(span => span != gateway).ToArray();
        Assert.All(rest, span => Assert.Equal(hops[3].Trace, span.Trace));
        Assert.Equal(["mailbox.append", "session.mailbox", "session.storage_rpc"], rest.Select(span => span.Name).Order(StringComparer.Ordinal));

        using var metrics = await network.Http.GetAsync(new Uri(process.Admin, "/metrics"), TestContext.Current.CancellationToken);
        Assert.Equal(404, (int)metrics.StatusCode);
        process.AssertNoErrors();
    }

    private static void AssertAttributes(Span span, params IEnumerable<(string Name, string? Value)> expected) =>
        Assert.All(expected, attribute => Assert.Equal((attribute.Name, attribute.Value), (attribute.Name, span[attribute.Name])));

    /// <summary>The spans from the gateway's to the one with this name, each the parent of the next.</summary>
    private static List<Span> Chain(IReadOnlyCollection<Span> trace, string last)
    {
        List<Span> chain = [trace.Single(span => span.Name == last)];
        while (trace.SingleOrDefault(span => span.Id == chain[0].Parent) is { } parent)
            chain.Insert(0, parent);
        return chain;
    }

    private static string RandomHex(int bytes) => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(bytes));
}
