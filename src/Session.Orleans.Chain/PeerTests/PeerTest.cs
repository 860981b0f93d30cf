namespace Session.Orleans.Chain.PeerTests;

/// <summary>One reachability test that is to be made while a block is the top (network.md, 7).</summary>
/// <param name="Tester">Index of the node that tests.</param>
/// <param name="Testee">Index of the node that is tested.</param>
/// <param name="Tick">When, counted from the block: 0 to <see cref="TicksPerBlock"/> - 1.</param>
/// <param name="IsRetest">True if the tester has found the node failing before.</param>
public readonly record struct PeerTest(int Tester, int Testee, int Tick, bool IsRetest)
{
    /// <summary>
    /// Ticks of a block. A tick is a millisecond of the deployed network's 120-second block; with blocks of 10 s it lasts a twelfth of that.
    /// </summary>
    public const int TicksPerBlock = 120_000;
}
