using Microsoft.AspNetCore.Http;
using Session.Orleans.Grains.Faults;
using Session.Orleans.Grains.Network;

namespace Session.Orleans.Gateway.Nodes;

/// <summary>Stands between clients and nodes with faults, and does to the connection what the network between them would do.</summary>
internal sealed class FaultDoor(TimeProvider time)
{
    /// <summary>How long a connection to a node that does not answer stays open; clients give up earlier.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>Waits as long as the request takes. False if it never arrives: the connection has been ended, without an answer.</summary>
    public async ValueTask<bool> TryEnterAsync(HttpContext context, FaultTable faults, ServiceNode node)
    {
        var arrival = faults.Arrive(from: null, node.Index, (int)Math.Min(context.Request.ContentLength ?? 0, int.MaxValue));
        var delay = arrival.Outcome is ArrivalOutcome.Unanswered || arrival.Delay > Patience ? Patience : arrival.Delay;
        if (delay > TimeSpan.Zero)
            await Task.Delay(delay, time, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (arrival.Arrives && delay < Patience && !context.RequestAborted.IsCancellationRequested)
            return true;
        context.Abort();
        return false;
    }
}
