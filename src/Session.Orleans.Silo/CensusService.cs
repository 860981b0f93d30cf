using System.Diagnostics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Session.Orleans.Grains;
using Session.Orleans.Storage;
using StackExchange.Redis;

namespace Session.Orleans.Silo;

/// <summary>Has the store counted now and then, by one process of the cluster, for the metrics of what it holds.</summary>
internal sealed partial class CensusService(StoreCensus census, IOptions<TelemetryOptions> options, TimeProvider time, ILogger<CensusService> logger)
    : BackgroundService
{
    // The walk takes at most this share of the time, however much there is to count.
    private const double MostOfTheTime = 0.02;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var pause = options.Value.CensusInterval;
        while (!stoppingToken.IsCancellationRequested)
        {
            var startedAt = Stopwatch.GetTimestamp();
            try
            {
                if (await census.CountAsync(pause, stoppingToken))
                    pause = TimeSpan.FromTicks(Math.Max(options.Value.CensusInterval.Ticks, (long)(Stopwatch.GetElapsedTime(startedAt) / MostOfTheTime).Ticks));
            }
            catch (Exception exception) when (exception is RedisException or TimeoutException)
            {
                // The store may be restarting; the figures are missing until the next time.
                LogFailed(exception);
            }

            await Task.Delay(pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    [LoggerMessage(EventId = 4001, Level = LogLevel.Warning, Message = "The store could not be counted")]
    private partial void LogFailed(Exception exception);
}
