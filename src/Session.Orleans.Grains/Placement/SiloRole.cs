namespace Session.Orleans.Grains.Placement;

/// <summary>What a process does in its cluster. Every one of them is a silo; they differ in what clients reach and which grains prefer them.</summary>
public enum SiloRole
{
    /// <summary>Everything: client ports and all grains. What one process on one machine is.</summary>
    All,

    /// <summary>Takes clients, and hosts the service nodes, whose work is the cryptography of relay hops.</summary>
    Gateway,

    /// <summary>Hosts mailboxes, names, rooms and the network; opens no client ports.</summary>
    Silo,
}

/// <summary>How silos tell each other their roles.</summary>
public static class SiloRoles
{
    /// <summary>Name of the role among a silo's metadata.</summary>
    public const string MetadataKey = "session.role";
}
