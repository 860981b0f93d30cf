using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Session.Orleans.Protocol.Cryptography;

namespace Session.Orleans.Protocol.Identity;

/// <summary>
/// The identity of a stored message: 32 bytes of BLAKE2b, on the wire 43 characters of unpadded base64 (storage-rpc.md, 8).
/// </summary>
/// <param name="Value">The 32 hash bytes.</param>
public readonly record struct MessageHash(Bytes32 Value) : IComparable<MessageHash>
{
    /// <summary>Length of the text form, in characters.</summary>
    public const int TextLength = 43;

    /// <summary>
    /// Hash of a message: BLAKE2b-256 over prefix, key, the namespace's decimal text (nothing for 0) and the data, without separators.
    /// </summary>
    public static MessageHash Compute(AccountId account, short @namespace, ReadOnlySpan<byte> data)
    {
        Span<byte> head = stackalloc byte[AccountId.Length + 6];
        account.CopyTo(head);
        var length = AccountId.Length;
        if (@namespace != 0)
        {
            _ = @namespace.TryFormat(head[length..], out var written, provider: System.Globalization.CultureInfo.InvariantCulture);
            length += written;
        }

        var blake = new Blake2b.Incremental(Bytes32.Length);
        blake.Append(head[..length]);
        blake.Append(data);
        Span<byte> hash = stackalloc byte[Bytes32.Length];
        blake.Finish(hash);
        return new(new Bytes32(hash));
    }

    /// <summary>A view of the 32 hash bytes.</summary>
    [UnscopedRef]
    public ReadOnlySpan<byte> AsSpan() => MemoryMarshal.AsBytes(new ReadOnlySpan<MessageHash>(in this));

    /// <summary>
    /// Parses 43 base64 characters (ASCII). The two unused bits of the last character must be zero, so that every hash has one spelling.
    /// </summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out MessageHash hash)
    {
        hash = default;
        if (text.Length != TextLength)
            return false;
        Span<byte> padded = stackalloc byte[TextLength + 1];
        text.CopyTo(padded);
        padded[TextLength] = (byte)'=';
        Span<byte> bytes = stackalloc byte[Bytes32.Length + 1];
        if (System.Buffers.Text.Base64.DecodeFromUtf8(padded, bytes, out _, out var written) != OperationStatus.Done || written != Bytes32.Length)
            return false;
        var value = new MessageHash(new Bytes32(bytes[..Bytes32.Length]));
        Span<byte> canonical = stackalloc byte[TextLength];
        value.WriteText(canonical);
        if (!canonical.SequenceEqual(text))
            return false;
        hash = value;
        return true;
    }

    /// <summary>Writes the 43 ASCII characters.</summary>
    public void WriteText(Span<byte> destination)
    {
        Span<byte> padded = stackalloc byte[TextLength + 1];
        _ = System.Buffers.Text.Base64.EncodeToUtf8(AsSpan(), padded, out _, out _);
        padded[..TextLength].CopyTo(destination);
    }

    /// <summary>43 characters of unpadded base64.</summary>
    public override string ToString() => Convert.ToBase64String(AsSpan())[..TextLength];

    /// <summary>
    /// Order of the base64 texts by byte value, which is the order of result lists and signed texts (storage-rpc.md, 10). It differs from
    /// the order of the hash bytes, because base64's alphabet is not in ASCII order.
    /// </summary>
    public int CompareTo(MessageHash other)
    {
        Span<byte> left = stackalloc byte[TextLength], right = stackalloc byte[TextLength];
        WriteText(left);
        other.WriteText(right);
        return left.SequenceCompareTo(right);
    }

    /// <summary>Order of the base64 texts.</summary>
    public static bool operator <(MessageHash left, MessageHash right) => left.CompareTo(right) < 0;

    /// <summary>Order of the base64 texts.</summary>
    public static bool operator >(MessageHash left, MessageHash right) => left.CompareTo(right) > 0;

    /// <summary>Order of the base64 texts.</summary>
    public static bool operator <=(MessageHash left, MessageHash right) => left.CompareTo(right) <= 0;

    /// <summary>Order of the base64 texts.</summary>
    public static bool operator >=(MessageHash left, MessageHash right) => left.CompareTo(right) >= 0;
}
