namespace Session.Orleans.Grains.Faults;

/// <summary>What a corrupting fault does to bytes.</summary>
public static class Damage
{
    /// <summary>A copy with one bit in 64 bytes changed, at least one.</summary>
    public static byte[] Bytes(ReadOnlySpan<byte> bytes)
    {
        var damaged = bytes.ToArray();
        for (var i = damaged.Length / 2 % 64; i < damaged.Length; i += 64)
            damaged[i] ^= 0x10;
        return damaged;
    }
}
