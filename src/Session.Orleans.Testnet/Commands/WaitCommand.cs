using System.CommandLine;
using System.Diagnostics;
using Session.Orleans.Load;
using Session.Orleans.Load.Network;
using Session.Orleans.Load.Watch;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet wait</c>: for scripts that need a network which works.</summary>
internal static class WaitCommand
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan RequestLimit = TimeSpan.FromSeconds(5);

    private static readonly Option<TimeSpan?> Limit = CommonOptions.Duration("--for", "How long to wait at most (default 1m)");
    private static readonly TargetOptions Target = new();

    public static Command Create()
    {
        var command = new Command("wait", "Waits until the network is usable: a poll through a full path succeeds. Exit code 3 if it is not in time") { Limit };
        Target.AddTo(command);
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult options, CancellationToken cancellationToken)
    {
        var limit = options.GetValue(Limit) ?? TimeSpan.FromMinutes(1);
        var watch = Stopwatch.StartNew();
        while (true)
        {
            var problem = await TryAsync(options, limit - watch.Elapsed, cancellationToken);
            if (problem is null)
            {
                Console.WriteLine($"the network is usable after {Quantities.Format(watch.Elapsed)}");
                return ExitCodes.Ok;
            }

            if (watch.Elapsed + Pause >= limit)
                throw new CommandException(ExitCodes.NotRunning, $"The network is not usable after {Quantities.Format(limit)}: {problem}");
            await Task.Delay(Pause, cancellationToken);
        }
    }

    // A wrong pin stays wrong, and a data folder may still be empty.
    private static async Task<string?> TryAsync(ParseResult options, TimeSpan left, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(left > TimeSpan.Zero ? left : TimeSpan.FromMilliseconds(1));
        try
        {
            var target = Target.Read(options) with { Timeout = left < RequestLimit && left > TimeSpan.Zero ? left : RequestLimit };
            using var network = await LoadNetwork.ConnectAsync(target, TimeProvider.System, limit.Token);
            using var watch = new NetworkWatch(network, TimeProvider.System, RequestLimit, attempts: 1);
            return await watch.TryPollAsync(limit.Token);
        }
        catch (CommandException exception) when (exception.ExitCode == ExitCodes.NotRunning)
        {
            return exception.Message;
        }
        catch (LoadException exception) when (exception.Failure is LoadFailure.Unreachable or LoadFailure.UnknownSeed)
        {
            return exception.Message;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return "no answer in time";
        }
    }
}
