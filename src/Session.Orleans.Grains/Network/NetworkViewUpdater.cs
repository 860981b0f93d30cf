using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Session.Orleans.Grains.Mailboxes;

namespace Session.Orleans.Grains.Network;

/// <summary>
/// Keeps the silo's view current: configures the network at start, listens for changes, and renews the subscription often enough to
/// notice a lost one.
/// </summary>
internal sealed partial class NetworkViewUpdater(
    IGrainFactory grains, NetworkViewSource source, NetworkKeys keys, IOptions<NetworkOptions> options,
    ClusterChanges cluster, IHostApplicationLifetime lifetime, NetworkMetrics metrics, TimeProvider time, ILogger<NetworkViewUpdater> logger) : BackgroundService, INetworkObserver
{
    // A grain that has just moved to another silo knows no observers: until they renew, they hear of nothing.
    private static readonly TimeSpan RenewPeriod = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RetryPeriod = TimeSpan.FromMilliseconds(200);

    public Task ChangedAsync(NetworkState state)
    {
        Offer(state);
        return Task.CompletedTask;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var network = grains.GetGrain<INetworkGrain>(options.Value.Name);
        var self = grains.CreateObjectReference<INetworkObserver>(this);
        var configured = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            var pause = RenewPeriod;
            try
            {
                if (!configured)
                    Offer(await network.ConfigureAsync(ToPlan(options.Value)));
                configured = true;
                if (await network.SubscribeAsync(self, source.Current?.State.Version ?? 0) is { } state)
                    Offer(state);
            }
            catch (NetworkPlanException exception)
            {
                LogPlanRefused(exception.Message);
                source.Fail(exception);
                // Not before the start is over: one that is stopped in the middle is logged as a failure by all who take part in it.
                _ = lifetime.ApplicationStarted.Register(lifetime.StopApplication);
                return;
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                // The silo that ran the network grain may just have died; the next call activates it elsewhere.
                metrics.Failed();
                LogRenewFailed(exception);
                pause = RetryPeriod;
            }

            await Task.Delay(pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static NetworkPlan ToPlan(NetworkOptions options) =>
        new(options.Nodes, options.SwarmSize, options.BlockTime, options.HardForkMajor, options.HardForkRevision, options.ChainSpeed);

    private void Offer(NetworkState state)
    {
        if (!source.Offer(state, (next, previous) => NetworkView.Create(next, previous, keys, options.Value, grains, time.GetUtcNow())))
            return;
        cluster.StoreEpoch = source.Current!.State.StoreEpoch;
        metrics.Changed();
    }

    [LoggerMessage(EventId = 2011, Level = LogLevel.Critical, Message = "{Reason}")]
    private partial void LogPlanRefused(string reason);

    [LoggerMessage(EventId = 2012, Level = LogLevel.Warning, Message = "The network grain did not answer; trying again")]
    private partial void LogRenewFailed(Exception exception);
}
