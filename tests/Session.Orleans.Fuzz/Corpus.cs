namespace Session.Orleans.Fuzz;

/// <summary>Inputs that once were findings, one folder per target; every run begins with them.</summary>
public static class FuzzCorpus
{
    /// <summary>The inputs of a target, by file name.</summary>
    public static IEnumerable<(string Name, byte[] Input)> Of(FuzzTarget target)
    {
        ArgumentNullException.ThrowIfNull(target);
        var folder = Path.Combine(AppContext.BaseDirectory, "Corpus", target.Name);
        return Directory.Exists(folder) ? Directory.GetFiles(folder).Order(StringComparer.Ordinal).Select(file => (Path.GetFileName(file), File.ReadAllBytes(file))) : [];
    }
}
