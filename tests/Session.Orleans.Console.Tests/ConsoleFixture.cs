using Microsoft.Playwright;

namespace Session.Orleans.ConsolePage.Tests;

/// <summary>One network for all tests of a class; each takes pages of its own.</summary>
/// <param name="chromium">The browser of all.</param>
public class ConsoleFixture(Chromium chromium) : IAsyncLifetime
{
    private IBrowser? _browser;

    internal TestNetwork Network { get; private set; } = null!;

    internal string Token { get; private set; } = "";

    /// <summary>Further environment variables of the network's process.</summary>
    protected virtual IReadOnlyDictionary<string, string>? Environment => null;

    public async ValueTask InitializeAsync()
    {
        var network = TestNetwork.StartAsync(environment: Environment);
        try
        {
            _browser = await chromium.GetAsync();
        }
        finally
        {
            Network = await network;
        }

        Token = TokenOf(Network.Process);
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (Network is null)
            return;
        Network.Dispose();
        await Network.Process.DisposeAsync();
    }

    internal static string TokenOf(TestnetProcess network) => File.ReadAllText(network.Description.GetProperty("adminTokenFile").GetString()!).Trim();

    /// <summary>A page at the login, in a browser profile of its own.</summary>
    internal Task<ConsoleTab> OpenAsync(BrowserNewContextOptions? options = null) => ConsoleTab.OpenAsync(_browser!, Network.Process.Admin, options);

    /// <summary>A page of the console.</summary>
    internal async Task<ConsoleTab> LogInAsync(BrowserNewContextOptions? options = null)
    {
        var tab = await OpenAsync(options);
        await tab.LogInAsync(Token);
        return tab;
    }
}
