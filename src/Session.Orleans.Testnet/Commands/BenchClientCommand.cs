using System.CommandLine;
using System.Globalization;
using System.Runtime;
using System.Text.Json.Nodes;
using Session.Orleans.Load;
using Session.Orleans.Load.Ledger;
using Session.Orleans.Load.Network;
using Session.Orleans.Load.Plan;
using Session.Orleans.Load.Results;
using Session.Orleans.Load.Users;
using Session.Orleans.Protocol.Onion;
using Session.Orleans.Testnet.Bench;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet bench client</c>: what a virtual user costs the machine that it runs on.</summary>
internal static class BenchClientCommand
{
    private const int Accounts = 256;
    private const int RoundRequests = 2000;
    private const int MostWarmUpRounds = 30;
    private const int FewMethods = 5; // that a round may still compile when the warm-up ends
    private const int ReplyLength = 256; // of an empty poll, in base64
    private static readonly TimeSpan PollInterval = TimeSpan.FromMinutes(2);

    private static readonly Option<int> Rounds = new("--rounds") { Description = "Rounds of 2000 polls; the median counts", DefaultValueFactory = _ => 9 };
    private static readonly Option<int> Concurrency = new("--concurrency") { Description = "Polls in flight", DefaultValueFactory = _ => 16 };
    private static readonly Option<int> Users = new("--users") { Description = "Users whose memory is measured, each polling every two minutes; 0 for none", DefaultValueFactory = _ => 20_000 };
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();

    public static Command Create()
    {
        var command = new Command("client", "Measures the CPU time of a virtual user's onion request against its cryptography alone, and the memory of many users")
        {
            Rounds, Concurrency, Users, Output,
        };
        command.SetAction((options, _) => StopOrder.CancelsAsync(stop => RunAsync(options, stop)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult options, CancellationToken cancellationToken)
    {
        int rounds = options.GetValue(Rounds), concurrency = options.GetValue(Concurrency), users = options.GetValue(Users);
        if (rounds < 1 || concurrency is < 1 or > 10_000 || users is < 0 or > LoadPlanReader.MaxUsers)
            throw new CommandException(ExitCodes.Usage, "--rounds and --concurrency must be at least 1, and --users at least 0.");
        await using var network = await BenchNetwork.StartAsync(durable: false, cancellationToken);
        var target = new LoadTarget(new(network.Description.SeedUrl), new(network.Description.SeedPin, trustOnFirstUse: false, TimeProvider.System));

        var cost = await MeasureCpuAsync(target, rounds, concurrency, cancellationToken);
        var report = new JsonObject
        {
            ["cpu"] = Machine.ReadCpuModel(),
            ["cores"] = Environment.ProcessorCount,
            ["rounds"] = rounds,
            ["concurrency"] = concurrency,
            ["cpuMicroseconds"] = Math.Round(cost.Cpu, 1),
            ["floorMicroseconds"] = Math.Round(cost.Floor, 1),
            ["cpuOverFloor"] = Math.Round(cost.Ratio, 3),
        };
        var text = string.Create(CultureInfo.InvariantCulture,
            $"poll, {concurrency} in flight, medians of {rounds} x {RoundRequests}: {cost.Cpu:0} us CPU of the client each; its cryptography alone, between the rounds: {cost.Floor:0} us; ratio {cost.Ratio:0.00}");
        if (users > 0)
        {
            var held = await MeasureMemoryAsync(target, users, cancellationToken);
            report["users"] = users;
            report["peakMegabytes"] = held.Circumstances.PeakMegabytes;
            report["failedPolls"] = held.Operations.Where(operation => operation.Name == "poll").Sum(operation => operation.Failed);
            report["polls"] = held.Operations.Where(operation => operation.Name == "poll").Sum(operation => operation.Count);
            text += string.Create(CultureInfo.InvariantCulture,
                $"\n{users} users, a poll each every {Quantities.Format(PollInterval)}: {held.Circumstances.PeakMegabytes:0} MB at most, {report["polls"]} polls, {report["failedPolls"]} failed");
        }

        Console.WriteLine(options.GetValue(Output) is OutputFormat.Json ? report.ToJsonString() : text);
        return ExitCodes.Ok;
    }

    private static ClientFloor CreateFloor()
    {
        var account = Protocol.Identity.Ed25519KeyPair.Generate();
        return new(OnionCipher.XChaCha20, Protocol.StorageRpc.StorageRequestWriter.ToArray(new Protocol.StorageRpc.BatchRequest
        {
            Requests = [new Protocol.StorageRpc.RetrieveRequest { Account = account.SessionId, Timestamp = 1_700_000_000_000 }.SignWith(account)],
        }), ReplyLength);
    }

    /// <summary>
    /// Measures users and their cryptography alone by turns: the speed of a machine changes from minute to minute, and with how many of its processors
    /// are busy, so only figures of the same moments can be compared.
    /// </summary>
    private static async Task<(double Cpu, double Floor, double Ratio)> MeasureCpuAsync(LoadTarget target, int rounds, int concurrency, CancellationToken cancellationToken)
    {
        var plan = new LoadPlan { Users = Accounts, Poll = new() { Members = 1, Namespaces = [0] } };
        using var network = await LoadNetwork.ConnectAsync(target, TimeProvider.System, cancellationToken);
        using var clock = new RunClock(TimeProvider.System);
        var population = new Population(plan, Shard.Whole);
        var recorder = new Recorder(plan.Duration, TimeSpan.Zero);
        var requests = new UserRequests(plan, network, recorder, clock, new(0, null));
        var actions = UserActions.Create(plan, network, population, requests, new MessageLedger(plan.LateAfter), recorder, clock);
        var floor = CreateFloor();
        for (var (round, compiled) = (0, long.MaxValue); round < MostWarmUpRounds && compiled > FewMethods; round++)
        {
            Say("warming up");
            var before = JitInfo.GetCompiledMethodCount();
            _ = await RoundAsync();
            _ = floor.Measure(RoundRequests);
            compiled = JitInfo.GetCompiledMethodCount() - before;
        }

        var taken = new List<(double Cpu, double Floor, double Ratio)>();
        var last = floor.Measure(RoundRequests);
        for (var round = 0; round < rounds; round++)
        {
            Say($"round {round + 1} of {rounds}");
            var cpu = await RoundAsync();
            var next = floor.Measure(RoundRequests);
            taken.Add((cpu, (last + next) / 2, 2 * cpu / (last + next)));
            last = next;
        }

        if (recorder.Result(Operation.Poll, TimeSpan.FromSeconds(1)).Failed > 0)
            throw new CommandException(ExitCodes.CheckFailed, $"Polls failed: {string.Join(", ", recorder.FailedAttempts.Select(error => $"{error.Value} x {error.Key}"))}.");
        return (Median(one => one.Cpu), Median(one => one.Floor), Median(one => one.Ratio));

        double Median(Func<(double Cpu, double Floor, double Ratio), double> figure) => taken.Select(figure).Order().ElementAt(rounds / 2);

        async Task<double> RoundAsync()
        {
            var (cpu, before, next) = (Environment.CpuUsage.TotalTime, requests.Count, -1);
            await Task.WhenAll(Enumerable.Range(0, concurrency).Select(worker => Task.Run(async () =>
            {
                while (Interlocked.Increment(ref next) is var i && i < RoundRequests)
                {
                    var user = population.Users[i % Accounts];
                    _ = await actions.PollAsync(user, user.Reader, clock.Now, isRecorded: true, cancellationToken);
                }
            }, cancellationToken)));
            return (Environment.CpuUsage.TotalTime - cpu).TotalMicroseconds / Math.Max(1, requests.Count - before);
        }
    }

    private static Task<LoadResult> MeasureMemoryAsync(LoadTarget target, int users, CancellationToken cancellationToken)
    {
        Say($"{users} users for {Quantities.Format(PollInterval)}");
        var plan = new LoadPlan
        {
            Name = "bench client",
            Users = users,
            Stages = [new(PollInterval)],
            Poll = new() { Interval = Distribution.Fixed(PollInterval.TotalSeconds), Members = 1, Namespaces = [0] },
            Messages = new() { Pause = Distribution.Exponential(TimeSpan.FromHours(4).TotalSeconds) },
        };
        return LoadRun.RunAsync(plan, target, new(), cancellationToken, cancellationToken);
    }

    private static void Say(string text) => Console.Error.WriteLine(text);
}
