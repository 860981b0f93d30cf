using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>What executing a <c>store</c> did.</summary>
/// <param name="Hash">The message's hash.</param>
/// <param name="Expiry">The expiry now in force, Unix milliseconds: of a duplicate, the later one.</param>
/// <param name="Already">True if the message was stored before.</param>
public readonly record struct StoreEffect(MessageHash Hash, long Expiry, bool Already);

/// <summary>A message with its expiry, Unix milliseconds.</summary>
/// <param name="Hash">The message.</param>
/// <param name="Expiry">Its expiry.</param>
public readonly record struct HashExpiry(MessageHash Hash, long Expiry);

/// <summary>A message with its namespace.</summary>
/// <param name="Namespace">The namespace it is, or was, in.</param>
/// <param name="Hash">The message.</param>
public readonly record struct NamespacedHash(short Namespace, MessageHash Hash);

/// <summary>A message in the reply to <c>retrieve</c>.</summary>
/// <param name="Hash">The message's hash.</param>
/// <param name="Timestamp">The sender's time, Unix milliseconds.</param>
/// <param name="Expiry">When it expires, Unix milliseconds; <c>expiration</c> on the wire.</param>
/// <param name="Data">The data.</param>
public readonly record struct RetrievedMessage(MessageHash Hash, long Timestamp, long Expiry, ReadOnlyMemory<byte> Data);

/// <summary>How a swarm member failed (storage-rpc.md, 7).</summary>
public enum MemberFailureKind
{
    /// <summary>It did not.</summary>
    None,

    /// <summary>No answer in time.</summary>
    Timeout,

    /// <summary>It answered with an error.</summary>
    Error,

    /// <summary>Its answer was unusable.</summary>
    BadResponse,

    /// <summary>Its database refused a store, for instance because it is full.</summary>
    QueryFailure,
}

/// <summary>The failure of one swarm member; the default value means that it did not fail.</summary>
public readonly record struct MemberFailure
{
    /// <summary>What happened.</summary>
    public MemberFailureKind Kind { get; private init; }

    /// <summary>Status of the member's error; 0 for other kinds.</summary>
    public int Status { get; private init; }

    /// <summary>Body of the member's error, verbatim, or an optional reason of a query failure.</summary>
    public string? Reason { get; private init; }

    /// <summary>No answer in time.</summary>
    public static MemberFailure Timeout { get; } = new() { Kind = MemberFailureKind.Timeout };

    /// <summary>An unusable answer.</summary>
    public static MemberFailure BadResponse { get; } = new() { Kind = MemberFailureKind.BadResponse };

    /// <summary>The member answered with an error.</summary>
    public static MemberFailure Error(StorageError error) =>
        new() { Kind = MemberFailureKind.Error, Status = error.Status, Reason = error.Text };

    /// <summary>The member's database refused the request.</summary>
    public static MemberFailure QueryFailure(string? reason = null) => new() { Kind = MemberFailureKind.QueryFailure, Reason = reason };
}

/// <summary>A swarm member that takes part in a swarm-wide reply.</summary>
/// <param name="Keys">The member's key pair: its public key names the entry, its secret key signs it.</param>
/// <param name="IsOwn">True for the node that answers the client.</param>
/// <param name="Failure">Why there is no good entry; the default value if there is one.</param>
/// <param name="SignsWrongly">True for a member whose signatures are made to fail, for tests of clients.</param>
public readonly record struct SwarmMember(
    Ed25519KeyPair Keys, bool IsOwn = false, MemberFailure Failure = default, bool SignsWrongly = false)
{
    /// <summary>True unless the member failed.</summary>
    public bool Succeeded => Failure.Kind is MemberFailureKind.None;
}

/// <summary>A service node as <c>get_swarm</c> and the 421 body describe it (storage-rpc.md, 13).</summary>
/// <param name="Address">base32z of the legacy key and <c>.snode</c>.</param>
/// <param name="Ip">IPv4 address.</param>
/// <param name="HttpsPort">HTTPS port; on the wire once as a string and once as a number.</param>
/// <param name="OmqPort">Port of OxenMQ (TCP) and QUIC (UDP).</param>
/// <param name="LegacyKey"><c>pubkey_legacy</c>.</param>
/// <param name="Ed25519Key"><c>pubkey_ed25519</c>.</param>
/// <param name="X25519Key"><c>pubkey_x25519</c>.</param>
public readonly record struct SwarmNode(
    string Address, string Ip, int HttpsPort, int OmqPort, Bytes32 LegacyKey, Ed25519PublicKey Ed25519Key, X25519PublicKey X25519Key);
