using System.Collections.Immutable;
using Session.Orleans.Grains.Network;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Grains.ServiceNodes;

/// <summary>
/// A swarm-wide request on its way to the other members (storage-rpc.md, 7): who does not get it or does not answer, and how long the
/// answering node waits for them. Without faults every member gets it and answers at once, for they share one durable copy.
/// </summary>
internal sealed class SwarmRound
{
    /// <summary>How long a member may take.</summary>
    public static readonly TimeSpan MemberLimit = TimeSpan.FromSeconds(5);

    private static readonly SwarmRound Undisturbed = new();
    private static readonly StorageError TooManyRequests = new(429, "Too Many Requests\n");

    private readonly MemberFailure[]? _failures;
    private readonly bool[]? _signWrongly;
    private readonly TimeSpan _wait;
    private readonly long _startedAt;

    private SwarmRound() => Missing = [];

    private SwarmRound(MemberFailure[] failures, bool[] signWrongly, ImmutableArray<ushort> missing, TimeSpan wait, long startedAt)
    {
        _failures = failures;
        _signWrongly = signWrongly;
        Missing = missing;
        _wait = wait;
        _startedAt = startedAt;
    }

    /// <summary>Indices of the members that the request does not reach.</summary>
    public ImmutableArray<ushort> Missing { get; }

    /// <summary>Sends the request to the other members.</summary>
    public static SwarmRound Begin(StorageCall call, Swarm swarm, AccountRequest request, NodeRateLimiter limiter, GrainsMetrics metrics, TimeProvider time)
    {
        var faults = call.View.Faults;
        if (faults is null && !limiter.IsOn)
            return Undisturbed;
        var bytes = request is StoreRequest store ? store.Data.Length : 0;
        var count = swarm.Members.Length;
        var (failures, signWrongly) = (new MemberFailure[count], new bool[count]);
        var missing = ImmutableArray.CreateBuilder<ushort>();
        var wait = TimeSpan.Zero;
        for (var i = 0; i < count; i++)
        {
            var member = swarm.Members[i];
            var own = faults?.At(member.Index);
            signWrongly[i] = own?.Strikes(FaultKind.WrongSignature) ?? false;
            if (ReferenceEquals(member, call.Self))
                continue;

            var arrival = faults?.Arrive(call.Self.Index, member.Index, bytes) ?? default;
            var delay = arrival.Delay + (own?.StorageDelay() ?? TimeSpan.Zero);
            if (!arrival.Arrives)
            {
                failures[i] = MemberFailure.Timeout;
                missing.Add((ushort)member.Index);
                delay = arrival.Outcome is ArrivalOutcome.Refused ? arrival.Delay : MemberLimit;
            }
            else if (!limiter.TryTake(call.Self, member))
            {
                failures[i] = MemberFailure.Error(TooManyRequests);
                missing.Add((ushort)member.Index);
            }
            else if (delay >= MemberLimit)
            {
                failures[i] = MemberFailure.Timeout; // it gets there all the same, only nobody waits so long
                delay = MemberLimit;
            }
            else if (own is { ClockSkew: var skew } && skew != TimeSpan.Zero && request.Check(call.TrueClock.Ahead(skew, forwarded: true)) is { } error)
            {
                failures[i] = MemberFailure.Error(error);
                missing.Add((ushort)member.Index);
            }
            else if (own?.Strikes(FaultKind.CorruptReply) ?? false)
            {
                failures[i] = MemberFailure.BadResponse;
            }

            if (failures[i].Kind is not MemberFailureKind.None)
                metrics.MemberFailed(failures[i].Kind);
            wait = delay > wait ? delay : wait;
        }

        return new(failures, signWrongly, missing.DrainToImmutable(), wait, time.GetTimestamp());
    }

    /// <summary>Waits for the slowest member, counted from the beginning of the round.</summary>
    public Task EndAsync(TimeProvider time, CancellationToken cancellationToken)
    {
        if (_wait == TimeSpan.Zero)
            return Task.CompletedTask;
        var left = _wait - time.GetElapsedTime(_startedAt);
        return left > TimeSpan.Zero ? Task.Delay(left, time, cancellationToken) : Task.CompletedTask;
    }

    /// <summary>
    /// The members as the reply lists them. Those that got the request share one durable copy, so that one outcome is everybody's: what the
    /// store did not confirm no member acknowledges.
    /// </summary>
    public SwarmMember[] Members(StorageCall call, Swarm swarm, MailboxOutcome outcome)
    {
        if (_failures is null && outcome is not MailboxOutcome.StoreFailed)
            return swarm.Undisturbed(call.Self);
        var failure = outcome is MailboxOutcome.StoreFailed ? MemberFailure.QueryFailure("the store did not confirm") : default;
        var members = new SwarmMember[swarm.Members.Length];
        for (var i = 0; i < members.Length; i++)
        {
            var own = _failures is null || _failures[i].Kind is MemberFailureKind.None ? failure : _failures[i];
            members[i] = new(swarm.Members[i].Keys, ReferenceEquals(swarm.Members[i], call.Self), own, _signWrongly?[i] ?? false);
        }

        return members;
    }
}
