using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Session.Orleans.Contracts.Communities;
using Session.Orleans.Grains.Communities;
using Session.Orleans.Grains.Network;

namespace Session.Orleans.Gateway.Communities;

/// <summary>Makes the rooms of <see cref="CommunityOptions.Rooms"/> that are missing, once the network serves.</summary>
public sealed class CommunitySetup(
    IGrainFactory grains, NetworkViewSource views, IOptions<CommunityOptions> options, IOptions<NetworkOptions> network) : BackgroundService
{
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends when the rooms are there; fails if they could not be made.</summary>
    public Task Done => _done.Task;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            if (options.Value.Rooms.Count > 0)
            {
                await views.WaitForFirstAsync(stoppingToken);
                foreach (var token in options.Value.Rooms)
                    await grains.GetGrain<ICommunityGrain>(network.Value.Name).CreateRoomAsync(token, token, null);
            }

            _done.TrySetResult();
        }
        catch (Exception exception)
        {
            _done.TrySetException(exception);
            if (!stoppingToken.IsCancellationRequested)
                throw;
        }
    }
}
