using System.IO.Compression;
using HdrHistogram;

namespace Session.Orleans.Load.Results;

/// <summary>
/// Histograms as text that can be added up again: pairs of value and count, each as a variable-length number, the value as the distance to the
/// last one, compressed with deflate, in base64. No figure is lost but what the histogram's digits leave out already.
/// </summary>
internal static class Histograms
{
    /// <summary>As text.</summary>
    public static string Encode(HistogramBase histogram)
    {
        using var bytes = new MemoryStream();
        using (var deflate = new DeflateStream(bytes, CompressionLevel.SmallestSize, leaveOpen: true))
        {
            var last = 0L;
            foreach (var value in histogram.RecordedValues())
            {
                Write(deflate, value.ValueIteratedTo - last);
                Write(deflate, value.CountAddedInThisIterationStep);
                last = value.ValueIteratedTo;
            }
        }

        return Convert.ToBase64String(bytes.GetBuffer().AsSpan(0, (int)bytes.Length));
    }

    /// <summary>Adds what <see cref="Encode"/> wrote.</summary>
    /// <exception cref="FormatException">The text is no histogram.</exception>
    public static void AddTo(HistogramBase histogram, string text)
    {
        var bytes = Convert.FromBase64String(text);
        using var inflate = new DeflateStream(new MemoryStream(bytes), CompressionMode.Decompress);
        try
        {
            var value = 0L;
            while (TryRead(inflate, out var distance))
            {
                value = checked(value + distance);
                if (!TryRead(inflate, out var count) || value > Recorder.MaxMicroseconds * 2)
                    throw new FormatException("This is no histogram.");
                histogram.RecordValueWithCount(Math.Clamp(value, 1, Recorder.MaxMicroseconds), count);
            }
        }
        catch (Exception exception) when (exception is InvalidDataException or OverflowException)
        {
            throw new FormatException("This is no histogram.", exception);
        }
    }

    /// <summary>What <see cref="Encode"/> wrote, as a histogram of microseconds.</summary>
    /// <exception cref="FormatException">The text is no histogram.</exception>
    public static LongHistogram Decode(string? text)
    {
        var histogram = new LongHistogram(1, Recorder.MaxMicroseconds, 3);
        if (text is not null)
            AddTo(histogram, text);
        return histogram;
    }

    private static void Write(Stream stream, long number)
    {
        var rest = (ulong)number;
        while (rest >= 0x80)
        {
            stream.WriteByte((byte)(rest | 0x80));
            rest >>= 7;
        }

        stream.WriteByte((byte)rest);
    }

    private static bool TryRead(Stream stream, out long number)
    {
        number = 0;
        for (var shift = 0; shift < 63; shift += 7)
        {
            var read = stream.ReadByte();
            if (read < 0)
                return shift == 0 ? false : throw new FormatException("This is no histogram.");
            number |= (long)(read & 0x7F) << shift;
            if (read < 0x80)
                return true;
        }

        throw new FormatException("This is no histogram.");
    }
}
