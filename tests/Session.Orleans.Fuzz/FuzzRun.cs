using System.Diagnostics;
using System.Globalization;
using System.Numerics;

namespace Session.Orleans.Fuzz;

/// <summary>An input that a parser did not survive as it should.</summary>
/// <param name="Target">Name of the target.</param>
/// <param name="Case">Number of the case; -1 for one of the corpus.</param>
/// <param name="Problem">What happened.</param>
/// <param name="Input">The bytes.</param>
public sealed record FuzzFinding(string Target, long Case, string Problem, byte[] Input)
{
    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Target} case {Case}: {Problem}\n  {Convert.ToHexStringLower(Input.AsSpan(0, Math.Min(Input.Length, 2048)))}");
}

/// <summary>Runs cases of a target. A case follows from the seed and its number alone.</summary>
public sealed class FuzzRun(FuzzTarget target, int seed = FuzzRun.DefaultSeed)
{
    /// <summary>The seed of all runs that name no other.</summary>
    public const int DefaultSeed = 20_260_101;

    /// <summary>No input may take longer than this many times the median of its size class.</summary>
    public const int SlowFactor = 10;

    private const int MaxFindings = 20, Samples = 2001, Repetitions = 25;

    // Malformed JSON costs an exception inside the library's reader, some ten microseconds whatever its size; only beyond that does the
    // factor speak of the parser.
    private static readonly long Noise = Stopwatch.Frequency / 20_000; // 50 µs

    // One class per power of two of the input's length.
    private readonly SizeClass[] _classes = [.. Enumerable.Range(0, 33).Select(_ => new SizeClass())];

    /// <summary>What went wrong so far; at most 20 are kept.</summary>
    public List<FuzzFinding> Findings { get; } = [];

    /// <summary>Longest measured time of an input over the median of its class, among those above the noise.</summary>
    public double WorstRatio { get; private set; }

    /// <summary>Runs the given cases.</summary>
    public void Run(long from, long to)
    {
        for (var number = from; number < to && Findings.Count < MaxFindings; number++)
            RunOne(number, target.Create(new Random(HashCode(seed, number))));
    }

    /// <summary>Runs one input; its time counts only if its size class is well known by now.</summary>
    public void RunOne(long number, byte[] input)
    {
        long ticks;
        try
        {
            ticks = Measure(input);
            if (target.Verify(input) is { } problem)
                Findings.Add(new(target.Name, number, problem, input));
        }
#pragma warning disable CA1031 // any exception is what is looked for
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Findings.Add(new(target.Name, number, exception.ToString(), input));
            return;
        }

        var @class = _classes[BitOperations.Log2((uint)input.Length + 1)];
        var limit = Math.Max(@class.Median * SlowFactor, Noise);
        if (@class.IsKnown && ticks > limit)
        {
            // A suspect: a pause of the machine or of the collector does not come every time.
            for (var i = 0; i < Repetitions && ticks > limit; i++)
                ticks = Math.Min(ticks, Measure(input));
            if (ticks > limit)
            {
                Findings.Add(new(target.Name, number, string.Create(CultureInfo.InvariantCulture,
                    $"{Stopwatch.GetElapsedTime(0, ticks).TotalMicroseconds:F1} µs where the median of its size is {Stopwatch.GetElapsedTime(0, @class.Median).TotalMicroseconds:F1}"), input));
            }
        }

        if (@class.IsKnown && ticks > Noise)
            WorstRatio = Math.Max(WorstRatio, (double)ticks / Math.Max(1, @class.Median));
        @class.Add(ticks);
    }

    private long Measure(byte[] input)
    {
        var start = Stopwatch.GetTimestamp();
        target.Parse(input);
        return Stopwatch.GetTimestamp() - start;
    }

    // Of its own, because System.HashCode differs from process to process.
    private static int HashCode(int seed, long number)
    {
        var mixed = unchecked(((ulong)seed << 32 | (uint)seed) + ((ulong)number * 0x9e3779b97f4a7c15));
        mixed = unchecked((mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9);
        return (int)(mixed ^ (mixed >> 27));
    }

    /// <summary>The median of the times of inputs of one size, from the most recent ones.</summary>
    private sealed class SizeClass
    {
        private readonly long[] _times = new long[Samples];
        private int _count;

        public long Median { get; private set; } = long.MaxValue / (2 * SlowFactor);

        /// <summary>False until compiled code has been measured often enough.</summary>
        public bool IsKnown => _count >= 2 * Samples;

        public void Add(long ticks)
        {
            _times[_count++ % Samples] = ticks;
            if (_count % Samples != 0)
                return;
            var sorted = _times.AsSpan().ToArray();
            Array.Sort(sorted);
            Median = sorted[Samples / 2];
        }
    }
}
