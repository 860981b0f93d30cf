using System.Buffers;
using System.Text;
using Session.Orleans.Protocol.Encodings;

namespace Session.Orleans.Protocol.Configs;

/// <summary>A value in a config message (messages.md, 13.2): a number, bytes, a list or a dictionary.</summary>
public abstract class ConfigValue
{
    private protected ConfigValue()
    {
    }

    /// <summary>Appends the bencoded value.</summary>
    internal abstract void Write(BencodeWriter writer);

    /// <summary>A copy that shares nothing that can change.</summary>
    internal abstract ConfigValue Clone();

    /// <summary>Equality of what both are on the wire.</summary>
    internal bool IsSame(ConfigValue other) => Encode().AsSpan().SequenceEqual(other.Encode());

    /// <summary>The bencoded value.</summary>
    internal byte[] Encode()
    {
        var buffer = new ArrayBufferWriter<byte>();
        Write(new(buffer));
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Reads one value of any kind; false for malformed data.</summary>
    internal static bool TryRead(ref BencodeReader reader, out ConfigValue value)
    {
        value = ConfigNumber.Zero;
        switch (reader.Peek())
        {
            case BencodeToken.Number:
                if (!reader.TryReadInteger(out long number))
                    return false;
                value = new ConfigNumber(number);
                return true;
            case BencodeToken.Bytes:
                if (!reader.TryReadBytes(out ReadOnlySpan<byte> bytes))
                    return false;
                value = new ConfigBytes(bytes.ToArray());
                return true;
            case BencodeToken.ListStart:
                var list = new ConfigList();
                if (!reader.TryReadListStart())
                    return false;
                while (reader.Peek() is not BencodeToken.End)
                {
                    if (!TryRead(ref reader, out var item))
                        return false;
                    list.Items.Add(item);
                }

                value = list;
                return reader.TryReadEnd();
            case BencodeToken.DictionaryStart:
                var ok = TryReadDictionary(ref reader, out var dictionary);
                value = dictionary;
                return ok;
            default:
                return false;
        }
    }

    internal static bool TryReadDictionary(ref BencodeReader reader, out ConfigDictionary dictionary)
    {
        dictionary = [];
        if (!reader.TryReadDictionaryStart())
            return false;
        var key = default(BencodeKey);
        while (reader.Peek() is not BencodeToken.End)
        {
            if (!reader.TryReadNextKey(ref key) || !TryRead(ref reader, out var value))
                return false;
            dictionary[key.Value] = value;
        }

        return reader.TryReadEnd();
    }
}

/// <summary>A signed 64-bit number.</summary>
/// <param name="value">The number.</param>
public sealed class ConfigNumber(long value) : ConfigValue
{
    internal static ConfigNumber Zero { get; } = new(0);

    /// <summary>The number.</summary>
    public long Value { get; } = value;

    internal override void Write(BencodeWriter writer) => writer.WriteInteger(Value);

    internal override ConfigValue Clone() => this;
}

/// <summary>Bytes or text.</summary>
/// <param name="value">The bytes; not copied.</param>
public sealed class ConfigBytes(byte[] value) : ConfigValue
{
    /// <summary>The bytes.</summary>
    public ReadOnlyMemory<byte> Value { get; } = value;

    internal override void Write(BencodeWriter writer) => writer.WriteBytes(Value.Span);

    internal override ConfigValue Clone() => this;
}

/// <summary>A list.</summary>
public sealed class ConfigList : ConfigValue
{
    /// <summary>The items in order.</summary>
    public IList<ConfigValue> Items { get; } = [];

    internal override void Write(BencodeWriter writer)
    {
        writer.WriteListStart();
        foreach (var item in Items)
            item.Write(writer);
        writer.WriteEnd();
    }

    internal override ConfigValue Clone()
    {
        var copy = new ConfigList();
        foreach (var item in Items)
            copy.Items.Add(item.Clone());
        return copy;
    }
}

/// <summary>A dictionary whose keys are bytes, in ascending order.</summary>
public sealed class ConfigDictionary : ConfigValue, IEnumerable<KeyValuePair<byte[], ConfigValue>>
{
    private readonly SortedDictionary<byte[], ConfigValue> _items = new(ByteOrder.Instance);

    /// <summary>Number of keys.</summary>
    public int Count => _items.Count;

    /// <summary>The value of a key; setting null removes it. Getting a missing one gives null.</summary>
    public ConfigValue? this[ReadOnlySpan<byte> key]
    {
        get => _items.GetValueOrDefault(key.ToArray());
        set
        {
            if (value is null)
                _ = _items.Remove(key.ToArray());
            else
                _items[key.ToArray()] = value;
        }
    }

    /// <summary>The number under a key, 0 if there is none.</summary>
    public long GetNumber(ReadOnlySpan<byte> key) => this[key] is ConfigNumber number ? number.Value : 0;

    /// <summary>Sets a number; 0 removes it, as configs leave zeros out.</summary>
    public void SetNumber(ReadOnlySpan<byte> key, long value) => this[key] = value == 0 ? null : new ConfigNumber(value);

    /// <summary>The bytes under a key, empty if there are none.</summary>
    public ReadOnlyMemory<byte> GetBytes(ReadOnlySpan<byte> key) => this[key] is ConfigBytes bytes ? bytes.Value : default;

    /// <summary>Sets bytes; none removes them.</summary>
    public void SetBytes(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value) => this[key] = value.IsEmpty ? null : new ConfigBytes(value.ToArray());

    /// <summary>The text under a key, empty if there is none.</summary>
    public string GetText(ReadOnlySpan<byte> key) => Encoding.UTF8.GetString(GetBytes(key).Span);

    /// <summary>Sets a text; an empty one removes it.</summary>
    public void SetText(ReadOnlySpan<byte> key, string value) => SetBytes(key, Encoding.UTF8.GetBytes(value));

    /// <summary>The dictionary under a key; null if there is none.</summary>
    public ConfigDictionary? GetDictionary(ReadOnlySpan<byte> key) => this[key] as ConfigDictionary;

    /// <summary>The dictionary under a key, made if there is none.</summary>
    public ConfigDictionary GetOrAddDictionary(ReadOnlySpan<byte> key)
    {
        if (this[key] is not ConfigDictionary dictionary)
            this[key] = dictionary = [];
        return dictionary;
    }

    /// <inheritdoc/>
    public IEnumerator<KeyValuePair<byte[], ConfigValue>> GetEnumerator() => _items.GetEnumerator();

    System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();

    internal override void Write(BencodeWriter writer)
    {
        writer.WriteDictionaryStart();
        foreach (var (key, value) in _items)
        {
            writer.WriteBytes(key);
            value.Write(writer);
        }

        writer.WriteEnd();
    }

    internal override ConfigValue Clone() => Copy();

    internal ConfigDictionary Copy()
    {
        var copy = new ConfigDictionary();
        foreach (var (key, value) in _items)
            copy._items[key] = value.Clone();
        return copy;
    }

    private sealed class ByteOrder : IComparer<byte[]>
    {
        public static ByteOrder Instance { get; } = new();

        public int Compare(byte[]? x, byte[]? y) => x.AsSpan().SequenceCompareTo(y);
    }
}
