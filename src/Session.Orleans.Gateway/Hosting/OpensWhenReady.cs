using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Session.Orleans.Grains.Network;

namespace Session.Orleans.Gateway.Hosting;

/// <summary>
/// Where processes share their ports, the system gives a new one its part of the clients at once: it opens its ports, which comes after this,
/// when it knows the network. Elsewhere clients come only once it says that it is ready.
/// </summary>
internal sealed class OpensWhenReady(IOptions<GatewayOptions> options, NetworkViewSource views, TimeProvider time) : IHostedService
{
    // Then clients had better hear that the nodes are not ready.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (!options.Value.SharePorts)
            return;
        // If there is to be no view, the process ends, and says why elsewhere.
        await views.WaitForFirstAsync(cancellationToken).WaitAsync(Limit, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
