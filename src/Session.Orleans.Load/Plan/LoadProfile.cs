namespace Session.Orleans.Load.Plan;

/// <summary>The stages laid out in time: what holds at each moment.</summary>
internal sealed class LoadProfile
{
    private readonly Piece[] _pieces;

    /// <summary>Lays out the stages of a plan.</summary>
    public LoadProfile(LoadPlan plan)
    {
        var pieces = new List<Piece>();
        // A run that begins with a ramp begins with nothing.
        var (at, rate, users, online) = (0.0, 0.0, 0.0, plan.Stages[0].Online);
        foreach (var stage in plan.Stages)
        {
            var (toRate, toUsers, length) = (stage.Rate ?? 0, (double)(stage.Users ?? plan.Users), stage.Length.TotalSeconds);
            if (pieces.Count == 0 && stage.Ramp && stage.Users is null)
                users = toUsers; // only the rate is meant
            pieces.Add(stage.Ramp
                ? new(at, length, rate, toRate, users, toUsers, online, stage.Online)
                : new(at, length, toRate, toRate, toUsers, toUsers, stage.Online, stage.Online));
            (at, rate, users, online) = (at + length, toRate, toUsers, stage.Online);
        }

        _pieces = [.. pieces];
        Duration = TimeSpan.FromSeconds(at);
    }

    /// <summary>End of the last stage.</summary>
    public TimeSpan Duration { get; }

    /// <summary>Messages per second at a time.</summary>
    public double RateAt(TimeSpan time) => At(time) is var (piece, share) ? Between(piece.FromRate, piece.ToRate, share) : 0;

    /// <summary>Active users at a time.</summary>
    public int UsersAt(TimeSpan time) => At(time) is var (piece, share) ? (int)Math.Round(Between(piece.FromUsers, piece.ToUsers, share)) : 0;

    /// <summary>Share of the active users that are connected.</summary>
    public double OnlineAt(TimeSpan time) => At(time) is var (piece, share) ? Between(piece.FromOnline, piece.ToOnline, share) : 0;

    /// <summary>
    /// Times of arrivals with the plan's rate: independent of each other (a Poisson process), the same for the same random numbers.
    /// </summary>
    /// <param name="random">Where they come from.</param>
    /// <param name="factor">A shard's part of the rate.</param>
    public IEnumerable<TimeSpan> Arrivals(SeededRandom random, double factor = 1)
    {
        // In a time in which each arrival takes the same on average, the process is even; each piece is then stretched to its own rate.
        var (due, passed) = (random.NextExponential(), 0.0);
        foreach (var piece in _pieces)
        {
            var total = factor * (piece.FromRate + piece.ToRate) / 2 * piece.Length;
            while (due < passed + total)
            {
                yield return TimeSpan.FromSeconds(piece.At + piece.TimeOf((due - passed) / factor));
                due += random.NextExponential();
            }

            passed += total;
        }
    }

    private static double Between(double from, double to, double share) => from + ((to - from) * share);

    private (Piece Piece, double Share)? At(TimeSpan time)
    {
        var seconds = time.TotalSeconds;
        foreach (var piece in _pieces)
        {
            if (seconds < piece.At + piece.Length)
                return (piece, Math.Max(0, (seconds - piece.At) / piece.Length));
        }

        return null;
    }

    private sealed record Piece(double At, double Length, double FromRate, double ToRate, double FromUsers, double ToUsers, double FromOnline, double ToOnline)
    {
        /// <summary>After how many seconds of the piece so many arrivals are expected.</summary>
        public double TimeOf(double arrivals)
        {
            var slope = (ToRate - FromRate) / Length;
            // Root of FromRate t + slope t^2 / 2 = arrivals, in a form that is exact for a slope of 0 as well.
            return 2 * arrivals / (FromRate + Math.Sqrt(Math.Max(0, (FromRate * FromRate) + (2 * slope * arrivals))));
        }
    }
}
