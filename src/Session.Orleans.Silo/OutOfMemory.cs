using System.Runtime.ExceptionServices;

namespace Session.Orleans.Silo;

/// <summary>
/// What to do without memory: end. Any code may have been left in the middle by the exception, timers and connections too, and a silo that limps is
/// worse than one that is gone, whose mailboxes are active elsewhere within seconds.
/// </summary>
public static class OutOfMemory
{
    // Made before it is needed.
    private const string Message =
        "session-testnet: Out of memory: the process ends, and should be started again. Give it more (limit of the container, or DOTNET_GCHeapHardLimit), or use more silos.";

    /// <summary>From now on the process ends when it runs out of memory, with a line on standard error, and by SIGABRT.</summary>
    public static void EndsProcess() => AppDomain.CurrentDomain.FirstChanceException += OnException;

    private static void OnException(object? sender, FirstChanceExceptionEventArgs raised)
    {
        // The runtime has one of this type for lengths that no array can have as well: that is a fault in a call, and memory is left.
        if (raised.Exception is OutOfMemoryException and not InsufficientMemoryException
            && !raised.Exception.Message.StartsWith("Array dimensions", StringComparison.Ordinal))
            Environment.FailFast(Message);
    }
}
