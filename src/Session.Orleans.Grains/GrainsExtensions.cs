using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Placement;
using Session.Orleans.Grains.Communities;
using Session.Orleans.Grains.Mailboxes;
using Session.Orleans.Grains.Names;
using Session.Orleans.Grains.Network;
using Session.Orleans.Grains.Placement;
using Session.Orleans.Grains.ServiceNodes;
using Session.Orleans.Grains.Snapshots;
using Session.Orleans.Storage.Snapshots;

namespace Session.Orleans.Grains;

/// <summary>Adds what the grains need to a silo.</summary>
public static class GrainsExtensions
{
    /// <summary>Registers the network view, the storage RPC and the options of the grains. The host provides the mailbox store with its part of snapshots, and <see cref="IGrainStateKeys"/>.</summary>
    public static ISiloBuilder AddSessionGrains(this ISiloBuilder silo)
    {
        var services = silo.Services;
        services.AddSectionOptions<NetworkOptions>(NetworkOptions.Section);
        services.AddSectionOptions<ServerRelayOptions>(ServerRelayOptions.Section);
        services.AddSectionOptions<LimitOptions>(LimitOptions.Section);
        services.AddSectionOptions<TelemetryOptions>(TelemetryOptions.Section);
        services.AddSectionOptions<NameOptions>(NameOptions.Section);
        services.AddSingleton<NameRpc>();
        services.AddSectionOptions<LocalCallOptions>(LocalCallOptions.Section);
        services.AddPlacementFilter<RolePlacementFilter, RolePlacementFilterDirector>(ServiceLifetime.Singleton);
        services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>, RolesKnown>();
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<NetworkKeys>();
        services.AddSingleton<NetworkViewSource>();
        services.AddSingleton<NetworkMetrics>();
        services.AddSingleton<GrainsMetrics>();
        services.AddSingleton<MailboxGrains>();
        services.AddSingleton<ServiceNodeCalls>();
        services.AddSingleton<NodeRateLimiter>();
        services.AddSingleton<StorageRpcService>();
        services.AddSingleton<ServerRelay>();
        services.AddSingleton<ClusterChanges>();
        services.AddSingleton(provider => new MailboxWatchHub(
            provider.GetRequiredService<IGrainFactory>(), provider.GetRequiredService<MailboxGrains>(), provider.GetRequiredService<ClusterChanges>(),
            provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<MailboxWatchHub>>()));
        services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>>(provider => provider.GetRequiredService<ClusterChanges>());
        services.AddSingleton<ISnapshotPart, NetworkSnapshotPart>();
        services.AddSingleton<ISnapshotPart, NameSnapshotPart>();
        services.AddSingleton<ISnapshotPart, CommunitySnapshotPart>();
        services.AddSingleton<NetworkSnapshots>();
        services.AddHostedService<NetworkViewUpdater>();
        services.AddSectionOptions<CommunityOptions>(CommunityOptions.Section);
        services.AddSingleton<IValidateOptions<CommunityOptions>, CommunityRoomsValidator>();
        services.AddSingleton<CommunityKeys>();
        services.AddSingleton<CommunityUsers>();
        services.AddSingleton<RoomFiles>();
        return silo;
    }
}
