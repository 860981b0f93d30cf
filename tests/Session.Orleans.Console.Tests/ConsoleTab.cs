using System.Collections.Concurrent;
using Microsoft.Playwright;

namespace Session.Orleans.ConsolePage.Tests;

/// <summary>A page of the console, and what its browser complained of.</summary>
internal sealed class ConsoleTab : IAsyncDisposable
{
    // Only a test that fails waits this long, so it may be much more than a busy machine needs.
    private const float LimitMilliseconds = 60_000;

    // The browser tells tests of an error by its first line alone.
    private const string TellErrors = """
        addEventListener('error', e => console.error(`uncaught: ${e.error?.stack ?? e.message}\n  at ${e.filename}:${e.lineno}:${e.colno}`));
        addEventListener('unhandledrejection', e => console.error(`unhandled rejection: ${e.reason?.stack ?? e.reason}`));
        """;

    private readonly IBrowserContext _context;
    private readonly ConcurrentQueue<string> _complaints = new();

    private ConsoleTab(IBrowserContext context, IPage page)
    {
        _context = context;
        Page = page;
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
                Complain($"{message.Type}: {message.Text} ({message.Location})");
        };
        page.PageError += (_, error) => Complain(error);
        page.RequestFailed += (_, request) => Complain($"{request.Method} {request.Url}: {request.Failure}");
        page.Request += (_, request) =>
        {
            if (new Uri(request.Url).Authority != new Uri(page.Url is "about:blank" ? request.Url : page.Url).Authority)
                Complain("A request to another server: " + request.Url);
        };
    }

    public IPage Page { get; }

    /// <summary>What the browser complained of so far, as a whole and with the page's address.</summary>
    public IReadOnlyCollection<string> Complaints => _complaints;

    public ILocator Nodes => Page.GetByRole(AriaRole.Option);

    public static async Task<ConsoleTab> OpenAsync(IBrowser browser, Uri admin, BrowserNewContextOptions? options = null)
    {
        var context = await browser.NewContextAsync(options ?? new() { ViewportSize = new() { Width = 1400, Height = 1000 }, ColorScheme = ColorScheme.Light });
        context.SetDefaultTimeout(LimitMilliseconds);
        Assertions.SetDefaultExpectTimeout(LimitMilliseconds);
        var page = await context.NewPageAsync();
        await page.AddInitScriptAsync(TellErrors);
        var tab = new ConsoleTab(context, page);
        await page.GotoAsync(new Uri(admin, "/").ToString());
        return tab;
    }

    public async Task LogInAsync(string token)
    {
        await Page.GetByLabel("Admin token").FillAsync(token);
        await Page.GetByRole(AriaRole.Button, new() { Name = "Log in" }).ClickAsync();
    }

    /// <summary>Fails if the browser has complained, with all that it said.</summary>
    public void AssertNoComplaints() => Assert.True(_complaints.IsEmpty, string.Join("\n\n", _complaints));

    public ILocator Region(string name) => Page.GetByRole(AriaRole.Region, new() { Name = name, Exact = true });

    public ILocator Node(int index) => Page.Locator($"#node-{index}");

    /// <summary>A figure at the top.</summary>
    public ILocator Tile(string name) => Region("At a glance").Locator(".tile", new() { HasText = name });

    /// <summary>A switch of the chosen node's panel.</summary>
    public ILocator Switch(string label) => Page.GetByRole(AriaRole.Switch, new() { Name = label });

    /// <summary>Sends requests until the list has one that the test looks for, and shows it step by step.</summary>
    /// <param name="hops">What the list says of its hops.</param>
    /// <param name="send">Sends one.</param>
    /// <param name="title">What the list calls it.</param>
    public async Task PickAsync(string hops, Func<Task> send, string title = "store")
    {
        var row = Region("Requests").Locator($"tr:has(td:nth-child(3):text-is('{hops}'))").GetByRole(AriaRole.Button, new() { Name = title, Exact = true });
        var limit = TimeSpan.FromMilliseconds(LimitMilliseconds);
        var watch = System.Diagnostics.Stopwatch.StartNew();
        while (await row.CountAsync() == 0)
        {
            Assert.True(watch.Elapsed < limit, $"No {title} over {hops} hops is in the list: {await Region("Requests").InnerTextAsync()}");
            await send(); // not all are traced
            await Task.WhenAny(row.First.WaitForAsync(new() { Timeout = 1000 }));
        }

        await Region("Requests").GetByLabel("Hold the list").CheckAsync();
        await row.First.ClickAsync();
    }

    /// <summary>Leaves the console as a browser does whose user goes elsewhere: the page's connection ends at once.</summary>
    public async Task LeaveAsync() => await Page.GotoAsync("about:blank");

    public async ValueTask DisposeAsync() => await _context.CloseAsync();

    private void Complain(string text) => _complaints.Enqueue($"{Page.Url}\n{text}");
}
