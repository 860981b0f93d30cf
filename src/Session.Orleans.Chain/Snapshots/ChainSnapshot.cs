using System.Text.Json;

namespace Session.Orleans.Chain.Snapshots;

/// <summary>
/// The whole state of a chain in plain values, for keeping. Keys and hashes are lower-case hex, amounts atomic units, durations blocks. What
/// follows from the rest (active lists, reward order, swarms' members, plans of tests) is not in it.
/// </summary>
public sealed record ChainSnapshot
{
    /// <summary>Layout that this version writes and reads.</summary>
    public const int CurrentFormat = 1;

    /// <summary>Version of the layout.</summary>
    public int Format { get; init; } = CurrentFormat;

    /// <summary>The rules in force.</summary>
    public required ChainRules Rules { get; init; }

    /// <summary>Height of the top block.</summary>
    public required long Height { get; init; }

    /// <summary>Hashes of the top block and those below, the newest last.</summary>
    public required ImmutableArray<string> Hashes { get; init; }

    /// <summary>Slots in use or free; a slot is a node's place in the testers' lists.</summary>
    public required int SlotCount { get; init; }

    /// <summary>All registered nodes in ascending order of index.</summary>
    public required ImmutableArray<NodeSnapshot> Nodes { get; init; }

    /// <summary>Accounts and locked stakes.</summary>
    public required LedgerSnapshot Ledger { get; init; }

    /// <summary>Compact UTF-8 JSON.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, ChainJson.Default.ChainSnapshot);

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    /// <exception cref="JsonException">It is something else.</exception>
    public static ChainSnapshot FromJson(ReadOnlySpan<byte> json) =>
        JsonSerializer.Deserialize(json, ChainJson.Default.ChainSnapshot) ?? throw new JsonException("A snapshot is not null.");
}
