using System.Buffers;
using System.Buffers.Binary;

namespace Session.Orleans.Protocol.Identity;

/// <summary>
/// An account as the storage RPC names it: one network prefix byte and a 32-byte key, 66 hex digits in text (storage-rpc.md, 2).
/// The prefix is 05 for a Session ID (X25519 key follows) and 03 for a group (Ed25519 key follows); any other byte is legal too.
/// </summary>
/// <param name="Prefix">Network prefix byte.</param>
/// <param name="Key">The 32 bytes after the prefix.</param>
public readonly record struct AccountId(byte Prefix, Bytes32 Key)
{
    /// <summary>Length in bytes, prefix included.</summary>
    public const int Length = 33;

    /// <summary>Length of the text form, in hex digits.</summary>
    public const int HexLength = 66;

    /// <summary>Prefix of a Session ID.</summary>
    public const byte SessionPrefix = 0x05;

    /// <summary>Prefix of a group.</summary>
    public const byte GroupPrefix = 0x03;

    /// <summary>Reads exactly 33 bytes.</summary>
    public static AccountId FromBytes(ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(bytes.Length, Length);
        return new(bytes[0], new Bytes32(bytes[1..]));
    }

    /// <summary>Parses 66 hex digits of any case (UTF-16).</summary>
    public static bool TryParse(ReadOnlySpan<char> hex, out AccountId account)
    {
        Span<byte> bytes = stackalloc byte[Length];
        var ok = hex.Length == HexLength && Convert.FromHexString(hex, bytes, out _, out _) == OperationStatus.Done;
        account = ok ? FromBytes(bytes) : default;
        return ok;
    }

    /// <summary>Parses 66 hex digits of any case (ASCII).</summary>
    public static bool TryParse(ReadOnlySpan<byte> hex, out AccountId account)
    {
        Span<byte> bytes = stackalloc byte[Length];
        var ok = hex.Length == HexLength && Convert.FromHexString(hex, bytes, out _, out _) == OperationStatus.Done;
        account = ok ? FromBytes(bytes) : default;
        return ok;
    }

    /// <summary>Parses 66 hex digits of any case.</summary>
    /// <exception cref="FormatException">Anything else.</exception>
    public static AccountId Parse(ReadOnlySpan<char> hex) =>
        TryParse(hex, out var account) ? account : throw new FormatException("An account is 66 hex digits (33 bytes).");

    /// <summary>Writes the 33 bytes.</summary>
    public void CopyTo(Span<byte> destination)
    {
        destination[0] = Prefix;
        Key.AsSpan().CopyTo(destination[1..]);
    }

    /// <summary>
    /// Position on the swarm ring: the four big-endian 64-bit words of the key, xored. The prefix does not enter (network.md, 3).
    /// </summary>
    public ulong RingPosition
    {
        get
        {
            var key = Key.AsSpan();
            return BinaryPrimitives.ReadUInt64BigEndian(key) ^ BinaryPrimitives.ReadUInt64BigEndian(key[8..])
                ^ BinaryPrimitives.ReadUInt64BigEndian(key[16..]) ^ BinaryPrimitives.ReadUInt64BigEndian(key[24..]);
        }
    }

    /// <summary>66 lower-case hex digits.</summary>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Length];
        CopyTo(bytes);
        return Convert.ToHexStringLower(bytes);
    }

    /// <summary>First and last four digits, for people and logs: an account never appears there in full.</summary>
    public string ToShortString()
    {
        var hex = ToString();
        return $"{hex[..4]}…{hex[^4..]}";
    }
}
