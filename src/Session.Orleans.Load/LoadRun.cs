using Session.Orleans.Load.Ledger;
using Session.Orleans.Load.Network;
using Session.Orleans.Load.Plan;
using Session.Orleans.Load.Results;
using Session.Orleans.Load.Traces;
using Session.Orleans.Load.Users;
using Session.Orleans.Protocol.Communities;

namespace Session.Orleans.Load;

/// <summary>Circumstances of a run that are not part of its plan.</summary>
internal sealed record LoadOptions
{
    /// <summary>The part of the run that this process does.</summary>
    public Shard Shard { get; init; } = Shard.Whole;

    /// <summary>Share of the requests that carry a trace context.</summary>
    public double TraceShare { get; init; }

    /// <summary>Makes rooms with these tokens at the network's community server, as far as they are not there; null: nobody can.</summary>
    public Func<IReadOnlyList<string>, CancellationToken, Task<IReadOnlyList<CommunityUrl>>>? MakeRooms { get; init; }

    /// <summary>Takes what the network tells of traced requests; null: nobody.</summary>
    public TraceCollector? Traces { get; init; }

    /// <summary>Told every second how it goes; null: nobody.</summary>
    public Action<RunStatus>? Watch { get; init; }

    /// <summary>Told of every operation; null: nobody.</summary>
    public Action<Operation, TimeSpan, string?>? Observe { get; init; }

    /// <summary>Model of the processor, for the result.</summary>
    public string Cpu { get; init; } = "";

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = PreciseTime.Instance;
}

/// <summary>How a run goes.</summary>
/// <param name="Phase">running, finishing or settling.</param>
/// <param name="Elapsed">Since the first user began.</param>
/// <param name="Duration">Of all stages.</param>
/// <param name="Online">Users that poll.</param>
/// <param name="InFlight">Operations under way.</param>
/// <param name="Rate">Messages per second that the plan wants now; null in a closed loop.</param>
/// <param name="Progress">Figures without the warm-up.</param>
/// <param name="Ledger">The ledger; what is outstanding is not lost yet.</param>
internal sealed record RunStatus(
    string Phase, TimeSpan Elapsed, TimeSpan Duration, int Online, int InFlight, double? Rate, Progress Progress, LedgerTotals Ledger);

/// <summary>Carries a plan out.</summary>
internal sealed class LoadRun : IDisposable
{
    private const int SettlersAtOnce = 32;
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan ControlPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan SettlePause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan WatchPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan FoldAge = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan InterruptedSettle = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan TraceLimit = TimeSpan.FromSeconds(15);

    private readonly LoadPlan _plan;
    private readonly LoadOptions _options;
    private readonly LoadProfile _profile;
    private readonly Population _population;
    private readonly MessageLedger _ledger;
    private readonly Recorder _recorder;
    private readonly RunClock _clock;
    private readonly UserRequests _requests;
    private readonly UserActions _actions;
    private readonly UserTimers _timers = new();
    private readonly SeededRandom _arrivals;
    private SeededRandom _choice;
    private VirtualUser[] _online = [];
    private TimeSpan _maxLag;
    private TimeSpan _ended;
    private bool _wasRead = true;
    private volatile string _phase = "running";
    private Exception? _failure;

    private LoadRun(LoadPlan plan, LoadOptions options, LoadNetwork network, Population population)
    {
        (_plan, _options, _population) = (plan, options, population);
        _profile = new(plan);
        _ledger = new(plan.LateAfter);
        _recorder = new(_profile.Duration, plan.WarmUp, options.Observe);
        _arrivals = SeededRandom.For(plan.Seed, RandomPurpose.Arrivals, options.Shard.Index);
        _choice = SeededRandom.For(plan.Seed, RandomPurpose.Choice, options.Shard.Index);
        _clock = new(options.Time);
        _requests = new(plan, network, _recorder, _clock, new(options.TraceShare, options.Traces));
        _actions = UserActions.Create(plan, network, population, _requests, _ledger, _recorder, _clock);
    }

    /// <summary>Runs a plan to its end, and then lets everything that was sent be read.</summary>
    /// <param name="plan">What to do.</param>
    /// <param name="target">Where.</param>
    /// <param name="options">Circumstances.</param>
    /// <param name="stop">Ends the load early; what was sent is still read for a short time, and the result tells of it.</param>
    /// <param name="abort">Ends that as well.</param>
    /// <exception cref="LoadException">The network can't be reached or trusted, or has not what the plan needs.</exception>
    public static async Task<LoadResult> RunAsync(LoadPlan plan, LoadTarget target, LoadOptions options, CancellationToken stop, CancellationToken abort)
    {
        using var network = await LoadNetwork.ConnectAsync(target with { Timeout = plan.Timeout }, options.Time, stop).ConfigureAwait(false);
        if (plan.Messages.Attachments > 0 && network.Files is null)
            throw new LoadException(LoadFailure.Usage, "The plan sends attachments, but no file server is known.");
        network.Traces = options.Traces;
        var population = new Population(plan, options.Shard, await Preparation.MakeRoomsAsync(plan, options, stop).ConfigureAwait(false));
        await Preparation.RunAsync(plan, network, population, options.Time, stop).ConfigureAwait(false);
        var started = options.Time.GetUtcNow();
        using var run = new LoadRun(plan, options, network, population);
        var cpu = Environment.CpuUsage.TotalTime;
        await run.RunAsync(stop, abort).ConfigureAwait(false);
        var measured = Min(run._ended, run._profile.Duration) - plan.WarmUp;
        var used = Environment.CpuUsage.TotalTime - cpu;
        return RunReport.Create(plan, options, target, run._recorder, new()
        {
            Mode = plan.IsOpen ? "open" : "closed",
            Started = started,
            Ended = stop.IsCancellationRequested ? run._ended : null,
            Measured = measured > TimeSpan.Zero ? measured : TimeSpan.Zero,
            Cpu = used,
            Nodes = network.Nodes.Count,
            Requests = run._requests.Count,
            MaxLag = run._maxLag,
            Ledger = run._ledger.Totals(run._wasRead),
        });
    }

    /// <inheritdoc/>
    public void Dispose() => _clock.Dispose();

    private async Task RunAsync(CancellationToken stop, CancellationToken abort)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        using var watching = new CancellationTokenSource();
        var watch = _options.Watch is null ? Task.CompletedTask : WatchAsync(watching.Token);
        try
        {
            var control = ControlAsync(end.Token);
            var arrivals = _plan.IsOpen ? ArriveAsync(end.Token) : Task.CompletedTask;
            await DispatchAsync(end.Token).ConfigureAwait(false);
            _ended = _clock.Now;
            await end.CancelAsync().ConfigureAwait(false);
            await control.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await arrivals.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await ThrowIfFaulted(control, arrivals).ConfigureAwait(false);

            _phase = "finishing";
            await FinishAsync(abort).ConfigureAwait(false);
            _phase = "settling";
            var isInterrupted = stop.IsCancellationRequested;
            var wasRead = await SettleAsync(isInterrupted ? Min(InterruptedSettle, _plan.Settle) : _plan.Settle, abort).ConfigureAwait(false);
            // What nobody looked for is not lost. A run that went to its end waits as long as its plan says, and there it is.
            _wasRead = wasRead || !isInterrupted;
        }
        finally
        {
            _clock.Stop();
            await watching.CancelAsync().ConfigureAwait(false);
            await watch.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    // A cancelled loop has done its work; one that failed must not be taken for a quiet one.
    private static async Task ThrowIfFaulted(params Task[] tasks)
    {
        foreach (var task in tasks)
        {
            if (task.IsFaulted)
                await task.ConfigureAwait(false);
        }
    }

    private static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other;

    /// <summary>Lets users come and go as the stages say.</summary>
    private async Task ControlAsync(CancellationToken cancellationToken)
    {
        var users = _population.Users;
        var nextFold = FoldAge;
        while (true)
        {
            var now = _clock.Now;
            var active = _options.Shard.PartOf(_profile.UsersAt(now));
            var share = _profile.OnlineAt(now);
            var online = new List<VirtualUser>(active);
            for (var i = 0; i < users.Count; i++)
            {
                var user = users[i];
                var wanted = i < active && user.IsPresent && user.Rank < share;
                if (i < active && user.Epoch == 0)
                    Begin(user, now, ref wanted, share);
                if (wanted != user.IsOnline)
                    Switch(user, wanted, now);
                if (wanted)
                    online.Add(user);
            }

            Volatile.Write(ref _online, [.. online]);
            if (now > nextFold)
            {
                _ledger.Fold(now - FoldAge);
                nextFold = now + TimeSpan.FromMinutes(1);
            }

            await Task.Delay(ControlPause, _options.Time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The first time that a user takes part: it may just be away.</summary>
    private void Begin(VirtualUser user, TimeSpan now, ref bool wanted, double share)
    {
        user.Epoch++;
        if (_plan.Sessions is not { } sessions)
            return;
        var (isPresent, left) = user.Draw((ref SeededRandom random) =>
        {
            var (on, off) = (sessions.Online.Draw(ref random), sessions.Offline.Draw(ref random));
            var at = random.NextDouble() * (on + off);
            return at < on ? (true, on - at) : (false, on + off - at);
        });
        user.IsPresent = isPresent;
        wanted = isPresent && user.Rank < share;
        _timers.Add(user, UserStep.Session, now + TimeSpan.FromSeconds(left));
    }

    private void Switch(VirtualUser user, bool isOnline, TimeSpan now)
    {
        // Whoever comes back begins anew: what was planned before is void.
        (user.IsOnline, user.Epoch) = (isOnline, user.Epoch + 1);
        if (!isOnline)
            return;
        user.OnlineSince = now;
        // At the very beginning everybody has been polling for long, each at its own time; later, whoever comes polls at once.
        _timers.Add(user, UserStep.Poll, now + Wait(_plan.Poll.Interval));
        if (user.Communities.Count > 0)
            _timers.Add(user, UserStep.Rooms, now + Wait(_plan.Communities!.Interval));
        if (!_plan.IsOpen)
            PlanSend(user, now);

        TimeSpan Wait(Distribution interval) => now >= ControlPause ? TimeSpan.Zero
            : TimeSpan.FromSeconds(user.Draw((ref SeededRandom random) => random.NextDouble() * interval.Draw(ref random)));
    }

    private void PlanSend(VirtualUser user, TimeSpan now) =>
        _timers.Add(user, UserStep.Send, now + TimeSpan.FromSeconds(user.Draw((ref SeededRandom random) => _plan.Messages.Pause.Draw(ref random))));

    /// <summary>Begins the steps of users when they are due.</summary>
    private async Task DispatchAsync(CancellationToken cancellationToken)
    {
        while (_clock.Now is var now && now < _profile.Duration && !cancellationToken.IsCancellationRequested)
        {
            while (_timers.TryTake(now, out var planned))
                Begin(planned, now);
            var next = _timers.NextDue is { } due && due < now + ControlPause ? due : now + ControlPause;
            var pause = next - _clock.Now;
            await PauseAsync(pause > Tick ? pause : Tick, cancellationToken).ConfigureAwait(false);
        }
    }

    private void Begin(in PlannedStep planned, TimeSpan now)
    {
        var (user, step, epoch, due) = planned;
        if (step is UserStep.Session)
        {
            user.IsPresent = !user.IsPresent;
            var sessions = _plan.Sessions!;
            var length = user.Draw((ref SeededRandom random) => (user.IsPresent ? sessions.Online : sessions.Offline).Draw(ref random));
            _timers.Add(user, UserStep.Session, now + TimeSpan.FromSeconds(length));
            return;
        }

        if (!user.IsOnline || epoch != user.Epoch)
            return;
        Note(now - due);
        _ = RunAsync(step switch
        {
            UserStep.Poll => () => PollAllAsync(user, epoch, due),
            UserStep.Rooms => () => PollRoomsAsync(user, epoch, due),
            _ => () => SendAsync(user, epoch, due),
        });
    }

    private async Task PollAllAsync(VirtualUser user, int epoch, TimeSpan due)
    {
        _ = await _actions.PollAsync(user, user.Reader, due, isRecorded: true, _clock.Stopped).ConfigureAwait(false);
        foreach (var group in user.Groups)
            _ = await _actions.PollAsync(user, group, _clock.Now, isRecorded: true, _clock.Stopped).ConfigureAwait(false);
        if (user.IsOnline && epoch == user.Epoch)
            _timers.Add(user, UserStep.Poll, _clock.Now + TimeSpan.FromSeconds(user.Draw((ref SeededRandom random) => _plan.Poll.Interval.Draw(ref random))));
    }

    private async Task PollRoomsAsync(VirtualUser user, int epoch, TimeSpan due)
    {
        foreach (var at in user.Communities)
            await _actions.Communities.PollAsync(user, at, at == user.Communities[0] ? due : _clock.Now, isRecorded: true, _clock.Stopped).ConfigureAwait(false);
        if (user.IsOnline && epoch == user.Epoch)
            _timers.Add(user, UserStep.Rooms, _clock.Now + TimeSpan.FromSeconds(user.Draw((ref SeededRandom random) => _plan.Communities!.Interval.Draw(ref random))));
    }

    private async Task SendAsync(VirtualUser user, int epoch, TimeSpan due)
    {
        await _actions.SendAsync(user, due, _clock.Stopped).ConfigureAwait(false);
        if (user.IsOnline && epoch == user.Epoch)
            PlanSend(user, _clock.Now);
    }

    /// <summary>Messages at the plan's rate, whatever the answers take.</summary>
    private async Task ArriveAsync(CancellationToken cancellationToken)
    {
        foreach (var due in _profile.Arrivals(_arrivals, 1.0 / _options.Shard.Count))
        {
            while (_clock.Now is var now && now < due)
                await PauseAsync(due - now, cancellationToken).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
            var online = Volatile.Read(ref _online);
            while (online.Length == 0 && _clock.Now < due + ControlPause)
            {
                // The very first users are just coming.
                await PauseAsync(Tick, cancellationToken).ConfigureAwait(false);
                online = Volatile.Read(ref _online);
            }

            Note(_clock.Now - due);
            if (online.Length == 0)
            {
                _recorder.Done(Operation.Send, due, _clock.Now, "nobody online");
                continue;
            }

            var sender = online[_choice.Next(online.Length)];
            if (_clock.InFlight >= _plan.MaxInFlight)
            {
                _recorder.Done(Operation.Send, due, _clock.Now, ErrorClass.Saturated);
                continue;
            }

            _ = RunAsync(() => _actions.SendAsync(sender, due, _clock.Stopped));
        }
    }

    /// <summary>On a thread of the pool: making an onion takes a fraction of a millisecond of pure computing.</summary>
    private Task RunAsync(Func<Task> operation)
    {
        _clock.Enter();
        return Task.Run(async () =>
        {
            try
            {
                await operation().ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                // The run is over.
            }
            catch (Exception exception)
            {
                // A slip of ours: it ends the run instead of making a user silently disappear.
                _ = Interlocked.CompareExchange(ref _failure, exception, null);
            }
            finally
            {
                _clock.Leave();
            }
        });
    }

    private void Note(TimeSpan lag)
    {
        if (lag > _maxLag)
            _maxLag = lag;
    }

    private async Task PauseAsync(TimeSpan pause, CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _failure) is { } failure)
            throw new InvalidOperationException("A virtual user failed.", failure);
        await _options.Time.DelayAsync(pause, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>What is under way may end, as its own limits say.</summary>
    private async Task FinishAsync(CancellationToken abort)
    {
        while (_clock.InFlight > 0 && !abort.IsCancellationRequested)
            await PauseAsync(Tick * 10, abort).ConfigureAwait(false);
    }

    /// <summary>Everybody whose messages are outstanding reads, until nothing is, or the time is over.</summary>
    /// <returns>True if everybody has read all the same, once at least.</returns>
    private async Task<bool> SettleAsync(TimeSpan limit, CancellationToken abort)
    {
        var until = _clock.Now + limit;
        var hasRound = false;
        while (_ledger.Outstanding > 0 && _clock.Now < until && !abort.IsCancellationRequested)
        {
            await Parallel.ForEachAsync(
                _ledger.ReadersToWaitFor().Select(number => _population.Users[number]),
                new ParallelOptions { MaxDegreeOfParallelism = SettlersAtOnce },
                async (user, _) =>
                {
                    if (abort.IsCancellationRequested || _clock.Now > until)
                        return;
                    if (!user.IsOnline)
                        (user.IsOnline, user.OnlineSince) = (true, _clock.Now);
                    foreach (var reader in user.Groups.Prepend(user.Reader))
                    {
                        while (await _actions.PollAsync(user, reader, _clock.Now, isRecorded: false, _clock.Stopped).ConfigureAwait(false)
                            && _clock.Now < until && !abort.IsCancellationRequested)
                        {
                            // There is more to read.
                        }
                    }

                    foreach (var at in user.Communities)
                        await _actions.Communities.PollAsync(user, at, _clock.Now, isRecorded: false, _clock.Stopped).ConfigureAwait(false);
                }).ConfigureAwait(false);
            hasRound |= _clock.Now <= until;
            if (_ledger.Outstanding > 0)
                await PauseAsync(SettlePause, abort).ConfigureAwait(false);
        }

        await FinishAsync(abort).ConfigureAwait(false); // downloads
        if (_options.Traces is { } traces)
            await traces.WaitAsync(TraceLimit, abort).ConfigureAwait(false);
        return hasRound && !abort.IsCancellationRequested;
    }

    private async Task WatchAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            await Task.Delay(WatchPause, _options.Time, cancellationToken).ConfigureAwait(false);
            _options.Watch!(new(
                _phase, _clock.Now, _profile.Duration, Volatile.Read(ref _online).Length, _clock.InFlight, _plan.IsOpen ? _profile.RateAt(_clock.Now) : null,
                _recorder.Look(), _ledger.Totals()));
        }
    }
}
