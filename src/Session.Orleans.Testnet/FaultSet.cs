using Session.Orleans.Gateway.Admin;

namespace Session.Orleans.Testnet;

/// <summary>Faults that begin together at the same place, as <c>faults add</c> and scenarios spell them: each kind is a setting of its own.</summary>
internal sealed record FaultSet
{
    private const double Certain = 1;

    public bool Offline { get; init; }

    public bool Refuse { get; init; }

    public TimeSpan? Latency { get; init; }

    public double? Loss { get; init; }

    public long? Bandwidth { get; init; }

    public bool CorruptLayer { get; init; }

    public bool CorruptReply { get; init; }

    public bool WrongSignature { get; init; }

    public bool Stale { get; init; }

    public TimeSpan? Skew { get; init; }

    public TimeSpan? SlowStorage { get; init; }

    /// <summary>Of latency and slow storage.</summary>
    public TimeSpan? Spread { get; init; }

    /// <summary>Of the spread: uniform or normal.</summary>
    public string? Distribution { get; init; }

    /// <summary>Share of the requests that all these faults meet, but for those that are a state of the node: skew and stale.</summary>
    public double? Probability { get; init; }

    /// <summary>After which time they end; null if they stay.</summary>
    public TimeSpan? For { get; init; }

    public string? Label { get; init; }

    /// <summary>What is wrong with it, with settings named as <paramref name="spell"/> spells them; null if nothing is.</summary>
    public string? Problem(Func<string, string> spell)
    {
        if (!Kinds().Any())
            return $"Name at least one fault: {string.Join(", ", KindNames.Select(spell))}.";
        if (Loss is not null && Probability is not null)
            return $"{spell("loss")} is a probability already; leave out {spell("probability")}.";
        if (Loss is 0 || Probability is 0)
            return $"{spell(Loss is 0 ? "loss" : "probability")} must be above 0.";
        if (Probability is not null && Kinds().All(kind => kind is "clockSkew" or "staleData"))
            return $"{spell("probability")} is of no use here: {spell("skew")} and {spell("stale")} are states of a node, there all the time.";
        if (Spread is not null && Latency is null && SlowStorage is null)
            return $"{spell("spread")} belongs to {spell("latency")} or {spell("slow-storage")}.";
        if (Distribution is not null && Spread is null)
            return $"{spell("distribution")} needs {spell("spread")}.";
        if (Latency <= TimeSpan.Zero || SlowStorage <= TimeSpan.Zero || For <= TimeSpan.Zero || Spread <= TimeSpan.Zero || Skew == TimeSpan.Zero)
            return $"{spell(Latency <= TimeSpan.Zero ? "latency" : SlowStorage <= TimeSpan.Zero ? "slow-storage" : For <= TimeSpan.Zero ? "for" : Skew == TimeSpan.Zero ? "skew" : "spread")} must be more than 0.";
        return null;
    }

    /// <summary>Names of the settings that are faults.</summary>
    public static IReadOnlyList<string> KindNames { get; } =
    [
        "offline", "refuse", "latency", "loss", "bandwidth", "corrupt-layer", "corrupt-reply", "wrong-signature", "stale", "skew", "slow-storage",
    ];

    /// <summary>The orders that begin them at these places.</summary>
    public IReadOnlyList<FaultOrder> ToOrders(
        IReadOnlyList<string> nodes, IReadOnlyList<string>? swarms = null, IReadOnlyList<string>? to = null, IReadOnlyList<string>? toSwarms = null) =>
    [
        .. Kinds().Select(kind =>
        {
            var order = new FaultOrder(kind, nodes, swarms, to, toSwarms, ForSeconds: For?.TotalSeconds, Label: Label);
            var delays = kind is "latency" or "slowStorage";
            return order with
            {
                Probability = kind switch { "loss" => Loss ?? Certain, "clockSkew" or "staleData" => Certain, _ => Probability ?? Certain },
                DelayMs = (kind switch { "latency" => Latency, "slowStorage" => SlowStorage, "clockSkew" => Skew, _ => null })?.TotalMilliseconds ?? 0,
                SpreadMs = delays ? Spread?.TotalMilliseconds ?? 0 : 0,
                Distribution = delays ? Distribution : null,
                BytesPerSecond = kind is "bandwidth" ? Bandwidth ?? 0 : 0,
            };
        }),
    ];

    private IEnumerable<string> Kinds()
    {
        (bool IsSet, string Kind)[] all =
        [
            (Offline, "offline"), (Refuse, "refuse"), (Latency is not null, "latency"), (Loss is not null, "loss"), (Bandwidth is not null, "bandwidth"),
            (CorruptLayer, "corruptLayer"), (CorruptReply, "corruptReply"), (WrongSignature, "wrongSignature"), (Stale, "staleData"),
            (Skew is not null, "clockSkew"), (SlowStorage is not null, "slowStorage"),
        ];
        return all.Where(one => one.IsSet).Select(one => one.Kind);
    }
}
