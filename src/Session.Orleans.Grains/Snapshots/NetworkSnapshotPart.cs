using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Options;
using Session.Orleans.Chain;
using Session.Orleans.Chain.Snapshots;
using Session.Orleans.Grains.Network;
using Session.Orleans.Storage.Snapshots;

namespace Session.Orleans.Grains.Snapshots;

/// <summary>Registry, height, ledger, lag and labels of a network: one record of JSON.</summary>
internal sealed class NetworkSnapshotPart(IGrainFactory grains, IOptions<NetworkOptions> options, NetworkKeys keys) : ISnapshotPart
{
    /// <summary>How the network stands in a snapshot; its figures are <c>height</c>, <c>nodes</c> and <c>ports</c>, the number of ports its nodes need.</summary>
    public static SnapshotPartFormat RecordFormat { get; } = new(1, "network", CheckAsync);

    public SnapshotPartFormat Format => RecordFormat;

    private INetworkGrain Network => grains.GetGrain<INetworkGrain>(options.Value.Name);

    public async IAsyncEnumerable<ReadOnlyMemory<byte>> SaveAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var archive = await Network.SaveAsync();
        cancellationToken.ThrowIfCancellationRequested();
        yield return JsonSerializer.SerializeToUtf8Bytes(
            new NetworkRecord(archive.SecretFingerprint, JsonElement.Parse(archive.Chain.AsSpan()), archive.Lagging, archive.Labels),
            NetworkRecordJson.Default.NetworkRecord);
    }

    public async Task RequireFitAsync(IAsyncEnumerable<ReadOnlyMemory<byte>> records, CancellationToken cancellationToken)
    {
        var (record, _) = await ReadAsync(records);
        if (record.Secret != keys.Fingerprint)
        {
            throw new SnapshotException(
                "The snapshot was made with another network secret: its nodes have other keys. Start the network with that secret (--network-secret).");
        }
    }

    public async Task RestoreAsync(IAsyncEnumerable<ReadOnlyMemory<byte>> records, CancellationToken cancellationToken)
    {
        var (record, _) = await ReadAsync(records);
        await Network.RestoreAsync(new(record.Secret, [.. JsonSerializer.SerializeToUtf8Bytes(record.Chain, NetworkRecordJson.Default.JsonElement)], record.Lagging, record.Labels));
    }

    private static async Task<IReadOnlyDictionary<string, long>> CheckAsync(IAsyncEnumerable<ReadOnlyMemory<byte>> records)
    {
        var (_, chain) = await ReadAsync(records);
        return new Dictionary<string, long>
        {
            ["height"] = chain.Height,
            ["nodes"] = chain.Nodes.Length,
            ["ports"] = chain.Nodes.Select(node => node.Index + 1).DefaultIfEmpty(0).Max(),
        };
    }

    private static async Task<(NetworkRecord Record, ServiceNodeChain Chain)> ReadAsync(IAsyncEnumerable<ReadOnlyMemory<byte>> records)
    {
        (NetworkRecord, ServiceNodeChain)? read = null;
        await foreach (var bytes in records)
        {
            if (read is not null)
                throw new SnapshotException("The snapshot holds two networks.");
            try
            {
                var record = JsonSerializer.Deserialize(bytes.Span, NetworkRecordJson.Default.NetworkRecord) ?? throw new JsonException("It is null.");
                read = (record, ServiceNodeChain.Restore(ChainSnapshot.FromJson(JsonSerializer.SerializeToUtf8Bytes(record.Chain, NetworkRecordJson.Default.JsonElement))));
            }
            catch (Exception exception) when (exception is JsonException or FormatException or ArgumentException or InvalidOperationException or KeyNotFoundException)
            {
                throw new SnapshotException($"The snapshot's network can't be read: {exception.Message.ReplaceLineEndings(" ")}", exception);
            }
        }

        return read ?? throw new SnapshotException("The snapshot holds no network.");
    }
}

/// <summary>The record.</summary>
/// <param name="Secret">Fingerprint of the network's secret.</param>
/// <param name="Chain">Registry, height and ledger.</param>
/// <param name="Lagging">Nodes that had not caught up with their swarms.</param>
/// <param name="Labels">Labels of nodes.</param>
internal sealed record NetworkRecord(string Secret, JsonElement Chain, ImmutableArray<NodeLag> Lagging, ImmutableArray<NodeLabel> Labels);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(NetworkRecord))]
internal sealed partial class NetworkRecordJson : JsonSerializerContext;
