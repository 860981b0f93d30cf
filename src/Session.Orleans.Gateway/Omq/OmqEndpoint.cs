using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Session.Orleans.Gateway.Hosting;
using Session.Orleans.Gateway.Nodes;
using Session.Orleans.Grains;
using Session.Orleans.Grains.Faults;
using Session.Orleans.Grains.Network;
using Session.Orleans.Grains.ServiceNodes;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Gateway.Omq;

/// <summary>
/// The OxenMQ surface of a service node (storage-rpc.md, 17). A request is command, reply tag, data...; its answer is REPLY, the tag, data...
/// A connection's requests run side by side; when too many are under way, nothing more is read from it.
/// </summary>
internal sealed partial class OmqEndpoint(
    NetworkViewSource views, ServiceNodeCalls nodes, RequestGate gate, BodyMemory memory, ClientRateLimiter limiter, NodeReadiness readiness, OmqMonitors monitors, GatewayMetrics metrics, IOptions<LimitOptions> limits,
    TimeProvider time, ILogger<OmqEndpoint> logger)
{
    private const int MaxRequestsPerConnection = 64;

    private static readonly TimeSpan HandshakeLimit = TimeSpan.FromSeconds(10);

    private static readonly ReadOnlyMemory<byte> Reply = "REPLY"u8.ToArray(), Hello = "HELLO"u8.ToArray(), Pong = "pong"u8.ToArray();

    /// <summary>Serves one connection to its end.</summary>
    public async Task ServeAsync(ConnectionContext transport, int nodeIndex)
    {
        if (views.Current is not { } view || !view.TryGetNode(nodeIndex, out var node) || view.Faults?.At(nodeIndex) is { CutsOff: true })
            return; // nobody to speak for; clients connect again by themselves
        using var connection = new OmqConnection(transport, node, limits.Value.RequestBytes, time);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(
            transport.ConnectionClosed,
            transport.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? CancellationToken.None);
        KeepAlive(transport);
        try
        {
            using (var handshake = CancellationTokenSource.CreateLinkedTokenSource(ending.Token))
            {
                handshake.CancelAfter(HandshakeLimit);
                if (!await connection.ShakeHandsAsync(handshake.Token))
                {
                    LogRefused();
                    return;
                }
            }

            metrics.Connection(1);
            try
            {
                await ReceiveAsync(connection, ending.Token);
            }
            finally
            {
                metrics.Connection(-1);
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or ConnectionAbortedException or IOException)
        {
            LogEnded(exception);
        }
    }

    // A client whose machine is gone says nothing; its subscriptions shall not outlive it for long.
    private static void KeepAlive(ConnectionContext transport)
    {
        if (transport.Features.Get<IConnectionSocketFeature>()?.Socket is not { ProtocolType: ProtocolType.Tcp } socket)
            return;
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 60);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 15);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 4);
    }

    private async Task ReceiveAsync(OmqConnection connection, CancellationToken ending)
    {
        using var working = CancellationTokenSource.CreateLinkedTokenSource(ending);
        using var places = new SemaphoreSlim(MaxRequestsPerConnection);
        var notifying = connection.SendNotificationsAsync(working.Token);
        try
        {
            while (await connection.ReceiveAsync(ending) is { } message)
            {
                await places.WaitAsync(ending);
                _ = AnswerAsync(connection, message, places, working.Token);
            }
        }
        finally
        {
            await working.CancelAsync();
            await notifying.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            for (var i = 0; i < MaxRequestsPerConnection; i++)
                await places.WaitAsync(CancellationToken.None); // all that use the connection are done
            monitors.Leave(connection);
        }
    }

    private async Task AnswerAsync(
        OmqConnection connection, List<ReadOnlyMemory<byte>> message, SemaphoreSlim places, CancellationToken cancellationToken)
    {
        try
        {
            await Task.Yield(); // the reader goes on
            if (await ExecuteAsync(connection, message, cancellationToken) is { } answer)
                await connection.SendAsync(answer, cancellationToken);
        }
        catch (Exception exception) when (exception is OperationCanceledException or ConnectionAbortedException or IOException)
        {
            // The client is gone: nobody is left to answer, and the cancelled work has been told.
            LogEnded(exception);
        }
        catch (Exception exception)
        {
            LogFailed(exception);
        }
        finally
        {
            places.Release();
        }
    }

    private async ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>?> ExecuteAsync(
        OmqConnection connection, List<ReadOnlyMemory<byte>> message, CancellationToken cancellationToken)
    {
        var command = message[0];
        if (views.Current?.Faults is { } faults && !await ArrivesAsync(faults, connection.Node, message, cancellationToken))
            return null;
        switch (OmqCommand.Find(command.Span))
        {
            case OmqCommandKind.Greeting:
                return [Hello];
            case OmqCommandKind.Ignored:
                return null;
            case OmqCommandKind.Unknown:
                return Refuse("UNKNOWNCOMMAND"u8, command);
            case OmqCommandKind.ForNodes when message.Count > 1:
                return [.. Refuse("FORBIDDEN_SN"u8, Reply), message[1]];
            case OmqCommandKind.ForNodes:
                return Refuse("FORBIDDEN_SN"u8, command);
            case not OmqCommandKind.Greeting when message.Count == 1:
                return Refuse("NO_REPLY_TAG"u8, command);
            case OmqCommandKind.Ping:
                return [Reply, message[1], Pong];
            case OmqCommandKind.Monitor:
                return [Reply, message[1], await MonitorAsync(connection, message, cancellationToken)];
            default:
                var reply = await StoreAsync(connection, OmqCommand.StorageMethod(command.Span), message, cancellationToken);
                return reply.Status == 200
                    ? [Reply, message[1], reply.Body]
                    : [Reply, message[1], Encoding.ASCII.GetBytes(reply.Status.ToString(CultureInfo.InvariantCulture)), reply.Body];
        }
    }

    private async ValueTask<bool> ArrivesAsync(
        FaultTable faults, ServiceNode node, List<ReadOnlyMemory<byte>> message, CancellationToken cancellationToken)
    {
        var arrival = faults.Arrive(from: null, node.Index, message.Sum(part => part.Length));
        if (arrival.Delay > TimeSpan.Zero)
            await Task.Delay(arrival.Delay, time, cancellationToken);
        return arrival.Arrives;
    }

    private static ReadOnlyMemory<byte>[] Refuse(ReadOnlySpan<byte> error, ReadOnlyMemory<byte> about) => [error.ToArray(), about];

    private async ValueTask<ReadOnlyMemory<byte>> MonitorAsync(
        OmqConnection connection, List<ReadOnlyMemory<byte>> message, CancellationToken cancellationToken)
    {
        var accepted = new List<MonitorSubscription>();
        var body = message.Count == 3 ? message[2] : default;
        var reply = MonitorRequests.Execute(body.Span, time.GetUtcNow().ToUnixTimeMilliseconds(), accepted);
        foreach (var subscription in accepted)
            await monitors.SubscribeAsync(connection, subscription, cancellationToken);
        return reply;
    }

    private async ValueTask<NodeReply> StoreAsync(
        OmqConnection connection, string method, List<ReadOnlyMemory<byte>> message, CancellationToken cancellationToken)
    {
        var count = message.Count - 2;
        if (count > 1)
            return NodeReply.Text(400, string.Create(CultureInfo.InvariantCulture, $"Invalid request: expected 1 message parts, received {count}"));
        if (!limiter.TryTake(connection.Address))
        {
            metrics.Refused(GatewayMetrics.Refusal.RateLimited);
            return NodeReply.Text(429, "Too many requests, try again later");
        }

        // The node may have left its swarm since the connection began.
        var view = views.Current;
        var node = view is not null && view.TryGetNode(connection.Node.Index, out var current) ? current : connection.Node;
        if (readiness.WhyNotReady(node, view) is { } reasons)
        {
            metrics.Refused(GatewayMetrics.Refusal.NotReady);
            return NodeReply.Text(503, $"Service node is not ready: {reasons}");
        }

        var body = count == 1 ? message[2] : default;
        if (!memory.TryTake(body.Length))
        {
            metrics.Refused(GatewayMetrics.Refusal.Busy);
            return NodeReply.Text(503, "Server busy, try again later");
        }

        if (!gate.TryEnter())
        {
            memory.Return(body.Length);
            metrics.Refused(GatewayMetrics.Refusal.Busy);
            return NodeReply.Text(503, "Server busy, try again later");
        }

        using var activity = StartActivity(node);
        var (startedAt, status) = (metrics.Now, 0);
        try
        {
            var reply = await nodes.StorageMessageAsync(node, method, body, cancellationToken);
            status = reply.Status;
            return reply;
        }
        catch (Exception exception) when (exception is TimeoutException or OrleansMessageRejectionException or SiloUnavailableException)
        {
            activity?.SetStatus(ActivityStatusCode.Error).SetTag("error.type", exception.GetType().Name);
            LogNodeUnavailable(exception);
            return NodeReply.Text(status = 504, "Request time out");
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            activity?.SetStatus(ActivityStatusCode.Error).SetTag("error.type", exception.GetType().Name);
            LogFailed(exception);
            return NodeReply.Text(status = 500, "request failed");
        }
        finally
        {
            gate.Leave();
            memory.Return(body.Length);
            if (status != 0)
                activity?.SetTag(GatewayTelemetry.RpcStatus, status);
            metrics.Request(GatewayMetrics.Door.Omq, "storage", status, startedAt);
        }
    }

    // Not the method: what stands there is the client's, until the node has found it among those there are, and then the node's span has it.
    private static Activity? StartActivity(ServiceNode node) =>
        GatewayTelemetry.Source.StartActivity(GatewayTelemetry.OmqSpan, ActivityKind.Server, parentContext: default).Carry()?
            .SetTag("rpc.system", "oxenmq")
            .SetTag(GatewayTelemetry.NodeIndex, node.Index);

    [LoggerMessage(EventId = 3101, Level = LogLevel.Debug, Message = "A client does not speak CURVE, or not to this node")]
    private partial void LogRefused();

    [LoggerMessage(EventId = 3102, Level = LogLevel.Debug, Message = "A connection ended")]
    private partial void LogEnded(Exception exception);

    [LoggerMessage(EventId = 3103, Level = LogLevel.Warning, Message = "A service node did not answer")]
    private partial void LogNodeUnavailable(Exception exception);

    [LoggerMessage(EventId = 3104, Level = LogLevel.Error, Message = "A message failed")]
    private partial void LogFailed(Exception exception);
}
