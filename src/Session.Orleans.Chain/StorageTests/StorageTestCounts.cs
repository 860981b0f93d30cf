namespace Session.Orleans.Chain.StorageTests;

/// <summary>A node's results as testee since its registration: statistics, they decide nothing (network.md, 8).</summary>
/// <param name="Ok">Tests answered with the right data.</param>
/// <param name="Mismatch">Tests answered with other data.</param>
/// <param name="Rejected">Tests refused.</param>
/// <param name="Other">Tests without a usable answer.</param>
public readonly record struct StorageTestCounts(long Ok, long Mismatch, long Rejected, long Other)
{
    internal StorageTestCounts With(StorageTestOutcome outcome) => outcome switch
    {
        StorageTestOutcome.Ok => this with { Ok = Ok + 1 },
        StorageTestOutcome.Mismatch => this with { Mismatch = Mismatch + 1 },
        StorageTestOutcome.Rejected => this with { Rejected = Rejected + 1 },
        _ => this with { Other = Other + 1 },
    };
}
