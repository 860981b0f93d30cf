using System.Globalization;
using System.Text.RegularExpressions;

namespace Session.Orleans.Load.Results;

/// <summary>A condition under which a run has failed: <c>p99&gt;500ms</c>, <c>lost&gt;0</c>, <c>send.errors&gt;=1%</c>.</summary>
/// <param name="Text">As it was written.</param>
/// <param name="Metric">The figure.</param>
/// <param name="Comparison">One of the comparisons <c>&lt; &lt;= &gt; &gt;= = !=</c>.</param>
/// <param name="Limit">With what it is compared: a number, a share, or milliseconds.</param>
internal sealed partial record Threshold(string Text, string Metric, string Comparison, double Limit)
{
    /// <summary>What a threshold looks like, for messages.</summary>
    public const string Form =
        "METRIC, a comparison and a limit, such as 'p99>500ms', 'lost>0' or 'errors>1%'; metrics are " + MetricNames;

    /// <summary>All metrics, for messages and help.</summary>
    public const string MetricNames =
        "lost, duplicated, late, corrupted, refused, unconfirmed, delivered, errors, rate, and p50, p90, p95, p99, p999, max, of all requests or after send., sync., poll., post., rooms., join., resolve., swarm., delivery., upload. or download.";

    private static readonly string[] Counts = ["lost", "duplicated", "late", "corrupted", "refused", "unconfirmed", "delivered"];
    private static readonly string[] Times = ["p50", "p90", "p95", "p99", "p999", "max"];
    private static readonly string[] Operations = ["send", "sync", "poll", "post", "rooms", "join", "resolve", "swarm", "delivery", "upload", "download"];

    /// <summary>Reads one.</summary>
    public static bool TryParse(string text, out Threshold? threshold)
    {
        threshold = null;
        if (Pattern().Match(text.Trim()) is not { Success: true } match)
            return false;
        var (metric, limit) = (match.Groups["metric"].Value, match.Groups["limit"].Value);
        var figure = metric;
        if (metric.Split('.') is [var operation, var inner])
        {
            if (!Operations.Contains(operation))
                return false;
            figure = inner;
            if (Counts.Contains(inner))
                return false;
        }

        double number;
        if (Times.Contains(figure))
        {
            if (!Quantities.TryParseDuration(limit, out var duration))
                return false;
            number = duration.TotalMilliseconds;
        }
        else if (figure is "errors")
        {
            if (!Quantities.TryParseShare(limit, out number))
                return false;
        }
        else if (figure is "rate" ? !Quantities.TryParseRate(limit, out number)
            : !Counts.Contains(figure) || !double.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out number))
        {
            return false;
        }

        threshold = new(text.Trim(), metric, match.Groups["comparison"].Value, number);
        return true;
    }

    /// <summary>True if the run has failed by it. A figure that nothing was measured for fails: nobody knows that it is good.</summary>
    public bool IsMet(double figure) => double.IsNaN(figure) || Comparison switch
    {
        "<" => figure < Limit,
        "<=" => figure <= Limit,
        ">" => figure > Limit,
        ">=" => figure >= Limit,
        "!=" => figure != Limit,
        _ => figure == Limit,
    };

    /// <summary>A figure of this metric for people.</summary>
    public string Format(double figure)
    {
        var name = Metric[(Metric.IndexOf('.', StringComparison.Ordinal) + 1)..];
        return double.IsNaN(figure) ? "not measured"
            : Times.Contains(name) ? Quantities.Format(TimeSpan.FromMilliseconds(figure))
            : name is "errors" ? Quantities.FormatShare(figure)
            : name is "rate" ? string.Create(CultureInfo.InvariantCulture, $"{figure:0.#}/s")
            : figure.ToString("0", CultureInfo.InvariantCulture);
    }

    [GeneratedRegex(@"^(?<metric>[a-z]+(\.[a-z0-9]+)?[0-9]*)\s*(?<comparison><=|>=|!=|<|>|=)\s*(?<limit>\S+)$", RegexOptions.ExplicitCapture)]
    private static partial Regex Pattern();
}
