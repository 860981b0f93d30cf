using System.Xml.Linq;
using CsCheck;
using Session.Orleans.Load.Ledger;
using Session.Orleans.Load.Results;
using LongHistogram = HdrHistogram.LongHistogram;

namespace Session.Orleans.Load.Tests;

/// <summary>Results: recorded, written, merged, compared, reported.</summary>
public sealed class ResultTests
{
    [Fact]
    public void Histogram_ComesBackFromText_WithEveryCount() => Gen.Long[1, Recorder.MaxMicroseconds].Array[0, 200].Sample(values =>
    {
        var histogram = new LongHistogram(1, Recorder.MaxMicroseconds, 3);
        foreach (var value in values)
            histogram.RecordValue(value);

        var again = Histograms.Decode(Histograms.Encode(histogram));

        Assert.Equal(histogram.TotalCount, again.TotalCount);
        foreach (var percentile in values.Length == 0 ? [] : (double[])[0, 50, 90, 99, 100])
            Assert.Equal(histogram.GetValueAtPercentile(percentile), again.GetValueAtPercentile(percentile));
    }, iter: 200);

    [Fact]
    public void NoHistogram_IsAFormatException() => Gen.Byte.Array[0, 60].Sample(bytes =>
    {
        try
        {
            _ = Histograms.Decode(Convert.ToBase64String(bytes));
        }
        catch (FormatException)
        {
        }
    }, iter: 2000);

    [Fact]
    public void Merge_IsTheSameAsOneRun() => Gen.Int[1, 5_000_000].Array[1, 100].Sample(times =>
    {
        var (whole, one, other) = (NewRecorder(), NewRecorder(), NewRecorder());
        for (var i = 0; i < times.Length; i++)
        {
            var (due, took, error) = (TimeSpan.FromSeconds(i % 50), TimeSpan.FromMicroseconds(times[i]), times[i] % 7 == 0 ? "timeout" : null);
            whole.Done(Operation.Send, due, due + took, error);
            (i % 2 == 0 ? one : other).Done(Operation.Send, due, due + took, error);
        }

        var merged = ResultMerge.Merge([ToResult(one, "0/2", lost: 1), ToResult(other, "1/2", lost: 2)]);

        var expected = ToResult(whole, "0/1", lost: 3);
        var (wholeSum, mergedSum) = (expected.All(), merged.All());
        Assert.Equal(expected.Ledger, merged.Ledger);
        Assert.Equal(wholeSum with { Errors = mergedSum.Errors }, mergedSum);
        Assert.Equal(wholeSum.Errors, mergedSum.Errors);
        Assert.Equal(expected.Series.Select(point => (point.Second, point.Sends, point.Failed, point.P50, point.Max)), merged.Series.Select(point => (point.Second, point.Sends, point.Failed, point.P50, point.Max)));
    }, iter: 100);

    [Fact]
    public void Merge_OfTheSameShardTwice_OrOfOtherRuns_IsRefused()
    {
        var one = ToResult(NewRecorder(), "0/2");

        Assert.Contains("twice", Assert.Throws<LoadException>(() => ResultMerge.Merge([one, one])).Message, StringComparison.Ordinal);
        Assert.Contains("plans differ", Assert.Throws<LoadException>(() => ResultMerge.Merge([one, ToResult(NewRecorder(), "1/2") with { Name = "another" }])).Message, StringComparison.Ordinal);
        Assert.Contains("different numbers", Assert.Throws<LoadException>(() => ResultMerge.Merge([one, ToResult(NewRecorder(), "1/3")])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WarmUp_IsLeftOut()
    {
        var recorder = new Recorder(TimeSpan.FromSeconds(60), warmUp: TimeSpan.FromSeconds(10));
        recorder.Done(Operation.Send, TimeSpan.FromSeconds(9), TimeSpan.FromSeconds(20));
        recorder.Done(Operation.Send, TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(10.001));

        var result = recorder.Result(Operation.Send, TimeSpan.FromSeconds(50));

        Assert.Equal((1, 1.0), (result.Count, Math.Round(result.Max!.Value)));
    }

    [Fact]
    public void LatencyCountsFromTheIntendedTime()
    {
        var recorder = NewRecorder();
        // Due at 1 s, begun late at 3 s, done at 3.1 s: 2.1 s for whoever waited.
        recorder.Done(Operation.Send, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(3.1));

        Assert.InRange(recorder.Result(Operation.Send, TimeSpan.FromSeconds(60)).P50!.Value, 2099, 2102);
    }

    [Theory]
    [InlineData("{}", "is no result of a load run.")]
    [InlineData("nonsense", "is no result of a load run.")]
    [InlineData("", "is no result of a load run.")]
    [InlineData("{\n\"format\": true }", "is no result of a load run, or it is damaged in line 2.")]
    public void FileThatIsNoResult_IsRefusedInWordsForPeople(string text, string reason)
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, text);
            var refused = Assert.Throws<LoadException>(() => { _ = LoadResult.Read(file); });
            Assert.Equal((LoadFailure.Usage, $"{file} {reason}"), (refused.Failure, refused.Message));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory]
    [InlineData("lost>0", 1, true)]
    [InlineData("lost>0", 0, false)]
    [InlineData("lost >= 1", 1, true)]
    [InlineData("send.p99>500ms", 0, false)]
    [InlineData("p50<1ms", 0, false)]
    [InlineData("send.p50>=1ms", 0, true)]
    [InlineData("errors>10%", 0, true)]
    [InlineData("errors>60%", 0, false)]
    [InlineData("poll.p99>1s", 0, true)] // nothing was polled: nobody knows
    public void Threshold_IsCheckedAgainstItsFigure(string text, int lost, bool isFailed)
    {
        var recorder = NewRecorder();
        recorder.Done(Operation.Send, TimeSpan.Zero, TimeSpan.FromMilliseconds(5));
        recorder.Done(Operation.Send, TimeSpan.Zero, TimeSpan.FromMilliseconds(5), "timeout");
        Assert.True(Threshold.TryParse(text, out var threshold));

        var result = ToResult(recorder, "0/1", lost).Check([threshold!]);

        Assert.Equal(isFailed, result.Thresholds.Single().Failed);
        Assert.Equal(!isFailed, result.Passed);
    }

    [Theory]
    [InlineData("")]
    [InlineData("lost")]
    [InlineData("lost>")]
    [InlineData(">0")]
    [InlineData("p99>5")]
    [InlineData("lost>5ms")]
    [InlineData("lost>-1")]
    [InlineData("send.lost>0")]
    [InlineData("walk.p99>1s")]
    [InlineData("p77>1s")]
    [InlineData("errors>101%")]
    [InlineData("rate<5")]
    public void WrongThreshold_IsRefused(string text) => Assert.False(Threshold.TryParse(text, out _));

    [Fact]
    public void AnyText_IsAThresholdOrNone() => Gen.String[Gen.Char["lostp9.send<>=!0123456789ms% "], 0, 20].Sample(text =>
    {
        // Read or not, but no exception; and what is read names a figure.
        if (Threshold.TryParse(text, out var threshold))
            Assert.NotEqual("", threshold!.Metric);
    }, iter: 5000);

    [Fact]
    public void File_ComesBack_AndABrokenOneIsOneLine()
    {
        var recorder = NewRecorder();
        recorder.Done(Operation.Send, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2), trace: new string('a', 32));
        recorder.Done(Operation.Poll, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2), "http 503");
        var result = ToResult(recorder, "0/1").Check([]);
        var file = Path.GetTempFileName();
        try
        {
            result.Save(file);
            Assert.Equal(result.ToJson(), LoadResult.Read(file).ToJson());

            foreach (var broken in (string[])["", "{}", "[]", result.ToJson()[..200], result.ToJson().Replace("\"format\": 1", "\"format\": 99", StringComparison.Ordinal), result.ToJson().Replace("\"histogram\": \"", "\"histogram\": \"!", StringComparison.Ordinal)])
            {
                File.WriteAllText(file, broken);
                Assert.DoesNotContain('\n', Assert.Throws<LoadException>(() => LoadResult.Read(file)).Message);
            }
        }
        finally
        {
            File.Delete(file);
        }

        Assert.Throws<LoadException>(() => LoadResult.Read(file));
    }

    [Fact]
    public void Comparison_SaysWhatGotWorse_AndWhatIsNotAlike()
    {
        var (fast, slow) = (NewRecorder(), NewRecorder());
        for (var i = 0; i < 100; i++)
        {
            fast.Done(Operation.Send, TimeSpan.FromSeconds(i % 50), TimeSpan.FromSeconds(i % 50) + TimeSpan.FromMilliseconds(10));
            slow.Done(Operation.Send, TimeSpan.FromSeconds(i % 50), TimeSpan.FromSeconds(i % 50) + TimeSpan.FromMilliseconds(30));
        }

        var comparison = ResultComparison.Of(ToResult(fast, "0/1"), ToResult(slow, "0/1", lost: 2) with { Name = "other" });

        Assert.Contains(comparison.Circumstances, difference => difference.StartsWith("plan: ", StringComparison.Ordinal));
        Assert.Equal(3, comparison.Rows.Single(row => row.Figure == "send.p50").Ratio!.Value, 1);
        Assert.Contains(comparison.WorseThan(0.1), worse => worse.StartsWith("lost 0 -> 2", StringComparison.Ordinal));
        Assert.Contains(comparison.WorseThan(0.1), worse => worse.StartsWith("send.p99", StringComparison.Ordinal));
        Assert.DoesNotContain(comparison.WorseThan(3), worse => worse.StartsWith("send.", StringComparison.Ordinal));
    }

    [Fact]
    public void Report_IsWellFormed_AndAsksNobodyForAnything()
    {
        var recorder = NewRecorder();
        for (var i = 0; i < 500; i++)
        {
            recorder.Done(Operation.Send, TimeSpan.FromSeconds(i / 10), TimeSpan.FromSeconds((i / 10) + (i * 0.001)), i % 50 == 0 ? "<timeout> & \"more\"" : null, new string('b', 32));
            recorder.Done(Operation.Delivery, TimeSpan.FromSeconds(i / 10), TimeSpan.FromSeconds((i / 10) + 1));
        }

        var result = ToResult(recorder, "0/1", lost: 3) with { Name = "a <b> & c", Traced = new(9, 5), Hops = [HopsOf("relay <1>", 1500, 3000)] };
        foreach (var html in (string[])[HtmlReport.Create(result), HtmlReport.Create(result, result), HtmlReport.Create(ToResult(NewRecorder(), "0/1"))])
        {
            _ = XDocument.Parse(html.Replace("<!doctype html>", "", StringComparison.Ordinal).Replace("<meta charset=\"utf-8\">", "", StringComparison.Ordinal)
                .Replace("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">", "", StringComparison.Ordinal));
            Assert.DoesNotContain("src=", html, StringComparison.Ordinal);
            Assert.DoesNotContain("href=", html, StringComparison.Ordinal);
            Assert.DoesNotContain("url(", html, StringComparison.Ordinal);
            Assert.DoesNotContain("<script", html, StringComparison.Ordinal);
            Assert.DoesNotContain("NaN", html, StringComparison.Ordinal);
            Assert.DoesNotContain("Infinity", html, StringComparison.Ordinal);
        }

        Assert.Contains("<div class=\"bad\"><b>3</b>lost</div>", HtmlReport.Create(result), StringComparison.Ordinal);
        Assert.Contains("a &lt;b&gt; &amp; c", HtmlReport.Create(result), StringComparison.Ordinal);
    }

    [Fact]
    public void Merge_AddsHops_AndTheComparisonHasThem()
    {
        var one = ToResult(NewRecorder(), "0/2") with { Traced = new(3, 2), Hops = [HopsOf("gateway", 1000, 3000), HopsOf("hop 1", 500)] };
        var other = ToResult(NewRecorder(), "1/2") with { Traced = new(4, 4), Hops = [HopsOf("gateway", 5000), HopsOf("store", 100)] };

        var merged = ResultMerge.Merge([one, other]);

        Assert.Equal(new(7, 6), merged.Traced);
        Assert.Equal(["gateway", "hop 1", "store"], merged.Hops.Select(hop => hop.Part));
        Assert.Equal((3, 3, 5), (merged.Hops[0].Count, Math.Round(merged.Hops[0].Mean), Math.Round(merged.Hops[0].Max)));
        Assert.Equal(2.5, ResultComparison.Of(one, other).Rows.Single(row => row.Figure == "gateway, own time").Ratio!.Value, 1);
        Assert.Contains("<td>hop 1</td>", HtmlReport.Create(merged), StringComparison.Ordinal);
    }

    private static HopTimes HopsOf(string part, params long[] microseconds)
    {
        var times = new LongHistogram(1, Recorder.MaxMicroseconds, 3);
        foreach (var one in microseconds)
            times.RecordValue(one);
        return HopTimes.Of(part, times);
    }

    private static Recorder NewRecorder() => new(TimeSpan.FromSeconds(60), TimeSpan.Zero);

    private static LoadResult ToResult(Recorder recorder, string shard, long lost = 0) => new()
    {
        Name = "test",
        Started = DateTimeOffset.UnixEpoch,
        Plan = new("open", 10, 1, shard, ["1m: 10 users"], 0),
        Circumstances = new("https://seed", 32, "1", "cpu", 2, "os", "runtime", 1, 60, 1, 100, 50, 1),
        Ledger = LedgerTotals.Empty with { Expected = lost, Lost = lost },
        Operations = [.. Enum.GetValues<Operation>().Select(operation => recorder.Result(operation, TimeSpan.FromSeconds(60))).Where(one => one.Count + one.Failed > 0)],
        FailedAttempts = recorder.FailedAttempts,
        StepSeconds = recorder.BucketLength.TotalSeconds,
        Series = recorder.Series(),
        Failures = recorder.Failures,
    };
}
