using System.Text.Json.Serialization;

namespace Session.Orleans.Chain.Snapshots;

/// <summary>JSON of snapshots, without reflection.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(ChainSnapshot))]
public sealed partial class ChainJson : JsonSerializerContext;
