using System.Text;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Names;

/// <summary>
/// What the network knows of a name: BLAKE2b-32 of it in lower case (names.md, 3). As text 44 characters of base64.
/// </summary>
/// <param name="Value">The 32 bytes.</param>
public readonly record struct NameHash(Bytes32 Value)
{
    /// <summary>Length of the text form.</summary>
    public const int TextLength = 44;

    /// <summary>Hash of the empty name, which no record may have.</summary>
    private static readonly NameHash Empty = Of("");

    /// <summary>True for a hash that a record may have: not that of the empty name and not all zero.</summary>
    public bool IsUsable => Value != default && this != Empty;

    /// <summary>The hash of <paramref name="name"/>, which is put into lower case first.</summary>
    public static NameHash Of(string name)
    {
        Span<byte> hash = stackalloc byte[Bytes32.Length];
        Blake2b.Hash(Encoding.UTF8.GetBytes(NameRules.Normalize(name)), hash);
        return new(new Bytes32(hash));
    }

    /// <summary>Reads 64 hex digits, or 43 or 44 characters of base64 that stand for 32 bytes.</summary>
    public static bool TryParse(string? text, out NameHash hash)
    {
        hash = default;
        Span<byte> bytes = stackalloc byte[Bytes32.Length + 1];
        switch (text?.Length)
        {
            case 2 * Bytes32.Length when Bytes32.TryParseHex(text, out var value):
                hash = new(value);
                return true;
            case TextLength - 1 or TextLength when Convert.TryFromBase64String(text.PadRight(TextLength, '='), bytes, out var length) && length == Bytes32.Length:
                hash = new(new Bytes32(bytes[..Bytes32.Length]));
                return true;
            default:
                return false;
        }
    }

    /// <summary>The 32 bytes.</summary>
    public byte[] ToArray() => Value.AsSpan().ToArray();

    /// <summary>44 characters of base64.</summary>
    public override string ToString() => Convert.ToBase64String(Value.AsSpan());
}
