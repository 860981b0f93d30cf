using Orleans.Metadata;
using Orleans.Placement;
using Orleans.Runtime.MembershipService.SiloMetadata;
using Orleans.Runtime.Placement;

namespace Session.Orleans.Grains.Placement;

/// <summary>
/// Keeps new activations away from silos of the other role. A preference: where only that role is left, as when all silos but the gateways
/// are gone, grains live there rather than nowhere.
/// </summary>
/// <param name="role">The role that suits the grain; silos that are <see cref="SiloRole.All"/> always do.</param>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class PrefersRoleAttribute(SiloRole role) : PlacementFilterAttribute(new RolePlacementFilter(role));

/// <summary>See <see cref="PrefersRoleAttribute"/>.</summary>
internal sealed class RolePlacementFilter(SiloRole role) : PlacementFilterStrategy(order: 0)
{
    private const string RoleProperty = "role";

    private SiloRole _role = role;

    /// <summary>For Orleans, which reads the role from the grain's properties.</summary>
    public RolePlacementFilter() : this(SiloRole.All)
    {
    }

    /// <summary>The role that suits the grain.</summary>
    public SiloRole Role => _role;

    public override void AdditionalInitialize(GrainProperties properties) =>
        _role = Enum.Parse<SiloRole>(GetPlacementFilterGrainProperty(RoleProperty, properties)!);

    protected override IEnumerable<KeyValuePair<string, string>> GetAdditionalGrainProperties(
        IServiceProvider services, Type grainClass, GrainType grainType, IReadOnlyDictionary<string, string> existingProperties) =>
        [new(RoleProperty, _role.ToString())];
}

/// <summary>Applies <see cref="RolePlacementFilter"/>.</summary>
internal sealed class RolePlacementFilterDirector(ISiloMetadataCache metadata) : IPlacementFilterDirector
{
    public IEnumerable<SiloAddress> Filter(PlacementFilterStrategy filterStrategy, PlacementTarget target, IEnumerable<SiloAddress> silos)
    {
        var unsuitable = (((RolePlacementFilter)filterStrategy).Role is SiloRole.Gateway ? SiloRole.Silo : SiloRole.Gateway).ToString();
        var all = silos as IReadOnlyCollection<SiloAddress> ?? [.. silos];
        SiloAddress[] suitable = [.. all.Where(silo => RoleOf(silo) is { } role && role != unsuitable)];
        if (suitable.Length == 0)
            suitable = [.. all.Where(silo => RoleOf(silo) is null)]; // it has just joined, and has not said yet what it is
        return suitable.Length > 0 ? suitable : all;

        string? RoleOf(SiloAddress silo) => metadata.GetSiloMetadata(silo).Metadata.GetValueOrDefault(SiloRoles.MetadataKey);
    }
}
