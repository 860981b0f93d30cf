using Microsoft.Extensions.Logging;

namespace Session.Orleans.EmbeddedStore;

/// <summary>The server's log without the ends of its background tasks, which it reports as errors when it is stopped.</summary>
/// <param name="log">Receives everything else; not owned.</param>
internal sealed class StoreLog(ILoggerFactory log) : ILoggerFactory
{
    public ILogger CreateLogger(string categoryName) => new Filtered(log.CreateLogger(categoryName));

    public void AddProvider(ILoggerProvider provider) => log.AddProvider(provider);

    public void Dispose()
    {
    }

    private sealed class Filtered(ILogger log) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => log.BeginScope(state);

        public bool IsEnabled(LogLevel logLevel) => log.IsEnabled(logLevel);

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (exception is not OperationCanceledException)
                log.Log(logLevel, eventId, state, exception, formatter);
        }
    }
}
