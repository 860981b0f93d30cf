using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Swarms;

/// <summary>
/// Which swarm an account belongs to, for one set of swarms (network.md, 3). Immutable and safe to share between threads.
/// </summary>
public sealed class SwarmRing
{
    private readonly ulong[] _ids;

    /// <summary>Takes the ids in any order; repeated ones count once and <see cref="SwarmId.Unassigned"/> is left out.</summary>
    public SwarmRing(IEnumerable<SwarmId> ids) =>
        _ids = [.. ids.Where(id => id != SwarmId.Unassigned).Select(id => id.Value).Distinct().Order()];

    /// <summary>Number of swarms.</summary>
    public int Count => _ids.Length;

    /// <summary>The swarm of an account; its prefix does not matter. False if there are no swarms.</summary>
    public bool TryFind(AccountId account, out SwarmId swarm) => TryFind(account.RingPosition, out swarm);

    /// <summary>
    /// The swarm nearest to a position on the ring of 2^64; halfway between two it is the one reached by going down, also across the
    /// wrap. False if there are no swarms.
    /// </summary>
    public bool TryFind(ulong position, out SwarmId swarm)
    {
        swarm = SwarmId.Unassigned;
        if (_ids.Length == 0)
            return false;
        var index = Array.BinarySearch(_ids, position);
        if (index < 0)
            index = ~index;
        var right = _ids[index < _ids.Length ? index : 0];
        var left = _ids[index > 0 ? index - 1 : _ids.Length - 1];
        // Distances modulo 2^64.
        swarm = new(unchecked(right - position) < unchecked(position - left) ? right : left);
        return true;
    }
}
