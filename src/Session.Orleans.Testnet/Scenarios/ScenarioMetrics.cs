using System.Globalization;
using Session.Orleans.Load;

namespace Session.Orleans.Testnet.Scenarios;

/// <summary>The figures of a scenario's traffic that assertions can be about.</summary>
internal static class ScenarioMetrics
{
    private static readonly (string Symbol, Comparison Comparison)[] Symbols =
        [("<=", Comparison.AtMost), (">=", Comparison.AtLeast), ("<", Comparison.Less), (">", Comparison.More), ("=", Comparison.Equal)];

    /// <summary>All of them, with what they count.</summary>
    public static IReadOnlyList<ScenarioMetric> All { get; } =
    [
        new("lost", MetricUnit.Count, HasWindow: false),
        new("duplicated", MetricUnit.Count, HasWindow: false),
        new("corrupted", MetricUnit.Count, HasWindow: false),
        new("stored", MetricUnit.Count, HasWindow: true),
        new("failed", MetricUnit.Count, HasWindow: true),
        new("bad_confirmations", MetricUnit.Count, HasWindow: true),
        new("success_rate", MetricUnit.Share, HasWindow: true),
        new("p50", MetricUnit.Time, HasWindow: true),
        new("p95", MetricUnit.Time, HasWindow: true),
        new("p99", MetricUnit.Time, HasWindow: true),
        new("max", MetricUnit.Time, HasWindow: true),
    ];

    /// <summary>The metric with this name, or null.</summary>
    public static ScenarioMetric? Find(string name) => All.FirstOrDefault(metric => metric.Name == name);

    /// <summary>Reads what a figure is compared with: <c>0</c>, <c>&lt; 500ms</c>, <c>&gt;= 95%</c>.</summary>
    public static bool TryParseLimit(MetricUnit unit, string text, out Comparison comparison, out double limit)
    {
        comparison = Comparison.Equal;
        limit = 0;
        foreach (var (symbol, meaning) in Symbols)
        {
            if (text.StartsWith(symbol, StringComparison.Ordinal))
            {
                comparison = meaning;
                text = text[symbol.Length..].TrimStart();
                break;
            }
        }

        switch (unit)
        {
            case MetricUnit.Count:
                return double.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out limit);
            case MetricUnit.Share:
                return Quantities.TryParseShare(text, out limit);
            default:
                var isDuration = Quantities.TryParseDuration(text, out var duration);
                limit = duration.TotalMilliseconds;
                return isDuration;
        }
    }

    /// <summary>What <see cref="TryParseLimit"/> takes, for messages.</summary>
    public static string LimitForm(MetricUnit unit) => unit switch
    {
        MetricUnit.Count => "a number, maybe after <, <=, >, >= or =, such as 0 or \"> 10\"",
        MetricUnit.Share => "a share, maybe after <, <=, >, >= or =, such as \">= 95%\"",
        _ => "a duration, maybe after <, <=, >, >= or =, such as \"< 500ms\"",
    };

    /// <summary>A figure for people; <c>none</c> if nothing was measured.</summary>
    public static string Format(MetricUnit unit, double figure) =>
        double.IsNaN(figure) ? "none"
        : unit switch
        {
            MetricUnit.Count => figure.ToString("0", CultureInfo.InvariantCulture),
            MetricUnit.Share => Quantities.FormatShare(figure),
            _ => Quantities.Format(TimeSpan.FromMilliseconds(figure)),
        };

    /// <summary>What is wanted, for people.</summary>
    public static string FormatWanted(ScenarioAssertion assertion)
    {
        var symbol = Symbols.Single(candidate => candidate.Comparison == assertion.Comparison).Symbol;
        return $"{symbol} {Format(Find(assertion.Metric)!.Unit, assertion.Limit)}";
    }
}

/// <summary>A figure.</summary>
/// <param name="Name">As assertions name it.</param>
/// <param name="Unit">What it counts.</param>
/// <param name="HasWindow">True if it can be told for a phase alone.</param>
internal sealed record ScenarioMetric(string Name, MetricUnit Unit, bool HasWindow);

/// <summary>What a figure counts.</summary>
internal enum MetricUnit
{
    Count,
    Share,
    Time,
}
