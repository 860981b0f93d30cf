namespace Session.Orleans.Storage.Communities;

/// <summary>
/// The durable state of a community server, in scopes: a room, a user's direct messages, the server itself. A scope has <em>tables</em>
/// (names to bytes) and <em>indexes</em> (names in the order of a number), and a version that grows with every commit.
/// <para>
/// A scope normally has one writer, which keeps a part of it in memory. The store does not rely on it: a commit takes effect wholly, and only if
/// the scope still has the version the writer knows; so of two writers that live side by side for a moment one is refused, reads again and
/// repeats, and nothing is lost or reordered. A commit's cost depends on what it changes, never on what the scope holds.
/// </para>
/// <para>
/// All calls throw <see cref="CommunityStoreException"/> when the store does not confirm, and <see cref="OperationCanceledException"/> when
/// cancelled; a change may have taken effect in both cases.
/// </para>
/// </summary>
public interface ICommunityStore
{
    /// <summary>The scope's version, 0 if nothing was ever committed to it.</summary>
    ValueTask<long> GetVersionAsync(CommunityScope scope, CancellationToken cancellationToken = default);

    /// <summary>Carries out all changes if the scope has version <paramref name="expected"/>, or none.</summary>
    /// <param name="scope">The scope.</param>
    /// <param name="expected">The version the writer knows; null for changes that are right at any version.</param>
    /// <param name="changes">What to change, in order.</param>
    /// <param name="lifetime">How long everything touched shall stay at least; null for ever.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The new version; null if the scope has another version than expected.</returns>
    ValueTask<long?> CommitAsync(
        CommunityScope scope, long? expected, CommunityChanges changes, TimeSpan? lifetime = null, CancellationToken cancellationToken = default);

    /// <summary>Values of a table, one per name in the same order; null where there is none. One round trip.</summary>
    ValueTask<IReadOnlyList<ReadOnlyMemory<byte>?>> GetAsync(
        CommunityScope scope, string table, IReadOnlyList<string> names, CancellationToken cancellationToken = default);

    /// <summary>A whole table; for those that are small by nature.</summary>
    ValueTask<IReadOnlyDictionary<string, ReadOnlyMemory<byte>>> GetAllAsync(CommunityScope scope, string table, CancellationToken cancellationToken = default);

    /// <summary>Several whole tables in one round trip, in the order asked for.</summary>
    ValueTask<IReadOnlyList<IReadOnlyDictionary<string, ReadOnlyMemory<byte>>>> GetAllAsync(
        CommunityScope scope, IReadOnlyList<string> tables, CancellationToken cancellationToken = default);

    /// <summary>Entries of an index with <paramref name="after"/> &lt; number &lt; <paramref name="before"/>, at most <paramref name="count"/>.</summary>
    /// <param name="scope">The scope.</param>
    /// <param name="index">The index.</param>
    /// <param name="after">Exclusive lower end.</param>
    /// <param name="before">Exclusive upper end.</param>
    /// <param name="descending">True for the largest numbers first.</param>
    /// <param name="count">Most entries to return.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask<IReadOnlyList<CommunityIndexEntry>> RangeAsync(
        CommunityScope scope, string index, long after, long before, bool descending, int count, CancellationToken cancellationToken = default);

    /// <summary>The number of an entry of an index; null if it is not there.</summary>
    ValueTask<long?> GetNumberAsync(CommunityScope scope, string index, string name, CancellationToken cancellationToken = default);

    /// <summary>How many entries of an index have a number of at least <paramref name="from"/>.</summary>
    ValueTask<long> CountAsync(CommunityScope scope, string index, long from, CancellationToken cancellationToken = default);

    /// <summary>
    /// Enters names into an index and takes those below <paramref name="keepFrom"/> out, whatever the version and without changing it: for what no
    /// writer decides by, such as who was active when.
    /// </summary>
    ValueTask EnterAsync(
        CommunityScope scope, string index, IReadOnlyList<CommunityIndexEntry> entries, long keepFrom, CancellationToken cancellationToken = default);

    /// <summary>Gives a table another lifetime, without changing the version; null lets it stay. Nothing happens if there is no such table.</summary>
    ValueTask SetLifetimeAsync(CommunityScope scope, string table, TimeSpan? lifetime, CancellationToken cancellationToken = default);

    /// <summary>The next number of a counter of the whole server, from 1; never given twice.</summary>
    ValueTask<long> NextAsync(string counter, CancellationToken cancellationToken = default);

    /// <summary>
    /// Uses up a nonce and looks up who sent it, in one round trip.
    /// </summary>
    /// <param name="scope">The server's scope.</param>
    /// <param name="nonce">The nonce.</param>
    /// <param name="nonceLifetime">How long it is remembered.</param>
    /// <param name="user">The user's id, which is entered into the index <paramref name="seen"/> at <paramref name="now"/>.</param>
    /// <param name="now">Number of the entry.</param>
    /// <param name="seen">The index.</param>
    /// <param name="lookups">Table and name of each value wanted besides.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask<CommunityAdmission> AdmitAsync(
        CommunityScope scope, ReadOnlyMemory<byte> nonce, TimeSpan nonceLifetime, string user, long now, string seen,
        IReadOnlyList<(string Table, string Name)> lookups, CancellationToken cancellationToken = default);
}

/// <summary>What <see cref="ICommunityStore.AdmitAsync"/> found.</summary>
/// <param name="IsNonceFresh">False if the nonce was used before.</param>
/// <param name="Values">The values wanted; null where there is none.</param>
public sealed record CommunityAdmission(bool IsNonceFresh, IReadOnlyList<ReadOnlyMemory<byte>?> Values);

/// <summary>An entry of an index.</summary>
/// <param name="Name">What is entered.</param>
/// <param name="Number">Its place.</param>
public readonly record struct CommunityIndexEntry(string Name, long Number);

/// <summary>What one writer writes: a room, a user's direct messages, or the server.</summary>
/// <param name="Name">Kind and name, for example <c>room:lobby</c>; without braces.</param>
public readonly record struct CommunityScope(string Name)
{
    /// <summary>The server itself.</summary>
    public static CommunityScope Server { get; } = new("server");

    /// <summary>A room, by its token in lower case.</summary>
    public static CommunityScope Room(string token) => new("room:" + token);

    /// <summary>The direct messages of a user.</summary>
    public static CommunityScope Messages(string user) => new("dm:" + user);
}
