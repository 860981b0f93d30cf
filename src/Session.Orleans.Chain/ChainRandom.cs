using System.Buffers.Binary;

namespace Session.Orleans.Chain;

/// <summary>
/// The only source of chance: generators seeded with 8 bytes of a block's hash, little-endian, as the specification seeds the composition
/// of swarms (section 4). Bytes 0..7 are the swarms'; each other use has its own, so that none says anything about another.
/// </summary>
internal static class ChainRandom
{
    private const int QuorumBytes = 8;
    private const int PeerTestBytes = 16;

    public static MersenneTwister64 ForQuorum(Bytes32 hash) => At(hash, QuorumBytes);

    public static MersenneTwister64 ForPeerTests(Bytes32 hash) => At(hash, PeerTestBytes);

    private static MersenneTwister64 At(Bytes32 hash, int start) => new(BinaryPrimitives.ReadUInt64LittleEndian(hash.AsSpan()[start..]));
}
