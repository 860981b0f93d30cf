using System.Text.Json;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>The benchmarks of size: what they refuse, and that each of them measures and says so. The figures themselves are a busy machine's.</summary>
public sealed class BenchTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(4);

    [Theory]
    [InlineData("bench mailboxes --mailboxes 10 --active 11", "--active")]
    [InlineData("bench mailboxes --messages 0", "--messages")]
    [InlineData("bench mailboxes --rounds 0", "--rounds")]
    [InlineData("bench depth --messages 10", "more than 10")]
    [InlineData("bench depth --concurrency 0", "--concurrency")]
    [InlineData("bench memory --mailboxes 0", "--mailboxes")]
    [InlineData("bench latency --share 0%", "--share")]
    [InlineData("bench latency --rounds 0", "--rounds")]
    [InlineData("bench silos --silos 1", "between 2 and")]
    [InlineData("bench silos --silos 99", "between 2 and")]
    [InlineData("bench silos --requests 0", "--requests")]
    public async Task Size_ThatIsWrong_IsRefused(string command, string named)
    {
        var result = await TestnetProcess.RunAsync(command);

        UpFailureTests.AssertFailed(result, named);
        Assert.Equal(2, result.ExitCode);
    }

    [Theory]
    [InlineData("mailboxes --mailboxes 300 --active 100 --messages 2 --rounds 1 --requests 50", "poll, p50", 1.15)]
    [InlineData("depth --messages 300 --rounds 1 --requests 50", "poll, one new message, CPU|poll, nothing new, CPU|store, CPU", 1.2)]
    [InlineData("silos --silos 2 --kinds poll --rounds 1 --requests 50", "poll, CPU", 1.35)]
    public async Task Ratio_OfATinyRun_IsJudgedByItsGoal(string command, string judged, double goal)
    {
        var rows = await RunAsync(command);

        foreach (var name in judged.Split('|'))
        {
            var row = rows.Single(row => row.GetProperty("name").GetString() == name);
            Assert.True(row.GetProperty("base").GetDouble() > 0 && row.GetProperty("value").GetDouble() > 0, row.ToString());
            Assert.Equal(goal, row.GetProperty("goal").GetDouble());
            Assert.Equal(row.GetProperty("ratio").GetDouble() <= goal, row.GetProperty("isMet").GetBoolean());
        }
    }

    [Fact]
    public async Task Memory_OfATinyRun_IsJudgedByItsGoal()
    {
        var rows = await RunAsync("memory --mailboxes 200 --messages 3");

        var heap = rows.Single(row => row.GetProperty("name").GetString() == "managed heap per mailbox");
        Assert.Equal(6, heap.GetProperty("goal").GetDouble());
        Assert.Equal(heap.GetProperty("value").GetDouble() <= 6, heap.GetProperty("isMet").GetBoolean());
        Assert.True(rows.Single(row => row.GetProperty("name").GetString() == "managed heap").GetProperty("value").GetDouble() > 1);
    }

    [Fact]
    public async Task Latency_OfAShortRun_IsThatOfTheNetworkAndOfTheSameWorkAlone()
    {
        var result = await TestnetProcess.RunAsync("bench latency --rounds 2 --duration 1s --share 20% --warm-up 2s --output json", Limit);

        Assert.True(result.ExitCode == 0, result.Error);
        var report = JsonSerializer.Deserialize<JsonElement>(result.Output);
        Assert.Equal(0.2, report.GetProperty("ratePerSecond").GetDouble() / report.GetProperty("saturationPerSecond").GetDouble(), 6);
        Assert.True(report.GetProperty("requests").GetInt32() > report.GetProperty("ratePerSecond").GetDouble(), result.Output);
        foreach (var figures in new[] { report.GetProperty("latency"), report.GetProperty("floor") })
        {
            double least = figures.GetProperty("leastP99OverP50").GetDouble(), most = figures.GetProperty("mostP99OverP50").GetDouble();
            Assert.InRange(figures.GetProperty("p50Milliseconds").GetDouble(), 0.001, figures.GetProperty("p99Milliseconds").GetDouble());
            Assert.InRange(figures.GetProperty("p99OverP50").GetDouble(), least, most);
        }
    }

    private static async Task<JsonElement[]> RunAsync(string command)
    {
        var result = await TestnetProcess.RunAsync($"bench {command} --output json", Limit);
        Assert.True(result.ExitCode == 0, result.Error);
        var report = JsonSerializer.Deserialize<JsonElement>(result.Output);
        Assert.Equal(command.Split(' ')[0], report.GetProperty("benchmark").GetString());
        return [.. report.GetProperty("rows").EnumerateArray()];
    }
}
