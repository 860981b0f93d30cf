using YamlDotNet.RepresentationModel;

namespace Session.Orleans.Observability.Tests;

/// <summary>Alert rules: what they need to have, and when they fire.</summary>
public sealed class AlertTests
{
    private const string RunbookFile = "docs/operating.md";

    internal static IReadOnlyList<(string Name, string Expression, YamlMappingNode Node)> Rules()
    {
        var rules = new List<(string, string, YamlMappingNode)>();
        foreach (var file in Directory.GetFiles(Repository.Rules, "*.yaml"))
        {
            var yaml = new YamlStream();
            yaml.Load(new StringReader(File.ReadAllText(file)));
            foreach (var group in (YamlSequenceNode)yaml.Documents[0].RootNode["groups"])
            {
                foreach (var rule in (YamlSequenceNode)group["rules"])
                    rules.Add((rule["alert"].ToString(), rule["expr"].ToString(), (YamlMappingNode)rule));
            }
        }

        return rules;
    }

    [Fact]
    public void EveryAlert_HasSeveritySummaryAndRunbook()
    {
        var headings = File.ReadAllLines(Path.Combine(Repository.Root, RunbookFile)).Where(line => line.StartsWith("### ", StringComparison.Ordinal)).Select(line => line[4..]).ToArray();
        var rules = Rules();
        Assert.Equal(rules.Count, rules.Select(rule => rule.Name).Distinct().Count());
        foreach (var (name, _, node) in rules)
        {
            Assert.Contains(node["labels"]["severity"].ToString(), (string[])["critical", "warning", "info"]);
            Assert.EndsWith(".", node["annotations"]["summary"].ToString(), StringComparison.Ordinal);
            Assert.Equal($"{RunbookFile}#{name.ToLowerInvariant()}", node["annotations"]["runbook_url"].ToString());
            Assert.Contains(name, headings);
        }
    }

    [Fact]
    public async Task Rules_PassPromtool()
    {
        var (exitCode, output) = await PrometheusServer.RunToolAsync(["check", "rules", .. Directory.GetFiles(Repository.Rules, "*.yaml")]);
        Assert.True(exitCode == 0, output);
    }

    [Fact]
    public async Task EveryAlert_Fires_AndStaysQuiet()
    {
        using var folder = new TemporaryFolder();
        var cases = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "alerts.test.yaml"));
        foreach (var (name, _, _) in Rules())
        {
            Assert.Contains($"name: {name} fires", cases, StringComparison.Ordinal);
            Assert.Contains($"name: {name} stays quiet", cases, StringComparison.Ordinal);
        }

        await File.WriteAllTextAsync(folder.File("alerts.yaml"), cases.Replace("  - RULES\n", string.Concat(Directory.GetFiles(Repository.Rules, "*.yaml").Select(file => $"  - '{file}'\n")), StringComparison.Ordinal), TestContext.Current.CancellationToken);
        var (exitCode, output) = await PrometheusServer.RunToolAsync("test", "rules", folder.File("alerts.yaml"));
        Assert.True(exitCode == 0, output);
    }
}
