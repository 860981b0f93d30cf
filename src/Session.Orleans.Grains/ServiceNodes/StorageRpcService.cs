using System.Buffers;
using System.Collections.Immutable;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Session.Orleans.Grains.Mailboxes;
using Session.Orleans.Grains.Names;
using Session.Orleans.Grains.Network;
using Session.Orleans.Protocol.Onion;
using Session.Orleans.Protocol.StorageRpc;
using Session.Orleans.Protocol.Swarms;

namespace Session.Orleans.Grains.ServiceNodes;

/// <summary>
/// Executes the storage RPC on behalf of a service node: parsing, the swarm check, times and signatures, the call of the mailbox, and the
/// reply with every member's signature (storage-rpc.md). The same for requests that came directly and those that came through an onion.
/// </summary>
internal sealed partial class StorageRpcService(
    MailboxGrains mailboxes, NameRpc names, NodeRateLimiter limiter, GrainsMetrics metrics, IOptions<LimitOptions> limits, TimeProvider time, ILogger<StorageRpcService> logger)
{
    // Enough for a store's reply, which has one signature for each of up to 50 members.
    private const int ScratchBytes = 16 * 1024;

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? _scratch;

    private readonly StorageParseOptions _parseOptions = new(TestNetwork: true, limits.Value.OfRequests());
    private readonly int _largestReply = limits.Value.RetrieveBytes;

    /// <summary>Executes one request that came directly.</summary>
    /// <param name="self">The node that was asked.</param>
    /// <param name="view">The network as this silo sees it.</param>
    /// <param name="body">The request's JSON text.</param>
    /// <param name="cancellationToken">Cancelled when the client hangs up.</param>
    public async ValueTask<NodeReply> ExecuteAsync(
        ServiceNode self, NetworkView view, ReadOnlyMemory<byte> body, CancellationToken cancellationToken) =>
        Own(await RunAsync(self, view, body, cancellationToken));

    /// <summary>Executes the request at the end of an onion.</summary>
    /// <param name="self">The node that was asked.</param>
    /// <param name="view">The network as this silo sees it.</param>
    /// <param name="destination">The request, and how to answer it.</param>
    /// <param name="key">Key of the layer in which it came, which seals the reply.</param>
    /// <param name="cancellationToken">Cancelled when the client hangs up.</param>
    /// <returns>The reply as it travels back.</returns>
    public async ValueTask<NodeReply> ExecuteAsync(
        ServiceNode self, NetworkView view, OnionInstruction.ToDestination destination, OnionLayerKey key, CancellationToken cancellationToken)
    {
        var reply = await RunAsync(self, view, destination.Request, cancellationToken);
        var (body, rented) = OnionReply.SealRented(key, reply.Status, reply.Body.Span, reply.IsJson, destination.Json, destination.Base64);
        reply.Release();
        return new(200, body, IsJson: false) { Rented = rented };
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<StorageReply> RunAsync(ServiceNode self, NetworkView view, ReadOnlyMemory<byte> body, CancellationToken cancellationToken)
    {
        using var activity = GrainsTelemetry.Source.StartInGrain(GrainsTelemetry.RpcSpan).Carry();
        var startedAt = metrics.Now;
        if (!StorageRequest.TryParse(body.Span, _parseOptions, out var request, out var error))
            return Refused(activity, startedAt, error);
        return await RunAsync(self, view, request, activity, startedAt, cancellationToken);
    }

    /// <summary>A reply that goes to others, who keep it for as long as they like.</summary>
    private static NodeReply Own(StorageReply reply)
    {
        if (reply.Rented is null)
            return new(reply.Status, reply.Body, reply.IsJson);
        var body = reply.Body.ToArray();
        reply.Release();
        return new(reply.Status, body, reply.IsJson);
    }

    /// <summary>Executes one request that came as a message, and answers in the form of its parameters (storage-rpc.md, 17).</summary>
    /// <param name="self">The node that was asked.</param>
    /// <param name="view">The network as this silo sees it.</param>
    /// <param name="method">The method's name.</param>
    /// <param name="parameters">The message part.</param>
    /// <param name="cancellationToken">Cancelled when the client hangs up.</param>
    public async ValueTask<NodeReply> ExecuteMessageAsync(
        ServiceNode self, NetworkView view, string method, ReadOnlyMemory<byte> parameters, CancellationToken cancellationToken)
    {
        using var activity = GrainsTelemetry.Source.StartInGrain(GrainsTelemetry.RpcSpan).Carry();
        var startedAt = metrics.Now;
        if (!StorageRequest.TryParseMessage(
            Encoding.UTF8.GetBytes(method), parameters.Span, _parseOptions, out var form, out var request, out var error))
            return Own(Refused(activity, startedAt, error));
        var reply = Own(await RunAsync(self, view, request, activity, startedAt, cancellationToken));
        return form is RequestForm.Bencode && reply.IsJson
            ? new(reply.Status, BencodedReplies.FromJson(reply.Body), IsJson: false)
            : reply;
    }

    private StorageReply Refused(Activity? activity, long startedAt, StorageError error)
    {
        metrics.Rpc("invalid", error.Status, startedAt);
        activity?.SetTag(GrainsTelemetry.Status, error.Status).SetTag(GrainsTelemetry.Result, GrainsMetrics.ResultOf(error.Status));
        return StorageReply.FromError(error);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<StorageReply> RunAsync(
        ServiceNode self, NetworkView view, StorageRequest request, Activity? activity, long startedAt, CancellationToken cancellationToken)
    {
        var clock = new ServerClock(time.GetUtcNow().ToUnixTimeMilliseconds(), view.HardFork);
        var reply = await ExecuteAsync(new(self, view, clock, cancellationToken), request);
        metrics.Rpc(request.Method, reply.Status, startedAt);
        if (activity is { IsAllDataRequested: true })
        {
            activity.SetTag(GrainsTelemetry.Method, request.Method)
                .SetTag(GrainsTelemetry.Swarm, self.SwarmId.ToString())
                .SetTag(GrainsTelemetry.Node, self.ShortId)
                .SetTag(GrainsTelemetry.Namespace, request switch
                {
                    StoreRequest store => NamespaceClass.Of(store.Namespace),
                    RetrieveRequest retrieve => NamespaceClass.Of(retrieve.Namespace),
                    _ => null,
                })
                .SetTag(GrainsTelemetry.Fault, view.Faults?.At(self.Index)?.Kinds)
                .SetTag(GrainsTelemetry.Status, reply.Status)
                .SetTag(GrainsTelemetry.Result, GrainsMetrics.ResultOf(reply.Status));
            if (reply.Status >= 500)
                activity.SetStatus(ActivityStatusCode.Error);
        }

        return reply;
    }

    private ValueTask<StorageReply> ExecuteAsync(StorageCall call, StorageRequest request) => request switch
    {
        AccountRequest mailbox => ExecuteMailboxAsync(call, mailbox),
        BatchRequest batch => BatchAsync(call, batch.Requests),
        SequenceRequest sequence => SequenceAsync(call, sequence.Requests),
        IfElseRequest ifElse => IfElseAsync(call, ifElse),
        GetSwarmRequest getSwarm => new(SwarmOf(call, getSwarm.Account, status: 200)),
        InfoRequest => new(Write(output => StorageReplies.WriteInfo(output, call.Clock))),
        OxendRequest oxend => OxendAsync(call, oxend),
        _ => throw new UnreachableException(),
    };

    /// <summary>All at once: what they do to the same mailbox is put in order there.</summary>
    private async ValueTask<StorageReply> BatchAsync(StorageCall call, ImmutableArray<StorageRequest> requests)
    {
        var running = new Task<StorageReply>[requests.Length];
        for (var i = 0; i < requests.Length; i++)
            running[i] = ExecuteAsync(call, requests[i]).AsTask();
        var replies = await Task.WhenAll(running);
        return WriteBatch(replies);
    }

    private async ValueTask<StorageReply> SequenceAsync(StorageCall call, ImmutableArray<StorageRequest> requests)
    {
        var replies = new List<StorageReply>(requests.Length);
        foreach (var request in requests)
        {
            replies.Add(await ExecuteAsync(call, request));
            if (!replies[^1].IsSuccess)
                break;
        }

        return WriteBatch([.. replies]);
    }

    private static StorageReply WriteBatch(StorageReply[] replies)
    {
        var reply = Write(output => StorageReplies.WriteBatch(output, replies));
        foreach (var part in replies)
            part.Release();
        return reply;
    }

    private async ValueTask<StorageReply> IfElseAsync(StorageCall call, IfElseRequest request)
    {
        var holds = request.Condition.Holds(call.View.HardFork, call.View.Height);
        StorageReply? result = (holds ? request.Then : request.Else) is { } branch ? await ExecuteAsync(call, branch) : null;
        var reply = Write(output => StorageReplies.WriteIfElse(output, holds, call.View.Height, call.View.HardFork, result));
        result?.Release();
        return reply;
    }

    /// <summary>The account's swarm: the reply of <c>get_swarm</c> and, with status 421, the refusal of a request that went to another.</summary>
    private static StorageReply SwarmOf(StorageCall call, AccountId account, int status)
    {
        var swarm = call.View.SwarmOf(account);
        var nodes = swarm?.SnodesJson ?? default;
        return Write(output => StorageReplies.WriteSwarm(output, nodes.Span, swarm?.Id ?? SwarmId.Unassigned, call.Clock), status);
    }

    private ValueTask<StorageReply> OxendAsync(StorageCall call, OxendRequest request)
    {
        JsonElement parameters = default;
        if (!request.ParametersJson.IsEmpty)
        {
            using var document = JsonDocument.Parse(request.ParametersJson);
            parameters = document.RootElement.Clone();
        }

        if (request.Endpoint == OxendRequest.OnsResolve)
            return OnsResolveAsync(call, parameters);
        if (!ServiceNodeList.TryParse(parameters, out var list))
            return new(StorageReply.FromError(new(400, "RPC error -32602: Invalid params")));
        var result = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(result))
            list.Write(json, call.View);
        return new(Write(output => StorageReplies.WriteOxend(output, result.WrittenSpan, call.Clock)));
    }

    /// <summary>Writes a reply into an array that is rented, unless it is a large one.</summary>
    private static StorageReply Write(Action<IBufferWriter<byte>> write, int status = 200)
    {
        var output = _scratch ??= new(ScratchBytes);
        output.ResetWrittenCount();
        write(output);
        if (output.Capacity > ScratchBytes)
        {
            _scratch = null; // has grown for this reply, which keeps it
            return StorageReply.Json(output.WrittenMemory, status);
        }

        var body = ArrayPool<byte>.Shared.Rent(output.WrittenCount);
        output.WrittenSpan.CopyTo(body);
        return StorageReply.Json(body.AsMemory(0, output.WrittenCount), status) with { Rented = body };
    }
}
