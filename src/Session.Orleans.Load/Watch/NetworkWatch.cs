using System.Diagnostics.Metrics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Session.Orleans.Client;
using Session.Orleans.Load.Network;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Load.Watch;

/// <summary>What a check does, in order.</summary>
internal enum WatchStep
{
    /// <summary>Asks a random node for the swarm of a new account.</summary>
    Swarm,

    /// <summary>Stores a message, and verifies the signature of every member that says it has it.</summary>
    Write,

    /// <summary>Reads it at every member, until each has it as it was written.</summary>
    Read,

    /// <summary>Deletes it, and verifies the members' signatures for that.</summary>
    Delete,

    /// <summary>Reads again: it must be gone.</summary>
    Gone,
}

/// <summary>How a check went.</summary>
/// <param name="At">When it began.</param>
/// <param name="Failed">The step that failed; null if none did.</param>
/// <param name="Problem">What was wrong; null if nothing was.</param>
/// <param name="Times">How long each step took that ended well.</param>
/// <param name="Retries">Requests that had to be repeated.</param>
internal sealed record WatchCheck(DateTimeOffset At, WatchStep? Failed, string? Problem, IReadOnlyDictionary<WatchStep, TimeSpan> Times, int Retries)
{
    /// <summary>How long the whole took.</summary>
    public TimeSpan Total => new(Times.Values.Sum(time => time.Ticks));
}

/// <summary>
/// Checks a network from outside, as a client sees it: writes a message to a new account, reads it back at every member of its swarm, deletes it.
/// Every request goes over a path of its own of random nodes. Not for concurrent use.
/// </summary>
/// <param name="network">The network.</param>
/// <param name="time">The clock.</param>
/// <param name="readLimit">How long members may take until all have the message.</param>
/// <param name="attempts">Attempts of each request, each on another path.</param>
internal sealed class NetworkWatch(LoadNetwork network, TimeProvider time, TimeSpan readLimit, int attempts) : IDisposable
{
    /// <summary>Name of the meter: that of the load process, whose dashboards show both.</summary>
    public const string MeterName = Results.LoadMetrics.MeterName;

    private const int MessageSize = 200;
    private const int Hops = OnionPath.DefaultLength;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(10);

    private readonly Meter _meter = new(MeterName);
    private Counter<long>? _checks;
    private Histogram<double>? _durations;
    private int _retries;

    /// <summary>Does one check. A network that fails is a result, not an exception.</summary>
    public async Task<WatchCheck> CheckAsync(CancellationToken cancellationToken)
    {
        _checks ??= _meter.CreateCounter<long>("session.watch.checks", "{check}", "Checks by the step that failed");
        _durations ??= _meter.CreateHistogram("session.watch.step.duration", "s", "Steps of checks that ended well",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = Results.LoadMetrics.Boundaries });
        var (at, times, step) = (time.GetUtcNow(), new Dictionary<WatchStep, TimeSpan>(), WatchStep.Swarm);
        _retries = 0;
        WatchCheck check;
        try
        {
            var account = Ed25519KeyPair.Generate();
            var data = RandomNumberGenerator.GetBytes(MessageSize);
            var hash = MessageHash.Compute(account.SessionId, 0, data);
            var swarm = await TimeAsync(WatchStep.Swarm, () => FindSwarmAsync(account.SessionId, cancellationToken)).ConfigureAwait(false);
            await TimeAsync(WatchStep.Write, () => WriteAsync(swarm, account.SessionId, data, hash, cancellationToken)).ConfigureAwait(false);
            await TimeAsync(WatchStep.Read, () => ReadEverywhereAsync(swarm, account, data, hash, cancellationToken)).ConfigureAwait(false);
            await TimeAsync(WatchStep.Delete, () => DeleteAsync(swarm, account, hash, cancellationToken)).ConfigureAwait(false);
            await TimeAsync(WatchStep.Gone, () => RequireGoneAsync(swarm, account, cancellationToken)).ConfigureAwait(false);
            check = new(at, null, null, times, _retries);
        }
        catch (WatchException exception)
        {
            check = new(at, step, exception.Message, times, _retries);
        }

        _checks.Add(1, new KeyValuePair<string, object?>("failed", check.Failed is { } failed ? NameOf(failed) : "none"));
        return check;

        async Task<T> TimeAsync<T>(WatchStep next, Func<Task<T>> action)
        {
            step = next;
            var start = time.GetTimestamp();
            var result = await action().ConfigureAwait(false);
            times[next] = time.GetElapsedTime(start);
            _durations.Record(times[next].TotalSeconds, new KeyValuePair<string, object?>("step", NameOf(next)));
            return result;
        }
    }

    /// <summary>A poll of a new account through a whole path: the least that a usable network does. Null if it works, or why it does not.</summary>
    public async Task<string?> TryPollAsync(CancellationToken cancellationToken)
    {
        try
        {
            var account = Ed25519KeyPair.Generate();
            var swarm = await FindSwarmAsync(account.SessionId, cancellationToken).ConfigureAwait(false);
            _ = await RetrieveAsync(swarm.Members[0], account, cancellationToken).ConfigureAwait(false);
            return null;
        }
        catch (WatchException exception)
        {
            return exception.Message;
        }
    }

    /// <summary>Name of a step in metrics and messages.</summary>
    public static string NameOf(WatchStep step) => step switch
    {
        WatchStep.Swarm => "swarm",
        WatchStep.Write => "write",
        WatchStep.Read => "read",
        WatchStep.Delete => "delete",
        _ => "gone",
    };

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();

    private async Task<LoadSwarm> FindSwarmAsync(AccountId account, CancellationToken cancellationToken)
    {
        var request = new GetSwarmRequest { Account = account };
        var body = await AskAsync(() => network.Nodes[RandomNumberGenerator.GetInt32(network.Nodes.Count)], _ => request, cancellationToken).ConfigureAwait(false);
        return network.ReadSwarm(body) ?? throw new WatchException("a node names no swarm for a new account");
    }

    private async Task<bool> WriteAsync(LoadSwarm swarm, AccountId account, byte[] data, MessageHash hash, CancellationToken cancellationToken)
    {
        var body = await AskAsync(
            () => Any(swarm),
            now => new StoreRequest { Account = account, Timestamp = now, Expiry = now + (long)Lifetime.TotalMilliseconds, Data = data },
            cancellationToken).ConfigureAwait(false);
        var text = Encoding.ASCII.GetBytes(hash.ToString());
        VerifyMembers(swarm, body, "stored the message", (_, entry) => entry.TryGetProperty("hash", out var said) && said.ValueKind is JsonValueKind.String
            && said.GetString() == hash.ToString() ? text : null);
        return true;
    }

    private async Task<bool> ReadEverywhereAsync(LoadSwarm swarm, Ed25519KeyPair account, byte[] data, MessageHash hash, CancellationToken cancellationToken)
    {
        var start = time.GetTimestamp();
        foreach (var member in swarm.Members)
        {
            while (true)
            {
                var page = await RetrieveAsync(member, account, cancellationToken).ConfigureAwait(false);
                if (page.Messages.Count > 1)
                    throw new WatchException(FormattableString.Invariant($"node {member.Address.ShortId} gives {page.Messages.Count} messages instead of one"));
                if (page.Messages is [var found])
                {
                    if (found.Hash != hash || found.Data is null || !found.Data.AsSpan().SequenceEqual(data))
                        throw new WatchException($"node {member.Address.ShortId} gives another message than was written");
                    break;
                }

                if (time.GetElapsedTime(start) > readLimit)
                    throw new WatchException($"node {member.Address.ShortId} lacks the message after {Quantities.Format(readLimit)}");
                await Task.Delay(Pause, time, cancellationToken).ConfigureAwait(false);
            }
        }

        return true;
    }

    private async Task<bool> DeleteAsync(LoadSwarm swarm, Ed25519KeyPair account, MessageHash hash, CancellationToken cancellationToken)
    {
        var request = new DeleteRequest { Account = account.SessionId, Messages = [new(hash)] }.SignWith(account);
        var body = await AskAsync(() => Any(swarm), _ => request, cancellationToken).ConfigureAwait(false);
        // Signed: the account, what was asked for, what was deleted (storage-rpc.md, 10).
        VerifyMembers(swarm, body, "deleted the message", (_, entry) =>
        {
            if (!entry.TryGetProperty("deleted", out var deleted) || deleted.ValueKind is not JsonValueKind.Array)
                return null;
            var text = new StringBuilder(account.SessionId.ToString()).Append(hash);
            foreach (var one in deleted.EnumerateArray())
                text.Append(one.GetString());
            return Encoding.ASCII.GetBytes(text.ToString());
        });
        return true;
    }

    private async Task<bool> RequireGoneAsync(LoadSwarm swarm, Ed25519KeyPair account, CancellationToken cancellationToken)
    {
        var member = Any(swarm);
        var page = await RetrieveAsync(member, account, cancellationToken).ConfigureAwait(false);
        return page.Messages.Count == 0 ? true : throw new WatchException($"node {member.Address.ShortId} still gives the message after it was deleted");
    }

    private async Task<MessagePage> RetrieveAsync(LoadNode member, Ed25519KeyPair account, CancellationToken cancellationToken)
    {
        var body = await AskAsync(
            () => member, now => new RetrieveRequest { Account = account.SessionId, Timestamp = now }.SignWith(account), cancellationToken).ConfigureAwait(false);
        return StorageAnswers.TryReadPage(body.Span, out var page) ? page : throw new WatchException($"the reply of node {member.Address.ShortId} can't be read");
    }

    private async Task<ReadOnlyMemory<byte>> AskAsync(Func<LoadNode> destination, Func<long, StorageRequest> create, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            var node = destination();
            var path = DrawPath(node);
            var answer = await network.SendAsync(path, node, StorageRequestWriter.ToArray(create(network.Clock.NowMs)), null, cancellationToken).ConfigureAwait(false);
            if (answer.IsDone)
                return answer.Body;
            if (answer.Reaction is ErrorReaction.DropNode)
                await network.RefreshAsync(cancellationToken).ConfigureAwait(false);
            if (attempt >= attempts)
                throw new WatchException($"node {node.Address.ShortId} through {string.Join(", ", path.Select(hop => hop.Address.ShortId))}: {answer.Error}");
            _retries++;
            await Task.Delay(Pause, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private LoadNode[] DrawPath(LoadNode destination)
    {
        LoadNode[] candidates = [.. network.Nodes.Where(node => node != destination && !node.IsGone)];
        if (candidates.Length < Hops)
            throw new WatchException("the network has too few nodes for a path");
        RandomNumberGenerator.Shuffle<LoadNode>(candidates);
        return candidates[..Hops];
    }

    private static LoadNode Any(LoadSwarm swarm) => swarm.Members[RandomNumberGenerator.GetInt32(swarm.Members.Length)];

    private static void VerifyMembers(LoadSwarm swarm, ReadOnlyMemory<byte> body, string what, Func<LoadNode, JsonElement, byte[]?> signedText)
    {
        try
        {
            using var json = JsonDocument.Parse(body);
            if (!json.RootElement.TryGetProperty("swarm", out var entries) || entries.ValueKind is not JsonValueKind.Object)
                throw new WatchException($"the reply names no member that {what}");
            foreach (var member in swarm.Members)
            {
                if (!entries.TryGetProperty(member.Address.Ed25519.ToString(), out var entry) || entry.ValueKind is not JsonValueKind.Object
                    || signedText(member, entry) is not { } signed)
                    throw new WatchException($"node {member.Address.ShortId} has not {what}");
                if (!entry.TryGetProperty("signature", out var text) || text.ValueKind is not JsonValueKind.String || !text.TryGetBytesFromBase64(out var signature)
                    || !Ed25519.Verify(member.Address.Ed25519.AsSpan(), signed, signature))
                    throw new WatchException($"the signature with which node {member.Address.ShortId} says that it {what} is wrong");
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new WatchException("the reply can't be read");
        }
    }

    /// <summary>A check has failed.</summary>
    private sealed class WatchException(string message) : Exception(message);
}
