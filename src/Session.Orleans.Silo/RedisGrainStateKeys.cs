using System.Runtime.CompilerServices;
using Session.Orleans.Grains.Snapshots;
using Session.Orleans.Storage;

namespace Session.Orleans.Silo;

/// <summary>Finds stored states by the keys that Orleans' Redis storage gives them: <c>{service}/state/{type}/{key}/{state}</c>.</summary>
internal sealed class RedisGrainStateKeys(KeyWalk walk, int database, string serviceId) : IGrainStateKeys
{
    public async IAsyncEnumerable<string> ListAsync(string grainType, string state, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (before, after) = ($"{serviceId}/state/{grainType}/", $"/{state}");
        await foreach (var key in walk.KeysAsync(database, before + "*", cancellationToken))
        {
            if ((string?)key is { } text && text.EndsWith(after, StringComparison.Ordinal))
                yield return text[before.Length..^after.Length];
        }
    }
}
