using System.Buffers.Text;

namespace Session.Orleans.Protocol.Encodings;

/// <summary>What comes next in bencoded data.</summary>
public enum BencodeToken : byte
{
    /// <summary>The end of the data, or a byte that starts nothing.</summary>
    None,

    /// <summary><c>i</c>, decimal digits, <c>e</c>.</summary>
    Number,

    /// <summary>Decimal length, <c>:</c>, that many bytes.</summary>
    Bytes,

    /// <summary><c>l</c>.</summary>
    ListStart,

    /// <summary><c>d</c>.</summary>
    DictionaryStart,

    /// <summary><c>e</c>, the end of a list or dictionary.</summary>
    End,
}

/// <summary>
/// Strict forward reader of bencoded data, without allocations. Every method answers false on data that are not what was asked for and
/// then leaves the position where it was; no input makes it throw. Integers and lengths must be canonical: no plus sign, no leading zero,
/// no minus zero.
/// </summary>
public ref struct BencodeReader
{
    /// <summary>Nesting allowed unless the caller says otherwise; no message of the protocol is deeper than 4.</summary>
    public const int DefaultMaxDepth = 16;

    /// <summary>The deepest nesting a caller may ask for.</summary>
    public const int MaxMaxDepth = 64;

    private readonly ReadOnlySpan<byte> _data;
    private readonly int _maxDepth;
    private readonly int _maxBytesLength;
    private int _depth;

    /// <summary>Starts at the first byte.</summary>
    /// <param name="data">The bencoded bytes.</param>
    /// <param name="maxDepth">Lists and dictionaries that may be open at once, 0..64.</param>
    /// <param name="maxBytesLength">Longest byte string accepted, in bytes.</param>
    public BencodeReader(ReadOnlySpan<byte> data, int maxDepth = DefaultMaxDepth, int maxBytesLength = int.MaxValue)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(maxDepth);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(maxDepth, MaxMaxDepth);
        ArgumentOutOfRangeException.ThrowIfNegative(maxBytesLength);
        _data = data;
        _maxDepth = maxDepth;
        _maxBytesLength = maxBytesLength;
    }

    /// <summary>Offset of the next unread byte.</summary>
    public int Position { get; private set; }

    /// <summary>True when everything was read and every list and dictionary was closed: what a complete message ends with.</summary>
    public readonly bool IsComplete => Position == _data.Length && _depth == 0;

    /// <summary>The kind of the next element, judged by its first byte.</summary>
    public readonly BencodeToken Peek()
    {
        if (Position >= _data.Length)
            return BencodeToken.None;
        return _data[Position] switch
        {
            (byte)'i' => BencodeToken.Number,
            (byte)'l' => BencodeToken.ListStart,
            (byte)'d' => BencodeToken.DictionaryStart,
            (byte)'e' => BencodeToken.End,
            >= (byte)'0' and <= (byte)'9' => BencodeToken.Bytes,
            _ => BencodeToken.None,
        };
    }

    /// <summary>Reads an integer of the signed 64-bit range.</summary>
    public bool TryReadInteger(out long value)
    {
        value = 0;
        if (!TryFindInteger(out var digits, out var end)
            || !Utf8Parser.TryParse(digits, out long parsed, out var consumed) || consumed != digits.Length)
            return false;
        value = parsed;
        Position = end;
        return true;
    }

    /// <summary>Reads an integer of the unsigned 64-bit range.</summary>
    public bool TryReadInteger(out ulong value)
    {
        value = 0;
        if (!TryFindInteger(out var digits, out var end)
            || !Utf8Parser.TryParse(digits, out ulong parsed, out var consumed) || consumed != digits.Length)
            return false;
        value = parsed;
        Position = end;
        return true;
    }

    /// <summary>Reads a byte string; the span is a view of the data.</summary>
    public bool TryReadBytes(out ReadOnlySpan<byte> bytes)
    {
        var ok = TryReadBytes(out Range range);
        bytes = ok ? _data[range] : default;
        return ok;
    }

    /// <summary>Reads a byte string and tells where it lies, for callers that hold the data as memory.</summary>
    public bool TryReadBytes(out Range range)
    {
        range = default;
        var rest = _data[Position..];
        if (rest.IsEmpty || !char.IsAsciiDigit((char)rest[0])
            || !Utf8Parser.TryParse(rest, out uint length, out var digits)
            || (rest[0] == '0' && digits > 1)
            || digits >= rest.Length || rest[digits] != ':'
            || length > (uint)_maxBytesLength || length > (uint)(rest.Length - digits - 1))
            return false;
        var start = Position + digits + 1;
        Position = start + (int)length;
        range = start..Position;
        return true;
    }

    /// <summary>Enters a list; false also when it would be nested too deeply.</summary>
    public bool TryReadListStart() => TryEnter((byte)'l');

    /// <summary>Enters a dictionary; false also when it would be nested too deeply.</summary>
    public bool TryReadDictionaryStart() => TryEnter((byte)'d');

    /// <summary>Leaves the list or dictionary entered last.</summary>
    public bool TryReadEnd()
    {
        if (_depth == 0 || Peek() != BencodeToken.End)
            return false;
        _depth--;
        Position++;
        return true;
    }

    /// <summary>
    /// Reads the next key of a dictionary and checks that it sorts after <paramref name="key"/>, so that no key comes twice. Start each
    /// dictionary with a default <see cref="BencodeKey"/>; it holds the key afterwards.
    /// </summary>
    public bool TryReadNextKey(ref BencodeKey key)
    {
        var before = Position;
        if (!TryReadBytes(out ReadOnlySpan<byte> next))
            return false;
        if (key.HasValue && key.Value.SequenceCompareTo(next) >= 0)
        {
            Position = before;
            return false;
        }

        key = new(next);
        return true;
    }

    /// <summary>
    /// Passes over one element of any kind with everything in it. Dictionary keys inside must be byte strings; their order is not checked.
    /// </summary>
    public bool TrySkip()
    {
        var before = Position;
        var depthBefore = _depth;
        // One bit per open level: is it a dictionary, and does it wait for a value.
        ulong dictionaries = 0, values = 0;
        do
        {
            var level = _depth - depthBefore;
            var token = Peek();
            var inDictionary = level > 0 && (dictionaries & 1) != 0;
            var wantsValue = inDictionary && (values & 1) != 0;
            if (inDictionary && !wantsValue && token is not (BencodeToken.Bytes or BencodeToken.End))
                break;

            bool ok;
            switch (token)
            {
                case BencodeToken.Number:
                    ok = TryFindInteger(out _, out var end);
                    if (ok)
                        Position = end;
                    break;
                case BencodeToken.Bytes:
                    ok = TryReadBytes(out Range _);
                    break;
                case BencodeToken.ListStart or BencodeToken.DictionaryStart:
                    ok = TryEnter(_data[Position]);
                    if (ok)
                    {
                        dictionaries = (dictionaries << 1) | (token == BencodeToken.DictionaryStart ? 1ul : 0);
                        values <<= 1;
                        continue;
                    }

                    break;
                case BencodeToken.End:
                    ok = level > 0 && !wantsValue && TryReadEnd();
                    dictionaries >>= 1;
                    values >>= 1;
                    break;
                default:
                    ok = false;
                    break;
            }

            if (!ok)
                break;
            // An element of the level that is open now is complete; in a dictionary keys and values alternate.
            values ^= dictionaries & 1;
            if (_depth == depthBefore)
                return true;
        }
        while (true);

        Position = before;
        _depth = depthBefore;
        return false;
    }

    private bool TryEnter(byte mark)
    {
        if (Position >= _data.Length || _data[Position] != mark || _depth >= _maxDepth)
            return false;
        _depth++;
        Position++;
        return true;
    }

    // The text between i and e, checked to be canonical; not limited to 64 bits.
    private readonly bool TryFindInteger(out ReadOnlySpan<byte> text, out int end)
    {
        text = default;
        end = 0;
        var rest = _data[Position..];
        if (rest.Length < 3 || rest[0] != 'i')
            return false;
        rest = rest[1..];
        // 20 characters hold every 64-bit integer; looking further would make long garbage expensive.
        var length = rest[..Math.Min(rest.Length, 21)].IndexOf((byte)'e');
        if (length <= 0)
            return false;
        var digits = rest[..length];
        if (digits[0] == '-')
            digits = digits[1..];
        if (digits.IsEmpty || digits.ContainsAnyExceptInRange((byte)'0', (byte)'9')
            || (digits[0] == '0' && length > 1))
            return false;
        text = rest[..length];
        end = Position + length + 2;
        return true;
    }
}

/// <summary>The key read last in a dictionary, kept to check the order of the keys.</summary>
public readonly ref struct BencodeKey
{
    internal BencodeKey(ReadOnlySpan<byte> value)
    {
        Value = value;
        HasValue = true;
    }

    /// <summary>The key's bytes; empty before the first key.</summary>
    public ReadOnlySpan<byte> Value { get; }

    internal bool HasValue { get; }
}
