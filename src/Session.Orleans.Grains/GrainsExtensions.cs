using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Session.Orleans.Grains.Communities;
using Session.Orleans.Grains.Mailboxes;
using Session.Orleans.Grains.Names;
using Session.Orleans.Grains.Network;
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
        services.AddOptions<NetworkOptions>().BindConfiguration(NetworkOptions.Section).ValidateOnStart();
        services.AddSingleton<IValidateOptions<NetworkOptions>, NetworkOptionsValidator>();
        services.AddOptions<ServerRelayOptions>().BindConfiguration(ServerRelayOptions.Section).ValidateOnStart();
        services.AddSingleton<IValidateOptions<ServerRelayOptions>, ServerRelayOptionsValidator>();
        services.AddOptions<LimitOptions>().BindConfiguration(LimitOptions.Section).ValidateOnStart();
        services.AddSingleton<IValidateOptions<LimitOptions>, LimitOptionsValidator>();
        services.AddOptions<NameOptions>().BindConfiguration(NameOptions.Section).ValidateOnStart();
        services.AddSingleton<IValidateOptions<NameOptions>, NameOptionsValidator>();
        services.AddSingleton<NameRpc>();
        services.AddOptions<LocalCallOptions>().BindConfiguration(LocalCallOptions.Section);
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<NetworkKeys>();
        services.AddSingleton<NetworkViewSource>();
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
        services.AddSingleton<NetworkSnapshots>();
        services.AddHostedService<NetworkViewUpdater>();
        services.AddOptions<CommunityOptions>().BindConfiguration(CommunityOptions.Section).ValidateOnStart();
        services.AddSingleton<IValidateOptions<CommunityOptions>, CommunityOptionsValidator>();
        services.AddSingleton<IValidateOptions<CommunityOptions>, CommunityRoomsValidator>();
        services.AddSingleton<CommunityKeys>();
        services.AddSingleton<CommunityUsers>();
        services.AddSingleton<RoomFiles>();
        return silo;
    }
}
