using System.Buffers.Binary;
using System.Globalization;

namespace Session.Orleans.Protocol.Onion;

/// <summary>
/// A binary blob and a JSON object in one body: 32-bit little-endian length of the blob, blob, JSON to the end (onion-requests.md, 1).
/// </summary>
public static class CombinedPayload
{
    /// <summary>Bytes of the length in front.</summary>
    public const int PrefixLength = 4;

    /// <summary>
    /// Splits a payload into views of its two parts; the JSON is not looked at. On failure <paramref name="error"/> is the text that
    /// the specification prescribes.
    /// </summary>
    public static bool TrySplit(ReadOnlyMemory<byte> payload, out ReadOnlyMemory<byte> blob, out ReadOnlyMemory<byte> json, out string? error)
    {
        blob = json = default;
        error = null;
        if (payload.Length < PrefixLength)
        {
            error = "Unexpected payload size; expected ciphertext size";
            return false;
        }

        var length = BinaryPrimitives.ReadUInt32LittleEndian(payload.Span);
        var rest = payload[PrefixLength..];
        if (length > (uint)rest.Length)
        {
            error = string.Create(CultureInfo.InvariantCulture, $"Unexpected payload size {rest.Length}, expected >= {length}");
            return false;
        }

        blob = rest[..(int)length];
        json = rest[(int)length..];
        return true;
    }

    /// <summary>Length of a payload, in bytes.</summary>
    public static int GetLength(int blobLength, int jsonLength) => checked(PrefixLength + blobLength + jsonLength);

    /// <summary>Writes a payload into the start of <paramref name="destination"/>, <see cref="GetLength"/> bytes.</summary>
    public static void Write(ReadOnlySpan<byte> blob, ReadOnlySpan<byte> json, Span<byte> destination)
    {
        BinaryPrimitives.WriteInt32LittleEndian(destination, blob.Length);
        blob.CopyTo(destination[PrefixLength..]);
        json.CopyTo(destination[(PrefixLength + blob.Length)..]);
    }

    /// <summary>A payload of its own.</summary>
    public static byte[] Join(ReadOnlySpan<byte> blob, ReadOnlySpan<byte> json)
    {
        var payload = GC.AllocateUninitializedArray<byte>(GetLength(blob.Length, json.Length));
        Write(blob, json, payload);
        return payload;
    }
}
