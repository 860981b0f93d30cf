using System.Collections.Immutable;

namespace Session.Orleans.Contracts;

/// <summary>What the network grain gives to a snapshot and takes from it.</summary>
/// <param name="SecretFingerprint">Tells the network's secret from others without giving it away: a snapshot fits only where the same nodes' keys come from it.</param>
/// <param name="Chain">Registry, height and ledger, as JSON.</param>
/// <param name="Lagging">Nodes that had not caught up with their swarms.</param>
/// <param name="Labels">Labels of nodes.</param>
[GenerateSerializer, Immutable, Alias("session.NetworkArchive")]
public sealed record NetworkArchive(
    [property: Id(0)] string SecretFingerprint,
    [property: Id(1)] ImmutableArray<byte> Chain,
    [property: Id(2)] ImmutableArray<NodeLag> Lagging,
    [property: Id(3)] ImmutableArray<NodeLabel> Labels);
