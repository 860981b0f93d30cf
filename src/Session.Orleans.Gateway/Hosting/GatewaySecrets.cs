using Microsoft.Extensions.Options;
using Session.Orleans.Gateway.Admin;

namespace Session.Orleans.Gateway.Hosting;

/// <summary>What several gateways of one folder share.</summary>
public static class GatewaySecrets
{
    /// <summary>Makes certificate and admin token in <see cref="GatewayOptions.DataDirectory"/> if they are missing, so that no two processes make them at once.</summary>
    /// <exception cref="InvalidOperationException">A configured file is missing or unusable.</exception>
    public static void Prepare(GatewayOptions options)
    {
        GatewayCertificate.LoadOrCreate(options, TimeProvider.System).Dispose();
        _ = new AdminToken(Options.Create(options));
    }
}
