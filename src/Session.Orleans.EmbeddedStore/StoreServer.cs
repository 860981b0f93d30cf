using System.Net;
using Garnet;
using Garnet.networking;
using Garnet.server;
using Microsoft.Extensions.Logging;

namespace Session.Orleans.EmbeddedStore;

/// <summary>Garnet with an end for clients of this process and, if wanted, one that listens.</summary>
internal sealed class StoreServer : GarnetServer
{
    private StoreServer(GarnetServerOptions options, CommitGate? gate, InProcessServer local, IGarnetServer[] ends, ILoggerFactory? loggerFactory)
        : base(options, loggerFactory, ends)
    {
        Local = local;
        if (gate is not null)
            gate.Log = storeWrapper.appendOnlyFile.Log;
    }

    /// <summary>Where clients of this process connect.</summary>
    public InProcessServer Local { get; }

    /// <param name="options">The server's options; with an append-only file, no reply leaves before its writes are in it.</param>
    /// <param name="listenAt">Where to listen; null does not listen.</param>
    /// <param name="failure">Whether a write has failed.</param>
    /// <param name="loggerFactory">Receives the server's log.</param>
    public static StoreServer Create(GarnetServerOptions options, EndPoint? listenAt, WriteFailure failure, ILoggerFactory? loggerFactory)
    {
        var gate = options.EnableAOF ? new CommitGate(failure) : null;
        var local = new InProcessServer(gate);
        IGarnetServer[] ends = listenAt is null ? [local] : [local, new Listener(listenAt, gate)];
        return new StoreServer(options, gate, local, ends, loggerFactory);
    }

    /// <summary>The usual listener; it only puts the gate in front of each connection's sender.</summary>
    private sealed class Listener(EndPoint endPoint, CommitGate? gate) : GarnetServerTcp(endPoint), IGarnetServer
    {
        void IGarnetServer.Register(WireFormat wireFormat, ISessionProvider backendProvider) =>
            Register(wireFormat, gate is null ? backendProvider : new GatedProvider(backendProvider, gate));
    }

    private sealed class GatedProvider(ISessionProvider inner, CommitGate gate) : ISessionProvider
    {
        public MaxSizeSettings GetMaxSizeSettings => inner.GetMaxSizeSettings;

        public IMessageConsumer GetSession(WireFormat wireFormat, INetworkSender networkSender) =>
            inner.GetSession(wireFormat, new GatedSender(networkSender, gate));
    }

    private sealed unsafe class GatedSender(INetworkSender inner, CommitGate gate) : INetworkSender
    {
        public MaxSizeSettings GetMaxSizeSettings => inner.GetMaxSizeSettings;

        public string RemoteEndpointName => inner.RemoteEndpointName;

        public string LocalEndpointName => inner.LocalEndpointName;

        public bool IsLocalConnection() => inner.IsLocalConnection();

        public void Enter() => inner.Enter();

        public void EnterAndGetResponseObject(out byte* head, out byte* tail) => inner.EnterAndGetResponseObject(out head, out tail);

        public void Exit() => inner.Exit();

        public void ExitAndReturnResponseObject() => inner.ExitAndReturnResponseObject();

        public void GetResponseObject() => inner.GetResponseObject();

        public void ReturnResponseObject() => inner.ReturnResponseObject();

        public byte* GetResponseObjectHead() => inner.GetResponseObjectHead();

        public byte* GetResponseObjectTail() => inner.GetResponseObjectTail();

        public bool SendResponse(int offset, int size)
        {
            gate.Pass();
            return inner.SendResponse(offset, size);
        }

        public void SendResponse(byte[] buffer, int offset, int count, object context)
        {
            gate.Pass();
            inner.SendResponse(buffer, offset, count, context);
        }

        public void SendCallback(object context) => inner.SendCallback(context);

        public void DisposeNetworkSender(bool waitForSendCompletion) => inner.DisposeNetworkSender(waitForSendCompletion);

        public void Throttle() => inner.Throttle();

        public bool TryClose() => inner.TryClose();

        public void Dispose() => inner.Dispose();
    }
}
