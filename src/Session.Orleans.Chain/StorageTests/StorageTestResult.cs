namespace Session.Orleans.Chain.StorageTests;

/// <summary>A storage test that was made.</summary>
/// <param name="Testee">Index of the node that was tested.</param>
/// <param name="Outcome">What came out.</param>
public readonly record struct StorageTestResult(int Testee, StorageTestOutcome Outcome);
