using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Session.Orleans.Storage.Files;

namespace Session.Orleans.Gateway.Files;

/// <summary>
/// Removes what has expired. Every silo does so: removing twice does no harm, and there is none whose death would end it. What is expired can't be
/// read any more, removed or not.
/// </summary>
internal sealed partial class FileCleaner(FileStore files, IOptions<FilesOptions> options, TimeProvider time, ILogger<FileCleaner> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Value.CleanUpInterval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                var removed = await files.CleanUpAsync(stoppingToken);
                if (removed > 0)
                    LogRemoved(removed);
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                // The store may be restarting; what is left is found the next time.
                LogFailed(exception);
            }
        }
    }

    [LoggerMessage(EventId = 3201, Level = LogLevel.Debug, Message = "Removed {Count} blobs of expired files")]
    private partial void LogRemoved(int count);

    [LoggerMessage(EventId = 3202, Level = LogLevel.Warning, Message = "Expired files could not be removed")]
    private partial void LogFailed(Exception exception);
}
