namespace Session.Orleans.Load.Plan;

/// <summary>How a quantity of users varies: times in seconds, sizes in bytes.</summary>
internal abstract record Distribution
{
    private const double Z99 = 2.3263478740408408; // the standard normal distribution's 99th percentile

    /// <summary>Draws a value, at least 0.</summary>
    public abstract double Draw(ref SeededRandom random);

    /// <summary>For people, without unit.</summary>
    public abstract string Describe(Func<double, string> format);

    /// <summary>Always the same.</summary>
    public static Distribution Fixed(double value) => new FixedDistribution(value);

    /// <summary>Evenly between two values.</summary>
    public static Distribution Uniform(double least, double most) => new UniformDistribution(least, most);

    /// <summary>Exponentially with a mean: times between independent events.</summary>
    public static Distribution Exponential(double mean) => new ExponentialDistribution(mean);

    /// <summary>Log-normally: what people do and write. Half lie below <paramref name="median"/>, one in a hundred above <paramref name="p99"/>.</summary>
    public static Distribution LogNormal(double median, double p99) => new LogNormalDistribution(Math.Log(median), Math.Log(p99 / median) / Z99);

    /// <summary>A heavy tail: P(x) falls with the power <paramref name="alpha"/> from <paramref name="least"/> on, cut at <paramref name="most"/>.</summary>
    public static Distribution Pareto(double least, double most, double alpha) => new ParetoDistribution(least, most, alpha);

    private sealed record FixedDistribution(double Value) : Distribution
    {
        public override double Draw(ref SeededRandom random) => Value;

        public override string Describe(Func<double, string> format) => format(Value);
    }

    private sealed record UniformDistribution(double Least, double Most) : Distribution
    {
        public override double Draw(ref SeededRandom random) => Least + ((Most - Least) * random.NextDouble());

        public override string Describe(Func<double, string> format) => $"{format(Least)} to {format(Most)}";
    }

    private sealed record ExponentialDistribution(double Mean) : Distribution
    {
        public override double Draw(ref SeededRandom random) => Mean * random.NextExponential();

        public override string Describe(Func<double, string> format) => $"exponential, mean {format(Mean)}";
    }

    private sealed record LogNormalDistribution(double Location, double Scale) : Distribution
    {
        public override double Draw(ref SeededRandom random) => Math.Exp(Location + (Scale * random.NextNormal()));

        public override string Describe(Func<double, string> format) =>
            $"log-normal, median {format(Math.Exp(Location))}, p99 {format(Math.Exp(Location + (Scale * Z99)))}";
    }

    private sealed record ParetoDistribution(double Least, double Most, double Alpha) : Distribution
    {
        public override double Draw(ref SeededRandom random)
        {
            // Inverse of the distribution function between both ends.
            var tail = Math.Pow(Least / Most, Alpha);
            return Least / Math.Pow(1 - (random.NextDouble() * (1 - tail)), 1 / Alpha);
        }

        public override string Describe(Func<double, string> format) =>
            FormattableString.Invariant($"Pareto from {format(Least)} to {format(Most)}, exponent {Alpha:0.##}");
    }
}
