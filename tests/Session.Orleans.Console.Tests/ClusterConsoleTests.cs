using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Session.Orleans.ConsolePage.Tests;

/// <summary>A network of several processes: what the page shows comes from all of them, and a login holds at each.</summary>
public sealed class ClusterConsoleTests(Chromium chromium)
{
    [Fact]
    public async Task Page_ShowsAllSilos_AndRequestsThatCrossThem()
    {
        var browser = await chromium.GetAsync();
        var ports = Ports.Find(80);
        await using var process = await TestnetProcess.StartAsync(options: "--silos 1 --gateways 2 --orleans-dashboard", nodes: 12, siloPort: ports);
        using var network = new TestNetwork(process);
        // Both gateways listen at the admin port: pages, scripts and the connection come from either.
        await using var tab = await ConsoleTab.OpenAsync(browser, process.Admin);
        await tab.LogInAsync(ConsoleFixture.TokenOf(process));
        await Expect(tab.Nodes).ToHaveCountAsync(12);
        var rows = tab.Region("Silos").Locator("tbody tr");
        await Expect(rows).ToHaveCountAsync(3);
        await Expect(rows.Locator("td:nth-child(2)")).ToHaveTextAsync(["gateway", "gateway", "silo"]);
        await Expect(rows.Locator("td:nth-child(3)")).ToHaveTextAsync(["active", "active", "active"]);

        var account = new TestAccount();
        var destination = await network.MemberForAsync(account.Id);
        await tab.PickAsync("3", () => network.OnionRpcAsync(destination, account.Store("hello"u8.ToArray()).ToJson()));
        // The mailbox is the silo's, the hops are the gateways'.
        foreach (var step in (string[])["Gateway", "Hop 1", "Hop 2", "Hop 3", "Destination", "Mailbox"])
            await Expect(tab.Region("Requests").GetByRole(AriaRole.Rowheader, new() { Name = step, Exact = true }).First).ToBeVisibleAsync();
        await Expect(tab.Page.Locator(".incomplete")).ToHaveCountAsync(0);

        // Every process knows the login that one of them gave.
        var cookie = (await tab.Page.Context.CookiesAsync()).Single(cookie => cookie.Name == "session-console");
        foreach (var member in process.Description.GetProperty("processes").EnumerateArray())
        {
            var reply = await network.SendAsync(HttpMethod.Get, new(new Uri(member.GetProperty("healthUrl").GetString()!), "/console/"), change: request =>
                request.Headers.TryAddWithoutValidation("Cookie", $"{cookie.Name}={cookie.Value}"));
            Assert.Equal(200, reply.Status);
        }

        await Expect(tab.Page.GetByRole(AriaRole.Link, new() { Name = "Orleans' own dashboard" })).ToBeVisibleAsync();
        tab.AssertNoComplaints();

        // Orleans' page, whose scripts are not ours: they fail by themselves if the second of their figures is there before the first.
        var dashboard = await tab.Page.Context.NewPageAsync();
        await dashboard.GotoAsync(new Uri(process.Admin, "/console/orleans/").ToString());
        await Expect(dashboard.Locator("body")).ToContainTextAsync("Silo");
        process.AssertNoErrors();
        _ = await process.StopAsync(); // all of them, so that none lingers
    }
}
