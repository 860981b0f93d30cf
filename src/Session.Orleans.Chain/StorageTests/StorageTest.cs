namespace Session.Orleans.Chain.StorageTests;

/// <summary>The storage test of a swarm at a block: the tester asks the testee for a message that both should hold (network.md, 8).</summary>
/// <param name="Swarm">The swarm of both.</param>
/// <param name="Tester">Index of the node that asks.</param>
/// <param name="Testee">Index of the node that answers.</param>
public readonly record struct StorageTest(SwarmId Swarm, int Tester, int Testee);
