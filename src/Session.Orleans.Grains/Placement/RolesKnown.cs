using Microsoft.Extensions.Logging;
using Orleans.Runtime.MembershipService.SiloMetadata;

namespace Session.Orleans.Grains.Placement;

/// <summary>
/// Holds a silo's start until it knows the role of all the others, and of a gateway until there is a silo: grains stay where their first call
/// puts them, so that one that guesses would leave nodes among mailboxes and the network at a gateway.
/// </summary>
internal sealed partial class RolesKnown(
    ILocalSiloDetails self, ISiloStatusOracle oracle, ISiloMetadataCache metadata, TimeProvider time, ILogger<RolesKnown> logger)
    : ILifecycleParticipant<ISiloLifecycle>
{
    // Then it is better to serve from a place that is not the best.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    public void Participate(ISiloLifecycle observer) => observer.Subscribe<RolesKnown>(ServiceLifecycleStage.Active + 1, WaitAsync);

    private async Task WaitAsync(CancellationToken cancellationToken)
    {
        if (RoleOf(self.SiloAddress) is null)
            return; // a host without roles
        var start = time.GetTimestamp();
        while (!AreKnown())
        {
            if (time.GetElapsedTime(start) > Limit)
            {
                LogUnknown(Limit.TotalSeconds);
                return;
            }

            await Task.Delay(Pause, time, cancellationToken);
        }
    }

    private bool AreKnown()
    {
        var anySilo = false;
        foreach (var silo in oracle.GetApproximateSiloStatuses(onlyActive: true).Keys)
        {
            if (RoleOf(silo) is not { } role)
                return false;
            anySilo |= role != nameof(SiloRole.Gateway);
        }

        return anySilo;
    }

    private string? RoleOf(SiloAddress silo) => metadata.GetSiloMetadata(silo).Metadata.GetValueOrDefault(SiloRoles.MetadataKey);

    [LoggerMessage(EventId = 2401, Level = LogLevel.Warning, Message = "No silo has said within {Seconds} s that it takes mailboxes; serving without")]
    private partial void LogUnknown(double seconds);
}
