using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;
using Session.Orleans.Load.Ledger;
using Session.Orleans.Load.Network;
using Session.Orleans.Load.Plan;
using Session.Orleans.Load.Results;

namespace Session.Orleans.Load;

/// <summary>What a run knows of itself at its end.</summary>
internal sealed record RunReport
{
    private const double MegaByte = 1e6;

    /// <summary>open, closed or prebuilt.</summary>
    public required string Mode { get; init; }

    /// <summary>When the first user began.</summary>
    public required DateTimeOffset Started { get; init; }

    /// <summary>After which time it was interrupted; null if it was not.</summary>
    public TimeSpan? Ended { get; init; }

    /// <summary>Length without the warm-up.</summary>
    public required TimeSpan Measured { get; init; }

    /// <summary>Processor time of this process.</summary>
    public required TimeSpan Cpu { get; init; }

    /// <summary>Service nodes of the network.</summary>
    public required int Nodes { get; init; }

    /// <summary>Onion requests.</summary>
    public required long Requests { get; init; }

    /// <summary>Most that the process was behind its schedule.</summary>
    public required TimeSpan MaxLag { get; init; }

    /// <summary>What became of the messages.</summary>
    public LedgerTotals Ledger { get; init; } = LedgerTotals.Empty;

    /// <summary>The result, with the plan's thresholds checked.</summary>
    public static LoadResult Create(LoadPlan plan, LoadOptions options, LoadTarget target, Recorder recorder, RunReport run)
    {
        using var process = Process.GetCurrentProcess();
        return new LoadResult
        {
            Name = plan.Name,
            Started = run.Started,
            Interrupted = run.Ended is { } ended ? FormattableString.Invariant($"stopped after {ended.TotalSeconds:0.#} of {plan.Duration.TotalSeconds:0.#} s") : null,
            Plan = new(run.Mode, plan.Population, plan.Seed, options.Shard.ToString(), [.. plan.Stages.Select(stage => Describe(plan, stage))], plan.WarmUp.TotalSeconds),
            Circumstances = new(
                target.Seed.ToString(), run.Nodes, typeof(RunReport).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "",
                options.Cpu, Environment.ProcessorCount, RuntimeInformation.OSDescription, RuntimeInformation.FrameworkDescription, 1,
                Math.Round(run.Measured.TotalSeconds, 3), Math.Round(run.Cpu.TotalSeconds, 3), run.Requests, Math.Round(process.PeakWorkingSet64 / MegaByte, 1),
                Math.Round(run.MaxLag.TotalMilliseconds, 1)),
            Ledger = run.Ledger,
            Operations =
            [
                .. Enum.GetValues<Operation>().Select(operation => recorder.Result(operation, run.Measured)).Where(result => result.Count + result.Failed > 0),
            ],
            FailedAttempts = recorder.FailedAttempts,
            StepSeconds = recorder.BucketLength.TotalSeconds,
            Series = recorder.Series(),
            Failures = recorder.Failures,
            Traced = options.Traces is { } traces ? new(traces.Begun, traces.Seen) : null,
            Hops = options.Traces?.Results() ?? [],
        }.Check(plan.FailIf);
    }

    private static string Describe(LoadPlan plan, LoadStage stage)
    {
        var rate = stage.Rate is { } given ? FormattableString.Invariant($", {given:0.##}/s") : "";
        var online = stage.Online < 1 ? $", {Quantities.FormatShare(stage.Online)} of them connected" : "";
        return FormattableString.Invariant($"{Quantities.Format(stage.Length)}: {(stage.Ramp ? "ramp to " : "")}{stage.Users ?? plan.Users} users{online}{rate}");
    }
}
