namespace Session.Orleans.Storage.Communities;

/// <summary>The changes of one commit, in the order in which they are carried out.</summary>
public sealed class CommunityChanges
{
    private readonly List<Change> _changes = [];

    /// <summary>Number of changes so far.</summary>
    public int Count => _changes.Count;

    internal IReadOnlyList<Change> All => _changes;

    /// <summary>Sets a value of a table.</summary>
    public CommunityChanges Set(string table, string name, ReadOnlyMemory<byte> value) => Add(new(ChangeKind.Set, "t:" + table, name, value, 0));

    /// <summary>Removes a value of a table, if it is there.</summary>
    public CommunityChanges Remove(string table, string name) => Add(new(ChangeKind.Remove, "t:" + table, name, default, 0));

    /// <summary>Enters a name into an index, or moves it to another number.</summary>
    public CommunityChanges Enter(string index, string name, long number) => Add(new(ChangeKind.Enter, "i:" + index, name, default, number));

    /// <summary>Takes a name out of an index, if it is there.</summary>
    public CommunityChanges Leave(string index, string name) => Add(new(ChangeKind.Leave, "i:" + index, name, default, 0));

    /// <summary>Takes out of an index all entries whose number is below <paramref name="number"/>.</summary>
    public CommunityChanges LeaveBelow(string index, long number) => Add(new(ChangeKind.LeaveBelow, "i:" + index, "", default, number));

    /// <summary>Removes a whole table.</summary>
    public CommunityChanges DropTable(string table) => Add(new(ChangeKind.Drop, "t:" + table, "", default, 0));

    /// <summary>Removes a whole index.</summary>
    public CommunityChanges DropIndex(string index) => Add(new(ChangeKind.Drop, "i:" + index, "", default, 0));

    private CommunityChanges Add(Change change)
    {
        _changes.Add(change);
        return this;
    }

    internal enum ChangeKind
    {
        Set,
        Remove,
        Enter,
        Leave,
        LeaveBelow,
        Drop,
    }

    internal readonly record struct Change(ChangeKind Kind, string Key, string Name, ReadOnlyMemory<byte> Value, long Number);
}
