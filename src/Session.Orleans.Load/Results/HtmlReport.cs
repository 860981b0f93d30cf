using System.Globalization;
using System.Net;
using System.Text;
using HdrHistogram;

namespace Session.Orleans.Load.Results;

/// <summary>
/// A result as one HTML file that needs nothing else: no script, no font, no request. Plots are SVG; light and dark follow the reader's system.
/// An earlier run, if given, is drawn beside it.
/// </summary>
internal static class HtmlReport
{
    private const int MostExemplars = 20;
    private const int MostFailures = 20;

    private const string Style = """
        :root { color-scheme: light dark; --ink: #1c2330; --soft: #5b6472; --line: #d8dde5; --back: #fbfcfd; --card: #ffffff; --a: #0b6bcb; --b: #c2410c; --c: #157f5b; --d: #8b5cf6; --bad: #b42318; --good: #157f5b; }
        @media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #9aa4b2; --line: #323a46; --back: #14181e; --card: #1b2028; --a: #6cb2ff; --b: #ff9a62; --c: #5fd3a5; --d: #b69cff; --bad: #ff8a80; --good: #5fd3a5; } }
        * { box-sizing: border-box; }
        body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; padding: 24px; max-width: 1080px; background: var(--back); color: var(--ink); }
        h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 17px; margin: 32px 0 8px; } p { margin: 4px 0; color: var(--soft); }
        .ledger { display: grid; grid-template-columns: repeat(auto-fit, minmax(112px, 1fr)); gap: 12px; margin: 20px 0; }
        .ledger div { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px; }
        .ledger b { display: block; font-size: 26px; font-variant-numeric: tabular-nums; } .ledger .bad b, td.bad { color: var(--bad); } .ledger .good b, td.good { color: var(--good); }
        .scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
        th, td { text-align: right; padding: 5px 10px; border-bottom: 1px solid var(--line); white-space: nowrap; } th { color: var(--soft); font-weight: 500; }
        th:first-child, td:first-child { text-align: left; } td.text, th.text { text-align: left; white-space: normal; } code { font-size: 13px; }
        figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px; } figcaption { color: var(--soft); font-size: 13px; }
        svg { width: 100%; height: auto; display: block; } svg text { fill: var(--soft); font: 11px system-ui, sans-serif; } .grid { stroke: var(--line); stroke-width: 1; }
        .s { fill: none; stroke-width: 1.8; } .a { stroke: var(--a); } .b { stroke: var(--b); } .c { stroke: var(--c); } .d { stroke: var(--d); } .old { stroke-dasharray: 5 4; opacity: .75; } .area { stroke: none; fill: var(--bad); opacity: .55; }
        .key { display: inline-block; width: 16px; border-top: 3px solid; vertical-align: middle; margin: 0 4px 0 12px; } .key.dash { border-top-style: dashed; }
        """;

    /// <summary>Writes a report.</summary>
    /// <param name="file">Where.</param>
    /// <param name="result">The run.</param>
    /// <param name="earlier">A run to compare it with; null for none.</param>
    /// <exception cref="LoadException">It can't be written.</exception>
    public static void Save(string file, LoadResult result, LoadResult? earlier = null)
    {
        try
        {
            File.WriteAllText(file, Create(result, earlier));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new LoadException(LoadFailure.Failed, $"The report can't be written: {exception.Message}");
        }
    }

    /// <summary>The report's text.</summary>
    public static string Create(LoadResult result, LoadResult? earlier = null)
    {
        var html = new StringBuilder();
        html.Append("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>")
            .Append(Text(result.Name)).Append(" – load run</title>\n<style>\n").Append(Style).Append("\n</style></head><body>\n");
        Head(html, result, earlier);
        Ledger(html, result);
        Thresholds(html, result);
        Operations(html, result, earlier);
        html.Append("<h2>Latency over time</h2>\n");
        Latency(html, result, earlier);
        html.Append("<h2>Throughput and errors</h2>\n");
        Throughput(html, result, earlier);
        html.Append("<h2>Percentiles</h2>\n");
        Percentiles(html, result, earlier);
        Hops(html, result, earlier);
        Exemplars(html, result);
        Errors(html, result);
        About(html, result);
        return html.Append("</body></html>\n").ToString();
    }

    private static void Head(StringBuilder html, LoadResult result, LoadResult? earlier)
    {
        html.Append("<h1>").Append(Text(result.Name)).Append("</h1>\n<p>").Append(Text(string.Create(
            CultureInfo.InvariantCulture, $"{result.Started:yyyy-MM-dd HH:mm:ss} UTC, {Loop(result)}, {result.Plan.Users} users, {Seconds(result.Circumstances.MeasuredSeconds)} measured, against {result.Circumstances.Target}")));
        if (result.Interrupted is { } interrupted)
            html.Append("; <b>").Append(Text(interrupted)).Append("</b>");
        html.Append("</p>\n");
        if (earlier is not null)
        {
            html.Append("<p>Dashed: ").Append(Text(string.Create(CultureInfo.InvariantCulture, $"{earlier.Name}, {earlier.Started:yyyy-MM-dd HH:mm:ss} UTC"))).Append("</p>\n");
            foreach (var difference in ResultComparison.Of(earlier, result).Circumstances)
                html.Append("<p>Not alike: ").Append(Text(difference)).Append("</p>\n");
        }
    }

    private static void Ledger(StringBuilder html, LoadResult result)
    {
        var ledger = result.Ledger;
        html.Append("<div class=\"ledger\">");
        Tile("lost", ledger.Lost, isBad: ledger.Lost > 0, isGood: ledger is { Lost: 0, Expected: > 0 });
        Tile("duplicated", ledger.Duplicated, isBad: ledger.Duplicated > 0, isGood: ledger is { Duplicated: 0, Expected: > 0 });
        Tile("corrupted", ledger.Corrupted, isBad: ledger.Corrupted > 0, isGood: ledger is { Corrupted: 0, Expected: > 0 });
        Tile("late", ledger.Late, isBad: ledger.Late > 0, isGood: false);
        Tile("delivered", ledger.Delivered, isBad: false, isGood: false);
        Tile("without an answer", ledger.Unconfirmed, isBad: ledger.Unconfirmed > 0, isGood: false);
        Tile("refused", ledger.Refused, isBad: ledger.Refused > 0, isGood: false);
        if (ledger.Unread > 0)
            Tile("not read any more", ledger.Unread, isBad: true, isGood: false);
        html.Append("</div>\n");

        void Tile(string name, long count, bool isBad, bool isGood) =>
            html.Append(isBad ? "<div class=\"bad\"><b>" : isGood ? "<div class=\"good\"><b>" : "<div><b>").Append(Count(count)).Append("</b>").Append(name).Append("</div>");
    }

    private static void Thresholds(StringBuilder html, LoadResult result)
    {
        if (result.Thresholds.Count == 0)
            return;
        html.Append("<h2>Thresholds</h2><div class=\"scroll\"><table><tr><th>fails if</th><th>figure</th><th></th></tr>");
        foreach (var threshold in result.Thresholds)
        {
            html.Append("<tr><td><code>").Append(Text(threshold.Condition)).Append("</code></td><td>").Append(Text(threshold.Figure)).Append("</td><td class=\"")
                .Append(threshold.Failed ? "bad\">FAIL" : "good\">pass").Append("</td></tr>");
        }

        html.Append("</table></div>\n");
    }

    private static void Operations(StringBuilder html, LoadResult result, LoadResult? earlier)
    {
        html.Append("<h2>Operations</h2><p>From when each was due until it was done, with all attempts. Milliseconds.</p><div class=\"scroll\"><table><tr><th>operation</th><th>count</th><th>per s</th><th>failed</th><th>p50</th><th>p90</th><th>p95</th><th>p99</th><th>p99.9</th><th>max</th></tr>");
        foreach (var operation in result.Operations)
        {
            Row(operation.Name, operation);
            if (earlier?.Operations.FirstOrDefault(other => other.Name == operation.Name) is { } other)
                Row("– earlier", other);
        }

        html.Append("</table></div>\n");

        void Row(string name, OperationResult operation)
        {
            html.Append("<tr><td>").Append(Text(name)).Append("</td><td>").Append(Count(operation.Count)).Append("</td><td>").Append(Number(operation.PerSecond));
            html.Append(operation.Failed > 0 ? "</td><td class=\"bad\">" : "</td><td>").Append(Count(operation.Failed)).Append("</td>");
            foreach (var time in (double?[])[operation.P50, operation.P90, operation.P95, operation.P99, operation.P999, operation.Max])
                html.Append("<td>").Append(Number(time)).Append("</td>");
            html.Append("</tr>");
        }
    }

    private static void Latency(StringBuilder html, LoadResult result, LoadResult? earlier)
    {
        var plot = new SvgPlot("second of the run", "ms", isLogarithmic: true);
        Add(result, "");
        if (earlier is not null)
            Add(earlier, " old");
        Figure(html, plot, "Messages, their copies, posts and polls, by when they were due.", [("a", "p50"), ("c", "p90"), ("b", "p99"), ("d", "max")], earlier is not null);

        void Add(LoadResult from, string style)
        {
            plot.Line("a" + style, from.Series.Select(point => (point.Second, point.P50)));
            plot.Line("c" + style, from.Series.Select(point => (point.Second, point.P90)));
            plot.Line("b" + style, from.Series.Select(point => (point.Second, point.P99)));
            if (style.Length == 0)
                plot.Line("d", from.Series.Select(point => (point.Second, point.Max)));
        }
    }

    private static void Throughput(StringBuilder html, LoadResult result, LoadResult? earlier)
    {
        var plot = new SvgPlot("second of the run", "per second", isLogarithmic: false);
        Add(result, "");
        if (earlier is not null)
            Add(earlier, " old");
        plot.Area(result.Series.Select(point => (point.Second, (double?)(point.Failed / result.StepSeconds))));
        Figure(html, plot, "Operations that were done, by when they were due; filled: those that failed.", [("a", "messages, copies and posts"), ("c", "polls"), ("b", "deliveries")], earlier is not null);

        void Add(LoadResult from, string style)
        {
            plot.Line("a" + style, from.Series.Select(point => (point.Second, (double?)(point.Sends / from.StepSeconds))));
            plot.Line("c" + style, from.Series.Select(point => (point.Second, (double?)(point.Polls / from.StepSeconds))));
            plot.Line("b" + style, from.Series.Select(point => (point.Second, (double?)(point.Deliveries / from.StepSeconds))));
        }
    }

    private static void Percentiles(StringBuilder html, LoadResult result, LoadResult? earlier)
    {
        // One nine more at each step: what few requests suffer is as wide as what most do.
        var plot = new SvgPlot("percentile", "ms", isLogarithmic: true, nines => nines == 0 ? "0" : FormattableString.Invariant($"{100 - (100 / Math.Pow(10, nines)):0.#####}"));
        var keys = new List<(string, string)>();
        foreach (var (name, style) in (ReadOnlySpan<(string, string)>)[("send", "a"), ("poll", "c"), ("delivery", "b"), ("post", "d")])
        {
            if (Add(result, name, style))
                keys.Add((style, name));
            if (earlier is not null)
                _ = Add(earlier, name, style + " old");
        }

        Figure(html, plot, "How long the slowest share takes at least.", keys, earlier is not null);

        bool Add(LoadResult from, string name, string style)
        {
            if (from.Operations.FirstOrDefault(operation => operation.Name == name) is not { Count: > 0 } operation)
                return false;
            var times = Histograms.Decode(operation.Histogram);
            var nines = Math.Log10(Math.Max(10, times.TotalCount));
            plot.Line(style, Enumerable.Range(0, 201).Select(i => i / 200.0 * nines).Select(x => (x, (double?)At(times, x))));
            return true;
        }

        static double At(LongHistogram times, double nines) => Math.Max(0.01, times.GetValueAtPercentile(100 - (100 / Math.Pow(10, nines))) / 1000.0);
    }

    private static void Hops(StringBuilder html, LoadResult result, LoadResult? earlier)
    {
        if (result.Hops.Count == 0)
            return;
        var total = Math.Max(result.Hops.Sum(hop => hop.Total), 1e-9);
        var most = Math.Max(result.Hops.Max(hop => hop.Total), 1e-9);
        html.Append("<h2>Where traced requests spent their time</h2><p>").Append(Text(string.Create(CultureInfo.InvariantCulture,
            $"Each part's own time, without the parts inside it; the bar is its share of the whole. The network told of {result.Traced?.Seen ?? 0} of {result.Traced?.Sent ?? 0} traced requests. Milliseconds.")))
            .Append("</p><div class=\"scroll\"><table><tr><th>part</th><th>seen</th><th>mean</th><th>p50</th><th>p99</th><th>max</th><th>share</th><th class=\"text\" style=\"width:30%\"></th></tr>");
        foreach (var hop in result.Hops)
        {
            Row(hop.Part, hop);
            html.Append("<td>").Append(Quantities.FormatShare(Math.Round(hop.Total / total, 3)))
                .Append(CultureInfo.InvariantCulture, $"</td><td class=\"text\"><div style=\"height:10px;border-radius:3px;background:var(--a);width:{hop.Total / most * 100:0.#}%\"></div></td></tr>");
            if (earlier?.Hops.FirstOrDefault(other => other.Part == hop.Part) is not { } other)
                continue;
            Row("– earlier", other);
            html.Append("<td></td><td></td></tr>");
        }

        html.Append("</table></div>\n");

        void Row(string name, HopTimes hop)
        {
            html.Append("<tr><td>").Append(Text(name)).Append("</td><td>").Append(Count(hop.Count)).Append("</td>");
            foreach (var time in (double[])[hop.Mean, hop.P50, hop.P99, hop.Max])
                html.Append("<td>").Append(Number(time)).Append("</td>");
        }
    }

    private static void Exemplars(StringBuilder html, LoadResult result)
    {
        var slowest = result.Series.Select(point => point.Slowest).OfType<Exemplar>().OrderByDescending(exemplar => exemplar.Milliseconds).Take(MostExemplars).ToArray();
        if (slowest.Length == 0)
            return;
        html.Append("<h2>Slow requests with a trace</h2><p>The slowest traced operation of each step, to be looked up where the network keeps its traces.</p><div class=\"scroll\"><table><tr><th>operation</th><th>second</th><th>ms</th><th class=\"text\">trace</th></tr>");
        foreach (var one in slowest)
        {
            html.Append("<tr><td>").Append(OperationResult.NameOf(one.Operation)).Append("</td><td>").Append(Number(one.Second)).Append("</td><td>").Append(Number(one.Milliseconds))
                .Append("</td><td class=\"text\"><code>").Append(Text(one.Trace)).Append("</code></td></tr>");
        }

        html.Append("</table></div>\n");
    }

    private static void Errors(StringBuilder html, LoadResult result)
    {
        if (result.FailedAttempts.Count == 0 && result.Failures.Count == 0)
            return;
        html.Append("<h2>Errors</h2><div class=\"scroll\"><table><tr><th>class</th><th>requests</th><th>operations</th></tr>");
        var operations = result.Operations.SelectMany(operation => operation.Errors).GroupBy(error => error.Key).ToDictionary(group => group.Key, group => group.Sum(error => error.Value));
        foreach (var name in result.FailedAttempts.Keys.Union(operations.Keys).Order(StringComparer.Ordinal))
        {
            html.Append("<tr><td>").Append(Text(name)).Append("</td><td>").Append(Count(result.FailedAttempts.GetValueOrDefault(name))).Append("</td><td>")
                .Append(Count(operations.GetValueOrDefault(name))).Append("</td></tr>");
        }

        html.Append("</table></div>\n<p>A request that fails is repeated on another path; an operation fails if all its attempts do.</p>\n");
        if (result.Failures.Count == 0)
            return;
        html.Append("<h2>First failed operations</h2><div class=\"scroll\"><table><tr><th>operation</th><th>second</th><th class=\"text\">error</th><th class=\"text\">trace</th></tr>");
        foreach (var failure in result.Failures.Take(MostFailures))
        {
            html.Append("<tr><td>").Append(OperationResult.NameOf(failure.Operation)).Append("</td><td>").Append(Number(failure.At.TotalSeconds)).Append("</td><td class=\"text\">").Append(Text(failure.Error))
                .Append("</td><td class=\"text\"><code>").Append(Text(failure.Trace ?? "")).Append("</code></td></tr>");
        }

        html.Append("</table></div>\n");
    }

    private static void About(StringBuilder html, LoadResult result)
    {
        var (about, culture) = (result.Circumstances, CultureInfo.InvariantCulture);
        html.Append("<h2>Circumstances</h2>\n");
        foreach (var stage in result.Plan.Stages)
            html.Append("<p>Stage ").Append(Text(stage)).Append("</p>\n");
        html.Append("<p>").Append(Text(string.Create(culture,
            $"{Loop(result)}, seed {result.Plan.Seed}, shard {result.Plan.Shard}, warm-up {Seconds(result.Plan.WarmUpSeconds)}; {about.Nodes} service nodes."))).Append("</p>\n<p>")
            .Append(Text(string.Create(culture, $"{about.Processes} load process{(about.Processes == 1 ? "" : "es")} on {about.Cpu}, {about.Cores} logical processors, {about.Os}, {about.Runtime}, version {about.Version}."))).Append("</p>\n<p>")
            .Append(Text(string.Create(culture,
                $"{about.Requests} onion requests, {(about.Requests > 0 ? about.CpuSeconds * 1e6 / about.Requests : 0):0} µs of the load processes' CPU each, {about.PeakMegabytes:0} MB at most, at most {about.MaxLagMilliseconds:0.#} ms behind the schedule, which is part of the times above."))).Append("</p>\n");
    }

    private static void Figure(StringBuilder html, SvgPlot plot, string caption, IReadOnlyList<(string Style, string Name)> keys, bool hasEarlier)
    {
        html.Append("<figure>").Append(plot.ToSvg(caption)).Append("<figcaption>").Append(Text(caption));
        foreach (var (style, name) in keys)
            html.Append("<span class=\"key\" style=\"border-color:var(--").Append(style).Append(")\"></span>").Append(Text(name));
        if (hasEarlier)
            html.Append("<span class=\"key dash\"></span>the earlier run");
        html.Append("</figcaption></figure>\n");
    }

    private static string Loop(LoadResult result) => result.Plan.Mode switch
    {
        "open" => "open loop",
        "closed" => "closed loop",
        _ => "pre-built requests",
    };

    private static string Seconds(double seconds) => Quantities.Format(TimeSpan.FromSeconds(seconds));

    private static string Count(long count) => count.ToString("#,0", CultureInfo.InvariantCulture);

    private static string Number(double? number) => number is { } some ? some.ToString(some < 10 ? "0.##" : some < 1000 ? "0.#" : "#,0", CultureInfo.InvariantCulture) : "–";

    private static string Text(string text) => WebUtility.HtmlEncode(text);
}
