using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Orleans.Placement;
using Session.Orleans.Grains.Network;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.Grains.ServiceNodes;

/// <summary>
/// Plays one service node. Reentrant: a hop spends nearly all its time waiting for the next one, and no field changes after activation, so
/// that any interleaving is safe, and any thread (<see cref="ServiceNodeCalls"/>). Placed by hash: the default prefers the silo that calls first, and the few nodes there are would all stay
/// on the silo that started first.
/// </summary>
[GrainType("service-node"), Reentrant, HashBasedPlacement]
internal sealed partial class ServiceNodeGrain(
    NetworkViewSource views, ServiceNodeCalls nodes, StorageRpcService storageRpc, ServerRelay serverRelay, TimeProvider time,
    ILogger<ServiceNodeGrain> logger)
    : Grain, IServiceNodeGrain
{
    /// <summary>How long a node waits for the next one (onion-requests.md, 7).</summary>
    private static readonly TimeSpan HopLimit = TimeSpan.FromSeconds(30);

    private Ed25519PublicKey _key;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _key = Ed25519PublicKey.ParseHex(this.GetPrimaryKeyString());
        nodes.Local.Activated(_key, this);
        return Task.CompletedTask;
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
        using var activity = StartActivity(view, self, number);
        if (number > OnionEnvelope.MaxHopNumber && !request.IsGuard)
            return Ended(activity, "refused", NodeReply.Text(400, "onion request max path length exceeded"));

        if (!OnionLayer.TryOpen(self.Keys.X25519, request.EphemeralKey, request.Cipher, request.Ciphertext.Span, out var plaintext, out var key))
            return Ended(activity, "invalid", NodeReply.Text(400, "Invalid ciphertext"));
        if (!OnionInstruction.TryParse(plaintext, out var instruction))
            return Ended(activity, "invalid", SealError(key, 400, "Invalid json"));

        switch (instruction)
        {
            case OnionInstruction.ToNode next:
                activity?.SetTag(GrainsTelemetry.Instruction, "node");
                return Ended(activity, null, await ForwardAsync(view, self, next, number, cancellationToken));
            case OnionInstruction.ToServer server:
                if (!server.IsAllowed || !serverRelay.IsAllowed(server))
                    return Ended(activity, "server", SealError(key, 400, "Invalid url"));
                activity?.SetTag(GrainsTelemetry.Instruction, "server");
                return Ended(activity, null, await serverRelay.PostAsync(server, cancellationToken));
            case OnionInstruction.ToDestination destination:
                activity?.SetTag(GrainsTelemetry.Instruction, "destination");
                var reply = await storageRpc.ExecuteAsync(self, view, destination.Request, cancellationToken);
                return Ended(activity, null, new(
                    200, OnionReply.Seal(key, reply.Status, reply.Body.Span, reply.IsJson, destination.Json, destination.Base64), IsJson: false));
            default:
                throw new UnreachableException();
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

    private async ValueTask<NodeReply> ForwardAsync(ServiceNode node, RelayRequest request, CancellationToken cancellationToken)
    {
        try
        {
            var reply = await nodes.To(node).RelayAsync(request, cancellationToken);
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

    private static Activity? StartActivity(NetworkView view, ServiceNode self, int number) =>
        GrainsTelemetry.Source.StartInGrain(GrainsTelemetry.HopSpan).Carry()?
            .SetTag(GrainsTelemetry.HopNumber, number)
            .SetTag(GrainsTelemetry.Node, self.ShortId)
            .SetTag(GrainsTelemetry.Swarm, self.SwarmId.ToString())
            .SetTag(GrainsTelemetry.Fault, view.Faults?.At(self.Index)?.Kinds);

    private static NodeReply Ended(Activity? activity, string? instruction, NodeReply reply)
    {
        if (activity is not null)
        {
            if (instruction is not null)
                activity.SetTag(GrainsTelemetry.Instruction, instruction);
            activity.SetTag(GrainsTelemetry.Status, reply.Status);
            if (reply.Status >= 500)
                activity.SetStatus(ActivityStatusCode.Error);
        }

        return reply;
    }

    [LoggerMessage(EventId = 2201, Level = LogLevel.Warning, Message = "The next hop did not answer")]
    private partial void LogNextHopFailed(Exception exception);
}
