using System.Diagnostics;

namespace Session.Orleans.Gateway;

/// <summary>Names of this project's spans, and of those instruments that others of this program listen to.</summary>
public static class GatewayTelemetry
{
    /// <summary>Name of the activity source, which is the assembly's.</summary>
    public const string SourceName = "Session.Orleans.Gateway";

    /// <summary>An onion request at the guard's door.</summary>
    public const string OnionSpan = "POST /onion_req/v2";

    /// <summary>A storage RPC at its node's door.</summary>
    public const string RpcSpan = "POST /storage_rpc/v1";

    /// <summary>A storage RPC that came as an OxenMQ message.</summary>
    public const string OmqSpan = "OMQ storage";

    /// <summary>Tag: number of the node the client connected to.</summary>
    public const string NodeIndex = "session.node_index";

    /// <summary>Histogram: requests of clients in seconds, by <see cref="Door"/>, route and <see cref="HttpStatus"/>.</summary>
    public const string RequestDuration = "session.gateway.request.duration";

    /// <summary>Counter: requests that were turned away at the door, which <see cref="RequestDuration"/> leaves out.</summary>
    public const string Refused = "session.gateway.refused";

    /// <summary>Tag of request durations: what the client came in by: node, omq, seed, files or community.</summary>
    public const string Door = "session.door";

    /// <summary>Tag: status of the answer. Of request durations it is text: a code, the hundred of a rare one (<c>5xx</c>), or <c>none</c>.</summary>
    public const string HttpStatus = "http.response.status_code";

    /// <summary>Tag: status of the answer to an OxenMQ message.</summary>
    public const string RpcStatus = "rpc.response.status_code";

    /// <summary>Tag: the node's door that a request came to, for example <c>/onion_req/v2</c>.</summary>
    public const string Route = "http.route";

    internal static readonly ActivitySource Source = new(SourceName);
}
