using System.Globalization;
using System.Text.Json;

namespace Session.Orleans.Testnet.Bench;

/// <summary>A saved run of the benchmark that a new one is held against: CPU over floor, row by row, so that the machine does not matter.</summary>
internal sealed class BenchBaseline
{
    /// <summary>How much slower a row may be.</summary>
    public const double DefaultTolerance = 0.1;

    private readonly string _file;
    private readonly BenchReport _saved;
    private readonly double _tolerance;

    private BenchBaseline(string file, BenchReport saved, double tolerance) => (_file, _saved, _tolerance) = (file, saved, tolerance);

    /// <summary>Reads what <c>bench --output json</c> has printed.</summary>
    /// <exception cref="CommandException">The file can't be read, or is no such result.</exception>
    public static BenchBaseline Read(string file, double tolerance)
    {
        try
        {
            using var stream = File.OpenRead(file);
            return JsonSerializer.Deserialize(stream, BenchJsonContext.Default.BenchReport) is { Circumstances: not null, Results.Count: > 0 } saved
                ? new(file, saved, tolerance)
                : throw new CommandException(ExitCodes.Malformed, $"{file} holds no result of 'bench --output json'.");
        }
        catch (JsonException exception)
        {
            throw new CommandException(ExitCodes.Malformed, $"{file} holds no result of 'bench --output json': {exception.Message}");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCodes.Usage, $"--baseline {file} can't be read: {exception.Message}");
        }
    }

    /// <summary>Refuses to compare what differs in more than the program.</summary>
    /// <exception cref="CommandException">The saved run had another store, cipher or network.</exception>
    public void RequireSame(string store, string cipher, int nodes, int swarms)
    {
        var then = _saved.Circumstances;
        if ((then.Store, then.Cipher, then.Nodes, then.Swarms) != (store, cipher, nodes, swarms))
        {
            throw new CommandException(ExitCodes.Usage, string.Create(CultureInfo.InvariantCulture,
                $"The baseline was measured with store {then.Store}, cipher {then.Cipher}, {then.Nodes} nodes and {then.Swarms} swarms, this run with store {store}, cipher {cipher}, {nodes} nodes and {swarms} swarms."));
        }
    }

    /// <summary>True if the baseline has this row and was faster by more than the tolerance.</summary>
    public bool IsSlower(BenchResult row) => Find(row) is { } before && row.CpuOverFloor > before.CpuOverFloor * (1 + _tolerance);

    /// <summary>Says how each row compares, and returns the exit code: <see cref="ExitCodes.Slower"/> if any is slower by more than the tolerance.</summary>
    /// <exception cref="CommandException">No row of the baseline was measured.</exception>
    public int Judge(BenchReport report, Action<string> say)
    {
        var slower = 0;
        var rows = report.Results.Select(row => (Now: row, Before: Find(row))).Where(pair => pair.Before is not null).ToArray();
        if (rows.Length == 0)
            throw new CommandException(ExitCodes.Usage, $"{_file} has none of the rows that were measured: kinds and concurrencies must be those of the baseline.");
        foreach (var (now, before) in rows)
        {
            var isSlower = IsSlower(now);
            slower += isSlower ? 1 : 0;
            say(string.Create(CultureInfo.InvariantCulture,
                $"{now.Kind}, {now.Concurrency} in flight: {now.CpuOverFloor:0.00} times the floor, before {before!.CpuOverFloor:0.00} ({(now.CpuOverFloor / before.CpuOverFloor) - 1:+0.0%;-0.0%}){(isSlower ? ": slower" : "")}"));
        }

        if (slower == 0)
            return ExitCodes.Ok;
        throw new CommandException(ExitCodes.Slower, string.Create(CultureInfo.InvariantCulture,
            $"{slower} of {rows.Length} rows take more than {_tolerance:0%} more CPU time, in units of their cryptography, than in {_file} of {_saved.Circumstances.Date:yyyy-MM-dd}."));
    }

    private BenchResult? Find(BenchResult row) => _saved.Results.FirstOrDefault(one => one.Kind == row.Kind && one.Concurrency == row.Concurrency);
}
