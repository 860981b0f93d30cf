using System.Diagnostics;
using System.Globalization;

namespace Session.Orleans.Testnet.Scenarios;

/// <summary>Carries a scenario out on a running network, and leaves no fault of it behind.</summary>
/// <param name="admin">The network.</param>
/// <param name="speed">Factor by which the scenario's times are shortened; clients' timeouts stay.</param>
/// <param name="say">Told what happens while it happens.</param>
internal sealed class ScenarioRunner(AdminClient admin, double speed, Action<string> say)
{
    private readonly List<(string Id, string Label, string Phase)> _faults = [];
    private readonly Dictionary<string, (TimeSpan Begin, TimeSpan End)> _windows = [];
    private readonly Stopwatch _clock = new();

    public async Task<ScenarioReport> RunAsync(Scenario scenario, CancellationToken cancellationToken)
    {
        var nodes = (await admin.GetNodesAsync(cancellationToken)).Value;
        var swarms = (await admin.GetSwarmsAsync(cancellationToken)).Value;
        if ((await admin.GetFaultsAsync(cancellationToken)).Value is { Count: > 0 } others)
            say($"note: other faults are in force already: {string.Join(", ", others.Select(fault => fault.Id))}");
        var plan = ScenarioPlan.Create(scenario, ScenarioNetwork.Of(nodes, swarms), speed);
        using var traffic = scenario.Traffic is { } settings ? new TrafficClient(settings, nodes, swarms) : null;
        say(string.Create(CultureInfo.InvariantCulture, $"scenario {scenario.Name}: {plan.Duration.TotalSeconds:0.#} s, seed {scenario.Seed}"));

        var happened = new List<EventReport>();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _clock.Start();
        var running = traffic?.RunAsync(plan.Duration, _clock, stop.Token) ?? Task.CompletedTask;
        try
        {
            await HappenAsync(plan, happened, cancellationToken);
            await running;
        }
        finally
        {
            await stop.CancelAsync();
            await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await EndAsync(_ => true, CancellationToken.None);
        }

        var report = ScenarioReport.Of(scenario, plan, speed) with { Events = happened };
        if (traffic is null)
            return report with { Passed = true };
        say("reading all mailboxes");
        var figures = new ScenarioFigures(traffic.Samples, _windows, await traffic.SettleAsync(scenario.Settle, cancellationToken));
        AssertionReport[] assertions = [.. scenario.Assertions.Select(figures.Check)];
        return report with
        {
            Passed = assertions.All(assertion => assertion.Passed is true),
            Traffic = figures.Report(scenario.Traffic!.Accounts, traffic.Acknowledged, traffic.Polled, traffic.FailedAttempts),
            Assertions = assertions,
        };
    }

    private async Task HappenAsync(ScenarioPlan plan, List<EventReport> happened, CancellationToken cancellationToken)
    {
        // What was planned stands until it is known better: orders take their time, and figures of a phase are about what it really covered.
        foreach (var (phase, window) in plan.Windows)
            _windows[phase] = window;
        var begun = new HashSet<string>();
        foreach (var one in plan.Events)
        {
            if (one.At - _clock.Elapsed is { } pause && pause > TimeSpan.Zero)
                await Task.Delay(pause, cancellationToken);
            var at = _clock.Elapsed.TotalSeconds;
            if (begun.Add(one.Phase))
                _windows[one.Phase] = _windows[one.Phase] with { Begin = _clock.Elapsed };
            switch (one.Kind)
            {
                case ScenarioEventKind.Fault:
                    var added = await admin.AddFaultsAsync(one.ToOrders(), cancellationToken);
                    _faults.AddRange(added.Value.Select(fault => (fault.Id, fault.Label!, one.Phase)));
                    break;
                case ScenarioEventKind.Clear:
                    await EndAsync(fault => one.Labels.Count == 0 || one.Labels.Contains(fault.Label), cancellationToken);
                    break;
                default:
                    await EndAsync(fault => fault.Phase == one.Phase, cancellationToken);
                    _windows[one.Phase] = _windows[one.Phase] with { End = _clock.Elapsed };
                    break;
            }

            happened.Add(new(Math.Round(at, 3), one.Phase, one.Describe()));
            say(string.Create(CultureInfo.InvariantCulture, $"{at,6:0.0} s  {one.Phase}: {one.Describe()}"));
        }

        if (plan.Duration - _clock.Elapsed is { } rest && rest > TimeSpan.Zero)
            await Task.Delay(rest, cancellationToken);
    }

    private async Task EndAsync(Predicate<(string Id, string Label, string Phase)> which, CancellationToken cancellationToken)
    {
        var ours = _faults.FindAll(which);
        if (ours.Count == 0)
            return;
        // Some may have ended by themselves, and to end what is not there is an error.
        var alive = (await admin.GetFaultsAsync(cancellationToken)).Value.Select(fault => fault.Id).ToHashSet();
        var ids = ours.Select(fault => fault.Id).Where(alive.Contains).ToArray();
        try
        {
            if (ids.Length > 0)
                await admin.RemoveFaultsAsync(ids, cancellationToken);
        }
        catch (CommandException exception) when (exception.ExitCode is ExitCodes.Failed)
        {
            // One of them ended between the two requests; the others have ended with this one.
        }

        _faults.RemoveAll(which);
    }
}
