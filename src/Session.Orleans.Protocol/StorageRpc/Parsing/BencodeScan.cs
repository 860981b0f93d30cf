using System.Buffers.Text;
using System.Collections.Immutable;
using System.Text.Json;
using Session.Orleans.Protocol.Encodings;

namespace Session.Orleans.Protocol.StorageRpc.Parsing;

/// <summary>
/// Walks bencoded parameters without building anything. Values are described in JSON's terms, so that one table of fields serves both forms:
/// a byte string is a string whose slot covers its bytes, a number's slot covers its digits, lists and dictionaries are covered whole.
/// </summary>
internal static class BencodeScan
{
    /// <summary>True for exactly one dictionary, in which the keys of every dictionary are sorted and come once.</summary>
    public static bool IsDictionary(ReadOnlySpan<byte> data)
    {
        var reader = new BencodeReader(data, StorageLimits.MaxJsonDepth);
        return reader.Peek() is BencodeToken.DictionaryStart && TryPass(ref reader) && reader.IsComplete;
    }

    /// <summary>True for exactly one list, with the same demands.</summary>
    public static bool IsList(ReadOnlySpan<byte> data)
    {
        var reader = new BencodeReader(data, StorageLimits.MaxJsonDepth);
        return reader.Peek() is BencodeToken.ListStart && TryPass(ref reader) && reader.IsComplete;
    }

    /// <summary>Finds the members <paramref name="names"/> of a dictionary that was checked before.</summary>
    public static void FindMembers(ReadOnlySpan<byte> data, ReadOnlySpan<byte[]> names, Span<JsonSlot> slots)
    {
        var reader = new BencodeReader(data, StorageLimits.MaxJsonDepth);
        reader.TryReadDictionaryStart();
        while (reader.TryReadBytes(out ReadOnlySpan<byte> key))
        {
            var value = Read(ref reader);
            for (var i = 0; i < names.Length; i++)
            {
                if (key.SequenceEqual(names[i]))
                    slots[i] = value;
            }
        }
    }

    /// <summary>Finds the elements of a list that was checked before, as many as there is room for, and counts them all.</summary>
    public static int FindElements(ReadOnlySpan<byte> data, Span<JsonSlot> slots)
    {
        var reader = new BencodeReader(data, StorageLimits.MaxJsonDepth);
        reader.TryReadListStart();
        var count = 0;
        for (; reader.Peek() is not BencodeToken.End; count++)
        {
            var element = Read(ref reader);
            if (count < slots.Length)
                slots[count] = element;
        }

        return count;
    }

    /// <summary>True for a list whose elements all are byte strings, or all integers of 64 bits.</summary>
    public static bool IsListOf(ReadOnlySpan<byte> raw, JsonTokenType type, JsonTokenType elements)
    {
        if (type is not JsonTokenType.StartArray)
            return false;
        var reader = new BencodeReader(raw, StorageLimits.MaxJsonDepth);
        reader.TryReadListStart();
        while (reader.Peek() is not BencodeToken.End)
        {
            if (elements is JsonTokenType.String ? !reader.TryReadBytes(out Range _) : !reader.TryReadInteger(out long _))
                return false;
        }

        return true;
    }

    /// <summary>The byte strings of a list, or a lone one; copied.</summary>
    public static ImmutableArray<ReadOnlyMemory<byte>> TextList(ReadOnlySpan<byte> raw, JsonTokenType type)
    {
        ReadOnlyMemory<byte> copy = raw.ToArray();
        if (type is JsonTokenType.String)
            return [copy];
        var list = ImmutableArray.CreateBuilder<ReadOnlyMemory<byte>>();
        var reader = new BencodeReader(copy.Span, StorageLimits.MaxJsonDepth);
        reader.TryReadListStart();
        while (reader.TryReadBytes(out Range range))
            list.Add(copy[range]);
        return list.DrainToImmutable();
    }

    /// <summary>The integers of a list, or a lone one.</summary>
    public static ImmutableArray<long> IntegerList(ReadOnlySpan<byte> raw, JsonTokenType type)
    {
        if (type is JsonTokenType.Number)
            return Utf8Parser.TryParse(raw, out long number, out _) ? [number] : [];
        var list = ImmutableArray.CreateBuilder<long>();
        var reader = new BencodeReader(raw, StorageLimits.MaxJsonDepth);
        reader.TryReadListStart();
        while (reader.TryReadInteger(out long number))
            list.Add(number);
        return list.DrainToImmutable();
    }

    /// <summary>Reads the value the reader stands before.</summary>
    private static JsonSlot Read(ref BencodeReader reader)
    {
        if (reader.TryReadBytes(out Range bytes))
            return new(JsonTokenType.String, bytes.Start.Value, bytes.End.Value - bytes.Start.Value, IsEscaped: false);
        var (token, start) = (reader.Peek(), reader.Position);
        reader.TrySkip();
        var length = reader.Position - start;
        return token switch
        {
            BencodeToken.Number => new(JsonTokenType.Number, start + 1, length - 2, IsEscaped: false),
            BencodeToken.ListStart => new(JsonTokenType.StartArray, start, length, IsEscaped: false),
            _ => new(JsonTokenType.StartObject, start, length, IsEscaped: false),
        };
    }

    private static bool TryPass(ref BencodeReader reader)
    {
        switch (reader.Peek())
        {
            case BencodeToken.ListStart:
                if (!reader.TryReadListStart())
                    return false;
                while (reader.Peek() is not BencodeToken.End)
                {
                    if (!TryPass(ref reader))
                        return false;
                }

                return reader.TryReadEnd();
            case BencodeToken.DictionaryStart:
                if (!reader.TryReadDictionaryStart())
                    return false;
                var key = default(BencodeKey);
                while (reader.Peek() is not BencodeToken.End)
                {
                    if (!reader.TryReadNextKey(ref key) || !TryPass(ref reader))
                        return false;
                }

                return reader.TryReadEnd();
            default:
                return reader.TrySkip();
        }
    }
}
