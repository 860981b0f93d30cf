using System.Buffers;
using System.Globalization;

namespace Session.Orleans.Load;

/// <summary>Durations, shares and rates as people write them, on the command line and in scenarios.</summary>
internal static class Quantities
{
    /// <summary>What a duration looks like, for messages.</summary>
    public const string DurationForm = "a duration such as 200ms, 5s, 10m, 1h or 1h30m";

    /// <summary>What a share looks like, for messages.</summary>
    public const string ShareForm = "a share such as 5% or 0.05";

    /// <summary>What a bandwidth looks like, for messages.</summary>
    public const string BandwidthForm = "a bandwidth such as 64kB/s, 1.5MB/s or 500B/s";

    private static readonly SearchValues<char> NumberCharacters = SearchValues.Create("0123456789.");

    private static readonly (string Unit, double Seconds)[] TimeUnits = [("ms", 1e-3), ("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];

    private static readonly (string Unit, double Bytes)[] ByteUnits =
        [("KiB", 1024), ("MiB", 1024 * 1024), ("GiB", 1024 * 1024 * 1024), ("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("B", 1)];

    /// <summary>Numbers with units, one after another: <c>1h30m</c>. A bare 0 needs no unit. With a sign only where <paramref name="signed"/>.</summary>
    public static bool TryParseDuration(string text, out TimeSpan duration, bool signed = false)
    {
        duration = default;
        var rest = text.AsSpan();
        var sign = 1;
        if (signed && rest.Length > 0 && rest[0] is '-' or '+')
        {
            sign = rest[0] == '-' ? -1 : 1;
            rest = rest[1..];
        }

        if (rest is "0")
            return true;
        if (rest.IsEmpty)
            return false;
        var seconds = 0.0;
        var last = double.PositiveInfinity;
        while (!rest.IsEmpty)
        {
            if (!TryTakeNumber(ref rest, out var number))
                return false;
            var length = rest.IndexOfAnyInRange('0', '9');
            var unit = (length < 0 ? rest : rest[..length]).ToString();
            var factor = TimeUnits.FirstOrDefault(candidate => candidate.Unit == unit).Seconds;
            // Larger units first, each once: anything else is a slip.
            if (factor == 0 || factor >= last)
                return false;
            (seconds, last) = (seconds + (number * factor), factor);
            rest = rest[unit.Length..];
        }

        if (seconds > TimeSpan.FromDays(3650).TotalSeconds)
            return false;
        duration = TimeSpan.FromSeconds(sign * seconds);
        return true;
    }

    /// <summary>A percentage, or a number from 0 to 1.</summary>
    public static bool TryParseShare(string text, out double share)
    {
        var rest = text.AsSpan();
        if (!TryTakeNumber(ref rest, out share))
            return false;
        if (rest is "%")
            share /= 100;
        else if (!rest.IsEmpty)
            return false;
        return share is >= 0 and <= 1;
    }

    /// <summary>Bytes per second, at least one.</summary>
    public static bool TryParseBandwidth(string text, out long bytesPerSecond)
    {
        bytesPerSecond = 0;
        if (!text.EndsWith("/s", StringComparison.Ordinal) || !TryParseSize(text[..^2], out bytesPerSecond))
            return false;
        return bytesPerSecond >= 1;
    }

    /// <summary>A number of bytes: <c>500B</c>, <c>2kB</c>, <c>1KiB</c>.</summary>
    public static bool TryParseSize(string text, out long bytes)
    {
        bytes = 0;
        var rest = text.AsSpan();
        if (!TryTakeNumber(ref rest, out var number))
            return false;
        var unit = rest.ToString();
        var size = number * ByteUnits.FirstOrDefault(candidate => candidate.Unit == unit).Bytes;
        if (size is not (> 0 and < 1e15))
            return false;
        bytes = (long)Math.Round(size);
        return true;
    }

    /// <summary>So many a second: <c>10/s</c>, <c>30/m</c>.</summary>
    public static bool TryParseRate(string text, out double perSecond)
    {
        var rest = text.AsSpan();
        if (!TryTakeNumber(ref rest, out perSecond))
            return false;
        if (rest is "/m")
            perSecond /= 60;
        else if (rest is not "/s")
            return false;
        return perSecond > 0;
    }

    /// <summary>The shortest usual way to write it: <c>1h30m</c>, <c>200ms</c>, <c>-10m</c>.</summary>
    public static string Format(TimeSpan duration)
    {
        if (duration < TimeSpan.Zero)
            return "-" + Format(-duration);
        if (duration < TimeSpan.FromSeconds(1))
            return string.Create(CultureInfo.InvariantCulture, $"{duration.TotalMilliseconds:0.#}ms");
        if (duration < TimeSpan.FromMinutes(1))
            return string.Create(CultureInfo.InvariantCulture, $"{duration.TotalSeconds:0.##}s");
        var whole = TimeSpan.FromSeconds(Math.Round(duration.TotalSeconds));
        (int Number, string Unit)[] parts = [(whole.Days, "d"), (whole.Hours, "h"), (whole.Minutes, "m"), (whole.Seconds, "s")];
        return string.Concat(parts.Where(part => part.Number > 0).Select(part => string.Create(CultureInfo.InvariantCulture, $"{part.Number}{part.Unit}")));
    }

    /// <summary>As a percentage.</summary>
    public static string FormatShare(double share) => string.Create(CultureInfo.InvariantCulture, $"{share * 100:0.##}%");

    /// <summary>As bytes per second.</summary>
    public static string FormatBandwidth(long bytesPerSecond)
    {
        var (number, unit) = bytesPerSecond switch
        {
            >= 1_000_000 => (bytesPerSecond / 1e6, "MB/s"),
            >= 1000 => (bytesPerSecond / 1e3, "kB/s"),
            _ => (bytesPerSecond, "B/s"),
        };
        return string.Create(CultureInfo.InvariantCulture, $"{number:0.##}{unit}");
    }

    private static bool TryTakeNumber(ref ReadOnlySpan<char> rest, out double number)
    {
        var length = rest.IndexOfAnyExcept(NumberCharacters);
        if (length < 0)
            length = rest.Length;
        var parsed = double.TryParse(rest[..length], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out number) && double.IsFinite(number);
        rest = rest[length..];
        return parsed;
    }
}
