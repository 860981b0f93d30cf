using System.Globalization;
using Session.Orleans.Load;
using Session.Orleans.Load.Results;

namespace Session.Orleans.Testnet.LoadTests;

/// <summary>A result for people, on standard output.</summary>
internal static class LoadSummary
{
    private const int MostErrors = 8;

    /// <summary>Prints a result; what matters most comes first.</summary>
    public static void Print(LoadResult result)
    {
        var (culture, ledger, about) = (CultureInfo.InvariantCulture, result.Ledger, result.Circumstances);
        Console.WriteLine(string.Create(culture,
            $"lost {ledger.Lost} duplicated {ledger.Duplicated} corrupted {ledger.Corrupted} late {ledger.Late}: {ledger.Delivered} delivered of {ledger.Expected} expected, {ledger.Unconfirmed} without an answer, {ledger.Refused} refused{(ledger.Unread > 0 ? $", {ledger.Unread} not read any more" : "")}"));
        if (result.Interrupted is { } interrupted)
            Console.WriteLine($"interrupted: {interrupted}");
        if (ledger.Foreign > 0)
            Console.WriteLine(string.Create(culture, $"messages of other runs in the same mailboxes came {ledger.Foreign} times, which takes time; another --random-seed takes other mailboxes"));

        var table = Tables.Create("=operation", ">count", ">per s", ">failed", ">p50", ">p90", ">p99", ">p99.9", ">max");
        foreach (var operation in result.Operations)
        {
            table.AddPlainRow(
                operation.Name, operation.Count.ToString(culture), operation.PerSecond.ToString("0.0", culture), operation.Failed.ToString(culture),
                Time(operation.P50), Time(operation.P90), Time(operation.P99), Time(operation.P999), Time(operation.Max));
        }

        Tables.Print(table);
        Errors("failed", result.Operations.SelectMany(operation => operation.Errors.Select(error => KeyValuePair.Create($"{operation.Name}: {error.Key}", error.Value))));
        Errors("failed attempts", result.FailedAttempts);
        if (result.Traced is { } traced)
            Hops(result, traced);
        if (about.Requests > 0)
        {
            Console.WriteLine(string.Create(culture,
                $"this process: {about.Requests} onion requests, {about.CpuSeconds * 1e6 / about.Requests:0} us CPU each, {about.PeakMegabytes:0} MB at most, at most {about.MaxLagMilliseconds:0.#} ms behind its schedule"));
        }

        foreach (var threshold in result.Thresholds)
            Console.WriteLine($"{(threshold.Failed ? "FAIL" : "pass")}  {threshold.Condition}: {threshold.Figure}");
    }

    /// <summary>Prints a comparison.</summary>
    public static void Print(ResultComparison comparison)
    {
        var culture = CultureInfo.InvariantCulture;
        Console.WriteLine(string.Create(culture,
            $"A: {comparison.Before.Name}, {comparison.Before.Started:yyyy-MM-dd HH:mm} UTC; B: {comparison.After.Name}, {comparison.After.Started:yyyy-MM-dd HH:mm} UTC"));
        foreach (var difference in comparison.Circumstances)
            Console.WriteLine($"not alike: {difference}");
        var table = Tables.Create("=figure", ">A", ">B", ">B / A");
        foreach (var row in comparison.Rows)
        {
            table.AddPlainRow(row.Figure, Number(row.Before), Number(row.After), row.Ratio is { } ratio ? ratio.ToString("0.000", culture) : "");
        }

        Tables.Print(table);

        string Number(double? figure) => figure is { } number ? number.ToString("0.###", culture) : "-";
    }

    private static void Hops(LoadResult result, TracedRequests traced)
    {
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"the network told of {traced.Seen} of {traced.Sent} traced requests{(result.Hops.Count > 0 ? "; each part's own time, without the parts inside it:" : "")}"));
        if (result.Hops.Count == 0)
            return;
        var total = Math.Max(1e-9, result.Hops.Sum(hop => hop.Total));
        var table = Tables.Create("=part", ">seen", ">mean", ">p50", ">p99", ">max", ">share");
        foreach (var hop in result.Hops)
            table.AddPlainRow(hop.Part, hop.Count.ToString(CultureInfo.InvariantCulture), Time(hop.Mean), Time(hop.P50), Time(hop.P99), Time(hop.Max), Quantities.FormatShare(Math.Round(hop.Total / total, 3)));
        Tables.Print(table);
    }

    private static void Errors(string title, IEnumerable<KeyValuePair<string, long>> errors)
    {
        var most = errors.OrderByDescending(error => error.Value).Take(MostErrors).Select(error => string.Create(CultureInfo.InvariantCulture, $"{error.Value} x {error.Key}")).ToArray();
        if (most.Length > 0)
            Console.WriteLine($"{title}: {string.Join(", ", most)}");
    }

    private static string Time(double? milliseconds) => milliseconds is { } time ? Quantities.Format(TimeSpan.FromMilliseconds(time)) : "-";
}
