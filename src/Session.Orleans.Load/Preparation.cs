using Session.Orleans.Client;
using Session.Orleans.Load.Network;
using Session.Orleans.Load.Plan;
using Session.Orleans.Load.Results;
using Session.Orleans.Load.Users;
using Session.Orleans.Protocol.Communities;
using Session.Orleans.Protocol.Names;

namespace Session.Orleans.Load;

/// <summary>What has to be there before users begin: a network that lets them in, the rooms they join, and the names they have. None of it is part of the load.</summary>
internal static class Preparation
{
    private const int LeastAttempts = 5;
    private const int AtOnce = 8;

    /// <summary>The rooms of a shard: those that the plan names, or made by <see cref="LoadOptions.MakeRooms"/>.</summary>
    /// <exception cref="LoadException">The plan asks for rooms, and nobody can make them.</exception>
    public static async Task<IReadOnlyList<CommunityUrl>> MakeRoomsAsync(LoadPlan plan, LoadOptions options, CancellationToken cancellationToken)
    {
        if (plan.Communities is not { } communities)
            return [];
        var shard = options.Shard;
        if (communities.Count == 0)
            return [.. communities.Urls.Where((_, number) => number % shard.Count == shard.Index)];
        var make = options.MakeRooms ?? throw new LoadException(
            LoadFailure.Usage, "The plan makes rooms, for which the run needs the network's admin API: name the network with --data, or give the plan the 'urls' of rooms that are there.");
        return await make(
            [.. Enumerable.Range(0, shard.PartOf(communities.Count)).Select(number => CommunitySettings.TokenOf(plan.Seed, shard.GlobalIndex(number)))], cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Asks whether the network lets users in, learns where rooms begin, and buys names that nobody has yet.</summary>
    /// <exception cref="LoadException">It does not, a room can't be used, or a name can't be had.</exception>
    public static async Task RunAsync(LoadPlan plan, LoadNetwork network, Population population, TimeProvider time, CancellationToken cancellationToken)
    {
        using var clock = new RunClock(time);
        var recorder = new Recorder(plan.Duration, TimeSpan.Zero);
        var requests = new UserRequests(plan with { Attempts = Math.Max(LeastAttempts, plan.Attempts) }, network, recorder, clock, new(0, null));
        var first = population.Users[0];
        var (_, refused) = await requests.FindSwarmAsync(first, first.Mailbox, cancellationToken).ConfigureAwait(false);
        if (refused.Error is { } error)
        {
            throw new LoadException(LoadFailure.Unreachable, FormattableString.Invariant(
                $"The seed names {network.Nodes.Count} service nodes, but no request comes through them ({error}). If their own ports can't be reached from here, try --path-addressing."));
        }

        var communities = new CommunityActions(network, requests, new(plan.Messages.Size, network.Clock), new(plan.LateAfter), recorder, clock);
        await Parallel.ForEachAsync(population.Rooms, Limit(cancellationToken), async (room, cancellation) =>
        {
            var member = population.Users[room.Members[0]];
            var (sequence, outcome) = await communities.DescribeAsync(member, member.Communities.Single(at => at.Server == room.Server), room, cancellation).ConfigureAwait(false);
            if (outcome.Error is { } problem)
                throw new LoadException(LoadFailure.Failed, $"The room {room.Url} can't be used ({problem}).");
            room.Start = sequence;
        }).ConfigureAwait(false);

        var registry = network.OpenNames();
        await Parallel.ForEachAsync(population.Names, Limit(cancellationToken), async (name, cancellation) => await BuyAsync(registry, name, cancellation).ConfigureAwait(false))
            .ConfigureAwait(false);
    }

    private static async Task BuyAsync(Client.Names.NameRegistry registry, LoadName name, CancellationToken cancellationToken)
    {
        var owner = name.Owner.Keys;
        try
        {
            if (await registry.FindAsync(name.Text, cancellationToken).ConfigureAwait(false) is not { } found)
                _ = await registry.BuyAsync(name.Text, owner.SessionId, owner, cancellationToken: cancellationToken).ConfigureAwait(false);
            else if (!NameCipher.TryDecryptSession(name.Text, found.EncryptedValue.Span, out var account) || account != owner.SessionId)
                throw new LoadException(LoadFailure.Failed, $"The name '{name.Text}' is somebody else's; another --random-seed makes other names.");
        }
        catch (SessionClientException exception)
        {
            throw new LoadException(LoadFailure.Failed, $"The name '{name.Text}' can't be had: {exception.Message}");
        }
    }

    private static ParallelOptions Limit(CancellationToken cancellationToken) => new() { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken };
}
