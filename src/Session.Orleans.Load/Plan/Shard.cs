using System.Globalization;

namespace Session.Orleans.Load.Plan;

/// <summary>
/// A part of a run that several processes share. They agree by the plan and its seed alone: user u belongs to shard u mod n, writes only to
/// users of its shard, and so each process has the whole ledger of its own users.
/// </summary>
/// <param name="Index">Its number, from 0.</param>
/// <param name="Count">How many there are.</param>
internal readonly record struct Shard(int Index, int Count)
{
    /// <summary>A run in one process.</summary>
    public static Shard Whole { get; } = new(0, 1);

    /// <summary>Where Kubernetes says which pod of an indexed job this is.</summary>
    public const string IndexVariable = "JOB_COMPLETION_INDEX";

    /// <summary>What a shard looks like, for messages.</summary>
    public const string Form = "i/n with i from 0 to n-1, such as 0/4, or auto/n, which takes i from " + IndexVariable;

    /// <summary>How many of the users 0..<paramref name="total"/>-1 are in the shard.</summary>
    public int PartOf(int total) => Math.Max(0, (total - Index + Count - 1) / Count);

    /// <summary>Number in the whole run of the shard's user with this number.</summary>
    public int GlobalIndex(int local) => (local * Count) + Index;

    /// <summary>Reads <see cref="Form"/>.</summary>
    public static bool TryParse(string text, string? jobIndex, out Shard shard)
    {
        shard = Whole;
        if (text.Split('/') is not [var index, var count]
            || !int.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out var n) || n is < 1 or > 10_000
            || !int.TryParse(index is "auto" ? jobIndex : index, NumberStyles.None, CultureInfo.InvariantCulture, out var i) || i >= n)
            return false;
        shard = new(i, n);
        return true;
    }

    /// <summary>As <c>i/n</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Index}/{Count}");
}
