using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Session.Orleans.Gateway.Admin;
using Session.Orleans.Gateway.Communities;
using Session.Orleans.Gateway.Files;
using Session.Orleans.Gateway.Nodes;
using Session.Orleans.Gateway.Omq;
using Session.Orleans.Gateway.Seed;
using Session.Orleans.Gateway.Services;
using Session.Orleans.Grains;
using Session.Orleans.Grains.Communities;
using Session.Orleans.Grains.Network;
using Session.Orleans.Grains.ServiceNodes;

namespace Session.Orleans.Gateway.Hosting;

/// <summary>Adds the gateway to a host: services, listening ports, requests.</summary>
public static class GatewayExtensions
{
    /// <summary>Registers the gateway's services and its Kestrel configuration.</summary>
    public static WebApplicationBuilder AddSessionGateway(this WebApplicationBuilder builder)
    {
        builder.Services.AddSectionOptions<GatewayOptions>(GatewayOptions.Section);
        builder.Services.AddSectionOptions<RateLimitOptions>(RateLimitOptions.Section);
        builder.Services.AddSingleton<ClientRateLimiter>();
        builder.Services.AddSingleton<RequestGate>();
        builder.Services.AddSingleton<BodyMemory>();
        builder.Services.AddSingleton<GatewayMetrics>();
        builder.Services.AddSingleton<Drain>();
        builder.Services.AddHostedService(services => services.GetRequiredService<Drain>());
        builder.Services.AddHostedService<OpensWhenReady>();
        builder.Services.AddSingleton<NodeReadiness>();
        builder.Services.AddSingleton<FaultDoor>();
        builder.Services.AddSingleton<NodeEndpoints>();
        builder.Services.AddSingleton<SeedEndpoints>();
        builder.Services.AddSingleton<OmqMonitors>();
        builder.Services.AddSingleton<OmqEndpoint>();
        // The way to this network's own services is open.
        builder.Services.AddOptions<ServerRelayOptions>().PostConfigure<IOptions<GatewayOptions>, IOptions<NetworkOptions>>((relay, gateway, network) =>
        {
            if (gateway.Value.CommunityPort is { } port and > 0)
                relay.AllowOwn(network.Value.PublicIp, gateway.Value.Bind, port);
        });
        builder.Services.AddSingleton<CommunityServer>();
        builder.Services.AddSingleton<CommunityAdminEndpoints.Services>();
        builder.Services.AddSingleton<CommunityEndpoints>();
        builder.Services.AddSingleton<CommunitySetup>();
        builder.Services.AddHostedService(services => services.GetRequiredService<CommunitySetup>());
        builder.Services.AddSingleton<AdminToken>();
        builder.Services.AddSingleton<FaultOrders>();
        AddFiles(builder);
        builder.Services.AddRouting();
        builder.Services.AddSingleton<AdminProblems>();
        builder.Services.ConfigureHttpJsonOptions(json =>
        {
            json.SerializerOptions.TypeInfoResolverChain.Insert(0, AdminJsonContext.Default);
            json.SerializerOptions.NumberHandling = JsonNumberHandling.Strict;
        });
        builder.Services.Configure<RouteHandlerOptions>(routes => routes.ThrowOnBadRequest = true); // for AdminProblems to explain
        builder.Services.AddOpenApi(AdminOpenApi.DocumentName, AdminOpenApi.Configure);
        builder.Services.AddSingleton<IConfigureOptions<KestrelServerOptions>, GatewayKestrelSetup>();
        builder.Services.AddOptions<SocketTransportOptions>().Configure<IOptions<GatewayOptions>>((sockets, gateway) =>
        {
            if (gateway.Value.SharePorts)
                sockets.CreateBoundListenSocket = endPoint => BindShared(endPoint, gateway.Value.HealthPort);
        });
        return builder;
    }

    private static void AddFiles(WebApplicationBuilder builder)
    {
        builder.Services.AddSectionOptions<FilesOptions>(FilesOptions.Section);
        builder.Services.AddHostedService<FileCleaner>(); // rooms have files, too
        if (!builder.Configuration.GetSection(FilesOptions.Section).GetValue(nameof(FilesOptions.Enabled), defaultValue: true))
            return;
        builder.Services.AddSingleton<FileServerKeys>();
        builder.Services.AddSingleton<FileEndpoints>();
        // Exit nodes may post to the network's own servers without being told so.
        builder.Services.AddOptions<ServerRelayOptions>().PostConfigure<IOptions<GatewayOptions>, IOptions<NetworkOptions>>(
            (relay, gateway, network) => relay.AllowOwn(network.Value.PublicIp, gateway.Value.Bind, gateway.Value.FilePort));
    }

    /// <summary>A socket beside others on the same port, but for the one that is this process's own.</summary>
    private static Socket BindShared(EndPoint endPoint, int? healthPort)
    {
        if (endPoint is not IPEndPoint ip || ip.Port == healthPort)
            return SocketTransportOptions.CreateDefaultBoundListenSocket(endPoint);
        var socket = new Socket(ip.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true); // .NET makes it SO_REUSEPORT as well
            socket.Bind(ip);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Routes each connection's requests to the door it came in by.</summary>
    /// <param name="app">The host.</param>
    /// <param name="pages">Adds pages to the admin port; they come before the API and see to the right of access themselves.</param>
    public static WebApplication UseSessionGateway(this WebApplication app, Action<IApplicationBuilder>? pages = null)
    {
        var drain = app.Services.GetRequiredService<Drain>();
        var nodes = app.Services.GetRequiredService<NodeEndpoints>();
        var views = app.Services.GetRequiredService<NetworkViewSource>();
        app.Use(next => context =>
        {
            drain.OnRequest(context);
            // The doors of nodes come first: nearly all requests are theirs, and each branch below costs every request that passes it.
            if (context.Features.Get<GatewayListener>() is not { Role: GatewayRole.Node } listener)
                return next(context);
            ServiceNode? node = null;
            _ = views.Current?.TryGetNode(listener.NodeIndex, out node);
            return nodes.HandleAsync(context, node, context.Request.Path);
        });
        app.MapWhen(IsAdmin, admin =>
        {
            var problems = app.Services.GetRequiredService<AdminProblems>();
            admin.Use(next => context => problems.InvokeAsync(context, next));
            pages?.Invoke(admin);
            admin.UseRouting();
            admin.UseEndpoints(AdminEndpoints.Map);
        });
        app.MapWhen(IsCommunity, community =>
        {
            var endpoints = app.Services.GetRequiredService<CommunityEndpoints>();
            community.UseServerOnions(app.Services.GetRequiredService<CommunityKeys>().KeyPair, new() { V3Prefix = "/legacy/" });
            community.Run(endpoints.HandleAsync);
        });

        if (app.Services.GetService<FileEndpoints>() is { } files)
        {
            var keys = app.Services.GetRequiredService<FileServerKeys>().Pair.X25519;
            var options = app.Services.GetRequiredService<IOptions<FilesOptions>>().Value;
            app.MapWhen(static context => context.Features.Get<GatewayListener>() is { Role: GatewayRole.Files }, server =>
            {
                server.Use(next => context =>
                {
                    files.LimitSlowness(context);
                    return next(context);
                });
                server.UseServerOnions(keys, new() { MaxBytesInMemory = options.OnionMemoryMiB * 1024L * 1024 });
                server.Run(files.HandleAsync);
            });
        }

        MalformedLengthReply.Attach(app.Services.GetRequiredService<DiagnosticListener>());
        _ = app.Services.GetRequiredService<AdminToken>(); // made now, so that its file is there when the network is ready
        app.Run(app.Services.GetRequiredService<SeedEndpoints>().HandleAsync);
        return app;

        static bool IsCommunity(HttpContext context) => context.Features.Get<GatewayListener>() is { Role: GatewayRole.Community };
        static bool IsAdmin(HttpContext context) => context.Features.Get<GatewayListener>() is { Role: GatewayRole.Admin };
    }
}

/// <summary>Opens the gateway's ports.</summary>
internal sealed class GatewayKestrelSetup(IOptions<GatewayOptions> options, IOptions<FilesOptions> files, OmqEndpoint omq, TimeProvider time, CertificateKey? key = null) : IConfigureOptions<KestrelServerOptions>
{
    // As long as Kestrel keeps a connection between two requests.
    private static readonly TimeSpan FirstByteLimit = TimeSpan.FromSeconds(130);

    public void Configure(KestrelServerOptions kestrel)
    {
        var gateway = options.Value;
        if (!IPAddress.TryParse(gateway.Bind, out var address))
            throw new InvalidOperationException($"Gateway:Bind must be an IP address, not '{gateway.Bind}'.");

        kestrel.AddServerHeader = false; // replies name the storage server they stand for
        kestrel.Limits.MaxRequestBodySize = null; // the limit is the protocol's, with the protocol's answer
        kestrel.Limits.MaxRequestBufferSize = BodyMemory.FreeBytes; // of each connection, besides what BodyMemory counts
        kestrel.Limits.KeepAliveTimeout = TimeSpan.FromMinutes(2);
        kestrel.Listen(address, gateway.AdminPort, listen => Mark(listen, new(GatewayRole.Admin)));
        if (gateway.HealthPort is { } health)
            kestrel.Listen(address, health, listen => Mark(listen, new(GatewayRole.Admin)));
        if (!gateway.TakesClients)
            return;
        var certificate = GatewayCertificate.LoadOrCreate(gateway, time, key);
        kestrel.Listen(address, gateway.SeedPort, listen => Secure(listen, certificate, new(GatewayRole.Seed), allowPlain: true));
        if (gateway.CommunityPort is { } community)
            kestrel.Listen(address, community, listen => Secure(listen, certificate, new(GatewayRole.Community), allowPlain: true));
        if (files.Value.Enabled)
        {
            kestrel.Listen(address, gateway.FilePort, listen =>
            {
                listen.Protocols = HttpProtocols.Http1; // whose requests can be held to a speed each
                Secure(listen, certificate, new(GatewayRole.Files), allowPlain: true);
            });
        }

        for (var index = 0; index < gateway.NodePorts; index++)
        {
            var node = new GatewayListener(GatewayRole.Node, index);
            kestrel.Listen(address, gateway.NodePortBase + index, listen => Secure(listen, certificate, node, allowPlain: false));
            if (gateway.OmqEnabled)
                kestrel.Listen(address, gateway.NodePortBase + NetworkOptions.MaxNodes + index, listen => Speak(listen, omq, node.NodeIndex));
        }
    }

    private static void Speak(ListenOptions listen, OmqEndpoint omq, int nodeIndex)
    {
        listen.Protocols = HttpProtocols.Http1; // what Kestrel would make of it; no request ever gets there
        listen.Run(connection => omq.ServeAsync(connection, nodeIndex));
    }

    private static void Mark(ListenOptions listen, GatewayListener listener) => listen.Use(next => connection =>
    {
        connection.Features.Set(listener);
        return next(connection);
    });

    private static void Secure(ListenOptions listen, X509Certificate2 certificate, GatewayListener listener, bool allowPlain)
    {
        Mark(listen, listener);
        if (!allowPlain)
        {
            listen.UseHttps(certificate);
            MalformedLengthReply.Prepare(listen);
            return;
        }

        // Some clients ask a private seed over plain http: the first byte of a connection tells TLS from HTTP.
        ConnectionDelegate? withoutTls = null;
        listen.Use(next => async connection =>
        {
            if (await StartsTlsAsync(connection) is { } startsTls)
                await (startsTls ? next : withoutTls!)(connection);
        });
        listen.UseHttps(certificate);
        listen.Use(next => withoutTls = next);
        MalformedLengthReply.Prepare(listen);
    }

    /// <summary>Null if the client has left without a word, or says none for as long as an idle connection may be kept.</summary>
    private static async ValueTask<bool?> StartsTlsAsync(ConnectionContext connection)
    {
        const byte TlsHandshake = 0x16;
        var input = connection.Transport.Input;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(connection.ConnectionClosed);
        limit.CancelAfter(FirstByteLimit);
        try
        {
            var read = await input.ReadAsync(limit.Token);
            bool? startsTls = read.Buffer.IsEmpty ? null : read.Buffer.FirstSpan[0] == TlsHandshake;
            input.AdvanceTo(read.Buffer.Start);
            return startsTls;
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException)
        {
            return null; // no fault of ours: clients open connections that they turn out not to need
        }
    }
}
