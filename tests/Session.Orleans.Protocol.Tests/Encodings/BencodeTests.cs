using System.Buffers;
using System.Globalization;
using CsCheck;
using Session.Orleans.Protocol.Encodings;

namespace Session.Orleans.Protocol.Tests.Encodings;

public sealed class BencodeTests
{
    [Theory]
    [InlineData("i0e", 0)]
    [InlineData("i-1e", -1)]
    [InlineData("i9223372036854775807e", long.MaxValue)]
    [InlineData("i-9223372036854775808e", long.MinValue)]
    public void TryReadInteger_Canonical_IsRead(string text, long expected)
    {
        var reader = new BencodeReader(Bytes(text));
        Assert.True(reader.TryReadInteger(out long value));
        Assert.Equal(expected, value);
        Assert.True(reader.IsComplete);
    }

    [Theory]
    [InlineData("i00e")]
    [InlineData("i01e")]
    [InlineData("i-0e")]
    [InlineData("i-01e")]
    [InlineData("i+1e")]
    [InlineData("i e")]
    [InlineData("i1 e")]
    [InlineData("ie")]
    [InlineData("i-e")]
    [InlineData("i1")]
    [InlineData("i")]
    [InlineData("")]
    [InlineData("1")]
    [InlineData("i9223372036854775808e")]
    [InlineData("i-9223372036854775809e")]
    [InlineData("i111111111111111111111111111e")]
    public void TryReadInteger_NotCanonicalOrTooLarge_IsRefusedAndStays(string text)
    {
        var reader = new BencodeReader(Bytes(text));
        Assert.False(reader.TryReadInteger(out long _));
        Assert.Equal(0, reader.Position);
    }

    [Fact]
    public void TryReadInteger_Unsigned_TakesTheWholeRangeAndNoSign()
    {
        var reader = new BencodeReader("i18446744073709551615ei-1e"u8);
        Assert.True(reader.TryReadInteger(out ulong value));
        Assert.Equal(ulong.MaxValue, value);
        Assert.False(reader.TryReadInteger(out ulong _));
        Assert.True(reader.TryReadInteger(out long _));
    }

    [Theory]
    [InlineData("0:", "")]
    [InlineData("3:abc", "abc")]
    [InlineData("10:0123456789", "0123456789")]
    public void TryReadBytes_Canonical_IsRead(string text, string expected)
    {
        var reader = new BencodeReader(Bytes(text));
        Assert.True(reader.TryReadBytes(out ReadOnlySpan<byte> bytes));
        Assert.Equal(Bytes(expected), bytes.ToArray());
        Assert.True(reader.IsComplete);
    }

    [Theory]
    [InlineData("4:abc")]
    [InlineData("03:abc")]
    [InlineData("00:")]
    [InlineData("3abc")]
    [InlineData("3")]
    [InlineData(":abc")]
    [InlineData("-1:a")]
    [InlineData("+1:a")]
    [InlineData("4294967295:a")]
    [InlineData("4294967297:a")]
    [InlineData("99999999999999999999:a")]
    public void TryReadBytes_BadLength_IsRefusedAndStays(string text)
    {
        var reader = new BencodeReader(Bytes(text));
        Assert.False(reader.TryReadBytes(out ReadOnlySpan<byte> _));
        Assert.False(reader.TrySkip());
        Assert.Equal(0, reader.Position);
    }

    [Fact]
    public void TryReadBytes_LongerThanTheLimit_IsRefused()
    {
        var reader = new BencodeReader("3:abc"u8, maxBytesLength: 2);
        Assert.False(reader.TryReadBytes(out Range _));
        reader = new BencodeReader("3:abc"u8, maxBytesLength: 3);
        Assert.True(reader.TryReadBytes(out Range range));
        Assert.Equal(2..5, range);
    }

    [Fact]
    public void TryReadListStart_TooDeep_IsRefused()
    {
        var reader = new BencodeReader("llee"u8, maxDepth: 1);
        Assert.True(reader.TryReadListStart());
        Assert.False(reader.TryReadListStart());
        Assert.False(reader.TrySkip());
        reader = new BencodeReader("llee"u8, maxDepth: 2);
        Assert.True(reader.TrySkip());
        Assert.True(reader.IsComplete);
    }

    [Theory]
    [InlineData(BencodeReader.MaxMaxDepth, true)]
    [InlineData(BencodeReader.MaxMaxDepth + 1, false)]
    public void TrySkip_AtTheDeepestNesting_StopsAtTheLimit(int depth, bool expected)
    {
        foreach (var open in new[] { "l", "d1:a" })
        {
            var text = string.Concat(Enumerable.Repeat(open, depth)) + (open == "l" ? "" : "i1e") + new string('e', depth);
            var reader = new BencodeReader(Bytes(text), BencodeReader.MaxMaxDepth);
            Assert.Equal(expected, reader.TrySkip());
            Assert.Equal(expected, reader.IsComplete);
        }
    }

    [Theory]
    [InlineData("de", true)]
    [InlineData("d1:ai1e1:bi2ee", true)]
    [InlineData("d1:ad1:bleee", true)]
    [InlineData("d1:ae", false)] // key without value
    [InlineData("di1ei2ee", false)] // key that is no string
    [InlineData("dlei1ee", false)]
    [InlineData("d1:a", false)]
    [InlineData("e", false)]
    [InlineData("l", false)]
    [InlineData("lli1eei2e", false)]
    [InlineData("lx", false)]
    public void TrySkip_Structure_IsChecked(string text, bool expected)
    {
        var reader = new BencodeReader(Bytes(text));
        Assert.Equal(expected, reader.TrySkip());
        Assert.Equal(expected ? text.Length : 0, reader.Position);
    }

    [Theory]
    [InlineData("d1:ai1e1:bi1ee", 2)]
    [InlineData("d0:i1e1:ai1ee", 2)]
    [InlineData("d1:ai1e2:aai1ee", 2)]
    [InlineData("d1:bi1e1:ai1ee", 1)]
    [InlineData("d1:ai1e1:ai1ee", 1)]
    [InlineData("d0:i1e0:i1ee", 1)]
    public void TryReadNextKey_UnsortedOrRepeated_IsRefused(string text, int readable)
    {
        var reader = new BencodeReader(Bytes(text));
        Assert.True(reader.TryReadDictionaryStart());
        BencodeKey key = default;
        var read = 0;
        while (reader.TryReadNextKey(ref key) && reader.TrySkip())
            read++;
        Assert.Equal(readable, read);
        Assert.Equal(readable == 2, reader.TryReadEnd());
    }

    [Fact]
    public void TryReadEnd_NothingOpen_IsRefused()
    {
        var reader = new BencodeReader("e"u8);
        Assert.Equal(BencodeToken.End, reader.Peek());
        Assert.False(reader.TryReadEnd());
    }

    [Fact]
    public void Writer_Elements_AreCanonical()
    {
        var output = new ArrayBufferWriter<byte>();
        var writer = new BencodeWriter(output);
        writer.WriteDictionaryStart();
        writer.WriteBytes("a"u8);
        writer.WriteInteger(long.MinValue);
        writer.WriteBytes("b"u8);
        writer.WriteListStart();
        writer.WriteInteger(ulong.MaxValue);
        writer.WriteBytes(default);
        writer.WriteEnd();
        writer.WriteEnd();
        Assert.Equal(Bytes("d1:ai-9223372036854775808e1:bli18446744073709551615e0:ee"), output.WrittenSpan.ToArray());
    }

    [Fact]
    public void Writer_BytesIntoABuffer_TakeTheAnnouncedLength() =>
        Gen.Int[0, 2000].Sample(
            length =>
            {
                var expected = $"{length.ToString(CultureInfo.InvariantCulture)}:".Length + length;
                Assert.Equal(expected, BencodeWriter.GetBytesLength(length));
                Assert.Equal(expected, BencodeWriter.WriteBytes(new byte[length], new byte[expected]));
                Assert.Throws<ArgumentException>(() => BencodeWriter.WriteBytes(new byte[length], new byte[expected - 1]));
            },
            iter: 300);

    [Fact]
    public void Reader_WhatTheWriterWrote_ReadsBack() =>
        Gen.OneOf(
            Gen.Long.Select(number => (object)number),
            Gen.Byte.Array[0, 30].Select(bytes => (object)bytes)).Array[0, 20].Sample(
            elements =>
            {
                var output = new ArrayBufferWriter<byte>();
                var writer = new BencodeWriter(output);
                writer.WriteListStart();
                foreach (var element in elements)
                {
                    if (element is long number)
                        writer.WriteInteger(number);
                    else
                        writer.WriteBytes((byte[])element);
                }

                writer.WriteEnd();
                var skipper = new BencodeReader(output.WrittenSpan);
                Assert.True(skipper.TrySkip() && skipper.IsComplete);

                var reader = new BencodeReader(output.WrittenSpan);
                Assert.True(reader.TryReadListStart());
                foreach (var element in elements)
                {
                    if (element is long number)
                    {
                        Assert.True(reader.TryReadInteger(out long read));
                        Assert.Equal(number, read);
                    }
                    else
                    {
                        Assert.True(reader.TryReadBytes(out ReadOnlySpan<byte> read));
                        Assert.Equal((byte[])element, read.ToArray());
                    }
                }

                Assert.True(reader.TryReadEnd() && reader.IsComplete);
            },
            iter: 2000);

    // A slow reader of the same grammar, written the other way round: by recursion over a Latin-1 text.
    [Fact]
    public void TrySkip_AnyBytes_AgreesWithARecursiveReader() =>
        Fuzzing.Around(
            Bytes("d1:ad1:bl1:xi-5eee1:ci12345ee"), Bytes("l3:abc10:0123456789lleee"), Bytes("d0:le1:zdee"), Bytes("lllllleeeeee")).Sample(
            bytes =>
            {
                var reader = new BencodeReader(bytes, maxDepth: 5);
                var end = Model(bytes, 0, 5);
                Assert.Equal(end >= 0, reader.TrySkip());
                Assert.Equal(Math.Max(end, 0), reader.Position);
            },
            iter: 20000);

    private static int Model(byte[] data, int position, int depth)
    {
        if (position >= data.Length)
            return -1;
        var first = (char)data[position];
        if (first == 'i')
        {
            var end = Array.IndexOf(data, (byte)'e', position);
            if (end < 0)
                return -1;
            var text = System.Text.Encoding.Latin1.GetString(data, position + 1, end - position - 1);
            return text.Length <= 20 && System.Text.RegularExpressions.Regex.IsMatch(text, "^(0|-?[1-9][0-9]*)\\z") ? end + 1 : -1;
        }

        if (char.IsAsciiDigit(first))
        {
            var colon = Array.IndexOf(data, (byte)':', position);
            if (colon < 0)
                return -1;
            var text = System.Text.Encoding.Latin1.GetString(data, position, colon - position);
            return text.All(char.IsAsciiDigit) && (text.Length == 1 || text[0] != '0')
                && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var length) && length <= data.Length - colon - 1
                ? colon + 1 + length : -1;
        }

        if (first is not ('l' or 'd') || depth == 0)
            return -1;
        position++;
        for (var index = 0; ; index++)
        {
            if (position >= data.Length)
                return -1;
            if (data[position] == 'e' && (first == 'l' || index % 2 == 0))
                return position + 1;
            if (first == 'd' && index % 2 == 0 && !char.IsAsciiDigit((char)data[position]))
                return -1;
            position = Model(data, position, depth - 1);
            if (position < 0)
                return -1;
        }
    }

    private static byte[] Bytes(string text) => System.Text.Encoding.Latin1.GetBytes(text);
}
