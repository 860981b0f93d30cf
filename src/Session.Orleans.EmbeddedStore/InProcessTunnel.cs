using System.Net;
using System.Net.Sockets;
using RESPite.Transports;
using StackExchange.Redis;
using StackExchange.Redis.Configuration;

namespace Session.Orleans.EmbeddedStore;

/// <summary>Leads a Redis client to the server in the same process.</summary>
internal sealed class InProcessTunnel(InProcessServer server) : Tunnel
{
#pragma warning disable SER009 // see InProcessTransport
    public override ValueTask<DuplexTransport?> ConnectTransportAsync(
        EndPoint endpoint, ConnectionType connectionType, TlsOptions tls, CancellationToken cancellationToken) =>
        new(server.Connect());
#pragma warning restore SER009

    public override ValueTask<EndPoint?> GetSocketConnectEndpointAsync(EndPoint endpoint, CancellationToken cancellationToken) => default;

    public override ValueTask<Stream?> BeforeAuthenticateAsync(
        EndPoint endpoint, ConnectionType connectionType, Socket? socket, CancellationToken cancellationToken) => default;

    public override string ToString() => "in-process";
}
