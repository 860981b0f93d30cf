using System.Runtime.InteropServices;

namespace Session.Orleans.Load.Plan;

/// <summary>
/// Random numbers from a seed, the same on every machine: SplitMix64. Eight bytes of state, because every user has one. Not for keys of real
/// accounts, and not for concurrent use.
/// </summary>
/// <param name="seed">Any number.</param>
[StructLayout(LayoutKind.Auto)]
internal struct SeededRandom(ulong seed)
{
    private ulong _state = seed;

    /// <summary>A generator of its own for a part of the run: neighbouring numbers give unrelated ones.</summary>
    public static SeededRandom For(int seed, RandomPurpose purpose, int number = 0)
    {
        var mixed = new SeededRandom(((ulong)(uint)seed << 32) ^ ((ulong)purpose << 56) ^ (uint)number);
        _ = mixed.NextBits();
        return new(mixed.NextBits());
    }

    /// <summary>64 random bits.</summary>
    public ulong NextBits()
    {
        var z = _state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>Evenly from 0 inclusive to 1 exclusive.</summary>
    public double NextDouble() => (NextBits() >> 11) * (1.0 / (1UL << 53));

    /// <summary>Evenly from 0 to <paramref name="end"/> exclusive, at least 1.</summary>
    public int Next(int end) => (int)(NextDouble() * end);

    /// <summary>Exponentially distributed with mean 1.</summary>
    public double NextExponential() => -Math.Log(1 - NextDouble());

    /// <summary>Normally distributed with mean 0 and deviation 1.</summary>
    public double NextNormal() => Math.Sqrt(2 * NextExponential()) * Math.Cos(2 * Math.PI * NextDouble());

    /// <summary>Fills with random bytes.</summary>
    public void Fill(Span<byte> bytes)
    {
        while (bytes.Length >= sizeof(ulong))
        {
            var bits = NextBits();
            MemoryMarshal.Write(bytes, in bits);
            bytes = bytes[sizeof(ulong)..];
        }

        if (!bytes.IsEmpty)
        {
            var rest = NextBits();
            MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in rest))[..bytes.Length].CopyTo(bytes);
        }
    }
}

/// <summary>What random numbers are for: each part of a run draws its own, so that a change of one does not move the others.</summary>
internal enum RandomPurpose
{
    Keys = 1,
    Contacts,
    Behaviour,
    Arrivals,
    Groups,
    Popularity,
    Choice,
    Rooms,
}
