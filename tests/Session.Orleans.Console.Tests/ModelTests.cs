using CsCheck;
using Session.Orleans.ConsolePage.Model;
using Session.Orleans.ConsolePage.Watch;
using Session.Orleans.Gateway;
using Session.Orleans.Grains;

namespace Session.Orleans.ConsolePage.Tests;

/// <summary>What the page makes of what silos tell.</summary>
public sealed class ModelTests
{
    private static readonly DateTime Start = new(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    [Fact]
    public void Percentile_IsWithinAClassOfTheTruth() => Gen.Double[60e-6, 30].Array[1, 200].Select(Gen.Double[0.01, 1]).Sample((durations, share) =>
    {
        var counts = new long[LatencyBuckets.Count];
        foreach (var duration in durations)
            counts[LatencyBuckets.IndexOf(duration)]++;
        var truth = durations.Order().ElementAt((int)Math.Ceiling(durations.Length * share) - 1);
        var ratio = LatencyBuckets.Percentile(counts, share)!.Value.TotalSeconds / truth;
        Assert.InRange(ratio, 0.9, 1.11);
    });

    [Fact]
    public void Buckets_TakeAnyNumber() =>
        Gen.Double.Sample(seconds => LatencyBuckets.IndexOf(seconds) is >= 0 and < LatencyBuckets.Count);

    [Fact]
    public void Percentile_OfNothing_IsNothing() => Assert.Null(LatencyBuckets.Percentile(new long[LatencyBuckets.Count], 0.5));

    [Fact]
    public void SplitNodes_TakesAnyText() => Gen.String.Sample(text =>
        FaultDesk.SplitNodes(text).All(part => part.Length > 0 && !part.Contains(',', StringComparison.Ordinal)));

    [Theory]
    [InlineData("3, 5-7;9 west", "3|5|6|7|9|west")]
    [InlineData("7-5", "7-5")]
    [InlineData("0-100000", "0-100000")]
    [InlineData("", "")]
    public void SplitNodes_KnowsRanges(string text, string parts) => Assert.Equal(parts, string.Join('|', FaultDesk.SplitNodes(text)));

    [Fact]
    public void Trace_PutsStepsUnderThoseThatAskedForThem_AndCountsTheirOwnTime()
    {
        SpanReading[] spans =
        [
            Span("c", "b", GrainsTelemetry.HopSpan, 3, 4, (GrainsTelemetry.HopNumber, "2"), (GrainsTelemetry.Node, "bbbbbbbb"), (GrainsTelemetry.Instruction, "destination")),
            Span("b", "a", GrainsTelemetry.HopSpan, 1, 8, (GrainsTelemetry.HopNumber, "1"), (GrainsTelemetry.Node, "aaaaaaaa"), (GrainsTelemetry.Instruction, "node")),
            Span("d", "c", GrainsTelemetry.RpcSpan, 4, 2, (GrainsTelemetry.Method, "store")),
            Span("a", "", "POST /onion_req/v2", 0, 10, (GatewayTelemetry.NodeIndex, "7"), ("http.response.status_code", "200")),
        ];
        var trace = RequestTrace.Of(spans)!;
        Assert.Equal(("store", 2, "200", false), (trace.Title, trace.Hops, trace.Status, trace.Failed));
        Assert.Equal(["Gateway", "Hop 1", "Hop 2", "Destination"], trace.Steps.Select(step => step.Name));
        Assert.Equal([0, 1, 2, 3], trace.Steps.Select(step => step.Depth));
        Assert.Equal([2.0, 4, 2, 2], trace.Steps.Select(step => step.Own.TotalMilliseconds));
        Assert.Null(RequestTrace.Of(spans[..3]));
    }

    [Fact]
    public void Trace_WithAllItsSteps_HasNoGaps() => Assert.False(RequestTrace.Of(Onion)!.HasGaps);

    [Theory]
    [InlineData("h1", "Hop 2", StepGap.Before, 1)]    // the guard's process is silent, the next one's is not
    [InlineData("h2", "Hop 1", StepGap.After, 1)]
    [InlineData("rpc", "Hop 2", StepGap.After, 2)]
    [InlineData("mail", "Destination", StepGap.After, 2)]
    public void Trace_WithoutAStep_HasAGapThere_AndShowsTheRest(string missing, string beside, StepGap gap, int hops)
    {
        // What the missing step asked for is missing as well where it was on the same process.
        var trace = RequestTrace.Of([.. Onion.Where(span => span.SpanId != missing && (missing is "h1" or "mail" || span.ParentId != missing) && (missing is not "h2" || span.SpanId is "door" or "h1"))])!;
        Assert.True(trace.HasGaps);
        Assert.Equal(hops, trace.Hops);
        Assert.Contains((beside, gap), trace.Steps.Select(step => (step.Name, step.Gap)));
    }

    [Theory]
    [InlineData("504")]
    [InlineData("502")]
    [InlineData("400")]
    public void Trace_ThatEndsWithAnError_HasNoGapThere(string status) =>
        Assert.False(RequestTrace.Of([Span("a", "", GatewayTelemetry.OnionSpan, 0, 10, (GatewayTelemetry.NodeIndex, "7"), (GatewayTelemetry.HttpStatus, status))])!.HasGaps);

    [Fact]
    public void Trace_OfAnOxenMqMessage_HasItsStatus()
    {
        var trace = RequestTrace.Of([Span("a", "", GatewayTelemetry.OmqSpan, 0, 10, (GatewayTelemetry.NodeIndex, "7"), (GatewayTelemetry.RpcStatus, "200"))])!;
        Assert.Equal(("200", false), (trace.Status, trace.Failed));
    }

    [Fact]
    public void Book_CallsATraceIncomplete_OnlyAfterAnotherReading()
    {
        var book = new TraceBook();
        book.Add(Onion.Where(span => span.SpanId != "mail"));
        Assert.False(Assert.Single(book.Requests).IsIncomplete); // the mailbox's process may not have been asked yet
        book.Add([]);
        Assert.True(Assert.Single(book.Requests).IsIncomplete);
        var told = book.Requests;
        book.Add([]);
        Assert.Equal(told, book.Requests); // nothing to draw anew
        book.Add(Onion.Where(span => span.SpanId == "mail"));
        Assert.False(Assert.Single(book.Requests).IsIncomplete);
    }

    [Fact]
    public void Trace_OfStepsAtOnce_TakesTheirTimeOffOnce()
    {
        var trace = RequestTrace.Of([Span("a", "", "door", 0, 10), Span("b", "a", "x", 1, 6), Span("c", "a", "x", 2, 6)])!;
        Assert.Equal(3, trace.Steps[0].Own.TotalMilliseconds); // 1 before, 2 after
    }

    [Theory]
    [InlineData("200", false)]
    [InlineData("421", true)]
    [InlineData("504", true)]
    [InlineData(null, true)]
    public void Trace_AtANode_FailsWithoutAGoodAnswer(string? status, bool failed)
    {
        (string, string)[] tags = status is null ? [(GatewayTelemetry.NodeIndex, "7")] : [(GatewayTelemetry.NodeIndex, "7"), ("http.response.status_code", status)];
        Assert.Equal(failed, RequestTrace.Of([Span("a", "", "POST /storage_rpc/v1", 0, 10, tags)])!.Failed);
    }

    [Fact]
    public void Book_ForgetsTheOldest_AndTakesNothingTwice()
    {
        var book = new TraceBook();
        for (var i = 0; i < TraceBook.Capacity + 50; i++)
        {
            var span = Span("a", "", "door", i, 1) with { TraceId = $"trace {i}" };
            book.Add([span, span]);
        }

        Assert.Equal(TraceBook.Capacity, book.Requests.Length);
        Assert.Equal($"trace {TraceBook.Capacity + 49}", book.Requests[0].Id);
        Assert.All(book.Requests, request => Assert.Single(request.Steps));
    }

    [Theory]
    [InlineData(0, "0 ms")]
    [InlineData(0.0421, "42 µs")]
    [InlineData(1.234, "1.23 ms")]
    [InlineData(-200, "-200 ms")]
    [InlineData(59_000, "59 s")]
    [InlineData(600_000, "10 min")]
    [InlineData(86_400_000, "24 h")]
    public void Durations_HaveAUnitThatSuitsThem(double milliseconds, string text) => Assert.Equal(text, Figures.Duration(TimeSpan.FromMilliseconds(milliseconds)));

    [Fact]
    public void SparkLine_ReachesFromItsFirstPointToTheRightEdge_AndFromZeroToTheTop() => Gen.Double[0, 1e6].Array[0, TrafficMeter.Points].Sample(values =>
    {
        var line = SparkLine.Of([.. values.Select(value => new TrafficPoint(value, 0, 0, null, null))], point => point.PerSecond);
        Assert.Equal(values.DefaultIfEmpty().Max(), line.Most);
        var points = line.Path.Split('L')[1..].Select(point => point.Split(['H', ' '])[..2].Select(int.Parse).ToArray()).ToArray();
        Assert.Equal(values.Length, points.Length);
        Assert.Equal(Enumerable.Range(SparkLine.Width - values.Length + 1, values.Length), points.Select(point => point[0]));
        Assert.All(points, point => Assert.InRange(point[1], 0, SparkLine.Height));
        if (line.Most > 0)
            Assert.Equal(points.Min(point => point[1]), points[Array.IndexOf(values, line.Most)][1]);
        Assert.Equal(line, SparkLine.Of([.. values.Select(value => new TrafficPoint(value, 1, 1, null, null))], point => point.PerSecond));
    });

    [Fact]
    public void Layout_OfTheSameLooks_KeepsItsParts()
    {
        var layout = new RingLayout([new(null, "none", "M0 0", 1, 2, 3)], [new(1, "aaaaaaaa", 1, 2, NodeLook.Active, "Node 1")], 5);
        var same = layout.Become(new([.. layout.Arcs], [.. layout.Marks], 5));
        Assert.True(same.Arcs == layout.Arcs && same.Marks == layout.Marks);
        var other = layout.Become(new([.. layout.Arcs], [layout.Marks[0] with { Look = NodeLook.CutOff }], 5));
        Assert.True(other.Arcs == layout.Arcs && other.Marks != layout.Marks);
    }

    private static IReadOnlyCollection<SpanReading> Onion { get; } =
    [
        Span("door", "", GatewayTelemetry.OnionSpan, 0, 10, (GatewayTelemetry.NodeIndex, "7"), (GatewayTelemetry.HttpStatus, "200")),
        Span("h1", "door", GrainsTelemetry.HopSpan, 1, 8, (GrainsTelemetry.HopNumber, "1"), (GrainsTelemetry.Node, "aaaaaaaa"), (GrainsTelemetry.Instruction, "node"), (GrainsTelemetry.Status, "200")),
        Span("h2", "h1", GrainsTelemetry.HopSpan, 2, 6, (GrainsTelemetry.HopNumber, "2"), (GrainsTelemetry.Node, "bbbbbbbb"), (GrainsTelemetry.Instruction, "destination"), (GrainsTelemetry.Status, "200")),
        Span("rpc", "h2", GrainsTelemetry.RpcSpan, 3, 4, (GrainsTelemetry.Method, "store"), (GrainsTelemetry.Status, "200")),
        Span("mail", "rpc", GrainsTelemetry.MailboxSpan, 4, 2, (GrainsTelemetry.Method, "store")),
    ];

    private static SpanReading Span(string id, string parent, string name, double startMs, double tookMs, params (string, string)[] tags) => new(
        "trace", id, parent, parent.Length == 0, name, Start.AddMilliseconds(startMs), TimeSpan.FromMilliseconds(tookMs), Failed: false,
        [.. tags.Select(tag => new KeyValuePair<string, string>(tag.Item1, tag.Item2))]);
}
