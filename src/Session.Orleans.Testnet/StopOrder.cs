using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Session.Orleans.Testnet;

/// <summary>The order to stop: Ctrl-C or SIGTERM, or the end of the standard input where a process was told to live as long as that.</summary>
internal static class StopOrder
{
    /// <summary>Returns at the first Ctrl-C or SIGTERM, which then does not end the process by itself, or when cancelled.</summary>
    public static async Task WaitAsync(CancellationToken cancellationToken)
    {
        var order = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        void Obey(PosixSignalContext context)
        {
            context.Cancel = true;
            order.TrySetResult();
        }

        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Obey);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Obey);
        await using var cancel = cancellationToken.Register(() => order.TrySetResult());
        await order.Task;
    }

    /// <summary>Runs a command that must clean up behind itself: the first Ctrl-C or SIGTERM cancels it instead of ending the process.</summary>
    public static async Task<int> CancelsAsync(Func<CancellationToken, Task<int>> command)
    {
        using var stop = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Obey);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Obey);
        return await command(stop.Token);

        void Obey(PosixSignalContext context)
        {
            context.Cancel = true;
            stop.Cancel();
        }
    }

    // More than a process may take to drain and to hand over.
    private static readonly TimeSpan OrphanLimit = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Calls <paramref name="stop"/> when nobody can write to the standard input any more, and ends the process if it has not ended a while later: who
    /// started it may have died, and with it the store that an orderly end waits for. A thread of its own, as reading can't be cancelled.
    /// </summary>
    public static void OnEndOfInput(Action stop) => new Thread(() =>
    {
        using var input = Console.OpenStandardInput();
        Span<byte> ignored = stackalloc byte[64];
        while (input.Read(ignored) > 0)
        {
        }

        stop();
        Thread.Sleep(OrphanLimit);
        Process.GetCurrentProcess().Kill();
    })
    {
        IsBackground = true,
        Name = "end of input",
    }.Start();
}
