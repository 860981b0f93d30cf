using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Configuration;
using Session.Orleans.Gateway.Files;
using Session.Orleans.Gateway.Hosting;
using Session.Orleans.Grains.Communities;
using Session.Orleans.Grains.Network;
using Session.Orleans.Grains.ServiceNodes;
using Session.Orleans.Silo;
using k8s.Models;

namespace Session.Orleans.Deploy.Tests;

/// <summary>What single values of the chart do.</summary>
public sealed class ChartTests
{
    private const string Name = Rendering.Release + "-session-orleans";

    [Theory]
    [InlineData("nodes.count=501", "/nodes/count")]
    [InlineData("nodes.cuont=5", "cuont")]
    [InlineData("image.tag=latest", "/image/tag")]
    [InlineData("secrets.networkSecret=short", "/secrets/networkSecret")]
    [InlineData("redis.auth.password=has space and more", "/redis/auth/password")]
    [InlineData("redis.appendfsync=sometimes", "/redis/appendfsync")]
    [InlineData("topology=both", "/topology")]
    [InlineData("nodes.blockTime=10s", "/nodes/blockTime")]
    [InlineData("service.type=NodePort", "service.publicAddress must be")]
    [InlineData("redis.enabled=false", "redis.external.connectionString or redis.external.existingSecret is needed")]
    [InlineData("load.enabled=true", "load.plan must be set")]
    [InlineData("ingress.enabled=true", "ingress.host must be set")]
    [InlineData("silo.autoscaling.enabled=true,silo.autoscaling.cpuPercent=0", "silo.autoscaling needs cpuPercent or requestMetric")]
    [InlineData("relayHosts={nowhere}", "/relayHosts/0")]
    public void BadValue_IsRefusedByName(string set, string named)
    {
        var error = Rendering.Refusal("--set", set);
        // Versions of helm write paths with dots or slashes.
        Assert.True(error.Contains(named, StringComparison.Ordinal) || error.Contains(named.TrimStart('/').Replace('/', '.'), StringComparison.Ordinal), error);
    }

    [Fact]
    public void OlderKubernetes_IsRefused() => Assert.Contains("1.26", Rendering.Refusal("--kube-version", "1.25.9"), StringComparison.Ordinal);

    [Fact]
    public void Secrets_AreMadeOnceInARendering()
    {
        var rendering = Rendering.Of();
        var secret = rendering.One<V1Secret>(Name).Data.ToDictionary(entry => entry.Key, entry => Encoding.UTF8.GetString(entry.Value));
        Assert.Equal(["admin-token", "network-secret", "redis-password"], secret.Keys.Order());
        Assert.All(secret.Values, value => Assert.Matches("^[A-Za-z0-9]{48}$", value));
        Assert.Equal(3, secret.Values.Distinct().Count());
        var tls = rendering.One<V1Secret>(Name + "-tls");
        using var certificate = X509Certificate2.CreateFromPem(Encoding.UTF8.GetString(tls.Data["tls.crt"]), Encoding.UTF8.GetString(tls.Data["tls.key"]));
        var names = certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().Single();
        Assert.Equal(["localhost", Name, $"{Name}-nodes", $"{Name}-nodes.sessions", $"{Name}-nodes.sessions.svc", $"{Name}.sessions", $"{Name}.sessions.svc", $"{Name}.sessions.svc.cluster.local"],
            names.EnumerateDnsNames().Order(StringComparer.Ordinal));
        Assert.Equal(["127.0.0.1"], names.EnumerateIPAddresses().Select(address => address.ToString()));

        var other = Rendering.Of();
        Assert.Empty(secret.Values.Intersect(other.One<V1Secret>(Name).Data.Values.Select(Encoding.UTF8.GetString)));
    }

    [Fact]
    public void GivenSecrets_AreTakenAndDecideTheChecksum()
    {
        string[] given = ["--set", "secrets.networkSecret=0123456789abcdef,secrets.adminToken=fedcba9876543210,redis.auth.password=0123456789abcdeF"];
        var rendering = Rendering.Of(given);
        var data = rendering.One<V1Secret>(Name).Data;
        Assert.Equal("0123456789abcdef", Encoding.UTF8.GetString(data["network-secret"]));
        Assert.Equal("fedcba9876543210", Encoding.UTF8.GetString(data["admin-token"]));
        Assert.Equal("0123456789abcdeF", Encoding.UTF8.GetString(data["redis-password"]));
        var checksum = Checksum(rendering, "secret");
        // The certificate is another one each time, its names are not.
        Assert.Equal(checksum, Checksum(Rendering.Of(given), "secret"));
        Assert.NotEqual(checksum, Checksum(Rendering.Of([.. given, "--set", "secrets.adminToken=fedcba9876543211"]), "secret"));
        Assert.NotEqual(checksum, Checksum(Rendering.Of([.. given, "--set", "tls.hosts={seed.example}"]), "secret"));
        Assert.Equal(Checksum(rendering, "config"), Checksum(Rendering.Of([.. given, "--set", "secrets.adminToken=fedcba9876543211"]), "config"));
        Assert.NotEqual(Checksum(rendering, "config"), Checksum(Rendering.Of([.. given, "--set", "nodes.count=33"]), "config"));

        static string Checksum(Rendering rendering, string of) => rendering.One<V1Deployment>(Name + "-silo").Spec.Template.Metadata.Annotations["checksum/" + of];
    }

    [Fact]
    public void ExistingSecrets_LeaveNothingToMake()
    {
        var rendering = Rendering.Of("--set", "secrets.existingSecret=own,tls.existingSecret=own-tls,redis.auth.existingSecret=own-redis,redis.auth.existingSecretKey=pass");
        Assert.Empty(rendering.All<V1Secret>());
        var silo = rendering.One<V1Deployment>(Name + "-silo").Spec.Template.Spec;
        var keys = silo.Containers[0].Env.Where(variable => variable.ValueFrom?.SecretKeyRef is not null).ToDictionary(variable => variable.Name, variable => $"{variable.ValueFrom.SecretKeyRef.Name}/{variable.ValueFrom.SecretKeyRef.Key}");
        Assert.Equal("own/network-secret", keys["SESSION_Network__Secret"]);
        Assert.Equal("own/admin-token", keys["SESSION_Gateway__AdminToken"]);
        Assert.Equal("own-redis/pass", keys["REDIS_PASSWORD"]);
        Assert.Contains(silo.Volumes, volume => volume.Secret?.SecretName is "own-tls");
    }

    [Fact]
    public void Secret_IsKeptWithTheDataOnly()
    {
        const string Policy = "helm.sh/resource-policy";
        Assert.Equal("keep", Rendering.Of().One<V1Secret>(Name).GetAnnotation(Policy));
        Assert.Null(Rendering.OfProfile("minikube").One<V1Secret>(Name).GetAnnotation(Policy));
    }

    [Fact]
    public void ExternalRedis_ComesFromASecretAlone()
    {
        var rendering = Rendering.Of("--set", "redis.enabled=false", "--set", @"redis.external.connectionString=a:26379\,b:26379\,serviceName=main\,password=hidden");
        Assert.Empty(rendering.All<V1StatefulSet>());
        Assert.DoesNotContain("hidden", rendering.Text, StringComparison.Ordinal);
        Assert.Equal("a:26379,b:26379,serviceName=main,password=hidden", Encoding.UTF8.GetString(rendering.One<V1Secret>(Name).Data["redis-connection"]));
        var variable = Assert.Single(rendering.One<V1Deployment>(Name + "-silo").Spec.Template.Spec.Containers[0].Env, variable => variable.Name is "SESSION_Silo__Redis");
        Assert.Equal("redis-connection", variable.ValueFrom.SecretKeyRef.Key);
    }

    [Fact]
    public void NodePorts_AreTheOnesNodesAdvertise()
    {
        var rendering = Rendering.Of("--set", "service.type=NodePort,service.publicAddress=192.0.2.7,nodes.count=3,nodes.ports=4");
        var network = rendering.Settings.GetProperty("Network");
        Assert.Equal("192.0.2.7", network.GetProperty("PublicIp").GetString());
        Assert.Equal(30100, network.GetProperty("NodePortBase").GetInt32());
        Assert.Equal(22100, rendering.Settings.GetProperty("Gateway").GetProperty("NodePortBase").GetInt32());
        Assert.Equal([(22100, 30100), (22101, 30101), (22102, 30102), (22103, 30103), (22600, 30600), (22601, 30601), (22602, 30602), (22603, 30603)],
            rendering.One<V1Service>(Name + "-nodes").Spec.Ports.Select(port => (port.Port, port.NodePort!.Value)));
        Assert.Equal([(22000, 30000), (22002, 30002), (22003, 30003)], rendering.One<V1Service>(Name).Spec.Ports.Select(port => (port.Port, port.NodePort!.Value)));
        Assert.Equal("ClusterIP", rendering.One<V1Service>(Name + "-admin").Spec.Type);
        Assert.Subset(Relays(rendering), new HashSet<string> { "192.0.2.7:30002", "192.0.2.7:30003", $"{Name}.sessions.svc:22002" });
        using var certificate = X509Certificate2.CreateFromPem(Encoding.UTF8.GetString(rendering.One<V1Secret>(Name + "-tls").Data["tls.crt"]));
        Assert.Contains("192.0.2.7", certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().Single().EnumerateIPAddresses().Select(address => address.ToString()));
    }

    [Fact]
    public void ClusterAddress_IsTheNodesService()
    {
        var rendering = Rendering.Of();
        Assert.Equal($"{Name}-nodes.sessions.svc", rendering.Settings.GetProperty("Network").GetProperty("PublicIp").GetString());
        // Clients are told that address and the file server's own port.
        Assert.Contains(rendering.One<V1Service>(Name + "-nodes").Spec.Ports, port => port.Port == 22002);
        Assert.Subset(Relays(rendering), new HashSet<string> { $"{Name}-nodes.sessions.svc:22002", $"{Name}:22003" });
    }

    [Fact]
    public void OffMeansNoPort()
    {
        var rendering = Rendering.Of("--set", "files.enabled=false,communities.enabled=false,nodes.omq=false");
        Assert.Empty(Relays(rendering));
        Assert.Equal(JsonValueKind.Null, rendering.Settings.GetProperty("Gateway").GetProperty("CommunityPort").ValueKind);
        Assert.Equal([22000], rendering.One<V1Service>(Name).Spec.Ports.Select(port => port.Port));
        Assert.Equal(32, rendering.One<V1Service>(Name + "-nodes").Spec.Ports.Count);
    }

    /// <summary>An option that the process does not have would be ignored; here it fails.</summary>
    [Fact]
    public void Settings_AreOptionsOfTheProcess()
    {
        var rendering = Rendering.Of("--set-json", """config={"RateLimit":{"PerSecond":7},"Network":{"ChainSpeed":9}}""");
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(rendering.Settings.GetRawText()));
        var configuration = new ConfigurationBuilder().AddJsonStream(stream).Build();
        var network = Bind<NetworkOptions>(NetworkOptions.Section);
        Assert.Equal((32, 7, TimeSpan.FromSeconds(10), 9), (network.Nodes, network.SwarmSize, network.BlockTime, network.ChainSpeed));
        var gateway = Bind<GatewayOptions>(GatewayOptions.Section);
        Assert.Equal(("0.0.0.0", 22000, 22001, 22002, 22003), (gateway.Bind, gateway.SeedPort, gateway.AdminPort, gateway.FilePort, gateway.CommunityPort));
        Assert.Equal((22100, 32, true), (gateway.NodePortBase, gateway.NodePorts, gateway.OmqEnabled));
        Assert.True(Bind<FilesOptions>(FilesOptions.Section).Enabled);
        Assert.Empty(Bind<CommunityOptions>(CommunityOptions.Section).Rooms);
        Assert.NotEmpty(Bind<ServerRelayOptions>(ServerRelayOptions.Section).AllowedHosts);
        var silo = Bind<SiloOptions>(SiloOptions.Section);
        Assert.Equal((22010, Rendering.Release, TimeSpan.FromSeconds(30)), (silo.Port, silo.ClusterId, silo.ShutdownTimeout));
        Assert.Equal(7, configuration.GetValue<int>("RateLimit:PerSecond"));
        Assert.Equal(["Communities", "Files", "Gateway", "Network", "RateLimit", "ServerRelay", "Silo"], configuration.GetChildren().Select(section => section.Key).Order());

        T Bind<T>(string section) where T : new()
        {
            var options = new T();
            configuration.GetRequiredSection(section).Bind(options, binder => binder.ErrorOnUnknownConfiguration = true);
            return options;
        }
    }

    [Fact]
    public void EnvironmentOfSilos_IsOptionsOfTheProcess()
    {
        var environment = Rendering.OfProfile("large").One<V1Deployment>(Name + "-gateway").Spec.Template.Spec.Containers[0].Env
            .Where(variable => variable.Name.StartsWith(SiloHost.EnvironmentPrefix, StringComparison.Ordinal) && variable.Name is not "SESSION_CONFIG").ToList();
        Assert.Equal(6, environment.Count);
        var sections = new Dictionary<string, Type> { ["Silo"] = typeof(SiloOptions), ["Network"] = typeof(NetworkOptions), ["Gateway"] = typeof(GatewayOptions) };
        Assert.All(environment, variable =>
        {
            var parts = variable.Name[SiloHost.EnvironmentPrefix.Length..].Split("__");
            Assert.NotNull(sections[parts[0]].GetProperty(parts[1]));
        });
    }

    [Fact]
    public void SplitTopology_GivesTheClientsToGateways()
    {
        var rendering = Rendering.OfProfile("large");
        Assert.Equal("Gateway", Role("gateway"));
        Assert.Equal("Silo", Role("silo"));
        Assert.Equal("All", Rendering.OfProfile("three-silos").One<V1Deployment>(Name + "-silo").Spec.Template.Spec.Containers[0].Env.Single(variable => variable.Name is "SESSION_Silo__Role").Value);
        Assert.Equal("gateway", rendering.One<V1Service>(Name).Spec.Selector["app.kubernetes.io/component"]);
        Assert.Equal(["admin", "silo"], rendering.One<V1Deployment>(Name + "-silo").Spec.Template.Spec.Containers[0].Ports.Select(port => port.Name));

        string Role(string component) => rendering.One<V1Deployment>($"{Name}-{component}").Spec.Template.Spec.Containers[0].Env.Single(variable => variable.Name is "SESSION_Silo__Role").Value;
    }

    [Fact]
    public void LoadTest_IsANewJobForANewPlanOnly()
    {
        var job = LoadJob();
        Assert.Equal(("Indexed", 2, 2, 0), (job.Spec.CompletionMode, job.Spec.Completions!.Value, job.Spec.Parallelism!.Value, job.Spec.BackoffLimit!.Value));
        Assert.Contains("auto/2", job.Spec.Template.Spec.Containers[0].Args);
        // What can't be changed must not depend on anything but the values of the Job.
        Assert.Equal(job.Name(), LoadJob("silo.replicas=5").Name());
        Assert.NotEqual(job.Name(), LoadJob("load.shards=3").Name());
        Assert.NotEqual(job.Name(), LoadJob("load.plan.seed=2").Name());
        Assert.NotEqual(job.Name(), LoadJob("image.tag=9.9.9").Name());
        Assert.DoesNotContain("helm.sh/chart", job.Spec.Template.Metadata.Labels.Keys);

        static V1Job LoadJob(string set = "nodes.count=32") =>
            Assert.Single(Rendering.Of([.. Rendering.ProfileArguments("load-test"), "--set", set]).All<V1Job>());
    }

    [Fact]
    public void Ingress_And_HttpRoute_LeadToTheSeedAndServers()
    {
        var rendering = Rendering.Of("--set", "ingress.enabled=true,httpRoute.enabled=true,ingress.host=seed.example,ingress.filesHost=files.example,ingress.communitiesHost=rooms.example,ingress.tlsSecret=edge,httpRoute.parentRefs[0].name=edge");
        var ingress = rendering.One<V1Ingress>(Name);
        Assert.Equal([("seed.example", "seed"), ("files.example", "files"), ("rooms.example", "communities")],
            ingress.Spec.Rules.Select(rule => (rule.Host, rule.Http.Paths.Single().Backend.Service.Port.Name)));
        Assert.Equal(["seed.example", "files.example", "rooms.example"], ingress.Spec.Tls.Single().Hosts);
        Assert.Equal([("seed.example", 22000), ("files.example", 22002), ("rooms.example", 22003)],
            rendering.All<HttpRoute>().Select(route => (route.Spec.Hostnames.Single(), route.Spec.Rules.Single().BackendRefs.Single().Port)));
    }

    [Fact]
    public void DashboardsAndRules_ComeFromFiles()
    {
        var chart = Directory.CreateTempSubdirectory("chart-").FullName;
        try
        {
            foreach (var file in Directory.GetFiles(Tools.Chart, "*", SearchOption.AllDirectories))
            {
                var copy = Path.Combine(chart, Path.GetRelativePath(Tools.Chart, file));
                Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
                File.Copy(file, copy);
            }

            foreach (var folder in (string[])["dashboards", "rules"])
            {
                Directory.CreateDirectory(Path.Combine(chart, folder));
                foreach (var file in Directory.GetFiles(Path.Combine(chart, folder)))
                    File.Delete(file);
            }

            File.WriteAllText(Path.Combine(chart, "dashboards", "onion_path.json"), """{"title": "{{ not a template }}"}""");
            File.WriteAllText(Path.Combine(chart, "rules", "a.yaml"), """
                groups:
                  - name: a
                    rules:
                      - alert: Lost
                        expr: lost_total > 0
                        for: 1m
                        annotations: {summary: "{{ $value }} lost"}
                """);
            File.WriteAllText(Path.Combine(chart, "rules", "b.yaml"), """
                groups:
                  - name: b
                    rules: [{record: x, expr: sum(y)}]
                """);
            var rendering = Rendering.OfChart(chart, "--set", "dashboards.enabled=true,prometheusRule.enabled=true");
            var dashboard = rendering.One<V1ConfigMap>(Name + "-dashboard-onion-path");
            Assert.Equal("{{ not a template }}", JsonDocument.Parse(dashboard.Data["onion_path.json"]).RootElement.GetProperty("title").GetString());
            Assert.Equal("1", dashboard.GetLabel("grafana_dashboard"));
            var rules = rendering.One<PrometheusRule>(Name).Spec.Groups;
            Assert.Equal(["a", "b"], rules.Select(group => group.Name));
            Assert.Equal("{{ $value }} lost", rules[0].Rules[0].Annotations["summary"]);
        }
        finally
        {
            Directory.Delete(chart, recursive: true);
        }
    }

    [Fact]
    public void EgressPolicy_IsPartOfTheChartIfWanted()
    {
        const string Egress = Name + "-egress";
        Assert.DoesNotContain(Rendering.Of().All<V1NetworkPolicy>(), policy => policy.Name() is Egress);
        var rules = Rendering.Of("--set", "networkPolicy.egress.enabled=true").One<V1NetworkPolicy>(Egress).Spec.Egress;
        Assert.Equal(["53", "53"], rules[0].Ports.Select(port => port.Port.Value));
        Assert.Single(rules[1].To);
    }

    private static HashSet<string> Relays(Rendering rendering) =>
        [.. rendering.Settings.GetProperty("ServerRelay").GetProperty("AllowedHosts").EnumerateArray().Select(host => host.GetString()!)];
}
