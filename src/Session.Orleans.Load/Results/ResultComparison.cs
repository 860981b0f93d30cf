using System.Text.Json;
using System.Text.Json.Serialization;

namespace Session.Orleans.Load.Results;

/// <summary>A figure of two runs.</summary>
/// <param name="Figure">Its name, as in thresholds; times in ms.</param>
/// <param name="Before">In the earlier run; null if it was not measured.</param>
/// <param name="After">In the later run.</param>
/// <param name="Ratio">The later by the earlier; null if there is none.</param>
internal sealed record ComparedFigure(string Figure, double? Before, double? After, double? Ratio);

/// <summary>Two runs side by side.</summary>
/// <param name="Circumstances">What makes them hard to compare.</param>
/// <param name="Rows">Their figures.</param>
internal sealed record ResultComparison(IReadOnlyList<string> Circumstances, IReadOnlyList<ComparedFigure> Rows)
{
    private static readonly string[] Counts = ["lost", "duplicated", "corrupted", "late"];
    private static readonly string[] Times = ["p50", "p90", "p99", "p999", "max"];

    /// <summary>The earlier run.</summary>
    [JsonIgnore]
    public required LoadResult Before { get; init; }

    /// <summary>The later run.</summary>
    [JsonIgnore]
    public required LoadResult After { get; init; }

    /// <summary>Compares two runs.</summary>
    public static ResultComparison Of(LoadResult before, LoadResult after)
    {
        var differences = new List<string>();
        Differ("plan", before.Name, after.Name);
        Differ("loop", before.Plan.Mode, after.Plan.Mode);
        Differ("users", before.Plan.Users, after.Plan.Users);
        Differ("seed", before.Plan.Seed, after.Plan.Seed);
        Differ("stages", string.Join("; ", before.Plan.Stages), string.Join("; ", after.Plan.Stages));
        Differ("nodes", before.Circumstances.Nodes, after.Circumstances.Nodes);
        Differ("processor", before.Circumstances.Cpu, after.Circumstances.Cpu);
        Differ("cores", before.Circumstances.Cores, after.Circumstances.Cores);
        Differ("processes", before.Circumstances.Processes, after.Circumstances.Processes);
        if (before.Interrupted is not null || after.Interrupted is not null)
            differences.Add("one of them was interrupted");

        var rows = new List<ComparedFigure>();
        foreach (var count in Counts)
            rows.Add(Row(count));
        rows.Add(Row("errors"));
        foreach (var operation in before.Operations.Concat(after.Operations).Select(operation => operation.Name).Distinct().Where(name => name is not ("swarm" or "join" or "resolve")))
        {
            rows.Add(Row(operation + ".rate"));
            foreach (var time in Times)
                rows.Add(Row($"{operation}.{time}"));
        }

        rows.AddRange(after.Hops.Select(hop => hop.Part).Union(before.Hops.Select(hop => hop.Part)).Select(part => Compare(
            $"{part}, own time", MeanOf(before, part), MeanOf(after, part))));
        return new(differences, rows) { Before = before, After = after };

        void Differ<T>(string what, T one, T other)
        {
            if (!Equals(one, other))
                differences.Add($"{what}: {one} and {other}");
        }

        ComparedFigure Row(string figure) => Compare(figure, before.Figure(figure), after.Figure(figure));

        static ComparedFigure Compare(string figure, double one, double other) =>
            new(figure, double.IsNaN(one) ? null : one, double.IsNaN(other) ? null : other, one > 0 && !double.IsNaN(other) ? Math.Round(other / one, 4) : null);

        static double MeanOf(LoadResult result, string part) => result.Hops.FirstOrDefault(hop => hop.Part == part)?.Mean ?? double.NaN;
    }

    /// <summary>What got worse by more than a share: medians, 99th percentiles, rates; and anything that was lost, duplicated or corrupted more.</summary>
    public IReadOnlyList<string> WorseThan(double tolerance)
    {
        return [.. Rows.Where(IsWorse).Select(row => FormattableString.Invariant($"{row.Figure} {row.Before:0.###} -> {row.After:0.###}"))];

        bool IsWorse(ComparedFigure row) => row.Figure switch
        {
            "lost" or "duplicated" or "corrupted" => row.After > row.Before,
            _ when row.Figure.EndsWith(".rate", StringComparison.Ordinal) => row.Ratio < 1 - tolerance,
            _ when row.Figure.EndsWith(".p50", StringComparison.Ordinal) || row.Figure.EndsWith(".p99", StringComparison.Ordinal) => row.Ratio > 1 + tolerance,
            _ => false,
        };
    }

    /// <summary>As JSON.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, ComparisonJsonContext.Default.ResultComparison);
}

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ResultComparison))]
internal sealed partial class ComparisonJsonContext : JsonSerializerContext;
