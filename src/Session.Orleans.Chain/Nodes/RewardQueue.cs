namespace Session.Orleans.Chain.Nodes;

/// <summary>The active nodes in the order in which they are rewarded (network.md, 6).</summary>
internal sealed class RewardQueue
{
    private readonly SortedSet<Node> _order = new(Comparer<Node>.Create(static (a, b) =>
    {
        var order = a.RewardPlace.CompareTo(b.RewardPlace);
        return order != 0 ? order : a.PublicKey.CompareTo(b.PublicKey);
    }));

    public Node? Head => _order.Min;

    public IEnumerable<Node> InOrder => _order;

    public void Add(Node node) => _ = _order.Add(node);

    public void Remove(Node node) => _ = _order.Remove(node);

    /// <summary>Gives a node another place, whether it is in the queue or not.</summary>
    public void Move(Node node, RewardPlace place)
    {
        // The set is ordered by the place, so a member must be out while its place changes.
        var queued = _order.Remove(node);
        node.RewardPlace = place;
        if (queued)
            _ = _order.Add(node);
    }
}
