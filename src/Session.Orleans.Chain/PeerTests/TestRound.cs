using System.Numerics;
using System.Text.Json.Serialization;

namespace Session.Orleans.Chain.PeerTests;

/// <summary>
/// How far a tester has come in its shuffled list of all nodes (network.md, 7). The lists of all testers would be n² numbers to keep and to
/// save; instead a list is the shuffle of the slots 0 .. 2^Bits - 1 that <paramref name="Seed"/> defines, so that three numbers tell it.
/// Slots without a node, or with one that is not to be tested, are skipped as the real list's unknown nodes are.
/// </summary>
/// <param name="Seed">Chooses the shuffle.</param>
/// <param name="Bits">The list has 2^Bits entries; 0 before the first list.</param>
/// <param name="Position">Entries that are done.</param>
/// <param name="DueTick">When the next general test is due, in ticks from the start of the block.</param>
public readonly record struct TestRound(ulong Seed, int Bits, int Position, int DueTick)
{
    private const int Rounds = 4;

    /// <summary>A new list for slots below <paramref name="slotCount"/>.</summary>
    public static TestRound Start(ulong seed, int slotCount, int dueTick) =>
        new(seed, Math.Max(1, BitOperations.Log2((uint)Math.Max(1, slotCount - 1)) + 1), 0, dueTick);

    /// <summary>True when every entry is done.</summary>
    [JsonIgnore]
    public bool IsDone => Bits == 0 || Position == 1 << Bits;

    /// <summary>The slot at <see cref="Position"/>.</summary>
    [JsonIgnore]
    public int CurrentSlot
    {
        get
        {
            // Each step (addition, xor with the upper half, product with an odd number) can be undone within Bits bits: a shuffle.
            var mask = (1u << Bits) - 1;
            var slot = (uint)Position;
            var key = Seed;
            for (var round = 0; round < Rounds; round++)
            {
                key = unchecked((key ^ (key >> 30)) * 0xbf58476d1ce4e5b9 + 0x9e3779b97f4a7c15);
                slot = unchecked(slot + (uint)key) & mask;
                slot ^= slot >> ((Bits + 1) / 2);
                slot = unchecked(slot * ((uint)(key >> 32) | 1)) & mask;
            }

            return (int)slot;
        }
    }
}
