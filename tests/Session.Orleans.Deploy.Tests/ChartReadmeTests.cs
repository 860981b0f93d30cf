using System.Text;
using System.Text.RegularExpressions;
using YamlDotNet.RepresentationModel;

namespace Session.Orleans.Deploy.Tests;

/// <summary>The table in the chart's README is made of the comments in values.yaml.</summary>
public sealed partial class ChartReadmeTests
{
    private const string Begin = "<!-- values: written by UPDATE_GOLDEN=1 -->";
    private const string End = "<!-- end of values -->";

    [Fact]
    public void Table_IsTheCommentsOfTheValues()
    {
        var file = Path.Combine(Tools.Chart, "README.md");
        var readme = File.ReadAllText(file);
        var (begin, end) = (readme.IndexOf(Begin, StringComparison.Ordinal), readme.IndexOf(End, StringComparison.Ordinal));
        Assert.True(begin >= 0 && end > begin, "The README has no place for the table.");
        var expected = readme[..(begin + Begin.Length)] + "\n" + Table() + readme[end..];
        if (Tools.Update)
            File.WriteAllText(file, expected);
        else
            Assert.Equal(expected, readme);
    }

    [Fact]
    public void EveryValue_HasAComment()
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(File.ReadAllText(Path.Combine(Tools.Chart, "values.yaml"))));
        var commented = Rows().Select(row => row.Key).ToList();
        Assert.Equal(commented.Count, commented.Distinct().Count());
        Assert.All(Leaves((YamlMappingNode)stream.Documents[0].RootNode, ""),
            leaf => Assert.Contains(commented, key => leaf == key || leaf.StartsWith(key + ".", StringComparison.Ordinal)));
    }

    private static IEnumerable<string> Leaves(YamlMappingNode map, string prefix) => map.Children.SelectMany(child =>
    {
        var key = prefix + ((YamlScalarNode)child.Key).Value;
        return child.Value is YamlMappingNode { Children.Count: > 0 } inner ? Leaves(inner, key + ".") : [key];
    });

    private static string Table()
    {
        var table = new StringBuilder("| key | default | |\n|---|---|---|\n");
        foreach (var (key, value, comment) in Rows())
            table.Append(null, $"| `{key}` | {(value is "" ? "see values.yaml" : $"`{value}`")} | {comment.Replace("|", "\\|", StringComparison.Ordinal)} |\n");
        return table.ToString();
    }

    /// <summary>Each key after a comment that begins with <c># --</c>; the value is what stands on its line.</summary>
    private static IEnumerable<(string Key, string Value, string Comment)> Rows()
    {
        var path = new List<(int Indent, string Key)>();
        string? comment = null;
        foreach (var line in File.ReadLines(Path.Combine(Tools.Chart, "values.yaml")))
        {
            if (line.TrimStart().StartsWith("# -- ", StringComparison.Ordinal))
            {
                comment = line.TrimStart()["# -- ".Length..];
                continue;
            }

            if (KeyLine().Match(line) is not { Success: true } match)
                continue;
            var indent = match.Groups["indent"].Length;
            path.RemoveAll(part => part.Indent >= indent);
            path.Add((indent, match.Groups["key"].Value));
            if (comment is not null)
                yield return (string.Join('.', path.Select(part => part.Key)), match.Groups["value"].Value.Trim(), comment);
            comment = null;
        }
    }

    [GeneratedRegex(@"^(?<indent> *)(?<key>[A-Za-z]+):(?<value>.*)$")]
    private static partial Regex KeyLine();
}
