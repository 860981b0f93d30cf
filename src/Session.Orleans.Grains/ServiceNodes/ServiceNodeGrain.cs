using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Placement;
using Session.Orleans.Grains.Network;
using Session.Orleans.Grains.Placement;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.Grains.ServiceNodes;

/// <summary>
/// Plays one service node. Reentrant: a hop spends nearly all its time waiting for the next one, and no field changes after activation, so
/// that any interleaving is safe, and any thread (<see cref="ServiceNodeCalls"/>). Placed by hash: the default prefers the silo that calls first, and the few nodes there are would all stay
/// on the silo that started first.
/// </summary>
[GrainType("service-node"), Reentrant, HashBasedPlacement, PrefersRole(SiloRole.Gateway)]
internal sealed partial class ServiceNodeGrain(
    NetworkViewSource views, ServiceNodeCalls nodes, StorageRpcService storageRpc, ServerRelay serverRelay, GrainsMetrics metrics, IOptions<TelemetryOptions> telemetry, TimeProvider time,
    ILogger<ServiceNodeGrain> logger)
    : Grain, IServiceNodeGrain
{
    /// <summary>How long a node waits for the next one (onion-requests.md, 7).</summary>
    private static readonly TimeSpan HopLimit = TimeSpan.FromSeconds(30);

    // Then it is better to say that the node is not ready.
    private static readonly TimeSpan ViewLimit = TimeSpan.FromSeconds(5);

    private Ed25519PublicKey _key;

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _key = Ed25519PublicKey.ParseHex(this.GetPrimaryKeyString());
        // A silo that has just started does not know the network yet. It will in a moment, and until then its nodes would refuse what others send them.
        await views.WaitForFirstAsync(cancellationToken).WaitAsync(ViewLimit, time, cancellationToken)
            .ConfigureAwait(ConfigureAwaitOptions.ContinueOnCapturedContext | ConfigureAwaitOptions.SuppressThrowing);
        nodes.Local.Activated(_key, this);
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        nodes.Local.Deactivated(_key, this);
        return Task.CompletedTask;
    }

    public async ValueTask<NodeReply> StorageRpcAsync(ReadOnlyMemory<byte> body, CancellationToken cancellationToken)
    {
        if (!TryGetSelf(out var view, out var self))
            return NotReady();
        return await storageRpc.ExecuteAsync(self, view, body, cancellationToken);
    }

    public async ValueTask<NodeReply> StorageMessageAsync(string method, ReadOnlyMemory<byte> parameters, CancellationToken cancellationToken)
    {
        if (!TryGetSelf(out var view, out var self))
            return NotReady();
        return await storageRpc.ExecuteMessageAsync(self, view, method, parameters, cancellationToken);
    }

    public async ValueTask<NodeReply> RelayAsync(RelayRequest request, CancellationToken cancellationToken)
    {
        if (!TryGetSelf(out var view, out var self))
            return NotReady();

        // The guard is told 0 or what the client pretends and never refuses; the others count from 1 (onion-requests.md, 4).
        var number = Math.Max(request.Number, 1);
        var hop = new Hop(metrics, number, StartActivity(view, self, number));
        try
        {
            if (number > OnionEnvelope.MaxHopNumber && !request.IsGuard)
                return hop.Ended("refused", NodeReply.Text(400, "onion request max path length exceeded"));

            // Where it lies, and so at every hop: one buffer serves the request from the client to its destination.
            if (!OnionLayer.TryOpenInPlace(
                self.Keys.X25519, request.EphemeralKey, request.Cipher, MemoryMarshal.AsMemory(request.Ciphertext), out var plaintext, out var key))
                return hop.Ended("invalid", NodeReply.Text(400, "Invalid ciphertext"));
            if (!OnionInstruction.TryParse(plaintext, out var instruction))
                return hop.Ended("invalid", SealError(key, 400, "Invalid json"));

            switch (instruction)
            {
                case OnionInstruction.ToNode next:
                    var reply = await ForwardAsync(view, self, next, number, cancellationToken);
                    return hop.Ended("node", reply);
                case OnionInstruction.ToServer server:
                    var answer = server.IsAllowed && serverRelay.IsAllowed(server)
                        ? await serverRelay.PostAsync(server, cancellationToken) : SealError(key, 400, "Invalid url");
                    return hop.Ended("server", answer);
                case OnionInstruction.ToDestination destination:
                    var result = await storageRpc.ExecuteAsync(self, view, destination, key, cancellationToken);
                    return hop.Ended("destination", result);
                default:
                    throw new UnreachableException();
            }
        }
        finally
        {
            hop.End();
        }
    }

    private ValueTask<NodeReply> ForwardAsync(
        NetworkView view, ServiceNode self, OnionInstruction.ToNode next, int number, CancellationToken cancellationToken)
    {
        if (!view.TryGetNode(next.Destination, out var node) || !node.Record.IsFunded)
            return new(NodeReply.Text(502, "Next node not found: " + next.Destination));
        var request = new RelayRequest(next.Ciphertext, next.EphemeralKey, next.Cipher, number + 1);
        return view.Faults is { } faults
            ? ForwardThroughFaultsAsync(faults, self, node, request, cancellationToken) : ForwardAsync(node, request, cancellationToken);
    }

    private async ValueTask<NodeReply> ForwardThroughFaultsAsync(
        FaultTable faults, ServiceNode self, ServiceNode node, RelayRequest request, CancellationToken cancellationToken)
    {
        var arrival = faults.Arrive(self.Index, node.Index, request.Ciphertext.Length);
        var delay = arrival.Outcome is ArrivalOutcome.Unanswered || arrival.Delay > HopLimit ? HopLimit : arrival.Delay;
        if (delay > TimeSpan.Zero)
            await Task.Delay(delay, time, cancellationToken);
        if (!arrival.Arrives || delay == HopLimit)
            return NodeReply.Text(504, "Request time out");
        if (faults.At(self.Index)?.Strikes(FaultKind.CorruptLayer) ?? false)
            request = request with { Ciphertext = Damage.Bytes(request.Ciphertext.Span) };
        var reply = await ForwardAsync(node, request, cancellationToken);
        return faults.At(node.Index)?.Strikes(FaultKind.CorruptReply) ?? false ? NodeReply.Text(500, "Invalid response from snode") : reply;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<NodeReply> ForwardAsync(ServiceNode node, RelayRequest request, CancellationToken cancellationToken)
    {
        try
        {
            var reply = await nodes.RelayAsync(node, request, cancellationToken);
            return Crosses(reply.Status) ? reply : reply with { Status = 500 };
        }
        catch (Exception exception) when (exception is TimeoutException or OrleansMessageRejectionException or SiloUnavailableException)
        {
            LogNextHopFailed(exception);
            return NodeReply.Text(504, "Request time out");
        }
    }

    /// <summary>Codes that survive the way from one node to another; all others become 500 (onion-requests.md, 6).</summary>
    private static bool Crosses(int status) =>
        status is 200 or 400 or 401 or 403 or 404 or 406 or 410 or 413 or 421 or 429 or 502 or 503 or 504;

    private static NodeReply SealError(in OnionLayerKey key, int status, string text) =>
        new(200, OnionReply.Seal(key, status, System.Text.Encoding.UTF8.GetBytes(text), bodyIsJson: false, json: false, base64: true), IsJson: false);

    private bool TryGetSelf(out NetworkView view, out ServiceNode self)
    {
        self = null!;
        return views.TryGet(out view!) && view.TryGetNode(_key, out self!) && view.IsHardForkReady;
    }

    private NodeReply NotReady() => NodeReply.Text(503, "Snode not ready: " + _key);

    private Activity? StartActivity(NetworkView view, ServiceNode self, int number)
    {
        var activity = (telemetry.Value.LinkHops
            ? GrainsTelemetry.Source.StartInGrain(GrainsTelemetry.HopSpan) : GrainsTelemetry.Source.StartLinkedInGrain(GrainsTelemetry.HopSpan)).Carry();
        return activity is not { IsAllDataRequested: true } ? activity
            : activity.SetTag(GrainsTelemetry.HopNumber, number)
                .SetTag(GrainsTelemetry.Node, self.ShortId)
                .SetTag(GrainsTelemetry.Swarm, self.SwarmId.ToString())
                .SetTag(GrainsTelemetry.Fault, view.Faults?.At(self.Index)?.Kinds);
    }

    /// <summary>One layer's stay at this node: its span and its time. One that ends without an answer was cancelled, or met a bug.</summary>
    private struct Hop(GrainsMetrics metrics, int number, Activity? activity)
    {
        private readonly long _startedAt = metrics.Now;
        private string _instruction = "unknown";
        private string _result = "cancelled";

        public NodeReply Ended(string instruction, NodeReply reply)
        {
            _instruction = instruction;
            _result = (instruction, reply.Status) switch
            {
                ("invalid" or "refused", _) => "refused",
                (_, < 400) => "ok",
                (_, 504) => "timeout",
                (_, 502) => "not_found",
                (_, < 500) => "refused",
                _ => "failed",
            };
            if (activity is { IsAllDataRequested: true })
            {
                activity.SetTag(GrainsTelemetry.Instruction, instruction).SetTag(GrainsTelemetry.Status, reply.Status).SetTag(GrainsTelemetry.Result, _result);
                if (reply.Status >= 500)
                    activity.SetStatus(ActivityStatusCode.Error);
            }

            return reply;
        }

        public readonly void End()
        {
            metrics.Hop(number, _instruction, _result, _startedAt); // before the span ends, so that the figure can point to it
            activity?.Dispose();
        }
    }

    [LoggerMessage(EventId = 2201, Level = LogLevel.Warning, Message = "The next hop did not answer")]
    private partial void LogNextHopFailed(Exception exception);
}
