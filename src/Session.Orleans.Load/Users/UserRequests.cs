using Session.Orleans.Client;
using Session.Orleans.Load.Network;
using Session.Orleans.Load.Plan;
using Session.Orleans.Load.Results;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Load.Users;

/// <summary>How a request ended after all its attempts.</summary>
/// <param name="Error">Class of the last failure; null for success.</param>
/// <param name="Trace">Trace id of the last attempt, if that is traced.</param>
/// <param name="IsRefused">True if whoever was asked said no: it is certain that nothing was done.</param>
internal readonly record struct Outcome(string? Error, string? Trace, bool IsRefused);

/// <summary>
/// Sends users' requests through their paths, with all attempts, and reacts to failures as clients do (onion-requests.md, 8). Safe for concurrent use.
/// </summary>
/// <param name="plan">Has attempts and limits.</param>
/// <param name="network">Where.</param>
/// <param name="recorder">Knows every failed attempt.</param>
/// <param name="clock">The run's clock.</param>
/// <param name="traces">Which requests are traced.</param>
internal sealed class UserRequests(LoadPlan plan, LoadNetwork network, Recorder recorder, RunClock clock, TraceSampler traces)
{
    private const int ServerError = 500;
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(100);

    private long _count;

    /// <summary>Onion requests so far.</summary>
    public long Count => Interlocked.Read(ref _count);

    /// <summary>The swarm of a mailbox; any node is asked for it if it is not known.</summary>
    public async ValueTask<(LoadSwarm? Swarm, Outcome Failed)> FindSwarmAsync(VirtualUser user, Mailbox mailbox, CancellationToken cancellationToken)
    {
        if (mailbox.Swarm is { } known)
            return (known, default);
        var start = clock.Now;
        LoadSwarm? found = null;
        var outcome = await AskAnyNodeAsync(
            user, StorageRequestWriter.ToArray(new GetSwarmRequest { Account = mailbox.Account }), taken: null,
            (body, sent) =>
            {
                if (StorageAnswers.ReadTime(body.Span) is { } server)
                    network.Clock.Learn(server, sent, NowMs);
                found = network.ReadSwarm(body);
                return found is null ? ErrorClass.Unreadable : null;
            },
            cancellationToken).ConfigureAwait(false);
        if (found is not null)
            mailbox.Swarm = found;
        recorder.Done(Operation.Swarm, start, clock.Now, outcome.Error, outcome.Trace);
        return (found, outcome);
    }

    /// <summary>Asks a member of the mailbox's swarm.</summary>
    /// <param name="user">Who.</param>
    /// <param name="mailbox">Whose swarm.</param>
    /// <param name="preferred">The member to ask first; null for any.</param>
    /// <param name="create">Makes the request for a member at a network time.</param>
    /// <param name="check">Reads the answer; what is not <see cref="ErrorReaction.Done"/> is a failure.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<Outcome> AskSwarmAsync(
        VirtualUser user, Mailbox mailbox, LoadNode? preferred, Func<LoadSwarm, LoadNode, long, StorageRequest> create,
        Func<LoadSwarm, LoadNode, ReadOnlyMemory<byte>, (ErrorReaction Reaction, string? Error)> check, CancellationToken cancellationToken)
    {
        var failed = new Outcome(ErrorClass.NoPath, null, false);
        for (var attempt = 1; attempt <= plan.Attempts; attempt++)
        {
            await PauseBeforeAsync(attempt, cancellationToken).ConfigureAwait(false);
            var (swarm, unknown) = await FindSwarmAsync(user, mailbox, cancellationToken).ConfigureAwait(false);
            if (swarm is null)
                return unknown;
            var node = attempt == 1 && preferred is not null && swarm.IndexOf(preferred) >= 0
                ? preferred : swarm.Members[user.Draw((ref SeededRandom random) => random.Next(swarm.Members.Length))];
            if (user.ChoosePath(network, node) is not { } path)
                break;
            var request = StorageRequestWriter.ToArray(create(swarm, node, network.Clock.NowMs));
            var (answer, trace) = await SendAsync(path, node, request, cancellationToken).ConfigureAwait(false);
            if (answer.IsDone)
            {
                user.ReportSuccess(path);
                var (reaction, error) = check(swarm, node, answer.Body);
                answer = answer with { Reaction = reaction, Error = error };
            }

            if (answer.IsDone)
                return new(null, trace, false);
            recorder.AttemptFailed(answer.Error!, clock.Now);
            React(answer, user, path, mailbox);
            failed = new(answer.Error, trace, answer.Reaction is ErrorReaction.ReturnToCaller or ErrorReaction.Unauthorized or ErrorReaction.ClockOutOfSync);
            if (failed.IsRefused || answer.Reaction is ErrorReaction.Stop)
                break;
        }

        return failed;
    }

    /// <summary>Asks a random node, another one at each attempt.</summary>
    /// <param name="user">Who.</param>
    /// <param name="request">What.</param>
    /// <param name="taken">Nodes that are not asked, to which those are added that are; several requests may share it. Null for none.</param>
    /// <param name="check">Reads the answer to a request that was sent at a time in unix ms, and gives the class of its failure, or null.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<Outcome> AskAnyNodeAsync(
        VirtualUser user, byte[] request, HashSet<LoadNode>? taken, Func<ReadOnlyMemory<byte>, long, string?> check, CancellationToken cancellationToken)
    {
        var failed = new Outcome(ErrorClass.NoPath, null, false);
        for (var attempt = 1; attempt <= plan.Attempts; attempt++)
        {
            await PauseBeforeAsync(attempt, cancellationToken).ConfigureAwait(false);
            if (DrawNode(user, taken) is not { } node || user.ChoosePath(network, node) is not { } path)
                break;
            var sent = NowMs;
            var (answer, trace) = await SendAsync(path, node, request, cancellationToken).ConfigureAwait(false);
            var error = answer.Error;
            if (answer.IsDone)
            {
                user.ReportSuccess(path);
                if ((error = check(answer.Body, sent)) is null)
                    return new(null, trace, false);
            }
            else
            {
                React(answer, user, path, mailbox: null);
            }

            failed = new(error ?? ErrorClass.Unreadable, trace, false);
            recorder.AttemptFailed(failed.Error!, clock.Now);
        }

        return failed;
    }

    /// <summary>Asks a server outside the network. What it refuses with 4xx is not repeated: it would be refused again.</summary>
    /// <param name="user">Who.</param>
    /// <param name="server">The server.</param>
    /// <param name="create">Makes the request anew for each attempt.</param>
    /// <param name="accept">Reads an answer with a status of 2xx, and gives the class of its failure, or null.</param>
    /// <param name="arrived">Looks, before a request is repeated that must not be carried out twice, whether it was; null if twice does no harm.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<Outcome> AskServerAsync(
        VirtualUser user, ServerAddress server, Func<OnionV4Request> create, Func<OnionV4Response, string?> accept, Func<Task<bool>>? arrived,
        CancellationToken cancellationToken)
    {
        var failed = new Outcome(ErrorClass.NoPath, null, false);
        for (var attempt = 1; attempt <= plan.Attempts; attempt++)
        {
            await PauseBeforeAsync(attempt, cancellationToken).ConfigureAwait(false);
            if (attempt > 1 && arrived is not null && await arrived().ConfigureAwait(false))
                return new(null, failed.Trace, false);
            if (user.ChoosePath(network, destination: null) is not { } path)
                break;
            var context = traces.Next(clock.Now >= plan.WarmUp);
            var trace = TraceSampler.IdOf(context);
            Interlocked.Increment(ref _count);
            var answer = await network.SendToServerAsync(path, server, create(), context, cancellationToken).ConfigureAwait(false);
            var (error, isRefused) = (answer.Error, false);
            if (answer.IsDone)
            {
                user.ReportSuccess(path);
                if (!OnionV4Response.TryParse(answer.Body, out var response))
                    error = ErrorClass.Unreadable;
                else if (response.Code is >= 200 and < 300)
                    error = accept(response);
                else
                    (error, isRefused) = (ErrorClass.Status(response.Code), response.Code < ServerError);
                if (error is null)
                    return new(null, trace, false);
            }
            else if (answer.Reaction is ErrorReaction.PathFailure)
            {
                user.ReportFailure(path);
            }

            failed = new(error, trace, isRefused);
            recorder.AttemptFailed(error!, clock.Now);
            if (isRefused)
                break;
        }

        return failed;
    }

    private async ValueTask<(Answer Answer, string? Trace)> SendAsync(LoadNode[] path, LoadNode node, byte[] request, CancellationToken cancellationToken)
    {
        var context = traces.Next(clock.Now >= plan.WarmUp);
        Interlocked.Increment(ref _count);
        return (await network.SendAsync(path, node, request, context, cancellationToken).ConfigureAwait(false), TraceSampler.IdOf(context));
    }

    private LoadNode? DrawNode(VirtualUser user, HashSet<LoadNode>? taken)
    {
        var nodes = network.Nodes;
        var first = user.Draw((ref SeededRandom random) => random.Next(nodes.Count));
        if (taken is null)
            return nodes[first];
        lock (taken)
        {
            for (var i = 0; i < nodes.Count; i++)
            {
                if (taken.Add(nodes[(first + i) % nodes.Count]))
                    return nodes[(first + i) % nodes.Count];
            }
        }

        return null;
    }

    private void React(in Answer answer, VirtualUser user, LoadNode[] path, Mailbox? mailbox)
    {
        switch (answer.Reaction)
        {
            case ErrorReaction.PathFailure:
                user.ReportFailure(path);
                break;
            case ErrorReaction.WrongSwarm when mailbox is not null:
                mailbox.Swarm = network.ReadSwarm(answer.Body);
                break;
            case ErrorReaction.DropNode:
                if (answer.Body.Length == Bytes32.Length && network.Find(new Ed25519PublicKey(answer.Body.Span)) is { } gone)
                    gone.IsGone = true;
                if (mailbox is not null)
                    mailbox.Swarm = null;
                _ = network.RefreshAsync(clock.Stopped);
                break;
            default:
                break;
        }
    }

    private static Task PauseBeforeAsync(int attempt, CancellationToken cancellationToken) =>
        attempt > 1 ? Task.Delay(RetryDelay * (1 << (attempt - 2)), cancellationToken) : Task.CompletedTask;

    private static long NowMs => DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
}
