using System.Diagnostics;

namespace Session.Orleans.Gateway;

/// <summary>Names of this project's spans.</summary>
public static class GatewayTelemetry
{
    /// <summary>Name of the activity source, which is the assembly's.</summary>
    public const string SourceName = "Session.Orleans.Gateway";

    /// <summary>Tag: number of the node the client connected to.</summary>
    public const string NodeIndex = "session.node_index";

    internal static readonly ActivitySource Source = new(SourceName);
}
