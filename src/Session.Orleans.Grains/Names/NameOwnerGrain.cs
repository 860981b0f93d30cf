using System.Collections.Immutable;
using Microsoft.Extensions.Options;
using Session.Orleans.Grains.Placement;

namespace Session.Orleans.Grains.Names;

[GrainType("name-owner"), PrefersRole(SiloRole.Silo)]
internal sealed class NameOwnerGrain(
    [PersistentState("owner", NameGrain.StorageName)] IPersistentState<NameOwnerState> storage, IOptions<NameOptions> options, TimeProvider time) : Grain, INameOwnerGrain
{
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    public async Task NoteAsync(NameReference name)
    {
        if (storage.State.Names.Contains(name))
            return;
        storage.State.Names = [.. storage.State.Names, name];
        await WriteAsync();
    }

    public async Task<bool> TakePurchaseAsync()
    {
        if (options.Value.PurchasesPerDay == 0)
            return true;
        var now = time.GetUtcNow();
        var recent = storage.State.Purchases.Where(at => now - at < Day).ToArray();
        if (recent.Length >= options.Value.PurchasesPerDay)
            return false;
        storage.State.Purchases = [.. recent, now];
        await WriteAsync();
        return true;
    }

    public ValueTask<ImmutableArray<NameReference>> ListAsync() => new([.. storage.State.Names]);

    private async Task WriteAsync()
    {
        try
        {
            await storage.WriteStateAsync();
        }
        catch
        {
            DeactivateOnIdle(); // what is stored is unknown; the next activation reads it
            throw;
        }
    }
}

/// <summary>What the grain of an owner persists.</summary>
[GenerateSerializer, Alias("session.NameOwnerState")]
public sealed class NameOwnerState
{
    /// <summary>Names that are or were the owner's.</summary>
    [Id(0)]
    public NameReference[] Names { get; set; } = [];

    /// <summary>When the owner bought names within the last day.</summary>
    [Id(1)]
    public DateTimeOffset[] Purchases { get; set; } = [];
}
