using System.Text.Json;
using System.Text.RegularExpressions;
using k8s;
using k8s.Models;

namespace Session.Orleans.Deploy.Tests;

/// <summary>What holds for every profile: it is valid, what belongs together fits, and pods keep to the restricted Pod Security standard.</summary>
public sealed partial class ProfileTests
{
    public static TheoryData<string> Profiles =>
    [
        "default",
        .. Directory.GetFiles(Tools.Chart, "values-*.yaml").Select(file => Path.GetFileNameWithoutExtension(file)["values-".Length..]).Order(),
    ];

    [Fact]
    public void TheFourProfilesAreThere() => Assert.Equal(["default", "large", "load-test", "minikube", "three-silos"], Profiles.Select(row => row.Data).Order());

    [Theory, MemberData(nameof(Profiles))]
    public void Lint_Strict_Passes(string profile)
    {
        var result = Tools.RunHelm(["lint", "--strict", Tools.Chart, .. Rendering.ProfileArguments(profile)]);
        Assert.True(result.ExitCode is 0, result.Output + result.Error);
    }

    [Theory, MemberData(nameof(Profiles))]
    public void Render_IsValidAndComplete(string profile)
    {
        var rendering = Rendering.OfProfile(profile);
        Assert.NotEmpty(rendering.All<V1Deployment>());
        Assert.Equal(3, rendering.All<V1Service>().Count(service => service.Labels()["app.kubernetes.io/component"] is "gateway" or "silo" or "admin"));
        // The same object twice would be one in the cluster.
        Assert.Equal(rendering.Objects.Count, rendering.Objects.DistinctBy(made => (made.Kind, made.Name())).Count());
    }

    /// <summary>Without a cluster there is nothing to look up, so what is made anew is given.</summary>
    [Theory, MemberData(nameof(Profiles))]
    public void Render_IsAsRecorded(string profile)
    {
        var rendering = Rendering.Of([.. Rendering.ProfileArguments(profile), "--values", Golden("values.yaml"),
            // Hundreds of ports, dashboards and rules would hide the rest.
            .. profile is "large" ? ["--set", "nodes.count=4,nodes.ports=5,dashboards.enabled=false,prometheusRule.enabled=false"] : Array.Empty<string>()]);
        var file = Golden(profile + ".yaml");
        if (Tools.Update)
            File.WriteAllText(file, rendering.Text);
        Assert.True(File.Exists(file), $"{file} is missing; UPDATE_GOLDEN=1 writes it.");
        Assert.Equal(File.ReadAllText(file), rendering.Text);
    }

    [Theory, MemberData(nameof(Profiles))]
    public void Pods_KeepToTheRestrictedStandard(string profile)
    {
        foreach (var pod in Rendering.OfProfile(profile).Pods)
        {
            var spec = pod.Spec;
            Assert.True(spec.SecurityContext.RunAsNonRoot, pod.Owner);
            Assert.True(spec.SecurityContext.RunAsUser > 0, pod.Owner);
            Assert.Equal("RuntimeDefault", spec.SecurityContext.SeccompProfile.Type);
            Assert.False(spec.AutomountServiceAccountToken, pod.Owner);
            Assert.False(spec.EnableServiceLinks, pod.Owner);
            Assert.True((spec.HostNetwork ?? spec.HostPID ?? spec.HostIPC) is null, pod.Owner);
            Assert.All(spec.Volumes, volume => Assert.True(
                (volume.ConfigMap ?? volume.Secret ?? volume.EmptyDir ?? (object?)volume.PersistentVolumeClaim) is not null, $"{pod.Owner}: volume {volume.Name}"));
            foreach (var container in pod.Containers)
            {
                Assert.False(container.SecurityContext.AllowPrivilegeEscalation, pod.Owner);
                Assert.True(container.SecurityContext.ReadOnlyRootFilesystem, pod.Owner);
                Assert.Equal(["ALL"], container.SecurityContext.Capabilities.Drop);
                Assert.Null(container.SecurityContext.Capabilities.Add);
                Assert.Null(container.SecurityContext.Privileged);
                Assert.All(container.Ports ?? [], port => Assert.Null(port.HostPort));
            }
        }
    }

    [Theory, MemberData(nameof(Profiles))]
    public void Containers_HaveRequestsAndLimits(string profile)
    {
        foreach (var pod in Rendering.OfProfile(profile).Pods)
        {
            foreach (var (container, resource) in pod.Containers.SelectMany(container => (string[])["cpu", "memory"], (container, resource) => (container, resource)))
            {
                var request = container.Resources.Requests[resource].ToDecimal();
                var limit = container.Resources.Limits[resource].ToDecimal();
                Assert.True(request > 0 && limit >= request, $"{pod.Owner}: {resource} of {container.Name}");
            }
        }
    }

    [Theory, MemberData(nameof(Profiles))]
    public void Containers_ThatServeHaveThreeProbes(string profile)
    {
        foreach (var pod in Rendering.OfProfile(profile).Pods.Where(pod => pod.IsService))
        {
            var container = Assert.Single(pod.Spec.Containers);
            Assert.NotNull(container.StartupProbe);
            Assert.NotEqual(KubernetesJson.Serialize(container.ReadinessProbe), KubernetesJson.Serialize(container.LivenessProbe));
            Assert.NotEqual(What(container.ReadinessProbe), What(container.LivenessProbe));
            // Slow is not dead: a pod is out of the Service long before it is restarted.
            Assert.True(Patience(container.LivenessProbe) > Patience(container.ReadinessProbe), pod.Owner);
            Assert.True(Patience(container.StartupProbe) >= 120, pod.Owner);
        }

        static string What(V1Probe probe) => KubernetesJson.Serialize((probe.HttpGet, probe.TcpSocket, probe.Exec) switch
        {
            ({ } http, _, _) => http.Path,
            (_, { } tcp, _) => tcp.Port,
            (_, _, { } exec) => exec.Command,
            _ => null,
        });

        static int Patience(V1Probe probe) => (probe.PeriodSeconds ?? 10) * (probe.FailureThreshold ?? 3);
    }

    [Theory, MemberData(nameof(Profiles))]
    public void Images_AreNamedExactly(string profile)
    {
        foreach (var container in Rendering.OfProfile(profile).Pods.SelectMany(pod => pod.Containers))
        {
            Assert.Matches("^[^:@]+(:[0-9]+/[^:@]+)?(:[A-Za-z0-9_.-]+|@sha256:[0-9a-f]{64})$", container.Image);
            Assert.DoesNotContain(":latest", container.Image, StringComparison.Ordinal);
            Assert.Equal("IfNotPresent", container.ImagePullPolicy);
        }
    }

    [Theory, MemberData(nameof(Profiles))]
    public void References_LeadToWhatIsThere(string profile)
    {
        var rendering = Rendering.OfProfile(profile);
        var outside = new HashSet<string> { "session-redis" }; // the large profile's store
        var pods = rendering.Pods.ToList();
        foreach (var pod in pods)
        {
            foreach (var volume in pod.Spec.Volumes)
            {
                if (volume.ConfigMap is { } map)
                    rendering.One<V1ConfigMap>(map.Name);
                if (volume.Secret is { } secret)
                    rendering.One<V1Secret>(secret.SecretName);
            }

            foreach (var container in pod.Containers)
            {
                var volumes = pod.Spec.Volumes.Select(volume => volume.Name).Concat((rendering.All<V1StatefulSet>()
                    .Where(set => pod.Owner.EndsWith(set.Name(), StringComparison.Ordinal)).SelectMany(set => set.Spec.VolumeClaimTemplates ?? []).Select(claim => claim.Name())));
                Assert.Empty((container.VolumeMounts ?? []).Select(mount => mount.Name).Except(volumes));
                // One mount inside another read-only one can't be made.
                var paths = container.VolumeMounts!.Select(mount => mount.MountPath + "/").ToList();
                Assert.DoesNotContain(paths, path => paths.Any(other => other != path && path.StartsWith(other, StringComparison.Ordinal)));
                foreach (var reference in (container.Env ?? []).Select(variable => variable.ValueFrom?.SecretKeyRef).OfType<V1SecretKeySelector>().Where(reference => !outside.Contains(reference.Name)))
                    Assert.Contains(reference.Key, rendering.One<V1Secret>(reference.Name).Data.Keys);
            }

            Assert.Contains(rendering.All<V1ServiceAccount>(), account => account.Name() == pod.Spec.ServiceAccountName);
        }

        foreach (var service in rendering.All<V1Service>())
        {
            var selected = pods.Where(pod => pod.IsSelectedBy(service.Spec.Selector)).ToList();
            Assert.NotEmpty(selected);
            Assert.Equal(service.Spec.Ports.Count, service.Spec.Ports.DistinctBy(port => port.Name).Count());
            Assert.Equal(service.Spec.Ports.Count, service.Spec.Ports.DistinctBy(port => port.Port).Count());
            foreach (var name in service.Spec.Ports.Select(port => port.TargetPort.Value).Where(port => !int.TryParse(port, out _)))
                Assert.All(selected, pod => Assert.Contains(pod.Containers, container => container.Ports.Any(port => port.Name == name)));
        }

        Assert.All(rendering.All<V1PodDisruptionBudget>(), budget => Assert.Single(pods, pod => pod.IsSelectedBy(budget.Spec.Selector.MatchLabels)));
        Assert.All(rendering.All<V2HorizontalPodAutoscaler>(), scaler => Assert.Null(rendering.One<V1Deployment>(scaler.Spec.ScaleTargetRef.Name).Spec.Replicas));
        Assert.All(rendering.All<V1NetworkPolicy>(), policy => Assert.Contains(pods, pod => pod.IsSelectedBy(policy.Spec.PodSelector.MatchLabels)));
        foreach (var monitor in rendering.All<ServiceMonitor>())
        {
            var service = Assert.Single(rendering.All<V1Service>(), service => monitor.Spec.Selector.MatchLabels.All(label => service.Labels().TryGetValue(label.Key, out var value) && value == label.Value));
            Assert.Contains(service.Spec.Ports, port => port.Name == monitor.Spec.Endpoints[0].Port);
        }
    }

    [Theory, MemberData(nameof(Profiles))]
    public void Certificate_IsWhereItIsMounted(string profile)
    {
        var rendering = Rendering.OfProfile(profile);
        var gateway = rendering.Settings.GetProperty("Gateway");
        foreach (var pod in rendering.Pods.Where(pod => pod.Metadata.Labels.ContainsKey("session-orleans/process")))
        {
            var mount = Assert.Single(pod.Spec.Containers[0].VolumeMounts, mount => mount.Name is "tls");
            Assert.Equal(mount.MountPath + "/tls.crt", gateway.GetProperty("CertificateFile").GetString());
            Assert.Equal(mount.MountPath + "/tls.key", gateway.GetProperty("KeyFile").GetString());
        }
    }

    [Theory, MemberData(nameof(Profiles))]
    public void NetworkPolicies_LetThroughWhatTheNetworkNeeds(string profile)
    {
        var rendering = Rendering.OfProfile(profile);
        var pods = rendering.Pods.Where(pod => pod.IsService).ToList();
        var silos = pods.Where(pod => pod.Metadata.Labels.ContainsKey("session-orleans/process")).ToList();
        var clients = silos.Where(pod => pod.Containers.Any(container => container.Ports.Any(port => port.Name is "seed"))).ToList();
        Assert.NotEmpty(clients);
        var ports = rendering.Settings.GetProperty("Gateway").GetProperty("NodePorts").GetInt32();
        foreach (var pod in clients)
        {
            foreach (var port in (int[])[22000, 22002, 22003, 22100, 22100 + ports - 1, 22600, 22600 + ports - 1])
                Assert.True(Admits(pod, port, null), $"{pod} {port}");
            Assert.False(Admits(pod, 22600 + ports, null), pod.Owner);
            Assert.False(Admits(pod, 22010, null), pod.Owner);
            Assert.False(Admits(pod, 22001, null), pod.Owner);
        }

        foreach (var (from, to) in silos.SelectMany(from => silos, (from, to) => (from, to)))
        {
            Assert.True(Admits(to, 22010, from));
            Assert.True(Admits(to, 22001, from));
        }

        Assert.All(silos.Except(clients), silo => Assert.False(Admits(silo, 22000, null), silo.Owner));
        foreach (var redis in pods.Where(pod => pod.Metadata.Labels["app.kubernetes.io/component"] is "redis"))
        {
            Assert.All(silos, silo => Assert.True(Admits(redis, 6379, silo)));
            Assert.False(Admits(redis, 6379, null));
            Assert.All(pods.Except(silos), other => Assert.False(Admits(redis, 6379, other)));
        }

        // As Kubernetes decides: some policy that selects the pod has a rule for the port and the peer (null: a stranger).
        bool Admits(PodTemplate pod, int port, PodTemplate? peer) =>
            rendering.All<V1NetworkPolicy>()
                .Where(policy => policy.Spec.PolicyTypes.Contains("Ingress") && pod.IsSelectedBy(policy.Spec.PodSelector.MatchLabels))
                .SelectMany(policy => policy.Spec.Ingress)
                .Where(rule => rule.FromProperty is null || rule.FromProperty.Any(from => peer is not null && from.NamespaceSelector is null && peer.IsSelectedBy(from.PodSelector.MatchLabels ?? new Dictionary<string, string>())))
                .Any(rule => rule.Ports.Any(range => port >= int.Parse(range.Port.Value, null) && port <= (range.EndPort ?? int.Parse(range.Port.Value, null))));
    }

    [Theory, MemberData(nameof(Profiles))]
    public void Pods_HaveTimeToStop(string profile)
    {
        var rendering = Rendering.OfProfile(profile);
        var silo = rendering.Settings.GetProperty("Silo");
        var needed = Span(silo, "DrainDelay") + Span(silo, "ShutdownTimeout");
        foreach (var pod in rendering.Pods.Where(pod => pod.Metadata.Labels.ContainsKey("session-orleans/process")))
            Assert.True(pod.Spec.TerminationGracePeriodSeconds > needed.TotalSeconds, pod.Owner);

        static TimeSpan Span(JsonElement section, string name) => TimeSpan.ParseExact(section.GetProperty(name).GetString()!, "c", null);
    }

    [Theory, MemberData(nameof(Profiles))]
    public void Upgrades_ChangeNothingThatCannotChange(string profile)
    {
        var rendering = Rendering.OfProfile(profile);
        foreach (var selector in rendering.Objects.Select(made => (made as V1Deployment)?.Spec.Selector ?? (made as V1StatefulSet)?.Spec.Selector).OfType<V1LabelSelector>())
            Assert.Equal(["app.kubernetes.io/component", "app.kubernetes.io/instance", "app.kubernetes.io/name"], selector.MatchLabels.Keys.Order());
        foreach (var claim in rendering.All<V1StatefulSet>().SelectMany(set => set.Spec.VolumeClaimTemplates ?? []))
            Assert.DoesNotContain(claim.Labels().Keys, key => key.Contains("version", StringComparison.Ordinal) || key.Contains("chart", StringComparison.Ordinal));
        Assert.All(rendering.All<V1Deployment>(), deployment =>
        {
            Assert.Equal("0", deployment.Spec.Strategy.RollingUpdate.MaxUnavailable.Value);
            Assert.Equal("1", deployment.Spec.Strategy.RollingUpdate.MaxSurge.Value);
        });
    }

    [Theory, MemberData(nameof(Profiles))]
    public void Render_UsesNothingThatVersion126Lacks(string profile)
    {
        var rendering = Rendering.OfProfile(profile);
        string[] known = ["v1", "apps/v1", "batch/v1", "policy/v1", "autoscaling/v2", "networking.k8s.io/v1", "monitoring.coreos.com/v1", "gateway.networking.k8s.io/v1"];
        Assert.Empty(rendering.Objects.Select(made => made.ApiVersion).Except(known));
        foreach (var pod in rendering.Pods)
        {
            Assert.All(pod.Spec.InitContainers ?? [], container => Assert.Null(container.RestartPolicy));
            Assert.All(pod.Containers, container => Assert.Null(container.Lifecycle));
            Assert.All(pod.Spec.TopologySpreadConstraints ?? [], constraint => Assert.Null(constraint.MatchLabelKeys));
        }
    }

    [Theory, MemberData(nameof(Profiles))]
    public void Names_FitAndNoRightsAreAskedFor(string profile)
    {
        var rendering = Rendering.OfProfile(profile);
        Assert.All(rendering.Objects, made => Assert.Matches("^[a-z]([-a-z0-9]{0,50}[a-z0-9])?$", made.Name()));
        Assert.DoesNotContain(rendering.Objects, made => made.ApiVersion.StartsWith("rbac.", StringComparison.Ordinal));
        foreach (var labels in rendering.Objects.Select(made => made.Labels()).Concat(rendering.Pods.Select(pod => pod.Metadata.Labels)))
            Assert.All(labels, label => Assert.Matches(LabelValue(), label.Value));
    }

    [Fact]
    public void Minikube_AsksForLittle()
    {
        var rendering = Rendering.OfProfile("minikube");
        // Also while an upgrade has a second pod of each Deployment, and with the test.
        decimal Sum(string resource) => rendering.Pods.Sum(pod =>
            pod.Containers.Sum(container => container.Resources.Requests[resource].ToDecimal()) * (pod.Owner.StartsWith("Deployment", StringComparison.Ordinal) ? 2 : 1));
        Assert.InRange(Sum("cpu"), 0.1m, 1m);
        Assert.InRange(Sum("memory"), 100m * 1024 * 1024, 2m * 1024 * 1024 * 1024);
        Assert.InRange(rendering.Pods.Sum(pod => pod.Containers.Sum(container => container.Resources.Limits["memory"].ToDecimal())), 1, 2m * 1024 * 1024 * 1024);
    }

    private static string Golden(string file) => Path.Combine(Tools.Repository, "tests", "Session.Orleans.Deploy.Tests", "Golden", file);

    [GeneratedRegex("^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$")]
    private static partial Regex LabelValue();
}
