using System.CommandLine;
using System.Globalization;
using Session.Orleans.Testnet.Bench;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet bench depth</c>: whether requests cost more where a mailbox holds many messages.</summary>
internal static class BenchDepthCommand
{
    private const double Goal = 1.2;
    private const int Shallow = 10; // messages of the mailboxes that are compared with
    private const int MessageLength = 256; // a short text, encrypted

    private static readonly Option<int> Messages = new("--messages") { Description = "Messages in the deep mailbox", DefaultValueFactory = _ => 100_000 };
    private static readonly Option<int> Rounds = new("--rounds") { Description = "Rounds of each kind of mailbox, in turns", DefaultValueFactory = _ => 20 };
    private static readonly Option<int> Requests = new("--requests") { Description = "Requests in a round; its stores make the shallow mailbox deeper, so that each has a new one", DefaultValueFactory = _ => 100 };
    private static readonly Option<int> Concurrency = new("--concurrency") { Description = "Requests in flight", DefaultValueFactory = _ => 4 };
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();

    public static Command Create()
    {
        var command = new Command("depth", $"Compares stores and polls of a mailbox with many messages with those of one with {Shallow}, in turns on one network, straight to a member of the swarm; goal: at most {Goal.ToString(CultureInfo.InvariantCulture)} times the CPU")
        {
            Messages, Rounds, Requests, Concurrency, Output,
        };
        command.SetAction((options, _) => StopOrder.CancelsAsync(stop => RunAsync(options, stop)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult options, CancellationToken cancellationToken)
    {
        var messages = options.GetValue(Messages);
        var rounds = new PairedRounds(options.GetValue(Rounds), options.GetValue(Requests), options.GetValue(Concurrency));
        if (messages <= Shallow || rounds.Count < 1 || rounds.Requests < 1 || rounds.Concurrency is < 1 or > 10_000)
            throw new CommandException(ExitCodes.Usage, $"--messages must be more than {Shallow}, and --rounds, --requests and --concurrency at least 1.");

        await using var network = await BenchNetwork.StartAsync(durable: false, cancellationToken, openStore: true);
        var map = new NetworkMap(network.Description);
        using var driver = new LoadDriver(network);
        await using var filler = await StoreFiller.ConnectAsync(network.StoreAddress);
        Say(string.Create(CultureInfo.InvariantCulture, $"filling a mailbox with {messages} messages"));
        var (deep, shallow) = (await FillAsync(messages), await FillAsync(Shallow));

        // A large index takes its time to be read: not while a thousand signed requests wait.
        foreach (var mailbox in (BenchMailbox[])[deep, shallow])
            await driver.PrepareAsync(Poll(mailbox, unseen: 1), concurrency: 1, count: 1, cancellationToken);

        var rows = new List<BenchScaleRow>();
        foreach (var (unseen, name) in ((int, string)[])[(0, "poll, nothing new"), (1, "poll, one new message")])
            await CompareAsync(name, Poll(shallow, unseen), Poll(deep, unseen));

        // What a round stores makes a shallow mailbox deeper, so each has one of its own; it is active before the round begins.
        var deepStores = Store(deep);
        _ = await driver.WarmUpAsync(deepStores, rounds.Concurrency, rounds.WarmUp, cancellationToken);
        var stores = await rounds.RunAsync("store", [_ => StoreToShallowAsync(), _ => driver.RunAsync(deepStores, rounds.Concurrency, rounds.Requests, cancellationToken)]);
        AddRows("store", stores);
        BenchScaleReport.Create(
            "depth", string.Create(CultureInfo.InvariantCulture, $"{Shallow} messages"), string.Create(CultureInfo.InvariantCulture, $"{messages} messages"),
            new Dictionary<string, int> { ["messages"] = messages, ["rounds"] = rounds.Count, ["requests"] = rounds.Requests, ["concurrency"] = rounds.Concurrency },
            rows).Print(options.GetValue(Output));
        return ExitCodes.Ok;

        Task<BenchMailbox> FillAsync(int count) => filler.FillOneAsync(map, count, MessageLength, cancellationToken);

        MailboxPollWorkload Poll(BenchMailbox mailbox, int unseen) => new(map, [mailbox], unseen, isDirect: true);

        StoreWorkload Store(BenchMailbox mailbox) => new(map, [[mailbox.Keys.SessionId]], Random.Shared.Next());

        async Task CompareAsync(string name, Workload shallow, Workload deep)
        {
            Say("warming up: " + name);
            foreach (var workload in (Workload[])[shallow, deep])
                _ = await driver.WarmUpAsync(workload, rounds.Concurrency, rounds.WarmUp, cancellationToken);
            AddRows(name, await rounds.RunAsync(name, [.. ((Workload[])[shallow, deep]).Select(workload =>
                (Func<int, Task<DriverResult>>)(_ => driver.RunAsync(workload, rounds.Concurrency, rounds.Requests, cancellationToken)))]));
        }

        async Task<DriverResult> StoreToShallowAsync()
        {
            var mailbox = await FillAsync(Shallow);
            await driver.PrepareAsync(Poll(mailbox, unseen: 0), concurrency: 1, count: 1, cancellationToken);
            return await driver.RunAsync(Store(mailbox), rounds.Concurrency, rounds.Requests, cancellationToken);
        }

        void AddRows(string name, IReadOnlyList<DriverResult>[] results)
        {
            rows.Add(PairedRounds.CompareCpu(name, results[0], results[1], Goal));
            rows.Add(PairedRounds.CompareMedian(name, results[0], results[1], goal: null));
        }
    }

    private static void Say(string text) => Console.Error.WriteLine(text);
}
