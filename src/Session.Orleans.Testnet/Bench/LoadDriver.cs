using System.Diagnostics;
using System.Net.Security;
using HdrHistogram;

namespace Session.Orleans.Testnet.Bench;

/// <summary>What was measured over a number of requests.</summary>
internal sealed record DriverResult(int Requests, TimeSpan Elapsed, TimeSpan ServerCpu, TimeSpan ClientCpu, LongHistogram Latency, int ReplyLength)
{
    public double ServerCpuMicroseconds => ServerCpu.TotalMicroseconds / Requests;

    public double RequestsPerSecond => Requests / Elapsed.TotalSeconds;

    /// <summary>Several rounds as one.</summary>
    public static DriverResult Join(IReadOnlyList<DriverResult> rounds)
    {
        var joined = rounds[0] with { Latency = (LongHistogram)rounds[0].Latency.Copy() };
        foreach (var round in rounds.Skip(1))
        {
            joined.Latency.Add(round.Latency);
            joined = joined with
            {
                Requests = joined.Requests + round.Requests,
                Elapsed = joined.Elapsed + round.Elapsed,
                ServerCpu = joined.ServerCpu + round.ServerCpu,
                ClientCpu = joined.ClientCpu + round.ClientCpu,
            };
        }

        return joined;
    }
}

/// <summary>Sends requests over HTTPS with keep-alive, a fixed number at a time, each worker waiting for one answer before it asks again.</summary>
/// <param name="network">The network; not owned.</param>
/// <param name="connectionsPerNode">
/// Most connections to each node; a request beyond waits for one. For an open loop: without a bound each moment that the processors are late opens more of
/// them, and a handshake costs more than a request, so that beyond a point that nobody has chosen nothing but handshakes would be measured.
/// </param>
internal sealed class LoadDriver(BenchNetwork network, int connectionsPerNode = int.MaxValue) : IDisposable
{
    // Signed requests live for a minute: this many are made and sent within it.
    private const int BatchSize = 5000;
    private static readonly TimeSpan BatchLimit = TimeSpan.FromMinutes(3);
    private const int OpenLoopWorkers = 64; // whose guards the requests of an open loop use in turn

    private readonly HttpMessageInvoker _http = new(new SocketsHttpHandler
    {
#pragma warning disable CA5359 // service nodes have self-signed certificates by design
        SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = static (_, _, _, _) => true },
#pragma warning restore CA5359
        PooledConnectionIdleTimeout = TimeSpan.FromSeconds(90), // before the server closes them
        MaxConnectionsPerServer = connectionsPerNode,
        ActivityHeadersPropagator = null,
        AllowAutoRedirect = false,
        UseCookies = false,
        UseProxy = false,
    });

    /// <summary>Sends <paramref name="count"/> requests and checks every answer.</summary>
    /// <exception cref="CommandException">An answer is wrong, or none came.</exception>
    public async Task<DriverResult> RunAsync(Workload workload, int concurrency, int count, CancellationToken cancellationToken)
    {
        var latency = new LongHistogram(OpenLoop.MaxLatencyMicroseconds, 3);
        var (elapsed, serverCpu, clientCpu, replyLength) = (TimeSpan.Zero, TimeSpan.Zero, TimeSpan.Zero, 0);
        for (var done = 0; done < count; done += BatchSize)
        {
            var queues = Build(workload, concurrency, Math.Min(BatchSize, count - done));
            var batch = await RunBatchAsync(workload, queues, latency, cancellationToken);
            (elapsed, serverCpu, clientCpu) = (elapsed + batch.Elapsed, serverCpu + batch.ServerCpu, clientCpu + batch.ClientCpu);
            Check(workload, queues);
            replyLength = queues[0][0].Reply.Length;
        }

        return new(count, elapsed, serverCpu, clientCpu, latency, replyLength);
    }

    /// <summary>Sends requests that are not measured, few at a time: of large answers a busy machine gives less than a batch while its signatures live.</summary>
    public async Task PrepareAsync(Workload workload, int concurrency, int count, CancellationToken cancellationToken)
    {
        const int Step = 250;
        for (var sent = 0; sent < count; sent += Step)
            _ = await RunAsync(workload, concurrency, Math.Min(Step, count - sent), cancellationToken);
    }

    /// <summary>Sends requests until the server's CPU time per request no longer falls: its code is compiled and its mailboxes are loaded.</summary>
    /// <returns>What the last step measured.</returns>
    public async Task<DriverResult> WarmUpAsync(Workload workload, int concurrency, int least, CancellationToken cancellationToken)
    {
        var step = Math.Min(1000, least);
        const double Stable = 0.95;
        DriverResult? last = null;
        for (var sent = step; ; sent += step)
        {
            var result = await RunAsync(workload, concurrency, step, cancellationToken);
            var stable = last is not null && result.ServerCpu > Stable * last.ServerCpu;
            if (sent >= least && (stable || sent >= 3 * least))
                return result;
            last = result;
        }
    }

    /// <summary>
    /// Sends requests at random moments, whether or not earlier ones have been answered, and counts each latency from the moment that the schedule
    /// says: time that a request waits for the driver, or for a connection, is in it.
    /// </summary>
    /// <param name="workload">The requests.</param>
    /// <param name="perSecond">Mean rate.</param>
    /// <param name="duration">How long.</param>
    /// <param name="cancellationToken">Ends the run.</param>
    public async Task<DriverResult> RunOpenAsync(Workload workload, double perSecond, TimeSpan duration, CancellationToken cancellationToken)
    {
        var random = new Random(1);
        var rounds = new List<DriverResult>();
        for (var left = (int)(perSecond * duration.TotalSeconds); left > 0; left -= BatchSize)
        {
            var queues = Build(workload, OpenLoopWorkers, Math.Min(BatchSize, left));
            BenchRequest[] requests = [.. Enumerable.Range(0, queues.Max(queue => queue.Length)).SelectMany(i => queues.Where(queue => i < queue.Length).Select(queue => queue[i]))];
            GC.Collect(); // building made garbage, which is not the requests' fault
            rounds.Add(await SendOnScheduleAsync(requests, perSecond, random, cancellationToken));
            Check(workload, queues);
        }

        return DriverResult.Join(rounds);
    }

    /// <summary>Opens so many connections to each node, by as many requests at once.</summary>
    public Task OpenConnectionsAsync(Workload workload, int perNode, CancellationToken cancellationToken)
    {
        var all = perNode * network.Description.Nodes.Count;
        return RunAsync(workload, all, 2 * all, cancellationToken);
    }

    public void Dispose() => _http.Dispose();

    private async Task<DriverResult> SendOnScheduleAsync(BenchRequest[] requests, double perSecond, Random random, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(BatchLimit);
        var (server, client, start) = (network.CpuTime, Environment.CpuUsage.TotalTime, Stopwatch.GetTimestamp());
        long[] latencies;
        try
        {
            latencies = await OpenLoop.RunAsync(requests.Length, perSecond, random, next => SendAsync(requests[next], limit.Token), limit.Token);
        }
        catch (HttpRequestException exception)
        {
            throw new CommandException(ExitCodes.CheckFailed, $"A node can't be reached: {exception.Message} {network.Complaints}");
        }

        return new(
            requests.Length, Stopwatch.GetElapsedTime(start), network.CpuTime - server, Environment.CpuUsage.TotalTime - client, latencies.ToHistogram(),
            requests[0].Reply.Length);
    }

    private static BenchRequest[][] Build(Workload workload, int concurrency, int count)
    {
        var now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        var queues = new BenchRequest[Math.Min(concurrency, count)][];
        for (var worker = 0; worker < queues.Length; worker++)
        {
            queues[worker] = new BenchRequest[(count / queues.Length) + (worker < count % queues.Length ? 1 : 0)];
            for (var i = 0; i < queues[worker].Length; i++)
                queues[worker][i] = workload.Build(worker, now);
        }

        return queues;
    }

    private async Task<(TimeSpan Elapsed, TimeSpan ServerCpu, TimeSpan ClientCpu)> RunBatchAsync(
        Workload workload, BenchRequest[][] queues, LongHistogram latency, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(BatchLimit);
        GC.Collect(); // building made garbage, which is not the requests' fault
        var histograms = Array.ConvertAll(queues, _ => new LongHistogram(OpenLoop.MaxLatencyMicroseconds, 3));
        try
        {
            var (server, client, watch) = (network.CpuTime, Environment.CpuUsage.TotalTime, Stopwatch.StartNew());
            await Task.WhenAll(queues.Select((queue, worker) => Task.Run(() => SendAsync(queue, histograms[worker], limit.Token), limit.Token)));
            var result = (watch.Elapsed, network.CpuTime - server, Environment.CpuUsage.TotalTime - client);
            foreach (var histogram in histograms)
                latency.Add(histogram);
            return result;
        }
        catch (HttpRequestException exception)
        {
            throw new CommandException(ExitCodes.CheckFailed, $"{workload.Name}: a node can't be reached: {exception.Message} {network.Complaints}");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CommandException(ExitCodes.CheckFailed, $"{workload.Name}: the network did not answer within {BatchLimit.TotalMinutes} minutes.");
        }
    }

    private async Task SendAsync(BenchRequest[] queue, LongHistogram latency, CancellationToken cancellationToken)
    {
        foreach (var request in queue)
        {
            var start = Stopwatch.GetTimestamp();
            await SendAsync(request, cancellationToken).ConfigureAwait(false);
            latency.RecordValue(Math.Clamp((long)Stopwatch.GetElapsedTime(start).TotalMicroseconds, 1, OpenLoop.MaxLatencyMicroseconds));
        }
    }

    private async Task SendAsync(BenchRequest request, CancellationToken cancellationToken)
    {
        using var message = new HttpRequestMessage(HttpMethod.Post, request.Url) { Content = request.Content };
        using var response = await _http.SendAsync(message, cancellationToken).ConfigureAwait(false);
        request.Reply = await response.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
        request.Status = (int)response.StatusCode;
    }

    private static void Check(Workload workload, BenchRequest[][] queues)
    {
        foreach (var queue in queues)
        {
            foreach (var request in queue)
            {
                if (workload.Check(request) is { } wrong)
                    throw new CommandException(ExitCodes.CheckFailed, $"{workload.Name}: a reply is wrong: {wrong}");
            }
        }
    }
}
