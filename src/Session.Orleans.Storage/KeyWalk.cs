using System.Runtime.CompilerServices;
using StackExchange.Redis;

namespace Session.Orleans.Storage;

/// <summary>
/// Goes once through the keys of a store. A key that comes or goes meanwhile may be left out, and one that stays may come twice while the store
/// grows or shrinks its tables.
/// </summary>
/// <param name="connection">A shared connection; not owned.</param>
/// <param name="options">
/// How to make connections of the walk's own, which a Garnet server needs: what it reads from its disk for a walk it keeps in memory as long as the
/// connection lives. Null: walks use the shared one.
/// </param>
public sealed class KeyWalk(IConnectionMultiplexer connection, ConfigurationOptions? options = null)
{
    // Looked at by the server in one go, with all others waiting: about a millisecond.
    private const int PageSize = 1000;

    // Nobody waits for a connection of the walk's own. Garnet reads whole pages of its log, of some ten thousand keys, anew for each of ours.
    private const int PagesPerConnection = 8;
    private static readonly TimeSpan GarnetPageLimit = TimeSpan.FromSeconds(30);

    /// <summary>Keys that a Garnet server is asked for at a time; 20,000 by default.</summary>
    public int GarnetPageSize { get; init; } = 20_000;

    /// <summary>Keys that match <paramref name="pattern"/>, of all servers that are nobody's replica.</summary>
    /// <param name="database">Number of the database.</param>
    /// <param name="pattern">As Redis' <c>MATCH</c> takes it.</param>
    /// <param name="cancellationToken">Ends the walk.</param>
    /// <exception cref="RedisException">A server did not answer.</exception>
    /// <exception cref="TimeoutException">A server did not answer in time.</exception>
    public async IAsyncEnumerable<RedisKey> KeysAsync(int database, string pattern, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var server in connection.GetServers())
        {
            if (server.IsReplica)
                continue;
            var keys = options is not null && server.GetProductVariant(out _) is ProductVariant.Garnet
                ? GarnetKeysAsync(options, database, pattern, GarnetPageSize, cancellationToken) : server.KeysAsync(database, pattern, PageSize);
            await foreach (var key in keys.WithCancellation(cancellationToken).ConfigureAwait(false))
                yield return key;
        }
    }

    private static async IAsyncEnumerable<RedisKey> GarnetKeysAsync(
        ConfigurationOptions options, int database, string pattern, int pageSize, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var own = options.Clone();
        own.AbortOnConnectFail = true;
        own.AsyncTimeout = (int)GarnetPageLimit.TotalMilliseconds;
        RedisValue cursor = 0;
        do
        {
            await using var walker = await ConnectionMultiplexer.ConnectAsync(own).ConfigureAwait(false);
            for (var page = 0; page < PagesPerConnection; page++)
            {
                var reply = (RedisResult[])(await walker.GetDatabase(database)
                    .ExecuteAsync("SCAN", [cursor, "MATCH", pattern, "COUNT", pageSize]).WaitAsync(cancellationToken).ConfigureAwait(false))!;
                foreach (var key in (RedisKey[])reply[1]!)
                    yield return key;
                cursor = (RedisValue)reply[0];
                if (cursor == 0)
                    break;
            }
        }
        while (cursor != 0);
    }
}
