using System.Buffers.Binary;
using Session.Orleans.Load.Traces;

namespace Session.Orleans.Load.Users;

/// <summary>Gives a share of the requests a W3C trace context, so that they can be looked up where the network keeps its traces.</summary>
/// <param name="share">From 0 to 1.</param>
/// <param name="collector">Told of requests that count; null: nobody.</param>
internal sealed class TraceSampler(double share, TraceCollector? collector)
{
    private const int IdLength = 32;

    /// <summary>A trace context of a request; null for most.</summary>
    /// <param name="counts">False in the warm-up, whose times are left out.</param>
    public string? Next(bool counts)
    {
        if (share <= 0 || (share < 1 && Random.Shared.NextDouble() >= share))
            return null;
        Span<byte> ids = stackalloc byte[24];
        Random.Shared.NextBytes(ids);
        ids[0] |= 1; // zero is no id
        ids[16] |= 1;
        if (counts)
            collector?.Begin(BinaryPrimitives.ReadUInt128BigEndian(ids));
        return $"00-{Convert.ToHexStringLower(ids[..16])}-{Convert.ToHexStringLower(ids[16..])}-01";
    }

    /// <summary>The trace id in a context.</summary>
    public static string? IdOf(string? traceParent) => traceParent?.Substring(3, IdLength);
}
