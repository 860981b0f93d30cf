using System.Globalization;

namespace Session.Orleans.Testnet.Bench;

/// <summary>What the system says of itself, where it does.</summary>
internal static class Machine
{
    /// <summary>Model of the processor.</summary>
    public static string ReadCpuModel() =>
        TryReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal)) is { } line
            ? line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim()
            : Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER") ?? "unknown processor";

    /// <summary>Load average of the last minute: above zero, somebody else was busy, and the figures suffer.</summary>
    public static double? ReadLoad() =>
        TryReadLines("/proc/loadavg").FirstOrDefault() is { } line
        && double.TryParse(line.Split(' ')[0], NumberStyles.Float, CultureInfo.InvariantCulture, out var load) ? load : null;

    private static string[] TryReadLines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
