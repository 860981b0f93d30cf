using System.CommandLine;
using System.Globalization;
using Session.Orleans.Testnet.Bench;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet bench memory</c>: what an active mailbox takes of the server's memory.</summary>
internal static class BenchMemoryCommand
{
    private const double GoalKibibytes = 6;
    private const int Bytes = 1024;
    private const int Concurrency = 16;

    private static readonly Option<int> Mailboxes = new("--mailboxes") { Description = "Mailboxes to activate, after as many others", DefaultValueFactory = _ => 20_000 };
    private static readonly Option<int> Messages = new("--messages") { Description = "Messages of 1 KiB in each", DefaultValueFactory = _ => 10 };
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();

    public static Command Create()
    {
        var command = new Command("memory", $"Measures what the server's memory grows by per active mailbox, each polled once for all its messages, with the store in another process; goal: at most {GoalKibibytes.ToString(CultureInfo.InvariantCulture)} KiB")
        {
            Mailboxes, Messages, Output,
        };
        command.SetAction((options, _) => StopOrder.CancelsAsync(stop => RunAsync(options, stop)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult options, CancellationToken cancellationToken)
    {
        int mailboxes = options.GetValue(Mailboxes), messages = options.GetValue(Messages);
        if (mailboxes < 1 || messages < 1)
            throw new CommandException(ExitCodes.Usage, "--mailboxes and --messages must be at least 1.");

        // In this process, so that the server's has nothing of it.
        await using var store = EmbeddedStore.EmbeddedStore.Start(new() { Port = 0 });
        await using var network = await BenchNetwork.StartAsync(durable: false, cancellationToken, arguments: ["--redis", store.ConnectionString]);
        var map = new NetworkMap(network.Description);
        using var driver = new LoadDriver(network);
        await using var filler = await StoreFiller.ConnectAsync(store.ConnectionString);
        Say(string.Create(CultureInfo.InvariantCulture, $"filling {mailboxes} mailboxes"));
        var warm = await filler.FillAsync(map, mailboxes, messages, Bytes, cancellationToken);
        var measured = await filler.FillAsync(map, mailboxes, messages, Bytes, cancellationToken);

        // As many mailboxes as will count: code, connections and what the garbage collector keeps for the next ones are there before.
        Say("warming up");
        await driver.PrepareAsync(new MailboxPollWorkload(map, warm, messages, isDirect: true), Concurrency, mailboxes, cancellationToken);
        _ = await BenchCommand.WaitUntilIdleAsync(network, cancellationToken);
        var before = await ServerMemory.MeasureAsync(network, cancellationToken);

        Say("activating them");
        await driver.PrepareAsync(new MailboxPollWorkload(map, measured, messages, isDirect: true), Concurrency, mailboxes, cancellationToken);
        _ = await BenchCommand.WaitUntilIdleAsync(network, cancellationToken);
        var after = await ServerMemory.MeasureAsync(network, cancellationToken);

        BenchScaleReport.Create(
            "memory", "before", "after",
            new Dictionary<string, int> { ["mailboxes"] = mailboxes, ["messages"] = messages },
            [
                PerMailbox("managed heap per mailbox", after.Heap - before.Heap),
                PerMailbox("resident memory per mailbox", after.Resident - before.Resident),
                new("managed heap", "MB", before.Heap / 1e6, after.Heap / 1e6, null, null, null, null),
                new("resident memory", "MB", before.Resident / 1e6, after.Resident / 1e6, null, null, null, null),
            ]).Print(options.GetValue(Output));
        return ExitCodes.Ok;

        BenchScaleRow PerMailbox(string name, double bytes)
        {
            var kibibytes = bytes / mailboxes / 1024;
            return new(name, "KiB", null, kibibytes, null, null, GoalKibibytes, kibibytes <= GoalKibibytes);
        }
    }

    private static void Say(string text) => Console.Error.WriteLine(text);
}
