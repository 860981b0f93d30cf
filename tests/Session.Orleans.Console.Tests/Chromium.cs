using Microsoft.Playwright;

[assembly: AssemblyFixture(typeof(Session.Orleans.ConsolePage.Tests.Chromium))]

namespace Session.Orleans.ConsolePage.Tests;

/// <summary>The system's Chromium, driven by Playwright: one for all tests, started by the first that needs it.</summary>
public sealed class Chromium : IAsyncDisposable
{
    private static readonly string? Path = ((string[])["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]).FirstOrDefault(File.Exists);

    private readonly Lazy<Task<(IPlaywright Playwright, IBrowser Browser)>> _started = new(StartAsync);

    /// <summary>The browser. Skips the test where no Chromium is installed; with CI=true it fails instead.</summary>
    internal async Task<IBrowser> GetAsync()
    {
        if (Path is not null)
            return (await _started.Value).Browser;
        const string message = "Chromium is not installed (apt-get install chromium).";
        Assert.False(Environment.GetEnvironmentVariable("CI") is "true", message);
        Assert.Skip(message);
        throw new System.Diagnostics.UnreachableException();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_started.IsValueCreated)
            return;
        var (playwright, browser) = await _started.Value;
        await browser.CloseAsync();
        playwright.Dispose();
    }

    private static async Task<(IPlaywright Playwright, IBrowser Browser)> StartAsync()
    {
        var playwright = await Playwright.CreateAsync();
        return (playwright, await playwright.Chromium.LaunchAsync(new()
        {
            ExecutablePath = Path,
            Args = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        }));
    }
}
