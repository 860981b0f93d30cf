namespace Session.Orleans.Grains.Faults;

/// <summary>What becomes of a request on its way to a node.</summary>
public enum ArrivalOutcome
{
    /// <summary>It arrives.</summary>
    Arrives,

    /// <summary>Nobody ever answers.</summary>
    Unanswered,

    /// <summary>The connection is refused at once.</summary>
    Refused,
}

/// <summary>How a request comes to a node.</summary>
/// <param name="Outcome">Whether it arrives.</param>
/// <param name="Delay">How long it takes on top of its usual time.</param>
public readonly record struct Arrival(ArrivalOutcome Outcome, TimeSpan Delay)
{
    /// <summary>True if it arrives.</summary>
    public bool Arrives => Outcome is ArrivalOutcome.Arrives;
}
