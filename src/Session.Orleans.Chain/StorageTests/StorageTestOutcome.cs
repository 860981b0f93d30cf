namespace Session.Orleans.Chain.StorageTests;

/// <summary>What came out of a storage test (network.md, 8).</summary>
public enum StorageTestOutcome
{
    /// <summary>The right data.</summary>
    Ok = 0,

    /// <summary>Other data than the tester holds.</summary>
    Mismatch = 1,

    /// <summary>The testee found that the pair is another one.</summary>
    Rejected = 2,

    /// <summary>No message, no answer or an error.</summary>
    Other = 3,
}
