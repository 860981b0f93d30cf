using Microsoft.Extensions.Time.Testing;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Client.Tests;

/// <summary>What the client does about every error of the network (onion-requests.md, 8).</summary>
public sealed class NetworkTests : IDisposable
{
    private const string Unknown = "7777777777777777777777777777777777777777777777777777777777777777";

    private readonly FakeTimeProvider _time = new(DateTimeOffset.FromUnixTimeSeconds(1_800_000_000));
    private readonly FakeNetwork _fake;

    public NetworkTests()
    {
        _fake = new(20, _time);
        _fake.Swarm = _ => _fake.Nodes.Take(7);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _fake.Dispose();

    [Theory]
    [InlineData(200, "anything", false, ErrorReaction.Done)]
    [InlineData(406, "", false, ErrorReaction.ClockOutOfSync)]
    [InlineData(425, "", false, ErrorReaction.ClockOutOfSync)]
    [InlineData(421, "{}", false, ErrorReaction.WrongSwarm)]
    [InlineData(502, "Next node not found: " + Unknown, false, ErrorReaction.DropNode)]
    [InlineData(500, "Next node not found: " + Unknown, true, ErrorReaction.DropNode)]
    [InlineData(502, " Next node not found: " + Unknown, false, ErrorReaction.PathFailure)]
    [InlineData(502, "Next node not found: 77", false, ErrorReaction.PathFailure)]
    [InlineData(502, "", true, ErrorReaction.ServerUnreachable)]
    [InlineData(502, "", false, ErrorReaction.PathFailure)]
    [InlineData(503, "Snode not ready: " + Unknown, false, ErrorReaction.PathFailure)]
    [InlineData(504, "Request time out", false, ErrorReaction.PathFailure)]
    [InlineData(400, "Invalid ciphertext", false, ErrorReaction.PathFailure)]
    [InlineData(0, "", false, ErrorReaction.PathFailure)]
    [InlineData(500, "Oxen Server error", false, ErrorReaction.Stop)]
    public void HttpAnswer_HasItsReaction(int status, string body, bool toServer, ErrorReaction expected)
    {
        Assert.Equal(expected, ErrorReactions.ForHttp(status, body, toServer, out var unknown));
        Assert.Equal(expected is ErrorReaction.DropNode ? Unknown : default(Ed25519PublicKey).ToString(), unknown.ToString());
    }

    [Theory]
    [InlineData(200, ErrorReaction.Done)]
    [InlineData(400, ErrorReaction.ReturnToCaller)]
    [InlineData(401, ErrorReaction.Unauthorized)]
    [InlineData(406, ErrorReaction.ClockOutOfSync)]
    [InlineData(425, ErrorReaction.ClockOutOfSync)]
    [InlineData(421, ErrorReaction.WrongSwarm)]
    [InlineData(500, ErrorReaction.DestinationFailure)]
    [InlineData(503, ErrorReaction.DestinationFailure)]
    public void StorageAnswer_HasItsReaction(int status, ErrorReaction expected) => Assert.Equal(expected, ErrorReactions.ForStorage(status));

    [Fact]
    public async Task Paths_AreTwo_OfThreeDistinctNodes_WithDifferentGuards_AndAvoidTheDestination()
    {
        using var network = await _fake.ConnectAsync();
        var client = Create(network);
        for (var i = 0; i < 10; i++)
            await client.SendTextAsync(SessionIdentity.Create().Id, "x", Cancellation);

        Assert.Equal(2, network.Paths.Current.Length);
        Assert.All(network.Paths.Current, path => Assert.Equal(3, path.Hops.Distinct().Count()));
        Assert.Equal(2, network.Paths.Guards.Distinct().Count());
        foreach (var guard in network.Paths.Guards)
            Assert.Equal(1, network.Paths.Current.Count(path => path.Hops.Any(hop => hop.Ed25519 == guard)));
    }

    [Fact]
    public async Task Guards_OfAnEarlierRun_AreUsedAgain()
    {
        using var first = await _fake.ConnectAsync();
        await Create(first).SendTextAsync(SessionIdentity.Create().Id, "x", Cancellation);
        using var second = await _fake.ConnectAsync(options => options with { Guards = first.Paths.Guards });
        await Create(second).SendTextAsync(SessionIdentity.Create().Id, "x", Cancellation);
        Assert.Equal(first.Paths.Guards.Order(), second.Paths.Guards.Order());
    }

    [Fact]
    public async Task LostReplies_LeaveOneMessage()
    {
        using var network = await _fake.ConnectAsync();
        var (alice, bob) = (Create(network), Create(network));
        await alice.SendTextAsync(bob.Id, "one", Cancellation);
        _fake.LoseReplies = 2;
        await alice.SendTextAsync(bob.Id, "two", Cancellation);

        Assert.Equal(["one", "two"], (await bob.PollAsync(Cancellation)).OfType<IncomingText>().Select(text => text.Body));
        Assert.Empty((await bob.PollAsync(Cancellation)).OfType<IncomingText>());
    }

    [Fact]
    public async Task AllRepliesLost_ThrowsAfterThreeAttempts()
    {
        using var network = await _fake.ConnectAsync();
        var alice = Create(network);
        await alice.SendTextAsync(SessionIdentity.Create().Id, "warm", Cancellation);
        _fake.Destinations.Clear();
        _fake.LoseReplies = 100;
        await Assert.ThrowsAsync<SessionClientException>(() => network.SendAsync(alice.Id, (_, _) => [new InfoRequest()], inOrder: true, cancellationToken: Cancellation));
        Assert.Equal(97, _fake.LoseReplies);
    }

    [Fact]
    public async Task NextNodeNotFound_DropsTheNodeAtOnce_AndKeepsThePathsGuard()
    {
        using var network = await _fake.ConnectAsync();
        var alice = Create(network);
        await alice.SendTextAsync(SessionIdentity.Create().Id, "warm", Cancellation);
        var gone = network.Paths.Current[0].Hops[1];
        var guards = network.Paths.Guards;
        var others = network.Paths.Current.Select(path => path.Hops[0].Ed25519).ToHashSet();
        _fake.OnHop = node => others.Contains(node.Address.Ed25519) && network.Paths.Current.Any(path => path.Guard == node.Address && path.Hops.Contains(gone))
            ? (502, $"Next node not found: {gone.Ed25519}") : null;

        for (var i = 0; i < 10; i++)
            await alice.SendTextAsync(SessionIdentity.Create().Id, "x", Cancellation);

        Assert.DoesNotContain(network.Pool.Nodes, node => node == gone);
        Assert.DoesNotContain(network.Paths.Current, path => path.Hops.Contains(gone));
        Assert.Equal(guards, network.Paths.Guards);
    }

    [Fact]
    public async Task FailingHop_StrikesAllButTheGuard_AndThreeFailuresDropThePath()
    {
        using var network = await _fake.ConnectAsync(options => options with { Attempts = 1 });
        await Create(network).SendTextAsync(SessionIdentity.Create().Id, "warm", Cancellation);
        var path = network.Paths.Current[0];

        for (var i = 0; i < ErrorReactions.Threshold - 1; i++)
            network.Paths.ReportFailure(path);
        Assert.Contains(path.Guard.Ed25519, network.Paths.Guards);
        network.Paths.ReportFailure(path);

        Assert.DoesNotContain(path.Guard.Ed25519, network.Paths.Guards);
        Assert.DoesNotContain(network.Pool.Nodes, node => path.Hops.Contains(node));
        await Create(network).SendTextAsync(SessionIdentity.Create().Id, "x", Cancellation);
        Assert.Equal(2, network.Paths.Current.Length);
    }

    [Fact]
    public async Task Success_ForgetsStrikes()
    {
        using var network = await _fake.ConnectAsync();
        await Create(network).SendTextAsync(SessionIdentity.Create().Id, "warm", Cancellation);
        var path = network.Paths.Current[0];
        for (var i = 0; i < 10; i++)
        {
            network.Paths.ReportFailure(path);
            network.Paths.ReportSuccess(path);
        }

        Assert.Contains(path, network.Paths.Current);
    }

    [Fact]
    public async Task WrongSwarm_IsLearnedFromTheAnswer()
    {
        using var network = await _fake.ConnectAsync();
        var (alice, bob) = (Create(network), SessionIdentity.Create());
        await alice.SendTextAsync(bob.Id, "x", Cancellation);
        _fake.Swarm = _ => _fake.Nodes.Skip(10).Take(5);

        await alice.SendTextAsync(bob.Id, "y", Cancellation);

        Assert.Equal(_fake.Nodes.Skip(10).Take(5).Select(node => node.Address), await network.GetSwarmAsync(bob.Id, Cancellation));
    }

    [Fact]
    public async Task FailingDestination_IsDroppedFromSwarmAndPoolAfterThreeStrikes()
    {
        using var network = await _fake.ConnectAsync();
        var alice = Create(network);
        var broken = _fake.Nodes[0];
        _fake.OnStorage = (node, request) => node == broken && request is StoreRequest ? (503, "\"busy\"") : null;

        for (var i = 0; i < 60 && network.Pool.Nodes.Contains(broken.Address); i++)
            await alice.SendTextAsync(alice.Id, $"{i}", Cancellation);

        Assert.DoesNotContain(broken.Address, network.Pool.Nodes);
        Assert.DoesNotContain(broken.Address, await network.GetSwarmAsync(alice.Id, Cancellation));
    }

    [Theory]
    [InlineData(3600)]
    [InlineData(-3600)]
    public async Task WrongClock_IsCorrectedByTheFirstReplies(int seconds)
    {
        _fake.Ahead = TimeSpan.FromSeconds(seconds);
        using var network = await _fake.ConnectAsync();
        var (alice, bob) = (Create(network), Create(network));

        await alice.SendTextAsync(bob.Id, "x", Cancellation);

        Assert.Equal(seconds * 1000, network.Clock.OffsetMs);
        Assert.Single((await bob.PollAsync(Cancellation)).OfType<IncomingText>());
    }

    [Fact]
    public async Task ClockThatBecomesWrong_IsCorrectedOnce_AndWhoeverLiesEndsTheRequest()
    {
        using var network = await _fake.ConnectAsync();
        var alice = Create(network);
        await alice.PollAsync(Cancellation);
        _fake.Ahead = TimeSpan.FromHours(2);
        await alice.PollAsync(Cancellation);
        Assert.Equal(7_200_000, network.Clock.OffsetMs);

        _fake.OnStorage = (_, request) => request is RetrieveRequest ? (406, "\"retrieve timestamp too far from current time\"") : null;
        Assert.Equal(406, (await Assert.ThrowsAsync<SessionClientException>(() => alice.PollAsync(Cancellation))).Status);
    }

    [Fact]
    public async Task BadRequest_IsReturnedWithoutBlame()
    {
        using var network = await _fake.ConnectAsync();
        var alice = Create(network);
        _fake.OnStorage = (_, request) => request is StoreRequest ? (400, "\"no\"") : null;
        for (var i = 0; i < 10; i++)
            Assert.Equal(400, (await Assert.ThrowsAsync<SessionClientException>(() => alice.SendTextAsync(alice.Id, "x", Cancellation))).Status);
        Assert.Equal(20, network.Pool.Nodes.Length);
    }

    [Fact]
    public async Task ShrunkenPool_IsFilledFromTheSeedAgain()
    {
        using var network = await _fake.ConnectAsync();
        foreach (var node in _fake.Nodes.Take(10))
            network.Pool.Drop(node.Address.Ed25519);
        await Create(network).SendTextAsync(SessionIdentity.Create().Id, "x", Cancellation);
        Assert.Equal((2, 20), (_fake.SeedRequests, network.Pool.Nodes.Length));
    }

    [Fact]
    public async Task TooFewNodes_AreAnError()
    {
        var fake = new FakeNetwork(3, _time);
        fake.Swarm = _ => fake.Nodes;
        using var network = await fake.ConnectAsync();
        await Assert.ThrowsAsync<SessionClientException>(() => Create(network).SendTextAsync(SessionIdentity.Create().Id, "x", Cancellation));
    }

    [Fact]
    public async Task Burst_GivesEveryMessageItsOwnTime()
    {
        using var network = await _fake.ConnectAsync();
        var (alice, bob) = (Create(network), Create(network));
        var sent = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => alice.SendTextAsync(bob.Id, $"{i}", Cancellation)));
        Assert.Equal(20, sent.DistinctBy(message => message.Id.Timestamp).Count());
        Assert.Equal(20, (await bob.PollAsync(Cancellation)).OfType<IncomingText>().Count());
    }

    [Fact]
    public async Task NoteToSelf_IsSeenByTheOtherDeviceOnly()
    {
        using var network = await _fake.ConnectAsync();
        var identity = SessionIdentity.Create();
        var (phone, desktop) = (new SessionClient(network, identity), new SessionClient(network, identity));
        await phone.SendTextAsync(identity.Id, "memo", Cancellation);
        Assert.Empty((await phone.PollAsync(Cancellation)).OfType<IncomingText>());
        Assert.Equal(("memo", identity.Id), (await desktop.PollAsync(Cancellation)).OfType<IncomingText>().Select(text => (text.Body, text.Conversation)).Single());
    }

    [Fact]
    public async Task Group_TimerDeletionAndEnd_ReachTheMembers()
    {
        using var network = await _fake.ConnectAsync();
        var (alice, bob) = (Create(network), Create(network));
        var group = await alice.CreateGroupAsync("Ours", [bob.Id], Cancellation);
        var joined = await bob.JoinAsync((await bob.PollAsync(Cancellation)).OfType<IncomingInvitation>().Single(), Cancellation);

        await group.SetTimerAsync(TimeSpan.FromHours(12), Cancellation);
        var sent = await group.SendTextAsync("for twelve hours", Cancellation);
        var own = await joined.SendTextAsync("mine", Cancellation);
        await group.DeleteAsync([sent.Hash], Cancellation);
        await joined.DeleteAsync([own.Hash], Cancellation);

        var seen = await joined.PollAsync(Cancellation);
        Assert.Equal(new Expiration(ExpirationMode.AfterSend, TimeSpan.FromHours(12)), seen.OfType<IncomingText>().Single().Expiration);
        Assert.Equal([sent.Hash], seen.OfType<IncomingGroupEvent>().Single(message => message.Event is GroupEvent.ContentDeleted).Subjects);
        Assert.Equal([own.Hash], (await group.PollAsync(Cancellation)).OfType<IncomingGroupEvent>().Single(message => message.Event is GroupEvent.ContentDeleted).Subjects);

        await group.DestroyAsync(Cancellation);
        Assert.Equal(GroupEvent.Destroyed, (await joined.PollAsync(Cancellation)).OfType<IncomingGroupEvent>().Last().Event);
        Assert.Empty(bob.Groups);
        Assert.Empty(alice.Groups);
    }

    [Fact]
    public async Task SmallNetwork_MakesDoWithOnePath()
    {
        var fake = new FakeNetwork(5, _time);
        fake.Swarm = _ => fake.Nodes;
        using var network = await fake.ConnectAsync();
        var alice = Create(network);
        for (var i = 0; i < 10; i++)
            await alice.SendTextAsync(alice.Id, "x", Cancellation);
        Assert.Single(network.Paths.Current);
    }

    [Fact]
    public async Task BlockedSender_IsDropped()
    {
        using var network = await _fake.ConnectAsync();
        var (alice, bob) = (Create(network), Create(network));
        await bob.SetBlockedAsync(alice.Id, blocked: true, Cancellation);
        await alice.SendTextAsync(bob.Id, "x", Cancellation);
        Assert.Empty((await bob.PollAsync(Cancellation)).OfType<IncomingText>());
    }

    [Fact]
    public async Task FailingPoll_IsToldAndFollowedByTheNext()
    {
        var time = TimeProvider.System;
        var fake = new FakeNetwork(20, time);
        fake.Swarm = _ => fake.Nodes.Take(7);
        using var network = await fake.ConnectAsync();
        var failures = 0;
        var bob = new SessionClient(network, SessionIdentity.Create(), new()
        {
            PollInterval = TimeSpan.FromMilliseconds(1),
            PollFailed = _ =>
            {
                failures++;
                fake.OnStorage = (_, _) => null;
            },
        });
        await Create(network).SendTextAsync(bob.Id, "x", Cancellation);
        fake.OnStorage = (_, request) => request is RetrieveRequest ? (406, "\"no\"") : null;
        await foreach (var message in bob.IncomingAsync(Cancellation))
        {
            if (message is IncomingText)
                break;
        }

        Assert.Equal(1, failures);
    }

    private static SessionClient Create(SessionNetwork network) => new(network, SessionIdentity.Create());
}
