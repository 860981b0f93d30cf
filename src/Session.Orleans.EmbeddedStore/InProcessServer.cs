using System.Collections.Concurrent;
using System.Net;
using Garnet.networking;
using Garnet.server;

namespace Session.Orleans.EmbeddedStore;

/// <summary>The server's end for clients of this process: it opens transports instead of listening.</summary>
/// <param name="gate">Every reply passes it; null lets replies out at once.</param>
internal sealed class InProcessServer(CommitGate? gate) : GarnetServerBase(Name, networkBufferSize: 0)
{
    /// <summary>Stands where a client wants an address; nothing resolves it.</summary>
    public static readonly DnsEndPoint Name = new("embedded-store", 1);

    private readonly ConcurrentDictionary<InProcessTransport, bool> _transports = new();
    private volatile bool _open;

    /// <summary>Opens a connection with a session of its own.</summary>
    /// <exception cref="ObjectDisposedException">The server is stopping.</exception>
    public InProcessTransport Connect()
    {
        ObjectDisposedException.ThrowIf(!_open, this);
        var transport = new InProcessTransport(CreateSession, gate, Remove);
        _transports.TryAdd(transport, true);
        IncrementConnectionsReceived();
        if (!_open)
        {
            // Close may have counted the connections before this one was among them.
            transport.Abort();
            ObjectDisposedException.ThrowIf(true, this);
        }

        return transport;
    }

    public override IEnumerable<IMessageConsumer> ActiveConsumers() => _transports.Keys.Select(static transport => transport.Session);

    public override IEnumerable<IClusterSession> ActiveClusterSessions() => [];

    public override void Start() => _open = true;

    public override void Close()
    {
        _open = false;
        foreach (var transport in _transports.Keys)
            transport.Abort();
    }

    public override void Dispose()
    {
        Close();
        base.Dispose();
    }

    private IMessageConsumer CreateSession(INetworkSender sender)
    {
        var provider = GetSessionProviders()[WireFormat.ASCII];
        AddSession(WireFormat.ASCII, ref provider, sender, out var session);
        return session;
    }

    private void Remove(InProcessTransport transport)
    {
        if (_transports.TryRemove(transport, out _))
            IncrementConnectionsDisposed();
    }
}
