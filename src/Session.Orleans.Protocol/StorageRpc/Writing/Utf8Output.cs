using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.StorageRpc.Writing;

/// <summary>
/// Writes compact JSON into a buffer writer. The library's writer would escape the <c>+</c> of base64 and everything outside the Basic
/// Multilingual Plane; the protocol's texts are unescaped UTF-8. Call <see cref="Complete"/> at the end.
/// </summary>
internal ref struct Utf8Output(IBufferWriter<byte> writer)
{
    private static readonly SearchValues<byte> Escaped = SearchValues.Create(
        [.. Enumerable.Range(0, 0x20).Select(static code => (byte)code), (byte)'"', (byte)'\\']);

    private Span<byte> _span;
    private int _used;

    /// <summary>Hands the written bytes to the buffer writer.</summary>
    public void Complete()
    {
        writer.Advance(_used);
        _span = default;
        _used = 0;
    }

    /// <summary>Bytes as they are.</summary>
    public void Raw(scoped ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Reserve(bytes.Length));
        _used += bytes.Length;
    }

    /// <summary>A number.</summary>
    public void Number(long value)
    {
        _ = Utf8Formatter.TryFormat(value, Reserve(20), out var written);
        _used += written;
    }

    /// <summary><c>true</c> or <c>false</c>.</summary>
    public void Boolean(bool value) => Raw(value ? "true"u8 : "false"u8);

    /// <summary>A quoted string from UTF-8 text.</summary>
    public void Text(scoped ReadOnlySpan<byte> utf8)
    {
        Raw("\""u8);
        for (int at; (at = utf8.IndexOfAny(Escaped)) >= 0; utf8 = utf8[(at + 1)..])
        {
            Raw(utf8[..at]);
            Escape(utf8[at]);
        }

        Raw(utf8);
        Raw("\""u8);
    }

    /// <summary>A quoted string.</summary>
    public void Text(string text) => Text(System.Text.Encoding.UTF8.GetBytes(text));

    /// <summary>A quoted string of padded base64.</summary>
    public void Base64(scoped ReadOnlySpan<byte> bytes)
    {
        var span = Reserve(System.Buffers.Text.Base64.GetMaxEncodedToUtf8Length(bytes.Length) + 2);
        span[0] = (byte)'"';
        _ = System.Buffers.Text.Base64.EncodeToUtf8(bytes, span[1..], out _, out var written);
        span[written + 1] = (byte)'"';
        _used += written + 2;
    }

    /// <summary>A quoted string of lower-case hex.</summary>
    public void Hex(scoped ReadOnlySpan<byte> bytes)
    {
        var span = Reserve((2 * bytes.Length) + 2);
        span[0] = (byte)'"';
        _ = Convert.TryToHexStringLower(bytes, span[1..], out var written);
        span[written + 1] = (byte)'"';
        _used += written + 2;
    }

    /// <summary>A quoted message hash.</summary>
    public void Hash(MessageHash hash)
    {
        var span = Reserve(MessageHash.TextLength + 2);
        span[0] = (byte)'"';
        hash.WriteText(span.Slice(1, MessageHash.TextLength));
        span[MessageHash.TextLength + 1] = (byte)'"';
        _used += MessageHash.TextLength + 2;
    }

    /// <summary>A list of message hashes, in the order given.</summary>
    public void Hashes(scoped ReadOnlySpan<MessageHash> hashes)
    {
        Raw("["u8);
        for (var i = 0; i < hashes.Length; i++)
        {
            if (i > 0)
                Raw(","u8);
            Hash(hashes[i]);
        }

        Raw("]"u8);
    }

    /// <summary>An object of expiries by hash, in the order given.</summary>
    public void Expiries(scoped ReadOnlySpan<HashExpiry> entries)
    {
        Raw("{"u8);
        for (var i = 0; i < entries.Length; i++)
        {
            if (i > 0)
                Raw(","u8);
            Hash(entries[i].Hash);
            Raw(":"u8);
            Number(entries[i].Expiry);
        }

        Raw("}"u8);
    }

    /// <summary><c>[19,4]</c>.</summary>
    public void HardFork(HardFork hardFork)
    {
        Raw("["u8);
        Number(hardFork.Major);
        Raw(","u8);
        Number(hardFork.Minor);
        Raw("]"u8);
    }

    /// <summary>The version of the storage server.</summary>
    public void Version()
    {
        var version = StorageLimits.Version;
        Raw("["u8);
        for (var i = 0; i < version.Length; i++)
        {
            if (i > 0)
                Raw(","u8);
            Number(version[i]);
        }

        Raw("]"u8);
    }

    private Span<byte> Reserve(int length)
    {
        if (_span.Length - _used < length)
        {
            writer.Advance(_used);
            _used = 0;
            _span = writer.GetSpan(Math.Max(length, 256));
            Debug.Assert(_span.Length >= length, "A buffer writer returns at least what is asked for.");
        }

        return _span[_used..];
    }

    private void Escape(byte character)
    {
        switch (character)
        {
            case (byte)'"':
                Raw("\\\""u8);
                break;
            case (byte)'\\':
                Raw("\\\\"u8);
                break;
            case (byte)'\b':
                Raw("\\b"u8);
                break;
            case (byte)'\f':
                Raw("\\f"u8);
                break;
            case (byte)'\n':
                Raw("\\n"u8);
                break;
            case (byte)'\r':
                Raw("\\r"u8);
                break;
            case (byte)'\t':
                Raw("\\t"u8);
                break;
            default:
                Raw("\\u00"u8);
                _ = Convert.TryToHexStringLower([character], Reserve(2), out var written);
                _used += written;
                break;
        }
    }
}
