namespace Session.Orleans.Observability.Tests.Dashboards;

/// <summary>How a panel shows its figures.</summary>
internal enum PanelKind
{
    /// <summary>Lines over time.</summary>
    Lines,

    /// <summary>Areas on top of each other.</summary>
    Stack,

    /// <summary>The latest figure, large.</summary>
    Figure,

    /// <summary>Buckets of a histogram over time.</summary>
    HeatMap,

    /// <summary>The latest figures as bars.</summary>
    Bars,
}

/// <summary>A query. <c>@</c> stands for the selector of what the dashboard's variables choose, <c>#</c> for the interval of rates.</summary>
/// <param name="Legend">Name of its lines, in Grafana's braces.</param>
/// <param name="Expression">PromQL.</param>
internal sealed record Query(string Legend, string Expression)
{
    private const string Selector = "namespace=~\"$namespace\",pod=~\"$pod\"";

    /// <summary>The expression as Grafana gets it.</summary>
    public string Text => Expression.Replace("@", Selector, StringComparison.Ordinal).Replace("#", "[$__rate_interval]", StringComparison.Ordinal);
}

/// <summary>A panel of a dashboard.</summary>
/// <param name="Title">A few words.</param>
/// <param name="Description">A sentence: what is seen, and what is good or bad.</param>
/// <param name="Unit">Grafana's name of the unit.</param>
/// <param name="Kind">How it is shown.</param>
/// <param name="Queries">What is shown.</param>
internal sealed record Panel(string Title, string Description, string Unit, PanelKind Kind, params Query[] Queries)
{
    /// <summary>Width of 24.</summary>
    public int Width { get; init; } = 8;

    /// <summary>From here on the figure is bad; null if none is.</summary>
    public double? Bad { get; init; }

    /// <summary>True where points of the lines lead to traces.</summary>
    public bool HasExemplars { get; init; }
}

/// <summary>Panels under a heading.</summary>
internal sealed record Row(string Title, params Panel[] Panels);

/// <summary>A dashboard: what one question needs.</summary>
/// <param name="Uid">Stable: links and bookmarks use it. Also the file's name.</param>
/// <param name="Title">The question.</param>
/// <param name="Description">A sentence.</param>
/// <param name="Rows">The panels.</param>
internal sealed record Dashboard(string Uid, string Title, string Description, params Row[] Rows)
{
    public IEnumerable<Panel> Panels => Rows.SelectMany(row => row.Panels);
}
