using System.Diagnostics.CodeAnalysis;

namespace Session.Orleans.Grains.Network;

/// <summary>Holds the silo's current <see cref="NetworkView"/>. Reading it costs one volatile read.</summary>
public sealed class NetworkViewSource
{
    private readonly Lock _writer = new();
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile NetworkView? _current;

    /// <summary>The newest view; null until the network grain has answered for the first time.</summary>
    public NetworkView? Current => _current;

    /// <summary>True if there will be no first view; <see cref="WaitForFirstAsync"/> throws the reason.</summary>
    public bool HasFailed => _first.Task.IsFaulted;

    /// <summary>Completes with the first view, or fails with the reason why there will be none.</summary>
    public Task WaitForFirstAsync(CancellationToken cancellationToken) => _first.Task.WaitAsync(cancellationToken);

    /// <summary>The newest view, if there is one.</summary>
    public bool TryGet([NotNullWhen(true)] out NetworkView? view) => (view = _current) is not null;

    /// <summary>Gives up waiting for a first view.</summary>
    internal void Fail(Exception reason) => _first.TrySetException(reason);

    /// <summary>Replaces the view by one of <paramref name="state"/> if that is newer.</summary>
    /// <returns>True if the view changed.</returns>
    internal bool Offer(NetworkState state, Func<NetworkState, NetworkView?, NetworkView> create)
    {
        lock (_writer)
        {
            if (_current is { } current && current.State.Version >= state.Version)
                return false;
            _current = create(state, _current);
        }

        _first.TrySetResult();
        return true;
    }
}
