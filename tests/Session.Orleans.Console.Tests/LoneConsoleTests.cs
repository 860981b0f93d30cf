using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Session.Orleans.ConsolePage.Tests;

/// <summary>The page of a network with settings of its own, which ends while the page is open.</summary>
public sealed class LoneConsoleTests(Chromium chromium)
{
    // A page that comes back while the network stops would hold it for all the time it has; a busy machine needs some of that itself.
    private const int StopLimitSeconds = 20;

    [Fact]
    public async Task Page_OfHopsThatAreNotLinked_SaysThatStepsAreMissing_AndLetsTheNetworkStop()
    {
        var browser = await chromium.GetAsync();
        await using var process = await TestnetProcess.StartAsync(nodes: 12, environment: new Dictionary<string, string> { ["SESSION_Telemetry__LinkHops"] = "false" });
        using var network = new TestNetwork(process);
        await using var tab = await ConsoleTab.OpenAsync(browser, process.Admin);
        await tab.LogInAsync(ConsoleFixture.TokenOf(process));
        await Expect(tab.Nodes).ToHaveCountAsync(12);

        var account = new TestAccount();
        var destination = await network.MemberForAsync(account.Id);
        await tab.PickAsync("0 or more", () => network.OnionRpcAsync(destination, account.Store("hello"u8.ToArray()).ToJson()), "POST /onion_req/v2");
        var way = tab.Page.Locator(".way-table");
        await Expect(way.GetByRole(AriaRole.Note)).ToContainTextAsync("Not its whole way");
        await Expect(way.GetByRole(AriaRole.Rowheader)).ToHaveTextAsync(["Gateway"]);
        await Expect(way.Locator("tr.gap")).ToHaveTextAsync(["nobody tells what it asked for"]);
        tab.AssertNoComplaints();

        var (exitCode, took) = await process.StopAsync();
        Assert.Equal(0, exitCode);
        Assert.InRange(took.TotalSeconds, 0, StopLimitSeconds);
        process.AssertNoErrors();
        Assert.DoesNotContain("non-graceful", process.Log, StringComparison.Ordinal); // as Orleans calls it when there was no time for its grains
    }
}
