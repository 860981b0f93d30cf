using System.Runtime.CompilerServices;
using Session.Orleans.Grains.Snapshots;
using StackExchange.Redis;

namespace Session.Orleans.Silo;

/// <summary>Finds stored states by the keys that Orleans' Redis storage gives them: <c>{service}/state/{type}/{key}/{state}</c>.</summary>
internal sealed class RedisGrainStateKeys(IConnectionMultiplexer connection, string serviceId) : IGrainStateKeys
{
    private const int PageSize = 5000;

    public async IAsyncEnumerable<string> ListAsync(string grainType, string state, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (before, after) = ($"{serviceId}/state/{grainType}/", $"/{state}");
        foreach (var server in connection.GetServers())
        {
            if (server.IsReplica)
                continue;
            await foreach (var key in server.KeysAsync(pattern: before + "*", pageSize: PageSize).WithCancellation(cancellationToken))
            {
                if ((string?)key is { } text && text.EndsWith(after, StringComparison.Ordinal))
                    yield return text[before.Length..^after.Length];
            }
        }
    }
}
