using System.Globalization;
using Session.Orleans.Load;
using Session.Orleans.Load.Plan;
using Session.Orleans.Load.Results;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Session.Orleans.Testnet.LoadTests;

/// <summary>Shows on standard error how a run goes: a screen that renews itself, or a line now and then where there is no terminal.</summary>
internal static class LoadView
{
    private const int BarWidth = 40;
    private const int MostErrors = 6;
    private static readonly TimeSpan LinePause = TimeSpan.FromSeconds(5);

    /// <summary>Runs a load and shows it.</summary>
    /// <param name="plan">What is run.</param>
    /// <param name="shard">Which part.</param>
    /// <param name="run">Runs it and tells the status.</param>
    public static async Task<LoadResult> ShowAsync(LoadPlan plan, Shard shard, Func<Action<RunStatus>, Task<LoadResult>> run)
    {
        var part = shard == Shard.Whole ? "" : $", shard {shard}";
        await Console.Error.WriteLineAsync(
            $"{plan.Name}: {Quantities.Format(plan.Duration)}, {plan.Population} users, {(plan.IsOpen ? "open" : "closed")} loop, seed {plan.Seed.ToString(CultureInfo.InvariantCulture)}{part}");
        return Console.IsErrorRedirected ? await run(Lines()) : await ShowScreenAsync(run);
    }

    /// <summary>A line for a log.</summary>
    public static string Line(RunStatus status)
    {
        var (progress, ledger) = (status.Progress, status.Ledger);
        return string.Create(CultureInfo.InvariantCulture,
            $"{Quantities.Format(Whole(status.Elapsed)),6} {status.Phase,-9} {status.Online} online, {status.InFlight} in flight, {progress.Operations} done, p50 {Time(progress.P50)}, p99 {Time(progress.P99)}, {progress.Failed} failed; {ledger.Delivered} of {ledger.Expected} delivered, {ledger.Lost} outstanding, duplicated {ledger.Duplicated}, corrupted {ledger.Corrupted}");
    }

    private static Action<RunStatus> Lines()
    {
        var next = LinePause;
        return status =>
        {
            if (status.Elapsed < next)
                return;
            next = status.Elapsed + LinePause;
            Console.Error.WriteLine(Line(status));
        };
    }

    private static async Task<LoadResult> ShowScreenAsync(Func<Action<RunStatus>, Task<LoadResult>> run)
    {
        var console = AnsiConsole.Create(new() { Out = new AnsiConsoleOutput(Console.Error) });
        return await console.Live(new Text("starting")).AutoClear(true).StartAsync(screen =>
        {
            var last = (Time: TimeSpan.Zero, Operations: 0L);
            return run(status =>
            {
                var rate = (status.Progress.Operations - last.Operations) / Math.Max(0.001, (status.Elapsed - last.Time).TotalSeconds);
                last = (status.Elapsed, status.Progress.Operations);
                screen.UpdateTarget(Screen(status, rate));
            });
        });
    }

    private static Rows Screen(RunStatus status, double rate)
    {
        var share = Math.Clamp(status.Elapsed / status.Duration, 0, 1);
        var full = (int)(share * BarWidth);
        var culture = CultureInfo.InvariantCulture;
        var (progress, ledger) = (status.Progress, status.Ledger);
        var grid = new Grid().AddColumn(new() { NoWrap = true }).AddColumn();
        Row("time", $"{new string('█', full)}{new string('░', BarWidth - full)} {Quantities.Format(Whole(status.Elapsed))} of {Quantities.Format(status.Duration)}, {status.Phase}");
        Row("users", string.Create(culture, $"{status.Online} online, {status.InFlight} operations in flight{(status.Rate is { } wanted ? $", {wanted:0.#} messages/s wanted" : "")}"));
        Row("rate", string.Create(culture, $"{rate:0.#} messages and polls/s, {progress.Operations} so far"));
        Row("latency", $"p50 {Time(progress.P50)}, p99 {Time(progress.P99)}");
        Row("ledger", string.Create(culture,
            $"{ledger.Delivered} of {ledger.Expected} delivered, {ledger.Lost} outstanding, duplicated {ledger.Duplicated}, late {ledger.Late}, corrupted {ledger.Corrupted}"));
        var errors = progress.FailedAttempts.OrderByDescending(error => error.Value).Take(MostErrors).Select(error => $"{error.Value.ToString(culture)} x {error.Key}").ToArray();
        Row("errors", string.Create(culture, $"{progress.Failed} failed{(errors.Length > 0 ? $"; attempts: {string.Join(", ", errors)}" : "")}"));
        return new(grid, new Text("Ctrl-C ends the load and reports"));

        void Row(string name, string text) => grid.AddRow((IRenderable[])[new Text(name), new Text(text)]);
    }

    private static TimeSpan Whole(TimeSpan time) => TimeSpan.FromSeconds(Math.Floor(time.TotalSeconds));

    private static string Time(double milliseconds) => double.IsNaN(milliseconds) ? "-" : Quantities.Format(TimeSpan.FromMilliseconds(milliseconds));
}
