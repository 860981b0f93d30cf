using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.StorageRpc.Writing;

/// <summary>Puts results into the order of replies: by the base64 text of the hashes.</summary>
internal static class Sorting
{
    private static readonly Comparison<HashExpiry> ExpiryOrder = static (left, right) => left.Hash.CompareTo(right.Hash);

    private static readonly Comparison<NamespacedHash> HashOrder = static (left, right) => left.Hash.CompareTo(right.Hash);

    public static MessageHash[] ByHash(ReadOnlySpan<MessageHash> hashes)
    {
        var sorted = hashes.ToArray();
        Array.Sort(sorted);
        return sorted;
    }

    public static HashExpiry[] ByHash(ReadOnlySpan<HashExpiry> entries)
    {
        var sorted = entries.ToArray();
        Array.Sort(sorted, ExpiryOrder);
        return sorted;
    }

    public static NamespacedHash[] ByHash(ReadOnlySpan<NamespacedHash> entries)
    {
        var sorted = entries.ToArray();
        Array.Sort(sorted, HashOrder);
        return sorted;
    }
}
