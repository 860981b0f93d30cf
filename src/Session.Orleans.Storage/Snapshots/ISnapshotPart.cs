namespace Session.Orleans.Storage.Snapshots;

/// <summary>One kind of state in a snapshot, for example all mailboxes: a sequence of records whose layout is the part's own.</summary>
public interface ISnapshotPart
{
    /// <summary>What the records are and how they are checked.</summary>
    SnapshotPartFormat Format { get; }

    /// <summary>Reads the state, record by record, from the running network.</summary>
    /// <param name="cancellationToken">Ends it.</param>
    IAsyncEnumerable<ReadOnlyMemory<byte>> SaveAsync(CancellationToken cancellationToken);

    /// <summary>Says whether records that are sound by themselves can become the state of this network. Changes nothing.</summary>
    /// <param name="records">The records, which may not all be read.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="SnapshotException">They can't.</exception>
    Task RequireFitAsync(IAsyncEnumerable<ReadOnlyMemory<byte>> records, CancellationToken cancellationToken);

    /// <summary>Replaces this state of the network by that of the records. May be repeated after a failure.</summary>
    /// <param name="records">The records, each valid until the next one is asked for.</param>
    /// <param name="cancellationToken">Ends it, half done.</param>
    Task RestoreAsync(IAsyncEnumerable<ReadOnlyMemory<byte>> records, CancellationToken cancellationToken);
}

/// <summary>The layout of one part.</summary>
/// <param name="Id">Number of the part in the file, 1..255. Parts stand in ascending order.</param>
/// <param name="Name">What it is called in messages.</param>
/// <param name="CheckAsync">
/// Reads all records and returns figures about them, by name; throws <see cref="SnapshotException"/> if one can't be what it should.
/// </param>
public sealed record SnapshotPartFormat(
    byte Id, string Name, Func<IAsyncEnumerable<ReadOnlyMemory<byte>>, Task<IReadOnlyDictionary<string, long>>> CheckAsync);
