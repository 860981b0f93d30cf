using System.Globalization;

namespace Session.Orleans.Testnet.Bench;

/// <summary>Two or more subjects of one benchmark, measured in turns: a machine that others use changes from minute to minute.</summary>
/// <param name="Count">Rounds of each subject.</param>
/// <param name="Requests">Requests in a round.</param>
/// <param name="Concurrency">Requests in flight.</param>
internal sealed record PairedRounds(int Count, int Requests, int Concurrency)
{
    private const int MostWarmUp = 8000;

    /// <summary>Requests of a kind before anything is measured: no more than will be measured.</summary>
    public int WarmUp => Math.Min(MostWarmUp, Count * Requests);

    /// <summary>Runs the rounds of all subjects; who comes first changes as well.</summary>
    /// <param name="name">What people read while they wait.</param>
    /// <param name="subjects">Each runs one round of requests.</param>
    /// <returns>The rounds of each subject.</returns>
    public async Task<IReadOnlyList<DriverResult>[]> RunAsync(string name, IReadOnlyList<Func<int, Task<DriverResult>>> subjects)
    {
        var results = subjects.Select(_ => new DriverResult[Count]).ToArray();
        for (var round = 0; round < Count; round++)
        {
            await Console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{name}: round {round + 1} of {Count}"));
            for (var i = 0; i < subjects.Count; i++)
            {
                var turn = (round + i) % subjects.Count;
                results[turn][round] = await subjects[turn](round);
            }
        }

        return results;
    }

    /// <summary>Compares the CPU time per request.</summary>
    public static BenchScaleRow CompareCpu(string name, IReadOnlyList<DriverResult> small, IReadOnlyList<DriverResult> large, double? goal) =>
        Compare(name + ", CPU", "us", small, large, result => result.ServerCpuMicroseconds, goal);

    /// <summary>Compares the median latency.</summary>
    public static BenchScaleRow CompareMedian(string name, IReadOnlyList<DriverResult> small, IReadOnlyList<DriverResult> large, double? goal) =>
        Compare(name + ", p50", "us", small, large, result => result.Latency.GetValueAtPercentile(50), goal);

    private static BenchScaleRow Compare(
        string name, string unit, IReadOnlyList<DriverResult> small, IReadOnlyList<DriverResult> large, Func<DriverResult, double> figure, double? goal)
    {
        double[] ratios = [.. large.Zip(small, (much, little) => figure(much) / figure(little))];
        var ratio = Figures.Middle(ratios);
        return new(
            name, unit, Figures.Middle([.. small.Select(figure)]), Figures.Middle([.. large.Select(figure)]), ratio, Figures.ErrorOfMiddle(ratios), goal,
            goal is null ? null : ratio <= goal);
    }
}
