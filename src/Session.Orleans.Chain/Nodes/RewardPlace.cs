namespace Session.Orleans.Chain.Nodes;

/// <summary>
/// A node's place in the reward queue: the node that has waited longest is first. Equal places are ordered by primary key.
/// </summary>
/// <param name="Height"><c>last_reward_block_height</c>: last reward, or the block that put the node into the queue or at its end.</param>
/// <param name="TransactionIndex">
/// <c>last_reward_transaction_index</c>: position of the operation that funded the node within its block; <see cref="AtEnd"/> puts a node
/// behind all those of its block.
/// </param>
public readonly record struct RewardPlace(long Height, uint TransactionIndex) : IComparable<RewardPlace>
{
    /// <summary>Index behind every operation of a block.</summary>
    public const uint AtEnd = uint.MaxValue;

    /// <summary>Earlier in the queue first.</summary>
    public int CompareTo(RewardPlace other)
    {
        var order = Height.CompareTo(other.Height);
        return order != 0 ? order : TransactionIndex.CompareTo(other.TransactionIndex);
    }

    /// <summary>Earlier in the queue.</summary>
    public static bool operator <(RewardPlace left, RewardPlace right) => left.CompareTo(right) < 0;

    /// <summary>Later in the queue.</summary>
    public static bool operator >(RewardPlace left, RewardPlace right) => left.CompareTo(right) > 0;

    /// <summary>Not later in the queue.</summary>
    public static bool operator <=(RewardPlace left, RewardPlace right) => left.CompareTo(right) <= 0;

    /// <summary>Not earlier in the queue.</summary>
    public static bool operator >=(RewardPlace left, RewardPlace right) => left.CompareTo(right) >= 0;
}
