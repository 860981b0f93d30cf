using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;
using Session.Orleans.Grains;
using Session.Orleans.Grains.Communities;

namespace Session.Orleans.Gateway.Hosting;

/// <summary>
/// Memory for the bodies of large requests, of all clients together. A body counts as it arrives and until its request is answered; when too much
/// has, a request that brings more is refused. Small bodies do not count: <see cref="RequestGate"/> bounds them.
/// </summary>
internal sealed class BodyMemory
{
    /// <summary>Bytes of a body that do not count.</summary>
    public const int FreeBytes = 256 * 1024;

    private const int Step = 1024 * 1024;

    // Decrypted, decoded, passed on: a body is in memory several times before its request is answered.
    private const int ShareOfMemory = 16;

    private readonly MemoryBudget _budget;

    public BodyMemory(IOptions<GatewayOptions> options, IOptions<LimitOptions> limits, IOptions<CommunityOptions> communities)
    {
        // One of the largest is always taken.
        var largest = Math.Max(limits.Value.RequestBytes, communities.Value.MaxBodyBytes) + Step;
        Bytes = options.Value.BodyMemoryMiB is { } size ? size * 1024L * 1024 : Math.Max(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / ShareOfMemory, largest);
        _budget = new(Bytes);
    }

    /// <summary>Bytes that may be taken at once.</summary>
    public long Bytes { get; }

    /// <summary>Takes memory for a body that has arrived; false if there is not so much left.</summary>
    public bool TryTake(long bytes) => bytes <= FreeBytes || _budget.TryTake(bytes);

    /// <summary>Gives back what <see cref="TryTake"/> took.</summary>
    public void Return(long bytes)
    {
        if (bytes > FreeBytes)
            _budget.Return(bytes);
    }

    /// <summary>Counts a body that arrives in pieces, until the request is over.</summary>
    public Claim StartClaim(HttpContext context)
    {
        var claim = new Claim(_budget);
        context.Response.RegisterForDispose(claim);
        return claim;
    }

    /// <summary>What one request has taken.</summary>
    public sealed class Claim(MemoryBudget budget) : IDisposable
    {
        private long _taken;

        /// <summary>Takes as much as a body of so many bytes needs.</summary>
        /// <exception cref="MemoryBudgetException">There is not so much left.</exception>
        public void GrowTo(long bytes)
        {
            while (bytes > _taken)
            {
                if (!budget.TryTake(Step))
                    throw new MemoryBudgetException();
                _taken += Step;
            }
        }

        public void Dispose() => budget.Return(Interlocked.Exchange(ref _taken, 0));
    }
}
