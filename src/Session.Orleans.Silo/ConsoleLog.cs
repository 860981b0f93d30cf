using Microsoft.Extensions.Logging;

namespace Session.Orleans.Silo;

/// <summary>The log of what runs beside a host and begins before it, as the embedded store does.</summary>
public static class ConsoleLog
{
    /// <summary>Writes to standard error in the host's form. Errors only, or less: of what a library mends itself nobody has to know.</summary>
    /// <param name="least">The least severe lines of the host.</param>
    public static ILoggerFactory Create(LogLevel least) => LoggerFactory.Create(logging =>
        logging.AddTextConsole().SetMinimumLevel(least > LogLevel.Error ? least : LogLevel.Error));
}
