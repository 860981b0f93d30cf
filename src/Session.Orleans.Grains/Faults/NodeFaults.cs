using System.Collections.Immutable;

namespace Session.Orleans.Grains.Faults;

/// <summary>All faults of one node or one link. Immutable; each question throws the dice anew.</summary>
public sealed class NodeFaults
{
    private readonly ImmutableArray<Fault> _faults;

    internal NodeFaults(IEnumerable<Fault> faults)
    {
        _faults = [.. faults];
        Kinds = string.Join(',', _faults.Select(fault => fault.Kind).Distinct().Order());
        ClockSkew = _faults.Where(fault => fault.Kind is FaultKind.ClockSkew).Aggregate(TimeSpan.Zero, (sum, fault) => sum + fault.Delay);
        var stale = _faults.Where(fault => fault.Kind is FaultKind.StaleData).ToArray();
        StaleSince = stale.Length > 0 ? stale.Min(fault => fault.Since).ToUnixTimeMilliseconds() : null;
        CutsOff = _faults.Any(fault => fault.Kind is FaultKind.Offline or FaultKind.Refuse || fault is { Kind: FaultKind.Loss, Probability: 1 });
    }

    /// <summary>The kinds, for traces.</summary>
    public string Kinds { get; }

    /// <summary>How far the node's clock is ahead.</summary>
    public TimeSpan ClockSkew { get; }

    /// <summary>Messages with a later timestamp are not returned, unix ms; null if all are.</summary>
    public long? StaleSince { get; }

    /// <summary>True if nothing that is sent here can arrive.</summary>
    public bool CutsOff { get; }

    /// <summary>How a request of this length arrives.</summary>
    public Arrival Arrive(int bytes)
    {
        var delay = TimeSpan.Zero;
        foreach (var fault in _faults)
        {
            switch (fault.Kind)
            {
                case FaultKind.Offline or FaultKind.Loss when Strikes(fault):
                    return new(ArrivalOutcome.Unanswered, delay);
                case FaultKind.Refuse when Strikes(fault):
                    return new(ArrivalOutcome.Refused, delay);
                case FaultKind.Latency when Strikes(fault):
                    delay += Sample(fault);
                    break;
                case FaultKind.Bandwidth when Strikes(fault):
                    delay += TimeSpan.FromSeconds((double)bytes / fault.BytesPerSecond);
                    break;
                default:
                    break;
            }
        }

        return new(ArrivalOutcome.Arrives, delay);
    }

    /// <summary>How long the node's storage takes on top of its usual time.</summary>
    public TimeSpan StorageDelay()
    {
        var delay = TimeSpan.Zero;
        foreach (var fault in _faults)
        {
            if (fault.Kind is FaultKind.SlowStorage && Strikes(fault))
                delay += Sample(fault);
        }

        return delay;
    }

    /// <summary>Whether a fault of this kind strikes now.</summary>
    public bool Strikes(FaultKind kind)
    {
        foreach (var fault in _faults)
        {
            if (fault.Kind == kind && Strikes(fault))
                return true;
        }

        return false;
    }

    private static bool Strikes(Fault fault) => fault.Probability >= 1 || Random.Shared.NextDouble() < fault.Probability;

    private static TimeSpan Sample(Fault fault)
    {
        var deviation = fault.Distribution switch
        {
            DelayDistribution.Uniform => (2 * Random.Shared.NextDouble()) - 1,
            DelayDistribution.Normal => Normal(),
            _ => 0,
        };
        var delay = fault.Delay + (deviation * fault.Spread);
        return delay > TimeSpan.Zero ? delay : TimeSpan.Zero;
    }

    // Box and Muller's transform.
    private static double Normal() =>
        Math.Sqrt(-2 * Math.Log(1 - Random.Shared.NextDouble())) * Math.Cos(2 * Math.PI * Random.Shared.NextDouble());
}
