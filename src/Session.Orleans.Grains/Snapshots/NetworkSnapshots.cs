using Microsoft.Extensions.Options;
using Session.Orleans.Grains.Network;
using Session.Orleans.Storage.Snapshots;

namespace Session.Orleans.Grains.Snapshots;

/// <summary>Saves the whole network to a file and restores it from one, while it runs.</summary>
/// <param name="parts">What belongs to the network.</param>
/// <param name="grains">To have the silos forget what they remember.</param>
/// <param name="options">Name of the network.</param>
public sealed class NetworkSnapshots(IEnumerable<ISnapshotPart> parts, IGrainFactory grains, IOptions<NetworkOptions> options)
{
    private readonly ISnapshotPart[] _parts = [.. parts.OrderBy(part => part.Format.Id)];
    private int _restoring;

    /// <summary>The parts that a snapshot of this version may hold.</summary>
    public static IReadOnlyCollection<SnapshotPartFormat> Formats { get; } =
    [
        NetworkSnapshotPart.RecordFormat, MailboxSnapshotPart.RecordFormat, NameSnapshotPart.RecordFormat, CommunitySnapshotPart.RecordFormat,
        FileSnapshotPart.RecordFormat,
    ];

    /// <summary>Writes a snapshot. The network goes on meanwhile; what changes then may be in it or not.</summary>
    /// <param name="target">Where to; is not closed.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public Task SaveAsync(Stream target, CancellationToken cancellationToken) => SnapshotFile.WriteAsync(_parts, target, cancellationToken);

    /// <summary>
    /// Replaces the network's state by the snapshot's: each mailbox at once, the registry last. The snapshot is read to its end and found to be
    /// sound before anything changes. If it is interrupted, some mailboxes are the snapshot's and some the network's; restoring again ends it.
    /// </summary>
    /// <param name="file">The snapshot; seekable.</param>
    /// <param name="ports">How many nodes the network has ports for.</param>
    /// <param name="cancellationToken">Ends it, half done.</param>
    /// <returns>The figures of each part, by its name.</returns>
    /// <exception cref="SnapshotException">It is damaged or another network's; nothing has changed.</exception>
    public async Task<IReadOnlyDictionary<string, IReadOnlyDictionary<string, long>>> RestoreAsync(Stream file, int ports, CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _restoring, 1) != 0)
            throw new SnapshotException("Another snapshot is being restored.");
        try
        {
            var figures = await SnapshotFile.CheckAsync(file, [.. _parts.Select(part => part.Format)], cancellationToken);
            if (!figures.TryGetValue(NetworkSnapshotPart.RecordFormat.Name, out var network))
                throw new SnapshotException("The snapshot holds no network.");
            if (network["ports"] is var needed && needed > ports)
                throw new SnapshotException($"The snapshot's nodes need {needed} ports, and there are {ports}; start the network with more of them (--max-nodes {needed}).");
            // What a snapshot of an older version does not hold stays as it is.
            var present = _parts.Where(part => figures.ContainsKey(part.Format.Name)).ToArray();
            foreach (var part in present)
                await part.RequireFitAsync(SnapshotFile.ReadPartAsync(file, part.Format.Id, cancellationToken), cancellationToken);

            try
            {
                foreach (var part in present.Reverse())
                    await part.RestoreAsync(SnapshotFile.ReadPartAsync(file, part.Format.Id, cancellationToken), cancellationToken);
            }
            catch
            {
                // Some mailboxes may have changed under those who keep their index in memory.
                await grains.GetGrain<INetworkGrain>(options.Value.Name).StoreReplacedAsync();
                throw;
            }

            return figures;
        }
        finally
        {
            Volatile.Write(ref _restoring, 0);
        }
    }
}
