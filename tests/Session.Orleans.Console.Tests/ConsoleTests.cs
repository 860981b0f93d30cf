using System.Diagnostics;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Session.Orleans.ConsolePage.Tests;

/// <summary>The page in a real browser, over a real network.</summary>
public sealed partial class ConsoleTests(ConsoleFixture fixture) : IClassFixture<ConsoleFixture>
{
    // Where the README's pictures go, if they are to be made anew.
    private static readonly string? Pictures = Environment.GetEnvironmentVariable("SESSION_SCREENSHOTS");

    private TestNetwork Network => fixture.Network;

    [Fact]
    public async Task Page_WithoutLogin_IsRefusedInAllItsParts()
    {
        foreach (var path in (string[])["/console/", "/console/_blazor?id=x", "/console/_blazor/initializers", "/console/orleans/", "/console/nothing"])
        {
            var reply = await Network.SendAsync(HttpMethod.Get, new(Network.Process.Admin, path));
            Assert.Equal((302, "/console/login"), (reply.Status, reply.Header("Location")));
        }

        foreach (var path in (string[])["/console/_blazor/negotiate", "/console/_blazor/disconnect", "/console/logout"])
            Assert.Equal(401, (await Network.PostAsync(new(Network.Process.Admin, path), [])).Status);
        var socket = await Network.SendAsync(HttpMethod.Get, new(Network.Process.Admin, "/console/_blazor"), change: request =>
        {
            request.Headers.TryAddWithoutValidation("Upgrade", "websocket");
            request.Headers.TryAddWithoutValidation("Connection", "Upgrade");
        });
        Assert.Equal(401, socket.Status);
        // The API does not take the page's cookie, nor the page the API's header.
        var header = await Network.SendAsync(HttpMethod.Get, new(Network.Process.Admin, "/console/"), change: request => request.Headers.Authorization = new("Bearer", fixture.Token));
        Assert.Equal(302, header.Status);
    }

    [Fact]
    public async Task Page_ForRequestsOfOtherPages_IsRefused()
    {
        await using var tab = await fixture.LogInAsync();
        await Expect(tab.Nodes).ToHaveCountAsync(32);
        var cookie = (await tab.Page.Context.CookiesAsync()).Single(cookie => cookie.Name == "session-console");
        Assert.True(cookie.HttpOnly);
        Assert.Equal(SameSiteAttribute.Strict, cookie.SameSite);
        foreach (var (origin, status) in ((string, int)[])[("http://evil.example", 403), ("http://127.0.0.1:1", 403), ("null", 403), (Network.Process.Admin.GetLeftPart(UriPartial.Authority), 200)])
        {
            var reply = await Network.SendAsync(HttpMethod.Get, new(Network.Process.Admin, "/console/"), change: request =>
            {
                request.Headers.TryAddWithoutValidation("Cookie", $"{cookie.Name}={cookie.Value}");
                request.Headers.TryAddWithoutValidation("Origin", origin);
            });
            Assert.Equal(status, reply.Status);
        }

        var forged = await Network.SendAsync(HttpMethod.Get, new(Network.Process.Admin, "/console/"), change: request =>
            request.Headers.TryAddWithoutValidation("Cookie", $"{cookie.Name}={cookie.Value[..^4]}AAAA"));
        Assert.Equal(302, forged.Status);
    }

    [Fact]
    public async Task Login_WithTheTokenAlone_OpensThePage()
    {
        await using var tab = await fixture.OpenAsync();
        await Expect(tab.Page.GetByRole(AriaRole.Heading, new() { Name = "Session.Orleans" })).ToBeVisibleAsync();
        await Expect(tab.Page.GetByLabel("Admin token")).ToBeFocusedAsync();
        await tab.LogInAsync("wrong");
        await Expect(tab.Page.GetByRole(AriaRole.Alert)).ToHaveTextAsync("That is not the admin token.");
        Assert.Empty(await tab.Page.Context.CookiesAsync([new Uri(Network.Process.Admin, "/console/").ToString()]) is var cookies ? cookies.Where(cookie => cookie.Name == "session-console") : []);
        await tab.LogInAsync(fixture.Token);
        await Expect(tab.Nodes).ToHaveCountAsync(32);

        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Log out" }).ClickAsync();
        await Expect(tab.Page.GetByLabel("Admin token")).ToBeVisibleAsync();
        await tab.Page.GotoAsync(new Uri(Network.Process.Admin, "/console/").ToString());
        await Expect(tab.Page.GetByLabel("Admin token")).ToBeVisibleAsync();
        // The browser says of the one refused login that it was refused.
        Assert.All(tab.Complaints, complaint => Assert.Contains("401", complaint, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Page_ShowsTheNetwork_WithRolesAndNames()
    {
        await using var tab = await fixture.LogInAsync();
        await Expect(tab.Nodes).ToHaveCountAsync(32);
        var page = tab.Page;
        await Expect(page.GetByRole(AriaRole.Banner)).ToBeVisibleAsync();
        await Expect(page.GetByRole(AriaRole.Main)).ToBeVisibleAsync();
        await Expect(page.GetByRole(AriaRole.Listbox, new() { Name = "Service nodes by swarm" })).ToBeVisibleAsync();
        foreach (var region in (string[])["At a glance", "Swarm ring", "Node", "Faults", "Requests", "Silos"])
            await Expect(page.GetByRole(AriaRole.Region, new() { Name = region, Exact = true })).ToBeVisibleAsync();
        foreach (var node in Network.Nodes)
        {
            await Expect(tab.Node(node.Index)).ToHaveAttributeAsync(
                "aria-label", $"Node {node.Index} {node.Ed25519.ToString()[..8]}, swarm {(node.Swarm.Length > 5 ? node.Swarm[..4] + "…" : node.Swarm)}: active");
        }

        await Expect(page.Locator(".arc")).ToHaveCountAsync(4);
        var silos = tab.Region("Silos");
        await Expect(silos.GetByRole(AriaRole.Row)).ToHaveCountAsync(2);
        await Expect(silos.GetByRole(AriaRole.Row).Nth(1)).ToContainTextAsync("serves this page");
        await Expect(silos.GetByRole(AriaRole.Cell).Nth(4)).ToHaveTextAsync(MebibytesRegex());
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "Use dark colours" })).ToBeVisibleAsync();
        await Expect(tab.Tile("Live messages").Locator(".unit")).ToContainTextAsync("mailbox");
        var unnamed = await page.EvaluateAsync<string[]>("""
            [...document.querySelectorAll('button, input:not([type=hidden]), select, a[href], [role=img]:not([aria-hidden=true])')]
                .filter(e => e.offsetParent !== null || e instanceof SVGElement)
                .filter(e => !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length || e.getAttribute('aria-labelledby')))
                .map(e => e.outerHTML.slice(0, 120))
            """);
        Assert.Empty(unnamed);
        tab.AssertNoComplaints();
    }

    [Fact]
    public async Task Counts_FollowTheTraffic()
    {
        await using var tab = await fixture.LogInAsync();
        await Expect(tab.Nodes).ToHaveCountAsync(32);
        var account = new TestAccount();
        var member = await Network.MemberForAsync(account.Id);
        using var end = new CancellationTokenSource();
        var traffic = Task.Run(async () =>
        {
            using var omq = new OmqClient(member);
            while (!end.IsCancellationRequested)
            {
                Assert.Equal(200, (await Network.RpcAsync(member, account.Store("x"u8.ToArray()))).Status);
                Assert.Equal(200, omq.Rpc(account.Retrieve()).Status);
            }
        }, TestContext.Current.CancellationToken);
        try
        {
            await Expect(tab.Tile("Requests").Locator(".value")).Not.ToHaveTextAsync("0");
            await Expect(tab.Tile("Median latency").Locator(".value")).ToHaveTextAsync(DurationRegex());
            await Expect(tab.Tile("Requests").Locator(".detail")).ToHaveTextAsync(DoorsRegex());
            await Expect(tab.Tile("Live messages").Locator(".value")).ToHaveTextAsync(CountRegex());
            // An OxenMQ message is a request like others, and has ended well.
            var list = tab.Region("Requests").Locator("tbody tr", new() { HasText = "retrieve" });
            await Expect(list.First.Locator("td").Nth(4)).ToHaveTextAsync("200");
        }
        finally
        {
            await end.CancelAsync();
        }

        await traffic;
        tab.AssertNoComplaints();
    }

    [Fact]
    public async Task FaultSwitch_ChangesTheRingAndTheWire_AndBack()
    {
        const int Victim = 5;
        await using var tab = await fixture.LogInAsync();
        await tab.Node(Victim).ClickAsync();
        await Expect(tab.Node(Victim)).ToHaveAttributeAsync("aria-selected", "true");
        await tab.Switch("Refuses connections").CheckAsync();
        await Expect(tab.Node(Victim)).ToHaveAttributeAsync("data-look", "CutOff");
        await Expect(tab.Node(Victim)).ToHaveAttributeAsync("aria-label", new Regex("cut off: refuses connections$"));
        await Expect(tab.Region("Faults")).ToContainTextAsync("refuses connections at 5");
        await Expect(tab.Page.GetByRole(AriaRole.Status)).ToContainTextAsync("cut off");
        var account = new TestAccount();
        await Assert.ThrowsAsync<HttpRequestException>(() => Network.RpcAsync(Network.Nodes[Victim], account.Retrieve()));

        await tab.Switch("Refuses connections").UncheckAsync();
        await Expect(tab.Node(Victim)).ToHaveAttributeAsync("data-look", "Active");
        Assert.NotEqual(0, (await Network.RpcAsync(Network.Nodes[Victim], account.Retrieve())).Status);
        tab.AssertNoComplaints();
    }

    [Fact]
    public async Task FaultForm_BeginsAnyFault_AndSaysWhatIsWrong()
    {
        await using var tab = await fixture.LogInAsync();
        var faults = tab.Region("Faults");
        await faults.GetByText("Add a fault").ClickAsync();
        await faults.GetByLabel("Nodes").FillAsync("8-10, 12");
        await faults.GetByLabel("Delay, ms").FillAsync("-5");
        await faults.GetByRole(AriaRole.Button, new() { Name = "Begin" }).ClickAsync();
        await Expect(faults.GetByRole(AriaRole.Alert)).ToContainTextAsync("needs a delay of more than 0");
        await Expect(tab.Node(8)).ToHaveAttributeAsync("data-look", "Active");

        await faults.GetByLabel("Delay, ms").FillAsync("300");
        await faults.GetByRole(AriaRole.Button, new() { Name = "Begin" }).ClickAsync();
        await Expect(faults.GetByRole(AriaRole.Listitem)).ToContainTextAsync("latency 300 ms at 8–10, 12");
        await Expect(faults.GetByRole(AriaRole.Alert)).ToHaveCountAsync(0);
        foreach (var index in (int[])[8, 9, 10, 12])
            await Expect(tab.Node(index)).ToHaveAttributeAsync("data-look", "Faulty");
        var watch = Stopwatch.StartNew();
        await Network.RpcAsync(Network.Nodes[9], new TestAccount().Retrieve());
        Assert.InRange(watch.ElapsedMilliseconds, 290, long.MaxValue); // timers may be a little early

        await faults.GetByRole(AriaRole.Button, new() { Name = "End all" }).ClickAsync();
        await Expect(faults).ToContainTextAsync("Nothing is made to go wrong.");
        await Expect(tab.Node(9)).ToHaveAttributeAsync("data-look", "Active");
        tab.AssertNoComplaints();
    }

    [Fact]
    public async Task Request_ShowsItsWay_HopByHop()
    {
        await using var tab = await fixture.LogInAsync();
        var requests = tab.Region("Requests");
        await Expect(tab.Nodes).ToHaveCountAsync(32);
        var account = new TestAccount();
        var destination = await Network.MemberForAsync(account.Id);
        await tab.PickAsync("4", () => Network.OnionRpcAsync(destination, account.Store("hello"u8.ToArray()).ToJson(), hops: 3));
        var way = requests.Locator(".way-table");
        // A mailbox may have to read before it writes: then the store is asked twice.
        foreach (var step in (string[])["Gateway", "Hop 1", "Hop 2", "Hop 3", "Hop 4", "Destination", "Mailbox", "Store"])
            await Expect(way.GetByRole(AriaRole.Rowheader, new() { Name = step, Exact = true }).First).ToBeVisibleAsync();
        await Expect(way.GetByRole(AriaRole.Row, new() { Name = "Hop 4" })).ToContainTextAsync($"{destination.Index} {destination.Ed25519.ToString()[..8]}");
        await Expect(tab.Page.Locator(".ring .stop-number")).ToHaveTextAsync(["1", "2", "3", "4"]);
        await Expect(tab.Page.Locator(".ring polyline.way")).ToHaveCountAsync(1);
        await Expect(tab.Page.Locator(".incomplete")).ToHaveCountAsync(0);
        // No account, in full or in its middle, is anywhere on the page.
        Assert.DoesNotContain(account.Id.ToString()[20..40], await tab.Page.ContentAsync(), StringComparison.Ordinal);
        if (Pictures is not null)
            await PicturesAsync(tab);

        await way.GetByRole(AriaRole.Button, new() { Name = "Close" }).ClickAsync();
        await Expect(tab.Page.Locator(".ring polyline.way")).ToHaveCountAsync(0);
        tab.AssertNoComplaints();
    }

    [Fact]
    public async Task Keyboard_ReachesNodesAndSwitches()
    {
        await using var tab = await fixture.LogInAsync();
        await Expect(tab.Nodes).ToHaveCountAsync(32);
        var ring = tab.Page.GetByRole(AriaRole.Listbox, new() { Name = "Service nodes by swarm" });
        await tab.Page.Keyboard.PressAsync("Tab");
        await Expect(tab.Page.GetByRole(AriaRole.Link, new() { Name = "Skip to the network" })).ToBeFocusedAsync();
        for (var i = 0; i < 12 && !await ring.EvaluateAsync<bool>("ring => ring === document.activeElement"); i++)
            await tab.Page.Keyboard.PressAsync("Tab");
        await Expect(ring).ToBeFocusedAsync();
        await tab.Page.Keyboard.PressAsync("End");
        var last = await tab.Nodes.Last.GetAttributeAsync("id");
        await Expect(ring).ToHaveAttributeAsync("aria-activedescendant", last!);
        await tab.Page.Keyboard.PressAsync("ArrowRight");
        var first = await tab.Nodes.First.GetAttributeAsync("id");
        await Expect(ring).ToHaveAttributeAsync("aria-activedescendant", first!);

        await tab.Page.Keyboard.PressAsync("Tab");
        await Expect(tab.Switch("Offline: never answers")).ToBeFocusedAsync();
        await tab.Page.Keyboard.PressAsync(" ");
        await Expect(tab.Nodes.First).ToHaveAttributeAsync("data-look", "CutOff");
        await Expect(tab.Switch("Offline: never answers")).ToBeEnabledAsync();
        await tab.Switch("Offline: never answers").FocusAsync();
        await tab.Page.Keyboard.PressAsync(" ");
        await Expect(tab.Nodes.First).ToHaveAttributeAsync("data-look", "Active");
        tab.AssertNoComplaints();
    }

    [Fact]
    public async Task Colours_FollowTheSystemAndTheSwitch()
    {
        await using var tab = await fixture.LogInAsync(new() { ColorScheme = ColorScheme.Dark });
        await Expect(tab.Nodes).ToHaveCountAsync(32);
        await Expect(tab.Page.Locator(".card").First).ToHaveCSSAsync("background-color", "rgb(26, 33, 43)");
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Use light colours" }).ClickAsync();
        await Expect(tab.Page.GetByRole(AriaRole.Button, new() { Name = "Use dark colours" })).ToBeVisibleAsync();
        await Expect(tab.Page.Locator(".card").First).ToHaveCSSAsync("background-color", "rgb(255, 255, 255)");
        await tab.Page.ReloadAsync();
        await Expect(tab.Nodes).ToHaveCountAsync(32);
        await Expect(tab.Page.GetByRole(AriaRole.Button, new() { Name = "Use dark colours" })).ToBeVisibleAsync();
        tab.AssertNoComplaints();
    }

    [Fact]
    public async Task Phone_HasEverythingInItsWidth()
    {
        await using var tab = await fixture.LogInAsync(new() { ViewportSize = new() { Width = 390, Height = 844 }, HasTouch = true, IsMobile = true, DeviceScaleFactor = 2 });
        await Expect(tab.Nodes).ToHaveCountAsync(32);
        await tab.Node(3).TapAsync();
        await Expect(tab.Page.GetByRole(AriaRole.Heading, new() { Name = "Node 3" })).ToBeVisibleAsync();
        await tab.Page.WaitForFunctionAsync("document.documentElement.scrollWidth === 390");
        if (Pictures is not null)
            await tab.Page.ScreenshotAsync(new() { Path = Path.Combine(Pictures, "console-phone.png"), Animations = ScreenshotAnimations.Disabled });
        tab.AssertNoComplaints();
    }

    private static async Task PicturesAsync(ConsoleTab tab)
    {
        await tab.Page.SetViewportSizeAsync(1240, 1130);
        await tab.Page.EvaluateAsync("document.activeElement?.blur()");
        foreach (var (file, button) in ((string, string)[])[("console-light.png", "Use dark colours"), ("console-dark.png", "Use light colours")])
        {
            await Expect(tab.Page.GetByRole(AriaRole.Button, new() { Name = button })).ToBeVisibleAsync();
            await tab.Page.Mouse.MoveAsync(0, 0);
            await tab.Page.ScreenshotAsync(new() { Path = Path.Combine(Pictures!, file), Animations = ScreenshotAnimations.Disabled });
            await tab.Page.GetByRole(AriaRole.Button, new() { Name = button }).ClickAsync();
        }
    }

    [GeneratedRegex("^[\\d,]+ MiB$")]
    private static partial Regex MebibytesRegex();

    [GeneratedRegex("^[\\d.]+ (µs|ms|s)$")]
    private static partial Regex DurationRegex();

    [GeneratedRegex("^[\\d,]+$")]
    private static partial Regex CountRegex();

    [GeneratedRegex("^node [\\d.,]+, omq [\\d.,]+$")]
    private static partial Regex DoorsRegex();
}
