namespace Session.Orleans.Observability.Tests;

/// <summary>Where things are in the repository.</summary>
internal static class Repository
{
    public static string Root { get; } = Find();

    public static string Chart => Path.Combine(Root, "helm", "session-orleans");

    public static string Dashboards => Path.Combine(Chart, "dashboards");

    public static string Rules => Path.Combine(Chart, "rules");

    public static string Compose => Path.Combine(Root, "deploy");

    private static string Find()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Session.Orleans.sln")))
            directory = directory.Parent;
        return directory?.FullName ?? throw new InvalidOperationException("The tests run outside the repository.");
    }
}
