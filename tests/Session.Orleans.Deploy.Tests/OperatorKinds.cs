using k8s;
using k8s.Models;

namespace Session.Orleans.Deploy.Tests;

// The parts of the operators' kinds that the chart uses; anything else fails strict reading.

internal abstract class OperatorObject : IKubernetesObject<V1ObjectMeta>
{
    public string ApiVersion { get; set; } = "";

    public string Kind { get; set; } = "";

    public V1ObjectMeta Metadata { get; set; } = new();
}

internal sealed class ServiceMonitor : OperatorObject
{
    public ServiceMonitorSpec Spec { get; set; } = new();
}

internal sealed class ServiceMonitorSpec
{
    public V1LabelSelector Selector { get; set; } = new();

    public List<ServiceMonitorEndpoint> Endpoints { get; set; } = [];
}

internal sealed class ServiceMonitorEndpoint
{
    public string Port { get; set; } = "";

    public string Path { get; set; } = "";

    public string Interval { get; set; } = "";
}

internal sealed class PrometheusRule : OperatorObject
{
    public PrometheusRuleSpec Spec { get; set; } = new();
}

internal sealed class PrometheusRuleSpec
{
    public List<RuleGroup> Groups { get; set; } = [];
}

internal sealed class RuleGroup
{
    public string Name { get; set; } = "";

    public string? Interval { get; set; }

    public List<Rule> Rules { get; set; } = [];
}

internal sealed class Rule
{
    public string? Alert { get; set; }

    public string? Record { get; set; }

    public string Expr { get; set; } = "";

    public string? For { get; set; }

    public Dictionary<string, string> Labels { get; set; } = [];

    public Dictionary<string, string> Annotations { get; set; } = [];
}

internal sealed class HttpRoute : OperatorObject
{
    public HttpRouteSpec Spec { get; set; } = new();
}

internal sealed class HttpRouteSpec
{
    public List<RouteParent> ParentRefs { get; set; } = [];

    public List<string> Hostnames { get; set; } = [];

    public List<RouteRule> Rules { get; set; } = [];
}

internal sealed class RouteParent
{
    public string Name { get; set; } = "";

    public string? Namespace { get; set; }

    public string? SectionName { get; set; }
}

internal sealed class RouteRule
{
    public List<RouteMatch> Matches { get; set; } = [];

    public List<RouteBackend> BackendRefs { get; set; } = [];
}

internal sealed class RouteMatch
{
    public RoutePath Path { get; set; } = new();
}

internal sealed class RoutePath
{
    public string Type { get; set; } = "";

    public string Value { get; set; } = "";
}

internal sealed class RouteBackend
{
    public string Name { get; set; } = "";

    public int Port { get; set; }
}
