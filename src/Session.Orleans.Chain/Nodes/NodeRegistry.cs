namespace Session.Orleans.Chain.Nodes;

/// <summary>All registered nodes, found by index or slot, and those of each funded state in ascending order of primary key.</summary>
internal sealed class NodeRegistry
{
    private readonly List<Node?> _slots = [];
    private readonly SortedSet<int> _freeSlots = [];
    private readonly Dictionary<int, Node> _byIndex = [];
    private readonly HashSet<Ed25519PublicKey> _keys = [];
    private Node[]? _all;
    private Node[]? _active;
    private Node[]? _decommissioned;

    /// <summary>Ascending by index.</summary>
    public Node[] All
    {
        get
        {
            if (_all is null)
            {
                _all = [.. _byIndex.Values];
                Array.Sort(_all, static (a, b) => a.Index.CompareTo(b.Index));
            }

            return _all;
        }
    }

    /// <summary>One more than the largest slot in use or free.</summary>
    public int SlotCount => _slots.Count;

    /// <summary>True if nodes became active, or stopped being so, since <see cref="AcceptActiveChanges"/>.</summary>
    public bool ActiveChanged { get; private set; }

    /// <summary>Ascending by primary key.</summary>
    public Node[] Active => _active ??= Sorted(NodeStatus.Active);

    /// <summary>Ascending by primary key.</summary>
    public Node[] Decommissioned => _decommissioned ??= Sorted(NodeStatus.Decommissioned);

    public Node? Find(int index) => _byIndex.GetValueOrDefault(index);

    public Node? InSlot(int slot) => slot < _slots.Count ? _slots[slot] : null;

    public bool HasKey(Ed25519PublicKey key) => _keys.Contains(key);

    public void AcceptActiveChanges() => ActiveChanged = false;

    /// <summary>Adds a new node, in the lowest free slot.</summary>
    public void Add(Node node)
    {
        if (_freeSlots.Count > 0)
        {
            node.Slot = _freeSlots.Min;
            _ = _freeSlots.Remove(node.Slot);
            _slots[node.Slot] = node;
        }
        else
        {
            node.Slot = _slots.Count;
            _slots.Add(node);
        }

        Enter(node);
    }

    /// <summary>Adds all nodes of a snapshot, each in its own slot of <paramref name="slotCount"/>.</summary>
    public void Restore(IEnumerable<Node> nodes, int slotCount)
    {
        _slots.AddRange(Enumerable.Repeat<Node?>(null, slotCount));
        foreach (var node in nodes)
        {
            if (_byIndex.ContainsKey(node.Index) || HasKey(node.PublicKey))
                throw new ArgumentException($"The snapshot is damaged: node {node.Index} or its key appears twice.");
            if ((uint)node.Slot >= (uint)slotCount || _slots[node.Slot] is not null)
                throw new ArgumentException($"The snapshot is damaged: slot {node.Slot} of node {node.Index} is out of range or taken.");
            _slots[node.Slot] = node;
            Enter(node);
        }

        for (var slot = 0; slot < slotCount; slot++)
        {
            if (_slots[slot] is null)
                _ = _freeSlots.Add(slot);
        }

        AcceptActiveChanges();
    }

    public void SetStatus(Node node, NodeStatus status)
    {
        ActiveChanged |= node.Status is NodeStatus.Active || status is NodeStatus.Active;
        node.Status = status;
        _active = _decommissioned = null;
    }

    public void Remove(Node node)
    {
        ActiveChanged |= node.Status is NodeStatus.Active;
        _slots[node.Slot] = null;
        _ = _freeSlots.Add(node.Slot);
        _ = _byIndex.Remove(node.Index);
        _ = _keys.Remove(node.PublicKey);
        _all = _active = _decommissioned = null;
        // Another node may get the slot, and must not inherit what was found out about this one.
        foreach (var tester in _byIndex.Values)
            _ = tester.Failures.Remove(node.Slot);
    }

    private void Enter(Node node)
    {
        _byIndex.Add(node.Index, node);
        _ = _keys.Add(node.PublicKey);
        ActiveChanged |= node.Status is NodeStatus.Active;
        _all = _active = _decommissioned = null;
    }

    private Node[] Sorted(NodeStatus status)
    {
        Node[] nodes = [.. _byIndex.Values.Where(node => node.Status == status)];
        Array.Sort(nodes, static (a, b) => a.PublicKey.CompareTo(b.PublicKey));
        return nodes;
    }
}
