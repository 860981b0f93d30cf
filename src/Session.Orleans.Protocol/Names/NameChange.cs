using System.Buffers.Binary;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Names;

/// <summary>How a record changes.</summary>
public enum NameOperation
{
    /// <summary>It begins, for a name that nobody has.</summary>
    Buy = 0,

    /// <summary>Value, owner or backup owner become others.</summary>
    Update = 1,

    /// <summary>It lasts longer.</summary>
    Renew = 2,
}

/// <summary>
/// What a change of a record says, the bytes its owner signs for it, and the id it gets (names.md, 6 and 8).
/// </summary>
public sealed record NameChange
{
    private const int OwnerField = 1, BackupOwnerField = 2, SignatureField = 4, ValueField = 8;

    private static readonly byte[] BuyKey = "testnet-ons-buy"u8.ToArray();
    private static readonly byte[] TransactionKey = "testnet-ons-tx"u8.ToArray();

    /// <summary>What is done.</summary>
    public required NameOperation Operation { get; init; }

    /// <summary>Number of the type, 0 to 5, as the request names it.</summary>
    public required int Type { get; init; }

    /// <summary>The name.</summary>
    public required NameHash Name { get; init; }

    /// <summary>Id of the change before this one; all zero for a purchase.</summary>
    public Bytes32 Previous { get; init; }

    /// <summary>The new value in its stored form; empty if it stays.</summary>
    public ReadOnlyMemory<byte> Value { get; init; }

    /// <summary>The new owner; null if he stays.</summary>
    public NameOwner? Owner { get; init; }

    /// <summary>The new backup owner; null if there is none or he stays.</summary>
    public NameOwner? BackupOwner { get; init; }

    /// <summary>The signature, 64 bytes; empty for a renewal.</summary>
    public ReadOnlyMemory<byte> Signature { get; init; }

    /// <summary>Which fields are there, as bits: owner 1, backup owner 2, signature 4 (not in a purchase), value 8.</summary>
    public byte Fields => (byte)(
        (Owner is null ? 0 : OwnerField) | (BackupOwner is null ? 0 : BackupOwnerField)
        | (Operation is NameOperation.Update ? SignatureField : 0) | (Value.IsEmpty ? 0 : ValueField));

    /// <summary>The 32 bytes that are signed: a hash of the new fields and <see cref="Previous"/>, for a purchase of type and name as well.</summary>
    public byte[] SignedHash()
    {
        byte[] message = [.. Value.Span, .. Owner?.ToArray() ?? [], .. BackupOwner?.ToArray() ?? [], .. Previous.AsSpan()];
        var hash = new byte[Bytes32.Length];
        if (Operation is NameOperation.Buy)
            Blake2b.Hash([.. LittleEndian((ushort)Type), .. Name.Value.AsSpan(), .. message], BuyKey, hash);
        else
            Blake2b.Hash(message, hash);
        return hash;
    }

    /// <summary>The same change, signed by <paramref name="keys"/>.</summary>
    public NameChange SignWith(Ed25519KeyPair keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        var signature = new byte[Ed25519.SignatureLength];
        keys.Sign(SignedHash(), signature);
        return this with { Signature = signature };
    }

    /// <summary>True if <paramref name="owner"/> has signed it.</summary>
    public bool IsSignedBy(NameOwner owner) =>
        Signature.Length == Ed25519.SignatureLength && Ed25519.Verify(owner.Key.AsSpan(), SignedHash(), Signature.Span);

    /// <summary>The id of the change (32 bytes).</summary>
    /// <param name="height">Height at which it was accepted.</param>
    public Bytes32 TransactionId(long height)
    {
        var length = LittleEndian((ushort)Value.Length);
        var at = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(at, height);
        byte[] text =
        [
            (byte)Operation, .. LittleEndian((ushort)Type), .. Name.Value.AsSpan(), .. Previous.AsSpan(), Fields,
            .. Owner?.ToArray() ?? [], .. BackupOwner?.ToArray() ?? [], .. Signature.Span, .. length, .. Value.Span, .. at,
        ];
        Span<byte> id = stackalloc byte[Bytes32.Length];
        Blake2b.Hash(text, TransactionKey, id);
        return new(id);
    }

    private static byte[] LittleEndian(ushort number) => [(byte)number, (byte)(number >> 8)];
}
