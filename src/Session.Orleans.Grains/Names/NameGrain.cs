using System.Collections.Immutable;
using Microsoft.Extensions.Options;
using Session.Orleans.Grains.Network;
using Session.Orleans.Grains.Placement;
using Session.Orleans.Protocol.Names;

namespace Session.Orleans.Grains.Names;

/// <summary>The rules of names (names.md, 6), with signatures in place of coins (names.md, 8).</summary>
[GrainType("name"), PrefersRole(SiloRole.Silo)]
internal sealed class NameGrain(
    [PersistentState("name", NameGrain.StorageName)] IPersistentState<NameGrainState> storage,
    NetworkViewSource views, IOptions<NameOptions> options, IOptions<NetworkOptions> network) : Grain, INameGrain
{
    /// <summary>Name of the Orleans grain storage of names and owners.</summary>
    public const string StorageName = "names";

    /// <summary>Account that fees go to.</summary>
    public const string FeeAccount = "names";

    private const double AtomicUnits = 1_000_000_000;

    private NameHash Name => NameHash.TryParse(this.GetPrimaryKeyString(), out var hash) ? hash
        : throw new ArgumentException("The key of a name's grain is its hash in base64.");

    public ValueTask<NameRecord?> FindAsync(NameType type) => new(Current(type));

    public ValueTask<ImmutableArray<NameState>> HistoryAsync() => new([.. storage.State.Rows]);

    public async Task RestoreAsync(ImmutableArray<NameState> history)
    {
        foreach (var (type, owner) in history.SelectMany(state => new[] { state.Record.Owner, state.Record.BackupOwner }.OfType<string>().Select(owner => (state.Type, owner))).Distinct())
            await Owner(owner).NoteAsync(new(type, Name.ToString()));
        storage.State.Rows = [.. history];
        await WriteAsync();
    }

    public async Task<NameReceipt> ChangeAsync(NameOrder order)
    {
        if (!Name.IsUsable || !NameTypes.TryParse(order.Type, out var type) || views.Current is not { } view)
            return new(NameOutcome.BadParameter);
        var current = Current(type);
        // Several changes may come in one block, and each has a height of its own.
        var height = Math.Max(view.Height, (current?.UpdateHeight ?? 0) + 1);
        var change = ToChange(order, current);
        if (change is null)
            return new(NameOutcome.BadParameter);
        if (Refuse(change, order, type, current, height) is var refusal and not NameOutcome.Done)
            return new(refusal);

        if (change.Operation is NameOperation.Buy && !await Owner(change.Owner!.Value.ToString()).TakePurchaseAsync())
            return new(NameOutcome.RateLimited);
        if (change.Operation is not NameOperation.Update && options.Value.Fee > 0
            && !await GrainFactory.GetGrain<INetworkGrain>(network.Value.Name).PayAsync(FeeAccount, (long)(options.Value.Fee * AtomicUnits)))
            return new(NameOutcome.FeeNotPaid);

        var duration = NameTypes.Duration(change.Type, options.Value.ShortTerms);
        var record = new NameRecord(
            change.Value.IsEmpty ? current!.EncryptedValue : [.. change.Value.Span],
            change.Owner?.ToString() ?? current!.Owner,
            change.BackupOwner?.ToString() ?? (change.Operation is NameOperation.Buy ? null : current!.BackupOwner),
            height,
            change.Operation switch
            {
                NameOperation.Buy => height + duration,
                NameOperation.Renew => current!.ExpirationHeight + duration,
                _ => current!.ExpirationHeight,
            },
            change.TransactionId(height).ToString());

        // The lists of owners first: a name too many there does no harm, one too few would not be found.
        foreach (var owner in new[] { record.Owner, record.BackupOwner }.OfType<string>().Except([current?.Owner, current?.BackupOwner]))
            await Owner(owner!).NoteAsync(new(type, Name.ToString()));
        storage.State.Rows = [.. storage.State.Rows, new(type, record)];
        await WriteAsync();
        return new(NameOutcome.Done, record);
    }

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

    private static NameOutcome RefuseUpdate(NameChange change, NameRecord current)
    {
        if (change is { Value.IsEmpty: true, Owner: null, BackupOwner: null })
            return NameOutcome.BadParameter;
        var backup = current.BackupOwner;
        if ((!change.Value.IsEmpty && change.Value.Span.SequenceEqual(current.EncryptedValue.AsSpan()))
            || change.Owner?.ToString() == current.Owner || (change.BackupOwner is { } given && given.ToString() == backup))
            return NameOutcome.Unchanged;
        return change.IsSignedBy(Parse(current.Owner)) || (backup is not null && change.IsSignedBy(Parse(backup))) ? NameOutcome.Done : NameOutcome.BadSignature;
    }

    private static NameOwner Parse(string owner) =>
        NameOwner.TryParse(owner, out var read) ? read : throw new InvalidOperationException("A stored owner is no key.");

    private NameRecord? Current(NameType type) => storage.State.Rows.LastOrDefault(row => row.Type == type)?.Record;

    private NameChange? ToChange(NameOrder order, NameRecord? current)
    {
        NameOwner owner = default, backup = default;
        if ((order.Owner is not null && !NameOwner.TryParse(order.Owner, out owner)) || (order.BackupOwner is not null && !NameOwner.TryParse(order.BackupOwner, out backup))
            || (order.Owner is not null && order.Owner == order.BackupOwner))
            return null;
        var previous = default(Bytes32);
        if (order.Operation is not NameOperation.Buy && !Bytes32.TryParseHex(order.Previous ?? current?.TransactionId ?? new string('0', 2 * Bytes32.Length), out previous))
            return null;
        return new()
        {
            Operation = order.Operation,
            Type = order.Type,
            Name = Name,
            Previous = previous,
            Value = order.EncryptedValue.AsMemory(),
            Owner = order.Owner is null ? null : owner,
            BackupOwner = order.BackupOwner is null ? null : backup,
            Signature = order.Signature.AsMemory(),
        };
    }

    private NameOutcome Refuse(NameChange change, NameOrder order, NameType type, NameRecord? current, long height)
    {
        if (change.Operation is NameOperation.Buy
            ? change.Owner is null || !NameTypes.IsStoredLength(type, change.Value.Length)
            : !change.Value.IsEmpty && !NameTypes.IsStoredLength(type, change.Value.Length))
            return NameOutcome.BadParameter;
        if (change.Operation is NameOperation.Buy)
        {
            return current is not null && current.IsActiveAt(height) ? NameOutcome.AlreadyRegistered
                : !change.IsSignedBy(change.Owner!.Value) ? NameOutcome.BadSignature
                : IsOthers(change, type, height) ? NameOutcome.OtherRecordsOwner : NameOutcome.Done;
        }

        if (change.Operation is NameOperation.Renew && (type is not NameType.Domain || order.Previous is null
            || change is not { Value.IsEmpty: true, Owner: null, BackupOwner: null, Signature.IsEmpty: true }))
            return NameOutcome.BadParameter;
        if (current is null)
            return NameOutcome.NotRegistered;
        if (!current.IsActiveAt(height))
            return NameOutcome.Expired;
        if (change.Previous.ToString() != current.TransactionId)
            return NameOutcome.StalePrevious;
        return change.Operation is NameOperation.Renew ? NameOutcome.Done : RefuseUpdate(change, current);
    }

    /// <summary>A Session name and a wallet name are one: who has the one decides about the other (names.md, 6, cross rule).</summary>
    private bool IsOthers(NameChange change, NameType type, long height)
    {
        if (type is NameType.Domain || Current(type is NameType.Session ? NameType.Wallet : NameType.Session) is not { } other || !other.IsActiveAt(height))
            return false;
        string?[] owners = [other.Owner, other.BackupOwner];
        return !owners.Contains(change.Owner!.Value.ToString()) || (change.BackupOwner is { } backup && !owners.Contains(backup.ToString()));
    }

    private INameOwnerGrain Owner(string key) => GrainFactory.GetGrain<INameOwnerGrain>(key);
}

/// <summary>What the grain of a name persists.</summary>
[GenerateSerializer, Alias("session.NameGrainState")]
public sealed class NameGrainState
{
    /// <summary>Every state that a record of the name ever had, the oldest first.</summary>
    [Id(0)]
    public NameState[] Rows { get; set; } = [];
}
