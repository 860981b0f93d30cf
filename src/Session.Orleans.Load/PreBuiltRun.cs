using Session.Orleans.Load.Ledger;
using Session.Orleans.Load.Network;
using Session.Orleans.Load.Plan;
using Session.Orleans.Load.Results;
using Session.Orleans.Load.Users;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.Load;

/// <summary>
/// Measures the network alone: polls are made beforehand, sent when they are due, and opened and checked afterwards, so that the users' own
/// cryptography takes nothing from the machine while times are taken. In rounds, because a signed request lives for a minute.
/// </summary>
internal static class PreBuiltRun
{
    private const int LargestRound = 20_000;
    private const int LearnersAtOnce = 32;
    private static readonly TimeSpan TraceLimit = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan LongestRound = TimeSpan.FromSeconds(20);

    /// <summary>Runs a plan; its rate is that of requests.</summary>
    /// <exception cref="LoadException">The network can't be reached or trusted.</exception>
    public static async Task<LoadResult> RunAsync(LoadPlan plan, LoadTarget target, LoadOptions options, CancellationToken stop)
    {
        using var network = await LoadNetwork.ConnectAsync(target with { Timeout = plan.Timeout }, options.Time, stop).ConfigureAwait(false);
        var (profile, population) = (new LoadProfile(plan), new Population(plan, options.Shard));
        var recorder = new Recorder(profile.Duration, plan.WarmUp, options.Observe);
        using var clock = new RunClock(options.Time);
        network.Traces = options.Traces;
        var requests = new UserRequests(plan, network, recorder, clock, new(0, null));
        var actions = UserActions.Create(plan, network, population, requests, new MessageLedger(plan.LateAfter), recorder, clock);
        var (started, cpu) = (options.Time.GetUtcNow(), Environment.CpuUsage.TotalTime);
        var (sent, maxLag, reached) = (0L, TimeSpan.Zero, TimeSpan.Zero);
        try
        {
            await Parallel.ForEachAsync(
                population.Users, new ParallelOptions { MaxDegreeOfParallelism = LearnersAtOnce, CancellationToken = stop },
                async (user, cancellation) =>
                {
                    if (!await actions.LearnSwarmAsync(user, user.Mailbox, cancellation).ConfigureAwait(false))
                        throw new LoadException(LoadFailure.Unreachable, "No node tells the swarm of an account.");
                }).ConfigureAwait(false);
            var traces = new TraceSampler(options.TraceShare, options.Traces);
            foreach (var round in Rounds(profile.Arrivals(SeededRandom.For(plan.Seed, RandomPurpose.Arrivals, options.Shard.Index), 1.0 / options.Shard.Count)))
            {
                var prepared = Prepare(round, network, population, actions);
                GC.Collect(); // making them made garbage, which is not the requests' fault
                var begin = clock.Now;
                var sending = new List<Task>(prepared.Length);
                foreach (var request in prepared)
                {
                    while (begin + (request.Due - round[0]) - clock.Now is var left && left > TimeSpan.Zero)
                        await options.Time.DelayAsync(left, stop).ConfigureAwait(false);
                    if (clock.Now - begin - (request.Due - round[0]) is var lag && lag > maxLag)
                        maxLag = lag;
                    sending.Add(SendAsync(request, network, clock, begin + (request.Due - round[0]), traces, plan.WarmUp));
                }

                await Task.WhenAll(sending).ConfigureAwait(false);
                sent += prepared.Length;
                reached = round[^1];
                foreach (var request in prepared)
                    Check(request, plan, recorder);
                options.Watch?.Invoke(new("running", reached, profile.Duration, population.Users.Count, 0, profile.RateAt(reached), recorder.Look(), LedgerTotals.Empty));
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // What has been measured so far is the result.
        }
        finally
        {
            clock.Stop();
        }

        if (options.Traces is { } collector)
            await collector.WaitAsync(TraceLimit, stop).ConfigureAwait(false);
        var end = stop.IsCancellationRequested ? reached : profile.Duration;
        return RunReport.Create(plan, options, target, recorder, new()
        {
            Mode = "prebuilt",
            Started = started,
            Ended = stop.IsCancellationRequested ? reached : null,
            Measured = end > plan.WarmUp ? end - plan.WarmUp : TimeSpan.Zero,
            Cpu = Environment.CpuUsage.TotalTime - cpu,
            Nodes = network.Nodes.Count,
            Requests = sent,
            MaxLag = maxLag,
        });
    }

    private static IEnumerable<List<TimeSpan>> Rounds(IEnumerable<TimeSpan> arrivals)
    {
        var round = new List<TimeSpan>();
        foreach (var due in arrivals)
        {
            if (round.Count == LargestRound || (round.Count > 0 && due - round[0] > LongestRound))
            {
                yield return round;
                round = [];
            }

            round.Add(due);
        }

        if (round.Count > 0)
            yield return round;
    }

    private static PreparedRequest[] Prepare(List<TimeSpan> round, LoadNetwork network, Population population, UserActions actions)
    {
        var prepared = new PreparedRequest[round.Count];
        Parallel.For(0, round.Count, i =>
        {
            var user = population.Users[i % population.Users.Count];
            var members = user.Mailbox.Swarm!.Members;
            var member = members[user.Draw((ref SeededRandom random) => random.Next(members.Length))];
            var path = user.ChoosePath(network, member)
                ?? throw new LoadException(LoadFailure.Unreachable, "The network has too few nodes for a path.");
            prepared[i] = new(round[i], path[0], network.Wrap(path, member, actions.CreatePoll(user, network.Clock.NowMs)));
        });
        return prepared;
    }

    private static async Task SendAsync(PreparedRequest request, LoadNetwork network, RunClock clock, TimeSpan due, TraceSampler traces, TimeSpan warmUp)
    {
        var context = traces.Next(request.Due >= warmUp);
        request.Raw = await network.PostAsync(request.Guard, request.Onion.HttpBody, context, clock.Stopped).ConfigureAwait(false);
        request.Took = clock.Now - due;
        network.Traces?.Answered(context, TimeSpan.Zero, request.Raw.Took);
        request.Trace = TraceSampler.IdOf(context);
    }

    private static void Check(PreparedRequest request, LoadPlan plan, Recorder recorder)
    {
        var answer = LoadNetwork.Open(request.Raw, request.Onion);
        var error = answer.Error;
        if (answer.IsDone)
        {
            var results = new BatchAnswer[plan.Poll.Namespaces.Count];
            error = !StorageAnswers.TryReadBatch(answer.Body, results) ? ErrorClass.Unreadable
                : results.FirstOrDefault(result => result.Status != 200) is { Status: > 0 and var status } ? ErrorClass.Status(status) : null;
        }

        if (error is not null)
            recorder.AttemptFailed(error, request.Due);
        recorder.Done(Operation.Poll, request.Due, request.Due + request.Took, error, request.Trace);
    }

    private sealed class PreparedRequest(TimeSpan due, LoadNode guard, OnionRequest onion)
    {
        public TimeSpan Due { get; } = due;

        public LoadNode Guard { get; } = guard;

        public OnionRequest Onion { get; } = onion;

        public RawAnswer Raw { get; set; }

        public TimeSpan Took { get; set; }

        public string? Trace { get; set; }
    }
}
