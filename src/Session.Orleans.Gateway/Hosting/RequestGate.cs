using Microsoft.Extensions.Options;

namespace Session.Orleans.Gateway.Hosting;

/// <summary>Bounds the requests in progress: beyond the limit they are refused at once instead of queueing.</summary>
internal sealed class RequestGate(IOptions<GatewayOptions> options)
{
    private readonly int _limit = options.Value.MaxConcurrentRequests;
    private int _inProgress;

    /// <summary>Places.</summary>
    public int Limit => _limit;

    /// <summary>Places that are taken.</summary>
    public int InProgress => Volatile.Read(ref _inProgress);

    /// <summary>Takes a place; false if there is none. Every success is followed by <see cref="Leave"/>.</summary>
    public bool TryEnter()
    {
        if (Interlocked.Increment(ref _inProgress) <= _limit)
            return true;
        Interlocked.Decrement(ref _inProgress);
        return false;
    }

    /// <summary>Gives a place back.</summary>
    public void Leave() => Interlocked.Decrement(ref _inProgress);
}
