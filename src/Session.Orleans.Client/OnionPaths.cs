using System.Collections.Immutable;
using System.Security.Cryptography;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Client;

/// <summary>
/// The paths in use (onion-requests.md, 8): two of three distinct nodes each. Guards stay the same as long as they work, so that few nodes
/// ever see where requests come from. A path is dropped with its guard after three failures; a node that vanished is replaced in place.
/// One object serves any number of accounts. Safe for concurrent use.
/// </summary>
/// <param name="pool">Where nodes come from.</param>
/// <param name="testGuard">Says whether a node answers directly, and may therefore become a guard.</param>
/// <param name="guards">Guards of an earlier run, to be used again if they still exist.</param>
public sealed class OnionPaths(SnodePool pool, Func<SnodeAddress, CancellationToken, Task<bool>> testGuard, IEnumerable<Ed25519PublicKey>? guards = null)
    : IDisposable
{
    /// <summary>Paths that are kept.</summary>
    public const int Count = 2;

    private const int GuardAttempts = 10;

    private static readonly HashSet<string> NoSubnets = [];

    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _building = new(1);
    private readonly Dictionary<Ed25519PublicKey, int> _failures = [];
    private ImmutableArray<Ed25519PublicKey> _preferred = [.. guards ?? []];
    private ImmutableArray<OnionPath> _paths = [];

    /// <summary>The paths as they are now.</summary>
    public ImmutableArray<OnionPath> Current => _paths;

    /// <summary>The guards in use: keep them for the next start.</summary>
    public IReadOnlyList<Ed25519PublicKey> Guards => [.. _paths.Select(path => path.Guard.Ed25519)];

    /// <summary>A path without the destination; built if there is none.</summary>
    /// <param name="destination">Must not be on the path; null for a server outside the network.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="SessionClientException">Too few nodes are known, or no guard answers.</exception>
    public async Task<OnionPath> GetAsync(Ed25519PublicKey? destination, CancellationToken cancellationToken = default)
    {
        if (CanAddPath)
            await BuildMissingAsync(cancellationToken).ConfigureAwait(false);
        var usable = _paths.Where(path => destination is not { } node || path.Hops.All(hop => hop.Ed25519 != node)).ToArray();
        // Both paths hold the destination only in tiny networks: then one with a kept guard is made for this request alone.
        return usable.Length > 0 ? usable[RandomNumberGenerator.GetInt32(usable.Length)]
            : await BuildDetourAsync(destination!.Value, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>A request came through: the path's failures are forgotten.</summary>
    public void ReportSuccess(OnionPath path)
    {
        lock (_lock)
            _ = _failures.Remove(path.Guard.Ed25519);
        foreach (var hop in path.Hops)
            pool.Forgive(hop.Ed25519, asDestination: false);
    }

    /// <summary>Something on the path failed: a strike against the path and every node of it but the guard.</summary>
    public void ReportFailure(OnionPath path)
    {
        foreach (var hop in path.Hops.Skip(1))
        {
            if (pool.Strike(hop.Ed25519, asDestination: false))
                Replace(hop.Ed25519);
        }

        lock (_lock)
        {
            var guard = path.Guard.Ed25519;
            var failures = _failures.GetValueOrDefault(guard) + 1;
            _failures[guard] = failures;
            if (failures < ErrorReactions.Threshold)
                return;
            _ = _failures.Remove(guard);
            _preferred = _preferred.Remove(guard);
            _paths = _paths.RemoveAll(known => known.Guard.Ed25519 == guard);
        }

        pool.Drop(path.Guard.Ed25519);
    }

    /// <summary>Puts another node in a node's place on every path. A path whose guard it is, or for which there is no other, is dropped.</summary>
    public void Replace(Ed25519PublicKey node)
    {
        lock (_lock)
            _paths = [.. _paths.Select(path => ReplaceIn(path, node)).OfType<OnionPath>()];
    }

    /// <inheritdoc/>
    public void Dispose() => _building.Dispose();

    private OnionPath? ReplaceIn(OnionPath path, Ed25519PublicKey node)
    {
        if (path.Hops.All(hop => hop.Ed25519 != node))
            return path;
        if (path.Guard.Ed25519 == node)
            return null;
        var excluded = Used();
        excluded.Add(node);
        var others = path.Hops.Where(hop => hop.Ed25519 != node).Select(hop => hop.Subnet).ToHashSet();
        return pool.Draw(excluded, others) is { } other ? new([.. path.Hops.Select(hop => hop.Ed25519 == node ? other : hop)]) : null;
    }

    // A small network has no nodes for a second path; looking for its guard again and again would change nothing.
    private bool CanAddPath => _paths.Length is var length && length < Count
        && (length == 0 || pool.Nodes.Length >= (length + 1) * OnionPath.DefaultLength);

    private HashSet<Ed25519PublicKey> Used() => [.. _paths.SelectMany(path => path.Hops).Select(hop => hop.Ed25519)];

    private async Task BuildMissingAsync(CancellationToken cancellationToken)
    {
        await _building.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            while (CanAddPath)
            {
                var guard = await FindGuardAsync(cancellationToken).ConfigureAwait(false);
                if (guard is null && _paths.Length > 0)
                    return; // a small network: one path is better than none
                // Guards of an earlier run are left for the paths they are to begin, unless there is nobody else.
                var path = guard is null ? throw TooFew()
                    : Extend(guard, [.. Used(), .. _preferred], destination: null) ?? Extend(guard, Used(), destination: null);
                if (path is null && _paths.Length > 0)
                    return;
                lock (_lock)
                    _paths = _paths.Add(path ?? throw TooFew());
            }
        }
        finally
        {
            _building.Release();
        }
    }

    private async Task<OnionPath> BuildDetourAsync(Ed25519PublicKey destination, CancellationToken cancellationToken)
    {
        var guard = _paths.Select(path => path.Guard).FirstOrDefault(guard => guard.Ed25519 != destination)
            ?? await FindGuardAsync(cancellationToken).ConfigureAwait(false);
        return guard is not null && guard.Ed25519 != destination && Extend(guard, [], destination) is { } path ? path : throw TooFew();
    }

    private OnionPath? Extend(SnodeAddress guard, HashSet<Ed25519PublicKey> used, Ed25519PublicKey? destination)
    {
        // Guards do not serve as later hops: one that did could see both ends.
        HashSet<Ed25519PublicKey> excluded = [.. used, guard.Ed25519, .. Guards];
        if (destination is { } node)
            excluded.Add(node);
        var hops = ImmutableArray.Create(guard);
        while (hops.Length < OnionPath.DefaultLength)
        {
            if (pool.Draw(excluded, hops.Select(hop => hop.Subnet).ToHashSet()) is not { } hop)
                return null;
            excluded.Add(hop.Ed25519);
            hops = hops.Add(hop);
        }

        return new(hops);
    }

    private async Task<SnodeAddress?> FindGuardAsync(CancellationToken cancellationToken)
    {
        var tried = Used();
        for (var i = 0; i < GuardAttempts; i++)
        {
            var candidate = _preferred.Select(key => pool.Nodes.FirstOrDefault(node => node.Ed25519 == key)).FirstOrDefault(node => node is not null && !tried.Contains(node.Ed25519))
                ?? pool.Draw(tried, NoSubnets);
            if (candidate is null)
                return null;
            _ = tried.Add(candidate.Ed25519);
            if (await testGuard(candidate, cancellationToken).ConfigureAwait(false))
                return candidate;
        }

        throw new SessionClientException($"None of {GuardAttempts} service nodes answers.");
    }

    private SessionClientException TooFew() =>
        new($"A path of {OnionPath.DefaultLength} nodes and a destination needs more service nodes than the {pool.Nodes.Length} that are known.");
}
