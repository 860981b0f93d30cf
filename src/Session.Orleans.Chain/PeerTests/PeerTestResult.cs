namespace Session.Orleans.Chain.PeerTests;

/// <summary>
/// What came out of a planned test. A passed test changes something only if the same pair failed before, so passed tests that are no retests
/// may be left out; a test without a result, failed or passed, counts for nothing.
/// </summary>
/// <param name="Test">The test as it was planned.</param>
/// <param name="Passed">True if all its parts passed.</param>
public readonly record struct PeerTestResult(PeerTest Test, bool Passed);
