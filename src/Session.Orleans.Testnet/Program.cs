using System.CommandLine;
using System.CommandLine.Help;
using Session.Orleans.Client;
using Session.Orleans.Load;
using Session.Orleans.Testnet;
using Session.Orleans.Testnet.Commands;

var root = new RootCommand("Runs a Session network on this machine: service nodes, swarms and mailboxes behind real onion requests.")
{
    UpCommand.Create(),
    ServeCommand.Create(),
    SilosCommand.Create(),
    StatusCommand.Create(),
    NodesCommand.Create(),
    ChainCommand.Create(),
    SwarmsCommand.Create(),
    FaultsCommand.Create(),
    NamesCommand.Create(),
    CommunitiesCommand.Create(),
    SnapshotCommand.Create(),
    DemoCommand.Create(),
    ScenarioCommand.Create(),
    LoadCommand.Create(),
    WatchCommand.Create(),
    WaitCommand.Create(),
    HealthCommand.Create(),
    BenchCommand.Create(),
    CompletionCommand.Create(),
};

// Aliases from another system, which would be in every list that a shell offers.
foreach (var alias in (string[])["/?", "/h", "-?"])
    root.Options.OfType<HelpOption>().Single().Aliases.Remove(alias);

var parsed = root.Parse(args);
// A command line that a shell asks to complete is not whole yet.
var completes = args is [var first, ..] && first.StartsWith("[suggest", StringComparison.Ordinal);
if (parsed.Errors.Count > 0 && !completes)
{
    // One line: some messages list every possible value on a line of its own.
    var errors = parsed.Errors.Select(error => error.Message.Trim().ReplaceLineEndings(" "));
    await Console.Error.WriteLineAsync($"session-testnet: {string.Join(' ', errors)}");
    return ExitCodes.Usage;
}

try
{
    // The host drains on Ctrl-C and SIGTERM within its own limit, so the parser must not end the process before.
    return await parsed.InvokeAsync(new() { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
}
catch (CommandException exception)
{
    await Console.Error.WriteLineAsync($"session-testnet: {exception.Message}");
    return exception.ExitCode;
}
catch (LoadException exception)
{
    await Console.Error.WriteLineAsync($"session-testnet: {exception.Message}");
    return ExitCodes.Of(exception.Failure);
}
catch (SessionClientException exception)
{
    await Console.Error.WriteLineAsync($"session-testnet: {exception.Message}");
    return ExitCodes.Failed;
}
catch (OperationCanceledException)
{
    return ExitCodes.Interrupted;
}
