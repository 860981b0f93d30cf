namespace Session.Orleans.Testnet.Bench;

/// <summary>One figure out of many rounds.</summary>
internal static class Figures
{
    /// <summary>
    /// Mean of the middle half. As robust as a median, which would move in steps: the system counts another process's time in hundredths of a second.
    /// </summary>
    public static double Middle(IReadOnlyCollection<double> values)
    {
        var cut = values.Count / 4;
        return values.Order().Skip(cut).Take(values.Count - (2 * cut)).Average();
    }

    /// <summary>The median.</summary>
    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>Standard error of <see cref="Middle"/>, as if the values were normally distributed: half of them lie within 1.35 standard deviations.</summary>
    public static double ErrorOfMiddle(IReadOnlyCollection<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[^(sorted.Length / 4 + 1)] - sorted[sorted.Length / 4]) / 1.35 * 1.1 / Math.Sqrt(sorted.Length);
    }
}
