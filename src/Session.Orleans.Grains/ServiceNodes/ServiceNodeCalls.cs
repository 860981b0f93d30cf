using System.Runtime.CompilerServices;
using Microsoft.Extensions.Options;
using Session.Orleans.Grains.Network;

namespace Session.Orleans.Grains.ServiceNodes;

/// <summary>The way to a service node: directly if its grain is active on this silo, else by message.</summary>
public sealed class ServiceNodeCalls(IOptions<LocalCallOptions> options, TimeProvider time)
{
    // While a silo leaves, its grains refuse calls for some moments, and nobody takes calls for one that died until it is known to be dead.
    // Clients give a request 10 s.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(8);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(500);

    /// <summary>The nodes that are active on this silo. They are reentrant and hold nothing that changes.</summary>
    internal LocalActivations<Ed25519PublicKey, IServiceNodeGrain> Local { get; } = new(options.Value.Direct);

    /// <summary>The node's activation if it is on this silo, else a reference to its grain.</summary>
    public IServiceNodeGrain To(ServiceNode node) => Local.TryGet(node.PublicKey, out var activation) ? activation : node.Grain;

    /// <summary>Lets a node open its layer of an onion.</summary>
    /// <param name="node">The node.</param>
    /// <param name="request">The layer.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="TimeoutException">The node did not answer in time.</exception>
    /// <exception cref="OrleansMessageRejectionException">The node takes no calls, and none after a while.</exception>
    /// <exception cref="SiloUnavailableException">The node's silo died; what became of the request is unknown.</exception>
    public ValueTask<NodeReply> RelayAsync(ServiceNode node, RelayRequest request, CancellationToken cancellationToken) =>
        AskAsync(node, request, static (grain, request, token) => grain.RelayAsync(request, token), cancellationToken);

    /// <summary>Lets a node answer a storage RPC.</summary>
    /// <param name="node">The node.</param>
    /// <param name="body">The request's JSON text.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="TimeoutException">The node did not answer in time.</exception>
    /// <exception cref="OrleansMessageRejectionException">The node takes no calls, and none after a while.</exception>
    /// <exception cref="SiloUnavailableException">The node's silo died; what became of the request is unknown.</exception>
    public ValueTask<NodeReply> StorageRpcAsync(ServiceNode node, ReadOnlyMemory<byte> body, CancellationToken cancellationToken) =>
        AskAsync(node, body, static (grain, body, token) => grain.StorageRpcAsync(body, token), cancellationToken);

    /// <summary>Lets a node answer a storage RPC that came as a message.</summary>
    /// <param name="node">The node.</param>
    /// <param name="method">The method's name.</param>
    /// <param name="parameters">The message part.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="TimeoutException">The node did not answer in time.</exception>
    /// <exception cref="OrleansMessageRejectionException">The node takes no calls, and none after a while.</exception>
    /// <exception cref="SiloUnavailableException">The node's silo died; what became of the request is unknown.</exception>
    public ValueTask<NodeReply> StorageMessageAsync(ServiceNode node, string method, ReadOnlyMemory<byte> parameters, CancellationToken cancellationToken) =>
        AskAsync(node, (method, parameters), static (grain, message, token) => grain.StorageMessageAsync(message.method, message.parameters, token), cancellationToken);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<NodeReply> AskAsync<TRequest>(
        ServiceNode node, TRequest request, Func<IServiceNodeGrain, TRequest, CancellationToken, ValueTask<NodeReply>> ask, CancellationToken cancellationToken)
    {
        var start = time.GetTimestamp();
        for (var pause = FirstPause; ; pause = Longer(pause))
        {
            try
            {
                return await ask(To(node), request, cancellationToken);
            }
            catch (OrleansMessageRejectionException) when (time.GetElapsedTime(start) < Limit)
            {
                // It has not begun. What has must not be repeated here: at the end of an onion may be a server that would do it twice.
            }

            await Task.Delay(pause, time, cancellationToken);
        }
    }

    private static TimeSpan Longer(TimeSpan pause) => pause + pause < LongestPause ? pause + pause : LongestPause;
}
