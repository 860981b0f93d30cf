using System.Collections.Immutable;
using Session.Orleans.Protocol.Names;

namespace Session.Orleans.Contracts;

/// <summary>The records of one name: its Session ID, wallet and domain with their history (names.md, 5). The key is the name hash in base64.</summary>
[Alias("session.INameGrain")]
public interface INameGrain : IGrainWithStringKey
{
    /// <summary>The current record; null if there never was one. It may have expired.</summary>
    [Alias("Find")]
    ValueTask<NameRecord?> FindAsync(NameType type);

    /// <summary>All changes of a record, the oldest first.</summary>
    [Alias("History")]
    ValueTask<ImmutableArray<NameRecord>> HistoryAsync(NameType type);

    /// <summary>Buys, updates or renews, if the rules allow it (names.md, 6 and 8).</summary>
    [Alias("Change")]
    Task<NameReceipt> ChangeAsync(NameOrder order);
}

/// <summary>Which names an owner has, or had. The key is the owner's Ed25519 key in hex.</summary>
[Alias("session.INameOwnerGrain")]
public interface INameOwnerGrain : IGrainWithStringKey
{
    /// <summary>Notes a name as possibly this owner's; only its own record says whether it is.</summary>
    [Alias("Note")]
    Task NoteAsync(NameReference name);

    /// <summary>Takes one purchase of those that the owner may make in a day. False if there is none left.</summary>
    [Alias("TakePurchase")]
    Task<bool> TakePurchaseAsync();

    /// <summary>All names that were noted.</summary>
    [Alias("List")]
    ValueTask<ImmutableArray<NameReference>> ListAsync();
}

/// <summary>A name of one type.</summary>
/// <param name="Type">The type.</param>
/// <param name="NameHash">The name hash, 44 characters of base64.</param>
[GenerateSerializer, Immutable, Alias("session.NameReference")]
public readonly record struct NameReference([property: Id(0)] NameType Type, [property: Id(1)] string NameHash);

/// <summary>One state of a record.</summary>
/// <param name="EncryptedValue">The stored value: ciphertext and nonce, or the first generation's ciphertext alone.</param>
/// <param name="Owner">The owner's Ed25519 key in hex.</param>
/// <param name="BackupOwner">The backup owner's, who has the same rights; null if there is none.</param>
/// <param name="UpdateHeight">Height at which it became so.</param>
/// <param name="ExpirationHeight">Last height at which it resolves; null if it never ends.</param>
/// <param name="TransactionId">Id of the change, 64 hex digits; the next one has to name it.</param>
[GenerateSerializer, Immutable, Alias("session.NameRecord")]
public sealed record NameRecord(
    [property: Id(0)] ImmutableArray<byte> EncryptedValue,
    [property: Id(1)] string Owner,
    [property: Id(2)] string? BackupOwner,
    [property: Id(3)] long UpdateHeight,
    [property: Id(4)] long? ExpirationHeight,
    [property: Id(5)] string TransactionId)
{
    /// <summary>True while it resolves.</summary>
    public bool IsActiveAt(long height) => ExpirationHeight is not { } last || height <= last;
}

/// <summary>A change that somebody asks for.</summary>
/// <param name="Operation">What.</param>
/// <param name="Type">Number of the type, 0 to 5.</param>
/// <param name="EncryptedValue">The new stored value; empty if it stays.</param>
/// <param name="Owner">The new owner's key in hex; null if he stays.</param>
/// <param name="BackupOwner">The new backup owner's; null if there is none or he stays.</param>
/// <param name="Previous">Id of the change before, in hex; null stands for the current one.</param>
/// <param name="Signature">64 bytes; empty for a renewal.</param>
[GenerateSerializer, Immutable, Alias("session.NameOrder")]
public sealed record NameOrder(
    [property: Id(0)] NameOperation Operation,
    [property: Id(1)] int Type,
    [property: Id(2)] ImmutableArray<byte> EncryptedValue,
    [property: Id(3)] string? Owner,
    [property: Id(4)] string? BackupOwner,
    [property: Id(5)] string? Previous,
    [property: Id(6)] ImmutableArray<byte> Signature);

/// <summary>What came of a change.</summary>
/// <param name="Outcome">Done, or why not.</param>
/// <param name="Record">The record afterwards; null unless it is done.</param>
[GenerateSerializer, Immutable, Alias("session.NameReceipt")]
public sealed record NameReceipt([property: Id(0)] NameOutcome Outcome, [property: Id(1)] NameRecord? Record = null);

/// <summary>Done, or why a change was refused, as the code that clients get (names.md, 8).</summary>
public enum NameOutcome
{
    /// <summary>It is done.</summary>
    Done = 0,

    /// <summary>A field is malformed, superfluous or missing.</summary>
    BadParameter = -1,

    /// <summary>Somebody has the name.</summary>
    AlreadyRegistered = -2,

    /// <summary>Nobody has the name.</summary>
    NotRegistered = -3,

    /// <summary>The name has expired.</summary>
    Expired = -4,

    /// <summary>Neither owner has signed this.</summary>
    BadSignature = -5,

    /// <summary>The record has changed since.</summary>
    StalePrevious = -6,

    /// <summary>A new value or owner is the old one.</summary>
    Unchanged = -7,

    /// <summary>The name's other record, Session ID or wallet, is somebody else's.</summary>
    OtherRecordsOwner = -8,

    /// <summary>The owner has bought too many names today.</summary>
    RateLimited = -9,

    /// <summary>The ledger lacks the coins for the fee.</summary>
    FeeNotPaid = -10,
}
