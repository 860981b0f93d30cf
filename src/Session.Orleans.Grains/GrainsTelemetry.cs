using System.Diagnostics;

namespace Session.Orleans.Grains;

/// <summary>Names of this project's spans and of their tags. Account keys, addresses and bodies never appear in them.</summary>
public static class GrainsTelemetry
{
    /// <summary>Name of the activity source, which is the assembly's.</summary>
    public const string SourceName = "Session.Orleans.Grains";

    /// <summary>One per onion layer removed. A relay hop's span encloses the following hops.</summary>
    public const string HopSpan = "session.hop";

    /// <summary>Execution of a storage RPC at its destination.</summary>
    public const string RpcSpan = "session.storage_rpc";

    /// <summary>An operation of a mailbox.</summary>
    public const string MailboxSpan = "session.mailbox";

    /// <summary>A change of a community's room.</summary>
    public const string RoomSpan = "session.room";

    /// <summary>Tag: hop number, 1 for the guard.</summary>
    public const string HopNumber = "session.hop";

    /// <summary>Tag: first eight hex digits of the node's Ed25519 key.</summary>
    public const string Node = "session.node";

    /// <summary>Tag: the node's own faults, with commas between them; absent if it has none.</summary>
    public const string Fault = "session.fault";

    /// <summary>Tag: swarm id in hex.</summary>
    public const string Swarm = "session.swarm";

    /// <summary>Tag: RPC method.</summary>
    public const string Method = "session.method";

    /// <summary>Tag: what a layer asked for: node, server, destination or invalid.</summary>
    public const string Instruction = "session.instruction";

    /// <summary>Tag: what an account's namespace is for.</summary>
    public const string Namespace = "session.namespace";

    /// <summary>Tag: what became of it, in a word.</summary>
    public const string Result = "session.result";

    /// <summary>Tag: status code of the reply.</summary>
    public const string Status = "session.status";

    internal static readonly ActivitySource Source = new(SourceName);
}
