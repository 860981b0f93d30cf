using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using k8s;
using k8s.Models;

namespace Session.Orleans.Deploy.Tests;

/// <summary>What the chart makes of some values, read strictly: a field that Kubernetes does not know fails.</summary>
internal sealed partial class Rendering
{
    public const string Release = "testnet";
    public const string Namespace = "sessions";

    private static readonly ConcurrentDictionary<string, Lazy<Rendering>> Profiles = new();

    /// <summary>Kinds of operators, which the client library does not know.</summary>
    private static readonly Dictionary<string, Type> OwnTypes = new()
    {
        ["monitoring.coreos.com/v1/ServiceMonitor"] = typeof(ServiceMonitor),
        ["monitoring.coreos.com/v1/PrometheusRule"] = typeof(PrometheusRule),
        ["gateway.networking.k8s.io/v1/HTTPRoute"] = typeof(HttpRoute),
    };

    private Rendering(string text)
    {
        Text = text;
        Objects = [.. Parse(text)];
    }

    public string Text { get; }

    public IReadOnlyList<IKubernetesObject<V1ObjectMeta>> Objects { get; }

    /// <summary>Everything that makes pods, with its name.</summary>
    public IEnumerable<PodTemplate> Pods => Objects.Select(made => made switch
    {
        V1Deployment deployment => new PodTemplate(made.Kind + " " + made.Name(), deployment.Spec.Template.Metadata, deployment.Spec.Template.Spec, true),
        V1StatefulSet set => new(made.Kind + " " + made.Name(), set.Spec.Template.Metadata, set.Spec.Template.Spec, true),
        V1Job job => new(made.Kind + " " + made.Name(), job.Spec.Template.Metadata, job.Spec.Template.Spec, false),
        V1Pod pod => new(made.Kind + " " + made.Name(), pod.Metadata, pod.Spec, false),
        _ => null,
    }).OfType<PodTemplate>();

    /// <summary>Options of the process, as the ConfigMap has them.</summary>
    public JsonElement Settings => JsonDocument.Parse(One<V1ConfigMap>(Release + "-session-orleans").Data["appsettings.json"]).RootElement;

    public IEnumerable<T> All<T>() => Objects.OfType<T>();

    public T One<T>(string name) where T : IKubernetesObject<V1ObjectMeta> => Assert.Single(All<T>(), made => made.Name() == name);

    /// <summary>One of the chart's values-*.yaml, or <c>default</c>.</summary>
    public static Rendering OfProfile(string profile) => Profiles.GetOrAdd(profile, _ => new(() => Of(ProfileArguments(profile)))).Value;

    public static string[] ProfileArguments(string profile) =>
        profile is "default" ? [] : ["--values", Path.Combine(Tools.Chart, $"values-{profile}.yaml")];

    public static Rendering Of(params IEnumerable<string> arguments) => OfChart(Tools.Chart, arguments);

    public static Rendering OfChart(string chart, params IEnumerable<string> arguments)
    {
        var result = Tools.RunHelm(["template", Release, chart, "--namespace", Namespace, "--kube-version", "1.26.0", .. arguments]);
        Assert.True(result.ExitCode is 0, result.Error);
        return new(result.Output);
    }

    /// <summary>Renders what must be refused, and gives the reason.</summary>
    public static string Refusal(params IEnumerable<string> arguments)
    {
        var result = Tools.RunHelm(["template", Release, Tools.Chart, "--kube-version", "1.26.0", .. arguments]);
        Assert.NotEqual(0, result.ExitCode);
        return result.Error;
    }

    private static IEnumerable<IKubernetesObject<V1ObjectMeta>> Parse(string text)
    {
        foreach (var document in DocumentBreak().Split(text))
        {
            if (document.Split('\n').All(line => line.Trim() is "" || line.StartsWith('#')))
                continue;
            object made;
            try
            {
                made = Assert.Single(KubernetesYaml.LoadAllFromString(document, OwnTypes, strict: true));
            }
            catch (Exception exception) when (exception is not Xunit.Sdk.XunitException)
            {
                throw new InvalidOperationException($"{exception.Message} {exception.InnerException?.Message}\n{document}", exception);
            }

            yield return Assert.IsAssignableFrom<IKubernetesObject<V1ObjectMeta>>(made);
        }
    }

    [GeneratedRegex("^---$", RegexOptions.Multiline)]
    private static partial Regex DocumentBreak();
}

/// <summary>A pod, or what pods are made of.</summary>
/// <param name="Owner">Kind and name, for messages.</param>
/// <param name="IsService">True if it runs for ever.</param>
internal sealed record PodTemplate(string Owner, V1ObjectMeta Metadata, V1PodSpec Spec, bool IsService)
{
    public IEnumerable<V1Container> Containers => [.. Spec.InitContainers ?? [], .. Spec.Containers];

    public bool IsSelectedBy(IDictionary<string, string> labels) =>
        labels.All(label => Metadata.Labels.TryGetValue(label.Key, out var value) && value == label.Value);

    public override string ToString() => Owner;
}
