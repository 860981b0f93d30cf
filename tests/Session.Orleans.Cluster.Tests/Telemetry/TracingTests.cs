using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using Session.Orleans.Client;
using Session.Orleans.Gateway;
using Session.Orleans.Grains;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;
using Session.Orleans.Protocol.StorageRpc;
using Session.Orleans.Storage;

namespace Session.Orleans.Cluster.Tests.Telemetry;

public sealed class TracingTests(TestCluster cluster)
{
    private const string GatewaySpan = "POST /onion_req/v2";

    [Fact]
    public async Task OnionStore_OverHopsOnSeveralSilos_IsOneNestedTrace()
    {
        using var recorder = new Recorder();
        var account = Ed25519KeyPair.Generate().SessionId;
        var (path, destination) = await WayOverSeveralSilosAsync(account);
        var client = new ActivityContext(ActivityTraceId.CreateRandom(), ActivitySpanId.CreateRandom(), ActivityTraceFlags.Recorded);
        await PostStoreAsync(path, destination, account, client);

        var trace = await recorder.TraceAsync(client.TraceId);
        var chain = Chain(trace);
        Assert.Equal(
            [GatewaySpan, "hop 1", "hop 2", "hop 3", "hop 4", GrainsTelemetry.RpcSpan, GrainsTelemetry.MailboxSpan, StorageTelemetry.Append],
            chain.Select(NameOf));
        Assert.Equal(client.SpanId, chain[0].ParentSpanId);
        foreach (var (outer, inner) in chain.Zip(chain.Skip(1)))
        {
            Assert.Equal(outer.SpanId, inner.ParentSpanId);
            // Both clocks are this machine's, but a span's times are taken a few ticks beside each other.
            Assert.True(inner.StartTimeUtc >= outer.StartTimeUtc - Tick, $"{NameOf(inner)} starts before {NameOf(outer)}");
            Assert.True(inner.StartTimeUtc + inner.Duration <= outer.StartTimeUtc + outer.Duration + Tick, $"{NameOf(inner)} ends after {NameOf(outer)}");
        }

        // Reading the new mailbox's index is the only other thing that had to be done.
        Assert.Equal([StorageTelemetry.Load], trace.Except(chain).Select(NameOf));
        Assert.Equal(
            path.Hops.Append(destination).Select(node => node.ShortId),
            chain.Where(span => span.OperationName == GrainsTelemetry.HopSpan).Select(span => span.GetTagItem(GrainsTelemetry.Node)));
    }

    [Fact]
    public async Task Spans_OfAnyRequest_NeverNameTheAccount()
    {
        using var recorder = new Recorder();
        var account = Ed25519KeyPair.Generate().SessionId;
        var (path, destination) = await cluster.AnyClient.WayToAsync(account);
        var client = new ActivityContext(ActivityTraceId.CreateRandom(), ActivitySpanId.CreateRandom(), ActivityTraceFlags.Recorded);
        await PostStoreAsync(path, destination, account, client);
        using (cluster.Store.Fail(account, StoreFault.Refuse))
            await PostStoreAsync(path, destination, account, client);

        var key = account.ToString()[2..];
        foreach (var span in await recorder.TraceAsync(client.TraceId, roots: 2))
        {
            var texts = span.TagObjects.Select(tag => Convert.ToString(tag.Value, CultureInfo.InvariantCulture))
                .Append(span.DisplayName).Append(span.StatusDescription);
            Assert.All(texts, text => Assert.DoesNotContain(key[..16], text ?? "", StringComparison.OrdinalIgnoreCase));
        }
    }

    [Fact]
    public async Task RequestsAtTheSameTime_HaveTracesOfTheirOwn()
    {
        using var recorder = new Recorder();
        var account = Ed25519KeyPair.Generate().SessionId;
        var (path, destination) = await WayOverSeveralSilosAsync(account);
        var clients = Enumerable.Range(0, 12)
            .Select(_ => new ActivityContext(ActivityTraceId.CreateRandom(), ActivitySpanId.CreateRandom(), ActivityTraceFlags.Recorded)).ToArray();
        await Task.WhenAll(clients.Select(client => PostStoreAsync(path, destination, account, client)));
        foreach (var client in clients)
            Assert.Equal(8, Chain(await recorder.TraceAsync(client.TraceId)).Count);
    }

    [Fact]
    public async Task RequestWithoutTraceparent_StartsATrace()
    {
        using var recorder = new Recorder();
        var account = Ed25519KeyPair.Generate().SessionId;
        var (path, destination) = await cluster.AnyClient.WayToAsync(account);
        await recorder.IdleAsync();
        recorder.Forget();
        await PostStoreAsync(path, destination, account, parent: null);
        var root = await recorder.RootAsync();
        Assert.Equal(default, root.ParentSpanId);
        Assert.Equal(8, Chain(await recorder.TraceAsync(root.TraceId)).Count);
    }

    [Fact]
    public async Task StorageRpcWithoutAnOnion_IsOneTraceToo()
    {
        using var recorder = new Recorder();
        var account = Ed25519KeyPair.Generate().SessionId;
        var (_, destination) = await cluster.Clients[0].WayToAsync(account);
        var node = cluster.Clients[0].Pool.Single(one => one.Ed25519 == destination.Ed25519);
        var client = new ActivityContext(ActivityTraceId.CreateRandom(), ActivitySpanId.CreateRandom(), ActivityTraceFlags.Recorded);
        await PostAsync(new(node.Url, "/storage_rpc/v1"), StorageRequestWriter.ToArray(StoreRequest(account)), client);
        var trace = await recorder.TraceAsync(client.TraceId);
        Assert.Equal(
            ["POST /storage_rpc/v1", GrainsTelemetry.RpcSpan, GrainsTelemetry.MailboxSpan, StorageTelemetry.Append], Chain(trace).Select(NameOf));
    }

    [Fact]
    public async Task NobodyListens_NoSpanIsMadeAndNothingIsCarried()
    {
        var account = Ed25519KeyPair.Generate().SessionId;
        var seen = new ConcurrentQueue<(Activity? Activity, int Carried)>();
        cluster.Store.OnAppend(account, () => seen.Enqueue((Activity.Current, RequestContext.Entries.Count())));
        await cluster.AnyClient.StoreAsync(account, "anything");
        Assert.Equal((null, 0), Assert.Single(seen));
    }

    [Fact]
    public void NobodyListens_StartingSpansAllocatesNothing()
    {
        Assert.False(GrainsTelemetry.Source.HasListeners());
        GrainsTelemetry.Source.StartInGrain("warm up").Carry();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
            GrainsTelemetry.Source.StartInGrain(GrainsTelemetry.HopSpan).Carry()?.Dispose();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static TimeSpan Tick => TimeSpan.FromMilliseconds(0.1);

    /// <summary>The spans from the gateway's to the append, each the parent of the next.</summary>
    private static List<Activity> Chain(IReadOnlyCollection<Activity> trace)
    {
        List<Activity> chain = [trace.Single(span => span.OperationName == StorageTelemetry.Append)];
        while (trace.SingleOrDefault(span => span.SpanId == chain[0].ParentSpanId) is { } parent)
            chain.Insert(0, parent);
        return chain;
    }

    private static string NameOf(Activity span) =>
        span.OperationName == GrainsTelemetry.HopSpan ? $"hop {span.GetTagItem(GrainsTelemetry.HopNumber)}" : span.OperationName;

    /// <summary>A path to the account's swarm on which each grain but the guard is called from another silo if that can be had.</summary>
    private async Task<(OnionPath Path, SnodeAddress Destination)> WayOverSeveralSilosAsync(AccountId account)
    {
        var client = cluster.Clients[0];
        Dictionary<string, SiloAddress> places = [];
        await Wait.UntilAsync(
            async () =>
            {
                foreach (var one in cluster.Clients)
                    await one.StoreAsync(Ed25519KeyPair.Generate().SessionId, "warm up");
                places = await cluster.PlacesOfAsync("service-node");
                return places.Values.Distinct().Count() > 1 && places.Count == TestSilo.Nodes;
            },
            "service nodes live on several silos");
        var destination = (await client.WayToAsync(account)).Destination;
        var rest = client.Pool.Where(node => node.Ed25519 != destination.Ed25519)
            .GroupBy(node => places[node.Ed25519.ToString()]).Select(group => group.ToArray()).OrderByDescending(group => group.Length).ToArray();
        var path = new OnionPath([rest[0][0], rest[1][0], rest[0][1]]);
        Assert.Equal(2, path.Hops.Select(hop => places[hop.Ed25519.ToString()]).Distinct().Count());
        return (path, destination);
    }

    private StoreRequest StoreRequest(AccountId account) => new()
    {
        Account = account, Timestamp = cluster.Clock.NowMs, Expiry = cluster.Clock.NowMs + 100_000,
        Data = Encoding.UTF8.GetBytes(Guid.NewGuid().ToString()),
    };

    private Task PostStoreAsync(OnionPath path, SnodeAddress destination, AccountId account, ActivityContext? parent)
    {
        var onion = OnionRequestBuilder.BuildToNode(path.To(destination), OnionCipher.XChaCha20, StorageRequestWriter.ToArray(StoreRequest(account)));
        return PostAsync(new(path.Guard.Url, "/onion_req/v2"), onion.HttpBody, parent);
    }

    private async Task PostAsync(Uri url, byte[] body, ActivityContext? parent)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        if (parent is { } context)
            request.Headers.Add("traceparent", $"00-{context.TraceId}-{context.SpanId}-01");
        using var response = await cluster.Clients[0].Http.SendAsync(request);
        Assert.True(response.IsSuccessStatusCode, response.StatusCode.ToString());
    }

    /// <summary>Listens to this project's spans, and to no other's, in all silos.</summary>
    private sealed class Recorder : IDisposable
    {
        private static readonly string[] Sources = [GatewayTelemetry.SourceName, GrainsTelemetry.SourceName, StorageTelemetry.SourceName];

        private readonly ConcurrentQueue<Activity> _stopped = new();
        private readonly ActivityListener _listener;
        private int _running;

        public Recorder()
        {
            _listener = new()
            {
                ShouldListenTo = source => Sources.Contains(source.Name),
                Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
                ActivityStarted = _ => Interlocked.Increment(ref _running),
                ActivityStopped = activity =>
                {
                    _stopped.Enqueue(activity);
                    Interlocked.Decrement(ref _running);
                },
            };
            ActivitySource.AddActivityListener(_listener);
        }

        public void Forget() => _stopped.Clear();

        public Task<TimeSpan> IdleAsync() => Wait.UntilAsync(() => Volatile.Read(ref _running) == 0, "all spans have ended");

        /// <summary>The spans of a trace once the gateway's, which ends last, has ended.</summary>
        public async Task<IReadOnlyCollection<Activity>> TraceAsync(ActivityTraceId trace, int roots = 1)
        {
            await Wait.UntilAsync(() => Spans().Count(span => span.Kind is ActivityKind.Server) == roots, "the gateway's span has ended");
            return Spans();

            Activity[] Spans() => [.. _stopped.Where(span => span.TraceId == trace)];
        }

        /// <summary>The gateway's only span.</summary>
        public async Task<Activity> RootAsync()
        {
            await Wait.UntilAsync(() => _stopped.Any(span => span.Kind is ActivityKind.Server), "the gateway's span has ended");
            return _stopped.Single(span => span.Kind is ActivityKind.Server);
        }

        public void Dispose() => _listener.Dispose();
    }
}
