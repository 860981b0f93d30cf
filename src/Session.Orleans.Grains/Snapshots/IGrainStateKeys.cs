namespace Session.Orleans.Grains.Snapshots;

/// <summary>Which grains have a stored state. Grain storage itself finds only what it is asked for; the host knows where it keeps it.</summary>
public interface IGrainStateKeys
{
    /// <summary>The keys of all grains of a type that have stored a state. One may come twice.</summary>
    /// <param name="grainType">The grain type's name.</param>
    /// <param name="state">The state's name.</param>
    /// <param name="cancellationToken">Ends it.</param>
    IAsyncEnumerable<string> ListAsync(string grainType, string state, CancellationToken cancellationToken);
}
