using System.Buffers;
using System.Buffers.Text;

namespace Session.Orleans.Protocol.Encodings;

/// <summary>
/// Writes bencoded data. The caller closes what it opens and writes the keys of a dictionary in ascending byte order, each once, as
/// readers may insist on it.
/// </summary>
/// <param name="output">Receives the bytes.</param>
public readonly struct BencodeWriter(IBufferWriter<byte> output)
{
    private const int MaxNumberLength = 20;

    /// <summary>Length of a byte string with its prefix, in bytes.</summary>
    public static int GetBytesLength(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        var digits = 1;
        for (var rest = length; rest >= 10; rest /= 10)
            digits++;
        return checked(digits + 1 + length);
    }

    /// <summary>
    /// Writes a byte string into the start of a buffer and returns its length with the prefix, <see cref="GetBytesLength"/>.
    /// </summary>
    /// <exception cref="ArgumentException">The buffer is too short.</exception>
    public static int WriteBytes(ReadOnlySpan<byte> bytes, Span<byte> destination)
    {
        if (!Utf8Formatter.TryFormat(bytes.Length, destination, out var digits) || destination.Length - digits - 1 < bytes.Length)
            throw new ArgumentException("The buffer is too short.", nameof(destination));
        destination[digits] = (byte)':';
        bytes.CopyTo(destination[(digits + 1)..]);
        return digits + 1 + bytes.Length;
    }

    /// <summary>Writes an integer.</summary>
    public void WriteInteger(long value)
    {
        var span = output.GetSpan(MaxNumberLength + 2);
        span[0] = (byte)'i';
        _ = Utf8Formatter.TryFormat(value, span[1..], out var written);
        span[written + 1] = (byte)'e';
        output.Advance(written + 2);
    }

    /// <summary>Writes an integer of the unsigned range.</summary>
    public void WriteInteger(ulong value)
    {
        var span = output.GetSpan(MaxNumberLength + 2);
        span[0] = (byte)'i';
        _ = Utf8Formatter.TryFormat(value, span[1..], out var written);
        span[written + 1] = (byte)'e';
        output.Advance(written + 2);
    }

    /// <summary>Writes a byte string: an element of a list, or a key or a value of a dictionary.</summary>
    public void WriteBytes(ReadOnlySpan<byte> bytes)
    {
        var span = output.GetSpan(MaxNumberLength + 1);
        _ = Utf8Formatter.TryFormat(bytes.Length, span, out var written);
        span[written] = (byte)':';
        output.Advance(written + 1);
        output.Write(bytes);
    }

    /// <summary>Opens a list.</summary>
    public void WriteListStart() => WriteMark((byte)'l');

    /// <summary>Opens a dictionary.</summary>
    public void WriteDictionaryStart() => WriteMark((byte)'d');

    /// <summary>Closes the list or dictionary opened last.</summary>
    public void WriteEnd() => WriteMark((byte)'e');

    private void WriteMark(byte mark)
    {
        output.GetSpan(1)[0] = mark;
        output.Advance(1);
    }
}
