using System.Buffers.Binary;

namespace Session.Orleans.Protocol.Swarms;

/// <summary>
/// The generator <c>mt19937_64</c> of the C++ standard. All nodes must draw the same numbers from a block hash, so it is part of the
/// protocol (network.md, 4 and 8); it is no source of secrets. Not thread-safe.
/// </summary>
public sealed class MersenneTwister64
{
    /// <summary>Bytes of a block hash that seed the composition of swarms.</summary>
    public const int BlockHashSeedLength = 8;

    private const int Size = 312;
    private const int Shift = 156;
    private const ulong UpperBits = 0xffffffff80000000;
    private const ulong Twist = 0xb5026f5aa96619e9;

    private readonly ulong[] _state = new ulong[Size];
    private int _index = Size;

    /// <summary>Starts the sequence of a seed.</summary>
    public MersenneTwister64(ulong seed)
    {
        _state[0] = seed;
        for (var i = 1; i < Size; i++)
            _state[i] = unchecked(6364136223846793005 * (_state[i - 1] ^ (_state[i - 1] >> 62)) + (ulong)i);
    }

    /// <summary>Seeded for the composition of swarms: the first 8 bytes of the block hash, little-endian (section 4).</summary>
    public static MersenneTwister64 FromBlockHash(ReadOnlySpan<byte> blockHash) => new(BinaryPrimitives.ReadUInt64LittleEndian(blockHash));

    /// <summary>
    /// Seeded for storage tests: the first 8 characters of the block hash's lower-case hex text, as a little-endian number (section 8).
    /// </summary>
    public static MersenneTwister64 FromBlockHashText(ReadOnlySpan<byte> blockHash)
    {
        Span<byte> text = stackalloc byte[sizeof(ulong)];
        _ = Convert.TryToHexStringLower(blockHash[..(sizeof(ulong) / 2)], text, out _);
        return new(BinaryPrimitives.ReadUInt64LittleEndian(text));
    }

    /// <summary>The next 64 bits.</summary>
    public ulong Next()
    {
        if (_index == Size)
            Refill();
        var x = _state[_index++];
        x ^= (x >> 29) & 0x5555555555555555;
        x ^= (x << 17) & 0x71d67fffeda60000;
        x ^= (x << 37) & 0xfff7eee000000000;
        return x ^ (x >> 43);
    }

    /// <summary>
    /// A number below <paramref name="n"/>, all equally likely: outputs from the last incomplete stretch of n values are dropped, the
    /// others divided (section 4).
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="n"/> is 0.</exception>
    public ulong NextBelow(ulong n)
    {
        ArgumentOutOfRangeException.ThrowIfZero(n);
        var top = ulong.MaxValue - ulong.MaxValue % n;
        ulong x;
        do
            x = Next();
        while (x >= top);
        return x / (top / n);
    }

    /// <summary>A number below <paramref name="n"/>, for indexing; see <see cref="NextBelow(ulong)"/>.</summary>
    public int NextBelow(int n)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(n);
        return (int)NextBelow((ulong)n);
    }

    private void Refill()
    {
        for (var i = 0; i < Size; i++)
        {
            var x = (_state[i] & UpperBits) | (_state[(i + 1) % Size] & ~UpperBits);
            _state[i] = _state[(i + Shift) % Size] ^ (x >> 1) ^ ((x & 1) != 0 ? Twist : 0);
        }

        _index = 0;
    }
}
