namespace Session.Orleans.ConsolePage.Hosting;

/// <summary>The console page on the admin port.</summary>
public sealed class ConsoleOptions
{
    /// <summary>Configuration section.</summary>
    public const string Section = "Console";

    /// <summary>False leaves the page out; the admin API stays.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>
    /// True adds Orleans' own dashboard under the page. It is false by default because every silo then measures each call of a grain and collects
    /// its meters every second, whether anybody looks or not.
    /// </summary>
    public bool OrleansDashboard { get; set; }
}
