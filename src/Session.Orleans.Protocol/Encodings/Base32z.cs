using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Encodings;

/// <summary>
/// The base32z text form of binary keys: most significant bit first, last group zero-padded on the right, no padding characters
/// (network.md, 2). A node's <c>.snode</c> name is the 52 characters of its 32-byte key and the suffix.
/// </summary>
public static class Base32z
{
    /// <summary>Suffix of a node's name.</summary>
    public const string SnodeSuffix = ".snode";

    /// <summary>Characters of a 32-byte key.</summary>
    public const int KeyTextLength = 52;

    private const string Alphabet = "ybndrfg8ejkmcpqxot1uwisza345h769";
    private const byte Invalid = 0xff;

    // Value of each ASCII character; the alphabet is lower case only.
    private static readonly byte[] Values = CreateValues();

    /// <summary>Number of characters that <paramref name="byteCount"/> bytes take.</summary>
    public static int GetEncodedLength(int byteCount)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(byteCount);
        return checked((int)(((long)byteCount * 8 + 4) / 5));
    }

    /// <summary>The text form of any bytes.</summary>
    public static string Encode(ReadOnlySpan<byte> bytes) =>
        string.Create(GetEncodedLength(bytes.Length), bytes, static (text, source) => Write(source, text));

    /// <summary>
    /// Decodes a whole text. False for a character outside the alphabet (upper case included), for a length that no byte count produces,
    /// for unused bits that are not zero, and when <paramref name="bytes"/> is too short.
    /// </summary>
    public static bool TryDecode(ReadOnlySpan<char> text, Span<byte> bytes, out int written)
    {
        written = 0;
        var length = (int)((long)text.Length * 5 / 8);
        if (GetEncodedLength(length) != text.Length || bytes.Length < length)
            return false;

        uint pending = 0;
        var bits = 0;
        var position = 0;
        foreach (var character in text)
        {
            var value = character < Values.Length ? Values[character] : Invalid;
            if (value == Invalid)
                return false;
            pending = (pending << 5) | value;
            bits += 5;
            if (bits >= 8)
            {
                bits -= 8;
                bytes[position++] = (byte)(pending >> bits);
                pending &= (1u << bits) - 1;
            }
        }

        if (pending != 0)
            return false;
        written = length;
        return true;
    }

    /// <summary>The name of a node: 52 characters of its key and <c>.snode</c>.</summary>
    public static string GetSnodeName(Bytes32 key) => Encode(key.AsSpan()) + SnodeSuffix;

    /// <summary>Reads a node's name back into its key; false for anything else.</summary>
    public static bool TryParseSnodeName(ReadOnlySpan<char> name, out Bytes32 key)
    {
        key = default;
        Span<byte> bytes = stackalloc byte[Bytes32.Length];
        if (name.Length != KeyTextLength + SnodeSuffix.Length || !name.EndsWith(SnodeSuffix, StringComparison.Ordinal)
            || !TryDecode(name[..KeyTextLength], bytes, out _))
            return false;
        key = new(bytes);
        return true;
    }

    private static void Write(ReadOnlySpan<byte> source, Span<char> text)
    {
        uint pending = 0;
        var bits = 0;
        var position = 0;
        foreach (var value in source)
        {
            pending = (pending << 8) | value;
            bits += 8;
            while (bits >= 5)
            {
                bits -= 5;
                text[position++] = Alphabet[(int)(pending >> bits) & 31];
            }

            pending &= (1u << bits) - 1;
        }

        if (bits > 0)
            text[position] = Alphabet[(int)(pending << (5 - bits)) & 31];
    }

    private static byte[] CreateValues()
    {
        var values = new byte[128];
        values.AsSpan().Fill(Invalid);
        for (var i = 0; i < Alphabet.Length; i++)
            values[Alphabet[i]] = (byte)i;
        return values;
    }
}
