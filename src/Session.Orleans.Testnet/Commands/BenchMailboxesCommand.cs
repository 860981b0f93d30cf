using System.Collections.Immutable;
using System.CommandLine;
using System.Globalization;
using Session.Orleans.Testnet.Bench;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet bench mailboxes</c>: whether polls take longer where there are many mailboxes.</summary>
internal static class BenchMailboxesCommand
{
    private const double Goal = 1.15;
    private const int Few = 1000; // mailboxes of the other network, all of them active
    private const int MessageLength = 256; // a short text, encrypted
    private const int Samples = 200; // mailboxes that are read as a whole

    private static readonly Option<int> Mailboxes = new("--mailboxes") { Description = "Mailboxes in the store of the large network", DefaultValueFactory = _ => 1_000_000 };
    private static readonly Option<int> Messages = new("--messages") { Description = "Messages in each mailbox", DefaultValueFactory = _ => 5 };
    private static readonly Option<int> Active = new("--active") { Description = "Mailboxes that are active there, and polled", DefaultValueFactory = _ => 50_000 };
    private static readonly Option<int> Rounds = new("--rounds") { Description = "Rounds of each network, in turns", DefaultValueFactory = _ => 20 };
    private static readonly Option<int> Requests = new("--requests") { Description = "Polls in a round", DefaultValueFactory = _ => 2000 };
    private static readonly Option<int> Concurrency = new("--concurrency") { Description = "Requests in flight", DefaultValueFactory = _ => 16 };
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();

    public static Command Create()
    {
        var command = new Command("mailboxes", $"Compares polls of a network with many mailboxes in its store, of which many are active, with polls of one with {Few}, in turns; goal: a median latency of at most {Goal.ToString(CultureInfo.InvariantCulture)} times that of the other")
        {
            Mailboxes, Messages, Active, Rounds, Requests, Concurrency, Output,
        };
        command.SetAction((options, _) => StopOrder.CancelsAsync(stop => RunAsync(options, stop)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult options, CancellationToken cancellationToken)
    {
        int mailboxes = options.GetValue(Mailboxes), messages = options.GetValue(Messages), active = options.GetValue(Active);
        var rounds = new PairedRounds(options.GetValue(Rounds), options.GetValue(Requests), options.GetValue(Concurrency));
        if (messages < 1 || active < 1 || rounds.Count < 1 || rounds.Requests < 1 || rounds.Concurrency is < 1 or > 10_000)
            throw new CommandException(ExitCodes.Usage, "--messages, --active, --rounds, --requests and --concurrency must be at least 1.");
        if (mailboxes < active)
            throw new CommandException(ExitCodes.Usage, "--mailboxes must be at least --active.");

        Say("starting two networks");
        await using var few = await Subject.StartAsync(cancellationToken);
        await using var many = await Subject.StartAsync(cancellationToken);
        await few.PrepareAsync(Few, Few, messages, rounds, cancellationToken);
        await many.PrepareAsync(mailboxes, active, messages, rounds, cancellationToken);
        foreach (var subject in (Subject[])[few, many])
            _ = await BenchCommand.WaitUntilIdleAsync(subject.Network, cancellationToken);

        var rows = new List<BenchScaleRow>();
        foreach (var isDirect in (bool[])[false, true])
        {
            var results = await rounds.RunAsync(
                isDirect ? "direct poll" : "poll",
                [_ => few.PollAsync(rounds, isDirect, cancellationToken), _ => many.PollAsync(rounds, isDirect, cancellationToken)]);
            var name = isDirect ? "direct poll" : "poll";
            rows.Add(PairedRounds.CompareMedian(name, results[0], results[1], Goal));
            rows.Add(PairedRounds.CompareCpu(name, results[0], results[1], goal: null));
        }

        rows.Add(Megabytes("resident with an empty store", subject => subject.Started));
        rows.Add(Megabytes("resident with a full store", subject => subject.Filled));
        rows.Add(Megabytes("resident with active mailboxes", subject => subject.Activated));
        BenchScaleReport.Create(
            "mailboxes", Text($"{Few} mailboxes"), Text($"{active} of {mailboxes}"),
            new Dictionary<string, int>
            {
                ["mailboxes"] = mailboxes, ["messages"] = messages, ["active"] = active,
                ["rounds"] = rounds.Count, ["requests"] = rounds.Requests, ["concurrency"] = rounds.Concurrency,
            }, rows).Print(options.GetValue(Output));
        return ExitCodes.Ok;

        BenchScaleRow Megabytes(string name, Func<Subject, long> figure) => new(name, "MB", figure(few) / 1e6, figure(many) / 1e6, null, null, null, null);
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static void Say(string text) => Console.Error.WriteLine(text);

    private sealed class Subject : IAsyncDisposable
    {
        private readonly NetworkMap _map;
        private readonly LoadDriver _driver;
        private ImmutableDictionary<bool, MailboxPollWorkload> _polls = ImmutableDictionary<bool, MailboxPollWorkload>.Empty;

        private Subject(BenchNetwork network) => (Network, _map, _driver, Started) = (network, new(network.Description), new(network), network.WorkingSet);

        public BenchNetwork Network { get; }

        /// <summary>Resident memory of the server, which has the store in it, in bytes: at the start.</summary>
        public long Started { get; }

        /// <summary>The same when the store was full.</summary>
        public long Filled { get; private set; }

        /// <summary>The same when the mailboxes were active.</summary>
        public long Activated { get; private set; }

        public static async Task<Subject> StartAsync(CancellationToken cancellationToken) =>
            new(await BenchNetwork.StartAsync(durable: false, cancellationToken, openStore: true));

        public async Task PrepareAsync(int mailboxes, int active, int messages, PairedRounds rounds, CancellationToken cancellationToken)
        {
            Say(Text($"filling {mailboxes} mailboxes"));
            var first = await FillAsync(mailboxes, active, messages, cancellationToken);
            Filled = Network.WorkingSet;

            Say(Text($"activating {active} of them"));
            // In another order than they were filled: neighbours in time are none in memory then.
            BenchMailbox[] mixed = [.. first];
            Random.Shared.Shuffle(mixed);
            var sample = mixed.Take(Samples).ToImmutableArray();
            await _driver.PrepareAsync(new MailboxPollWorkload(_map, sample, messages, isDirect: true), rounds.Concurrency, sample.Length, cancellationToken);
            foreach (var isDirect in (bool[])[true, false])
                _polls = _polls.Add(isDirect, new(_map, [.. mixed], unseen: 0, isDirect));
            await _driver.PrepareAsync(_polls[true], rounds.Concurrency, active, cancellationToken);
            Activated = Network.WorkingSet;
            Say("warming up");
            foreach (var poll in _polls.Values)
                _ = await _driver.WarmUpAsync(poll, rounds.Concurrency, rounds.WarmUp, cancellationToken);
        }

        private async Task<ImmutableArray<BenchMailbox>> FillAsync(int mailboxes, int active, int messages, CancellationToken cancellationToken)
        {
            await using var filler = await StoreFiller.ConnectAsync(Network.StoreAddress);
            try
            {
                var first = await filler.FillAsync(_map, active, messages, MessageLength, cancellationToken);
                await filler.FillAsync(mailboxes - active, messages, MessageLength, cancellationToken);
                return first;
            }
            catch (CommandException exception)
            {
                throw new CommandException(exception.ExitCode, $"{exception.Message} {Network.Complaints}");
            }
        }

        public Task<DriverResult> PollAsync(PairedRounds rounds, bool isDirect, CancellationToken cancellationToken) =>
            _driver.RunAsync(_polls[isDirect], rounds.Concurrency, rounds.Requests, cancellationToken);

        public async ValueTask DisposeAsync()
        {
            _driver.Dispose();
            await Network.DisposeAsync();
        }
    }
}
