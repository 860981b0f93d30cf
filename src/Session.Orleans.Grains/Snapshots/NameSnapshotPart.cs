using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using Session.Orleans.Protocol.Names;
using Session.Orleans.Storage.Snapshots;

namespace Session.Orleans.Grains.Snapshots;

/// <summary>All names with their history: a record of JSON each.</summary>
internal sealed class NameSnapshotPart(IGrainFactory grains, IGrainStateKeys keys) : ISnapshotPart
{
    private const string GrainType = "name";
    private const string State = "name";

    /// <summary>How names stand in a snapshot; its figure is <c>names</c>.</summary>
    public static SnapshotPartFormat RecordFormat { get; } = new(3, "names", CheckAsync);

    public SnapshotPartFormat Format => RecordFormat;

    public async IAsyncEnumerable<ReadOnlyMemory<byte>> SaveAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var seen = new HashSet<string>();
        await foreach (var name in keys.ListAsync(GrainType, State, cancellationToken))
        {
            if (!seen.Add(name))
                continue;
            var history = await grains.GetGrain<INameGrain>(name).HistoryAsync();
            if (!history.IsEmpty)
                yield return JsonSerializer.SerializeToUtf8Bytes(new(name, history), SavedNameJson.Default.SavedName);
        }
    }

    public Task RequireFitAsync(IAsyncEnumerable<ReadOnlyMemory<byte>> records, CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task RestoreAsync(IAsyncEnumerable<ReadOnlyMemory<byte>> records, CancellationToken cancellationToken)
    {
        var restored = new HashSet<string>();
        await foreach (var record in records.WithCancellation(cancellationToken))
        {
            var saved = Read(record);
            restored.Add(saved.NameHash);
            await grains.GetGrain<INameGrain>(saved.NameHash).RestoreAsync(saved.History);
        }

        await foreach (var name in keys.ListAsync(GrainType, State, cancellationToken))
        {
            if (restored.Add(name))
                await grains.GetGrain<INameGrain>(name).RestoreAsync([]);
        }
    }

    private static async Task<IReadOnlyDictionary<string, long>> CheckAsync(IAsyncEnumerable<ReadOnlyMemory<byte>> records)
    {
        var names = 0L;
        await foreach (var record in records)
        {
            _ = Read(record);
            names++;
        }

        return new Dictionary<string, long> { ["names"] = names };
    }

    private static SavedName Read(ReadOnlyMemory<byte> record)
    {
        try
        {
            var saved = JsonSerializer.Deserialize(record.Span, SavedNameJson.Default.SavedName) ?? throw new JsonException("It is null.");
            return NameHash.TryParse(saved.NameHash, out _) ? saved : throw new JsonException("It has no name hash.");
        }
        catch (JsonException exception)
        {
            throw new SnapshotException($"The snapshot holds a name that can't be read: {exception.Message.ReplaceLineEndings(" ")}", exception);
        }
    }
}

/// <summary>A name in a snapshot.</summary>
/// <param name="NameHash">The name hash, 44 characters of base64.</param>
/// <param name="History">Every state of its records.</param>
internal sealed record SavedName(string NameHash, ImmutableArray<NameState> History);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(SavedName))]
internal sealed partial class SavedNameJson : JsonSerializerContext;
