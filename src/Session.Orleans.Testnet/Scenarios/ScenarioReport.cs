using System.Text.Json.Serialization;

namespace Session.Orleans.Testnet.Scenarios;

/// <summary>What a scenario did and found.</summary>
/// <param name="Scenario">Its name.</param>
/// <param name="Seed">Of its draws.</param>
/// <param name="Speed">Factor by which its times were shortened.</param>
/// <param name="Passed">True if every assertion holds; null for a plan, which measured nothing.</param>
/// <param name="DurationSeconds">How long the traffic ran, or would run.</param>
/// <param name="Groups">The nodes of each group.</param>
/// <param name="Events">What happened, or would.</param>
/// <param name="Traffic">Figures of the traffic; null without any.</param>
/// <param name="Assertions">All of them with what was found.</param>
internal sealed record ScenarioReport(
    string Scenario, int Seed, double Speed, bool? Passed, double DurationSeconds, IReadOnlyDictionary<string, IReadOnlyList<int>> Groups,
    IReadOnlyList<EventReport> Events, TrafficReport? Traffic, IReadOnlyList<AssertionReport> Assertions)
{
    /// <summary>A report of a plan that nothing has come of yet.</summary>
    public static ScenarioReport Of(Scenario scenario, ScenarioPlan plan, double speed) => new(
        scenario.Name, scenario.Seed, speed, null, plan.Duration.TotalSeconds,
        plan.Groups.ToDictionary(group => group.Key, group => (IReadOnlyList<int>)group.Value),
        [.. plan.Events.Select(one => new EventReport(one.At.TotalSeconds, one.Phase, one.Describe()))], null,
        [.. scenario.Assertions.Select(assertion => new AssertionReport(assertion.Describe(), ScenarioMetrics.FormatWanted(assertion), null, null))]);
}

/// <summary>Something that happened.</summary>
/// <param name="AtSeconds">When, from the beginning.</param>
/// <param name="Phase">The phase it belongs to.</param>
/// <param name="What">What.</param>
internal sealed record EventReport(double AtSeconds, string Phase, string What);

/// <summary>Figures of the traffic.</summary>
internal sealed record TrafficReport(
    int Accounts, int Stores, int Acknowledged, int CameBackInPolls, int Polls, int Failed, int Lost, int Duplicated, int Corrupted, int BadConfirmations,
    double? SuccessRate, double? P50Milliseconds, double? P99Milliseconds,
    IReadOnlyDictionary<string, int> FailedAttempts);

/// <summary>An assertion and what was found.</summary>
/// <param name="Metric">The figure with its window.</param>
/// <param name="Wanted">What it had to be.</param>
/// <param name="Figure">What it was; null if nothing was measured.</param>
/// <param name="Passed">True if it was as wanted; null for a plan.</param>
internal sealed record AssertionReport(string Metric, string Wanted, string? Figure, bool? Passed);

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ScenarioReport))]
internal sealed partial class ScenarioJsonContext : JsonSerializerContext;
