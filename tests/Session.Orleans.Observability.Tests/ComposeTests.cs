using System.Reflection;
using System.Text.RegularExpressions;
using Session.Orleans.Gateway.Hosting;
using Session.Orleans.Grains;
using Session.Orleans.Silo;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;
using YamlDotNet.Serialization;
using YamlDotNet.Serialization.NamingConventions;

namespace Session.Orleans.Observability.Tests;

/// <summary>The compose file and what it mounts. Keys that its format does not have fail the reading.</summary>
public sealed partial class ComposeTests
{
    /// <summary>Services that can't be asked from inside, and why.</summary>
    private static readonly Dictionary<string, string> WithoutHealthCheck = new()
    {
        ["collector"] = "its image has nothing but the collector; Prometheus scrapes it",
    };

    private static ComposeFile Compose { get; } = ReadCompose();

    [Fact]
    public void Services_AreWhatTheReadmeSays() => Assert.Equal(
        ["collector", "gateway", "grafana", "loki", "prometheus", "redis", "silo-1", "silo-2", "tempo"], Compose.Services.Keys.Order(StringComparer.Ordinal));

    [Fact]
    public void EveryService_IsPinnedHealthyAndRestarted()
    {
        foreach (var (name, service) in Compose.Services)
        {
            Assert.Matches(Pinned(), Default(service.Image));
            Assert.Equal("unless-stopped", service.Restart);
            Assert.True(service.Healthcheck is not null ^ WithoutHealthCheck.ContainsKey(name), name);
            Assert.All(service.DependsOn ?? [], other => Assert.Equal(
                WithoutHealthCheck.ContainsKey(other.Key) ? "service_started" : "service_healthy", other.Value.Condition));
            Assert.All(service.Ports ?? [], port => Assert.StartsWith("127.0.0.1:", port, StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Mounts_AreThere_AndVolumesAreDeclared()
    {
        foreach (var mount in Compose.Services.Values.SelectMany(service => service.Volumes ?? []))
        {
            var source = mount.Split(':')[0];
            if (source.StartsWith('.'))
                Assert.True(Path.Exists(Path.Combine(Repository.Compose, source)), source);
            else
                Assert.Contains(source, Compose.Volumes.Keys);
        }
    }

    /// <summary>A misspelled option would stop the process; here it is found earlier.</summary>
    [Fact]
    public void Options_Exist()
    {
        var sections = new[] { typeof(SiloOptions), typeof(GatewayOptions), typeof(TelemetryOptions) }.SelectMany(type => type.Assembly.GetExportedTypes())
            .Select(type => (Type: type, Section: type.GetField("Section", BindingFlags.Public | BindingFlags.Static)?.GetRawConstantValue() as string))
            .Where(each => each.Section is not null).DistinctBy(each => each.Section).ToDictionary(each => each.Section!, each => each.Type);
        var names = Compose.Services.Values.SelectMany(service => service.Environment ?? []).Select(variable => variable.Key).Where(name => name.StartsWith("SESSION_", StringComparison.Ordinal)).Distinct().ToArray();
        Assert.True(names.Length > 5);
        Assert.All(names, name =>
        {
            var parts = name["SESSION_".Length..].Split("__");
            Assert.True(sections.TryGetValue(parts[0], out var type) && type.GetProperty(parts[1]) is not null, name);
        });
    }

    [Fact]
    public void Addresses_AreThoseOfTheNetwork()
    {
        var addresses = Compose.Services.Values.Where(service => service.Environment?.ContainsKey("SESSION_Silo__AdvertisedAddress") is true)
            .Select(service => (Advertised: service.Environment!["SESSION_Silo__AdvertisedAddress"], Given: Address(service))).ToArray();
        Assert.Equal(3, addresses.Distinct().Count());
        Assert.All(addresses, each => Assert.Equal(each.Given, each.Advertised));
        var subnet = System.Net.IPNetwork.Parse(Compose.Networks["session"]!.Ipam.Config[0].Subnet);
        Assert.All(addresses, each => Assert.True(subnet.Contains(System.Net.IPAddress.Parse(each.Given))));

        static string Address(Service service) => (string)((Dictionary<object, object>)((Dictionary<object, object>)service.Networks!)["session"])["ipv4_address"];
    }

    [Fact]
    public async Task PrometheusConfig_PassesPromtool_AndAsksProcessesOfTheFile()
    {
        var file = Path.Combine(Repository.Compose, "observability", "prometheus.yaml");
        var (exitCode, output) = await PrometheusServer.RunToolAsync("check", "config", file);
        Assert.True(exitCode == 0, output);
        var targets = Texts(Read(file)).Where(text => Target().IsMatch(text)).Select(text => text.Split(':')[0]).ToArray();
        Assert.Superset(new HashSet<string> { "silo-1", "silo-2", "gateway", "collector" }, targets.ToHashSet());
        Assert.All(targets, target => Assert.True(target is "host.docker.internal" || Compose.Services.ContainsKey(target), target));
    }

    [Fact]
    public void Collector_UsesWhatItDefines()
    {
        var root = Read(Path.Combine(Repository.Compose, "observability", "collector.yaml"));
        var used = new HashSet<string>();
        foreach (var (_, pipeline) in (YamlMappingNode)root["service"]["pipelines"])
        {
            foreach (var (kind, components) in (YamlMappingNode)pipeline)
            {
                foreach (var component in (YamlSequenceNode)components)
                {
                    Assert.True(((YamlMappingNode)root[kind.ToString()]).Children.ContainsKey(component), $"{kind} {component}");
                    used.Add($"{kind} {component}");
                }
            }
        }

        Assert.Equal(
            new[] { "receivers", "processors", "exporters" }.SelectMany(kind => ((YamlMappingNode)root[kind]).Children.Keys.Select(name => $"{kind} {name}")).Order(), used.Order());
        // What is worth a trace is decided when the request is over.
        Assert.Equal(["failed", "slow", "met-a-fault", "some-of-the-others"], ((YamlSequenceNode)root["processors"]["tail_sampling"]["policies"]).Select(policy => policy["name"].ToString()));
    }

    [Fact]
    public void DataSources_LeadToEachOther()
    {
        var sources = (YamlSequenceNode)Read(Path.Combine(Repository.Compose, "observability", "grafana", "datasources.yaml"))["datasources"];
        var ids = sources.Select(source => source["uid"].ToString()).ToArray();
        Assert.Equal(["prometheus", "tempo", "loki"], sources.Select(source => source["type"].ToString()));
        var links = sources.AllNodes.OfType<YamlMappingNode>().SelectMany(map => map.Children).Where(child => child.Key.ToString() is "datasourceUid").Select(child => child.Value.ToString()).ToArray();
        Assert.Equal(["session-loki", "session-prometheus", "session-tempo", "session-tempo"], links.Order(StringComparer.Ordinal));
        Assert.All(links, link => Assert.Contains(link, ids));
        Assert.All(sources, source => Assert.Contains(new Uri(source["url"].ToString()).Host, Compose.Services.Keys));
        var home = Compose.Services["grafana"].Environment!["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"];
        Assert.True(File.Exists(Path.Combine(Repository.Dashboards, Path.GetFileName(home))));
    }

    private static ComposeFile ReadCompose()
    {
        using var text = File.OpenText(Path.Combine(Repository.Compose, "compose.yaml"));
        return new DeserializerBuilder().WithNamingConvention(UnderscoredNamingConvention.Instance).WithDuplicateKeyChecking().Build()
            .Deserialize<ComposeFile>(new MergingParser(new Parser(text)));
    }

    private static YamlNode Read(string file)
    {
        var yaml = new YamlStream();
        yaml.Load(new StringReader(File.ReadAllText(file)));
        return yaml.Documents[0].RootNode;
    }

    private static IEnumerable<string> Texts(YamlNode node) => node.AllNodes.OfType<YamlScalarNode>().Select(scalar => scalar.Value!);

    /// <summary>What a variable stands for if nobody sets it.</summary>
    private static string Default(string text) => Variable().Replace(text, match => match.Groups["value"].Value);

    [GeneratedRegex(@"\$\{[A-Z_]+:-(?<value>[^}]*)\}")]
    private static partial Regex Variable();

    [GeneratedRegex(@"^[a-z0-9./-]+:v?\d+\.\d+\.\d+[a-z0-9.-]*$")]
    private static partial Regex Pinned();

    [GeneratedRegex(@"^[a-z0-9.-]+:\d+$")]
    private static partial Regex Target();

#pragma warning disable CA1812, CS8618 // made by the deserializer
    private sealed class ComposeFile
    {
        public string Name { get; set; }

        [YamlMember(Alias = "x-process", ApplyNamingConventions = false)]
        public object Process { get; set; }

        [YamlMember(Alias = "x-settings", ApplyNamingConventions = false)]
        public object Settings { get; set; }

        public Dictionary<string, Service> Services { get; set; }

        public Dictionary<string, Network?> Networks { get; set; }

        public Dictionary<string, object?> Volumes { get; set; }
    }

    private sealed class Service
    {
        public string Image { get; set; }

        public Build? Build { get; set; }

        public List<string>? Command { get; set; }

        public string? User { get; set; }

        public string Restart { get; set; }

        public string? StopGracePeriod { get; set; }

        public Dictionary<string, Dependency>? DependsOn { get; set; }

        public Healthcheck? Healthcheck { get; set; }

        public bool ReadOnly { get; set; }

        public List<string>? Tmpfs { get; set; }

        public List<string>? CapDrop { get; set; }

        public List<string>? SecurityOpt { get; set; }

        public Dictionary<string, string>? Environment { get; set; }

        public List<string>? Ports { get; set; }

        public List<string>? ExtraHosts { get; set; }

        public List<string>? Volumes { get; set; }

        public object? Networks { get; set; }
    }

    private sealed class Build
    {
        public string Context { get; set; }

        public string Dockerfile { get; set; }
    }

    private sealed class Dependency
    {
        public string Condition { get; set; }
    }

    private sealed class Healthcheck
    {
        public List<string> Test { get; set; }

        public string Interval { get; set; }

        public string Timeout { get; set; }

        public int Retries { get; set; }

        public string? StartPeriod { get; set; }

        public string? StartInterval { get; set; }
    }

    private sealed class Network
    {
        public Ipam Ipam { get; set; }
    }

    private sealed class Ipam
    {
        public List<IpamConfig> Config { get; set; }
    }

    private sealed class IpamConfig
    {
        public string Subnet { get; set; }
    }
#pragma warning restore CA1812, CS8618
}
