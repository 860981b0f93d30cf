using System.Globalization;
using Session.Orleans.Storage.Communities;

namespace Session.Orleans.Grains.Communities;

/// <summary>
/// The bytes of rooms' files, past the rooms: a room knows its files, but never holds one in memory. Kept in pieces, as stores do not like large
/// values, and with a lifetime of their own: bytes whose line in the room never came end by themselves.
/// </summary>
public sealed class RoomFiles(ICommunityStore store)
{
    /// <summary>What an upload lives that is attached to nothing (communities.md, 8).</summary>
    public static readonly TimeSpan UploadLifetime = TimeSpan.FromHours(1);

    // A file's line in its room decides when it ends; its bytes stay a little longer.
    private static readonly TimeSpan Slack = TimeSpan.FromMinutes(1);

    private const int PieceLength = 256 * 1024;
    private const string Table = "bytes";

    /// <summary>A number for a new file.</summary>
    public ValueTask<long> NextIdAsync(CancellationToken cancellationToken) => store.NextAsync("file", cancellationToken);

    /// <summary>Stores a file for <see cref="UploadLifetime"/>.</summary>
    public async ValueTask PutAsync(string room, long id, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        for (var (at, piece) = (0, 0); at < bytes.Length || piece == 0; at += PieceLength, piece++)
        {
            var changes = new CommunityChanges().Set(Table, Name(piece), bytes.Slice(at, Math.Min(PieceLength, bytes.Length - at)));
            await store.CommitAsync(Scope(room, id), null, changes, UploadLifetime + Slack, cancellationToken);
        }
    }

    /// <summary>Reads a file piece by piece. Nothing comes if it is gone.</summary>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(
        string room, long id, long size, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var (at, piece) = (0L, 0); at < size; at += PieceLength, piece++)
        {
            if ((await store.GetAsync(Scope(room, id), Table, [Name(piece)], cancellationToken))[0] is not { } bytes)
                yield break;
            yield return bytes;
        }
    }

    /// <summary>Lets a file end after a time, or stay.</summary>
    internal ValueTask SetLifetimeAsync(string room, long id, TimeSpan? lifetime) => store.SetLifetimeAsync(Scope(room, id), Table, lifetime + Slack);

    private static CommunityScope Scope(string room, long id) => new(string.Create(CultureInfo.InvariantCulture, $"file:{room}:{id}"));

    private static string Name(int piece) => piece.ToString(CultureInfo.InvariantCulture);
}
