namespace Session.Orleans.Gateway.Hosting;

/// <summary>Which of the gateway's doors a connection came in by. Set per connection, so that no request header can change it.</summary>
internal sealed record GatewayListener(GatewayRole Role, int NodeIndex = -1);

/// <summary>What a listening port is for.</summary>
internal enum GatewayRole
{
    /// <summary>One service node.</summary>
    Node,

    /// <summary>The seed node, and all service nodes by path.</summary>
    Seed,

    /// <summary>Health checks and the admin API.</summary>
    Admin,

    /// <summary>The community server.</summary>
    Community,

    /// <summary>The file server.</summary>
    Files,
}
