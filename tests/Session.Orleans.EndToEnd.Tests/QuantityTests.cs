using Session.Orleans.Load;
using Session.Orleans.Testnet;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>Durations, shares, rates and sizes as people write them.</summary>
public sealed class QuantityTests
{
    [Theory]
    [InlineData("200ms", 0.2)]
    [InlineData("5s", 5)]
    [InlineData("1.5s", 1.5)]
    [InlineData("10m", 600)]
    [InlineData("1h", 3600)]
    [InlineData("1h30m", 5400)]
    [InlineData("2d", 172_800)]
    [InlineData("0", 0)]
    public void Duration_WithUnits_IsRead(string text, double seconds)
    {
        Assert.True(Quantities.TryParseDuration(text, out var duration));
        Assert.Equal(TimeSpan.FromSeconds(seconds), duration);
        Assert.True(Quantities.TryParseDuration(Quantities.Format(duration), out var again));
        Assert.Equal(duration, again);
    }

    [Theory]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("s")]
    [InlineData("5 s")]
    [InlineData("5sec")]
    [InlineData("1m1h")]
    [InlineData("1s1s")]
    [InlineData("1.2.3s")]
    [InlineData("-5s")]
    [InlineData("5s ")]
    [InlineData("99999d")]
    public void Duration_OfAnotherForm_IsRefused(string text) => Assert.False(Quantities.TryParseDuration(text, out _));

    [Theory]
    [InlineData("-10m", -600)]
    [InlineData("+10m", 600)]
    [InlineData("10m", 600)]
    public void Duration_WithASign_WhereItMayBe(string text, double seconds)
    {
        Assert.True(Quantities.TryParseDuration(text, out var duration, signed: true));
        Assert.Equal(seconds, duration.TotalSeconds);
    }

    [Theory]
    [InlineData("5%", 0.05)]
    [InlineData("0.05", 0.05)]
    [InlineData("100%", 1)]
    [InlineData("1", 1)]
    [InlineData("12.5%", 0.125)]
    public void Share_AsPercentOrNumber_IsRead(string text, double share)
    {
        Assert.True(Quantities.TryParseShare(text, out var read));
        Assert.Equal(share, read, 1e-9);
    }

    [Theory]
    [InlineData("5")]
    [InlineData("101%")]
    [InlineData("-1%")]
    [InlineData("%")]
    [InlineData("5 percent")]
    public void Share_OutOfRangeOrForm_IsRefused(string text) => Assert.False(Quantities.TryParseShare(text, out _));

    [Theory]
    [InlineData("64kB/s", 64_000)]
    [InlineData("1KiB/s", 1024)]
    [InlineData("1.5MB/s", 1_500_000)]
    [InlineData("500B/s", 500)]
    public void Bandwidth_IsRead(string text, long bytes)
    {
        Assert.True(Quantities.TryParseBandwidth(text, out var read));
        Assert.Equal(bytes, read);
    }

    [Theory]
    [InlineData("64kB")]
    [InlineData("64")]
    [InlineData("64kbit/s")]
    [InlineData("0B/s")]
    public void Bandwidth_OfAnotherForm_IsRefused(string text) => Assert.False(Quantities.TryParseBandwidth(text, out _));

    [Theory]
    [InlineData(new int[0], "")]
    [InlineData(new[] { 4 }, "4")]
    [InlineData(new[] { 3, 0, 1, 2, 7, 9, 8, 12, 13 }, "0-3,7-9,12,13")]
    public void Ranges_DrawNeighboursTogether(int[] numbers, string text) => Assert.Equal(text, Tables.Ranges(numbers));

    [Fact]
    public void LongLists_BreakBetweenNumbers()
    {
        int[] every = [.. Enumerable.Range(0, 16).Select(i => 2 * i)];
        Assert.Equal("0,2,4,6,8,10,12,14,16,18,\n20,22,24,26,28,30", Tables.RangesInLines(every));
        Assert.Equal("0,2,4,6,8,10,12,14,16,18,\n20,22,24,26,28,30 → 1,3", Tables.DescribePlace(new("f1", "loss", every, [1, 3], 1, 0, 0, "fixed", 0, default, null, null)));
    }
}
