namespace Session.Orleans.Chain.PeerTests;

/// <summary>What a tester remembers of a node that it found failing. The next passed test ends it (network.md, 7).</summary>
/// <param name="FirstHeight">Block during which the failures began.</param>
/// <param name="LastHeight">Block of the last failure.</param>
/// <param name="LastTick">Its tick.</param>
/// <param name="Count">Failures in a row.</param>
public readonly record struct PeerFailure(long FirstHeight, long LastHeight, int LastTick, int Count)
{
    /// <summary>True if the failures began long enough ago and the last one is recent: stale ones count for nothing.</summary>
    public bool IsUnreachable(ChainRules rules, long height) =>
        height - FirstHeight >= rules.UnreachableAfter && height - LastHeight <= rules.FailureStaleAfter;
}
