using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace Session.Orleans.Grains;

/// <summary>
/// The activations of one kind of grain on this silo, to be called as the objects they are. Where a grain lives stays Orleans' decision;
/// this saves a message, two turns of the scheduler and, on a machine with little to do, the waking of two threads per call. Only for
/// grains that keep their state in order by themselves, whatever thread calls.
/// </summary>
internal sealed class LocalActivations<TKey, TGrain>(bool direct)
    where TKey : notnull
    where TGrain : class
{
    private readonly ConcurrentDictionary<TKey, TGrain> _active = new();

    /// <summary>The activation, if it is on this silo and direct calls are on.</summary>
    public bool TryGet(TKey key, [NotNullWhen(true)] out TGrain? activation) => _active.TryGetValue(key, out activation);

    /// <summary>To be called at the end of an activation's start.</summary>
    public void Activated(TKey key, TGrain activation)
    {
        if (direct)
            _active[key] = activation;
    }

    /// <summary>To be called at the beginning of an activation's end. The one that goes must not take its successor out.</summary>
    public void Deactivated(TKey key, TGrain activation) => _active.TryRemove(new(key, activation));
}
