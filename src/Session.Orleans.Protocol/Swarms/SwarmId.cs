using System.Globalization;

namespace Session.Orleans.Protocol.Swarms;

/// <summary>A swarm's place on the ring of 2^64 (network.md, 3). Text form: lower-case hex, no leading zeros, no 0x.</summary>
/// <param name="Value">The 64-bit id.</param>
public readonly record struct SwarmId(ulong Value) : IComparable<SwarmId>
{
    /// <summary>Marks a funded node that is in no swarm (new or decommissioned); no swarm has this id.</summary>
    public static readonly SwarmId Unassigned = new(ulong.MaxValue);

    /// <summary>Lower-case hex without leading zeros.</summary>
    public override string ToString() => Value.ToString("x", CultureInfo.InvariantCulture);

    /// <summary>Numeric order.</summary>
    public int CompareTo(SwarmId other) => Value.CompareTo(other.Value);

    /// <summary>Numeric order.</summary>
    public static bool operator <(SwarmId left, SwarmId right) => left.Value < right.Value;

    /// <summary>Numeric order.</summary>
    public static bool operator >(SwarmId left, SwarmId right) => left.Value > right.Value;

    /// <summary>Numeric order.</summary>
    public static bool operator <=(SwarmId left, SwarmId right) => left.Value <= right.Value;

    /// <summary>Numeric order.</summary>
    public static bool operator >=(SwarmId left, SwarmId right) => left.Value >= right.Value;
}
