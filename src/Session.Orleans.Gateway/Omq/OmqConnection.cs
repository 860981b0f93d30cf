using System.Buffers;
using System.Net;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using Session.Orleans.Grains.Network;
using Session.Orleans.Protocol.StorageRpc;
using Session.Orleans.Protocol.Zmtp;

namespace Session.Orleans.Gateway.Omq;

/// <summary>
/// One client's ZeroMQ connection to one node: CURVE handshake, messages in, messages out. One reader; any number of senders, whose messages
/// leave one after another.
/// </summary>
/// <remarks>
/// On Kestrel's connections and not on a ZeroMQ library's sockets: rate limits need the client's address and subscriptions the connection's end,
/// which a ROUTER socket does not tell. NetMQ also takes messages of unencrypted ZMTP 1.0 peers at a CURVE port.
/// </remarks>
internal sealed class OmqConnection : IDisposable
{
    private const int MaxParts = 16;
    private const int MaxMessageLength = StorageLimits.MaxRequestBytes + 4096;
    private const int FirstBufferLength = 16 * 1024;
    private const int MaxPendingNotifications = 1000;   // as many as ZeroMQ itself keeps for a slow peer

    private static readonly TimeSpan SendLimit = TimeSpan.FromSeconds(10);
    private static readonly ReadOnlyMemory<byte> NotifyCommand = "notify.message"u8.ToArray();

    private readonly ConnectionContext _transport;
    private readonly CurveServer _curve;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _sending = new(1);
    private readonly Channel<ReadOnlyMemory<byte>> _notifications = Channel.CreateBounded<ReadOnlyMemory<byte>>(
        new BoundedChannelOptions(MaxPendingNotifications) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    public OmqConnection(ConnectionContext transport, ServiceNode node, TimeProvider time)
    {
        (_transport, Node, _time) = (transport, node, time);
        _curve = new(node.Keys.X25519);
    }

    /// <summary>The node the client connected to.</summary>
    public ServiceNode Node { get; }

    /// <summary>The client's address.</summary>
    public IPAddress? Address => (_transport.RemoteEndPoint as IPEndPoint)?.Address;

    /// <summary>Greets and shakes hands; false if the client does not speak CURVE, or not to this node.</summary>
    public async ValueTask<bool> ShakeHandsAsync(CancellationToken cancellationToken)
    {
        var input = _transport.Transport.Input;
        await _transport.Transport.Output.WriteAsync(ZmtpFraming.CurveServerGreeting, cancellationToken);
        var read = await input.ReadAtLeastAsync(ZmtpFraming.GreetingLength, cancellationToken);
        if (read.Buffer.Length < ZmtpFraming.GreetingLength)
            return false;
        var greeting = read.Buffer.Slice(0, ZmtpFraming.GreetingLength).ToArray();
        input.AdvanceTo(read.Buffer.GetPosition(ZmtpFraming.GreetingLength));
        if (!ZmtpFraming.IsCurveClient(greeting))
            return false;
        while (!_curve.IsReady)
        {
            if (await ReadFrameAsync(CurveServer.MaxHandshakeLength, cancellationToken) is not { Head.IsCommand: true } frame
                || !_curve.TryAdvance(frame.Body, out var reply))
                return false;
            ZmtpFraming.WriteHead(_transport.Transport.Output, new(IsCommand: true, HasMore: false, reply.Length));
            await _transport.Transport.Output.WriteAsync(reply, cancellationToken);
        }

        return true;
    }

    /// <summary>The parts of the next message; null when the connection ends or breaks the protocol.</summary>
    public async ValueTask<List<ReadOnlyMemory<byte>>?> ReceiveAsync(CancellationToken cancellationToken)
    {
        var parts = new List<ReadOnlyMemory<byte>>();
        var room = MaxMessageLength;
        while (await ReadFrameAsync(room + CurveServer.MessageOverhead, cancellationToken) is { } frame)
        {
            if (!_curve.TryOpen(frame.Body, out var head, out var content))
                return null;
            if (head.IsCommand)
            {
                await ObeyAsync(content, cancellationToken);
                continue;
            }

            parts.Add(content);
            room -= content.Length;
            if (!head.HasMore)
                return parts;
            if (parts.Count == MaxParts)
                return null;
        }

        return null;
    }

    /// <summary>Sends a message. A client that does not read for too long loses its connection.</summary>
    public async ValueTask SendAsync(IReadOnlyList<ReadOnlyMemory<byte>> parts, CancellationToken cancellationToken)
    {
        await _sending.WaitAsync(cancellationToken);
        try
        {
            for (var i = 0; i < parts.Count; i++)
                _curve.Seal(_transport.Transport.Output, parts[i].Span, hasMore: i < parts.Count - 1);
            await FlushAsync(cancellationToken);
        }
        finally
        {
            _sending.Release();
        }
    }

    /// <summary>Puts a notification into the queue; it is dropped if the client does not keep up.</summary>
    public void Notify(ReadOnlyMemory<byte> body) => _notifications.Writer.TryWrite(body);

    /// <summary>Sends notifications until the connection ends.</summary>
    public async Task SendNotificationsAsync(CancellationToken cancellationToken)
    {
        await foreach (var body in _notifications.Reader.ReadAllAsync(cancellationToken))
            await SendAsync([NotifyCommand, body], cancellationToken);
    }

    public void Dispose()
    {
        _curve.Dispose();
        _sending.Dispose();
    }

    // The only command of an open connection is PING, which wants its context back; others are passed over (ZeroMQ RFC 37, 2.5).
    private async ValueTask ObeyAsync(ReadOnlyMemory<byte> command, CancellationToken cancellationToken)
    {
        const int ContextStart = 5 + 2, MaxContextLength = 16;
        if (!command.Span.StartsWith("\u0004PING"u8) || command.Length is < ContextStart or > ContextStart + MaxContextLength)
            return;
        byte[] pong = [.. "\u0004PONG"u8, .. command.Span[ContextStart..]];
        await _sending.WaitAsync(cancellationToken);
        try
        {
            _curve.Seal(_transport.Transport.Output, pong, isCommand: true);
            await FlushAsync(cancellationToken);
        }
        finally
        {
            _sending.Release();
        }
    }

    private async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        var flush = _transport.Transport.Output.FlushAsync(cancellationToken);
        if (flush.IsCompleted)
        {
            await flush;
            return;
        }

        try
        {
            await flush.AsTask().WaitAsync(SendLimit, _time, cancellationToken);
        }
        catch (TimeoutException)
        {
            _transport.Abort(new ConnectionAbortedException("The client does not read."));
            throw new ConnectionAbortedException("The client does not read.");
        }
    }

    private async ValueTask<(ZmtpFrameHead Head, byte[] Body)?> ReadFrameAsync(int maxLength, CancellationToken cancellationToken)
    {
        var input = _transport.Transport.Input;
        ZmtpFrameHead head;
        while (true)
        {
            var read = await input.ReadAsync(cancellationToken);
            if (ZmtpFraming.TryReadHead(read.Buffer, out head, out var consumed, out var isMalformed))
            {
                input.AdvanceTo(read.Buffer.GetPosition(consumed));
                break;
            }

            input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            if (isMalformed || read.IsCompleted)
                return null;
        }

        if (head.Length > maxLength)
            return null;
        // A client that only announces much gets no memory for it: the buffer grows with what arrives.
        var body = new byte[Math.Min((int)head.Length, FirstBufferLength)];
        for (var filled = 0; filled < head.Length;)
        {
            var read = await input.ReadAsync(cancellationToken);
            if (read.Buffer.IsEmpty && read.IsCompleted)
                return null;
            var taken = (int)Math.Min(read.Buffer.Length, head.Length - filled);
            if (filled + taken > body.Length)
                Array.Resize(ref body, (int)Math.Min(head.Length, Math.Max(2L * body.Length, filled + taken)));
            read.Buffer.Slice(0, taken).CopyTo(body.AsSpan(filled));
            input.AdvanceTo(read.Buffer.GetPosition(taken));
            filled += taken;
        }

        return (head, body);
    }
}
