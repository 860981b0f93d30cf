using Session.Orleans.Chain.Nodes;

namespace Session.Orleans.Chain.PeerTests;

/// <summary>Keeps each tester's own failures, and nothing of tests that pass: a healthy network costs no memory.</summary>
internal static class Reachability
{
    /// <summary>
    /// Takes a result in. Those of nodes that do not test (any more), or about nodes that are gone, say nothing.
    /// </summary>
    /// <param name="nodes">The registry.</param>
    /// <param name="result">The result.</param>
    /// <param name="height">Block during which the test was made.</param>
    public static void Record(NodeRegistry nodes, in PeerTestResult result, long height)
    {
        var test = result.Test;
        if (nodes.Find(test.Tester) is not { Status: NodeStatus.Active } tester || nodes.Find(test.Testee) is not { IsFunded: true } testee
            || tester == testee)
            return;
        if (result.Passed)
            _ = tester.Failures.Remove(testee.Slot);
        else if (tester.Failures.TryGetValue(testee.Slot, out var failure))
            tester.Failures[testee.Slot] = failure with { LastHeight = height, LastTick = test.Tick, Count = failure.Count + 1 };
        else
            tester.Failures.Add(testee.Slot, new(height, height, test.Tick, 1));
    }

    /// <summary>True if a tester, by its own results, calls a node unreachable.</summary>
    public static bool IsUnreachable(Node tester, Node testee, ChainRules rules, long height) =>
        tester.Failures.TryGetValue(testee.Slot, out var failure) && failure.IsUnreachable(rules, height);
}
